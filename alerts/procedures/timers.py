"""Clocks of escalations: rows that are due, looked at again when they fire.

A timer fires once and only while its condition holds; after a standstill that is what is still true, once. Two drains
share the due ones out by ``for update skip locked``; message and fired mark commit together.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.rows import dict_row

from alerts import audit
from alerts.notifying.notice import Plain
from alerts.notifying.rendering import moment
from alerts.procedures import flow
from alerts.procedures.letters import Letter, bundle, send

if TYPE_CHECKING:
    from datetime import datetime

    from alerts.procedures.letters import Address, Desk

_log = logging.getLogger(__name__)
_BATCH = 500
# An incident somebody accepted: the acceptance has not run out and no higher level has voided it.
IS_ACKED = "coalesce(i.ack_until > %(at)s and i.ack_void_at is null and i.ack_level >= i.level, false)"

_DUE = f"""
select tm.timer_id, tm.task_id, tm.position, tm.condition, tm.round, tm.due_at, tm.incident_id, tm.skip_reason,
    c.case_id, c.code as case_code, c.title_vi, c.level, c.status as case_status, c.unit_code, c.owner_unit,
    c.round as case_round, c.opened_at, c.snapshot -> 'chain' as chain,
    c.snapshot #>> '{{template,chain_code}}' as chain_code,
    i.status as incident_status, i.level as incident_level, i.opened_at as incident_opened_at, {IS_ACKED} as is_acked,
    t.status as task_status, t.title_vi as task_title, t.unit_code as task_unit, t.ready_at, t.due_at as task_due_at,
    i.incident_id is not null and alert.is_suppressed(r.code, i.entity_id, i.unit_code, i.kind,
        case when tm.task_id is null and i.level > 0 then i.level else c.level end, %(at)s) as is_suppressed
from sop.timer tm
join sop.case_ c using (case_id)
left join sop.task t on t.task_id = tm.task_id
left join alert.incident i on i.incident_id = c.incident_id
left join alert.rule r on r.rule_id = i.rule_id
where tm.status = 'armed' and tm.due_at <= %(at)s and tm.timer_id > %(after)s
order by tm.timer_id limit {_BATCH}
for update of tm skip locked
"""
# What waits for an acknowledgement goes on where it stood when the acknowledgement runs out: the first step then, the
# others at their distance from it.
_SHIFT = f"""
with acked as (
    select c.case_id, c.snapshot -> 'chain' as chain, i.ack_until, min(tm.due_at) as first_due_at
    from sop.timer tm
    join sop.case_ c using (case_id)
    join alert.incident i on i.incident_id = c.incident_id
    where tm.status = 'armed' and tm.condition = 'not_acked' and c.status = 'open' and i.status = 'open' and {IS_ACKED}
    group by c.case_id, i.incident_id having min(tm.due_at) < i.ack_until
)
update sop.timer tm set skip_reason = 'acked',
    due_at = ref.add_work(link.calendar_code, a.ack_until,
        ref.work_between(link.calendar_code, a.first_due_at, tm.due_at))
from acked a
cross join lateral (
    select (l.value ->> 'position')::int as position, l.value ->> 'calendar_code' as calendar_code
    from jsonb_array_elements(a.chain) l
) link
where tm.case_id = a.case_id and tm.status = 'armed' and tm.condition = 'not_acked' and link.position = tm.position
"""
# A case that was closed over a firing incident comes back when that rises: it was closed for a lower level.
_RISEN = """
select c.case_id from sop.case_ c join alert.incident i using (incident_id)
where (c.status = 'open' or c.closed_while_firing) and i.status = 'open' and i.level > c.level order by c.case_id
"""
_REASONS = {
    "not_acked": "Chưa có người xác nhận cảnh báo",
    "not_accepted": "Chưa có người nhận việc",
    "not_done": "Công việc chưa hoàn thành",
    "overdue": "Công việc quá hạn",
}


def risen(connection: psycopg.Connection[Any]) -> list[int]:
    """Cases whose incident is above the level that they know: open ones, and those closed while it was firing."""
    return [case_id for (case_id,) in connection.execute(_RISEN)]


def raise_case(connection: psycopg.Connection[Any], case_id: int, at: datetime) -> bool:
    """Begin a new round of escalation, from the first step, when the incident has risen above the case's level.

    A case that was closed over the firing incident is opened again, with the tasks that were cancelled by closing it.
    """
    case = flow.lock_case(connection, case_id)
    row = connection.execute(
        "select level from alert.incident where incident_id = %s and status = 'open' and level > %s",
        (case["incident_id"], case["level"]),
    ).fetchone()
    if row is None:
        return False
    if case["status"] != "open":
        flow.reopen(connection, case, at)
    connection.execute("update sop.case_ set level = %s, round = round + 1 where case_id = %s", (row[0], case_id))
    flow.cancel_timers(connection, at, "level_rose", case_id=case_id, condition=flow.CASE_CLOCK)
    flow.arm_case(connection, case_id, at)
    if case["status"] != "open":
        flow.advance(connection, case_id, at)
    audit.record(
        connection, at, flow.SYSTEM, "case.level_rose", about=("case", case["code"]),
        detail={"from": case["level"], "to": row[0], "round": case["round"] + 1, "reopened": case["status"] != "open"},
    )  # fmt: skip
    return True


def fire_due(desk: Desk) -> Counter[str]:
    """Fire what is due at the desk's clock: ``fired, lapsed, held, unreachable, messages``."""
    connection, found, after = desk.connection, Counter[str](), 0
    with connection.transaction():
        connection.execute(_SHIFT, {"at": desk.at})
    while True:
        with connection.transaction():
            rows = connection.cursor(row_factory=dict_row).execute(_DUE, {"at": desk.at, "after": after}).fetchall()
            found += _fire(desk, rows)
        if len(rows) < _BATCH:
            return found
        after = rows[-1]["timer_id"]


def _fire(desk: Desk, rows: list[dict[str, Any]]) -> Counter[str]:
    found = Counter[str]()
    addressed: list[tuple[list[Address], dict[str, Any]]] = []
    for row in rows:
        try:
            with desk.connection.transaction():
                outcome, addresses = _one(desk, row)
        except psycopg.OperationalError:
            raise
        except Exception as error:
            # One bad clock must not hold up the others; it stays armed.
            _log.exception("timer %s", row["timer_id"])
            desk.errors.append(f"clock {row['timer_id']} of case {row['case_code']}: {error}")
            continue
        found[outcome] += 1
        if addresses:
            addressed.append((addresses, row))
    # Last, because it is the lock that everybody needs.
    for addresses, row in addressed:
        audit.record(
            desk.connection, desk.at, flow.SYSTEM, "case.escalated", about=("case", row["case_code"]),
            detail={
                "condition": row["condition"], "step": row["position"], "round": row["round"],
                "task": row["task_title"],
                "told": sorted({f"{one.contact_code}/{one.channel}" for one in addresses}),
            },
        )  # fmt: skip
    if addressed:
        teller = desk.teller()
        for to, of_letter in bundle(addressed, lambda row: (row["condition"], row["position"])):
            found["messages"] += send(teller, to, _letter(desk, of_letter))
    return found


def _one(desk: Desk, row: dict[str, Any]) -> tuple[str, list[Address]]:
    """What becomes of one due timer, and whom it tells when it fires."""
    lapsed = _lapsed(row, desk.at)
    if lapsed:
        _finish(desk, row, "cancelled", lapsed)
        return "lapsed", []
    if row["is_acked"] and row["condition"] == flow.CASE_CLOCK:
        return "held", []  # accepted a moment ago: the next drain moves the clock
    link = next(link for link in row["chain"] if link["position"] == row["position"])
    addresses = [] if row["is_suppressed"] else desk.reach(
        row["task_unit"] or row["owner_unit"], link["roles"], link["channels"], hop=link["unit_hop"]
    )  # fmt: skip
    if addresses:
        _finish(desk, row, "fired", None)
        _again(desk, row, link)
        return "fired", addresses
    reason = "suppressed" if row["is_suppressed"] else "unreachable"
    if row["skip_reason"] != reason:
        desk.connection.execute("update sop.timer set skip_reason = %s where timer_id = %s", (reason, row["timer_id"]))
    return ("held" if row["is_suppressed"] else "unreachable"), []


def _lapsed(row: dict[str, Any], at: datetime) -> str | None:
    """Why the condition of a due timer no longer holds; None when it does."""
    if row["case_status"] != "open":
        return "case_closed"
    if row["condition"] == flow.CASE_CLOCK:
        if row["incident_status"] != "open":
            return "incident_closed"
        return "level_rose" if row["round"] < row["case_round"] else None
    if row["condition"] == "not_accepted":
        return None if row["task_status"] in ("ready", "assigned") else f"task_{row['task_status']}"
    if row["task_status"] not in flow.UNFINISHED:
        return f"task_{row['task_status']}"
    return "not_due" if row["condition"] == "overdue" and row["task_due_at"] > at else None


def _finish(desk: Desk, row: dict[str, Any], status: str, reason: str | None) -> None:
    desk.connection.execute(
        "update sop.timer set status = %s, finished_at = %s, skip_reason = %s where timer_id = %s",
        (status, desk.at, reason, row["timer_id"]),
    )


def _again(desk: Desk, row: dict[str, Any], link: dict[str, Any]) -> None:
    """The next of a step that repeats: counted from now, so that a standstill is not made up for."""
    if link["repeat_every"] is None:
        return
    desk.connection.execute(
        """
        insert into sop.timer (incident_id, case_id, task_id, chain_code, position, condition, due_at, round)
        values (%s, %s, %s, %s, %s, %s, ref.add_work(%s, %s, %s::interval), %s)
        """,
        (
            row["incident_id"], row["case_id"], row["task_id"], row["chain_code"], row["position"], row["condition"],
            link["calendar_code"], desk.at, link["repeat_every"], row["round"],
        ),
    )  # fmt: skip


def _letter(desk: Desk, rows: list[dict[str, Any]]) -> Letter:
    """One reminder: about the gravest row, the others counted and listed."""
    rows = sorted(rows, key=lambda row: (-row["level"], row["timer_id"]))
    top = rows[0]
    since = {"not_acked": top["opened_at"], "overdue": top["task_due_at"]}.get(top["condition"], top["ready_at"])
    title = f"{top['task_title']} – {top['title_vi']}" if top["task_title"] else top["title_vi"]
    if len(rows) > 1:
        title += f" và {len(rows) - 1} việc khác"
    reason = f"{_REASONS[top['condition']]} từ {moment(since)}"
    unit_name = desk.directory.name_of(top["task_unit"] or top["unit_code"])
    step = top["position"] + 1
    lines = [
        f"[Nhắc lần {step} – cấp {row['level']}] {row['task_title'] or row['title_vi']} · {row['case_code']}"
        for row in rows
    ]
    told = [row for row in rows if row["condition"] == flow.CASE_CLOCK and row["incident_id"]]
    return Letter(
        key=f"escalation|{min(row['timer_id'] for row in rows)}",
        template_code="escalation",
        context={
            "code": top["case_code"], "title": title, "unit_name": unit_name, "level": top["level"], "reason": reason,
            "step": step, "since": since, "url": desk.url(top["case_code"]), "count": len(rows), "lines": lines,
        },
        plain=Plain(f"{reason}: {title}", "\n".join([f"{reason}.", *lines, desk.url(top["case_code"])])),
        level=max(row["level"] for row in rows),
        incident_ids=[row["incident_id"] for row in told],
        incident_levels=[row["incident_level"] for row in told],
    )  # fmt: skip
