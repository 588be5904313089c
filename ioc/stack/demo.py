"""The demonstration: everything up, history loaded by the DAGs themselves, alerts evaluated, dashboards published."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from rich.table import Table

from ioc import console, domains, warehouse
from ioc.console import CommandError, Progress
from ioc.stack import lifecycle, logins, processes
from ioc.stack.airflow_api import AirflowApi, DagRun

if TYPE_CHECKING:
    from ioc.settings import Settings


_COUNTS = ("domain", "files", "read", "loaded", "duplicate", "rejected")


@dataclass
class Summary:
    """What the demonstration did and where to look.

    Attributes:
        elapsed_s: From the start of the command to healthy and filled, seconds.
        memory_mib: Proportional set size of the whole stack, MiB.
        domains: One row per domain with data: files, and rows read, loaded, duplicate, rejected.
        runs: Every DAG that ran, how it ended, how long it took.
        alerts: Counts by state, and notifications by state.
        urls: Where to look.
        logins: Names and passwords; shown, never logged.
    """

    elapsed_s: float = 0
    memory_mib: int = 0
    domains: list[dict[str, Any]] = field(default_factory=list)
    runs: list[dict[str, Any]] = field(default_factory=list)
    alerts: dict[str, int] = field(default_factory=dict)
    urls: dict[str, str] = field(default_factory=dict)
    logins: list[dict[str, str]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def run(settings: Settings, progress: Progress) -> Summary:
    """Bring everything up and fill it.

    Raises:
        CommandError: a service or a DAG failed; the message says which and where its log is.
    """
    start = time.monotonic()
    lifecycle.up(settings, progress)
    airflow = AirflowApi(settings)
    live = [domain.name for domain in domains.all_domains() if domain.status == "live"]
    with progress.step("Airflow reads the DAG files"):
        airflow.wait_for_dags(live)
    ended = _run_dags(airflow, live, progress)
    # What follows from the data: alerts on it, dashboards over it, and the care of the warehouse.
    ended += _run_dags(airflow, [dag_id for dag_id in airflow.dag_ids() if dag_id not in live], progress)
    with warehouse.connect("owner", settings) as connection:
        loaded = connection.execute(
            "select domain, sum(file_count)::bigint, sum(read_count)::bigint, sum(loaded_count)::bigint, "
            "sum(duplicate_count)::bigint, sum(rejected_count)::bigint from ops.load_batch group by 1 order by 1"
        ).fetchall()
        alerts = connection.execute(
            "select 'incidents ' || status, count(*) from alert.incident group by 1 "
            "union all select 'notifications ' || status, count(*) from notify.outbox group by 1 order by 1"
        ).fetchall()
    return Summary(
        elapsed_s=round(time.monotonic() - start, 1),
        memory_mib=round(processes.memory_bytes(settings.home) / 2**20),
        domains=[dict(zip(_COUNTS, row, strict=True)) for row in loaded],
        runs=[asdict(one) for one in ended],
        alerts=dict(alerts),
        urls={"Portal": settings.portal_url(), "Superset": settings.superset_url(), "Airflow": settings.airflow_url()},
        logins=[login.as_dict() for login in logins.of(settings)],
    )


def _run_dags(airflow: AirflowApi, dag_ids: list[str], progress: Progress) -> list[DagRun]:
    """Run these DAGs once, beside each other; a run that Airflow has begun by itself meanwhile counts."""
    started = [(dag_id, airflow.active_run(dag_id) or airflow.trigger(dag_id)) for dag_id in dag_ids]
    ended, failed = [], []
    for dag_id, run_id in started:
        with progress.step(f"DAG {dag_id}"):
            run = airflow.wait(dag_id, run_id)
        ended.append(run)
        if run.state != "success":
            failed.append(f"{dag_id} ({', '.join(airflow.failed_tasks(dag_id, run_id)) or run.state})")
    if failed:
        raise CommandError(f"these DAGs failed: {', '.join(failed)}; their logs are in Airflow, {airflow.address}")
    return ended


def tell(summary: Summary) -> None:
    """Print the summary for people."""
    out = console.out
    out.print()
    table = Table("dữ liệu · domain", "files", "rows read", "loaded", "duplicate", "rejected", box=None, pad_edge=False)
    for row in summary.domains:
        table.add_row(*(f"{value:,}" if isinstance(value, int) else value for value in row.values()))
    out.print(table)
    out.print(
        "cảnh báo · alerts: " + (", ".join(f"{name} {count}" for name, count in summary.alerts.items()) or "none")
    )
    out.print("DAGs: " + ", ".join(f"{run['dag_id']} {run['elapsed_s']:.0f} s" for run in summary.runs))
    out.print(f"bộ nhớ · memory {summary.memory_mib} MiB, sẵn sàng sau · ready after {summary.elapsed_s:.0f} s\n")
    table = Table(
        "nơi · place", "address", "tài khoản · login", "mật khẩu · password", "role", box=None, pad_edge=False
    )
    for login in summary.logins:
        table.add_row(login["place"], login["url"], login["name"], login["password"], login["role"])
    out.print(table)


def stay(settings: Settings) -> None:
    """Keep the stack up until Ctrl-C, then stop it."""
    console.out.print("\nCtrl-C dừng hệ thống · stops the system")
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        lifecycle.down(settings, Progress())
