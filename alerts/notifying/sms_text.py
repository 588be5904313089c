"""Text for SMS: Vietnamese without diacritics in the GSM-7 alphabet, and how many messages a text costs.

A text of GSM-7 characters holds 160 septets, or 153 per part when it is longer; any other character makes it UCS-2: 70
units, or 67 per part (3GPP TS 23.038, 23.040). Characters of the extension table cost two septets and are never split.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = frozenset("^{}\\[~]|€\f")
# Gateways of Viet Nam refuse the ampersand (it ends a field of theirs) or take the brackets as two characters.
FORBIDDEN = frozenset("&[]")
_REPLACED = {
    "đ": "d", "Đ": "D", "&": " va ", "[": "(", "]": ")", "{": "(", "}": ")", "–": "-", "—": "-", "−": "-", "·": "-",
    "•": "-", "…": "...", "“": '"', "”": '"', "‘": "'", "’": "'", "«": '"', "»": '"', "°": " do ", "µ": "u",
    "μ": "u", "×": "x", "≥": ">=", "≤": "<=", "→": "->", "²": "2", "³": "3", "₂": "2", "₃": "3", "₅": "5", "€": "EUR",
    "₫": "d", "~": "-", "|": "/", "^": "", "\\": "/",
}  # fmt: skip


@dataclass(frozen=True)
class Size:
    """What a text costs.

    Attributes:
        encoding: ``gsm7`` or ``ucs2``.
        units: Septets, or 16-bit units.
        segments: Messages that the provider counts; an empty text is one.
    """

    encoding: Literal["gsm7", "ucs2"]
    units: int
    segments: int


def measure(text: str) -> Size:
    """Septets or UCS-2 units of ``text``, and the messages that it takes."""
    if all(character in BASIC or character in EXTENSION for character in text):
        costs = [2 if character in EXTENSION else 1 for character in text]
        return Size("gsm7", sum(costs), _segments(costs, single=160, part=153))
    costs = [len(character.encode("utf-16-le")) // 2 for character in text]
    return Size("ucs2", sum(costs), _segments(costs, single=70, part=67))


def _segments(costs: list[int], *, single: int, part: int) -> int:
    if sum(costs) <= single:
        return 1
    count, used = 1, 0
    for cost in costs:
        if used + cost > part:
            count, used = count + 1, 0
        used += cost
    return count


def khong_dau(text: str) -> str:
    """``text`` without diacritics, in GSM-7, without ``& [ ]``, white space collapsed.

    What has no equal becomes ``?``: a sign that something is missing beats a message that costs three times as much.
    """
    plain = "".join(_REPLACED.get(character, character) for character in unicodedata.normalize("NFC", text))
    plain = "".join(c for c in unicodedata.normalize("NFD", plain) if not unicodedata.combining(c))
    return " ".join("".join(c if c in BASIC and c != "&" else "?" if not c.isspace() else " " for c in plain).split())


def cut(text: str, length: int) -> str:
    """``text`` in at most ``length`` characters: cut at a word where one ends in its second half, marked by ``...``."""
    if len(text) <= length:
        return text
    if length <= 3:
        return text[:length]
    head = text[: length - 3]
    word_end = head.rfind(" ")
    return (head[:word_end] if word_end >= length // 2 else head).rstrip(" ,;:-(") + "..."


def matches(text: str, registered: str) -> bool:
    """Whether ``text`` is the ``registered`` text with something in place of each ``{name}``."""
    pieces = [re.escape(piece) for piece in _PLACE.split(registered)]
    return re.fullmatch(".+?".join(pieces), text, re.DOTALL) is not None


_PLACE = re.compile(r"\{[a-z_]+\}")


def fill(registered: str, values: dict[str, str]) -> str:
    """The ``registered`` text with ``values`` in its places; a place without a value gets a hyphen."""
    return _PLACE.sub(lambda place: values.get(place[0][1:-1]) or "-", registered)
