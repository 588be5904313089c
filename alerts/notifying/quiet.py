"""Quiet hours: what waited through them is looked at again before it leaves, and what was over by then is listed once.

A message that waited and is no longer true is ``dropped``; the morning digest names it, so that nothing disappears.
"""

from __future__ import annotations

from datetime import datetime, time
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from psycopg.rows import dict_row

from alerts.channels import all_channels
from alerts.notifying.notice import Destination, Plain, incident_code
from alerts.notifying.rendering import moment
from ioc.settings import TIME_ZONE

if TYPE_CHECKING:
    import psycopg

    from alerts.channels.base import Contact
    from alerts.notifying.notice import Teller

_ZONE = ZoneInfo(TIME_ZONE)
DIGEST_AT = time(7)
RESOLVED, CHANGED = "resolved_before_window", "changed_before_window"
# A digest goes where it costs nothing and can be read at length.
_DIGEST_CHANNELS = ("email", "web", "push", "sms")

_DUE = "status = 'queued' and held_for = 'quiet_hours' and not_before <= %(at)s"

# What says that something is on: dropped when nothing of it is as it says. Another level has a notice of its own; what
# comes from no route (a reminder) stays true while the incident is open.
_DROP_UNTRUE = f"""
with due as (
    select outbox_id, route_id, incident_ids, incident_levels from notify.outbox
    where {_DUE} and 0 < any(incident_levels) for update skip locked
),
judged as (
    select d.outbox_id, bool_and(i.status = 'closed') as is_over,
        bool_or(case when d.route_id is null then i.level > 0 else i.level = said.level end) as holds
    from due d
    cross join lateral unnest(d.incident_ids, d.incident_levels) as said(incident_id, level)
    join alert.incident i using (incident_id)
    where said.level > 0 group by d.outbox_id
)
update notify.outbox o set status = 'dropped', finished_at = %(at)s,
    last_error = case when j.is_over then '{RESOLVED}' else '{CHANGED}' end,
    digested_at = case when not j.is_over then %(at)s::timestamptz end
from judged j where j.outbox_id = o.outbox_id and not j.holds
returning o.contact_id, o.channel, o.incident_ids
"""
_RELEASE = f"update notify.outbox set held_for = null where {_DUE} and "
# What says that something is over: only to those who were told that it was on.
_DROP_POINTLESS = f"""
update notify.outbox o set status = 'dropped', finished_at = %(at)s, last_error = '{RESOLVED}', digested_at = %(at)s
where {_DUE} and incident_levels <> '{{}}' and not exists (
    select from notify.outbox e
    where e.contact_id = o.contact_id and e.channel = o.channel and e.incident_ids && o.incident_ids
        and 0 < any(e.incident_levels) and e.status <> 'dropped' and e.held_for is distinct from 'quiet_hours')
returning o.contact_id, o.channel, o.incident_ids
"""
# A dropped message has told nobody anything.
_UNTELL = """
update notify.told t set level = coalesce((
    select said.level from notify.outbox o
    cross join lateral unnest(o.incident_ids, o.incident_levels) as said(incident_id, level)
    where o.contact_id = t.contact_id and o.channel = t.channel and o.status <> 'dropped'
        and o.incident_ids @> array[t.incident_id] and said.incident_id = t.incident_id
    order by o.created_at desc limit 1), 0)
where t.contact_id = %s and t.channel = %s and t.incident_id = any(%s)
"""


def release(connection: psycopg.Connection, at: datetime) -> int:
    """Look again at what waited through quiet hours that are over; how many messages were dropped.

    Called by the reconciler and before a channel is drained, in a transaction of the caller.
    """
    row = connection.execute(f"select exists (select from notify.outbox where {_DUE})", {"at": at}).fetchone()
    if row is None or not row[0]:
        return 0
    connection.execute("select pg_advisory_xact_lock(hashtext('alerts:reconcile'))")
    values = {"at": at}
    dropped = connection.execute(_DROP_UNTRUE, values).fetchall()
    connection.execute(_RELEASE + "(incident_levels = '{}' or 0 < any(incident_levels))", values)
    dropped += connection.execute(_DROP_POINTLESS, values).fetchall()
    connection.execute(_RELEASE + "true", values)
    for message in dropped:
        connection.execute(_UNTELL, message)
    return len(dropped)


_TO_LIST = """
select o.contact_id, array_agg(distinct o.outbox_id) as messages, array_agg(distinct missed.incident_id) as incidents
from notify.outbox o
join ref.contact c using (contact_id)
cross join lateral unnest(o.incident_ids) as missed(incident_id)
where o.status = 'dropped' and o.digested_at is null and not exists (
    select from notify.outbox d where d.dedupe_key = 'morning|' || c.code || '|' || %(day)s)
group by o.contact_id order by o.contact_id
"""


def is_digest_due(connection: psycopg.Connection, at: datetime) -> bool:
    """Whether it is past seven and somebody has not been told today of what was dropped."""
    civil = at.astimezone(_ZONE)
    if civil.time() < DIGEST_AT:
        return False
    row = connection.execute(f"select exists ({_TO_LIST})", {"day": str(civil.date())}).fetchone()
    return bool(row and row[0])


def morning_digest(connection: psycopg.Connection, teller: Teller, at: datetime) -> int:
    """One message per person and day that lists what was over before it could be said; how many were queued."""
    if not is_digest_due(connection, at):
        return 0
    queued = 0
    cursor = connection.cursor(row_factory=dict_row)
    for row in cursor.execute(_TO_LIST, {"day": str(at.astimezone(_ZONE).date())}).fetchall():
        contact = teller.directory.contacts.get(row["contact_id"])
        if contact is not None and teller.directory.quiet_until(contact.contact_id, at):
            continue
        queued += _digest(connection, teller, contact, row["incidents"], at) if contact else 0
        connection.execute("update notify.outbox set digested_at = %s where outbox_id = any(%s)", (at, row["messages"]))
    return queued


def _digest(
    connection: psycopg.Connection, teller: Teller, contact: Contact, incidents: list[Any], at: datetime
) -> int:
    found = (
        (name, address)
        for name in _DIGEST_CHANNELS
        if name in all_channels() and (address := all_channels()[name].address_of(contact))
    )
    name, address = next(found, (None, None))
    if name is None or address is None:
        return 0
    items = [_missed(teller, row) for row in _incidents(connection, incidents)]
    lines = [f"[{i['status']}] {i['text']} · {i['unit_name']} · {i['code']}" for i in items]
    day = at.astimezone(_ZONE).date()
    subject = f"{len(items)} cảnh báo đã tự hết trong giờ yên tĩnh"
    return teller.post(
        Destination(f"morning|{contact.code}|{day.isoformat()}", None, None, contact.contact_id, name, address),
        "digest",
        {"items": items, "top": items[0], "count": len(items), "why": "quiet_hours"},
        Plain(subject, "\n".join(lines)),
        level=0,
        incident_ids=incidents,
    )


def _incidents(connection: psycopg.Connection, incidents: list[Any]) -> list[dict[str, Any]]:
    return (
        connection.cursor(row_factory=dict_row)
        .execute(
            """
            select i.incident_id, r.title_vi, coalesce(e.name_vi, i.entity_id) as entity, i.unit_code, i.peak_level,
                i.opened_at, i.closed_at
            from alert.incident i join alert.rule r using (rule_id)
            left join alerting.entity e on (e.entity_type, e.entity_id) = (i.entity_type, i.entity_id)
            where i.incident_id = any(%s) order by i.peak_level desc, i.opened_at
            """,
            (incidents,),
        )
        .fetchall()
    )


def _missed(teller: Teller, row: dict[str, Any]) -> dict[str, Any]:
    times = f"{moment(row['opened_at'])} đến {moment(row['closed_at'])}"
    return {
        "code": incident_code(row["incident_id"]),
        "status": "Đã tự hết",
        "text": f"{row['title_vi']}: {row['entity']}, cao nhất cấp {row['peak_level']}, từ {times}",
        "title": row["title_vi"],
        "entity": row["entity"],
        "unit_name": teller.directory.name_of(row["unit_code"]),
        "level": row["peak_level"],
        "value": None,
        "amount": "",
        "at": row["closed_at"],
    }
