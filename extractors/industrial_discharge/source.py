"""Format of industrial discharge: files of the national format, the same as ambient stations send."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extractors.core.errors import Fatal
from extractors.core.formats.tt10 import READING, Tt10Format

if TYPE_CHECKING:
    from extractors.core.formats import Format


def format_for(mapping: str | None) -> Format:
    """The parser of a source; these stations have one format, so the URI takes no fragment.

    Raises:
        Fatal: the URI has a fragment.
    """
    if mapping:
        raise Fatal(f"industrial_discharge has no mapping '{mapping}': stations send files of TT 10/2021 only")
    return Tt10Format(READING)
