"""Suppressions as pages show them: of now, planned and past, and what each holds back."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from psycopg.rows import class_row

from alerts.notifying.notice import incident_code
from ioc import warehouse

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

    from ioc.settings import Settings

When = Literal["now", "planned", "past"]

KINDS_VI = {
    "silence": "tạm dừng thông báo",
    "maintenance": "bảo trì",
    "inhibit": "gộp dưới sự cố nguồn",
    "mute_timing": "khung giờ không thông báo",
}
REVIEW_EVERY = timedelta(days=30)


@dataclass(frozen=True)
class Suppression:
    """A suppression as a page shows it.

    ``is_holding``: it holds messages back at this very moment (a mute time only in its hours). ``held``: the open
    incidents that it holds back, or would while it holds: ``incident_id, code, level, title, entity``; empty for past
    ones. ``series_count``: series that it is about.
    """

    suppression_id: int
    kind: str
    state: When
    is_holding: bool
    since: datetime
    until: datetime
    rule_code_pattern: str
    domain: str | None
    unit_code: str | None
    unit_name: str | None
    entity_pattern: str
    incident_kind: str | None
    calendar_code: str | None
    iso_weekdays: list[int] | None
    daily_from: time | None
    daily_to: time | None
    max_level: int
    reason: str
    is_known_dead: bool
    is_review_due: bool
    reviewed_at: datetime | None
    reviewed_by: str | None
    source_incident_id: UUID | None
    created_by: str
    created_at: datetime
    cancelled_at: datetime | None
    cancelled_by: str | None
    series_count: int = 0
    held: list[dict[str, Any]] = field(default_factory=list)

    @property
    def kind_vi(self) -> str:
        return "chuỗi đã ngừng" if self.is_known_dead else KINDS_VI[self.kind]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


_LIST = """
select s.suppression_id, s.kind, case when least(upper(s.during), s.cancelled_at) <= %(at)s then 'past'
        when lower(s.during) > %(at)s then 'planned' else 'now' end as state,
    alert.holds_at(s, %(at)s) as is_holding, lower(s.during) as since, upper(s.during) as until, s.rule_code_pattern,
    s.domain, s.unit_code, unit.name_vi as unit_name, s.entity_pattern, s.incident_kind, s.calendar_code,
    s.iso_weekdays, s.daily_from, s.daily_to, s.max_level, s.reason, s.is_known_dead,
    s.is_known_dead and least(upper(s.during), s.cancelled_at) > %(at)s
        and coalesce(s.reviewed_at, s.created_at) <= %(at)s - %(review)s as is_review_due,
    s.reviewed_at, s.reviewed_by, s.source_incident_id, s.created_by, s.created_at, s.cancelled_at, s.cancelled_by,
    about.series_count, about.held
from alert.suppression s
left join lateral (
    select name_vi from ref.org_unit u where u.code = s.unit_code order by u.valid desc limit 1
) unit on true
left join lateral (
    select (
        -- Rule and unit are looked up once for all series that share them.
        select coalesce(sum(alike.n), 0)::bigint from (
            select st.rule_id, st.unit_code, min(st.entity_id) as entity_id, count(*) as n
            from alert.series_state st where st.entity_id like s.entity_pattern group by st.rule_id, st.unit_code
        ) alike join alert.rule r using (rule_id)
        where alert.is_about(s, r.code, alike.entity_id, alike.unit_code, coalesce(s.incident_kind, 'value'), %(at)s)
    ) as series_count,
    (
        select coalesce(jsonb_agg(jsonb_build_object('incident_id', i.incident_id, 'level', i.level,
            'title', r.title_vi, 'entity', coalesce(e.name_vi, i.entity_id)) order by i.level desc, i.opened_at), '[]')
        from alert.incident i join alert.rule r using (rule_id)
        left join alerting.entity e on (e.entity_type, e.entity_id) = (i.entity_type, i.entity_id)
        where i.status = 'open' and i.level <= s.max_level and least(upper(s.during), s.cancelled_at) > %(at)s
            and alert.is_about(s, r.code, i.entity_id, i.unit_code, i.kind, %(at)s)
    ) as held
) about on true
"""


def listing(
    when: When | None = None,
    unit_codes: Sequence[str] | None = None,
    settings: Settings | None = None,
    at: datetime | None = None,
    *,
    limit: int = 200,
) -> list[Suppression]:
    """Suppressions with what each holds back, or would: those of now and planned by their beginning, past by their end.

    Args:
        when: ``now``, ``planned``, ``past``; None = all.
        unit_codes: Only those of these units, and those that hold for every unit; None = all.
        settings: Settings of the stack; default: this process's.
        at: The clock; default: now.
        limit: At most so many.
    """
    rest = """
        where (%(units)s::text[] is null or s.unit_code is null or s.unit_code = any(%(units)s))
            and (%(when)s::text is null or %(when)s::text = case
                when least(upper(s.during), s.cancelled_at) <= %(at)s then 'past'
                when lower(s.during) > %(at)s then 'planned' else 'now' end)
        order by case when %(when)s::text = 'past' then least(upper(s.during), s.cancelled_at) end desc,
            least(upper(s.during), s.cancelled_at) <= %(at)s, lower(s.during), s.suppression_id limit %(limit)s
        """
    units = list(unit_codes) if unit_codes is not None else None
    with warehouse.connect("portal", settings) as connection:
        return read(connection, rest, at or datetime.now(UTC), units=units, when=when, limit=limit)


def known_dead(settings: Settings | None = None, at: datetime | None = None) -> list[Suppression]:
    """The register of dead series in force, the longest unreviewed first."""
    rest = """
        where s.is_known_dead and least(upper(s.during), s.cancelled_at) > %(at)s
        order by coalesce(s.reviewed_at, s.created_at), s.suppression_id
        """
    with warehouse.connect("portal", settings) as connection:
        return read(connection, rest, at or datetime.now(UTC))


def due_for_review(settings: Settings | None = None, at: datetime | None = None) -> list[Suppression]:
    """Entries of the register that nobody has confirmed for 30 days."""
    return [entry for entry in known_dead(settings, at) if entry.is_review_due]


def read(connection: psycopg.Connection, rest: str, at: datetime, **values: Any) -> list[Suppression]:
    """Suppressions by the rest of a query over ``alert.suppression s``."""
    with connection.cursor(row_factory=class_row(Suppression)) as cursor:
        found = cursor.execute(_LIST + rest, {"at": at, "review": REVIEW_EVERY, **values}).fetchall()
    for one in found:
        for incident in one.held:
            incident["code"] = incident_code(UUID(incident["incident_id"]))
    return found
