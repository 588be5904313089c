"""Readings written straight into ``raw_air_quality.reading`` as published batches, as the extraction leaves them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

from extractors.core import schema
from extractors.core.formats.tt10 import READING
from ioc import warehouse

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from ioc.settings import Settings

VIETNAM = timezone(timedelta(hours=7))


@dataclass(frozen=True)
class Reading:
    """One value as a station sends it; ``at`` ends its averaging period."""

    station: str
    parameter: str
    at: datetime
    value: Decimal | float | int | None
    unit: str = "ug/m3"
    status: str = "00"


def vn(text: str) -> datetime:
    """``2026-03-01 05:00`` in Vietnam."""
    return datetime.fromisoformat(text).replace(tzinfo=VIETNAM)


def publish(settings: Settings, readings: Iterable[Reading]) -> int:
    """Load ``readings`` as one published batch; returns its id."""
    rows = list(readings)
    schema.ensure("air_quality", settings)
    months = {(row.at.astimezone(VIETNAM).year, row.at.astimezone(VIETNAM).month) for row in rows}
    with warehouse.connect("loader", settings) as connection:
        schema.ensure_partitions(connection, "air_quality", READING, months)
        batch = connection.execute(
            "insert into ops.load_batch (domain, status, verdict, publish_seq, published_at, finished_at, read_count, "
            "loaded_count) values ('air_quality', 'published', 'passed', nextval('ops.publish_seq'), now(), now(), "
            "%(n)s, %(n)s) returning batch_id",
            {"n": len(rows)},
        ).fetchone()
        assert batch is not None
        now = datetime.now(UTC)
        with connection.cursor() as cursor, cursor.copy("copy raw_air_quality.reading from stdin") as copy:
            for number, row in enumerate(rows, 1):
                text = None if row.value is None else str(row.value)
                sent = (row.station, row.parameter, row.parameter, text, text, row.unit, row.at, row.status)
                copy.write_row((*sent, batch[0], "test://batch", number, uuid.uuid4(), now, now))
    return int(batch[0])


def five_minutes(
    station: str, parameter: str, hour_ending: datetime, value: Decimal | float | int | None, **more: str
) -> list[Reading]:
    """The twelve equal readings of one hour."""
    return [Reading(station, parameter, hour_ending - timedelta(minutes=5 * step), value, **more) for step in range(12)]
