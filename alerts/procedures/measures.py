"""Indicators: how soon units answer, what is overdue, how often rules were wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

from alerts.procedures.model import FalseAlarms, Indicators, UnitIndicators
from alerts.procedures.views import UNIT_NAME
from ioc import warehouse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ioc.settings import Settings


def indicators(
    since: datetime,
    until: datetime,
    unit_codes: Sequence[str] | None = None,
    *,
    settings: Settings | None = None,
    at: datetime | None = None,
) -> Indicators:
    """How soon units acknowledge, accept and finish, what is overdue, and how often rules were wrong.

    Args:
        since: Start of the period, with a time zone.
        until: Its end, not included.
        unit_codes: Only these units, and rules they own; None = all.
        settings: Settings of the stack; default: this process's.
        at: The clock for what is overdue; default: now.
    """
    at = at or datetime.now(UTC)
    values = {"since": since, "until": until, "at": at, "units": list(unit_codes) if unit_codes is not None else None}
    with warehouse.connect("portal", settings) as connection:
        cursor = connection.cursor(row_factory=dict_row)
        units = cursor.execute(
            f"""
            select k.*, coalesce(place.name_vi, k.unit_code) as unit_name
            from sop.unit_indicators(%(since)s, %(until)s, %(at)s) k
            {UNIT_NAME.format(column="k.unit_code", alias="place")}
            where k.unit_code is not null and (%(units)s::text[] is null or k.unit_code = any(%(units)s))
            order by k.task_count + k.incident_count desc, k.unit_code
            """,
            values,
        ).fetchall()
        rules = cursor.execute(
            """
            select f.*, coalesce(r.title_vi, f.rule_code) as title_vi, coalesce(r.title_en, f.rule_code) as title_en
            from sop.rule_false_alarms(%(since)s, %(until)s) f
            left join alert.rule r on r.code = f.rule_code
            where %(units)s::text[] is null or r.owner_unit = any(%(units)s)
            order by f.false_share desc, f.closed_count desc, f.rule_code
            """,
            values,
        ).fetchall()
    return Indicators(
        since, until, [UnitIndicators(**_durations(row)) for row in units], [FalseAlarms(**row) for row in rules]
    )


def _durations(row: dict[str, Any]) -> dict[str, Any]:
    """Columns ``…_s`` (seconds) as durations without the suffix."""
    return {
        name.removesuffix("_s"): (timedelta(seconds=value) if value is not None else None)
        if name.endswith("_s")
        else value
        for name, value in row.items()
    }
