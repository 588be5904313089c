"""Level-triggered reconciler: a message is the difference between what is true now and what a route was last told.

Late data, backfill, the end of a silence, an outage and a re-run are all the same case: compare, group, tell, remember.
Outbox row and told level are written in the caller's transaction.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from psycopg.rows import dict_row

from alerts import notice, routing
from alerts.channels import all_channels

if TYPE_CHECKING:
    from datetime import datetime

    import psycopg

    from alerts.routing import Directory
    from ioc.settings import Settings

# A route sees an incident below its level as nothing at all. Dropped: what is suppressed now, and value incidents whose
# series has no data fresh enough to be spoken of as "now".
_MISMATCH = """
with candidate as (
    select incident_id from alert.incident where status = 'open'
    union
    select incident_id from notify.notice_state where told_level > 0
),
difference as (
    select i.incident_id, i.kind, i.entity_type, i.entity_id, i.unit_code, i.opened_at, i.closed_at, i.rule_version_id,
        i.peak_level, i.level as true_level, ru.rule_id, ru.code as rule_code, ru.domain, ru.owner_unit, ru.title_vi,
        ru.unit_vi, ro.route_id, coalesce(told.told_level, 0) as told_level,
        case when i.level >= ro.min_level then i.level else 0 end as now_level
    from candidate
    join alert.incident i using (incident_id)
    join alert.rule ru using (rule_id)
    join notify.route ro on ro.is_enabled and i.kind = any(ro.kinds) and ru.code like ro.rule_code_pattern
        and (ro.domain is null or ro.domain = ru.domain)
    left join notify.notice_state told on (told.incident_id, told.route_id) = (i.incident_id, ro.route_id)
)
select d.*, st.last_value::float8, st.last_ok_at, st.heard_at, v.message_vi,
    coalesce(e.name_vi, d.entity_id) as entity, close.value::float8 as close_value, label.label_vi, label.label_en
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
where d.told_level <> d.now_level
    and (d.kind <> 'value' or %(at)s - st.last_ok_at <= v.notify_max_age)
    and not exists (
        select from alert.suppression s
        where s.during @> %(at)s::timestamptz and s.cancelled_at is null
            and d.rule_code like s.rule_code_pattern and d.entity_id like s.entity_pattern
            and (s.unit_code is null or s.unit_code = d.unit_code)
            and (s.incident_kind is null or s.incident_kind = d.kind)
            and greatest(d.told_level, d.now_level) <= s.max_level
            and (s.calendar_code is null or not ref.is_working_time(s.calendar_code, %(at)s))
    )
order by d.now_level desc, d.rule_code, entity
"""


@dataclass(frozen=True)
class ReconcileReport:
    """``notifications``: outbox rows added; ``waiting``: groups that wait for their time; ``unreachable``: incidents
    for which neither the route nor the fallback has a verified address."""

    notifications: int = 0
    waiting: int = 0
    unreachable: int = 0


class _Address(NamedTuple):
    contact_id: int
    contact_code: str
    channel: str
    address: str


@dataclass
class _Group:
    route: dict[str, Any]
    key: str
    rows: list[dict[str, Any]] = field(default_factory=list)


def reconcile_in(connection: psycopg.Connection, at: datetime, settings: Settings | None = None) -> ReconcileReport:
    """Compare and tell, in the transaction of ``connection``; two reconcilers wait for each other."""
    connection.execute("select pg_advisory_xact_lock(hashtext('alerts:reconcile'))")
    cursor = connection.cursor(row_factory=dict_row)
    routes = {row["route_id"]: row for row in cursor.execute("select * from notify.route where is_enabled")}
    rows = cursor.execute(_MISMATCH, {"at": at}).fetchall()
    groups: dict[tuple[int, str], _Group] = {}
    for row in rows:
        route = routes[row["route_id"]]
        key = _group_key(route["group_by"], row)
        groups.setdefault((route["route_id"], key), _Group(route, key)).rows.append(row)
    _forget_settled(connection, groups)
    if not groups:
        return ReconcileReport()
    teller = notice.Teller(connection, routing.load(connection, at), at, settings)
    fallback = next((route for route in routes.values() if route["is_fallback"]), None)
    told = _Told(connection, {row["incident_id"] for row in rows})
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
            if not items:
                continue
            key = f"{group.route['code']}|{group.key}|{flush_seq}|{to.contact_code}|{to.channel}"
            notifications += teller.enqueue(
                notice.Destination(key, group.route["route_id"], group_id, to.contact_id, to.channel, to.address), items
            )
        _remember(connection, group_id, flush_seq, reached, at)
    told.write(at)
    if notifications:
        connection.execute("select pg_notify('ioc_outbox', '')")
    return ReconcileReport(notifications, waiting, unreachable)


class _Told:
    """What people were last told about the incidents of this pass, on each channel."""

    def __init__(self, connection: psycopg.Connection, incidents: set[Any]) -> None:
        self._connection = connection
        self._known: dict[tuple[Any, int, str], int] = {
            (incident, contact, channel): level
            for incident, contact, channel, level in connection.execute(
                "select incident_id, contact_id, channel, level from notify.told where incident_id = any(%s)",
                (list(incidents),),
            )
        }
        self._new: dict[tuple[Any, int, str], int] = {}

    def news(self, to: _Address, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The rows that ``to`` does not know yet; they count as told from here on."""
        fresh = []
        for row in rows:
            key = (row["incident_id"], to.contact_id, to.channel)
            level = self._known.get(key)
            # A route for grave levels ends at a level that another route has just told the same person.
            if level == row["now_level"] or (row["now_level"] == 0 and level == row["true_level"]):
                continue
            self._known[key] = self._new[key] = row["now_level"]
            fresh.append(row)
        return fresh

    def write(self, at: datetime) -> None:
        self._connection.execute(
            """
            insert into notify.told (incident_id, contact_id, channel, level, told_at)
            select *, %s from unnest(%s::uuid[], %s::bigint[], %s::text[], %s::int[])
            on conflict (incident_id, contact_id, channel)
                do update set level = excluded.level, told_at = excluded.told_at
            """,
            (
                at, [key[0] for key in self._new], [key[1] for key in self._new], [key[2] for key in self._new],
                list(self._new.values()),
            ),
        )  # fmt: skip


def _group_key(group_by: str, row: dict[str, Any]) -> str:
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
) -> tuple[dict[_Address, list[dict[str, Any]]], set[Any]]:
    """Per address the rows to tell there; and the incidents that reach nobody."""
    letters: dict[_Address, list[dict[str, Any]]] = defaultdict(list)
    unreached = set()
    for row in group.rows:
        found = _addresses(directory, group.route, row)
        if not found and fallback:
            found = _addresses(directory, fallback, row)
        if not found:
            unreached.add(row["incident_id"])
        for address in found:
            letters[address].append(row)
    return letters, unreached


def _addresses(directory: Directory, route: dict[str, Any], row: dict[str, Any]) -> list[_Address]:
    """Where a route reaches the people who answer for ``row``, by its own channels."""
    unit = {"fixed": route["unit_code"], "rule_owner": row["owner_unit"]}.get(route["unit_mode"], row["unit_code"])
    people = directory.people(unit or row["owner_unit"], route["roles"])
    return [
        _Address(contact.contact_id, contact.code, name, address)
        for contact in people
        for name, channel in all_channels().items()
        if name in route["channels"] and (address := channel.address_of(contact))
    ]


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
