"""A raw table as the contract describes it, and a way to put a batch of clean readings into it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ioc import warehouse

if TYPE_CHECKING:
    from collections.abc import Callable

    from ioc.settings import Settings

_RAW = """
create schema raw_air_quality authorization ioc_loader;
create table raw_air_quality.reading (
    station_code text, parameter text, parameter_raw text, value numeric, value_raw text, unit_raw text,
    measured_at timestamptz, device_status text,
    _batch_id bigint, _source_uri text, _source_row bigint, _row_hash uuid, _extracted_at timestamptz,
    _loaded_at timestamptz
);
alter table raw_air_quality.reading owner to ioc_loader;
"""
_CLEAN = """
insert into raw_air_quality.reading
select 'TH_KK_0' || 1 + i %% 6, p.symbol, p.symbol, p.value, p.value::text, p.unit, now() - i * interval '5 minutes',
    '00', %(batch)s, 'sftp://trạm/TH_' || i || '.txt', i, gen_random_uuid(), now(), now()
from generate_series(1, %(rows)s / 5) i,
    (values ('PM2.5', 23.5, 'ug/Nm3'), ('PM10', 41, 'ug/Nm3'), ('CO', 0.8, 'mg/Nm3'), ('O3', 60, 'ug/Nm3'),
        ('Temp', 27, 'oC')) p(symbol, value, unit)
"""


@pytest.fixture
def put_batch(settings: Settings) -> Callable[..., int]:
    """Function that loads a batch of ``rows`` clean readings, applies SQL to them, and returns the batch's id."""
    with warehouse.connect("owner", settings) as connection:
        connection.execute(_RAW)

    def put(rows: int = 100, *changes: str, rejected: int = 0) -> int:
        with warehouse.connect("loader", settings) as connection:
            (batch,) = connection.execute(
                "insert into ops.load_batch (domain, status, read_count, loaded_count, rejected_count) "
                "values ('air_quality', 'loaded', %s, %s, %s) returning batch_id",
                (rows + rejected, rows, rejected),
            ).fetchone() or (0,)
            connection.execute(_CLEAN, {"batch": batch, "rows": rows})
            for change in changes:
                connection.execute(change.format(batch=batch).encode())
        return int(batch)

    return put
