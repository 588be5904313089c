"""What must be so before the programs of a stack run: databases, schemas, logins, first dashboards. All idempotent."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from ioc import warehouse as room
from ioc.console import CommandError, Progress
from ioc.secrets import Secrets
from ioc.settings import PROJECT_ROOT
from ioc.stack import airflow_setup, environment, health
from ioc.stack.postgres import EmbeddedPostgres
from ioc.stack.supervisor import last_line

if TYPE_CHECKING:
    from ioc.settings import Settings


def databases(settings: Settings, progress: Progress) -> None:
    """Roles and databases; on a server of the customer's own only that it answers (``ioc warehouse create`` made them).

    Raises:
        CommandError: that server does not answer.
    """
    with progress.step("databases and roles"):
        if settings.warehouse_url:
            answer = health.warehouse_answers(settings)
            if not answer.ok:
                raise CommandError(answer.detail, code=3)
        else:
            EmbeddedPostgres(settings).prepare()


def warehouse(settings: Settings, progress: Progress) -> list[str]:
    """Schema, and the rows without which nothing works: alert rules, units, the portal's first accounts.

    Returns:
        The migrations that were applied, oldest first.
    """
    from alerts.seed import seed
    from portal.users import ensure_initial_users

    with progress.step("warehouse schema"):
        applied = room.migrate(settings)
    with progress.step("alert rules and accounts"):
        seed(settings)
        ensure_initial_users(settings)
    return applied


def airflow(settings: Settings, progress: Progress) -> None:
    """Airflow's database, logins and pools.

    Raises:
        CommandError: the preparation failed; the message names its log.
    """
    (settings.home / "airflow" / "plugins").mkdir(parents=True, exist_ok=True)
    secrets = Secrets.of(settings)
    stamp = Stamp(
        settings, "airflow", version("apache-airflow"), version("apache-airflow-providers-fab"),
        Path(airflow_setup.__file__).read_text(), airflow_setup.POOLS.read_text(),
        *(secrets.get(f"airflow_{login}") for login in airflow_setup.PEOPLE),
    )  # fmt: skip
    if not stamp.is_current():
        with progress.step("Airflow's database and logins"):
            command = [sys.executable, "-m", "ioc.stack.airflow_setup"]
            _run(settings, "airflow", command, environment.airflow(settings))
            stamp.write()


def superset(settings: Settings, progress: Progress) -> None:
    """Superset's database, roles and logins.

    Raises:
        CommandError: its environment is not installed, or the preparation failed; the message names its log.
    """
    from superset_assets import process

    if not (process.ENVIRONMENT / "bin" / "python").exists():
        raise CommandError("Superset's environment is not installed: run 'make install'")
    own = process.environment(settings, with_passwords=True)
    stamp = Stamp(
        settings, "superset", (process.ROOM / "env" / "uv.lock").read_text(),
        *(path.read_text() for path in sorted(process.ROOM.glob("*.py"))),
        *(f"{name}={value}" for name, value in sorted(own.items())),
    )  # fmt: skip
    if not stamp.is_current():
        with progress.step("Superset's database, roles and logins"):
            # Nobody waits for Superset but the people; Airflow, which loads the data, gets the processor first.
            command = ["nice", "-n", "10", *process.bootstrap_command()]
            _run(settings, "superset", command, environment.superset(settings, with_passwords=True))
            stamp.write()


def dashboards(settings: Settings, progress: Progress) -> None:
    """The dashboards of the repository, unless this stack has had them: later the DAG ``publish_superset`` cares."""
    from ioc import embed
    from superset_assets import sync

    if not (settings.home / embed.EMBEDDED_FILE).exists():
        with progress.step("publishing dashboards"):
            sync.push(settings)


def _run(settings: Settings, name: str, command: list[str], given: dict[str, str]) -> None:
    log = settings.logs / f"{name}-setup.log"
    with log.open("wb") as output:
        done = subprocess.run(
            command, env=given, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False, cwd=PROJECT_ROOT
        )
    if done.returncode:
        raise CommandError(f"preparing {name.title()}'s database failed: {last_line(log)} — see {log}")


class Stamp:
    """Remembers that a service's database was prepared by exactly this code, so that the next start need not repeat it.

    The schema version that the database itself reports is part of it: a database that was dropped, or restored from a
    backup, is prepared again.
    """

    def __init__(self, settings: Settings, service: str, *parts: str) -> None:
        self._path = settings.home / service / "prepared.sha256"
        self._url = room.service_url(service, settings)
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
