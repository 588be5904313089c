"""Parsers: bytes of one file in, rows as COPY text and rejects out. They know no network, no database and no clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

_RAW_TEXT_LIMIT = 10_000
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\x00": "␀"})


@dataclass(frozen=True)
class Reject:
    """A line or record that could not become a row.

    Attributes:
        source_row: Its number in the file, from 1; None for the file as a whole.
        raw_text: What was sent, at most 10,000 characters.
        code: Short reason in snake case, for counting.
        reason: The same for people, saying what was wrong.
    """

    source_row: int | None
    raw_text: str
    code: str
    reason: str


@dataclass
class Parsed:
    """A stretch of one file.

    Attributes:
        entity: Name of the entity that the rows and the rejects belong to.
        copy: Lines ``file_no, source_row, <columns of the entity>`` in PostgreSQL's COPY text format.
        rows: Number of those lines.
        months: Civil (year, month) of the partition column, when the entity is partitioned.
        rejects: What could not become a row.
    """

    entity: str
    copy: str = ""
    rows: int = 0
    months: set[tuple[int, int]] = field(default_factory=set)
    rejects: list[Reject] = field(default_factory=list)


@dataclass(frozen=True)
class SourceFile:
    """What a parser may know of a file.

    Attributes:
        path: Path below the source's root, with ``/``.
        file_no: Number to begin each COPY line with.
        latest: Moment after which a timestamp lies in the future (now plus the tolerance).
    """

    path: str
    file_no: int
    latest: datetime


class Format(Protocol):
    """A file format of a domain."""

    suffixes: tuple[str, ...]

    def file_time(self, path: str) -> datetime | None:
        """Moment that the file's name speaks of; None when it gives none, then no date range excludes the file."""

    def parse(self, data: bytes, file: SourceFile) -> Iterator[Parsed]:
        """Rows and rejects of one file. Never raises on any content but :class:`~extractors.core.errors.Skippable`."""


def copy_field(value: str | None) -> str:
    """One value in COPY text format; NUL, which PostgreSQL cannot hold, becomes ␀."""
    return "\\N" if value is None else value.translate(_ESCAPES)


def raw_text(text: str) -> str:
    """Text of a reject: NUL made visible, surrogates replaced, length bounded."""
    if len(text) > _RAW_TEXT_LIMIT:
        text = f"{text[:_RAW_TEXT_LIMIT]}… ({len(text)} characters)"
    return text.replace("\x00", "␀").encode("utf-8", "replace").decode("utf-8")
