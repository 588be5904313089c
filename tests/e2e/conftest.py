"""The whole system, and a window of a browser: what a person has in front of them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ioc.settings import PROJECT_ROOT, Settings
from ioc.stack import environment, programs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

# Two days of sandbox history: enough for a daily index, and loaded in seconds.
_SANDBOX_DAYS = 2


def environment_of(settings: Settings) -> dict[str, str]:
    """What a command of the stack's own needs in its environment."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("IOC_")}
    return own | environment.of_settings(settings)


@pytest.fixture(scope="session")
def stack() -> Iterator[Settings]:
    """Settings of a whole stack that ``ioc demo`` has brought up and filled: all stories share it."""
    home = Path(tempfile.mkdtemp(prefix="ioc-e2e-"))
    wanted = Settings(
        home=home, port_base=20000 + os.getpid() % 100 * 100, warehouse_url=None, sandbox_days=_SANDBOX_DAYS
    )
    settings = wanted.model_copy(update={"port_base": programs.free_port_base(wanted)})
    given = environment_of(settings)
    ioc = [sys.executable, "-m", "ioc.cli"]
    try:
        done = subprocess.run(
            [*ioc, "demo", "--detach", "--json"],
            env=given,
            cwd=PROJECT_ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            pytest.fail(f"the stack did not come up:\n{_log_tails(settings)}\n{done.stderr}")
        assert json.loads(done.stdout.splitlines()[-1])["domains"], "the demonstration loaded something"
        yield settings
    finally:
        subprocess.run([*ioc, "down"], env=given, cwd=PROJECT_ROOT, capture_output=True, check=False)
        shutil.rmtree(home, ignore_errors=True)


def _log_tails(settings: Settings) -> str:
    parts = []
    for log in sorted(settings.logs.glob("*.log")):
        lines = log.read_text(errors="replace").splitlines()[-15:]
        parts.append("\n".join([f"--- {log.name}", *(line[:300] for line in lines)]))
    return "\n".join(parts)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh window on a desktop, nobody signed in."""
    context = browser.new_context(
        viewport={"width": 1440, "height": 900}, locale="vi-VN", timezone_id="Asia/Ho_Chi_Minh"
    )
    yield context.new_page()
    context.close()
