"""The few calls to Airflow's REST API that the demo and the tests need, as one of the stack's own logins."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import requests

from ioc.console import CommandError
from ioc.secrets import Secrets

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ioc.settings import Settings

_ENDED = ("success", "failed")


@dataclass(frozen=True)
class DagRun:
    """One run of a DAG, and how it ended."""

    dag_id: str
    run_id: str
    state: str
    elapsed_s: float


class AirflowApi:
    """A session with the Airflow of one stack.

    Args:
        settings: Settings of the stack.
        login: ``admin``, ``engineer`` or ``viewer``.

    Raises:
        CommandError: Airflow does not answer, or refuses the login.
    """

    def __init__(self, settings: Settings, login: str = "engineer") -> None:
        # Through the loopback door, whatever the public address is; a proxy of the environment must not come between.
        self._base = f"http://{settings.bind_host}:{settings.port_airflow}"
        self.address = settings.airflow_url()
        self._http = requests.Session()
        self._http.trust_env = False
        password = Secrets.of(settings).get(f"airflow_{login}")
        token = self._call("post", "/auth/token", json={"username": login, "password": password})["access_token"]
        self._http.headers["Authorization"] = f"Bearer {token}"

    def _call(self, method: str, path: str, **arguments: Any) -> Any:
        try:
            answer = self._http.request(method, self._base + path, timeout=30, **arguments)
        except requests.RequestException as error:
            raise CommandError(f"Airflow does not answer at {self._base}: {error}", code=3) from error
        if not answer.ok:
            raise CommandError(
                f"Airflow refuses {method.upper()} {path}: {answer.status_code} {answer.text[:300]}", code=3
            )
        return answer.json()

    def dag_ids(self) -> list[str]:
        """DAGs that Airflow has read and that are not paused, by name."""
        found = self._call("get", "/api/v2/dags", params={"limit": 100, "paused": False})["dags"]
        return sorted(dag["dag_id"] for dag in found)

    def import_errors(self) -> list[str]:
        """DAG files that Airflow cannot read."""
        found = self._call("get", "/api/v2/importErrors")["import_errors"]
        return [f"{error['filename']}: {error['stack_trace'].strip().splitlines()[-1]}" for error in found]

    def wait_for_dags(self, dag_ids: Iterable[str], timeout_s: float = 120) -> None:
        """Wait until Airflow has read these DAGs.

        Raises:
            CommandError: some are missing after ``timeout_s``; the message says which, and what Airflow objects to.
        """
        wanted = set(dag_ids)
        deadline = time.monotonic() + timeout_s
        while missing := wanted - set(self.dag_ids()):
            if time.monotonic() > deadline:
                errors = "; ".join(self.import_errors()) or "no import error"
                raise CommandError(f"Airflow has not read the DAGs {', '.join(sorted(missing))}: {errors}")
            time.sleep(1)

    def trigger(self, dag_id: str, conf: dict[str, Any] | None = None) -> str:
        """Start a run now; returns its id."""
        answer = self._call("post", f"/api/v2/dags/{dag_id}/dagRuns", json={"logical_date": None, "conf": conf or {}})
        return str(answer["dag_run_id"])

    def active_run(self, dag_id: str) -> str | None:
        """Id of the newest run that is queued or running, or None."""
        asked = {"state": ["queued", "running"], "order_by": "-run_after", "limit": 1}
        found = self._call("get", f"/api/v2/dags/{dag_id}/dagRuns", params=asked)["dag_runs"]
        return str(found[0]["dag_run_id"]) if found else None

    def wait(self, dag_id: str, run_id: str, timeout_s: float = 900) -> DagRun:
        """Wait until a run has ended, however it ended.

        Raises:
            CommandError: it has not after ``timeout_s``.
        """
        start = time.monotonic()
        while True:
            state = str(self._call("get", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}")["state"])
            elapsed_s = time.monotonic() - start
            if state in _ENDED:
                return DagRun(dag_id, run_id, state, elapsed_s)
            if elapsed_s > timeout_s:
                raise CommandError(f"the run {run_id} of {dag_id} is still {state} after {timeout_s:.0f} s")
            time.sleep(1)

    def started_at(self, dag_id: str, run_id: str) -> datetime:
        """When a run began to run.

        Raises:
            CommandError: it has not begun.
        """
        started = self._call("get", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}")["start_date"]
        if started is None:
            raise CommandError(f"the run {run_id} of {dag_id} has not begun")
        return datetime.fromisoformat(started)

    def failed_tasks(self, dag_id: str, run_id: str) -> list[str]:
        """Tasks of a run that failed, each with the error that ended it."""
        run = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances"
        found = self._call("get", run)["task_instances"]
        return sorted(f"{task['task_id']}: {self._error(run, task)}" for task in found if task["state"] == "failed")

    def _error(self, run: str, task: dict[str, Any]) -> str:
        """The last exception in the log of a task."""
        path = f"{run}/{task['task_id']}/logs/{task['try_number']}"
        mapped = {"map_index": task["map_index"], "full_content": True}
        for entry in reversed(
            self._call("get", path, params=mapped, headers={"Accept": "application/json"})["content"]
        ):
            for cause in entry.get("error_detail") or []:
                return " ".join(f"{cause['exc_type']} {cause['exc_value']}".split())[:400]
        return "no exception in its log"
