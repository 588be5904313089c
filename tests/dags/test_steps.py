"""What the tasks do around the libraries: when a build is due, and which errors are tried again."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from ioc import transform, warehouse
from ioc.settings import PROJECT_ROOT

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from ioc.settings import Settings


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(PROJECT_ROOT / "dags"))
    from ioc_dags import steps

    return steps


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[list[str] | Exception]:
    """Calls of dbt; an exception put in front is raised by the next one."""
    calls: list[Any] = []

    def run(domains: list[str], *, airflow_run_id: str | None) -> transform.TransformReport:
        assert airflow_run_id == "r"
        if calls and isinstance(calls[0], Exception):
            raise calls.pop(0)
        calls.append(domains)
        return transform.TransformReport(domains, "increment", 1, 0, 0, 0, 0, 0.1, "i")

    monkeypatch.setattr(transform, "run", run)
    return calls


def _publish(settings: Settings, domain: str = "air_quality") -> None:
    with warehouse.connect("loader", settings) as connection:
        connection.execute(
            "insert into ops.load_batch (domain, status, verdict, publish_seq) "
            "values (%s, 'published', 'passed', nextval('ops.publish_seq'))",
            (domain,),
        )


def test_a_build_is_due_once_per_publication_and_once_an_hour(
    settings: Settings, steps: ModuleType, builds: list[Any]
) -> None:
    def transformed() -> bool:
        return steps.transform("air_quality", run_id="r") is not None

    assert [transformed(), transformed()] == [True, False]
    _publish(settings)
    assert [transformed(), transformed()] == [True, False]
    _publish(settings, "health")
    assert not transformed()
    with warehouse.connect("transformer", settings) as connection:
        connection.execute(
            "update ops.cursor set updated_at = now() - interval '61 minutes' where name = 'transformed'"
        )
    assert [transformed(), transformed()] == [True, False]
    assert builds == [["air_quality"]] * 3


def test_what_a_failed_build_left_waiting_is_taken_up_by_the_next_run(
    settings: Settings, steps: ModuleType, builds: list[Any]
) -> None:
    steps.transform("air_quality", run_id="r")
    _publish(settings)
    builds.insert(0, transform.TransformError("a node failed"))
    with pytest.raises(transform.TransformError):
        steps.transform("air_quality", run_id="r")
    assert steps.transform("air_quality", run_id="r") is not None
    assert steps.transform("air_quality", run_id="r") is None


def test_partitions_of_the_coming_months_are_there_before_their_data(settings: Settings, steps: ModuleType) -> None:
    assert steps.make_partitions(months=2)["air_quality"] == ["reading"]
    with warehouse.connect("owner", settings) as connection:
        made = connection.execute(
            "select count(*) from pg_inherits where inhparent = 'raw_air_quality.reading'::regclass"
        ).fetchone()
    assert made == (3,)


_POLICY = """
import json, psycopg
from datetime import timedelta
from extractors.core.errors import Fatal, Retriable, Skippable
from ioc.warehouse import WarehouseUnreachable
from superset_assets.client import SupersetUnreachableError
from ioc_dags.policy import ByRecovery
policy = ByRecovery(timedelta(minutes=5))
errors = [Retriable("x", 12), Retriable("x", 3600), WarehouseUnreachable("x"), SupersetUnreachableError("x"),
          psycopg.OperationalError("x"), TimeoutError(), Fatal("x"), Skippable("x", "c"), ValueError("x")]
decisions = [policy.evaluate(error, 1, 3) for error in errors]
print(json.dumps([[d.action.value, d.retry_delay.total_seconds() if d.retry_delay else None] for d in decisions]))
"""


def test_only_errors_that_can_pass_are_tried_again_after_the_pause_they_ask_for(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _POLICY],
        env={"PYTHONPATH": f"{PROJECT_ROOT}:{PROJECT_ROOT / 'dags'}", "AIRFLOW_HOME": str(tmp_path)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    retries = [["retry", 12], ["retry", 300], ["retry", 30], ["retry", 30], ["retry", 30], ["retry", 30]]
    assert json.loads(done.stdout.splitlines()[-1]) == [*retries, *[["fail", None]] * 3]
