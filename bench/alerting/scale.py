"""How long a tick takes: one rule on 20,000 series, the catch-up after an outage, 10,000 rules on 20 series each.

About one value in a hundred crosses a threshold; every rule has four levels, ``for`` and keep.
"""

from __future__ import annotations

import statistics
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from alerts.judging import engine
from bench.shared import server
from ioc import warehouse

if TYPE_CHECKING:
    from ioc.settings import Settings

_START = datetime(2026, 3, 6, tzinfo=UTC)
_STEP = timedelta(minutes=5)
_RULES = """
insert into alert.rule (code, domain, signal_code, owner_unit, title_vi, title_en)
    select 'bench.' || n, 'air_quality', 'bench.' || n, 'SNNMT', 'Đo', 'Bench' from generate_series(1, %(rules)s) as n;
insert into alert.rule_version (rule_id, version, effective, max_gap, nodata_after, notify_max_age, message_vi,
    message_en, legal_basis, reason, author)
    select rule_id, 1, tstzrange('2020-01-01', null), '15 min', '{1 h}', '1 h', '{{ entity }}',
        '{{ entity }}', '–', '–', 'a' from alert.rule;
insert into alert.threshold (rule_version_id, level, enter_value, exit_value, for_dur, keep_dur)
    select rule_version_id, level, 90 + level * 2.4, 80 + level * 2.4, '5 min', '10 min'
    from alert.rule_version, generate_series(1, 4) as level;
update alert.rule_version set status = 'approved', approved_by = 'b';
"""
# A value between 0 and 100 that depends on series and time only; near the top it stays there for a while.
_SIGNALS = """
insert into alerting.signal (signal_code, entity_type, entity_id, unit_code, period_end, value, quality)
select 'bench.' || rule, 'probe', 'p' || series, 'SNNMT', %(start)s + step * interval '5 minutes',
    (abs(hashint8((rule * 100003::bigint + series) * 7919 + (%(first)s + step) / 6)) %% 10000) / 100.0, 'ok'
from generate_series(1, %(rules)s) as rule, generate_series(1, %(series)s) as series,
    generate_series(1, %(points)s) as step
where rule %% %(parts)s = %(part)s
"""


class _World:
    def __init__(self, settings: Settings, rules: int, series: int) -> None:
        self.settings, self.rules, self.series, self.steps = settings, rules, series, 0
        with warehouse.connect("owner", settings) as connection:
            for statement in _RULES.strip().split(";\n"):
                connection.execute(statement, {"rules": rules})  # type: ignore[arg-type]

    def extend(self, points: int, part: tuple[int, int] = (0, 1)) -> None:
        """Each series of one part of the rules gets ``points`` more values, five minutes apart."""
        values = {
            "start": _START + self.steps * _STEP, "first": self.steps, "rules": self.rules, "series": self.series,
            "points": points, "part": part[0], "parts": part[1],
        }  # fmt: skip
        with warehouse.connect("transformer", self.settings) as connection:
            connection.execute(_SIGNALS, values)
        with warehouse.connect("owner", self.settings, autocommit=True) as connection:
            connection.execute("analyze alerting.signal")
        if part[0] == part[1] - 1:
            self.steps += points

    def evaluate(self) -> tuple[float, engine.EvaluationReport]:
        started = time.perf_counter()
        report = engine.evaluate(at=_START + (self.steps + 1) * _STEP, settings=self.settings)
        return time.perf_counter() - started, report


def one_rule(quick: bool) -> dict[str, Any]:
    """A tick over 20,000 series of one rule, and the catch-up of 25 points of each."""
    series, catch_up_points = (500, 25) if quick else (20_000, 25)
    with server.running() as settings:
        world = _World(settings, 1, series)
        world.extend(3)
        first_s, _ = world.evaluate()
        ticks = []
        for _ in range(5):
            world.extend(1)
            ticks.append(world.evaluate()[0])
        idle_s, idle = world.evaluate()
        world.extend(catch_up_points)
        catch_up_s, caught_up = world.evaluate()
        again_s, again = world.evaluate()
    tick_s = statistics.median(ticks)
    repeated = idle.evaluated + again.evaluated + again.opened
    return {
        "figures": {
            "series": series,
            "first_run_s": round(first_s, 2),
            "tick_s": [round(seconds, 2) for seconds in ticks],
            "idle_tick_s": round(idle_s, 2),
            "catch_up_points": caught_up.evaluated,
            "catch_up_s": round(catch_up_s, 2),
            "catch_up_again_s": round(again_s, 2),
            "incidents_opened_in_catch_up": caught_up.opened,
        },
        "promises": {
            "tick of 20,000 series, s": {"value": round(tick_s, 2), "limit": 5, "holds": tick_s < 5},
            "catch-up of 500,000 points, s": {"value": round(catch_up_s, 2), "limit": 10, "holds": catch_up_s < 10},
            "a second run adds nothing": {"value": repeated, "limit": 0, "holds": repeated == 0},
        },
    }


def many_rules(quick: bool) -> dict[str, Any]:
    """10,000 rules on 20 series each: the tick of a minute, in which a fifth of the five-minute series have news.

    The tick runs every minute; ten seconds leave it five sixths of its time. The worst case, all 200,000 series at
    once, is measured beside it and promises nothing.
    """
    rules, series = (100, 20) if quick else (10_000, 20)
    with server.running() as settings:
        world = _World(settings, rules, series)
        world.extend(2)
        first_s, first = world.evaluate()
        ticks = []
        for minute in range(5):
            world.extend(1, (minute, 5))
            ticks.append(world.evaluate()[0])
        idle_s, _ = world.evaluate()
        world.extend(1)
        all_at_once_s, everything = world.evaluate()
    tick_s = statistics.median(ticks)
    return {
        "figures": {
            "rules": rules,
            "series": rules * series,
            "rules_first_run_points": first.evaluated,
            "rules_first_run_s": round(first_s, 2),
            "rules_tick_s": [round(seconds, 2) for seconds in ticks],
            "rules_idle_tick_s": round(idle_s, 2),
            "rules_all_at_once_points": everything.evaluated,
            "rules_all_at_once_s": round(all_at_once_s, 2),
        },
        "promises": {
            "minute's tick of 10,000 rules on 20 series, s": {
                "value": round(tick_s, 2), "limit": 10, "holds": tick_s < 10,
            },
        },
    }  # fmt: skip
