"""What people are told without anything being late: tasks that they can take, directives, faults of the clocks."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

from alerts import audit
from alerts.notifying.notice import Plain
from alerts.notifying.rendering import moment
from alerts.procedures import flow
from alerts.procedures.letters import Letter, bundle, send
from alerts.procedures.timers import IS_ACKED

if TYPE_CHECKING:
    from alerts.procedures.letters import Address, Desk

_CHANNELS = ("web", "push", "email")
_DIRECTIVE_ROLES, _DIRECTIVE_CHANNELS = ("lanh_dao", "truc_ban"), ("web", "push", "sms", "email")
_HEADINGS = {"ready": "Việc mới chờ nhận", "assigned": "Việc được giao", "rejected": "Việc bị từ chối, cần giao lại"}

_TASKS = """
select t.task_id, t.title_vi, t.status, t.unit_code, t.role, t.assignee, t.due_at, t.note, c.code as case_code,
    c.title_vi as case_title, c.level, c.owner_unit
from sop.task t
join sop.case_ c using (case_id)
left join alert.incident i on i.incident_id = c.incident_id
left join alert.rule r on r.rule_id = i.rule_id
where t.announced_at is null and t.status in ('ready', 'assigned', 'rejected') and c.status = 'open'
    and (i.status is distinct from 'open'
        or not alert.is_suppressed(r.code, i.entity_id, i.unit_code, i.kind, c.level, %(at)s))
order by c.level desc, t.due_at, t.task_id
for no key update of t skip locked
"""
_DIRECTIVES = """
select d.directive_id, d.number, d.body, d.due_at, d.issued_by, a.unit_code, a.told_at is not null as is_overdue,
    c.code as case_code, c.title_vi as case_title, c.level
from sop.directive_recipient a
join sop.directive d using (directive_id)
join sop.case_ c using (case_id)
where a.finished_at is null and (a.told_at is null or (a.overdue_told_at is null and d.due_at < %(at)s))
order by d.directive_id, a.unit_code
for update of a skip locked
"""
_UNARMED = f"""
select c.case_id, c.code, c.title_vi, c.level from sop.case_ c
join alert.incident i using (incident_id)
where c.status = 'open' and i.status = 'open' and not {IS_ACKED}
    and c.snapshot -> 'chain' @> '[{{"condition": "not_acked"}}]'
    and not exists (
        select from sop.timer t
        where t.case_id = c.case_id and t.status = 'armed' and t.condition = 'not_acked' and t.round = c.round)
order by c.case_id
"""


def tasks(desk: Desk) -> Counter[str]:
    """Make new, assigned and rejected tasks known, one message per person: ``announced, unreachable, messages``."""
    found = Counter[str]()
    with desk.connection.transaction():
        rows = desk.connection.cursor(row_factory=dict_row).execute(_TASKS, {"at": desk.at}).fetchall()
        addressed = []
        for row in rows:
            addresses = _of_task(desk, row)
            if not addresses:
                found["unreachable"] += 1
                continue
            addressed.append((addresses, row))
            desk.connection.execute(
                "update sop.task set announced_at = %s where task_id = %s", (desk.at, row["task_id"])
            )
            found["announced"] += 1
        if addressed:
            teller = desk.teller()
            for to, of_letter in bundle(addressed, lambda row: row["status"]):
                found["messages"] += send(teller, to, _task_letter(desk, of_letter))
    return found


def _of_task(desk: Desk, row: dict[str, Any]) -> list[Address]:
    if row["status"] == "rejected":
        return desk.reach(row["owner_unit"], ["truc_ban"], _CHANNELS)
    assignee = desk.of(desk.user(row["assignee"]), _CHANNELS) if row["assignee"] else []
    return assignee or desk.reach(row["unit_code"], [row["role"]], _CHANNELS)


def _task_letter(desk: Desk, rows: list[dict[str, Any]]) -> Letter:
    top = rows[0]
    heading = _HEADINGS[top["status"]]
    lines = [
        f"{row['title_vi']} · {row['case_title']} · hạn {moment(row['due_at'])} · {row['case_code']}"
        + (f" · lý do: {row['note']}" if row["status"] == "rejected" else "")
        for row in rows
    ]
    subject = f"{heading}: {top['title_vi']}" + (f" và {len(rows) - 1} việc khác" if len(rows) > 1 else "")
    url = desk.url(top["case_code"])
    return Letter(
        key=f"task|{top['status']}|{top['task_id']}|{desk.at.isoformat()}",
        template_code="task",
        context={"heading": heading, "title": top["title_vi"], "count": len(rows), "lines": lines, "url": url},
        plain=Plain(subject, "\n".join([*lines, url])),
        level=max(row["level"] for row in rows),
    )


def directives(desk: Desk) -> Counter[str]:
    """Make directives known to their units, and say once when one is overdue: ``directives, unreachable, messages``."""
    found = Counter[str]()
    with desk.connection.transaction():
        rows = desk.connection.cursor(row_factory=dict_row).execute(_DIRECTIVES, {"at": desk.at}).fetchall()
        if not rows:
            return found
        teller = desk.teller()
        for row in rows:
            to = desk.reach(row["unit_code"], _DIRECTIVE_ROLES, _DIRECTIVE_CHANNELS)
            if row["is_overdue"]:
                to += [one for one in desk.of(desk.user(row["issued_by"]), _DIRECTIVE_CHANNELS) if one not in to]
            if not to:
                found["unreachable"] += 1
                continue
            found["messages"] += sum(send(teller, one, _directive_letter(desk, row)) for one in to)
            found["directives"] += 1
            desk.connection.execute(
                "update sop.directive_recipient set told_at = coalesce(told_at, %(at)s), "
                "overdue_told_at = case when %(is_overdue)s then %(at)s::timestamptz end "
                "where (directive_id, unit_code) = (%(directive_id)s, %(unit_code)s)",
                row | {"at": desk.at},
            )
    return found


def _directive_letter(desk: Desk, row: dict[str, Any]) -> Letter:
    issuer = desk.user(row["issued_by"])
    text = f"QUÁ HẠN BÁO CÁO. {row['body']}" if row["is_overdue"] else row["body"]
    url = desk.url(row["case_code"])
    unit_name = desk.directory.name_of(row["unit_code"])
    return Letter(
        key=f"directive|{row['number']}|{row['unit_code']}|{'overdue' if row['is_overdue'] else 'issued'}",
        template_code="directive",
        context={
            "code": row["number"], "case_code": row["case_code"], "title": row["case_title"], "text": text,
            "from_name": issuer[0].name_vi if issuer else row["issued_by"], "unit_name": unit_name,
            "due_at": row["due_at"], "url": url,
        },
        plain=Plain(f"Chỉ đạo {row['number']}: {row['case_title']}", f"{text}\nHạn {moment(row['due_at'])}\n{url}"),
        level=row["level"],
    )  # fmt: skip


def check_clocks(desk: Desk) -> Counter[str]:
    """The watch over the clocks: an open, unacknowledged incident with a chain has an armed timer.

    Where it has none, the duty of the centre is told and the chain armed from its first step: ``repaired, messages``.
    """
    found = Counter[str]()
    rows = desk.connection.cursor(row_factory=dict_row).execute(_UNARMED, {"at": desk.at}).fetchall()
    for row in rows:
        with desk.connection.transaction():
            if not flow.arm_case(desk.connection, row["case_id"], desk.at):
                continue
            audit.record(
                desk.connection, desk.at, flow.SYSTEM, "case.clock_repaired", about=("case", row["code"])
            )  # fmt: skip
            subject = f"Vụ việc {row['code']} không có đồng hồ nhắc việc"
            text = (
                f"{row['title_vi']} (cấp {row['level']}): cảnh báo đang mở, chưa ai xác nhận mà không có lần nhắc nào "
                f"đang chờ. Hệ thống đã đặt lại từ bước đầu; hãy báo quản trị hệ thống tìm nguyên nhân."
            )
            found += self_alert(desk, f"clock|{row['code']}|{desk.at:%Y%m%d%H%M}", subject, text, row["level"])
            found["repaired"] += 1
    return found


def self_alert(desk: Desk, key: str, subject: str, text: str, level: int) -> Counter[str]:
    """Tell the duty of the centre about a fault of the procedures themselves, once per ``key``."""
    teller = desk.teller()
    letter = Letter(
        f"self|{key}", "operations", {"subject": subject, "text": text}, Plain(subject, text), max(level, 2)
    )
    return Counter(messages=sum(send(teller, to, letter) for to in desk.duty()))
