"""What people do with a case: open one by hand, remark, close it. Data close incidents, people close cases."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from alerts import audit
from alerts.incidents import ActRefusedError
from alerts.procedures import flow, views
from alerts.procedures.model import CaseView, Comment
from ioc import warehouse

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    import psycopg

    from ioc.settings import Settings


def open_case(
    template_code: str,
    user: str,
    *,
    title: str = "",
    level: int = 2,
    unit_code: str | None = None,
    owner_unit: str | None = None,
    incident_id: UUID | None = None,
    unit_codes: Sequence[str] | None = None,
    settings: Settings | None = None,
    at: datetime | None = None,
) -> CaseView:
    """Open a case by hand: for something that no rule saw, or for an incident below its rule's level.

    Args:
        template_code: The procedure; its version in force is used.
        user: Who opens it.
        title: Free title; default: the procedure's title and the place.
        level: 1 to 4; an incident's own level wins.
        unit_code: Where it happens; default: the incident's unit.
        owner_unit: Who coordinates; default: the owner of the incident's rule, the first of ``unit_codes``, the
            centre itself.
        incident_id: The incident it is about, if any.
        unit_codes: Units that the user answers for; None = all.
        settings: Settings of the stack; default: this process's.
        at: The clock; default: now.

    Raises:
        ActRefusedError: no such procedure in force, no such open incident for these units, or it has a case already.
    """
    at = at or datetime.now(UTC)
    if not 1 <= level <= 4:
        raise ActRefusedError("Mức của vụ việc từ 1 đến 4.")
    with warehouse.connect("portal", settings) as connection:
        row = connection.execute(
            "select template_id, title_vi from sop.template where code = %s and status = 'approved'", (template_code,)
        ).fetchone()
        if row is None:
            raise ActRefusedError(f"Không có quy trình {template_code} đang có hiệu lực.")
        place = None
        if incident_id is not None:
            level, unit_code, owner_unit, place = _incident(connection, incident_id, unit_codes, unit_code, owner_unit)
        owner_unit = owner_unit or (unit_codes[0] if unit_codes else "IOC")
        for code in filter(None, (unit_code, owner_unit)):
            if not connection.execute("select from ref.org_unit where code = %s", (code,)).rowcount:
                raise ActRefusedError(f"Không có đơn vị {code}.")
        case_id = flow.open_case_in(
            connection, at, user, template_id=row[0], level=level, unit_code=unit_code, owner_unit=owner_unit,
            incident_id=incident_id, title_vi=title.strip() or (f"{row[1]}: {place}" if place else str(row[1])),
        )  # fmt: skip
        if case_id is None:
            raise ActRefusedError("Sự cố này đã có vụ việc.")
        connection.execute("select pg_notify('ioc_outbox', '')")
        return _view(connection, case_id, at)


def _incident(
    connection: psycopg.Connection[Any],
    incident_id: UUID,
    units: Sequence[str] | None,
    unit_code: str | None,
    owner_unit: str | None,
) -> tuple[int, str | None, str, str]:
    row = connection.execute(
        """
        select i.level, i.unit_code, r.owner_unit, coalesce(e.name_vi, i.entity_id)
        from alert.incident i
        join alert.rule r using (rule_id)
        left join alerting.entity e on (e.entity_type, e.entity_id) = (i.entity_type, i.entity_id)
        where i.incident_id = %(id)s and i.status = 'open'
            and (%(units)s::text[] is null or i.unit_code = any(%(units)s) or r.owner_unit = any(%(units)s))
        """,
        {"id": incident_id, "units": list(units) if units is not None else None},
    ).fetchone()
    if row is None:
        raise ActRefusedError("Không có sự cố đang mở này trong phạm vi của đơn vị.")
    return row[0], unit_code or row[1], owner_unit or row[2], row[3]


def close_case(
    code: str,
    reason: str,
    user: str,
    *,
    note: str = "",
    cancel_open_tasks: bool = False,
    unit_codes: Sequence[str] | None = None,
    settings: Settings | None = None,
    at: datetime | None = None,
) -> CaseView:
    """Close a case; its clocks stop, unfinished tasks are cancelled.

    Args:
        code: The case.
        reason: Code of a reason (see :func:`alerts.procedures.close_reasons`).
        user: Who closes it.
        note: Free text; needed while the incident is still open.
        cancel_open_tasks: Without it a case with unfinished tasks stays open.
        unit_codes: Units that the user answers for; None = all. Only the coordinating unit may close.
        settings: Settings of the stack; default: this process's.
        at: The clock; default: now.

    Raises:
        ActRefusedError: no such open case for these units, no such reason, a reason that does not do while the incident
            is open, unfinished tasks.
    """
    at = at or datetime.now(UTC)
    with warehouse.connect("portal", settings) as connection:
        view = views.case_view(connection, code, unit_codes, at)
        case = flow.lock_case(connection, view.case_id)
        if case["status"] != "open":
            raise ActRefusedError(f"Vụ việc {code} đã đóng.")
        if not views.is_of(connection, case["owner_unit"], unit_codes):
            raise ActRefusedError("Chỉ đơn vị chủ trì được đóng vụ việc.")
        known = connection.execute("select while_firing from sop.close_reason where code = %s", (reason,)).fetchone()
        if known is None:
            raise ActRefusedError("Cần chọn lý do đóng vụ việc.")
        is_firing = view.incident_status == "open"
        if is_firing and not known[0]:
            raise ActRefusedError("Sự cố vẫn đang diễn ra: cần chọn lý do phù hợp và ghi rõ vì sao đóng.")
        if is_firing and not note.strip():
            raise ActRefusedError("Sự cố vẫn đang diễn ra: cần ghi rõ vì sao đóng vụ việc.")
        unfinished = connection.execute(
            "select task_id, step_code from sop.task where case_id = %s and status <> all(%s) order by position",
            (view.case_id, list(flow.SETTLED)),
        ).fetchall()
        if unfinished and not cancel_open_tasks:
            raise ActRefusedError(f"Còn {len(unfinished)} công việc chưa xong; hãy hoàn thành hoặc chọn hủy chúng.")
        connection.execute(
            "update sop.task set status = 'cancelled', finished_at = %s, note = %s, version = version + 1, "
            "updated_by = %s, updated_at = %s where task_id = any(%s)",
            (at, flow.CLOSED_WITH_CASE, user, at, [task_id for task_id, _ in unfinished]),
        )
        flow.cancel_timers(connection, at, "case_closed", case_id=view.case_id)
        connection.execute(
            "update sop.case_ set status = 'closed', closed_by = %s, closed_at = %s, close_reason = %s, "
            "close_note = nullif(%s, ''), closed_while_firing = %s where case_id = %s",
            (user, at, reason, note.strip(), is_firing, view.case_id),
        )
        for task_id, step_code in unfinished:
            audit.record(
                connection, at, user, "task.cancelled", about=("task", task_id),
                detail={"case": code, "step": step_code, "reason": flow.CLOSED_WITH_CASE},
            )  # fmt: skip
        audit.record(
            connection, at, user, "case.closed", about=("case", code),
            detail={"reason": reason, "note": note.strip(), "while_firing": is_firing, "cancelled": len(unfinished)},
        )  # fmt: skip
        return _view(connection, view.case_id, at)


def comment(
    code: str,
    body: str,
    user: str,
    *,
    task_id: int | None = None,
    unit_codes: Sequence[str] | None = None,
    settings: Settings | None = None,
    at: datetime | None = None,
) -> Comment:
    """Remark on a case, or on one of its tasks; stays for good.

    Raises:
        ActRefusedError: no such case for these units, the task is not of it, no text or more than 10,000 characters.
    """
    at = at or datetime.now(UTC)
    body = body.strip()
    if not 0 < len(body) <= 10_000:
        raise ActRefusedError("Ý kiến cần có nội dung, không quá 10.000 ký tự.")
    with warehouse.connect("portal", settings) as connection:
        view = views.case_view(connection, code, unit_codes, at)
        flow.check_task(connection, view.case_id, task_id)
        row = connection.execute(
            "insert into sop.comment (case_id, task_id, author, body, created_at) values (%s, %s, %s, %s, %s) "
            "returning comment_id",
            (view.case_id, task_id, user, body, at),
        ).fetchone()
        assert row is not None
        audit.record(
            connection, at, user, "case.commented", about=("case", code), detail={"comment": row[0], "task": task_id}
        )
        return Comment(row[0], task_id, user, body, at)


def _view(connection: psycopg.Connection[Any], case_id: int, at: datetime) -> CaseView:
    row = connection.execute("select code from sop.case_ where case_id = %s", (case_id,)).fetchone()
    assert row is not None
    return views.case_view(connection, row[0], None, at)
