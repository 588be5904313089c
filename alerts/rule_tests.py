"""Tests of rules, written in YAML like ``promtool test rules``: input series, and what must be true when.

    rule: air_quality.aqi_h
    tests:
      - name: Lên cấp 2 rồi về bình thường
        start: 2026-03-06T01:00:00+07:00    # period end of the first value
        interval: 1 hour                    # from one value to the next
        series:
          - {entity: TH-01, unit: "14797", values: "95 105x3 160 _ cal 90x2"}
        expect:
          - {at: 4 hours, level: 2, state: firing}
        transitions:
          - {at: 1 hour, to: 1}
          - {at: 4 hours, to: 2, reason: raised}
          - {at: 8 hours, to: 0}
        incidents: 1

Values: a number, ``_`` (no row), ``cal`` (calibrating), ``err`` (device error), ``few`` (too few values); ``105x3`` =
three times, ``100+10x4`` = 100 110 120 130. A series may have a ``delay`` from period end to arrival, and ``late`` rows
``{period: 2 hours, seen: 6 hours, value: 170, revision: 2}``. Times are durations from ``start``, or moments.

The rows go through the engine's own fold and absence check, batch by batch in the order of their arrival, with a clock
that stands at every period end: nothing else decides, no database is asked. What users read here is Vietnamese.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import yaml

from alerts.fold import Point
from alerts.rule_document import as_rule, duration, elapsed_text
from alerts.rule_simulation import Simulation
from ioc.settings import TIME_ZONE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from alerts.rule_document import RuleDocument

_ZONE = ZoneInfo(TIME_ZONE)
_MOST_STEPS, _MOST_TESTS, _MOST_SERIES = 20_000, 100, 20
_WORDS = {"cal": "calibrating", "err": "device_error", "few": "insufficient"}
_TOKEN = re.compile(r"(?P<word>_|cal|err|few)(?:x(?P<times>\d+))?|"
                    r"(?P<first>-?\d+(?:\.\d+)?)(?:(?P<step>[+-]\d+(?:\.\d+)?))?(?:x(?P<count>\d+))?")  # fmt: skip
_TEST_KEYS = {"name", "start", "interval", "series", "expect", "transitions", "incidents"}
_SERIES_KEYS = {"entity", "unit", "values", "delay", "late"}
_EXPECT_KEYS = {"at", "entity", "level", "state", "data", "nodata"}
_TRANSITION_KEYS = {"at", "entity", "kind", "from", "to", "reason"}
_LATE_KEYS = {"period", "seen", "value", "revision"}
_KINDS = ("value", "nodata", "source")


class RuleTestError(ValueError):
    """The text of the tests cannot be understood; the message is Vietnamese and names the test."""


@dataclass(frozen=True)
class Failure:
    """One expectation that does not hold.

    Attributes:
        test: Name of the test.
        at: When it should have held; None for what holds over the whole test.
        offset: The same as a duration from the test's start.
        entity: Of which series; empty = of all.
        what: ``level``, ``state``, ``data``, ``nodata``, ``transitions`` or ``incidents``.
        expected: As written in the test.
        got: What the rule does.
    """

    test: str
    at: datetime | None
    offset: str
    entity: str
    what: str
    expected: str
    got: str

    @property
    def text(self) -> str:
        """The difference in four lines."""
        when = f"+{self.offset} ({self.at.astimezone(_ZONE):%H:%M %d/%m/%Y})" if self.at else "cả bài thử"
        head = f"{self.test} · {when}{' · ' + self.entity if self.entity else ''} · {self.what}"
        return f"{head}\n    mong đợi: {_indented(self.expected)}\n    thực tế:  {_indented(self.got)}"


def _indented(text: str) -> str:
    return text.replace("\n", "\n              ")


@dataclass(frozen=True)
class Report:
    """What the tests of one rule say."""

    rule: str
    tests: tuple[str, ...]
    failures: tuple[Failure, ...]

    @property
    def is_passed(self) -> bool:
        """There are tests, and all of them hold."""
        return bool(self.tests) and not self.failures

    def as_dict(self) -> dict[str, Any]:
        failures = [asdict(f) | {"at": f.at.isoformat() if f.at else None} for f in self.failures]
        return {"rule": self.rule, "tests": list(self.tests), "passed": self.is_passed, "failures": failures}


@dataclass
class _Series:
    entity: str
    unit: str | None
    rows: list[tuple[datetime, Point]] = field(default_factory=list)  # (arrival, row)


@dataclass
class _Test:
    name: str
    start: datetime
    interval: timedelta
    series: list[_Series]
    expect: list[tuple[datetime, str, dict[str, Any]]]  # when, entity, wanted values
    transitions: list[dict[str, Any]] | None
    incidents: dict[str, int] | None
    last: datetime

    def clock(self) -> list[datetime]:
        """Every period end and arrival, and every moment that is asked about."""
        steps = int((self.last - self.start) / self.interval) + 1
        if steps > _MOST_STEPS:
            raise RuleTestError(f"Bài thử “{self.name}” dài quá {_MOST_STEPS} bước; hãy dùng bước thời gian lớn hơn.")
        moments = {self.start + self.interval * n for n in range(steps)} | {when for when, _, _ in self.expect}
        moments |= {arrival for series in self.series for arrival, _ in series.rows}
        return sorted(moments)


def read_file(path: Path) -> tuple[str, str]:
    """A test file: the code of its rule, and its tests as text for :func:`run`.

    Raises:
        RuleTestError: the file is no test file.
    """
    text = path.read_text(encoding="utf-8")
    raw = _yaml(text)
    if not isinstance(raw, dict) or not isinstance(raw.get("rule"), str):
        raise RuleTestError(f"{path.name}: thiếu khóa “rule” ghi mã quy tắc.")
    return raw["rule"], text


def run(document: RuleDocument, text: str) -> Report:
    """Run tests against a rule, as if its version were in force at all times.

    Args:
        document: The rule.
        text: The tests, YAML.

    Raises:
        RuleTestError: the text cannot be understood, or is about another rule.
    """
    raw = _yaml(text)
    if not isinstance(raw, dict):
        raise RuleTestError("Bài thử là một khối YAML có khóa “rule” và “tests”.")
    _no_other_keys("Tệp bài thử", raw, {"rule", "tests"})
    if raw.get("rule") != document.code:
        raise RuleTestError(f"Bài thử ghi quy tắc “{raw.get('rule')}”, không phải “{document.code}”.")
    items = raw.get("tests") or []
    if not isinstance(items, list) or len(items) > _MOST_TESTS:
        raise RuleTestError(f"“tests” là một danh sách, nhiều nhất {_MOST_TESTS} bài.")
    tests = [_test(item, n) for n, item in enumerate(items, 1)]
    names = [test.name for test in tests]
    if len(names) != len(set(names)):
        raise RuleTestError("Hai bài thử không được trùng tên.")
    failures = [failure for test in tests for failure in _run_one(document, test)]
    return Report(document.code, tuple(names), tuple(failures))


def _run_one(document: RuleDocument, test: _Test) -> Iterator[Failure]:
    simulation = Simulation(as_rule(document, starts=datetime.min.replace(tzinfo=UTC)))
    arriving = sorted(
        ((arrival, series.entity, point) for series in test.series for arrival, point in series.rows),
        key=lambda row: (row[0], row[1], row[2].at, row[2].revision),
    )
    position = 0
    for now in test.clock():
        batch: dict[str, list[Point]] = {}
        while position < len(arriving) and arriving[position][0] <= now:
            _, entity, point = arriving[position]
            batch.setdefault(entity, []).append(point)
            position += 1
        simulation.tick(now, batch)
        for when, entity, wanted in test.expect:
            if when == now:
                got = simulation.look(entity)
                for what, value in wanted.items():
                    if got[what] != value:
                        offset = elapsed_text(when - test.start)
                        yield Failure(test.name, when, offset, entity, what, str(value), _got(what, got))
    yield from _of_history(test, simulation)


def _got(what: str, got: dict[str, Any]) -> str:
    about = f"  ({got['state']}, giá trị {got['value']})" if what in ("level", "state") else ""
    return f"{got[what]}{about}"


def _of_history(test: _Test, simulation: Simulation) -> Iterator[Failure]:
    found = [
        {"at": t.event_time, "entity": entity, "kind": kind, "from": t.from_level, "to": t.to_level, "reason": t.reason}
        for entity, kind, t in simulation.history
    ]
    if test.transitions is not None:
        wanted = test.transitions
        is_same = len(wanted) == len(found) and all(
            all(g[key] == value for key, value in w.items()) for w, g in zip(wanted, found, strict=True)
        )
        if not is_same:
            keys = set().union(*wanted) if wanted else {"at", "to"}
            if len({row["entity"] for row in found}) > 1:
                keys |= {"entity"}
            shown = [{key: row[key] for key in row if key in keys} for row in found]
            yield Failure(test.name, None, "", "", "transitions", _lines(test, wanted), _lines(test, shown))
    for kind, wanted_count in (test.incidents or {}).items():
        count = sum(row["kind"] == kind and row["from"] == 0 for row in found)
        if count != wanted_count:
            yield Failure(test.name, None, "", "", f"incidents ({kind})", str(wanted_count), str(count))


def _lines(test: _Test, rows: list[dict[str, Any]]) -> str:
    return "\n".join(
        " ".join(
            f"+{elapsed_text(value - test.start)}" if key == "at" else f"{key} {value}" for key, value in row.items()
        )
        for row in rows
    ) or "không có chuyển cấp nào"  # fmt: skip


# ---------------------------------------------------------------------------------------------------------------------
# Reading
# ---------------------------------------------------------------------------------------------------------------------


def _yaml(text: str) -> Any:
    try:
        # A few lines of aliases can stand for more than a machine can hold.
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text)):
            raise RuleTestError("Bài thử không dùng được ký hiệu tham chiếu (*) của YAML.")
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" ở dòng {mark.line + 1}" if mark else ""
        raise RuleTestError(f"Bài thử không phải YAML hợp lệ{where}.") from error


def _no_other_keys(name: str, raw: dict[str, Any], known: set[str]) -> None:
    unknown = sorted(str(key) for key in raw if key not in known)
    if unknown:
        raise RuleTestError(f"{name}: không có khóa “{unknown[0]}”; các khóa: {', '.join(sorted(known))}.")


def _test(raw: Any, number: int) -> _Test:
    name = str(raw.get("name") or f"số {number}") if isinstance(raw, dict) else f"số {number}"
    title = f"Bài thử “{name}”"
    if not isinstance(raw, dict):
        raise RuleTestError(f"{title} phải là một khối có khóa name, start, interval, series.")
    _no_other_keys(title, raw, _TEST_KEYS)
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
    except KeyError as error:
        raise RuleTestError(f"{title}: thiếu khóa {error}.") from error
    except (ValueError, TypeError, AttributeError, InvalidOperation, OverflowError) as error:
        if isinstance(error, RuleTestError):
            raise
        raise RuleTestError(f"{title}: {error}.") from error
    if not expect and transitions is None and incidents is None:
        raise RuleTestError(f"{title} không mong đợi điều gì; cần expect, transitions hoặc incidents.")
    ends = [arrival for s in series for arrival, _ in s.rows] + [when for when, _, _ in expect]
    return _Test(name, start, interval, series, expect, transitions, incidents, max([start, *ends]))


def _start(value: object) -> datetime:
    found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    if not 1970 <= found.year <= 2200:
        raise ValueError(f"năm {found.year} không dùng được")
    return found if found.tzinfo else found.replace(tzinfo=_ZONE)


def _time(value: object, start: datetime) -> datetime:
    if isinstance(value, datetime) or re.match(r"\d{4}-", str(value)):
        return _start(value)
    return start + duration(value)


def _series(title: str, raw: dict[str, Any], start: datetime, interval: timedelta) -> _Series:
    _no_other_keys(title, raw, _SERIES_KEYS)
    unit = raw.get("unit")
    series = _Series(str(raw.get("entity", "A")), None if unit is None else str(unit))
    delay = duration(raw.get("delay", 0))
    for n, (value, quality) in enumerate(_values(str(raw["values"]))):
        if n >= _MOST_STEPS:
            raise ValueError(f"một chuỗi có nhiều nhất {_MOST_STEPS} giá trị")
        if quality != "_":
            at = start + n * interval
            series.rows.append((at + delay, Point(at, value, quality, 1, series.unit)))
    for row in raw.get("late") or ():
        _no_other_keys(title, row, _LATE_KEYS)
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
    title: str, raw: dict[str, Any], start: datetime, series: list[_Series]
) -> tuple[datetime, str, dict[str, Any]]:
    _no_other_keys(title, raw, _EXPECT_KEYS)
    wanted = {key: raw[key] for key in ("level", "state", "data", "nodata") if key in raw}
    if not wanted:
        raise ValueError("một mục expect cần level, state, data hoặc nodata")
    entity = str(raw.get("entity", series[0].entity))
    if entity not in {s.entity for s in series}:
        raise ValueError(f"expect nói về “{entity}” nhưng không có chuỗi nào tên đó")
    return _time(raw["at"], start), entity, wanted


def _transition(title: str, raw: dict[str, Any], start: datetime) -> dict[str, Any]:
    _no_other_keys(title, raw, _TRANSITION_KEYS)
    return raw | {"at": _time(raw["at"], start)}


def _incidents(raw: Any) -> dict[str, int] | None:
    if raw is None:
        return None
    counts = raw if isinstance(raw, dict) else {"value": raw}
    if any(kind not in _KINDS or not isinstance(count, int) for kind, count in counts.items()):
        raise ValueError("incidents là một số, hoặc {value: 1, nodata: 0}")
    return counts
