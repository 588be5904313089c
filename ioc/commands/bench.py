"""``ioc bench``: the benchmarks, each a ratio from one run."""

import subprocess
import sys
from typing import Annotated

import typer

from ioc.commands import Json
from ioc.settings import PROJECT_ROOT


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command()(bench)


def bench(
    name: Annotated[list[str] | None, typer.Argument(help="Names of benchmarks; none runs all.")] = None,
    json: Json = False,
) -> None:
    """Run benchmarks against peers and limits; see bench/README.md."""
    # In a process of its own: the figures must not carry what this command has imported.
    command = [sys.executable, "-m", "bench", *(name or []), *(["--json"] if json else [])]
    done = subprocess.run(command, cwd=PROJECT_ROOT, check=False)
    if done.returncode:
        raise typer.Exit(done.returncode)
