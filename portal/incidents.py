"""Open incidents as the pages show them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from portal.database import Database, Row
    from portal.users import User


def open_incidents(database: Database, user: User) -> list[Row]:
    """Open incidents that this user may see, the most serious first."""
    return database.rows(
        """
        select incident_id, level, peak_level, kind, opened_at, incident.unit_code, ack_by, ack_until,
            rule.title_vi, rule.title_en, coalesce(entity.name_vi, incident.entity_id) as entity_name
        from alert.incident
        join alert.rule using (rule_id)
        left join alerting.entity
            on entity.entity_type = incident.entity_type and entity.entity_id = incident.entity_id
        where status = 'open' and (
            %(units)s::text[] is null or incident.unit_code = any(%(units)s) or rule.owner_unit = any(%(units)s)
        )
        order by level desc, opened_at desc
        """,
        {"units": user.visible_units},
    )
