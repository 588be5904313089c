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
        messages:                           # by channel: every message of the channels that are named
          email:
            - {at: 1 hour, level: 1, to: [truc_ban SNNMT]}
            - {at: 4 hours, level: 2, to: [lanh_dao 14797, truc_ban IOC, truc_ban SNNMT]}
            - {at: 8 hours, level: 0, to: [lanh_dao 14797, truc_ban IOC, truc_ban SNNMT]}
          sms:
            - {at: 4 hours, level: 2, to: [truc_ban IOC, truc_ban SNNMT]}
            - {at: 8 hours, level: 0, to: [truc_ban IOC, truc_ban SNNMT]}

Values: a number, ``_`` (no row), ``cal`` (calibrating), ``err`` (device error), ``few`` (too few values); ``105x3`` =
three times, ``100+10x4`` = 100 110 120 130. A series may have a ``delay`` from period end to arrival, and ``late`` rows
``{period: 2 hours, seen: 6 hours, value: 170, revision: 2}``. Times are durations from ``start``, or moments.

Messages go by the routes of the first load to roles of units, level 0 = over; who is told the same by two routes hears
it once. People's addresses, rosters, quiet hours and limits are not the rule's: see ``rule_messages.py``.

The rows go through the engine's own fold and absence check, batch by batch in the order of their arrival, with a clock
that stands at every period end: nothing else decides, no database is asked. What users read here is Vietnamese.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from alerts.rulemaking.rule_document import as_rule, elapsed_text
from alerts.rulemaking.rule_messages import Telling
from alerts.rulemaking.rule_simulation import Simulation
from alerts.rulemaking.rule_test_text import RuleTestError, no_other_keys, parsed, read_test
from ioc.settings import TIME_ZONE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from alerts.rulemaking.rule_document import RuleDocument
    from alerts.rulemaking.rule_test_text import RuleTest

__all__ = ["Failure", "Report", "RuleTestError", "read_file", "run", "simulated"]

_ZONE = ZoneInfo(TIME_ZONE)
_MOST_TESTS = 100


@dataclass(frozen=True)
class Failure:
    """One expectation that does not hold.

    Attributes:
        test: Name of the test.
        at: When it should have held; None for what holds over the whole test.
        offset: The same as a duration from the test's start.
        entity: Of which series; empty = of all.
        what: ``level``, ``state``, ``data``, ``nodata``, ``transitions``, ``incidents`` or ``messages``.
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


def read_file(path: Path) -> tuple[str, str]:
    """A test file: the code of its rule, and its tests as text for :func:`run`.

    Raises:
        RuleTestError: the file is no test file.
    """
    text = path.read_text(encoding="utf-8")
    raw = parsed(text)
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
    raw = parsed(text)
    if not isinstance(raw, dict):
        raise RuleTestError("Bài thử là một khối YAML có khóa “rule” và “tests”.")
    no_other_keys("Tệp bài thử", raw, {"rule", "tests"})
    if raw.get("rule") != document.code:
        raise RuleTestError(f"Bài thử ghi quy tắc “{raw.get('rule')}”, không phải “{document.code}”.")
    items = raw.get("tests") or []
    if not isinstance(items, list) or len(items) > _MOST_TESTS:
        raise RuleTestError(f"“tests” là một danh sách, nhiều nhất {_MOST_TESTS} bài.")
    tests = [read_test(item, n) for n, item in enumerate(items, 1)]
    names = [test.name for test in tests]
    if len(names) != len(set(names)):
        raise RuleTestError("Hai bài thử không được trùng tên.")
    failures = [failure for test in tests for failure in _run_one(document, test)]
    return Report(document.code, tuple(names), tuple(failures))


def simulated(document: RuleDocument) -> Simulation:
    """The rule as the tests run it: this version, in force at all times."""
    return Simulation(as_rule(document, starts=datetime.min.replace(tzinfo=UTC)))


def _run_one(document: RuleDocument, test: RuleTest) -> Iterator[Failure]:
    simulation = simulated(document)
    telling = Telling(document)
    for now, batch in test.ticks():
        simulation.tick(now, batch)
        telling.tick(now, simulation.standing())
        for when, entity, wanted in test.expect:
            if when == now:
                got = simulation.look(entity)
                for what, value in wanted.items():
                    if got[what] != value:
                        offset = elapsed_text(when - test.start)
                        yield Failure(test.name, when, offset, entity, what, str(value), _got(what, got))
    yield from _of_history(test, simulation)
    yield from _of_messages(test, telling)


def _got(what: str, got: dict[str, Any]) -> str:
    about = f"  ({got['state']}, giá trị {got['value']})" if what in ("level", "state") else ""
    return f"{got[what]}{about}"


def _of_history(test: RuleTest, simulation: Simulation) -> Iterator[Failure]:
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


def _of_messages(test: RuleTest, telling: Telling) -> Iterator[Failure]:
    for channel, wanted in test.messages.items():
        told: dict[tuple[datetime, int], list[str]] = {}
        for sent in telling.sent:
            if sent.channel == channel:
                told.setdefault((sent.at, -sent.level), []).append(sent.to)
        found: list[dict[str, Any]] = [
            {"at": at, "level": -grave, "to": sorted(to)} for (at, grave), to in sorted(told.items())
        ]
        if found != wanted:
            none = "không có tin nào"
            shown = [
                _lines(test, [row | {"to": ", ".join(row["to"])} for row in rows], none) for rows in (wanted, found)
            ]
            yield Failure(test.name, None, "", "", f"messages ({channel})", *shown)


def _lines(test: RuleTest, rows: list[dict[str, Any]], none: str = "không có chuyển cấp nào") -> str:
    return "\n".join(
        " ".join(
            f"+{elapsed_text(value - test.start)}" if key == "at" else f"{key} {value}" for key, value in row.items()
        )
        for row in rows
    ) or none  # fmt: skip
