"""The process supervisor of a stack: ``supervisord`` with a generated configuration, spoken to over a Unix socket.

Programs are restarted when they crash, their output goes to ``IOC_HOME/logs`` and is rotated there.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import subprocess
import sys
import tempfile
import time
import xmlrpc.client
from configparser import RawConfigParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

from supervisor.xmlrpc import SupervisorTransport  # type: ignore[import-untyped]

from ioc.settings import PROJECT_ROOT, Settings
from ioc.stack import environment, processes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ioc.stack.programs import Program

_NOT_THERE: tuple[type[Exception], ...] = (OSError, http.client.HTTPException)


class Supervisor:
    """The supervisor of the stack that ``settings`` describe."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.folder = settings.home / "supervisor"
        self.configuration = self.folder / "supervisord.conf"
        self.pid_file = self.folder / "supervisord.pid"
        self.fingerprint_file = self.folder / "environment.sha256"
        self.socket = self._socket_path()

    def _socket_path(self) -> Path:
        path = self.folder / "supervisor.sock"
        # A Unix socket path is limited to 107 bytes, and supervisord binds it under a longer temporary name first.
        if len(str(path)) < 90:
            return path
        digest = hashlib.sha256(str(self.settings.home).encode()).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"ioc-{os.getuid()}-{digest}" / "supervisor.sock"

    def configure(self, programs: Sequence[Program]) -> None:
        """Write the configuration. It holds no secret: every program computes its own environment."""
        for folder in (self.folder, self.socket.parent, self.settings.logs):
            folder.mkdir(parents=True, exist_ok=True)
        for folder in {self.folder, self.socket.parent}:
            folder.chmod(0o700)
            if folder.stat().st_uid != os.getuid():
                raise PermissionError(f"{folder} belongs to somebody else: remove it, or choose a shorter IOC_HOME")
        config = RawConfigParser()
        config["unix_http_server"] = {"file": _escaped(self.socket), "chmod": "0700"}
        config["supervisord"] = {
            "logfile": _escaped(self.settings.logs / "supervisord.log"),
            "logfile_maxbytes": "5MB",
            "logfile_backups": "2",
            "pidfile": _escaped(self.pid_file),
            "childlogdir": _escaped(self.settings.logs),
            "directory": _escaped(PROJECT_ROOT),
            "nocleanup": "true",
        }
        config["rpcinterface:supervisor"] = {
            "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
        }
        for program in programs:
            config[f"program:{program.name}"] = {
                "command": f'"{_escaped(sys.executable)}" -m ioc.stack.programs {program.name}',
                "directory": _escaped(PROJECT_ROOT),
                "autostart": "false",
                "autorestart": "true",
                # A program that dies at once is tried again with growing pauses: time for a database to come back.
                "startsecs": "3",
                "startretries": "20",
                "stopsignal": program.stop_signal,
                "stopwaitsecs": str(program.stop_wait_s),
                "stopasgroup": str(program.name != "postgres").lower(),
                "killasgroup": "true",
                "redirect_stderr": "true",
                "stdout_logfile": _escaped(self.settings.logs / f"{program.name}.log"),
                "stdout_logfile_maxbytes": "10MB",
                "stdout_logfile_backups": "3",
            }
        with self.configuration.open("w") as file:
            config.write(file)

    def start(self) -> None:
        """Start supervisord in the background; it starts no program by itself.

        Raises:
            RuntimeError: it does not answer; the message names its log.
        """
        self.socket.unlink(missing_ok=True)
        self.pid_file.unlink(missing_ok=True)
        wanted = environment.platform(self.settings)
        log = self.settings.logs / "supervisord.start.log"
        with log.open("wb") as output:
            subprocess.run(
                [sys.executable, "-m", "supervisor.supervisord", "-c", str(self.configuration)],
                env=wanted, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False, cwd=PROJECT_ROOT,
            )  # fmt: skip
        deadline = time.monotonic() + 15
        while not self.is_running():
            if time.monotonic() > deadline:
                raise RuntimeError(f"the process supervisor did not start: {last_line(log)}; see {log}")
            time.sleep(0.1)
        self.fingerprint_file.write_text(environment.fingerprint(wanted))

    @property
    def _rpc(self) -> Any:
        transport = SupervisorTransport(None, None, serverurl=f"unix://{self.socket}")
        return xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport).supervisor

    def is_running(self) -> bool:
        try:
            return bool(self._rpc.getState()["statename"] == "RUNNING")
        except _NOT_THERE:
            return False

    def is_up_to_date(self) -> bool:
        """The running stack was started with the settings of now."""
        try:
            known = self.fingerprint_file.read_text()
        except OSError:
            return False
        return known == environment.fingerprint(environment.platform(self.settings))

    def reload(self) -> None:
        """Let a running supervisord know of programs that were not in its configuration before."""
        added, changed, removed = self._rpc.reloadConfig()[0]
        for name in [*changed, *removed]:
            self._rpc.stopProcessGroup(name)
            self._rpc.removeProcessGroup(name)
        for name in [*added, *changed]:
            self._rpc.addProcessGroup(name)

    def states(self) -> dict[str, dict[str, Any]]:
        """Program → what the supervisor knows of it (``statename``, ``pid``, ``start``, ``now``, ``spawnerr``)."""
        try:
            return {info["name"]: info for info in self._rpc.getAllProcessInfo()}
        except _NOT_THERE:
            return {}

    def start_program(self, name: str) -> None:
        """Start a program unless it runs already."""
        if self.states()[name]["statename"] not in ("RUNNING", "STARTING", "BACKOFF"):
            self._rpc.startProcess(name, False)

    def stop_program(self, name: str) -> None:
        """Begin to stop a program; no error when it does not run."""
        if self.states().get(name, {}).get("statename") in ("RUNNING", "STARTING", "BACKOFF"):
            self._rpc.stopProcess(name, False)

    def stop(self) -> None:
        """Stop everything: all programs at once, the database last, then the supervisor, then whatever they left."""
        if self.is_running():
            names = [name for name in self.states() if name != "postgres"]
            for group in (names, ["postgres"]):
                for name in group:
                    self.stop_program(name)
                self._wait_stopped(group)
            with contextlib.suppress(*_NOT_THERE):
                self._rpc.shutdown()
            deadline = time.monotonic() + 10
            while self.is_running() and time.monotonic() < deadline:
                time.sleep(0.1)
        processes.end(processes.of_stack(self.settings.home))
        for left in (self.socket, self.pid_file, self.fingerprint_file):
            left.unlink(missing_ok=True)

    def _wait_stopped(self, names: Sequence[str], timeout_s: float = 45) -> None:
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            states = self.states()
            if all(states.get(name, {}).get("statename") in (None, "STOPPED", "EXITED", "FATAL") for name in names):
                return
            time.sleep(0.1)


def _escaped(value: object) -> str:
    # supervisord expands %(name)s in its configuration.
    return str(value).replace("%", "%%")


def last_line(log: Path) -> str:
    """The last line with text of a log, for an error message."""
    try:
        lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    except OSError:
        return "it wrote no log"
    return lines[-1][:300] if lines else "its log is empty"
