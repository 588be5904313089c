"""Looking for incidents: by standing, level, domain, unit, kind, who accepted them, and words."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from alerts import incidents
from ioc import warehouse
from ioc.plain_text import PLAIN_SQL

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from ioc.settings import Settings

_WORDS = PLAIN_SQL.format("coalesce(e.name_vi, '') || ' ' || i.entity_id || ' ' || r.title_vi || ' ' || r.title_en")

_WHERE = f"""
and (%(status)s = 'all' or i.status = %(status)s)
and case i.status when 'open' then i.level else i.peak_level end >= %(min_level)s
and (%(domain)s::text is null or r.domain = %(domain)s)
and (%(unit)s::text is null or i.unit_code = %(unit)s)
and (%(kind)s::text is null or i.kind = %(kind)s)
and (%(is_acked)s::boolean is null or %(is_acked)s
    = coalesce(i.ack_until > %(at)s and i.ack_void_at is null and i.ack_level >= i.level, false))
and (%(text)s = '' or position({PLAIN_SQL.format("%(text)s")} in {_WORDS}) > 0
    or length(%(text)s) >= 5 and starts_with('sc-' || i.incident_id::text, lower(%(text)s)))
and (%(before)s::timestamptz is null or i.opened_at < %(before)s)
"""


@dataclass(frozen=True)
class Wanted:
    """What is looked for; the defaults ask for every open incident.

    Attributes:
        status: Open ones, ended ones, or both.
        min_level: Level now, or the highest that an ended one reached.
        domain: Domain of the rule.
        unit: Unit of the incident.
        kind: ``value``, ``nodata`` or ``source``.
        is_acked: Whether somebody's acceptance is in force.
        text: Part of the entity's name or id, of the rule's title, with or without marks; or the incident's code.
        before: Only incidents that opened earlier (paging).
    """

    status: Literal["open", "closed", "all"] = "open"
    min_level: int = 1
    domain: str | None = None
    unit: str | None = None
    kind: str | None = None
    is_acked: bool | None = None
    text: str = ""
    before: datetime | None = None


def search(
    wanted: Wanted,
    unit_codes: Sequence[str] | None = None,
    settings: Settings | None = None,
    at: datetime | None = None,
    *,
    limit: int = 200,
) -> list[incidents.IncidentView]:
    """Incidents that fit: open ones first and the most serious of them on top, then the newest.

    Args:
        wanted: What is looked for.
        unit_codes: Only what these units answer for; None = all.
        settings: Settings of the stack; default: this process's.
        at: The clock; default: now.
        limit: At most so many.
    """
    order = "order by i.status desc, i.level desc, i.opened_at desc limit %(limit)s"
    values: dict[str, Any] = {**asdict(wanted), "text": wanted.text.strip(), "limit": limit}
    with warehouse.connect("portal", settings) as connection:
        return incidents._views(connection, _WHERE + order, unit_codes, at, **values)


def choices(
    unit_codes: Sequence[str] | None = None, settings: Settings | None = None
) -> tuple[list[str], list[tuple[str, str]]]:
    """Domains and units (code, name) that incidents of these units have: what one can choose from."""
    with warehouse.connect("portal", settings) as connection:
        rows = connection.execute(
            """
            select distinct r.domain, i.unit_code, (
                select name_vi from ref.org_unit u where u.code = i.unit_code order by u.valid desc limit 1)
            from alert.incident i join alert.rule r using (rule_id)
            where %(units)s::text[] is null or i.unit_code = any(%(units)s) or r.owner_unit = any(%(units)s)
            """,
            {"units": list(unit_codes) if unit_codes is not None else None},
        ).fetchall()
    units = {code: name or code for _, code, name in rows if code}
    return sorted({domain for domain, *_ in rows}), sorted(units.items(), key=lambda item: item[1])
