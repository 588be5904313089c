"""Vietnamese text: numbers, times, strictness and the walls of the sandbox."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from alerts.channels import email as email_channel
from alerts.channels.base import Message
from alerts.notifying.rendering import TemplateRefusedError, moment, number, render


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (1234.5, None, "1.234,5"), (152.0, None, "152"), (1234567, None, "1.234.567"), (0.95, 1, "1,0"),
        (Decimal("2.675"), 2, "2,68"), (-0.5, 0, "-1"), (100, None, "100"), (None, None, "–"), (1e-9, None, "0"),
    ],
)  # fmt: skip
def test_numbers_the_vietnamese_way(value: float | None, decimals: int | None, text: str) -> None:
    assert number(value, decimals) == text


def test_times_are_civil_time_in_viet_nam() -> None:
    assert moment(datetime(2026, 3, 6, 7, 0, tzinfo=UTC)) == "14:00 06/03/2026"
    assert moment(datetime(2026, 3, 6, 18, 0, tzinfo=UTC)) == "01:00 07/03/2026"


def test_decomposed_input_comes_out_composed() -> None:
    decomposed = unicodedata.normalize("NFD", "Hạc Thành")
    assert render("Phường {{ name }}", {"name": decomposed}) == "Phường Hạc Thành"


@pytest.mark.parametrize(
    "source",
    [
        "{{ missing }}",
        "{{ value | unknown }}",
        "{% if %}",
        "{{ ''.__class__.__mro__ }}",
        "{{ value | number(2, 3, 4) }}",
    ],
)
def test_a_template_that_asks_for_too_much_is_refused_with_its_text(source: str) -> None:
    with pytest.raises(TemplateRefusedError, match="template"):
        render(source, {"value": 1})


def test_html_is_escaped_and_plain_text_is_not() -> None:
    assert render("{{ x }}", {"x": "<b>"}, html=True) == "&lt;b&gt;"
    assert render("{{ x }}", {"x": "<b>"}) == "<b>"


def test_a_subject_cannot_carry_a_second_header() -> None:
    from uuid import uuid4

    message = Message(
        uuid4(), 1, "a@thanhhoa.example.vn", 4, "Cảnh báo\r\nBcc: x@y.vn", "thân", "", [], datetime.now(UTC), 1
    )
    mail = email_channel.compose(message, "canhbao@ioc.example")
    assert mail["Subject"] == "Cảnh báo Bcc: x@y.vn"
    assert mail["Bcc"] is None
    assert mail["Importance"] == "high"
