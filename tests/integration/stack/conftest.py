"""Stacks of their own for these tests: the real command in a real process, its own folder and ports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from ioc.settings import PROJECT_ROOT, Settings
from ioc.stack import environment, processes, programs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


_FIRST_PORT = 21000 + os.getpid() % 100 * 100


@dataclass(frozen=True)
class Stack:
    """One ``IOC_HOME`` and the command that speaks to it."""

    settings: Settings

    def ioc(self, *arguments: str, expect: int = 0) -> dict[str, Any]:
        """Run ``ioc … --json``, check its exit code, and return its last line."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("IOC_")}
        done = subprocess.run(
            [sys.executable, "-m", "ioc.cli", *arguments, "--json"],
            env=own | environment.of_settings(self.settings), cwd=PROJECT_ROOT,
            capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        assert done.returncode == expect, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return answer


def _made(folder: Path, above: int) -> Stack:
    wanted = Settings(home=folder, port_base=above, warehouse_url=None, sandbox_days=1)
    return Stack(wanted.model_copy(update={"port_base": programs.free_port_base(wanted)}))


def _removed(stack: Stack) -> None:
    stack.ioc("down")
    left = [" ".join(process.cmdline()) for process in processes.of_stack(stack.settings.home)]
    assert left == []


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that the tests of a module share; each brings up what it needs."""
    shared = _made(tmp_path_factory.mktemp("stack"), _FIRST_PORT)
    yield shared
    _removed(shared)


@pytest.fixture
def new_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Stack]]:
    """Makes a stack of which nothing is left when the test ends, however it ends."""
    made: list[Stack] = []

    def make() -> Stack:
        above = max((stack.settings.port_base for stack in made), default=_FIRST_PORT + 200)
        made.append(_made(tmp_path_factory.mktemp("stack"), above))
        return made[-1]

    yield make
    for stack in made:
        _removed(stack)
