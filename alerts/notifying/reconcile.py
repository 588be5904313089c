"""Level-triggered reconciler: a message is the difference between what is true now and what a route was last told.

Late data, backfill, the end of a silence, an outage and a re-run are all the same case: compare, group, tell, remember.
Outbox row and told level are written in the caller's transaction.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

from alerts.channels import all_channels
from alerts.notifying import notice, owed, quiet, routing
from alerts.notifying.rendering import moment
from alerts.notifying.told import Address, Told

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    import psycopg

    from alerts.notifying.routing import Directory
    from ioc.settings import Settings

# A route sees an incident below its level as nothing at all. Dropped: what is suppressed now, and value incidents whose
# series has no data fresh enough to be spoken of as "now"; that an alarm ended for another reason than its data is said
# whatever the age of these.
_FACTS = """
with candidate as (CANDIDATES),
difference as (
    select i.incident_id, i.kind, i.entity_type, i.entity_id, i.unit_code, i.opened_at, i.closed_at, i.close_reason,
        i.rule_version_id, i.peak_level, i.level as true_level, ru.rule_id, ru.code as rule_code, ru.domain,
        ru.owner_unit, ru.title_vi, ru.unit_vi, ro.route_id, coalesce(told.told_level, 0) as told_level,
        case when i.level >= ro.min_level then i.level else 0 end as now_level
    from candidate
    join alert.incident i using (incident_id)
    join alert.rule ru using (rule_id)
    join notify.route ro on ro.is_enabled and i.kind = any(ro.kinds) and ru.code like ro.rule_code_pattern
        and (ro.domain is null or ro.domain = ru.domain)
    left join notify.notice_state told on (told.incident_id, told.route_id) = (i.incident_id, ro.route_id)
    -- A route that speaks in working hours only waits; what is grave does not.
    where ro.calendar_code is null or greatest(i.level, told.told_level) >= 3
        or ref.is_working_time(ro.calendar_code, %(at)s)
)
select d.*, owed.route_id is not null as is_owed, st.last_value::float8, st.last_ok_at, st.heard_at, v.message_vi,
    coalesce(e.name_vi, d.entity_id) as entity, close.value::float8 as close_value, label.label_vi, label.label_en,
    state.label_vi as state_vi, state.label_en as state_en
from difference d
join alert.rule_version v using (rule_version_id)
join alert.series_state st
    on (st.rule_id, st.entity_type, st.entity_id) = (d.rule_id, d.entity_type, d.entity_id)
left join alerting.entity e on (e.entity_type, e.entity_id) = (d.entity_type, d.entity_id)
left join lateral (
    select t.value from alert.transition t where t.incident_id = d.incident_id and t.to_level = 0
    order by t.transition_id desc limit 1
) close on true
left join lateral (
    select t.label_vi, t.label_en from alert.threshold t
    where t.rule_version_id = d.rule_version_id and t.level = d.true_level
    order by (t.scope_kind, t.scope_value) = ('entity', d.entity_id) desc, t.scope_kind = 'province' desc limit 1
) label on true
left join lateral alert.state_of(d.rule_version_id, d.entity_id, d.unit_code,
    case when d.closed_at is null then st.last_value else close.value end) state on true
left join (select distinct incident_id, route_id from notify.owed) owed
    on (owed.incident_id, owed.route_id) = (d.incident_id, d.route_id)
"""
_MISMATCH = (
    _FACTS.replace(
        "CANDIDATES",
        """
    select incident_id from alert.incident where status = 'open'
    union
    select incident_id from notify.notice_state where told_level > 0
    union
    select incident_id from notify.owed
""",
    )
    + """
where (d.told_level <> d.now_level or owed.route_id is not null)
    and (d.kind <> 'value' or %(at)s - st.last_ok_at <= v.notify_max_age
        or d.close_reason in ('retired', 'rule_disabled', 'rule_ended'))
    and not alert.is_suppressed(d.rule_code, d.entity_id, d.unit_code, d.kind, greatest(d.told_level, d.now_level),
        %(at)s)
order by d.now_level desc, d.rule_code, entity
"""
)
_ONE = _FACTS.replace("CANDIDATES", "select %(incident)s::uuid as incident_id") + "order by d.route_id limit 1"


@dataclass(frozen=True)
class ReconcileReport:
    """``notifications``: outbox rows added; ``waiting``: groups that wait for their time; ``unreachable``: incidents
    for which neither the route nor the fallback has a verified address; ``owed``: people who will be told when a limit
    allows; ``roster_gaps``: rosters that were asked for and have nobody on duty now."""

    notifications: int = 0
    waiting: int = 0
    unreachable: int = 0
    owed: int = 0
    roster_gaps: int = 0


@dataclass
class _Group:
    route: dict[str, Any]
    key: str
    rows: list[dict[str, Any]] = field(default_factory=list)


def reconcile_in(connection: psycopg.Connection, at: datetime, settings: Settings | None = None) -> ReconcileReport:
    """Compare and tell, in the transaction of ``connection``; two reconcilers wait for each other."""
    connection.execute("select pg_advisory_xact_lock(hashtext('alerts:reconcile'))")
    quiet.release(connection, at)
    owed.forget_old(connection, at)
    cursor = connection.cursor(row_factory=dict_row)
    routes = {row["route_id"]: row for row in cursor.execute("select * from notify.route where is_enabled")}
    rows = cursor.execute(_MISMATCH, {"at": at}).fetchall()
    groups: dict[tuple[int, str], _Group] = {}
    for row in rows:
        if row["told_level"] != row["now_level"]:
            route = routes[row["route_id"]]
            key = group_key(route["group_by"], row)
            groups.setdefault((route["route_id"], key), _Group(route, key)).rows.append(row)
    _forget_settled(connection, groups)
    if not groups and not rows and not quiet.is_digest_due(connection, at):
        return ReconcileReport()
    teller = notice.Teller(connection, routing.load(connection, at), at, settings)
    fallback = next((route for route in routes.values() if route["is_fallback"]), None)
    told = Told(connection, {row["incident_id"] for row in rows})
    debts = owed.Debts(connection, teller, told, rows)
    notifications = waiting = unreachable = 0
    # Routes that still see the incident speak first: whom two routes reach hears "level 2", not "over" as well.
    for group in sorted(groups.values(), key=lambda one: -max(row["now_level"] for row in one.rows)):
        group_id, flush_seq, is_due = _group_state(connection, group, at)
        if not is_due:
            waiting += 1
            continue
        letters, unreached = _letters(teller.directory, group, fallback)
        unreachable += len(unreached)
        reached = [row for row in group.rows if row["incident_id"] not in unreached]
        if not reached:
            continue
        for to, rows_of_letter in letters.items():
            items = told.news(to, rows_of_letter)
            if teller.limits.is_limited(to.channel):
                debts.add(to, items)
                continue
            if not items:
                continue
            told.now(to, items)
            key = f"{group.route['code']}|{group.key}|{flush_seq}|{to.contact_code}|{to.channel}"
            notifications += teller.enqueue(
                notice.Destination(key, group.route["route_id"], group_id, to.contact_id, to.channel, to.address), items
            )
        _remember(connection, group_id, flush_seq, reached, at)
    notifications += debts.pay(at)
    told.write(at)
    notifications += quiet.morning_digest(connection, teller, at) + _report_gaps(teller)
    if notifications:
        connection.execute("select pg_notify('ioc_outbox', '')")
    return ReconcileReport(notifications, waiting, unreachable, debts.count, len(teller.directory.gaps))


def facts(connection: psycopg.Connection, incident_id: UUID, at: datetime) -> dict[str, Any] | None:
    """An incident as :meth:`.notice.Teller.item` wants it; None without the incident or a route for it."""
    cursor = connection.cursor(row_factory=dict_row)
    return cursor.execute(_ONE, {"incident": incident_id, "at": at}).fetchone()


def _report_gaps(teller: notice.Teller) -> int:
    """Tell the operators of rosters that leave a time open, once per gap."""
    directory = teller.directory
    return sum(
        teller.tell_operators(
            f"roster|{unit}|{role}|{directory.rostered[unit, role]}",
            f"Lịch trực {directory.name_of(unit)} đang trống",
            f"Không có ai trong lịch trực vai trò {role} của {directory.name_of(unit)}"
            f" (ca gần nhất kết thúc {moment(directory.rostered[unit, role])}). Thông báo được gửi tới mọi người giữ "
            "vai trò này cho đến khi lịch trực được bổ sung.",
        )
        for unit, role in sorted(directory.gaps)
    )


def group_key(group_by: str, row: dict[str, Any]) -> str:
    """What of a route is told together with ``row``: ``group_by`` is that of ``notify.route``."""
    if group_by == "incident":
        return str(row["incident_id"])
    if group_by == "source":
        return str(row["domain"])
    return str(row["rule_code"]) if group_by == "rule" else f"{row['rule_code']}/{row['unit_code'] or ''}"


def _forget_settled(connection: psycopg.Connection, groups: dict[tuple[int, str], _Group]) -> None:
    """A difference that went away inside its waiting time (a flap) starts afresh when it comes again."""
    connection.execute(
        """
        update notify.grp g set first_seen = null
        where g.first_seen is not null and not exists (
            select from unnest(%s::bigint[], %s::text[]) as now(route_id, group_key)
            where (now.route_id, now.group_key) = (g.route_id, g.group_key))
        """,
        ([route_id for route_id, _ in groups], [key for _, key in groups]),
    )


def _group_state(connection: psycopg.Connection, group: _Group, at: datetime) -> tuple[int, int, bool]:
    row = connection.execute(
        """
        insert into notify.grp as g (route_id, group_key, first_seen) values (%(route)s, %(key)s, %(at)s)
        on conflict (route_id, group_key) do update set first_seen = coalesce(g.first_seen, excluded.first_seen)
        returning group_id, flush_seq + 1, %(at)s >= first_seen + %(wait)s
            and (last_flush is null or %(at)s >= last_flush + %(interval)s)
        """,
        {
            "route": group.route["route_id"], "key": group.key, "at": at, "wait": group.route["group_wait"],
            "interval": group.route["group_interval"],
        },
    ).fetchone()  # fmt: skip
    assert row is not None
    return row


def _letters(
    directory: Directory, group: _Group, fallback: dict[str, Any] | None
) -> tuple[dict[Address, list[dict[str, Any]]], set[Any]]:
    """Per address the rows to tell there; and the incidents that reach nobody."""
    letters: dict[Address, list[dict[str, Any]]] = defaultdict(list)
    unreached = set()
    for row in group.rows:
        found = addresses(directory, group.route, row)
        if not found and fallback:
            found = addresses(directory, fallback, row)
        if not found:
            unreached.add(row["incident_id"])
        for address in found:
            letters[address].append(row)
    return letters, unreached


def addresses(directory: Directory, route: dict[str, Any], row: dict[str, Any]) -> list[Address]:
    """Where a route reaches the people who answer for ``row``, by its own channels."""
    unit = {"fixed": route["unit_code"], "rule_owner": row["owner_unit"]}.get(route["unit_mode"], row["unit_code"])
    # Whoever is on duty first; when no channel reaches them, everybody who holds the role.
    for by_roster in (True, False):
        people = directory.people(unit or row["owner_unit"], route["roles"], by_roster=by_roster)
        found = [
            Address(contact.contact_id, contact.code, name, address)
            for contact in people
            for name, channel in all_channels().items()
            if name in route["channels"] and (address := channel.address_of(contact))
        ]
        if found:
            return found
    return []


def _remember(
    connection: psycopg.Connection, group_id: int, flush_seq: int, rows: list[dict[str, Any]], at: datetime
) -> None:
    connection.execute(
        """
        insert into notify.notice_state (incident_id, route_id, told_level, told_at)
        select *, %s from unnest(%s::uuid[], %s::bigint[], %s::int[])
        on conflict (incident_id, route_id) do update set told_level = excluded.told_level, told_at = excluded.told_at
        """,
        (at, [r["incident_id"] for r in rows], [r["route_id"] for r in rows], [r["now_level"] for r in rows]),
    )
    connection.execute(
        "update notify.grp set first_seen = null, last_flush = %s, flush_seq = %s where group_id = %s",
        (at, flush_seq, group_id),
    )
