"""Processes and ports of this machine: which belong to a stack, who holds a port, how to end what was left behind."""

from __future__ import annotations

import os
import signal
import socket
from typing import TYPE_CHECKING

import psutil  # type: ignore[import-untyped]

from ioc.stack.environment import MARKER

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def of_stack(home: Path) -> list[psutil.Process]:
    """Every process that belongs to the stack in ``home``, orphans included; never the caller or its parents.

    A process belongs to it when it carries the stack's marker in its environment, or serves the stack's data folder
    (PostgreSQL overwrites its environment), or descends from such a process.
    """
    mine = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found: dict[int, psutil.Process] = {}
    data = str(home / "postgres" / "data")
    for process in psutil.process_iter():
        if process.pid in mine or process.pid in found:
            continue
        try:
            if data in process.cmdline() or process.environ().get(MARKER) == str(home):
                found[process.pid] = process
                for child in process.children(recursive=True):
                    found.setdefault(child.pid, child)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return [process for process in found.values() if process.pid not in mine]


def end(processes: Iterable[psutil.Process], patience_s: float = 10) -> int:
    """End processes: politely first, by force after ``patience_s``.

    Returns:
        How many there were.
    """
    present = list(processes)
    for process in present:
        try:
            # PostgreSQL takes TERM as "when the last client has left" and INT as "now, cleanly".
            process.send_signal(signal.SIGINT if process.name() == "postgres" else signal.SIGTERM)
        except psutil.NoSuchProcess:
            continue
    _, left = psutil.wait_procs(present, timeout=patience_s)
    for process in left:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(left, timeout=5)
    return len(present)


def port_is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        # As the servers do it: a port in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def holder_of(port: int) -> str:
    """Name and pid of the process that listens on ``port``, as far as this user may see it."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return f"{psutil.Process(connection.pid).name()}, process {connection.pid}"
    except (psutil.AccessDenied, psutil.NoSuchProcess):
        pass
    return "another program"


def memory_bytes(home: Path) -> int:
    """Memory of the whole stack: proportional set size, so that shared pages count once."""
    total = 0
    for process in of_stack(home):
        try:
            total += process.memory_full_info().pss
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return total
