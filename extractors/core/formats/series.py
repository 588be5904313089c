"""Delimited and workbook series, described by a mapping file instead of code.

A mapping names the columns of somebody's table; see ``extractors/air_quality/formats/us_embassy.toml`` for the long
form (one value per record) and ``extractors/README.md`` for the wide one (one column per parameter).
"""

from __future__ import annotations

import csv
import io
import tomllib
import zipfile
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from extractors.core.errors import Fatal, Skippable
from extractors.core.formats import Parsed, Reject, SourceFile, copy_field, raw_text
from extractors.core.formats.parameters import symbol
from extractors.core.formats.text import EARLIEST, VIETNAM, BadValue, decode, moment, moment_as, number
from extractors.core.formats.tt10 import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from extractors.core.entities import Entity

_CHUNK = 10_000
Record = list[Any]


@dataclass(frozen=True)
class Series:
    """One value of a record.

    Attributes:
        value: Column of the value.
        parameter: Symbol of all values; None when ``parameter_column`` names it per record.
        unit: Unit of all values; None when ``unit_column`` gives it.
    """

    value: str
    parameter: str | None = None
    parameter_column: str | None = None
    unit: str | None = None
    unit_column: str | None = None


@dataclass(frozen=True)
class Mapping:
    """A mapping file as read.

    Attributes:
        label: ``end`` or ``start``: which end of the averaging period the moment names.
        period_minutes: Length of that period; added to a moment that names its start.
        statuses: Text of ``status_column`` → device status.
        missing_status: Device status of a record whose value is one of the signs for "no value"; None leaves it.
    """

    kind: str
    moment_column: str
    series: tuple[Series, ...]
    station: str | None = None
    station_column: str | None = None
    stations: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    moment_format: str | None = None
    label: str = "end"
    period_minutes: int = 60
    status_column: str | None = None
    statuses: dict[str, str] = field(default_factory=dict)
    missing_status: str | None = None
    delimiter: str = ","
    header_row: int = 1
    sheet: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in ("delimited", "workbook") or self.label not in ("end", "start"):
            raise ValueError("kind is 'delimited' or 'workbook', label is 'end' or 'start'")
        if not self.series or (self.station is None) == (self.station_column is None):
            raise ValueError("it needs [[series]], and either station or station_column")
        if any((s.parameter is None) == (s.parameter_column is None) for s in self.series):
            raise ValueError("each series needs either parameter or parameter_column")

    @property
    def columns(self) -> set[str]:
        """Every column that a file must have."""
        named = {self.moment_column, self.station_column, self.status_column}
        for series in self.series:
            named |= {series.value, series.parameter_column, series.unit_column}
        return {name for name in named if name is not None}


class _Refused(Exception):  # noqa: N818
    def __init__(self, code: str, reason: str) -> None:
        self.code, self.reason = code, reason


class SeriesFormat:
    """Parser of series into an entity with the columns of :mod:`extractors.core.formats.tt10`."""

    def __init__(self, entity: Entity, mapping: Mapping) -> None:
        if entity.column_names != COLUMNS:
            raise ValueError(f"entity '{entity.name}' must have the columns {', '.join(COLUMNS)}")
        self.entity = entity
        self.mapping = mapping
        workbook = mapping.kind == "workbook"
        self.suffixes: tuple[str, ...] = (".xlsx", ".xlsm") if workbook else (".csv", ".txt", ".tsv", ".dat")

    @classmethod
    def load(cls, entity: Entity, folder: Path, name: str) -> SeriesFormat:
        """The parser for mapping ``name``.

        Raises:
            Fatal: there is no such mapping file, or it does not say what is needed.
        """
        path = folder / f"{name}.toml"
        if not path.exists() or path.parent != folder:
            known = ", ".join(sorted(p.stem for p in folder.glob("*.toml"))) or "none"
            raise Fatal(f"no mapping '{name}' (known: {known}); write {folder.parent.name}/{folder.name}/{path.name}")
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
            series = tuple(Series(**one) for one in content.pop("series", []))
            return cls(entity, Mapping(series=series, **content))
        except (TypeError, ValueError) as error:
            raise Fatal(f"{path.name}: {error}") from error

    def file_time(self, path: str) -> datetime | None:  # noqa: ARG002 (a series spans many moments)
        """None: a series is always looked at."""
        return None

    def parse(self, data: bytes, file: SourceFile) -> Iterator[Parsed]:
        """Rows and rejects; every record that is not blank is one or the other.

        Raises:
            Skippable: the file is no such table, or lacks a column that the mapping names.
        """
        records = self._workbook(data) if self.mapping.kind == "workbook" else self._delimited(data)
        header: list[str] | None = None
        parsed, out = Parsed(self.entity.name), []
        for row, record, cut in records:
            if row < self.mapping.header_row or all(_text(cell) == "" for cell in record):
                continue
            if header is None:
                header = [_text(cell) for cell in record]
                self._check(header)
                continue
            cells = dict(zip(header, record, strict=False))
            shown = raw_text(self.mapping.delimiter.join(_text(cell) for cell in record))
            for series in self.mapping.series:
                try:
                    if cut and len(record) < len(header):
                        raise _Refused("truncated", "the file ends inside this record")
                    found, written = self._row(cells, series, file)
                except _Refused as refused:
                    parsed.rejects.append(Reject(row, shown, refused.code, refused.reason))
                    continue
                parsed.months.add((found.year, found.month))
                out.append(f"{file.file_no}\t{row}\t{written}\n")
            if len(out) + len(parsed.rejects) >= _CHUNK:
                parsed.copy, parsed.rows = "".join(out), len(out)
                yield parsed
                parsed, out = Parsed(self.entity.name), []
        parsed.copy, parsed.rows = "".join(out), len(out)
        yield parsed

    def _check(self, header: list[str]) -> None:
        missing = sorted(self.mapping.columns - set(header))
        if missing:
            raise Skippable(
                f"the table lacks the column(s) {', '.join(missing)}; it has {', '.join(header)[:500]}: "
                "if the source has changed, write a mapping for the new form",
                "missing_column",
            )

    def _row(self, cells: dict[str, Any], series: Series, file: SourceFile) -> tuple[datetime, str]:
        mapping = self.mapping
        at = self._moment(cells.get(mapping.moment_column), file)
        station = mapping.station
        if station is None:
            sent = _text(cells.get(mapping.station_column or ""))
            station = mapping.stations.get(sent, sent)
        name = series.parameter or _text(cells.get(series.parameter_column or ""))
        if not station or not name:
            raise _Refused("no_station" if not station else "no_parameter", "the record lacks its station or parameter")
        value_raw = _text(cells.get(series.value))
        try:
            value = number(value_raw)
        except BadValue:
            reason = f"'{raw_text(value_raw)}' is neither a number nor a sign for a missing value"
            raise _Refused("bad_value", reason) from None
        unit = series.unit if series.unit is not None else _text(cells.get(series.unit_column or ""))
        status = "00"
        if mapping.status_column:
            sent = _text(cells.get(mapping.status_column))
            status = mapping.statuses.get(sent, sent)[:32] or "00"
        if value is None and mapping.missing_status is not None:
            status = mapping.missing_status
        columns = (
            station,
            mapping.parameters.get(name) or symbol(name),
            name,
            value,
            value_raw,
            unit,
            at.isoformat(),
            status,
        )
        return at, "\t".join(map(copy_field, columns))

    def _moment(self, cell: Any, file: SourceFile) -> datetime:
        if isinstance(cell, datetime):
            # Excel counts days in floating point: 07:00 may come as 06:59:59.999996.
            found: datetime | None = (cell + timedelta(milliseconds=500)).replace(microsecond=0, tzinfo=VIETNAM)
        elif isinstance(cell, date):
            found = datetime(cell.year, cell.month, cell.day, tzinfo=VIETNAM)
        else:
            text = _text(cell)
            found = moment_as(text, self.mapping.moment_format) if self.mapping.moment_format else moment(text)
        if found is None or found.year > 9000:
            raise _Refused("bad_timestamp", f"'{raw_text(_text(cell))}' is no moment as the mapping describes it")
        if self.mapping.label == "start":
            found += timedelta(minutes=self.mapping.period_minutes)
        if found > file.latest:
            raise _Refused("future_timestamp", f"{found.isoformat()} lies in the future")
        if found < EARLIEST:
            raise _Refused("bad_timestamp", f"{found.isoformat()} lies before {EARLIEST.date()}")
        return found

    def _delimited(self, data: bytes) -> Iterator[tuple[int, Record, bool]]:
        text = decode(data)
        open_end = bool(text) and text[-1] not in "\r\n"
        lines = io.StringIO(text, newline="")
        reader = csv.reader(lines, delimiter=self.mapping.delimiter)
        row = 0
        while True:
            row += 1
            try:
                record: Record = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                record = [f"({error})"]
            yield row, record, open_end and lines.tell() >= len(text)

    def _workbook(self, data: bytes) -> Iterator[tuple[int, Record, bool]]:
        from openpyxl import load_workbook  # type: ignore[import-untyped]
        from openpyxl.utils.exceptions import InvalidFileException  # type: ignore[import-untyped]

        try:
            book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
            sheet = book[self.mapping.sheet] if self.mapping.sheet else book.worksheets[0]
            for row, record in enumerate(sheet.iter_rows(values_only=True), 1):
                yield row, list(record), False
        except (
            InvalidFileException,
            zipfile.BadZipFile,
            KeyError,
            IndexError,
            ValueError,
            OSError,
            SyntaxError,
        ) as error:
            raise Skippable(
                f"no readable workbook ({error}); ask the sender for it again", "unreadable_workbook"
            ) from error


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    return str(cell).strip()
