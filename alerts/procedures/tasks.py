"""What people do with a task: assign, accept, start, finish, reject, skip, cancel.

The ways from state to state are rows of ``sop.task_move``, held by a trigger. Every act locks the case, so two officers
never both succeed; the second is told who was first. Give the ``version`` that the page showed.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from alerts import audit
from alerts.incidents import ActRefusedError
from alerts.notifying.rendering import moment
from alerts.procedures import flow, views
from ioc import warehouse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import psycopg

    from alerts.procedures.model import TaskView
    from ioc.settings import Settings

    _Change = Callable[[psycopg.Connection[Any], "_Row", datetime], "_Row"]

STATUS_VI = {
    "waiting": "chờ bước trước",
    "ready": "chờ nhận",
    "assigned": "đã giao",
    "accepted": "đã nhận",
    "in_progress": "đang thực hiện",
    "done": "hoàn thành",
    "rejected": "bị từ chối",
    "skipped": "bỏ qua",
    "cancelled": "đã hủy",
}
_ACT_VI = {
    "assign": "giao",
    "accept": "nhận",
    "start": "bắt đầu",
    "finish": "hoàn thành",
    "reject": "từ chối",
    "skip": "bỏ qua",
    "cancel": "hủy",
}
# The coordinating unit of a case may do these in the queue of every unit.
_COORDINATION = ("assign", "skip", "cancel")

_Row = dict[str, Any]


def assign(
    task_id: int,
    assignee: str,
    user: str,
    *,
    unit_code: str | None = None,
    note: str = "",
    version: int | None = None,
    unit_codes: Sequence[str] | None = None,
    settings: Settings | None = None,
    at: datetime | None = None,
) -> TaskView:
    """Give a task to somebody, perhaps in another unit; also one that was rejected, or that somebody else has.

    Args:
        task_id: The task.
        assignee: Login name of whoever shall do it.
        user: Who assigns.
        unit_code: The unit whose queue it moves to; None = stays.
        note: Free text.
        version: Of the task as the user saw it; None = whatever it is now.
        unit_codes: Units that the user answers for; None = all.
        settings: Settings of the stack; default: this process's.
        at: The clock; default: now.

    Raises:
        ActRefusedError: no such task, somebody was faster, not possible in this state, no such user or unit.
    """
    assignee = assignee.strip().lower()

    def change(connection: psycopg.Connection[Any], row: _Row, now: datetime) -> _Row:
        if not connection.execute(
            "select from ref.contact where user_name = %(name)s and is_active "
            "union all select from portal.account where username = %(name)s and is_active",
            {"name": assignee},
        ).rowcount:
            raise ActRefusedError(f"Không có người dùng “{assignee}”.")
        unit = unit_code or row["unit_code"]
        if not connection.execute("select from ref.org_unit where code = %s", (unit,)).rowcount:
            raise ActRefusedError(f"Không có đơn vị {unit}.")
        told = now if assignee == user else None
        return {
            "assignee": assignee,
            "unit_code": unit,
            "accepted_at": None,
            "note": note or None,
            "announced_at": told,
        }

    return _act("assign", task_id, user, change, version=version, units=unit_codes, settings=settings, at=at)


def accept(
    task_id: int,
    user: str,
    *,
    version: int | None = None,
    unit_codes: Sequence[str] | None = None,
    settings: Settings | None = None,
    at: datetime | None = None,
) -> TaskView:
    """Take a task: from the unit's queue, or one assigned to the user. Arguments and errors as :func:`assign`."""

    def change(_: psycopg.Connection[Any], row: _Row, now: datetime) -> _Row:
        if row["assignee"] not in (None, user):
            raise ActRefusedError(f"Công việc đã giao cho {row['assignee']}.")
        return {"assignee": user, "accepted_at": now}

    return _act("accept", task_id, user, change, version=version, units=unit_codes, settings=settings, at=at)


def start(
    task_id: int,
    user: str,
    *,
    version: int | None = None,
    unit_codes: Sequence[str] | None = None,
    settings: Settings | None = None,
    at: datetime | None = None,
) -> TaskView:
    """Begin a task that the user has accepted. Arguments and errors as :func:`assign`."""

    def change(_: psycopg.Connection[Any], row: _Row, __: datetime) -> _Row:
        _is_theirs(row, user)
        return {}

    return _act("start", task_id, user, change, version=version, units=unit_codes, settings=settings, at=at)


def finish(
    task_id: int,
    outcome: str,
    user: str,
    *,
    evidence: Sequence[int] = (),
    note: str = "",
    version: int | None = None,
    unit_codes: Sequence[str] | None = None,
    settings: Settings | None = None,
    at: datetime | None = None,
) -> TaskView:
    """Finish a task with an outcome; what depends on it becomes ready at once.

    Args:
        task_id: The task.
        outcome: Code of one of its ``outcomes``.
        user: Who finishes it; the one who has it.
        evidence: Attachments of the case that prove it; those attached to the task itself count anyway.
        note: Free text.
        version: Of the task as the user saw it; None = whatever it is now.
        unit_codes: Units that the user answers for; None = all.
        settings: Settings of the stack; default: this process's.
        at: The clock; default: now.

    Raises:
        ActRefusedError: as :func:`assign`; besides no such outcome, no evidence where it is required, a file of
            another case.
    """

    def change(connection: psycopg.Connection[Any], row: _Row, now: datetime) -> _Row:
        _is_theirs(row, user)
        step = next(step for step in row["snapshot"]["steps"] if step["code"] == row["step_code"])
        if outcome not in step["outcomes"]:
            names = ", ".join(label["vi"] for label in step["outcome_labels"].values())
            raise ActRefusedError(f"Cần chọn kết quả của công việc: {names}.")
        files = connection.cursor(row_factory=dict_row).execute(
            "select attachment_id, file_name, sha256, size_bytes, uploaded_by, uploaded_at from sop.attachment "
            "where case_id = %s and (task_id = %s or attachment_id = any(%s)) order by attachment_id",
            (row["case_id"], task_id, list(evidence)),
        ).fetchall()  # fmt: skip
        if set(evidence) - {file["attachment_id"] for file in files}:
            raise ActRefusedError("Có tệp minh chứng không thuộc vụ việc này.")
        if step["evidence_required"] and not files:
            raise ActRefusedError("Công việc này cần ít nhất một tệp minh chứng trước khi hoàn thành.")
        kept = [file | {"uploaded_at": file["uploaded_at"].isoformat()} for file in files]
        return {"outcome": outcome, "finished_at": now, "note": note.strip() or None, "evidence": Jsonb(kept)}

    return _act("finish", task_id, user, change, version=version, units=unit_codes, settings=settings, at=at)


def reject(
    task_id: int,
    reason: str,
    user: str,
    *,
    version: int | None = None,
    unit_codes: Sequence[str] | None = None,
    settings: Settings | None = None,
    at: datetime | None = None,
) -> TaskView:
    """Give a task back to the coordinating unit, with a reason: it then assigns, skips or cancels it.

    Arguments and errors as :func:`assign`; besides no reason, or somebody else has it.
    """

    def change(_: psycopg.Connection[Any], row: _Row, __: datetime) -> _Row:
        if row["assignee"] not in (None, user):
            raise ActRefusedError(f"Công việc đang do {row['assignee']} thực hiện.")
        return {"assignee": None, "accepted_at": None, "announced_at": None, "note": _needed(reason)}

    return _act("reject", task_id, user, change, version=version, units=unit_codes, settings=settings, at=at)


def skip(
    task_id: int,
    reason: str,
    user: str,
    *,
    version: int | None = None,
    unit_codes: Sequence[str] | None = None,
    settings: Settings | None = None,
    at: datetime | None = None,
) -> TaskView:
    """Leave a task out, with a reason; what depends on it goes on. Arguments and errors as :func:`assign`."""
    change = _ending(reason)
    return _act("skip", task_id, user, change, version=version, units=unit_codes, settings=settings, at=at)


def cancel(
    task_id: int,
    reason: str,
    user: str,
    *,
    version: int | None = None,
    unit_codes: Sequence[str] | None = None,
    settings: Settings | None = None,
    at: datetime | None = None,
) -> TaskView:
    """Call a task off, with a reason; what depends on it goes on. Arguments and errors as :func:`assign`."""
    change = _ending(reason)
    return _act("cancel", task_id, user, change, version=version, units=unit_codes, settings=settings, at=at)


def _ending(reason: str) -> _Change:
    """What skipping and cancelling change alike."""
    return lambda _, __, now: {"finished_at": now, "note": _needed(reason)}


def _needed(reason: str) -> str:
    if not reason.strip():
        raise ActRefusedError("Cần nêu lý do.")
    return reason.strip()


def _is_theirs(row: _Row, user: str) -> None:
    if row["assignee"] != user:
        raise ActRefusedError(f"Công việc đang do {row['assignee']} thực hiện.")


def _act(
    act: str,
    task_id: int,
    user: str,
    change: _Change,
    *,
    version: int | None,
    units: Sequence[str] | None,
    settings: Settings | None,
    at: datetime | None,
) -> TaskView:
    at = at or datetime.now(UTC)
    with warehouse.connect("portal", settings) as connection:
        row = _locked(connection, task_id)
        allowed = (row["unit_code"], row["owner_unit"]) if act in _COORDINATION else (row["unit_code"],)
        if row["assignee"] != user and not any(views.is_of(connection, unit, units) for unit in allowed):
            raise ActRefusedError("Không có công việc này trong phạm vi của đơn vị.")
        if row["case_status"] != "open":
            raise ActRefusedError(f"Vụ việc {row['case_code']} đã đóng.")
        move = connection.execute(
            "select to_status from sop.task_move where (act, from_status) = (%s, %s)", (act, row["status"])
        ).fetchone()
        if (version is not None and version != row["version"]) or move is None:
            raise ActRefusedError(_too_late(act, row))
        values = change(connection, row, at) | {"status": move[0], "updated_by": user, "updated_at": at}
        connection.execute(
            f"update sop.task set version = version + 1, {', '.join(f'{name} = %({name})s' for name in values)} "
            "where task_id = %(task_id)s",
            values | {"task_id": task_id},
        )
        if move[0] in flow.SETTLED:
            flow.cancel_timers(connection, at, f"task_{move[0]}", task_id=task_id)
        detail = {name: value for name, value in values.items() if name in ("assignee", "unit_code", "outcome", "note")}
        if act == "finish":
            detail["evidence"] = [file["sha256"] for file in values["evidence"].obj]
        audit.record(
            connection, at, user, f"task.{move[0]}", about=("task", task_id),
            detail={"case": row["case_code"], "step": row["step_code"], "from": row["status"], **detail},
        )  # fmt: skip
        if move[0] in flow.SETTLED:
            flow.advance(connection, row["case_id"], at)
        connection.execute("select pg_notify('ioc_outbox', '')")
        return views.tasks_in(connection, "where t.task_id = %(task_id)s", at, task_id=task_id)[0]


def _locked(connection: psycopg.Connection[Any], task_id: int) -> _Row:
    """The task with its case, both locked."""
    found = connection.execute("select case_id from sop.task where task_id = %s", (task_id,)).fetchone()
    if found is None:
        raise ActRefusedError("Không có công việc này trong phạm vi của đơn vị.")
    case = flow.lock_case(connection, found[0])
    row = connection.cursor(row_factory=dict_row).execute(
        "select * from sop.task where task_id = %s for no key update", (task_id,)
    ).fetchone()  # fmt: skip
    assert row is not None
    return row | {
        "case_code": case["code"],
        "case_status": case["status"],
        "owner_unit": case["owner_unit"],
        "snapshot": case["snapshot"],
    }


def _too_late(act: str, row: _Row) -> str:
    who = f" {row['updated_by']} vừa cập nhật lúc {moment(row['updated_at'])}." if row["updated_by"] else ""
    return f"Không thể {_ACT_VI[act]}: công việc đang ở trạng thái “{STATUS_VI[row['status']]}”.{who}"
