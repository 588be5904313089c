"""JSON records, described by a declaration instead of code: pages of an interface, or files of the same form.

One record is one row of the declared table, with the whole record beside it in ``payload``; lists inside it may be
tables of their own. A field that nobody declared is kept in ``payload``; one that comes in another type than declared
makes its record a reject, and the others load.
"""

from __future__ import annotations

import json
import unicodedata
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from extractors.core.api.declaration import FIELD_TYPES
from extractors.core.entities import Column, Entity
from extractors.core.errors import Skippable
from extractors.core.formats import Parsed, Reject, copy_field, raw_text
from extractors.core.formats.text import EARLIEST, VIETNAM, BadValue, decode, fold, moment, moment_as, number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from extractors.core.api.declaration import Api, Child, Field
    from extractors.core.formats import SourceFile

_CHUNK = 5_000
_MOST_DIGITS = 15
_MOST_DECIMALS = 50
_DEEPEST = 100
_BOOLEANS = {"true": "t", "1": "t", "co": "t", "yes": "t", "false": "f", "0": "f", "khong": "f", "no": "f"}
_LOOSE = ("%d/%m/%Y", "%d-%m-%Y", "%Y/%m/%d", "%d/%m/%Y %H:%M", "%d-%m-%Y %H:%M", "%Y/%m/%d %H:%M")
_DATES = ("%Y-%m-%d", "%d/%m/%Y", "%d-%m-%Y", "%Y/%m/%d", "%Y%m%d")


class _Refused(Exception):  # noqa: N818
    def __init__(self, code: str, reason: str) -> None:
        self.code, self.reason = code, reason


def read_json(data: bytes) -> Any:
    """The value of a JSON text in any of the encodings that :func:`decode` knows; numbers keep every digit.

    Raises:
        ValueError: it is no JSON, or is nested too deep to be one.
    """
    try:
        return json.loads(decode(data), parse_float=_real, parse_int=_integer, parse_constant=lambda _: None)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def at(value: Any, path: str) -> Any:
    """What is at a dotted path; numbers index lists; None when there is nothing."""
    for step in filter(None, path.split(".")):
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def records_in(answer: Any, path: str) -> list[Any] | None:
    """The records at ``path``; None when there is no list. ``null`` is no records, one object is one record.

    One that is nested deeper than anything sensible becomes a text that says so, and so a reject.
    """
    found = answer
    for step in filter(None, path.split(".")):
        if found is None:
            break
        if not isinstance(found, dict) or step not in found:
            return None
        found = found[step]
    if found is None and path:
        return []
    if isinstance(found, dict) and path:
        found = [found]
    return [_shallow(record) for record in found] if isinstance(found, list) else None


def readable_moment(found: Any, column: Field) -> datetime | None:
    """A moment as ``column`` declares it; None when there is none, or none that can be read."""
    try:
        return _moment(found, column)
    except _Refused:
        return None


def canonical(record: Any, volatile: tuple[str, ...] = ()) -> str:
    """A record as JSON text that PostgreSQL takes, the same text for the same content: NFC, sorted, no NUL."""
    for path in volatile:
        record = _without(record, path.split("."))
    text = json.dumps(record, ensure_ascii=False, sort_keys=True, default=_plain)
    if "\\u0000" in text:
        text = json.dumps(_visible(record), ensure_ascii=False, sort_keys=True, default=_plain)
    text = text if unicodedata.is_normalized("NFC", text) else unicodedata.normalize("NFC", text)
    return text.encode("utf-8", "replace").decode("utf-8")


class RecordsFormat:
    """Parser of what an interface answers, made from its declaration.

    Attributes:
        api: The declaration.
        entities: Its table, and one for each list that is a table of its own.
    """

    suffixes: tuple[str, ...] = (".json",)

    def __init__(self, api: Api) -> None:
        self.api = api
        self.entities = (_entity(api), *map(_child_entity, api.children))

    def file_time(self, path: str) -> datetime | None:  # noqa: ARG002 (an answer spans many moments)
        """None: a page is always looked at."""
        return None

    def parse(self, data: bytes, file: SourceFile) -> Iterator[Parsed]:
        """Rows and rejects of one page.

        Raises:
            Skippable: it is no JSON, or has no list of records where the declaration says.
        """
        try:
            records = records_in(read_json(data), self.api.records)
        except ValueError as error:
            raise Skippable(f"the page is no JSON ({error}); ask for it again", "no_json") from error
        if records is None:
            reason = f"the page has no list at '{self.api.records}': if the source has changed, correct the declaration"
            raise Skippable(reason, "no_records")
        for first in range(0, len(records), _CHUNK):
            yield from self._stretch(records, first, file)

    def changed(self, record: Any) -> datetime | None:
        """The source's own time of change; None when the record has none that can be read."""
        if not self.api.changed:
            return None
        column = self.api.column(self.api.changed)
        return readable_moment(at(record, column.path), column)

    def _stretch(self, records: list[Any], first: int, file: SourceFile) -> Iterator[Parsed]:
        parsed = {entity.name: Parsed(entity.name) for entity in self.entities}
        lines: dict[str, list[str]] = {entity.name: [] for entity in self.entities}
        for row, record in enumerate(records[first : first + _CHUNK], first + 1):
            own = parsed[self.api.entity]
            try:
                if not isinstance(record, dict):
                    raise _Refused("not_a_record", f"a record is an object, this is {_kind(record)}")
                values = [_value(record, record, column) for column in self.api.columns]
                if self.api.partition_by:
                    own.months.add(_month(at(record, (by := self.api.column(self.api.partition_by)).path), by, file))
            except _Refused as refused:
                own.rejects.append(Reject(row, raw_text(canonical(record)), refused.code, refused.reason))
                continue
            values.append(canonical(record, self.api.volatile))
            lines[own.entity].append(_line(file, row, values))
            for child in self.api.children:
                items, refusals = _children(child, record, row, file)
                lines[child.entity] += items
                parsed[child.entity].rejects += refusals
        for name, one in parsed.items():
            one.copy, one.rows = "".join(lines[name]), len(lines[name])
            yield one


def _children(child: Child, record: dict[str, Any], row: int, file: SourceFile) -> tuple[list[str], list[Reject]]:
    lines, rejects = list[str](), list[Reject]()
    found = at(record, child.path)
    for item in [] if found is None else found if isinstance(found, list) else [found]:
        try:
            if not isinstance(item, dict):
                raise _Refused("not_a_record", f"'{child.path}' holds {_kind(item)} where an object belongs")
            lines.append(_line(file, row, [_value(item, record, column) for column in child.columns]))
        except _Refused as refused:
            rejects.append(Reject(row, raw_text(canonical(item)), refused.code, refused.reason))
    return lines, rejects


def _entity(api: Api) -> Entity:
    columns = (*map(_column, api.columns), Column("payload", "jsonb", "The whole record as sent."))
    names = tuple(column.name for column in columns)
    return Entity(api.entity, columns, names, key=api.key, partition_by=api.partition_by, comment=api.comment)


def _child_entity(child: Child) -> Entity:
    columns = tuple(map(_column, child.columns))
    return Entity(child.entity, columns, tuple(c.name for c in columns), key=child.key, comment=child.comment)


def _column(column: Field) -> Column:
    return Column(column.name, FIELD_TYPES[column.type], column.comment)


def _line(file: SourceFile, row: int, values: list[str | None]) -> str:
    return f"{file.file_no}\t{row}\t" + "\t".join(map(copy_field, values)) + "\n"


def _value(record: dict[str, Any], parent: dict[str, Any], column: Field) -> str | None:
    holder, path = (parent, column.path[2:]) if column.path.startswith("^.") else (record, column.path)
    found = at(holder, path)
    value: str | None
    if found is None:
        value = None
    elif column.type == "moment":
        # PostgreSQL knows no offset of 16 hours and more, which people do send.
        value = at_.astimezone(UTC).isoformat() if (at_ := _moment(found, column)) else None
    elif column.type == "date":
        value = day.isoformat() if (day := _date(found, column)) else None
    elif column.type == "json":
        value = canonical(found)
    elif isinstance(found, dict | list):
        raise _Refused("wrong_type", f"'{column.path}' holds {_kind(found)} where {column.type} belongs")
    else:
        value = {"text": _text, "number": _number, "integer": _whole, "boolean": _boolean}[column.type](found, column)
    if column.required and (value is None or not value.strip()):
        raise _Refused("missing_field", f"the record has no '{column.path}'")
    return value


def _unlike(found: Any, column: Field, wanted: str) -> _Refused:
    """A value that is not what was declared: its length only, since any field may hold what somebody typed."""
    return _Refused("bad_value", f"'{column.path}' holds a text of {len(str(found))} characters, {wanted}")


def _text(found: Any, _column: Field) -> str:
    if isinstance(found, bool):
        return "true" if found else "false"
    text = str(found)
    text = text if unicodedata.is_normalized("NFC", text) else unicodedata.normalize("NFC", text)
    return text.encode("utf-8", "replace").decode("utf-8")


def _number(found: Any, column: Field) -> str | None:
    if isinstance(found, bool):
        raise _Refused("wrong_type", f"'{column.path}' holds a truth value where a number belongs")
    if isinstance(found, str):
        try:
            return number(found)
        except BadValue:
            raise _unlike(found, column, "no number") from None
    value = Decimal(found)
    if not value:
        return "0"
    if value.adjusted() >= _MOST_DIGITS or int(value.as_tuple().exponent) < -_MOST_DECIMALS:
        raise _Refused("bad_value", f"'{column.path}' has more than {_MOST_DIGITS} digits or {_MOST_DECIMALS} decimals")
    return f"{value:f}"


def _whole(found: Any, column: Field) -> str | None:
    text = _number(found, column)
    if text is None:
        return None
    value = Decimal(text)
    if value != value.to_integral_value():
        raise _Refused("bad_value", f"'{column.path}' holds a fraction, no whole number")
    return str(int(value))


def _boolean(found: Any, column: Field) -> str | None:
    if isinstance(found, bool):
        return "t" if found else "f"
    key = fold(str(found))
    if not key:
        return None
    if key not in _BOOLEANS:
        raise _unlike(found, column, "neither yes nor no")
    return _BOOLEANS[key]


def _moment(found: Any, column: Field) -> datetime | None:
    """Raises: _Refused."""
    result: datetime | None = None
    text = "" if isinstance(found, bool | dict | list) or found is None else str(found).strip()
    if isinstance(found, bool | dict | list):
        raise _Refused("wrong_type", f"'{column.path}' holds {_kind(found)} where a moment belongs")
    if not text:
        return None
    try:
        if column.format in ("epoch_s", "epoch_ms"):
            seconds = Decimal(text) / (1000 if column.format == "epoch_ms" else 1)
            result = datetime.fromtimestamp(float(seconds), UTC)
        elif column.format and "%" in column.format:
            result = moment_as(text, column.format)
        elif isinstance(found, str):
            result = moment(text) or _loosely(text) or datetime.fromisoformat(text)
    except (ValueError, ArithmeticError, OSError):
        result = None
    if result is None or result.year > 9000:
        reason = f"'{column.path}' holds a text of {len(text)} characters, no moment as declared"
        raise _Refused("bad_timestamp", reason)
    # What .NET writes where there is no date.
    if result.year == 1:
        return None
    return result if result.tzinfo else result.replace(tzinfo=VIETNAM)


def _loosely(text: str) -> datetime | None:
    """A day alone is its midnight, as it is in ISO 8601; a time may come without seconds."""
    return next((moment for layout in _LOOSE if (moment := moment_as(text, layout)) is not None), None)


def _date(found: Any, column: Field) -> date | None:
    if isinstance(found, str) and len(found.strip()) <= 10 and "%" not in column.format:
        text = found.strip()
        if not text:
            return None
        for layout in _DATES:
            if (day := moment_as(text, layout)) is not None:
                return None if day.year == 1 else day.date()
    instant = _moment(found, column)
    return instant.astimezone(VIETNAM).date() if instant else None


def _month(found: Any, column: Field, file: SourceFile) -> tuple[int, int]:
    instant = _moment(found, column)
    if instant is None:
        raise _Refused("missing_field", f"the record has no '{column.path}'")
    if not EARLIEST <= instant <= file.latest:
        code = "bad_timestamp" if instant < EARLIEST else "future_timestamp"
        raise _Refused(code, f"'{column.path}' is {instant.isoformat()}: no month for it")
    civil = instant.astimezone(VIETNAM)
    return civil.year, civil.month


def _integer(text: str) -> Any:
    # Python refuses to read longer ones; nobody counts so far.
    return int(text) if len(text) <= 400 else text


def _real(text: str) -> Any:
    try:
        return Decimal(text)
    except InvalidOperation:
        return text


def _shallow(record: Any) -> Any:
    level = [record]
    for _ in range(_DEEPEST):
        level = [
            one
            for value in level
            if isinstance(value, dict | list)
            for one in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            return record
    return f"(nested more than {_DEEPEST} deep; the landed page has it whole)"


def _plain(value: Any) -> Any:
    """A Decimal as the JSON number that it came from, or as text where a number cannot hold it."""
    plain = float(value)
    return plain if plain - plain == 0 else str(value)


def _visible(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\x00", "␀")
    if isinstance(value, dict):
        return {_visible(key): _visible(one) for key, one in value.items()}
    return [_visible(one) for one in value] if isinstance(value, list) else value


def _without(value: Any, steps: list[str]) -> Any:
    if not isinstance(value, dict) or steps[0] not in value:
        return value
    if len(steps) == 1:
        return {key: one for key, one in value.items() if key != steps[0]}
    return {**value, steps[0]: _without(value[steps[0]], steps[1:])}


def _kind(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", str: "text", bool: "a truth value", type(None): "nothing"}
    return kinds.get(type(value), "a number")
