"""What this machine has and lacks for the stack and for the tests, each in one sentence that says what to do."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import psutil  # type: ignore[import-untyped]

from ioc.settings import PROJECT_ROOT
from ioc.stack import postgres, processes, programs
from ioc.stack.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ioc.settings import Settings

_GIB = 2**30
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@dataclass(frozen=True)
class Finding:
    """One thing looked at.

    Attributes:
        subject: What was looked at.
        verdict: ``ok``; ``note`` works, with a limit; ``missing`` does not work before it is mended.
        text: The sentence for the person at the terminal.
    """

    subject: str
    verdict: Literal["ok", "note", "missing"]
    text: str

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def browser() -> str | None:
    """Path of a Chromium for the browser tests, or ``None``."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def examine(settings: Settings) -> list[Finding]:
    """Look at everything; changes nothing."""
    return [
        *_python(), *_postgres(settings), *_superset(), *_room(settings), *_ports(settings), *_messages(settings),
        *_memory(), *_browser(),
    ]  # fmt: skip


def _python() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    if (3, 11) <= sys.version_info < (3, 13):
        yield Finding("Python", "ok", version)
    else:
        yield Finding("Python", "missing", f"{version}; install Python 3.11 or 3.12, then 'make clean install'")


def _postgres(settings: Settings) -> Iterator[Finding]:
    if settings.warehouse_url:
        yield Finding("PostgreSQL", "ok", "your own server (IOC_WAREHOUSE_URL)")
        return
    try:
        folder = postgres.binaries()
    except FileNotFoundError as error:
        yield Finding("PostgreSQL", "missing", str(error))
        return
    yield Finding("PostgreSQL", "ok", f"embedded, {folder}")
    if os.geteuid() == 0:
        if not shutil.which("setpriv"):
            yield Finding("root", "missing", "PostgreSQL refuses to run as root: install util-linux (setpriv)")
            return
        yield Finding("root", "note", f"you are root: PostgreSQL runs as the user '{postgres.service_user().pw_name}'")


def _superset() -> Iterator[Finding]:
    from superset_assets import process

    if (process.ENVIRONMENT / "bin" / "python").exists():
        yield Finding("Superset", "ok", f"installed in {process.ENVIRONMENT.relative_to(PROJECT_ROOT)}")
    else:
        yield Finding("Superset", "missing", "its environment is not installed: run 'make install'")


def _room(settings: Settings) -> Iterator[Finding]:
    folder = next(parent for parent in (settings.home, *settings.home.parents) if parent.exists())
    free = shutil.disk_usage(folder).free
    text = f"{free / _GIB:.1f} GiB free at {folder}"
    if not os.access(folder, os.W_OK):
        yield Finding("disk", "missing", f"{folder} cannot be written: set IOC_HOME to a folder of yours")
    elif free < 3 * _GIB:
        yield Finding("disk", "missing", f"{text}; the demo needs 3 GiB: set IOC_HOME to a larger disk")
    else:
        yield Finding("disk", "ok", text)


def _ports(settings: Settings) -> Iterator[Finding]:
    running = {name for name, info in Supervisor(settings).states().items() if info["pid"]}
    for program in programs.of(settings):
        for name in program.ports:
            port = int(getattr(settings, name))
            if program.name in running or processes.port_is_free(settings.bind_host, port):
                continue
            yield Finding(
                f"port {port}", "missing",
                f"{program.title} needs it, and {processes.holder_of(port)} holds it: set IOC_PORT_BASE",
            )  # fmt: skip
    yield Finding("ports", "ok", f"looked at those from {settings.port_base} (IOC_PORT_BASE)")


def _messages(settings: Settings) -> Iterator[Finding]:
    from alerts.gateways import configured

    mail = "the sandbox's mailbox" if settings.smtp_url is None else "IOC_SMTP_URL"
    if settings.smtp_url is None and not settings.with_sandbox:
        yield Finding("mail", "missing", "no mail server: set IOC_SMTP_URL, or no alarm leaves by mail")
    else:
        yield Finding("mail", "ok", mail)
    try:
        gateways = [name for name, _ in configured(settings)]
    except ValueError as error:
        yield Finding("SMS", "missing", str(error))
        return
    if not gateways:
        yield Finding("SMS", "note", "no gateway (IOC_SMS_GATEWAY): nobody is told by SMS")
    else:
        where = "IOC_SMS_GATEWAY" if settings.sms_gateway else "the sandbox's phones, /sms"
        yield Finding("SMS", "ok", f"{', then '.join(gateways)} ({where})")


def _memory() -> Iterator[Finding]:
    memory = psutil.virtual_memory()
    text = f"{memory.available / _GIB:.1f} of {memory.total / _GIB:.1f} GiB free, {os.cpu_count()} cores"
    if memory.available < 4 * _GIB:
        yield Finding("memory", "note", f"{text}; the whole stack wants 4 GiB: it may start slowly")
    else:
        yield Finding("memory", "ok", text)


def _browser() -> Iterator[Finding]:
    found = browser()
    if found:
        yield Finding("browser for the tests", "ok", found)
    else:
        hint = "'apt install chromium'" if Path("/etc/debian_version").exists() else "install Chromium"
        yield Finding("browser for the tests", "note", f"no Chromium: {hint}; the stack itself runs without it")
