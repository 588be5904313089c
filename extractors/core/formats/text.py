"""Reading what other people's programs wrote: encodings, numbers, moments."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation

# Vietnam has had no other offset since 1975, and TT 10/2021 orders GMT+7; a fixed offset is faster than a zone lookup.
VIETNAM = timezone(timedelta(hours=7))
EARLIEST = datetime(2000, 1, 1, tzinfo=VIETNAM)

_MISSING = {"", "nan", "null", "none", "na", "n/a", "#n/a", "missing", "-", "--", "---", "----"}
_SENTINELS = {Decimal(-9999), Decimal(-999)}
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:[.,][0-9]*)*|[.,][0-9]+)(?:[eE][+-]?[0-9]{1,2})?")
_MOMENTS = (
    (re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}[ T][0-9]{1,2}:[0-9]{2}:[0-9]{2}"), "%Y-%m-%d %H:%M:%S"),
    (re.compile(r"[0-9]{4}/[0-9]{1,2}/[0-9]{1,2}[ T][0-9]{1,2}:[0-9]{2}:[0-9]{2}"), "%Y/%m/%d %H:%M:%S"),
    (re.compile(r"[0-9]{1,2}/[0-9]{1,2}/[0-9]{4} [0-9]{1,2}:[0-9]{2}:[0-9]{2}"), "%d/%m/%Y %H:%M:%S"),
    (re.compile(r"[0-9]{1,2}-[0-9]{1,2}-[0-9]{4} [0-9]{1,2}:[0-9]{2}:[0-9]{2}"), "%d-%m-%Y %H:%M:%S"),
)
_COMPACT = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})")


class BadValue(ValueError):  # noqa: N818
    """A text that is neither a number nor one of the known signs for "no value"."""


def decode(data: bytes) -> str:
    """Text of a file whose encoding nobody declares: UTF-8 or UTF-16 with or without BOM, else Windows Vietnamese.

    Bytes that fit no encoding become U+FFFD; a character cut in two at the end does not change the encoding of the
    rest. The result is NFC, because cp1258 writes tone marks as characters of their own.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = data.decode("utf-16", "replace")
    elif data.startswith(b"\xef\xbb\xbf"):
        text = data[3:].decode("utf-8", "replace")
    elif len(data) > 3 and data[1:4:2] == b"\x00\x00" and data[0]:
        text = data.decode("utf-16-le", "replace")
    elif len(data) > 3 and data[0:3:2] == b"\x00\x00" and data[1]:
        text = data.decode("utf-16-be", "replace")
    else:
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            cut = error.start > 0 and error.start >= len(data) - 3 and error.reason == "unexpected end of data"
            text = data.decode("utf-8" if cut else "cp1258", "replace")
    return text if unicodedata.is_normalized("NFC", text) else unicodedata.normalize("NFC", text)


def fold(text: str) -> str:
    """Key for comparing names: no case, no Vietnamese marks, letters and digits only."""
    plain = unicodedata.normalize("NFKD", text.casefold().replace("đ", "d"))
    return "".join(character for character in plain if character.isalnum())


def number(text: str) -> str | None:
    """A number as PostgreSQL reads it; None for the known signs of "no value".

    The last of ``.`` and ``,`` is the decimal sign when both occur; one that occurs several times groups thousands.

    Raises:
        BadValue: the text is something else, or larger than 10^15.
    """
    text = text.strip().strip("\"'").strip()
    if text.casefold() in _MISSING:
        return None
    if not _NUMBER.fullmatch(text):
        raise BadValue(text)
    mantissa, exponent = re.fullmatch(r"([^eE]*)(.*)", text).groups()  # type: ignore[union-attr]
    decimal_sign = max(".,", key=mantissa.rfind) if "." in mantissa or "," in mantissa else ""
    if decimal_sign and mantissa.count(decimal_sign) > 1:
        decimal_sign = ""
    for sign in ".,":
        mantissa = mantissa.replace(sign, "." if sign == decimal_sign else "")
    try:
        value = Decimal(mantissa + exponent)
    except InvalidOperation as error:
        raise BadValue(text) from error
    if value in _SENTINELS:
        return None
    if abs(value) >= Decimal(10) ** 15:
        raise BadValue(text)
    return f"{value:f}"


def moment(text: str) -> datetime | None:
    """A Vietnamese civil time (``YYYYMMDDhhmmss`` or date and time with signs) as a moment; None when it is none."""
    compact = _COMPACT.fullmatch(text)
    if compact:
        try:
            return datetime(*map(int, compact.groups()), tzinfo=VIETNAM)  # type: ignore[misc,arg-type]
        except ValueError:
            return None
    for pattern, layout in _MOMENTS:
        if pattern.fullmatch(text):
            return moment_as(text.replace("T", " "), layout)
    return None


def moment_as(text: str, layout: str) -> datetime | None:
    """A Vietnamese civil time written as ``layout`` (``strptime``); None when it is none."""
    try:
        return datetime.strptime(text, layout).replace(tzinfo=VIETNAM)
    except ValueError:
        return None
