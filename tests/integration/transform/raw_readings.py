"""Readings written straight into ``raw_air_quality.reading`` as published batches: what the extraction leaves behind."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING

from ioc import warehouse

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psycopg

    from ioc.settings import Settings

VIETNAM = timezone(timedelta(hours=7))


@dataclass(frozen=True)
class Reading:
    station: str
    parameter: str
    at: datetime
    value: Decimal | float | int | None
    unit: str = "ug/m3"
    status: str = "00"


def vn(text: str) -> datetime:
    """``2026-03-01 05:00`` in Vietnam."""
    return datetime.fromisoformat(text).replace(tzinfo=VIETNAM)


def create_raw(settings: Settings) -> None:
    """The raw table as docs/architecture.md describes it, with the indexes that extraction gives it."""
    with warehouse.connect("owner", settings) as connection:
        connection.execute(
            """
            create schema if not exists raw_air_quality authorization ioc_loader;
            create table if not exists raw_air_quality.reading (
                station_code text, parameter text, parameter_raw text, value numeric, value_raw text, unit_raw text,
                measured_at timestamptz not null, device_status text,
                _batch_id bigint not null, _source_uri text not null, _source_row bigint not null, _row_hash uuid not null,
                _extracted_at timestamptz not null, _loaded_at timestamptz not null
            ) partition by range (measured_at);
            create unique index if not exists reading_key on raw_air_quality.reading (measured_at, _row_hash);
            create index if not exists reading_batch on raw_air_quality.reading using brin (_batch_id);
            grant usage on schema raw_air_quality to ioc_transformer;
            grant select on raw_air_quality.reading to ioc_transformer;
            """
        )


def ensure_months(connection: psycopg.Connection, first: datetime, last: datetime) -> None:
    """Partitions for every civil month between two moments."""
    year, month = first.astimezone(VIETNAM).year, first.astimezone(VIETNAM).month
    while (year, month) <= (last.astimezone(VIETNAM).year, last.astimezone(VIETNAM).month):
        start = datetime(year, month, 1, tzinfo=VIETNAM)
        end = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=VIETNAM)
        connection.execute(
            f"create table if not exists raw_air_quality.reading_{year:04d}_{month:02d} "
            f"partition of raw_air_quality.reading for values from ('{start.isoformat()}') to ('{end.isoformat()}')"
        )
        year, month = end.year, end.month


def new_batch(connection: psycopg.Connection, count: int) -> int:
    """A published batch of ``count`` rows."""
    row = connection.execute(
        "insert into ops.load_batch (domain, status, verdict, publish_seq, published_at, finished_at, read_count, "
        "loaded_count) values ('air_quality', 'published', 'passed', nextval('ops.publish_seq'), now(), now(), %s, %s) "
        "returning batch_id",
        (count, count),
    ).fetchone()
    assert row is not None
    return int(row[0])


def publish(settings: Settings, readings: Iterable[Reading]) -> int:
    """Load ``readings`` as one published batch; returns its id."""
    rows = list(readings)
    with warehouse.connect("owner", settings) as connection:
        batch = new_batch(connection, len(rows))
        if rows:
            ensure_months(connection, min(r.at for r in rows), max(r.at for r in rows))
        now = datetime.now(VIETNAM)
        with connection.cursor() as cursor, cursor.copy("copy raw_air_quality.reading from stdin") as copy:
            for number, r in enumerate(rows, 1):
                text = None if r.value is None else str(r.value)
                copy.write_row(
                    (
                        r.station,
                        r.parameter,
                        r.parameter,
                        text,
                        text,
                        r.unit,
                        r.at,
                        r.status,
                        batch,
                        "test://batch",
                        number,
                        uuid.uuid4(),
                        now,
                        now,
                    )  # fmt: skip
                )
    return batch


def five_minutes(
    station: str, parameter: str, hour_ending: datetime, value: Decimal | float | int | None, **more: str
) -> list[Reading]:
    """The twelve equal readings of one hour."""
    return [Reading(station, parameter, hour_ending - timedelta(minutes=5 * step), value, **more) for step in range(12)]
