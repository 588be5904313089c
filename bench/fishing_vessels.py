"""An hourly increment of the fishing-vessel transform behind one month and behind six months of 300 vessels.

As in ``transform``: an embedded PostgreSQL of its own for each history, built once by the code that the DAG runs. Then,
in turns, one more hour of messages is published and ``ioc.transform.run`` is timed, dbt's start included. The peer is
the same code behind the shorter history. Beside it the time of the models alone, and of the first build.
"""

from __future__ import annotations

import functools
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from bench.shared import histories
from ioc import warehouse

if TYPE_CHECKING:
    from ioc.settings import Settings

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
where not exists (select from raw_fishing_vessels.vessel)
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
    return histories.compare(
        "fishing_vessels", functools.partial(_publish, vessels), months=months, last=last, step=_HOUR,
        increments=increments, limit=_LIMIT,
    )  # fmt: skip


def _publish(vessels: int, settings: Settings, first: datetime, last: datetime) -> int:
    """Write positions, and once the registry, in a batch of their own; returns the number of messages."""
    with warehouse.connect("loader", settings) as connection:
        rows = vessels * (round((last - first) / _HOUR) + 1)
        (batch,) = connection.execute(_BATCH, {"last": last, "rows": rows}).fetchone() or (0,)
        values = {"batch": batch, "vessels": vessels, "first": first, "last": last}
        connection.execute(_REGISTRY, values)
        return connection.execute(_MESSAGES, values).rowcount
