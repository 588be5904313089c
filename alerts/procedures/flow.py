"""What follows from what in a case: opening with a snapshot, tasks that become ready, clocks that are armed.

Everything here works in the caller's transaction and on the case's snapshot: what is edited in templates, chains or
rules afterwards changes no open case. Whoever moves a task locks its case first, so that two branches that end at the
same moment do not each overlook the other. Locks are taken in one order: case, task, timers, audit chain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from alerts import audit
from alerts.incidents import ActRefusedError
from alerts.procedures import expressions

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    import psycopg

SYSTEM = "hệ thống"
CLOSED_WITH_CASE = "Hủy khi đóng vụ việc"
SETTLED = ("done", "skipped", "cancelled")
UNFINISHED = ("ready", "assigned", "accepted", "in_progress", "rejected")
# Which clock a step of a chain runs by: the case's, or a task's from when it became ready or from its deadline.
CASE_CLOCK, TASK_CLOCKS = "not_acked", {"not_accepted": "ready_at", "not_done": "ready_at", "overdue": "due_at"}

_SNAPSHOT = """
select jsonb_build_object(
    'template', to_jsonb(t) - 'author' - 'created_at',
    'steps', (select jsonb_agg(to_jsonb(s) - 'step_id' - 'template_id' order by s.position)
        from sop.step s where s.template_id = t.template_id),
    'chain', coalesce((select jsonb_agg(to_jsonb(e) - 'chain_id' - 'code' order by e.position)
        from sop.escalation_chain e where e.code = t.chain_code), '[]'))
from sop.template t where t.template_id = %s
"""
_INCIDENT = """
select jsonb_build_object('incident_id', i.incident_id, 'entity_type', i.entity_type, 'entity_id', i.entity_id,
        'entity_name', coalesce(e.name_vi, i.entity_id), 'kind', i.kind, 'level', i.level, 'unit_code', i.unit_code,
        'opened_at', i.opened_at, 'open_value', i.open_value, 'peak_value', i.peak_value),
    jsonb_build_object('code', r.code, 'title_vi', r.title_vi, 'title_en', r.title_en, 'unit_vi', r.unit_vi,
        'domain', r.domain, 'owner_unit', r.owner_unit, 'rule_version_id', i.rule_version_id,
        'legal_basis', v.legal_basis)
from alert.incident i
join alert.rule r using (rule_id)
join alert.rule_version v on v.rule_version_id = i.rule_version_id
left join alerting.entity e on (e.entity_type, e.entity_id) = (i.entity_type, i.entity_id)
where i.incident_id = %s
"""


def open_case_in(
    connection: psycopg.Connection[Any],
    at: datetime,
    actor: str,
    *,
    template_id: int,
    title_vi: str,
    level: int,
    unit_code: str | None,
    owner_unit: str,
    incident_id: UUID | None = None,
) -> int | None:
    """Open a case with the snapshot of now, its tasks, and its clocks.

    Returns:
        Its id; None when the incident has one already.
    """
    snapshot = _one(connection, _SNAPSHOT, template_id)[0]
    snapshot |= {"incident": None, "rule": None}
    if incident_id is not None:
        snapshot["incident"], snapshot["rule"] = _one(connection, _INCIDENT, incident_id)
    row = connection.execute(
        """
        insert into sop.case_ (code, template_id, incident_id, title_vi, unit_code, owner_unit, level, snapshot,
            opened_by, opened_at)
        values (%(civil)s || lpad(nextval('sop.case_number')::text, 5, '0'), %(template_id)s, %(incident_id)s,
            %(title_vi)s, %(unit_code)s, %(owner_unit)s, %(level)s, %(snapshot)s, %(actor)s, %(at)s)
        on conflict (incident_id) where incident_id is not null do nothing returning case_id, code
        """,
        {
            "civil": f"VV-{at.year}-", "template_id": template_id, "incident_id": incident_id, "title_vi": title_vi,
            "unit_code": unit_code, "owner_unit": owner_unit, "level": level, "snapshot": Jsonb(snapshot),
            "actor": actor, "at": at,
        },
    ).fetchone()  # fmt: skip
    if row is None:
        return None
    case_id = int(row[0])
    for step in snapshot["steps"]:
        connection.execute(
            "insert into sop.task (case_id, step_code, position, title_vi, title_en, role) "
            "values (%s, %s, %s, %s, %s, %s)",
            (case_id, step["code"], step["position"], step["title_vi"], step["title_en"], step["role"]),
        )
    template = snapshot["template"]
    audit.record(
        connection, at, actor, "case.opened", about=("case", row[1]),
        detail={
            "title": title_vi, "level": level, "incident": str(incident_id) if incident_id else None,
            "procedure": template["code"], "version": template["version"],
        },
    )  # fmt: skip
    advance(connection, case_id, at)
    if incident_id is not None:
        arm_case(connection, case_id, at)
    return case_id


def lock_case(connection: psycopg.Connection[Any], case_id: int) -> dict[str, Any]:
    """The row of a case, locked: ``case_id, code, status, level, unit_code, owner_unit, round, snapshot, …``."""
    cursor = connection.cursor(row_factory=dict_row)
    row = cursor.execute("select * from sop.case_ where case_id = %s for no key update", (case_id,)).fetchone()
    assert row is not None
    return row


def check_task(connection: psycopg.Connection[Any], case_id: int, task_id: int | None) -> None:
    """Refuse a task that is not of this case; None is fine.

    Raises:
        ActRefusedError: it is of another case, or there is none.
    """
    if (
        task_id is not None
        and not connection.execute(
            "select from sop.task where (task_id, case_id) = (%s, %s)", (task_id, case_id)
        ).rowcount
    ):
        raise ActRefusedError("Công việc không thuộc vụ việc này.")


def advance(connection: psycopg.Connection[Any], case_id: int, at: datetime) -> list[str]:
    """Make every task ready, or skip it, whose time has come.

    A waiting task's time has come when all that it depends on is done, skipped or cancelled; it is skipped when its
    condition does not hold.

    Returns:
        Steps that became ready.
    """
    case = lock_case(connection, case_id)
    snapshot = case["snapshot"]
    steps = {step["code"]: step for step in snapshot["steps"]}
    names = _names(connection, case)
    became_ready: list[str] = []
    has_moved = True
    while has_moved:
        has_moved = False
        tasks = {
            step_code: (task_id, status, outcome)
            for task_id, step_code, status, outcome in connection.execute(
                "select task_id, step_code, status, outcome from sop.task where case_id = %s order by position",
                (case_id,),
            )
        }
        outcomes = {code: outcome for code, (_, status, outcome) in tasks.items() if status == "done"}
        for code, (task_id, status, _) in tasks.items():
            step = steps[code]
            if status != "waiting" or any(tasks[before][1] not in SETTLED for before in step["depends_on"]):
                continue
            has_moved = True
            if step["condition"] and not expressions.parse(step["condition"]).holds(names, outcomes):
                _skip(connection, case, task_id, code, at)
            else:
                _ready(connection, case, task_id, step, at)
                became_ready.append(code)
    return became_ready


def _names(connection: psycopg.Connection[Any], case: dict[str, Any]) -> dict[str, Any]:
    """Values of the names that conditions may use."""
    status = connection.execute(
        "select status from alert.incident where incident_id = %s", (case["incident_id"],)
    ).fetchone()
    incident = case["snapshot"]["incident"]
    return {
        "level": case["level"],
        "kind": incident["kind"] if incident else "manual",
        "incident_open": status is not None and status[0] == "open",
        "unit": case["unit_code"],
    }


def _skip(connection: psycopg.Connection[Any], case: dict[str, Any], task_id: int, code: str, at: datetime) -> None:
    note = "Không cần thực hiện: điều kiện của bước không xảy ra"
    connection.execute(
        "update sop.task set status = 'skipped', finished_at = %s, note = %s, version = version + 1, updated_by = %s, "
        "updated_at = %s where task_id = %s",
        (at, note, SYSTEM, at, task_id),
    )
    audit.record(
        connection, at, SYSTEM, "task.skipped", about=("task", task_id),
        detail={"case": case["code"], "step": code, "reason": note},
    )  # fmt: skip


def _ready(
    connection: psycopg.Connection[Any], case: dict[str, Any], task_id: int, step: dict[str, Any], at: datetime
) -> None:
    unit = {"fixed": step["unit_code"], "rule_owner": case["owner_unit"]}.get(step["unit_mode"], case["unit_code"])
    row = _one(
        connection,
        """
        update sop.task set status = 'ready', ready_at = %(at)s, version = version + 1, updated_by = %(actor)s,
            updated_at = %(at)s, due_at = ref.add_work(%(calendar)s, %(at)s, %(sla)s::interval),
            unit_code = ref.unit_today(%(unit)s, %(at)s::date)
        where task_id = %(task_id)s returning due_at, unit_code
        """,
        {
            "at": at, "actor": SYSTEM, "calendar": step["calendar_code"], "sla": step["sla"], "task_id": task_id,
            "unit": unit or case["owner_unit"],
        },
    )  # fmt: skip
    audit.record(
        connection, at, SYSTEM, "task.ready", about=("task", task_id),
        detail={"case": case["code"], "step": step["code"], "unit": row[1], "due_at": row[0].isoformat()},
    )  # fmt: skip
    arm_task(connection, case, task_id, {"ready_at": at, "due_at": row[0]})


def arm_task(
    connection: psycopg.Connection[Any], case: dict[str, Any], task_id: int, clocks: dict[str, datetime]
) -> int:
    """Arm the clocks of a task; how many."""
    return sum(
        _arm(connection, case, link, clocks[TASK_CLOCKS[link["condition"]]], task_id)
        for link in case["snapshot"]["chain"]
        if link["condition"] in TASK_CLOCKS
    )


def arm_case(connection: psycopg.Connection[Any], case_id: int, at: datetime) -> int:
    """Arm what waits for an acknowledgement, from the first step of the chain; how many."""
    case = lock_case(connection, case_id)
    return sum(
        _arm(connection, case, link, at) for link in case["snapshot"]["chain"] if link["condition"] == CASE_CLOCK
    )


def _arm(
    connection: psycopg.Connection[Any],
    case: dict[str, Any],
    link: dict[str, Any],
    since: datetime,
    task_id: int | None = None,
) -> int:
    return connection.execute(
        """
        insert into sop.timer (incident_id, case_id, task_id, chain_code, position, condition, due_at, round)
        values (%s, %s, %s, %s, %s, %s, ref.add_work(%s, %s, %s::interval), %s) on conflict do nothing
        """,
        (
            case["incident_id"], case["case_id"], task_id, case["snapshot"]["template"]["chain_code"], link["position"],
            link["condition"], link["calendar_code"], since, link["after"], case["round"],
        ),
    ).rowcount  # fmt: skip


def reopen(connection: psycopg.Connection[Any], case: dict[str, Any], at: datetime) -> None:
    """Open a locked case again; tasks that closing it cancelled wait again. Why it was closed stays in the record."""
    connection.execute(
        "update sop.case_ set status = 'open', closed_by = null, closed_at = null, close_reason = null, "
        "close_note = null, closed_while_firing = false where case_id = %s",
        (case["case_id"],),
    )
    connection.execute(
        "update sop.task set status = 'waiting', finished_at = null, note = null, assignee = null, accepted_at = null, "
        "announced_at = null, version = version + 1, updated_by = %s, updated_at = %s "
        "where case_id = %s and status = 'cancelled' and note = %s",
        (SYSTEM, at, case["case_id"], CLOSED_WITH_CASE),
    )


def cancel_timers(
    connection: psycopg.Connection[Any],
    at: datetime,
    reason: str,
    *,
    case_id: int | None = None,
    task_id: int | None = None,
    condition: str | None = None,
) -> int:
    """Cancel the armed clocks of a case or a task; how many."""
    return connection.execute(
        "update sop.timer set status = 'cancelled', finished_at = %(at)s, skip_reason = %(reason)s "
        "where status = 'armed' and (case_id = %(case_id)s or task_id = %(task_id)s) "
        "and (%(condition)s::text is null or condition = %(condition)s)",
        {"at": at, "reason": reason, "case_id": case_id, "task_id": task_id, "condition": condition},
    ).rowcount


def _one(connection: psycopg.Connection[Any], query: str, values: Any) -> Any:
    row = connection.execute(query, values if isinstance(values, dict) else (values,)).fetchone()
    assert row is not None
    return row
