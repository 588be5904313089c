"""The corridor that every domain takes: extract → validate → publish → transform."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from airflow.sdk import DAG, Asset, CronDataIntervalTimetable, Param, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from ioc.domains import get_domain
from ioc_dags import steps
from ioc_dags.policy import CLEAR_OR_TRIGGER, task_defaults

TIME_ZONE = "Asia/Ho_Chi_Minh"
# Nothing is made up for (catchup is off); a backfill may reach as far back as the oldest automatic station.
START = datetime(2010, 1, 1, tzinfo=UTC)


def asset(domain: str) -> Asset:
    """The asset that a domain's last task emits: its marts and signals are up to date."""
    return Asset(name=domain, uri=f"ioc://{domain}")


def domain_dag(name: str, doc: str | None) -> DAG:
    """The DAG of one domain; id, schedule, owner, tier and lane come from ``extractors/<name>/domain.toml``.

    Args:
        name: Domain, and id of the DAG.
        doc: Docstring of the DAG's file, shown as its page.

    Raises:
        KeyError: no such domain.
    """
    domain = get_domain(name)
    with DAG(
        dag_id=name,
        dag_display_name=f"{domain.number:02d} {domain.title_vi}",
        description=f"{domain.title_en}: {domain.schedule}",
        doc_md=f"{doc or ''}\n{CLEAR_OR_TRIGGER}",
        schedule=CronDataIntervalTimetable(domain.schedule, timezone=TIME_ZONE),
        start_date=START,
        catchup=False,
        max_active_runs=1,
        tags=[name, domain.lane, f"tier-{domain.tier}"],
        default_args=task_defaults(domain.owner, domain.lane),
        params=_window_params(),
    ) as dag:
        # One at a time over all runs, backfills included: they wait for each other here and not inside the database.
        one_at_a_time: dict[str, Any] = {"max_active_tis_per_dag": 1, "multiple_outputs": False}

        @task(**one_at_a_time)
        def extract() -> dict[str, Any]:
            """Fetch, land, parse, load: batches end as ``loaded``."""
            return steps.extract(name, **_window())

        # all_done: one source that does not answer must not hold back what the others delivered; `watch` keeps the
        # run red.
        @task(trigger_rule="all_done", **one_at_a_time)
        def validate() -> dict[str, Any]:
            """Judge what is loaded: passed or stopped."""
            return steps.validate(name)

        @task(**one_at_a_time)
        def publish() -> dict[str, Any]:
            """Make what passed visible to dbt; quarantine what was stopped."""
            return steps.publish(name)

        @task(outlets=[asset(name)], **one_at_a_time)
        def transform() -> dict[str, Any]:
            """One dbt build of the domain when something waits for it; emits the asset."""
            report = steps.transform(name, run_id=get_current_context()["run_id"])
            if report is None:
                raise AirflowSkipException("nothing new was published since the last build")
            return report

        @task(trigger_rule="one_failed", retries=0)
        def watch() -> None:
            """Fail the run when a task failed; costs nothing otherwise."""
            raise AirflowFailException("a task of this run failed: see its log")

        corridor = [extract(), validate(), publish(), transform()]
        for before, after in pairwise(corridor):
            before >> after
        corridor >> watch()
    return dag


def _window_params() -> dict[str, Param]:
    moment: dict[str, Any] = {"type": ["null", "string"], "format": "date-time"}
    return {
        "since": Param(None, title="Từ thời điểm · since", description="Bỏ qua các tệp cũ hơn", **moment),
        "until": Param(
            None, title="Đến trước thời điểm · until", description="Bỏ qua các tệp từ thời điểm này", **moment
        ),
        "replay": Param(
            False, title="Đọc lại tệp đã nạp · replay", description="Dòng đã có được đếm là trùng", type="boolean"
        ),
    }


def _window() -> dict[str, Any]:
    """Window and mode of the current run.

    A scheduled run has no window: it takes whatever the ledger does not know yet. A backfill takes its interval, a
    manual run what its parameters say.
    """
    context = get_current_context()
    run, params = context["dag_run"], context["params"]
    window = {name: datetime.fromisoformat(params[name]) if params[name] else None for name in ("since", "until")}
    mode = "replay" if params["replay"] else "live"
    if run.run_type == "backfill":
        window = {
            "since": window["since"] or run.data_interval_start,
            "until": window["until"] or run.data_interval_end,
        }
        mode = "replay" if params["replay"] else "backfill"
    elif any(window.values()) and mode == "live":
        mode = "backfill"
    return {"run_id": run.run_id, "mode": mode, **window}
