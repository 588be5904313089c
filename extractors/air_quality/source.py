"""Formats of air quality: files of the national format, and series described by ``formats/<mapping>.toml``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from extractors.core.formats.series import SeriesFormat
from extractors.core.formats.tt10 import READING, Tt10Format

if TYPE_CHECKING:
    from extractors.core.formats import Format

_MAPPINGS = Path(__file__).resolve().parent / "formats"


def format_for(mapping: str | None) -> Format:
    """The parser of a source; ``mapping`` is the fragment of its URI."""
    return SeriesFormat.load(READING, _MAPPINGS, mapping) if mapping else Tt10Format(READING)
