"""Reading rule tests (the language: ``rule_tests.py``): from YAML to series of rows and what is expected when."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import yaml

from alerts.channels import all_channels
from alerts.judging.fold import Point
from alerts.rulemaking.rule_document import duration
from ioc.settings import TIME_ZONE

if TYPE_CHECKING:
    from collections.abc import Iterator

_ZONE = ZoneInfo(TIME_ZONE)
_MOST_STEPS, _MOST_SERIES = 20_000, 20
_WORDS = {"cal": "calibrating", "err": "device_error", "few": "insufficient"}
_TOKEN = re.compile(r"(?P<word>_|cal|err|few)(?:x(?P<times>\d+))?|"
                    r"(?P<first>-?\d+(?:\.\d+)?)(?:(?P<step>[+-]\d+(?:\.\d+)?))?(?:x(?P<count>\d+))?")  # fmt: skip
_TEST_KEYS = {"name", "start", "interval", "series", "expect", "transitions", "incidents", "messages"}
_SERIES_KEYS = {"entity", "unit", "values", "delay", "late"}
_EXPECT_KEYS = {"at", "entity", "level", "state", "data", "nodata"}
_TRANSITION_KEYS = {"at", "entity", "kind", "from", "to", "reason"}
_MESSAGE_KEYS = {"at", "level", "to"}
_LATE_KEYS = {"period", "seen", "value", "revision"}
_KINDS = ("value", "nodata", "source")


class RuleTestError(ValueError):
    """The text of the tests cannot be understood; the message is Vietnamese and names the test."""


@dataclass
class Series:
    """Rows of one entity, each with the moment of its arrival."""

    entity: str
    unit: str | None
    rows: list[tuple[datetime, Point]] = field(default_factory=list)


@dataclass
class RuleTest:
    """One test: what arrives when, and what must come of it; it ends at ``last``."""

    name: str
    start: datetime
    interval: timedelta
    series: list[Series]
    expect: list[tuple[datetime, str, dict[str, Any]]]  # when, entity, wanted values
    transitions: list[dict[str, Any]] | None
    incidents: dict[str, int] | None
    messages: dict[str, list[dict[str, Any]]]
    last: datetime

    def clock(self) -> list[datetime]:
        """Every period end and arrival, and every moment that is asked about."""
        steps = int((self.last - self.start) / self.interval) + 1
        if steps > _MOST_STEPS:
            raise RuleTestError(f"Bài thử “{self.name}” dài quá {_MOST_STEPS} bước; hãy dùng bước thời gian lớn hơn.")
        moments = {self.start + self.interval * n for n in range(steps)} | {when for when, _, _ in self.expect}
        moments |= {row["at"] for rows in self.messages.values() for row in rows}
        moments |= {arrival for series in self.series for arrival, _ in series.rows}
        return sorted(moments)

    def ticks(self) -> Iterator[tuple[datetime, dict[str, list[Point]]]]:
        """The clock, each time with the rows that have arrived since, by entity."""
        arriving = sorted(
            ((arrival, series.entity, point) for series in self.series for arrival, point in series.rows),
            key=lambda row: (row[0], row[1], row[2].at, row[2].revision),
        )
        position = 0
        for now in self.clock():
            batch: dict[str, list[Point]] = {}
            while position < len(arriving) and arriving[position][0] <= now:
                _, entity, point = arriving[position]
                batch.setdefault(entity, []).append(point)
                position += 1
            yield now, batch


def parsed(text: str) -> Any:
    """YAML without aliases.

    Raises:
        RuleTestError: it is none.
    """
    try:
        # A few lines of aliases can stand for more than a machine can hold.
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text)):
            raise RuleTestError("Bài thử không dùng được ký hiệu tham chiếu (*) của YAML.")
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" ở dòng {mark.line + 1}" if mark else ""
        raise RuleTestError(f"Bài thử không phải YAML hợp lệ{where}.") from error


def no_other_keys(name: str, raw: dict[str, Any], known: set[str]) -> None:
    """Refuse keys that the language does not have.

    Raises:
        RuleTestError: there is one; ``name`` says where.
    """
    unknown = sorted(str(key) for key in raw if key not in known)
    if unknown:
        raise RuleTestError(f"{name}: không có khóa “{unknown[0]}”; các khóa: {', '.join(sorted(known))}.")


def read_test(raw: Any, number: int) -> RuleTest:
    """One entry of ``tests``, the ``number``-th.

    Raises:
        RuleTestError: it cannot be understood; the message names it.
    """
    name = str(raw.get("name") or f"số {number}") if isinstance(raw, dict) else f"số {number}"
    title = f"Bài thử “{name}”"
    if not isinstance(raw, dict):
        raise RuleTestError(f"{title} phải là một khối có khóa name, start, interval, series.")
    no_other_keys(title, raw, _TEST_KEYS)
    try:
        start = _start(raw["start"])
        interval = duration(raw["interval"])
        if interval <= timedelta(0):
            raise ValueError("interval phải lớn hơn 0")
        if len(raw["series"]) > _MOST_SERIES:
            raise ValueError(f"nhiều nhất {_MOST_SERIES} chuỗi một bài")
        series = [_series(title, item, start, interval) for item in raw["series"]]
        if not series or len({s.entity for s in series}) != len(series):
            raise ValueError("cần ít nhất một chuỗi (series), mỗi chuỗi một entity")
        expect = [_expectation(title, item, start, series) for item in raw.get("expect") or ()]
        transitions = raw.get("transitions")
        if transitions is not None:
            transitions = [_transition(title, item, start) for item in transitions]
        incidents = _incidents(raw.get("incidents"))
        messages = _messages(title, raw.get("messages"), start)
    except KeyError as error:
        raise RuleTestError(f"{title}: thiếu khóa {error}.") from error
    except (ValueError, TypeError, AttributeError, InvalidOperation, OverflowError) as error:
        if isinstance(error, RuleTestError):
            raise
        raise RuleTestError(f"{title}: {error}.") from error
    if not expect and not messages and transitions is None and incidents is None:
        raise RuleTestError(f"{title} không mong đợi điều gì; cần expect, transitions, incidents hoặc messages.")
    ends = [arrival for s in series for arrival, _ in s.rows] + [when for when, _, _ in expect]
    ends += [row["at"] for rows in messages.values() for row in rows]
    return RuleTest(name, start, interval, series, expect, transitions, incidents, messages, max([start, *ends]))


def _start(value: object) -> datetime:
    found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    if not 1970 <= found.year <= 2200:
        raise ValueError(f"năm {found.year} không dùng được")
    return found if found.tzinfo else found.replace(tzinfo=_ZONE)


def _time(value: object, start: datetime) -> datetime:
    if isinstance(value, datetime) or re.match(r"\d{4}-", str(value)):
        return _start(value)
    return start + duration(value)


def _series(title: str, raw: dict[str, Any], start: datetime, interval: timedelta) -> Series:
    no_other_keys(title, raw, _SERIES_KEYS)
    unit = raw.get("unit")
    series = Series(str(raw.get("entity", "A")), None if unit is None else str(unit))
    delay = duration(raw.get("delay", 0))
    for n, (value, quality) in enumerate(_values(str(raw["values"]))):
        if n >= _MOST_STEPS:
            raise ValueError(f"một chuỗi có nhiều nhất {_MOST_STEPS} giá trị")
        if quality != "_":
            at = start + n * interval
            series.rows.append((at + delay, Point(at, value, quality, 1, series.unit)))
    for row in raw.get("late") or ():
        no_other_keys(title, row, _LATE_KEYS)
        period = _time(row["period"], start)
        ((value, quality),) = _values(str(row["value"]))
        point = Point(period, value, quality, int(row.get("revision", 1)), series.unit)
        series.rows.append((max(_time(row["seen"], start), period), point))
    return series


def _values(text: str) -> Iterator[tuple[float | None, str]]:
    for token in text.split():
        found = _TOKEN.fullmatch(token)
        if not found:
            raise ValueError(f"không hiểu giá trị “{token}”; viết ví dụ 95, 105x3, 100+10x4, _, cal, err, few")
        if found["word"]:
            for _ in range(_times(found["times"])):
                yield None, _WORDS.get(found["word"], "_")
        else:
            for n in range(_times(found["count"])):
                yield float(Decimal(found["first"]) + n * Decimal(found["step"] or 0)), "ok"


def _times(text: str | None) -> int:
    count = int(text or 1)
    if not 1 <= count <= _MOST_STEPS:
        raise ValueError(f"số lần lặp phải từ 1 đến {_MOST_STEPS}")
    return count


def _expectation(
    title: str, raw: dict[str, Any], start: datetime, series: list[Series]
) -> tuple[datetime, str, dict[str, Any]]:
    no_other_keys(title, raw, _EXPECT_KEYS)
    wanted = {key: raw[key] for key in ("level", "state", "data", "nodata") if key in raw}
    if not wanted:
        raise ValueError("một mục expect cần level, state, data hoặc nodata")
    entity = str(raw.get("entity", series[0].entity))
    if entity not in {s.entity for s in series}:
        raise ValueError(f"expect nói về “{entity}” nhưng không có chuỗi nào tên đó")
    return _time(raw["at"], start), entity, wanted


def _transition(title: str, raw: dict[str, Any], start: datetime) -> dict[str, Any]:
    no_other_keys(title, raw, _TRANSITION_KEYS)
    return raw | {"at": _time(raw["at"], start)}


def _incidents(raw: Any) -> dict[str, int] | None:
    if raw is None:
        return None
    counts = raw if isinstance(raw, dict) else {"value": raw}
    if any(kind not in _KINDS or not isinstance(count, int) for kind, count in counts.items()):
        raise ValueError("incidents là một số, hoặc {value: 1, nodata: 0}")
    return counts


def _messages(title: str, raw: Any, start: datetime) -> dict[str, list[dict[str, Any]]]:
    """By channel what is wanted, in order; the names of one message in order as well."""
    found: dict[str, list[dict[str, Any]]] = {}
    for channel, rows in (raw or {}).items():
        if channel not in all_channels():
            raise ValueError(f"messages: không có kênh “{channel}”; các kênh: {', '.join(all_channels())}")
        found[channel] = []
        for row in rows:
            no_other_keys(title, row, _MESSAGE_KEYS)
            if not isinstance(row["to"], list) or not isinstance(row["level"], int):
                raise ValueError("một tin trong messages viết {at: 1 hour, level: 1, to: [truc_ban SNNMT]}")
            found[channel].append(
                {"at": _time(row["at"], start), "level": row["level"], "to": sorted(map(str, row["to"]))}
            )
        found[channel].sort(key=lambda row: (row["at"], -row["level"]))
    return found
