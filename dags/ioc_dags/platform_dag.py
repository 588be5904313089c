"""What the DAGs of the platform itself share: owner, tags, and nobody waits for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import DAG, CronTriggerTimetable

from ioc_dags.domain_dag import TIME_ZONE
from ioc_dags.policy import CLEAR_OR_TRIGGER, PLATFORM, PLATFORM_OWNER, task_defaults

if TYPE_CHECKING:
    from airflow.sdk.bases.timetable import BaseTimetable


def cron(expression: str) -> CronTriggerTimetable:
    """A schedule in Vietnam's civil time that looks at no interval."""
    return CronTriggerTimetable(expression, timezone=TIME_ZONE)


def platform_dag(
    dag_id: str, doc: str | None, *, title_vi: str, schedule: BaseTimetable, tier: int, lane: str = "batch"
) -> DAG:
    """An empty DAG of the platform; its file adds the tasks.

    Args:
        dag_id: Id, and name of the file.
        doc: Docstring of the file, shown as the DAG's page.
        title_vi: Name that people see.
        schedule: When it runs.
        tier: 1 (wakes somebody), 2 (working hours), 3 (next report).
        lane: ``batch`` waits for the nightly pool, ``fast`` does not.
    """
    return DAG(
        dag_id=dag_id,
        dag_display_name=title_vi,
        doc_md=f"{doc or ''}\n{CLEAR_OR_TRIGGER}",
        schedule=schedule,
        tags=[PLATFORM, lane, f"tier-{tier}"],
        default_args=task_defaults(PLATFORM_OWNER, lane),
        # No start date: a new stack waits for the first night instead of making up for the last one at once.
        max_active_runs=1,
        catchup=False,
    )
