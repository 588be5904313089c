"""Texts as searches compare them: small letters without marks, đ as d, so that "hac thanh" finds "Hạc Thành".

The same folding stands in SQL here, and as dbt's macro ``folded`` (``dbt_project/macros/texts.sql``).
"""

from __future__ import annotations

import unicodedata

# With {} for an SQL expression.
PLAIN_SQL = "replace(regexp_replace(normalize(lower({}), nfd), '[\u0300-\u036f]', '', 'g'), 'đ', 'd')"


def plain(text: str) -> str:
    """``text`` folded, with single spaces."""
    letters = unicodedata.normalize("NFD", text.lower())
    return " ".join("".join(c for c in letters if not "\u0300" <= c <= "\u036f").replace("đ", "d").split())
