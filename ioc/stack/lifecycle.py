"""Bringing a stack up, down, and telling how it is.

``up`` starts every program as soon as what it needs is ready, the preparations beside each other, and may be called at
any time: on a running stack it starts what is missing; after a ``kill -9`` it first ends what was left behind.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
import time
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from filelock import FileLock, Timeout

from ioc import warehouse
from ioc.console import CommandError, Progress
from ioc.secrets import Secrets
from ioc.stack import airflow_setup, environment, health, processes, programs
from ioc.stack.postgres import EmbeddedPostgres
from ioc.stack.supervisor import Supervisor, last_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ioc.settings import Settings
    from ioc.stack.programs import Program

_PATIENCE_S = 300


def up(settings: Settings, progress: Progress, only: tuple[str, ...] = ()) -> None:
    """Bring the stack up and return once every program is healthy.

    Args:
        settings: Settings of the stack.
        progress: Where the steps are shown.
        only: Names of the programs to start; empty starts all.

    Raises:
        CommandError: a port is taken, a program does not come up, an environment is not installed.
    """
    wanted = programs.of(settings, only)
    settings.home.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(settings.home / "up.lock", timeout=5):
            supervisor = _running_supervisor(settings, wanted, progress)
            _start_in_order(settings, supervisor, wanted, progress)
    except Timeout:
        raise CommandError(f"another 'ioc up' is at work on {settings.home}: wait for it, or stop it") from None


def _running_supervisor(settings: Settings, wanted: list[Program], progress: Progress) -> Supervisor:
    supervisor = Supervisor(settings)
    if supervisor.is_running() and not supervisor.is_up_to_date():
        with progress.step("the settings changed: stopping what runs with the old ones"):
            supervisor.stop()
    if not supervisor.is_running():
        left_behind = processes.of_stack(settings.home)
        if left_behind:
            with progress.step(f"ending {len(left_behind)} processes that an earlier run left behind"):
                processes.end(left_behind)
    states = supervisor.states()
    running = {name for name, info in states.items() if info["pid"]}
    check_ports(settings, (program for program in wanted if program.name not in running))
    # All programs are configured, also those that `only` leaves for later.
    supervisor.configure(programs.of(settings))
    if supervisor.is_running():
        supervisor.reload()
    else:
        with progress.step("process supervisor"):
            supervisor.start()
    return supervisor


def check_ports(settings: Settings, wanted: Iterable[Program]) -> None:
    """Make sure that the ports are free.

    Raises:
        CommandError: the first port that is not; the message names it, who holds it, and the setting.
    """
    for program in wanted:
        for name in program.ports:
            port = int(getattr(settings, name))
            if not processes.port_is_free(settings.bind_host, port):
                raise CommandError(
                    f"port {port} ({program.title}) is taken by {processes.holder_of(port)}: "
                    f"stop that, or set IOC_PORT_BASE to something other than {settings.port_base}",
                    code=3,
                )


def _start_in_order(settings: Settings, supervisor: Supervisor, wanted: list[Program], progress: Progress) -> None:
    """Every preparation and every program is a future; one that needs another waits for it."""
    needs = {need for program in wanted for need in program.needs}
    given_up = threading.Event()
    ready: dict[str, Future[None]] = {}
    with ThreadPoolExecutor(max_workers=16) as pool:

        def submit(name: str, after: Iterable[str], act: Callable[[], None]) -> None:
            awaited = [ready[other] for other in after if other in ready]

            def waiting() -> None:
                for future in awaited:
                    future.result()
                act()

            ready[name] = pool.submit(waiting)

        def start(program: Program) -> Callable[[], None]:
            return lambda: _start(settings, supervisor, program, progress, given_up)

        for program in wanted:
            if program.name == "postgres":
                submit("postgres", (), start(program))
        submit("databases", ("postgres",), lambda: _prepare_databases(settings, progress))
        submit("warehouse", ("databases",), lambda: _migrate_warehouse(settings, progress))
        if "airflow" in needs:
            submit("airflow", ("databases",), lambda: _prepare_airflow(settings, progress))
        if "superset" in needs:
            submit("superset", ("databases",), lambda: _prepare_superset(settings, progress))
        for program in wanted:
            if program.name != "postgres":
                submit(f"program {program.name}", program.needs, start(program))
        done, _ = wait(ready.values(), return_when=FIRST_EXCEPTION)
        given_up.set()
        for future in done:
            future.result()


def _start(
    settings: Settings, supervisor: Supervisor, program: Program, progress: Progress, given_up: threading.Event
) -> None:
    with progress.step(program.title):
        supervisor.start_program(program.name)
        _wait_healthy(settings, supervisor, program, given_up)


def _wait_healthy(settings: Settings, supervisor: Supervisor, program: Program, given_up: threading.Event) -> None:
    log = settings.logs / f"{program.name}.log"
    deadline = time.monotonic() + _PATIENCE_S
    failures: set[float] = set()
    while True:
        info = supervisor.states().get(program.name, {})
        state = info.get("statename")
        if state in ("BACKOFF", "FATAL", "EXITED"):
            failures.add(info.get("stop", 0))
        if state == "FATAL" or len(failures) >= 3:
            raise CommandError(f"{program.title} ({program.name}) does not start: {last_line(log)} — see {log}", code=3)
        answer = program.health(settings) if info.get("pid") else health.Health(False, "it does not run")
        if answer.ok:
            return
        if time.monotonic() > deadline:
            raise CommandError(
                f"{program.title} ({program.name}) is not well after {_PATIENCE_S} s: {answer.detail} — see {log}",
                code=3,
            )
        if given_up.wait(0.5):
            raise CommandError(f"{program.title} was still starting when something else failed", code=3)


def _prepare_databases(settings: Settings, progress: Progress) -> None:
    with progress.step("databases and roles"):
        if settings.warehouse_url:
            answer = health.warehouse_answers(settings)
            if not answer.ok:
                raise CommandError(answer.detail, code=3)
        else:
            EmbeddedPostgres(settings).prepare()


def _migrate_warehouse(settings: Settings, progress: Progress) -> None:
    with progress.step("warehouse schema"):
        warehouse.migrate(settings)


def _prepare_airflow(settings: Settings, progress: Progress) -> None:
    (settings.home / "airflow" / "plugins").mkdir(parents=True, exist_ok=True)
    secrets = Secrets.of(settings)
    stamp = Stamp(
        settings, "airflow", version("apache-airflow"), version("apache-airflow-providers-fab"),
        Path(airflow_setup.__file__).read_text(), *(secrets.get(f"airflow_{login}") for login in airflow_setup.PEOPLE),
    )  # fmt: skip
    if not stamp.is_current():
        with progress.step("Airflow's database and logins"):
            _run_preparation(
                settings, "airflow", [sys.executable, "-m", "ioc.stack.airflow_setup"], environment.airflow(settings)
            )
            stamp.write()


def _prepare_superset(settings: Settings, progress: Progress) -> None:
    from superset_assets import process

    if not (process.ENVIRONMENT / "bin" / "python").exists():
        raise CommandError("Superset's environment is not installed: run 'make install'")
    code = sorted(path.read_text() for path in process.ROOM.glob("*.py"))
    lock = (process.ROOM / "env" / "uv.lock").read_text()
    given = environment.superset(settings, with_passwords=True)
    own = process.environment(settings, with_passwords=True)
    stamp = Stamp(settings, "superset", lock, *code, *(f"{name}={value}" for name, value in sorted(own.items())))
    if not stamp.is_current():
        with progress.step("Superset's database, roles and logins"):
            _run_preparation(settings, "superset", process.bootstrap_command(), given)
            stamp.write()


def _run_preparation(settings: Settings, name: str, command: list[str], given: dict[str, str]) -> None:
    log = settings.logs / f"{name}-setup.log"
    with log.open("wb") as output:
        done = subprocess.run(
            command, env=given, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False, cwd="/",
        )  # fmt: skip
    if done.returncode:
        raise CommandError(f"preparing {name.title()}'s database failed: {last_line(log)} — see {log}")


class Stamp:
    """Remembers that a service's database was prepared by exactly this code, so that the next start need not repeat it.

    The schema version that the database itself reports is part of it: a database that was dropped, or restored from a
    backup, is prepared again.
    """

    def __init__(self, settings: Settings, service: str, *parts: str) -> None:
        self._path = settings.home / service / "prepared.sha256"
        self._url = warehouse.service_url(service, settings)
        self._parts = hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def _value(self) -> str:
        try:
            with psycopg.connect(self._url, connect_timeout=5) as connection:
                rows = connection.execute("select version_num from alembic_version order by 1").fetchall()
        except psycopg.Error:
            return ""
        return f"{self._parts} {rows}" if rows else ""

    def is_current(self) -> bool:
        known = self._path.read_text() if self._path.exists() else ""
        return known != "" and known == self._value()

    def write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(self._value())


def down(settings: Settings, progress: Progress) -> None:
    """Stop the stack; leaves no process of it behind, and is no error when nothing runs."""
    with progress.step("stopping the stack"):
        Supervisor(settings).stop()


def status(settings: Settings) -> list[dict[str, Any]]:
    """How every program is: ``name``, ``title``, ``state``, ``healthy``, ``detail``, ``pid``, ``uptime_s``, ``url``."""
    states = Supervisor(settings).states()

    def row(program: Program) -> dict[str, Any]:
        info = states.get(program.name, {})
        state = str(info.get("statename", "STOPPED")).lower()
        answer = (
            program.health(settings) if state in ("running", "starting") else health.Health(False, "it does not run")
        )
        uptime_s = info["now"] - info["start"] if state == "running" else 0
        return {
            "name": program.name, "title": program.title, "state": state, "healthy": answer.ok,
            "detail": answer.detail, "pid": info.get("pid") or None, "uptime_s": uptime_s, "url": program.url(settings),
        }  # fmt: skip

    with ThreadPoolExecutor(max_workers=8) as pool:
        return list(pool.map(row, programs.of(settings)))
