"""The programs of the stack: what runs, with which environment, on which port, and how one sees that it is well.

Run by the supervisor as ``python -m ioc.stack.programs NAME``: the process computes its own environment and becomes the
program, so that no secret is ever written into the supervisor's configuration.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ioc.settings import Settings, get_settings
from ioc.stack import environment, health, processes
from ioc.stack.postgres import EmbeddedPostgres

if TYPE_CHECKING:
    from collections.abc import Callable

    from ioc.stack.health import Health

PYTHON = sys.executable


@dataclass(frozen=True)
class Program:
    """One long-running process.

    Attributes:
        name: Name in the supervisor, in ``ioc status`` and of the log file.
        title: What it is, for people.
        command: Computes the command line.
        environment: Computes the environment.
        health: Asks the running process how it is.
        ports: Names of the ports in ``Settings`` that it listens on.
        url: Address for people, empty when there is nothing to open.
        needs: What must be ready before it starts: programs, or preparations (``warehouse schema`` and the like).
        stop_signal: Signal of a clean stop.
        stop_wait_s: Seconds until a kill follows.
    """

    name: str
    title: str
    command: Callable[[Settings], list[str]]
    environment: Callable[[Settings], dict[str, str]]
    health: Callable[[Settings], Health]
    ports: tuple[str, ...] = ()
    url: Callable[[Settings], str] = field(default=lambda _: "")
    needs: tuple[str, ...] = ()
    stop_signal: str = "TERM"
    stop_wait_s: int = 15


def _airflow(*arguments: str) -> Callable[[Settings], list[str]]:
    return lambda _: [PYTHON, "-m", "airflow", *arguments]


def _superset(settings: Settings) -> list[str]:
    from superset_assets import process

    return process.web_command(settings)


def _portal(settings: Settings) -> list[str]:
    return [
        PYTHON, "-m", "uvicorn", "portal.app:app", f"--host={settings.bind_host}", f"--port={settings.port_portal}",
        "--no-access-log", "--no-server-header",
        # Live pages hold their connections open for ever: a stop does not wait for them.
        "--timeout-graceful-shutdown=3",
    ]  # fmt: skip


PROGRAMS = (
    Program(
        name="postgres", title="PostgreSQL (warehouse, Airflow, Superset)",
        command=lambda settings: EmbeddedPostgres(settings).command(), environment=environment.platform,
        health=health.postgres, ports=("port_postgres",), stop_signal="INT", stop_wait_s=30,
    ),
    Program(
        name="sandbox", title="Stand-ins for the source systems and mail", command=lambda _: [PYTHON, "-m", "sandbox"],
        environment=environment.platform, health=health.sandbox,
        ports=("port_ftp", "port_sftp", "port_smtp", "port_sandbox_http"),
        url=lambda settings: f"http://{settings.bind_host}:{settings.port_sandbox_http}",
    ),
    Program(
        name="airflow-api-server", title="Airflow: web and API", command=_airflow("api-server"),
        environment=environment.airflow, health=health.airflow_api, ports=("port_airflow",), url=Settings.airflow_url,
        needs=("airflow database", "warehouse schema"),
    ),
    Program(
        name="airflow-scheduler", title="Airflow: scheduler and task slots",
        # No log server: it would listen on every address, and the API server reads the same folder.
        command=_airflow("scheduler", "--skip-serve-logs"),
        environment=environment.airflow, health=health.airflow_part("scheduler"),
        # Tasks report to the API server from their first moment.
        needs=("airflow-api-server",),
    ),
    Program(
        name="airflow-dag-processor", title="Airflow: reads the DAG files", command=_airflow("dag-processor"),
        environment=environment.airflow, health=health.airflow_part("dag_processor"), needs=("airflow database",),
    ),
    Program(
        name="airflow-triggerer", title="Airflow: waits without a task slot",
        command=_airflow("triggerer", "--skip-serve-logs"), environment=environment.airflow,
        health=health.airflow_part("triggerer"), needs=("airflow database",),
    ),
    Program(
        name="superset", title="Superset: dashboards and SQL", command=_superset, environment=environment.superset,
        health=health.superset, ports=("port_superset",), url=Settings.superset_url, needs=("superset database",),
    ),
    Program(
        name="portal", title="Portal of the operations centre", command=_portal, environment=environment.platform,
        health=health.portal, ports=("port_portal",), url=Settings.portal_url, needs=("warehouse schema",),
    ),
    Program(
        name="notifier", title="Sends what the outbox holds", command=lambda _: [PYTHON, "-m", "alerts.notifier"],
        environment=environment.platform, health=health.running, needs=("warehouse schema",),
    ),
)  # fmt: skip


def of(settings: Settings, only: tuple[str, ...] = ()) -> list[Program]:
    """The programs that this stack runs.

    Args:
        settings: An own warehouse leaves PostgreSQL out, ``with_sandbox`` off the sandbox.
        only: Names to keep; empty keeps all.

    Raises:
        ValueError: ``only`` holds a name that does not exist; the message lists the known ones.
    """
    known = {program.name for program in PROGRAMS}
    unknown = set(only) - known
    if unknown:
        raise ValueError(f"no program '{', '.join(sorted(unknown))}'; known: {', '.join(sorted(known))}")
    left_out = set()
    if settings.warehouse_url:
        left_out.add("postgres")
    if not settings.with_sandbox:
        left_out.add("sandbox")
    return [p for p in PROGRAMS if p.name not in left_out and (not only or p.name in only)]


def free_port_base(settings: Settings) -> int:
    """The next ``IOC_PORT_BASE`` from which on every port of a whole stack is free now.

    Raises:
        LookupError: there is none up to port 60000.
    """
    for base in range(settings.port_base + 100, 60000, 100):
        candidate = settings.model_copy(update={"port_base": base})
        ports = [getattr(candidate, name) for program in PROGRAMS for name in program.ports]
        if all(processes.port_is_free(settings.bind_host, port) for port in ports):
            return base
    raise LookupError("no free ports for a stack on this machine")


def run(name: str) -> None:
    """Become the program ``name``: never returns."""
    settings = get_settings()
    program = next(p for p in PROGRAMS if p.name == name)
    if name == "postgres":
        EmbeddedPostgres(settings).make_startable()
        # Its unprivileged user may not be allowed into the project's folder.
        os.chdir("/")
    command = program.command(settings)
    os.execvpe(command[0], command, program.environment(settings))


if __name__ == "__main__":
    run(sys.argv[1])
