"""Vietnamese text from templates: Jinja2 in its sandbox, strict about names, rendered once and stored.

Every result is NFC: a decomposed diacritic counts as two characters in an SMS and breaks searching.
"""

from __future__ import annotations

import unicodedata
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from alerts.notifying.sms_text import cut, khong_dau
from ioc.settings import TIME_ZONE

if TYPE_CHECKING:
    from datetime import datetime

_ZONE = ZoneInfo(TIME_ZONE)


class TemplateRefusedError(Exception):
    """A template does not compile, or asks for something that a message does not have; the message says what."""


def number(value: float | Decimal | int | None, decimals: int | None = None) -> str:
    """``1234.5`` as ``1.234,5``; a missing value as an en dash.

    Args:
        value: The number.
        decimals: Digits after the comma, halves away from zero; None shows what there is, at most six, without
            trailing zeros.
    """
    if value is None:
        return "–"
    exact = Decimal(str(value))
    exact = exact.quantize(Decimal(1).scaleb(-(6 if decimals is None else decimals)), ROUND_HALF_UP)
    text = f"{exact:,f}"
    if decimals is None and "." in text:
        text = text.rstrip("0").rstrip(".")
    return text.translate(str.maketrans(",.", ".,"))


def amount(value: float | Decimal | int | None, unit: str | None, state: str | None) -> str:
    """A value as people read it: ``1.234,5 mg/m³``, or the words of its state where a rule watches one (no unit)."""
    return (state or "–") if unit is None else f"{number(value)} {unit}".strip()


def moment(value: datetime | None) -> str:
    """``14:00 06/03/2026`` in Viet Nam's civil time."""
    return "–" if value is None else value.astimezone(_ZONE).strftime("%H:%M %d/%m/%Y")


def day(value: datetime | None) -> str:
    """``06/03/2026`` in Viet Nam's civil time."""
    return "–" if value is None else value.astimezone(_ZONE).strftime("%d/%m/%Y")


@lru_cache(maxsize=2)
def _environment(autoescape: bool) -> ImmutableSandboxedEnvironment:
    # Plain text goes into mails and messages unescaped on purpose; HTML bodies are rendered with escaping on.
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=autoescape)
    environment.filters |= {
        "number": number, "moment": moment, "day": day, "khong_dau": khong_dau, "cut": cut,
    }  # fmt: skip
    return environment


def render(source: str, context: dict[str, Any], *, html: bool = False) -> str:
    """Render ``source`` with ``context``; the result is NFC and stripped.

    Args:
        source: Jinja2 text.
        context: Names that the text may use.
        html: Escape values.

    Raises:
        TemplateRefusedError: wrong syntax, an unknown name, or an attempt to leave the sandbox.
    """
    try:
        text = _compiled(source, html).render(context)
    except (TemplateError, TypeError, ValueError, ArithmeticError) as error:
        raise TemplateRefusedError(f"template {source[:60]!r}: {error}") from error
    return unicodedata.normalize("NFC", text).strip()


@lru_cache(maxsize=512)
def _compiled(source: str, html: bool) -> Any:
    return _environment(html).from_string(source)
