"""SMS text: what it costs, what it becomes without diacritics, whether it is what was registered."""

from __future__ import annotations

import unicodedata

import pytest

from alerts.notifying.notice import Plain
from alerts.notifying.sms_text import Size, cut, fill, khong_dau, matches, measure
from alerts.notifying.wording import write

CONTEXT = {"ref": "SC-1A2B3C4D.2", "url": "https://ioc.example.vn/canh-bao", "text": "Nồng độ NH4+ vượt ngưỡng"}


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("", Size("gsm7", 0, 1)),
        ("a" * 160, Size("gsm7", 160, 1)),
        ("a" * 161, Size("gsm7", 161, 2)),
        ("a" * 306, Size("gsm7", 306, 2)),
        ("a" * 307, Size("gsm7", 307, 3)),
        ("[" * 80, Size("gsm7", 160, 1)),
        ("[" * 81, Size("gsm7", 162, 2)),
        # An extension character does not fit into the last septet of a part: it moves to the next one.
        ("a" * 152 + "[" + "a" * 152, Size("gsm7", 306, 3)),
        ("ạ" * 70, Size("ucs2", 70, 1)),
        ("ạ" * 71, Size("ucs2", 71, 2)),
        ("ạ" * 134, Size("ucs2", 134, 2)),
        ("ạ" * 135, Size("ucs2", 135, 3)),
        ("a" * 69 + "😀", Size("ucs2", 71, 2)),
    ],
)
def test_a_text_costs_what_the_network_counts(text: str, size: Size) -> None:
    assert measure(text) == size


def test_diacritics_cost_three_messages_where_two_would_do() -> None:
    """A warning of 161 letters: three SMS with diacritics, two without."""
    text = ("Cảnh báo cấp 3: nồng độ bụi tại trạm Quảng trường Lam Sơn vượt quy chuẩn, đề nghị kiểm tra. " * 2)[:161]
    assert measure(text) == Size("ucs2", 161, 3)
    assert measure(khong_dau(text)).segments == 2


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Đã hết cảnh báo – cấp 2 · Xấu", "Da het canh bao - cap 2 - Xau"),
        ("Sở NN&MT [khẩn] {a}", "So NN va MT (khan) (a)"),
        ("PM2.5 ≥ 50 µg/m³, 30 °C…", "PM2.5 >= 50 ug/m3, 30 do C..."),
        ("một\n  hai\tba\u00a0bốn", "mot hai ba bon"),
        ("tàu 🚢 漁船", "tau ? ??"),
        (unicodedata.normalize("NFD", "Hạc Thành"), "Hac Thanh"),
    ],
)
def test_without_diacritics_everything_is_in_the_alphabet_of_sms(text: str, plain: str) -> None:
    assert khong_dau(text) == plain
    assert measure(khong_dau(text)).encoding == "gsm7"
    assert not set("&[]") & set(khong_dau(text))


def test_a_text_is_cut_at_a_word_and_says_so() -> None:
    assert cut("Quang truong Lam Son", 20) == "Quang truong Lam Son"
    assert cut("Quang truong Lam Son", 17) == "Quang truong..."
    assert cut("motTuRatDaiKhongCoDau", 10) == "motTuRa..."
    assert all(len(cut("mot hai ba bon nam sau", n)) <= n for n in range(25))


def test_a_text_matches_what_was_registered_place_by_place() -> None:
    registered = "IOC Thanh Hoa: {noi_dung}. Ma {ma}."
    assert matches("IOC Thanh Hoa: Canh bao (cap 2). Ma SC-1.", registered)
    for wrong in ("IOC Thanh Hoa: . Ma SC-1.", "Xin chao. Ma SC-1.", "IOC Thanh Hoa: a. Ma SC-1. Them", ""):
        assert not matches(wrong, registered)
    assert matches(fill(registered, {"noi_dung": "a.b*c"}), registered), "a place without a value still has something"


def template(body: str, **more: object) -> dict[str, object]:
    return {"code": "x", "channel": "sms", "template_id": 7, "body": body, "segment_limit": None,
            "registered_text": None} | more  # fmt: skip


def test_what_is_too_long_is_shortened_and_keeps_its_code() -> None:
    long = CONTEXT | {"text": "Nồng độ vượt ngưỡng tại trạm số một " * 40}
    text = write("sms", template("IOC: {{ text }}. Ma {{ ref }}"), long, Plain("", ""))
    assert text.segment_count == measure(text.body).segments <= 2
    assert text.body.endswith("... Ma SC-1A2B3C4D.2") or text.body.endswith("Ma SC-1A2B3C4D.2")
    assert len(text.body) > 100, "as much as fits"


@pytest.mark.parametrize(
    "body",
    [
        "IOC: {{ text }}",  # no code of its own
        "Xin chao {{ text }}. Ma {{ ref }}",  # not what was registered
        "IOC: {{ khong_co }}. Ma {{ ref }}",  # asks for what there is not
        "IOC: {{ text ",  # no template at all
    ],
)
def test_what_a_gateway_would_refuse_is_said_in_the_registered_form(body: str) -> None:
    registered = "IOC: {noi_dung}. Ma {ma}"
    text = write("sms", template(body, registered_text=registered), CONTEXT, Plain("", "Nồng độ vượt & tăng"))
    assert text.body == "IOC: Nong do vuot va tang. Ma SC-1A2B3C4D.2"
    assert matches(text.body, registered)


def test_without_a_template_an_sms_is_still_said() -> None:
    text = write("sms", None, CONTEXT, Plain("Nhắc việc", "Chưa ai nhận " * 100))
    assert text.body.startswith("IOC Thanh Hoa: Chua ai nhan Chua ai nhan")
    assert text.body.endswith("Ma SC-1A2B3C4D.2")
    assert text.segment_count == 2


def test_decomposed_input_leaves_composed() -> None:
    context = CONTEXT | {"text": unicodedata.normalize("NFD", "Cảnh báo tại Hạc Thành")}
    text = write("web", {"code": "x", "channel": "web", "template_id": 1, "subject": "{{ text }}", "body": "{{ text }}",
                         "body_html": "<b>{{ text }}</b>"}, context, Plain("", ""))  # fmt: skip
    for part in (text.subject, text.body, text.body_html):
        assert unicodedata.is_normalized("NFC", part)
        assert "Cảnh báo tại Hạc Thành" in part
