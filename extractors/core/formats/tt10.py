"""Files of automatic monitoring stations, TT 10/2021/TT-BTNMT: one line per parameter.

``<Name>⇥<Value>⇥<Unit>⇥<YYYYMMDDhhmmss>⇥<Status>``, status 00 measuring, 01 calibrating, 02 device error; civil time
GMT+7. Real loggers differ in separator, encoding, decimal sign, names and length, so a stretch of text that is to the
letter is read with one regular expression, and any other line by line. Both give the same rows: a property test holds
them together.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from extractors.core.entities import Column, Entity
from extractors.core.formats import Parsed, Reject, SourceFile, copy_field, raw_text
from extractors.core.formats.parameters import known, symbol
from extractors.core.formats.text import EARLIEST, BadValue, decode, fold, moment, number

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

READING = Entity(
    name="reading",
    comment="One value that a station sent: one line of a file in the national format, or one record of a series.",
    columns=(
        Column("station_code", "text", "As in the file name or the mapping."),
        Column("parameter", "text", "Canonical symbol (PM2.5, COD, Temp, …), or the raw text when nobody knows it."),
        Column("parameter_raw", "text", "As sent."),
        Column("value", "numeric", "Null when blank, NaN, ---, -9999, -999, Missing."),
        Column("value_raw", "text", "As sent."),
        Column("unit_raw", "text", "As sent."),
        Column("measured_at", "timestamp with time zone", "End of the averaging period."),
        Column("device_status", "text", "00 measuring, 01 calibrating, 02 device error; other text as sent."),
    ),
    hash_columns=("station_code", "parameter", "measured_at", "value", "unit_raw", "device_status"),
    key=("station_code", "parameter", "measured_at"),
    partition_by="measured_at",
)
"""The raw table of every network of automatic stations."""
COLUMNS = READING.column_names

_SLICE = 1 << 20
_CLEAN = re.compile(
    r"^([^\W\d_][\w.,+-]*(?: [\w.,+-]+)*)\t((?!-999)-?[0-9]{1,12}(?:\.[0-9]{1,12})?)\t"
    r"((?:(?:[^\W\d]|[%°])[\w/%°.^*-]*)?)\t(20[0-9]{12})\t(0[012])\r?$",
    re.MULTILINE,
)
_LINE_END = re.compile(r"\r\n|\n|\r")
_MOMENT = re.compile(
    r"20[0-9]{12}|20[0-9]{2}[-/][0-9]{1,2}[-/][0-9]{1,2}[ T][0-9:]{7,8}|"
    r"[0-9]{1,2}[-/][0-9]{1,2}[-/]20[0-9]{2} [0-9:]{7,8}"
)
# The full time first: a station code may hold a date-like number of its own.
_ANCHOR = re.compile(rf"([\t ]*[\t;|,][\t \"]*| +)(?:{_MOMENT.pattern})(?![0-9])")
_NUMERIC = re.compile(r"[+-]?[0-9][0-9.,]*")
_FILE_NAMES = (
    re.compile(r"(?P<station>.+)[_\-. ]+(?P<time>20[0-9]{6}[_-]?[0-9]{6})(?:[^0-9].*)?"),
    re.compile(r"(?P<station>.+)[_\-. ]+(?P<time>20[0-9]{10}|20[0-9]{6})(?:[^0-9].*)?"),
)
_STATUS = {
    "": "00", "0": "00", "00": "00", "1": "01", "01": "01", "2": "02", "02": "02",
    "dangdo": "00", "hieuchuan": "01", "baoloi": "02",
}  # fmt: skip


class _NotClean(Exception):  # noqa: N818
    """A stretch that looked clean has a moment that is none: the tolerant reader explains which."""


class _Refused(Exception):  # noqa: N818
    """A line that cannot become a row."""

    def __init__(self, code: str, reason: str) -> None:
        self.code, self.reason = code, reason


class _Moments(dict[str, str]):
    """``YYYYMMDDhhmmss`` → the moment as COPY text, computed once per distinct text."""

    def __init__(self, latest: datetime) -> None:
        super().__init__()
        self.latest = latest
        self.months: set[tuple[int, int]] = set()

    def __missing__(self, text: str) -> str:
        found = moment(text)
        if found is None or not EARLIEST <= found <= self.latest:
            raise _NotClean
        self.months.add((found.year, found.month))
        self[text] = written = found.isoformat()
        return written


class _Names(dict[str, str]):
    """Name as sent → ``symbol⇥name`` as COPY text."""

    def __missing__(self, name: str) -> str:
        self[name] = written = f"{copy_field(symbol(name))}\t{copy_field(name)}"
        return written


class Tt10Format:
    """Parser of TT 10/2021 files into an entity with the columns :data:`COLUMNS`.

    Args:
        entity: The raw table; its first columns must be those.
        fast: Read clean stretches at once (switched off only to compare).
    """

    suffixes: tuple[str, ...] = (".txt", ".csv", ".dat")

    def __init__(self, entity: Entity, *, fast: bool = True) -> None:
        if entity.column_names != COLUMNS:
            raise ValueError(f"entity '{entity.name}' must have the columns {', '.join(COLUMNS)}")
        self.entity = entity
        self.fast = fast
        self._names = _Names()
        self._moments = _Moments(EARLIEST)

    def file_time(self, path: str) -> datetime | None:
        """Moment in the file's name."""
        stem = path.rsplit("/", 1)[-1].rsplit(".", 1)[0]
        match = _match(stem)
        digits = re.sub("[_-]", "", match["time"] if match else stem)
        return moment(digits.ljust(14, "0")) if re.fullmatch(r"20[0-9]{6}(?:[0-9]{4}|[0-9]{6})?", digits) else None

    def station(self, path: str) -> str:
        """Station code: what stands before the time in the file's name, else the nearest folder that is no date."""
        *folders, name = path.split("/")
        stem = name.rsplit(".", 1)[0]
        match = _match(stem)
        if match:
            return match["station"].strip()
        named = [folder for folder in folders if folder and not folder.isdigit()]
        return (named[-1] if named else stem).strip()

    def parse(self, data: bytes, file: SourceFile) -> Iterator[Parsed]:
        """Rows and rejects, about a megabyte at a time; every line that is not blank is one or the other."""
        if self._moments.latest != file.latest:
            self._moments = _Moments(file.latest)
        text = decode(data)
        station = copy_field(self.station(file.path))
        start, line = 0, 1
        while start < len(text):
            end = text.find("\n", start + _SLICE) + 1 or len(text)
            stretch = text[start:end] if start or end < len(text) else text
            start = end
            parsed = self._clean(stretch, station, file, line) if self.fast and stretch.endswith("\n") else None
            if parsed is None:
                parsed, lines = self._tolerant(stretch, station, file, line, last=end == len(text))
                line += lines
            else:
                line += parsed.rows
            yield parsed

    def _clean(self, text: str, station: str, file: SourceFile, line: int) -> Parsed | None:
        rows = _CLEAN.findall(text)
        if len(rows) != text.count("\n"):
            return None
        names, moments, file_no = self._names, self._moments, file.file_no
        moments.months = set()
        moments.clear()
        try:
            copy = "".join(
                [
                    f"{file_no}\t{row}\t{station}\t{names[name]}\t{value}\t{value}\t{unit}\t{moments[at]}\t{status}\n"
                    for row, (name, value, unit, at, status) in enumerate(rows, line)
                ]
            )
        except _NotClean:
            return None
        return Parsed(self.entity.name, copy, len(rows), moments.months)

    def _tolerant(self, text: str, station: str, file: SourceFile, line: int, *, last: bool) -> tuple[Parsed, int]:
        parsed = Parsed(self.entity.name)
        out: list[str] = []
        pieces = _LINE_END.split(text)
        open_end = last and bool(pieces[-1].strip(" \t\x00"))
        if not pieces[-1]:
            pieces.pop()
        usual_status = 0
        for row, piece in enumerate(pieces, line):
            if not piece.strip(" \t\x00\u00a0\ufeff"):
                continue
            cut = open_end and row == line + len(pieces) - 1
            fields = split_line(piece)
            try:
                found, written = self._row(fields, file, cut=cut, usual_status=usual_status)
            except _Refused as refused:
                parsed.rejects.append(Reject(row, raw_text(piece), refused.code, refused.reason))
                continue
            usual_status = max(usual_status, len(fields[4]) if len(fields) > 4 else 0)
            parsed.months.add((found.year, found.month))
            out.append(f"{file.file_no}\t{row}\t{station}\t{written}\n")
        parsed.copy, parsed.rows = "".join(out), len(out)
        return parsed, len(pieces)

    def _row(self, fields: list[str], file: SourceFile, *, cut: bool, usual_status: int) -> tuple[datetime, str]:
        """Moment and columns (as COPY text) of one line."""
        # A line cut inside the status would otherwise pass: "0" may have been to become "01".
        if cut and (len(fields) < 5 or len(fields[4]) < max(usual_status, 1)):
            raise _Refused("truncated", "the file ends inside this line; it is read again when the source completes it")
        if len(fields) < 4:
            raise _Refused("no_timestamp", "no moment YYYYMMDDhhmmss in this line")
        name, value_raw, unit, at, status_raw = (*fields, "")[:5]
        found = moment(at)
        if found is None:
            raise _Refused("bad_timestamp", f"'{at}' is no moment of the calendar")
        if found > file.latest:
            raise _Refused("future_timestamp", f"{found.isoformat()} lies in the future; check the station's clock")
        if found < EARLIEST:
            raise _Refused("bad_timestamp", f"{found.isoformat()} lies before {EARLIEST.date()}")
        if not name:
            raise _Refused("no_parameter", "the line names no parameter")
        try:
            value = number(value_raw)
        except BadValue:
            reason = f"'{raw_text(value_raw)}' is neither a number nor a sign for a missing value"
            raise _Refused("bad_value", reason) from None
        status = _STATUS.get(fold(status_raw) or status_raw, status_raw[:32])
        columns = (value, value_raw, unit)
        return found, "\t".join((self._names[name], *map(copy_field, columns), found.isoformat(), copy_field(status)))


def _match(stem: str) -> re.Match[str] | None:
    return next((match for pattern in _FILE_NAMES if (match := pattern.fullmatch(stem))), None)


def split_line(line: str) -> list[str]:
    """Name, value, unit, moment, status of a line, whatever separates them; nothing when it has no moment.

    The moment is the anchor: it is the one field that looks the same everywhere, and what stands before it is the
    separator. A comma is that, a decimal sign or part of ``PM2,5``; what the other fields leave over decides.
    """
    line = line.strip(" \x00\u00a0\ufeff\r\n")
    anchor = _ANCHOR.search(line)
    if anchor is None:
        return []
    before = anchor[1]
    for separator in ("\t", ";", "|", ","):
        if separator in before:
            return _anchored([field.strip(' \x00\u00a0"') for field in line.split(separator)], separator)
    if len(before) > 1:
        return _anchored([field.strip(' "') for field in re.split(r" {2,}", line)], "  ")
    return _anchored(line.split(), " ")


def _anchored(fields: list[str], separator: str) -> list[str]:
    at = next((i for i, field in enumerate(fields) if i >= 2 and _MOMENT.fullmatch(field)), None)
    moment_text, after = "", 1
    if at is not None:
        moment_text = fields[at]
    elif separator == " ":
        # Date and time apart: the space between them is no separator.
        pairs = (i for i in range(2, len(fields) - 1) if _MOMENT.fullmatch(f"{fields[i]} {fields[i + 1]}"))
        at = next(pairs, None)
        if at is not None:
            moment_text, after = f"{fields[at]} {fields[at + 1]}", 2
    if at is None:
        return []
    name, value, unit = _leading(fields[:at], separator)
    return [name, value, unit, moment_text, *fields[at + after : at + after + 1]]


def _leading(fields: list[str], separator: str) -> tuple[str, str, str]:
    """Name, value and unit out of the fields before the moment."""
    if separator not in (",", " "):
        return (fields[0], fields[1], fields[2] if len(fields) > 2 else "")
    length = 1
    for n in range(1, min(4, len(fields))):
        # "PM2,5" is known and "PM2" is not; but "NO,2" is NO with the value 2, for NO is known already.
        named = fields[n - 1] and known(separator.join(fields[:n]))
        if named and (separator == "," or _NUMERIC.fullmatch(fields[n])):
            length = n
            break
    name, rest = separator.join(fields[:length]), fields[length:]
    unit = rest.pop() if len(rest) > 1 and not rest[-1].lstrip("+-").isdigit() else ""
    return name, separator.join(rest), unit
