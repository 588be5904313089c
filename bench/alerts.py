"""Alert engine: one tick over 20,000 series, and the catch-up of 500,000 points after an outage.

Real embedded PostgreSQL in a folder of its own, one rule with four levels, `for` and keep; about one value in a hundred
crosses a threshold. Promises: a tick under 5 s, the catch-up under 10 s, a second run of either adds nothing.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from alerts import engine
from ioc import warehouse
from ioc.settings import Settings
from ioc.stack import programs
from ioc.stack.postgres import EmbeddedPostgres

_START = datetime(2026, 3, 6, tzinfo=UTC)
_STEP = timedelta(minutes=5)
_RULE = """
insert into alert.rule (code, domain, signal_code, owner_unit, title_vi, title_en)
    values ('bench', 'air_quality', 'bench', 'SNNMT', 'Đo', 'Bench');
insert into alert.rule_version (rule_id, version, effective, max_gap, nodata_after, notify_max_age, message_vi,
    message_en, legal_basis, reason, author)
    select rule_id, 1, tstzrange('2020-01-01', null), '15 min', '{1 h}', '1 h', '{{ entity }}', '{{ entity }}',
        '–', '–', 'a' from alert.rule;
insert into alert.threshold (rule_version_id, level, enter_value, exit_value, for_dur, keep_dur)
    select rule_version_id, level, 90 + level * 2.4, 80 + level * 2.4, '5 min', '10 min'
    from alert.rule_version, generate_series(1, 4) as level;
update alert.rule_version set status = 'approved', approved_by = 'b';
"""
# A value between 0 and 100 that depends on series and time only; near the top it stays there for a while.
_SIGNALS = """
insert into alerting.signal (signal_code, entity_type, entity_id, unit_code, period_end, value, quality)
select 'bench', 'probe', 'p' || series, 'SNNMT', %(start)s + step * interval '5 minutes',
    (abs(hashint4(series * 7919 + (%(first)s + step) / 6)) %% 10000) / 100.0, 'ok'
from generate_series(1, %(series)s) as series, generate_series(1, %(points)s) as step
"""


class _World:
    def __init__(self, settings: Settings, series: int) -> None:
        self.settings, self.series, self.steps = settings, series, 0

    def extend(self, points: int) -> None:
        """Each series gets ``points`` more values, five minutes apart."""
        start = _START + self.steps * _STEP
        with warehouse.connect("transformer", self.settings) as connection:
            connection.execute(_SIGNALS, {"start": start, "first": self.steps, "series": self.series, "points": points})
        with warehouse.connect("owner", self.settings, autocommit=True) as connection:
            connection.execute("analyze alerting.signal")
        self.steps += points

    def evaluate(self) -> tuple[float, engine.EvaluationReport]:
        started = time.perf_counter()
        report = engine.evaluate(at=_START + self.steps * _STEP, settings=self.settings)
        return time.perf_counter() - started, report


def run(quick: bool = False) -> dict[str, Any]:
    """Measure on 20,000 series (quick: 500); seconds."""
    series, catch_up_points = (500, 25) if quick else (20_000, 25)
    with tempfile.TemporaryDirectory(prefix="ioc-bench-") as folder:
        wanted = Settings(home=Path(folder), port_base=40000, warehouse_url=None)
        settings = wanted.model_copy(update={"port_base": programs.free_port_base(wanted)})
        server = EmbeddedPostgres(settings)
        server.start_detached()
        try:
            server.prepare()
            warehouse.migrate(settings)
            with warehouse.connect("owner", settings) as connection:
                connection.execute(_RULE)
            world = _World(settings, series)
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
        finally:
            server.stop()
    tick_s = statistics.median(ticks)
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
            "a second run adds nothing": {
                "value": idle.evaluated + again.evaluated + again.opened,
                "limit": 0,
                "holds": idle.evaluated + again.evaluated + again.opened == 0,
            },
        },
    }
