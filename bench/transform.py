"""A five-minute increment of the air-quality transform with 1 month and with 24 months of history of 10 stations.

An embedded PostgreSQL of its own for each history, one published batch every five minutes (10 stations, 8 parameters),
history built once by the very code that the DAG runs. Then, in turns, one more batch at a time is published and
``ioc.transform.run`` is timed, dbt's start included. Promise: behind 24 months an increment costs at most 1.3 times
what it costs behind one. The time of the models alone (``sql_s``) is beside it: there dbt's start hides nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from bench.shared import histories
from extractors.core import schema
from extractors.core.formats.tt10 import READING
from ioc import warehouse
from ioc.settings import TIME_ZONE

if TYPE_CHECKING:
    from ioc.settings import Settings

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
    return histories.compare(
        "air_quality", _publish, months=months, last=last, step=_STEP, increments=increments, limit=_LIMIT
    )


def _publish(settings: Settings, first: datetime, last: datetime) -> int:
    """Write raw readings and their batches, a month at a time; returns the number of rows."""
    rows = 0
    while first <= last:
        until = min(first + timedelta(days=30) - _STEP, last)
        rows += _publish_month(settings, first, until)
        first = until + _STEP
    return rows


def _publish_month(settings: Settings, first: datetime, last: datetime) -> int:
    days = (first + timedelta(days=day) for day in range((last - first).days + 1))
    months = {(at.year, at.month) for at in (moment.astimezone(ZoneInfo(TIME_ZONE)) for moment in (*days, last))}
    with warehouse.connect("loader", settings) as connection:
        schema.ensure_partitions(connection, "air_quality", READING, months)
        written = connection.execute(_HISTORY, {"first": first, "last": last, "stations": _STATIONS})
        return written.rowcount
