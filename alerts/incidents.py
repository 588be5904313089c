"""What people do with incidents: list, open, acknowledge, read their inbox. Called by the portal.

Every act leaves an event in the audit chain, in the same transaction. Who may do what is the caller's to decide; a list
of units narrows every function to what that unit answers for: incidents in it, and incidents of the rules it owns.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row, dict_row

from alerts import audit
from alerts.notifying.notice import incident_code
from ioc import warehouse

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    import psycopg

    from ioc.settings import Settings

_ACK_LASTS = {1: timedelta(hours=4), 2: timedelta(hours=4), 3: timedelta(hours=1), 4: timedelta(hours=1)}


class ActRefusedError(ValueError):
    """The act is not possible; the message is Vietnamese and meant for the user."""


@dataclass(frozen=True)
class IncidentView:
    """An incident as a page shows it. ``value`` is the series' newest, ``value_at`` its period end.

    ``state_*`` and ``peak_state_*``: what ``value`` and ``peak_value`` are called, where the rule watches a state
    (``unit_vi`` is None) instead of measuring.
    ``is_acked``: somebody accepted it, the acceptance has not run out and no higher level has voided it.
    ``is_stale``: the series has no data fresh enough to say that this is how things are now.
    ``is_suppressed``: messages about it at its level are held back. ``corrected_at``: a late correction contradicts it.
    """

    incident_id: UUID
    kind: str
    status: str
    level: int
    peak_level: int
    label_vi: str
    label_en: str
    rule_code: str
    domain: str
    title_vi: str
    title_en: str
    unit_vi: str | None
    owner_unit: str
    legal_basis: str
    entity_type: str
    entity_id: str
    entity_name: str
    unit_code: str | None
    unit_name: str | None
    opened_at: datetime
    closed_at: datetime | None
    close_reason: str | None
    value: float | None
    value_at: datetime | None
    open_value: float | None
    peak_value: float | None
    state_vi: str | None
    state_en: str | None
    peak_state_vi: str | None
    peak_state_en: str | None
    ack_by: str | None
    ack_at: datetime | None
    ack_until: datetime | None
    ack_note: str | None
    is_acked: bool
    is_stale: bool
    is_suppressed: bool
    corrected_at: datetime | None
    correction: dict[str, Any] | None

    @property
    def code(self) -> str:
        return incident_code(self.incident_id)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"code": self.code}


@dataclass(frozen=True)
class IncidentHistory:
    """Everything about one incident, oldest first.

    Attributes:
        incident: How it stands.
        transitions: ``event_time, from_level, to_level, value, state_vi, state_en, reason, recorded_at``.
        notices: Who was told what, when and how: ``created_at, channel, contact_name, address, subject, body, status,
            attempt_count, accepted_at, finished_at, last_error``.
        acts: What people did: ``occurred_at, actor, action, detail``.
    """

    incident: IncidentView
    transitions: list[dict[str, Any]]
    notices: list[dict[str, Any]]
    acts: list[dict[str, Any]]


@dataclass(frozen=True)
class InboxMessage:
    """A message in somebody's inbox."""

    inbox_id: int
    level: int
    subject: str
    body: str
    incident_ids: list[UUID]
    created_at: datetime
    read_at: datetime | None


_VIEW = """
select i.incident_id, i.kind, i.status, i.level, i.peak_level, coalesce(label.label_vi, '') as label_vi,
    coalesce(label.label_en, '') as label_en, r.code as rule_code, r.domain, r.title_vi, r.title_en, r.unit_vi,
    r.owner_unit, v.legal_basis, i.entity_type, i.entity_id, coalesce(e.name_vi, i.entity_id) as entity_name,
    i.unit_code, unit.name_vi as unit_name, i.opened_at, i.closed_at, i.close_reason,
    case when i.kind = 'value' then st.last_value::float8 end as value, st.last_ok_at as value_at,
    i.open_value::float8, i.peak_value::float8, state.label_vi as state_vi, state.label_en as state_en,
    peak_state.label_vi as peak_state_vi, peak_state.label_en as peak_state_en, i.ack_by, i.ack_at, i.ack_until,
    i.ack_note,
    i.status = 'open' and coalesce(i.ack_until > %(at)s and i.ack_void_at is null and i.ack_level >= i.level, false)
        as is_acked,
    i.kind = 'value' and coalesce(%(at)s - st.last_ok_at > v.notify_max_age, true) as is_stale,
    i.status = 'open' and alert.is_suppressed(r.code, i.entity_id, i.unit_code, i.kind, i.level, %(at)s)
        as is_suppressed,
    i.corrected_at, i.correction
from alert.incident i
join alert.rule r using (rule_id)
join alert.rule_version v on v.rule_version_id = i.rule_version_id
left join alert.series_state st on (st.rule_id, st.entity_type, st.entity_id) = (i.rule_id, i.entity_type, i.entity_id)
left join alerting.entity e on (e.entity_type, e.entity_id) = (i.entity_type, i.entity_id)
left join lateral (
    select name_vi from ref.org_unit u where u.code = i.unit_code
    order by u.valid @> i.opened_at::date desc, u.valid desc limit 1
) unit on true
left join lateral (
    select t.label_vi, t.label_en from alert.threshold t
    where i.kind = 'value' and t.rule_version_id = i.rule_version_id
        and t.level = case i.status when 'open' then i.level else i.peak_level end
    order by (t.scope_kind, t.scope_value) = ('entity', i.entity_id) desc, t.scope_kind = 'province' desc limit 1
) label on true
left join lateral alert.state_of(i.rule_version_id, i.entity_id, i.unit_code, st.last_value) state on i.kind = 'value'
left join lateral alert.state_of(i.rule_version_id, i.entity_id, i.unit_code, i.peak_value) peak_state on true
where (%(units)s::text[] is null or i.unit_code = any(%(units)s) or r.owner_unit = any(%(units)s))
"""


def list_open(
    unit_codes: Sequence[str] | None = None, settings: Settings | None = None, at: datetime | None = None
) -> list[IncidentView]:
    """Open incidents, the most serious first.

    Args:
        unit_codes: Only what these units answer for; None = all.
        settings: Settings of the stack; default: this process's.
        at: The clock for ``is_acked`` and ``is_stale``; default: now.
    """
    with warehouse.connect("portal", settings) as connection:
        return _views(connection, "and i.status = 'open' order by i.level desc, i.opened_at desc", unit_codes, at)


def _views(
    connection: psycopg.Connection, rest: str, units: Sequence[str] | None, at: datetime | None, **more: Any
) -> list[IncidentView]:
    values = {"units": list(units) if units is not None else None, "at": at or datetime.now(UTC), **more}
    with connection.cursor(row_factory=class_row(IncidentView)) as cursor:
        return cursor.execute(_VIEW + rest, values).fetchall()


def history(
    incident_id: UUID,
    unit_codes: Sequence[str] | None = None,
    settings: Settings | None = None,
    at: datetime | None = None,
) -> IncidentHistory:
    """Everything about one incident.

    Raises:
        ActRefusedError: no such incident, or none that these units answer for.
    """
    with warehouse.connect("portal", settings) as connection, connection.cursor(row_factory=dict_row) as cursor:
        view = _one(connection, incident_id, unit_codes, at)
        transitions = cursor.execute(
            """
            select t.event_time, t.from_level, t.to_level, t.value::float8, state.label_vi as state_vi,
                state.label_en as state_en, t.reason, t.recorded_at
            from alert.transition t
            join alert.incident i using (incident_id)
            left join lateral alert.state_of(t.rule_version_id, t.entity_id, i.unit_code, t.value) state on true
            where incident_id = %s order by t.event_time
            """,
            (incident_id,),
        ).fetchall()
        notices = cursor.execute(
            """
            select o.created_at, o.channel, c.name_vi as contact_name, o.address, o.subject, o.body, o.status,
                o.attempt_count, o.accepted_at, o.finished_at, o.last_error
            from notify.outbox o left join ref.contact c using (contact_id)
            where o.incident_ids @> array[%s]::uuid[] order by o.created_at, c.name_vi, o.channel
            """,
            (incident_id,),
        ).fetchall()
        acts = cursor.execute(
            "select occurred_at, actor, action, detail from audit.event "
            "where object_type = 'incident' and object_id = %s order by event_id",
            (str(incident_id),),
        ).fetchall()
    return IncidentHistory(view, transitions, notices, acts)


def _one(
    connection: psycopg.Connection, incident_id: UUID, units: Sequence[str] | None, at: datetime | None
) -> IncidentView:
    found = _views(connection, "and i.incident_id = %(id)s", units, at, id=incident_id)
    if not found:
        raise ActRefusedError("Không có sự cố này trong phạm vi của đơn vị.")
    return found[0]


def acknowledge(
    incident_id: UUID,
    user: str,
    note: str = "",
    *,
    lasts: timedelta | None = None,
    unit_codes: Sequence[str] | None = None,
    settings: Settings | None = None,
    at: datetime | None = None,
) -> IncidentView:
    """Accept an open incident at its present level. It runs out, and a higher level voids it.

    Args:
        incident_id: The incident.
        user: Who accepts it.
        note: Free text.
        lasts: How long it holds; default 4 h up to level 2, 1 h from level 3.
        unit_codes: Units that the user answers for; None = all.
        settings: Settings of the stack; default: this process's.
        at: The clock; default: now.

    Raises:
        ActRefusedError: no such incident for these units, it is closed, or ``lasts`` is not a time to come.
    """
    at = at or datetime.now(UTC)
    if lasts is not None and lasts <= timedelta(0):
        raise ActRefusedError("Thời hạn xác nhận phải ở sau thời điểm hiện tại.")
    with warehouse.connect("portal", settings) as connection:
        view = _one(connection, incident_id, unit_codes, at)
        row = connection.execute(
            """
            update alert.incident set ack_by = %(user)s, ack_at = %(at)s, ack_level = level, ack_void_at = null,
                ack_note = nullif(%(note)s, ''),
                ack_until = %(at)s + coalesce(%(lasts)s, (%(defaults)s::interval[])[level])
            where incident_id = %(id)s and status = 'open' returning level, ack_until
            """,
            {"user": user, "at": at, "note": note.strip(), "lasts": lasts, "id": incident_id,
             "defaults": [_ACK_LASTS[level] for level in sorted(_ACK_LASTS)]},
        ).fetchone()  # fmt: skip
        if row is None:
            raise ActRefusedError(f"Sự cố {view.code} đã kết thúc, không cần xác nhận.")
        detail = {"level": row[0], "until": row[1].isoformat(), "note": note.strip()}
        audit.record(connection, at, user, "incident.acknowledged", about=("incident", str(incident_id)), detail=detail)
        return _one(connection, incident_id, unit_codes, at)


def unacknowledge(
    incident_id: UUID,
    user: str,
    note: str = "",
    *,
    unit_codes: Sequence[str] | None = None,
    settings: Settings | None = None,
    at: datetime | None = None,
) -> IncidentView:
    """Take an acceptance back: the incident waits for somebody again, and escalation goes on.

    Raises:
        ActRefusedError: no such incident for these units, it is closed, or nobody has accepted it.
    """
    at = at or datetime.now(UTC)
    with warehouse.connect("portal", settings) as connection:
        view = _one(connection, incident_id, unit_codes, at)
        row = connection.execute(
            """
            with before as (
                select incident_id, ack_by, ack_until from alert.incident
                where incident_id = %(id)s and status = 'open' and ack_until > %(at)s and ack_void_at is null
                for update
            )
            update alert.incident i set ack_by = null, ack_at = null, ack_until = null, ack_level = null,
                ack_note = null, ack_void_at = null
            from before b where b.incident_id = i.incident_id returning b.ack_by, b.ack_until
            """,
            {"id": incident_id, "at": at},
        ).fetchone()
        if row is None:
            raise ActRefusedError(f"Sự cố {view.code} không có xác nhận nào đang có hiệu lực.")
        detail = {"acknowledged_by": row[0], "until": row[1].isoformat(), "note": note.strip()}
        audit.record(
            connection, at, user, "incident.unacknowledged", about=("incident", str(incident_id)), detail=detail
        )
        return _one(connection, incident_id, unit_codes, at)


def inbox(
    user: str, settings: Settings | None = None, *, limit: int = 100, before: int | None = None
) -> list[InboxMessage]:
    """The newest messages of a user (the ``user_name`` of a contact), newest first.

    Args:
        user: Login name.
        settings: Settings of the stack; default: this process's.
        limit: At most so many.
        before: Only messages with a smaller ``inbox_id`` (paging).
    """
    with (
        warehouse.connect("portal", settings) as connection,
        connection.cursor(row_factory=class_row(InboxMessage)) as cursor,
    ):
        return cursor.execute(
            """
            select m.inbox_id, m.level, m.subject, m.body, m.incident_ids, m.created_at, m.read_at
            from notify.inbox m join ref.contact c using (contact_id)
            where c.user_name = %s and (%s::bigint is null or m.inbox_id < %s) order by m.inbox_id desc limit %s
            """,
            (user, before, before, limit),
        ).fetchall()


def mark_read(
    user: str, inbox_ids: Sequence[int] | None = None, settings: Settings | None = None, at: datetime | None = None
) -> int:
    """Mark messages of a user as read (None = all of them); how many were unread."""
    with warehouse.connect("portal", settings) as connection:
        return connection.execute(
            """
            update notify.inbox m set read_at = %s from ref.contact c
            where c.contact_id = m.contact_id and c.user_name = %s and m.read_at is null
                and (%s::bigint[] is null or m.inbox_id = any(%s))
            """,
            (at or datetime.now(UTC), user, *[list(inbox_ids) if inbox_ids is not None else None] * 2),
        ).rowcount
