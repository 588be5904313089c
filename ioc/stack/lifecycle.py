"""Bringing a stack up, down, and telling how it is.

``up`` starts every program as soon as what it needs is ready, the preparations beside each other, and may be called at
any time: on a running stack it starts what is missing; after a ``kill -9`` it first ends what was left behind.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from ioc.console import CommandError, Progress
from ioc.stack import health, preparation, processes, programs
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
            if any(program.name == "superset" for program in wanted):
                preparation.dashboards(settings, progress)
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
                free = programs.free_port_base(settings)
                raise CommandError(
                    f"port {port} ({program.title}) is taken by {processes.holder_of(port)}: stop that, or set "
                    f"IOC_PORT_BASE, for example to {free} (now {settings.port_base})",
                    code=3,
                )


def _start_in_order(settings: Settings, supervisor: Supervisor, wanted: list[Program], progress: Progress) -> None:
    """Every preparation and every program is a future; one that needs another waits for it."""
    needs = {need for program in wanted for need in program.needs}
    given_up = threading.Event()
    ready: dict[str, Future[None]] = {}
    with ThreadPoolExecutor(max_workers=16) as pool:

        def submit(name: str, after: Iterable[str], act: Callable[[], object]) -> None:
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
        submit("databases", ("postgres",), lambda: preparation.databases(settings, progress))
        submit("warehouse schema", ("databases",), lambda: preparation.warehouse(settings, progress))
        if "airflow database" in needs:
            submit("airflow database", ("databases",), lambda: preparation.airflow(settings, progress))
        if "superset database" in needs:
            submit("superset database", ("databases",), lambda: preparation.superset(settings, progress))
        for program in wanted:
            if program.name != "postgres":
                submit(program.name, program.needs, start(program))
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
