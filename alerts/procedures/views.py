"""What pages show of procedures: lists of cases and tasks.

``unit_codes`` narrows every function to what those units may see: cases that happen there, that they coordinate, or in
which they have a task or a directive. None = all.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row, dict_row

from alerts.incidents import ActRefusedError
from alerts.notifying.notice import incident_code
from alerts.procedures.model import CaseView, CloseReason, Outcome, TaskView
from ioc import warehouse

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    import psycopg

    from ioc.settings import Settings

VISIBLE = """
(%(units)s::text[] is null or ref.is_of(c.unit_code, %(units)s) or ref.is_of(c.owner_unit, %(units)s)
    or exists (select from sop.task seen where seen.case_id = c.case_id and ref.is_of(seen.unit_code, %(units)s))
    or exists (select from sop.directive d join sop.directive_recipient a using (directive_id)
        where d.case_id = c.case_id and ref.is_of(a.unit_code, %(units)s)))
"""
UNIT_NAME = """
left join lateral (
    select u.name_vi from ref.org_unit u where u.code = {column}
    order by u.valid @> %(at)s::date desc, u.valid desc limit 1
) {alias} on true
"""
_CASES = f"""
select c.case_id, c.code, c.title_vi, c.status, c.level, c.unit_code,
    coalesce(place.name_vi, c.unit_code, 'Toàn tỉnh') as unit_name, c.owner_unit,
    coalesce(owner.name_vi, c.owner_unit, '') as owner_unit_name,
    c.snapshot #>> '{{template,code}}' as template_code,
    (c.snapshot #>> '{{template,version}}')::int as template_version,
    c.snapshot #>> '{{template,title_vi}}' as template_title_vi,
    c.snapshot #>> '{{template,title_en}}' as template_title_en,
    c.incident_id, i.status as incident_status, i.level as incident_level,
    coalesce(i.status = 'open' and i.ack_until > %(at)s and i.ack_void_at is null and i.ack_level >= i.level, false)
        as is_acked,
    c.opened_by, c.opened_at, c.closed_by, c.closed_at, c.close_reason, w.name_vi as close_reason_vi,
    w.name_en as close_reason_en, c.close_note, c.closed_while_firing, work.*
from sop.case_ c
left join alert.incident i using (incident_id)
left join sop.close_reason w on w.code = c.close_reason
{UNIT_NAME.format(column="c.unit_code", alias="place")}
{UNIT_NAME.format(column="c.owner_unit", alias="owner")}
cross join lateral (
    select count(*) filter (where t.status not in ('skipped', 'cancelled')) as task_count,
        count(*) filter (where t.status = 'done') as done_count,
        count(*) filter (where t.due_at < %(at)s and t.status not in ('done', 'skipped', 'cancelled')) as overdue_count,
        min(t.due_at) filter (where t.status not in ('done', 'skipped', 'cancelled')) as next_due_at
    from sop.task t where t.case_id = c.case_id
) work
where {VISIBLE}
"""
_TASKS = f"""
select t.task_id, t.case_id, c.code as case_code, c.title_vi as case_title_vi, c.status as case_status, c.level,
    t.step_code, t.position, t.title_vi, t.title_en, step.value as step, t.status, t.unit_code,
    coalesce(place.name_vi, t.unit_code, '') as unit_name, t.role, t.assignee, t.ready_at, t.due_at, t.accepted_at,
    t.finished_at, t.outcome, t.note, t.evidence, t.version, t.updated_by, t.updated_at,
    coalesce(t.due_at < %(at)s and t.status not in ('done', 'skipped', 'cancelled'), false) as is_overdue,
    array(select m.act from sop.task_move m
        where m.from_status = t.status and m.act not in ('ready', 'reopen') and c.status = 'open'
        order by array_position(array['accept', 'start', 'finish', 'assign', 'reject', 'skip', 'cancel'], m.act))
        as acts
from sop.task t
join sop.case_ c using (case_id)
cross join lateral (select s.value from jsonb_array_elements(c.snapshot -> 'steps') s
    where s.value ->> 'code' = t.step_code) step
{UNIT_NAME.format(column="t.unit_code", alias="place")}
"""


def list_cases(
    unit_codes: Sequence[str] | None = None,
    *,
    status: str | None = "open",
    incident_id: UUID | None = None,
    limit: int = 200,
    settings: Settings | None = None,
    at: datetime | None = None,
) -> list[CaseView]:
    """Cases: open ones with the most serious first, others with the newest first.

    Args:
        unit_codes: What these units may see; None = all.
        status: ``open``, ``closed``, ``cancelled``; None = all.
        incident_id: Only the case of this incident.
        limit: At most so many.
        settings: Settings of the stack; default: this process's.
        at: The clock for what is overdue; default: now.
    """
    order = "c.level desc, c.opened_at desc" if status == "open" else "c.opened_at desc"
    with warehouse.connect("portal", settings) as connection:
        return _cases(
            connection,
            "and (%(status)s::text is null or c.status = %(status)s) "
            "and (%(incident)s::uuid is null or c.incident_id = %(incident)s) "
            f"order by {order}, c.case_id desc limit %(limit)s",
            unit_codes, at, status=status, incident=incident_id, limit=limit,
        )  # fmt: skip


def case_view(
    connection: psycopg.Connection[Any], code: str, unit_codes: Sequence[str] | None, at: datetime | None
) -> CaseView:
    """One case by its code.

    Raises:
        ActRefusedError: no such case, or none that these units may see.
    """
    found = _cases(connection, "and c.code = %(code)s", unit_codes, at, code=code)
    if not found:
        raise ActRefusedError("Không có vụ việc này trong phạm vi của đơn vị.")
    return found[0]


def is_of(connection: psycopg.Connection[Any], unit: str | None, units: Sequence[str] | None) -> bool:
    """Whether ``unit``, or the unit it was merged into, is one of ``units``; None = all."""
    if units is None:
        return True
    row = connection.execute("select coalesce(ref.is_of(%s, %s), false)", (unit, list(units))).fetchone()
    return bool(row and row[0])


def _cases(
    connection: psycopg.Connection[Any], rest: str, units: Sequence[str] | None, at: datetime | None, **more: Any
) -> list[CaseView]:
    cursor = connection.cursor(row_factory=dict_row)
    values = {"units": list(units) if units is not None else None, "at": at or datetime.now(UTC), **more}
    rows = cursor.execute(_CASES + rest, values).fetchall()
    return [
        CaseView(**row, incident_code=incident_code(row["incident_id"]) if row["incident_id"] else None) for row in rows
    ]


def my_tasks(
    user: str | None = None,
    unit_codes: Sequence[str] | None = None,
    *,
    only_mine: bool = False,
    only_open: bool = True,
    limit: int = 200,
    settings: Settings | None = None,
    at: datetime | None = None,
) -> list[TaskView]:
    """Tasks in the queues of units, or assigned to a user; the nearest deadline first.

    Args:
        user: Login name; tasks assigned to this user are listed whatever their unit.
        unit_codes: Queues of these units; None = all.
        only_mine: Only what is assigned to ``user``.
        only_open: Only tasks that can be worked on: ready to in progress, and rejected; False: finished ones too.
        limit: At most so many.
        settings: Settings of the stack; default: this process's.
        at: The clock for what is overdue; default: now.
    """
    with warehouse.connect("portal", settings) as connection:
        return tasks_in(
            connection,
            """
            where t.status <> 'waiting'
                and (t.assignee = %(user)s or (not %(only_mine)s
                    and (%(units)s::text[] is null or ref.is_of(t.unit_code, %(units)s))))
                and (not %(only_open)s or (c.status = 'open' and t.status not in ('done', 'skipped', 'cancelled')))
            order by t.status in ('done', 'skipped', 'cancelled'), t.finished_at desc, t.due_at, t.task_id
            limit %(limit)s
            """,
            at, user=user, units=list(unit_codes) if unit_codes is not None else None, only_mine=only_mine,
            only_open=only_open, limit=limit,
        )  # fmt: skip


def task(
    task_id: int,
    unit_codes: Sequence[str] | None = None,
    *,
    settings: Settings | None = None,
    at: datetime | None = None,
) -> TaskView:
    """One task.

    Raises:
        ActRefusedError: no such task, or in no case that these units may see.
    """
    with warehouse.connect("portal", settings) as connection:
        found = tasks_in(
            connection, f"where t.task_id = %(task_id)s and {VISIBLE}", at, task_id=task_id,
            units=list(unit_codes) if unit_codes is not None else None,
        )  # fmt: skip
    if not found:
        raise ActRefusedError("Không có công việc này trong phạm vi của đơn vị.")
    return found[0]


def tasks_in(connection: psycopg.Connection[Any], rest: str, at: datetime | None, **values: Any) -> list[TaskView]:
    """Tasks by a condition on ``t`` (task) and ``c`` (case)."""
    cursor = connection.cursor(row_factory=dict_row)
    cursor.execute(_TASKS + rest, {"at": at or datetime.now(UTC), **values})
    found = []
    for row in cursor:
        step = row.pop("step")
        labels = step["outcome_labels"]
        found.append(
            TaskView(
                **row,
                instruction_vi=step["instruction_vi"],
                directive_vi=step["directive_vi"],
                outcomes=[Outcome(code, labels[code]["vi"], labels[code]["en"]) for code in step["outcomes"]],
                evidence_required=step["evidence_required"],
                depends_on=step["depends_on"],
                condition=step["condition"],
            )
        )
    return found


def close_reasons(settings: Settings | None = None) -> list[CloseReason]:
    """The reasons for which a case may be closed."""
    with (
        warehouse.connect("portal", settings) as connection,
        connection.cursor(row_factory=class_row(CloseReason)) as cursor,
    ):
        return cursor.execute(
            "select code, name_vi, name_en, is_false_alarm, while_firing from sop.close_reason order by position"
        ).fetchall()
