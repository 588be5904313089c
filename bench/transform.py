"""A five-minute increment of the air-quality transform with 1 month and with 24 months of history of 10 stations.

An embedded PostgreSQL of its own for each history, one published batch every five minutes (10 stations, 8 parameters),
history built once by the very code that the DAG runs. Then, in turns, one more batch at a time is published and
``ioc.transform.run`` is timed, dbt's start included. Promise: behind 24 months an increment costs at most 1.3 times
what it costs behind one. The time of the models alone (``sql_s``) is beside it: there dbt's start hides nothing.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from extractors.core import schema
from extractors.core.formats.tt10 import READING
from ioc import transform, warehouse
from ioc.settings import TIME_ZONE, Settings
from ioc.stack import programs
from ioc.stack.postgres import EmbeddedPostgres

if TYPE_CHECKING:
    from collections.abc import Iterator

_LIMIT = 1.3
_STATIONS = 10
_STEP = timedelta(minutes=5)
# One batch per step, and in it one value per station and parameter, a daily swing with noise that depends on time only.
_HISTORY = """
with batch as (
    insert into ops.load_batch (
        domain, mode, status, verdict, publish_seq, started_at, finished_at, published_at, read_count, loaded_count
    )
    select 'air_quality', 'live', 'published', 'passed', nextval('ops.publish_seq'), at, at, at, 80, 80
    from generate_series(%(first)s::timestamptz, %(last)s::timestamptz, interval '5 minutes') as at
    order by at
    returning batch_id, published_at as at
)

insert into raw_air_quality.reading (
    station_code, parameter, parameter_raw, value, value_raw, unit_raw, measured_at, device_status,
    _batch_id, _source_uri, _source_row, _row_hash, _extracted_at, _loaded_at
)
select
    'TH_BENCH_' || station, p.parameter, p.parameter, v.value, v.value::text, p.unit, b.at, '00',
    b.batch_id, 'bench://history', 1, gen_random_uuid(), b.at, b.at
from batch as b
cross join generate_series(1, %(stations)s) as station
cross join (
    values ('PM2.5', 'ug/m3', 35), ('PM10', 'ug/m3', 60), ('O3', 'ug/m3', 70), ('NO2', 'ug/m3', 40),
    ('SO2', 'ug/m3', 30), ('CO', 'ug/m3', 900), ('Temp', 'oC', 28), ('RH', '%%', 70)
) as p (parameter, unit, level)
cross join lateral (
    select round((
        p.level * (1 + 0.3 * sin(extract(epoch from b.at) / 13751) + 0.1 * sin(extract(epoch from b.at) * station))
    )::numeric, 1) as value
) as v
"""


def run(quick: bool = False, months: tuple[int, int] = (1, 24), increments: int = 7) -> dict[str, Any]:
    """Time increments behind a short and behind a long history.

    Args:
        quick: One month against two and three increments: shows that it runs, proves nothing.
        months: Lengths of the two histories.
        increments: Timed increments behind each; the median counts.
    """
    if quick:
        months, increments = (1, 2), 3
    last = datetime.now(UTC).replace(minute=30, second=0, microsecond=0) - timedelta(hours=6)
    with ExitStack() as stack:
        histories = [stack.enter_context(_history(length, last)) for length in months]
        for number in range(increments + 1):
            # In turns, so that whatever else the machine does falls on both alike.
            for history in histories:
                history.timed.append(_increment(history.settings, last + (number + 1) * _STEP))
    short, long = (history.figures() for history in histories)
    ratio = round(long["increment_s"] / short["increment_s"], 2)
    return {
        "figures": {"short": short, "long": long, "sql_ratio": round(long["sql_s"] / short["sql_s"], 2)},
        "promises": {"increment_ratio": {"value": ratio, "limit": _LIMIT, "holds": ratio <= _LIMIT}},
    }


@dataclass
class _History:
    """A warehouse with so many months behind it; ``timed`` holds wall and model seconds of each increment."""

    settings: Settings
    months: int
    raw_rows: int
    first_build_s: float
    timed: list[tuple[float, float]] = field(default_factory=list)

    def figures(self) -> dict[str, Any]:
        warm = self.timed[1:]  # the first increment finds cold caches
        return {
            "months": self.months,
            "raw_rows": self.raw_rows,
            "first_build_s": round(self.first_build_s, 1),
            "increment_s": round(statistics.median(wall for wall, _ in warm), 2),
            "sql_s": round(statistics.median(models for _, models in warm), 2),
        }


@contextmanager
def _history(months: int, last: datetime) -> Iterator[_History]:
    """A running server with a warehouse of so many months, built as the DAG would."""
    with tempfile.TemporaryDirectory(prefix="ioc-bench-") as folder:
        wanted = Settings(home=Path(folder), port_base=40000, warehouse_url=None)
        settings = wanted.model_copy(update={"port_base": programs.free_port_base(wanted)})
        server = EmbeddedPostgres(settings)
        server.start_detached()
        try:
            server.prepare()
            warehouse.migrate(settings)
            schema.ensure("air_quality", settings)
            rows = _lay_history(settings, last - timedelta(days=30 * months), last)
            started = time.monotonic()
            transform.run(["air_quality"], settings=settings)
            elapsed = time.monotonic() - started
            with warehouse.connect("owner", settings, autocommit=True) as connection:
                # What autovacuum does within minutes; waiting for it would only add noise.
                connection.execute("vacuum analyze")
            yield _History(settings, months, rows, elapsed)
        finally:
            server.stop()


def _lay_history(settings: Settings, first: datetime, last: datetime) -> int:
    """Write raw readings and their batches, a month at a time; returns the number of rows."""
    rows = 0
    at = first
    while at <= last:
        until = min(at + timedelta(days=30) - _STEP, last)
        rows += _publish(settings, at, until)
        at = until + _STEP
    return rows


def _publish(settings: Settings, first: datetime, last: datetime) -> int:
    days = (first + timedelta(days=day) for day in range((last - first).days + 1))
    months = {(at.year, at.month) for at in (moment.astimezone(ZoneInfo(TIME_ZONE)) for moment in (*days, last))}
    with warehouse.connect("loader", settings) as connection:
        schema.ensure_partitions(connection, "air_quality", READING, months)
        written = connection.execute(_HISTORY, {"first": first, "last": last, "stations": _STATIONS})
        return written.rowcount


def _increment(settings: Settings, at: datetime) -> tuple[float, float]:
    """Publish one more batch; wall seconds of the run, and of its models alone."""
    _publish(settings, at, at)
    started = time.monotonic()
    report = transform.run(["air_quality"], settings=settings)
    wall = time.monotonic() - started
    if report.kind != "increment" or report.rows_affected == 0:
        raise RuntimeError(f"the increment at {at} did not happen: {report}")
    with warehouse.connect("owner", settings) as connection:
        row = connection.execute(
            "select sum(execution_time_s) from ops.dbt_run_result where invocation_id = %s", (report.invocation_id,)
        ).fetchone()
    return wall, float(row[0]) if row else 0.0
