"""The work of each task: plain functions that call the libraries, so that a test needs no Airflow.

Every import of a library is inside a function: a DAG file that reaches this module must parse in a fraction of a
second.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from datetime import datetime

Mode = Literal["live", "backfill", "replay"]
# What depends on the clock and not on new rows (silence, completeness of the running day) is refreshed this often.
CLOCK_REFRESH = timedelta(hours=1)
_LOG = logging.getLogger(__name__)


def extract(domain: str, *, run_id: str, mode: Mode, since: datetime | None, until: datetime | None) -> dict[str, Any]:
    """Fetch, land, parse and load what is new."""
    from extractors.core import pipeline

    return pipeline.extract(domain, since=since, until=until, mode=mode, airflow_run_id=run_id).as_dict()


def validate(domain: str) -> dict[str, Any]:
    """Judge the loaded batches; returns how many passed and were stopped, and the failed expectations."""
    from expectations import runner

    verdicts = runner.validate(domain)
    for verdict in verdicts:
        _LOG.info(
            "batch %s: %s; stops %s; warnings %s", verdict.batch_id, verdict.verdict, verdict.stops, verdict.warnings
        )
    return {
        "domain": domain,
        "passed": sum(verdict.verdict == "passed" for verdict in verdicts),
        "stopped": sum(verdict.verdict == "stopped" for verdict in verdicts),
        "failed_expectations": sorted({text for verdict in verdicts for text in (*verdict.stops, *verdict.warnings)}),
    }


def publish(domain: str) -> dict[str, Any]:
    """Make passed batches visible to dbt, set stopped ones aside and let their owner know."""
    from expectations import quarantine
    from extractors.core import pipeline

    return pipeline.publish(domain).as_dict() | {"waiting_in_quarantine": quarantine.announce(domain)}


def transform(domain: str, *, run_id: str) -> dict[str, Any] | None:
    """One ``dbt build`` of the domain, unless the ledger says that nothing waits for it.

    A batch that an earlier, failed run published still waits: the mark moves only after a build that succeeded.

    Returns:
        The report of the build, or None when there was nothing to do.
    """
    waiting = _waiting(domain)
    if waiting is None:
        return None
    from ioc import transform as transformation

    report = transformation.run([domain], airflow_run_id=run_id)
    _mark_transformed(domain, waiting)
    return report.as_dict()


def _waiting(domain: str) -> int | None:
    """Newest ``publish_seq`` when a build is due, else None; read before the build, which may see later ones."""
    from ioc import warehouse

    with warehouse.connect("transformer") as connection:
        (newest,) = connection.execute(
            "select coalesce(max(publish_seq), 0) from ops.load_batch where domain = %s and status = 'published'",
            (domain,),
        ).fetchone() or (0,)
        mark = connection.execute(
            "select (value ->> 'publish_seq')::bigint, updated_at > clock_timestamp() - %s from ops.cursor "
            "where domain = %s and name = 'transformed'",
            (CLOCK_REFRESH, domain),
        ).fetchone()
    done, is_fresh = mark or (-1, False)
    return None if is_fresh and newest <= done else int(newest)


def _mark_transformed(domain: str, publish_seq: int) -> None:
    from psycopg.types.json import Jsonb

    from ioc import warehouse

    with warehouse.connect("transformer") as connection:
        connection.execute(
            "insert into ops.cursor (domain, name, value) values (%s, 'transformed', %s) "
            "on conflict (domain, name) do update set value = excluded.value, updated_at = clock_timestamp()",
            (domain, Jsonb({"publish_seq": publish_seq})),
        )


def evaluate(*, run_id: str, run_type: str) -> dict[str, Any]:
    """Evaluate every alert rule that is due; a backfill of Airflow writes beside the record and tells nobody."""
    from alerts.judging import engine

    mode: Literal["live", "backfill"] = "backfill" if run_type == "backfill" else "live"
    report = engine.evaluate(mode=mode, airflow_run_id=run_id, tell=False).as_dict()
    _LOG.info("%s", report)
    return report


def reconcile() -> list[str]:
    """Put into the outbox what people are due to be told; returns the channels that have something to send now."""
    from alerts.notifying import telling
    from alerts.sending import delivery

    _LOG.info("%s", telling.drain())
    return delivery.due_channels()


def drain(channel: str) -> dict[str, Any]:
    """Send what the outbox holds for one channel."""
    from alerts.sending import delivery

    return delivery.drain(channel).as_dict()


def procedures() -> dict[str, Any]:
    """Open cases, fire the clocks of escalations, tell of tasks and directives.

    What could not be done is in ``errors`` and told to the duty; the next minute tries again, so the run stays green.
    """
    from alerts import procedures

    report = procedures.drain()
    for error in report.errors:
        _LOG.error("%s", error)
    return report.as_dict()


def check_reachability() -> dict[str, Any]:
    """Whether every alert rule reaches two people everywhere; what is missing is told to the operators, once a day."""
    from alerts.recipients import reachability

    found = [one.as_dict() for one in reachability.report()]
    for one in found:
        _LOG.warning("%s level %s: %s", one["rule_code"], one["level"], " ".join(one["missing"]))
    return {"shortfalls": len(found)}


def verify_audit() -> dict[str, Any]:
    """Compute the audit chain anew; its newest hash goes into the log of the task, which lies outside the warehouse.

    Raises:
        RuntimeError: the chain is broken; the message names the first event that does not fit.
    """
    from alerts import audit_watch

    report = audit_watch.verify()
    _LOG.info("%s", report.as_dict())
    if not report.is_whole:
        raise RuntimeError(report.verdict)
    return report.as_dict()


def push_dashboards() -> dict[str, Any]:
    """Bring Superset's assets to what the files say."""
    from superset_assets import sync

    return sync.push().as_dict()


def back_up() -> str:
    """Dump the warehouse; returns the file's name."""
    from ioc.settings import get_settings
    from ioc.warehouse import backup

    return backup.write(get_settings()).name


def make_partitions(months: int = 3) -> dict[str, list[str]]:
    """Partitions of this and the coming months for every raw table that has any, so that no load has to make them."""
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from extractors.core import registry, schema
    from ioc import warehouse
    from ioc.domains import all_domains
    from ioc.settings import TIME_ZONE

    today = datetime.now(ZoneInfo(TIME_ZONE))
    first = today.year * 12 + today.month - 1
    coming = [((first + ahead) // 12, (first + ahead) % 12 + 1) for ahead in range(months + 1)]
    made: dict[str, list[str]] = {}
    for domain in all_domains():
        if domain.status != "live":
            continue
        schema.ensure(domain.name)
        for entity in registry.entities_of(domain.name):
            if entity.partition_by:
                with warehouse.connect("loader") as connection:
                    schema.ensure_partitions(connection, domain.name, entity, coming)
                made.setdefault(domain.name, []).append(entity.name)
    return made


def trim_history() -> str:
    """Delete old runs from Airflow's own database: one a minute and DAG adds up.

    Returns:
        The moment before which everything went.

    Raises:
        RuntimeError: ``airflow db clean`` failed; the message is the end of what it said.
    """
    import subprocess
    import sys
    from datetime import UTC, datetime

    from ioc.maintenance import KeepSettings
    from ioc.settings import get_settings
    from ioc.stack import environment

    before = (datetime.now(UTC) - timedelta(days=KeepSettings().history_days)).isoformat()
    # A task may not touch Airflow's database itself, hence a process with the environment of an operator.
    done = subprocess.run(
        [sys.executable, "-m", "airflow", "db", "clean", "--clean-before-timestamp", before, "--skip-archive", "--yes"],
        env=environment.airflow(get_settings()), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(f"airflow db clean failed: {(done.stdout + done.stderr).strip()[-1000:]}")
    return before


def maintain(what: Literal["retention", "files", "statistics"]) -> dict[str, Any]:
    """One of the nightly chores of ``ioc.maintenance``."""
    from ioc import maintenance

    return {"retention": maintenance.retention, "files": maintenance.files, "statistics": maintenance.statistics}[
        what
    ]().as_dict()
