"""An hourly increment of the fishing-vessel transform behind one month and behind six months of 300 vessels.

As in ``transform``: an embedded PostgreSQL of its own for each history, built once by the code that the DAG runs. Then,
in turns, one more hour of messages is published and ``ioc.transform.run`` is timed, dbt's start included. The peer is
the same code behind the shorter history. Beside it the time of the models alone, and of the first build.
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

from extractors.core import schema
from ioc import transform, warehouse
from ioc.settings import Settings
from ioc.stack import programs
from ioc.stack.postgres import EmbeddedPostgres

if TYPE_CHECKING:
    from collections.abc import Iterator

_LIMIT = 1.5
_VESSELS = 300
_HOUR = timedelta(hours=1)
# One batch per day of history and per increment; a vessel speaks every two hours, circles at fishing speed, and every
# tenth one comes near the line.
_BATCH = """
insert into ops.load_batch (
    domain, mode, status, verdict, publish_seq, started_at, finished_at, published_at, read_count, loaded_count
) values ('fishing_vessels', 'live', 'published', 'passed', nextval('ops.publish_seq'), %(last)s, %(last)s, %(last)s,
    %(rows)s, %(rows)s)
returning batch_id
"""
_MESSAGES = """
insert into raw_fishing_vessels.position (
    message_id, received_at, measured_at, registration_sent, device_code, latitude, longitude, speed_kn, course_deg,
    alarm, payload, _batch_id, _source_uri, _source_row, _row_hash, _extracted_at, _loaded_at
)
select
    v || '-' || extract(epoch from at)::bigint, at + interval '2 minutes', at, 'TH-' || 90000 + v || '-TS', 'TB' || v,
    19.2 + 0.05 * sin(extract(epoch from at) / 7000 + v), case when v %% 10 = 0 then 107.05 else 106.5 end
    + 0.05 * cos(extract(epoch from at) / 7000 + v), 2.5, 90, null, '{}', %(batch)s, 'bench://history', 1,
    gen_random_uuid(), at, at + interval '3 minutes'
from generate_series(1, %(vessels)s) as v
cross join generate_series(%(first)s::timestamptz, %(last)s::timestamptz, interval '1 hour') as at
where (extract(epoch from at)::bigint / 3600 + v) %% 2 = 0
"""
_REGISTRY = """
insert into raw_fishing_vessels.vessel (
    vessel_id, changed_at, registration, commune_code, length_m, devices, payload, _batch_id, _source_uri, _source_row,
    _row_hash, _extracted_at, _loaded_at
)
select 'TAU' || v, %(last)s, 'TH-' || 90000 + v || '-TS', '16531', 17, '[]', '{}', %(batch)s, 'bench://registry', 1,
    gen_random_uuid(), %(last)s, %(last)s
from generate_series(1, %(vessels)s) as v
"""


def run(quick: bool = False, months: tuple[int, int] = (1, 6), increments: int = 7) -> dict[str, Any]:
    """Time increments behind a short and behind a long history.

    Args:
        quick: A tenth of the fleet and three increments: shows that it runs, proves nothing.
        months: Lengths of the two histories.
        increments: Timed increments behind each; the median counts.
    """
    vessels = _VESSELS
    if quick:
        vessels, months, increments = 30, (1, 2), 3
    last = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=24)
    with ExitStack() as stack:
        histories = [stack.enter_context(_history(length, vessels, last)) for length in months]
        for number in range(1, increments + 2):
            for history in histories:
                history.timed.append(_increment(history.settings, vessels, last + number * _HOUR))
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
    messages: int
    first_build_s: float
    timed: list[tuple[float, float]] = field(default_factory=list)

    def figures(self) -> dict[str, Any]:
        warm = self.timed[1:]  # the first increment finds cold caches
        return {
            "months": self.months,
            "messages": self.messages,
            "first_build_s": round(self.first_build_s, 1),
            "increment_s": round(statistics.median(wall for wall, _ in warm), 2),
            "sql_s": round(statistics.median(models for _, models in warm), 2),
        }


@contextmanager
def _history(months: int, vessels: int, last: datetime) -> Iterator[_History]:
    """A running server with a warehouse of so many months, built as the DAG would."""
    with tempfile.TemporaryDirectory(prefix="ioc-bench-") as folder:
        wanted = Settings(home=Path(folder), port_base=40000, warehouse_url=None)
        settings = wanted.model_copy(update={"port_base": programs.free_port_base(wanted)})
        server = EmbeddedPostgres(settings)
        server.start_detached()
        try:
            server.prepare()
            warehouse.migrate(settings)
            schema.ensure("fishing_vessels", settings)
            messages = _publish(settings, vessels, last - timedelta(days=30 * months), last, registry=True)
            started = time.monotonic()
            transform.run(["fishing_vessels"], settings=settings)
            elapsed = time.monotonic() - started
            with warehouse.connect("owner", settings, autocommit=True) as connection:
                connection.execute("vacuum analyze")
            yield _History(settings, months, messages, elapsed)
        finally:
            server.stop()


def _publish(settings: Settings, vessels: int, first: datetime, last: datetime, *, registry: bool = False) -> int:
    with warehouse.connect("loader", settings) as connection:
        rows = vessels * (round((last - first) / _HOUR) + 1)
        (batch,) = connection.execute(_BATCH, {"last": last, "rows": rows}).fetchone() or (0,)
        values = {"batch": batch, "vessels": vessels, "first": first, "last": last}
        if registry:
            connection.execute(_REGISTRY, values)
        return connection.execute(_MESSAGES, values).rowcount


def _increment(settings: Settings, vessels: int, at: datetime) -> tuple[float, float]:
    """Publish one more hour; wall seconds of the run, and of its models alone."""
    _publish(settings, vessels, at, at)
    started = time.monotonic()
    report = transform.run(["fishing_vessels"], settings=settings)
    wall = time.monotonic() - started
    if report.kind != "increment" or report.rows_affected == 0:
        raise RuntimeError(f"the increment at {at} did not happen: {report}")
    with warehouse.connect("owner", settings) as connection:
        row = connection.execute(
            "select sum(execution_time_s) from ops.dbt_run_result where invocation_id = %s", (report.invocation_id,)
        ).fetchone()
    return wall, float(row[0]) if row else 0.0
