"""Notices about the windows themselves: one when a suppression begins, one when it ends, each once.

That a notice was given is written with its messages, in one transaction: a crash gives both or neither. After a
downtime people hear how things stand: a window that is still open begins late, one that came and went has only ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

from alerts.channels import all_channels
from alerts.notifying.notice import Destination, Plain, Teller, incident_code
from alerts.notifying.rendering import moment
from alerts.suppression_list import KINDS_VI, Suppression, read

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    import psycopg

    from alerts.channels.base import Contact
    from alerts.notifying.routing import Directory

_CHANNELS = ("web", "email")
_DUTY, _DATA_OWNER = "truc_ban", "quan_tri_du_lieu"
_MOST_LISTED = 10

# A window lifted before anybody heard of its beginning is not spoken of at all. Inhibitions are spoken of by the
# incident of their source.
_DUE = """
select s.suppression_id, case when least(upper(s.during), s.cancelled_at) <= %(at)s then 'end' else 'start' end
from alert.suppression s
where s.kind <> 'inhibit' and lower(s.during) <= %(at)s
    and not exists (
        select from alert.window_notice n where n.suppression_id = s.suppression_id
            and (n.moment = 'end' or least(upper(s.during), s.cancelled_at) > %(at)s))
    and (s.cancelled_at is null or s.cancelled_at > %(at)s or exists (
        select from alert.window_notice n where n.suppression_id = s.suppression_id))
order by s.suppression_id
"""


def tell(connection: psycopg.Connection, open_teller: Callable[[], Teller], at: datetime) -> int:
    """Queue the notices that are due, in the transaction of ``connection``; how many messages.

    To the people on duty in the unit, or in the units that own the rules, and to the maker. With nobody there the
    notice stays due.
    """
    messages = 0
    for suppression_id, happening in connection.execute(_DUE, {"at": at}).fetchall():
        teller = open_teller()
        (window,) = read(connection, "where s.suppression_id = %(id)s", at, id=suppression_id)
        people = _people(connection, teller.directory, window)
        destinations = [
            Destination(f"khung|{suppression_id}|{happening}|{person.code}|{name}", None, None, person.contact_id, name,
                        address)
            for person in people
            for name, channel in all_channels().items()
            if name in _CHANNELS and (address := channel.address_of(person))
        ]  # fmt: skip
        if not destinations:
            continue
        context = _context(connection, teller.directory, window, happening, at)
        for to in destinations:
            messages += teller.post(to, "window", context, _plain(context), level=0)
        connection.execute(
            "insert into alert.window_notice select %s, unnest(%s::text[]), %s on conflict do nothing",
            (suppression_id, ["start", "end"] if happening == "end" else ["start"], at),
        )
    return messages


def _people(connection: psycopg.Connection, directory: Directory, window: Suppression) -> list[Contact]:
    roles = [_DATA_OWNER if window.is_known_dead else _DUTY]
    units = [window.unit_code] if window.unit_code else [
        owner for (owner,) in connection.execute(
            "select distinct owner_unit from alert.rule where is_enabled and code like %s "
            "and (%s::text is null or domain = %s)",
            (window.rule_code_pattern, window.domain, window.domain),
        )
    ]  # fmt: skip
    found = {person.contact_id: person for unit in units for person in directory.people(unit, roles)}
    for person in (one for unit in directory.by_unit.values() for one in unit):
        if person.user_name == window.created_by:
            found[person.contact_id] = person
    if not found:
        fallback = connection.execute("select unit_code, roles from notify.route where is_fallback").fetchone()
        found = {one.contact_id: one for one in directory.people(*fallback)} if fallback else {}
    return sorted(found.values(), key=lambda person: person.code)


def _context(
    connection: psycopg.Connection, directory: Directory, window: Suppression, happening: str, at: datetime
) -> dict[str, Any]:
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(
            """
            select i.incident_id, i.level, r.title_vi as title, coalesce(e.name_vi, i.entity_id) as entity
            from alert.suppression s
            join alert.incident i on i.status = 'open' and i.level <= s.max_level
            join alert.rule r on r.rule_id = i.rule_id
                and alert.is_about(s, r.code, i.entity_id, i.unit_code, i.kind, %(at)s)
            left join alerting.entity e on (e.entity_type, e.entity_id) = (i.entity_type, i.entity_id)
            where s.suppression_id = %(id)s order by i.level desc, i.opened_at
            """,
            {"id": window.suppression_id, "at": at},
        )
        open_incidents = [row | {"code": incident_code(row.pop("incident_id"))} for row in cursor.fetchall()]
    kind = "chuỗi đã ngừng" if window.is_known_dead else KINDS_VI[window.kind]
    return {
        "happening": happening,
        "headline": f"{'Kết thúc' if happening == 'end' else 'Bắt đầu'} {kind}",
        "scope": _scope(directory, window),
        "since": window.since,
        "until": min(window.until, window.cancelled_at or window.until),
        "lifted_by": window.cancelled_by if happening == "end" else None,
        "max_level": window.max_level,
        "reason": window.reason,
        "made_by": window.created_by,
        "incidents": open_incidents,
    }


def _scope(directory: Directory, window: Suppression) -> str:
    parts = [
        directory.name_of(window.unit_code),
        "mọi quy tắc" if window.rule_code_pattern == "%" else f"quy tắc {window.rule_code_pattern}",
        "mọi đối tượng" if window.entity_pattern == "%" else f"đối tượng {window.entity_pattern}",
    ]
    return ", ".join(parts).replace("\\", "")


def _plain(context: dict[str, Any]) -> Plain:
    lines = [
        f"[{context['headline']}] {context['scope']}",
        f"Từ {moment(context['since'])} đến {moment(context['until'])}"
        + (f" (kết thúc sớm bởi {context['lifted_by']})" if context["lifted_by"] else ""),
        f"Đến cấp {context['max_level']}. Lý do: {context['reason']} (người lập: {context['made_by']})",
        f"Sự cố đang mở trong phạm vi: {len(context['incidents'])}"
        + ("; những sự cố chưa báo sẽ được báo ngay" if context["happening"] == "end" and context["incidents"] else ""),
        *(
            f"- cấp {one['level']}: {one['title']}, {one['entity']} · {one['code']}"
            for one in context["incidents"][:_MOST_LISTED]
        ),
    ]
    return Plain(f"{context['headline']}: {context['scope']}", "\n".join(lines))
