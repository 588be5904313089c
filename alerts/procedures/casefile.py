"""One case with everything in it: tasks, remarks, files, directives, clocks, history."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row, dict_row

from alerts.procedures import directives, views
from alerts.procedures.model import Attachment, CaseFile, Comment, TimerView
from ioc import warehouse

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

    from ioc.settings import Settings


def case(
    code: str,
    unit_codes: Sequence[str] | None = None,
    *,
    settings: Settings | None = None,
    at: datetime | None = None,
) -> CaseFile:
    """Everything about one case.

    Raises:
        ActRefusedError: no such case, or none that these units may see.
    """
    at = at or datetime.now(UTC)
    with warehouse.connect("portal", settings) as connection:
        view = views.case_view(connection, code, unit_codes, at)
        cursor = connection.cursor(row_factory=dict_row)
        snapshot = _snapshot(connection, view.case_id)
        of_case = (view.case_id,)
        with connection.cursor(row_factory=class_row(Comment)) as comments:
            comments.execute(
                "select comment_id, task_id, author, body, created_at from sop.comment where case_id = %s "
                "order by comment_id",
                of_case,
            )
            said = comments.fetchall()
        with connection.cursor(row_factory=class_row(Attachment)) as files:
            files.execute("select * from sop.attachment where case_id = %s order by attachment_id", of_case)
            attached = files.fetchall()
        timers = cursor.execute(
            "select timer_id, task_id, position, condition, due_at, status, finished_at, skip_reason, round "
            "from sop.timer where case_id = %s order by due_at, timer_id",
            of_case,
        ).fetchall()
        links = {link["position"]: link for link in snapshot["chain"]}
        history = cursor.execute(
            """
            select occurred_at, actor, action, object_type, object_id, detail from audit.event
            where (object_type = 'case' and object_id = %(code)s)
                or (object_type = 'task' and object_id = any(
                    select task_id::text from sop.task where case_id = %(case_id)s))
                or (object_type = 'directive' and object_id = any(
                    select number from sop.directive where case_id = %(case_id)s))
            order by event_id
            """,
            {"code": view.code, "case_id": view.case_id},
        ).fetchall()
        return CaseFile(
            case=view,
            tasks=views.tasks_in(
                connection, "where t.case_id = %(case_id)s order by t.position", at, case_id=view.case_id
            ),
            comments=said,
            attachments=attached,
            directives=directives.read(connection, at, case_id=view.case_id),
            timers=[
                TimerView(
                    **timer, roles=links[timer["position"]]["roles"], channels=links[timer["position"]]["channels"]
                )
                for timer in timers
            ],
            history=history,
            snapshot=snapshot,
        )


def _snapshot(connection: psycopg.Connection[Any], case_id: int) -> dict[str, Any]:
    row = connection.execute("select snapshot from sop.case_ where case_id = %s", (case_id,)).fetchone()
    assert row is not None
    return dict(row[0])
