"""What a command says: progress on the error stream, the result on standard output, one JSON object when asked."""

from __future__ import annotations

import json
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.status import Status

# A pipe has no width; tables must not be squeezed into 80 columns there.
__all__ = ["CommandError", "Progress", "err", "escape", "out", "print_json"]

out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 180)
err = Console(stderr=True, highlight=False, soft_wrap=True)


class CommandError(Exception):
    """An error whose message is one clear sentence for the person at the terminal.

    Attributes:
        code: Exit code: 2 refused by validation, 3 source or service unreachable, 64 wrong usage, 1 anything else.
    """

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


class Progress:
    """Steps of a command, several at a time: a line for each when it ends, and a moving line for those under way."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way: list[str] = []
        self._status: Status | None = None

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Show ``text`` while the body runs, then how long it took and whether it worked."""
        start = time.monotonic()
        self._change(add=text)
        try:
            yield
        except BaseException:
            self._change(remove=text)
            err.print(f"[red]✗[/] {text} [dim]({time.monotonic() - start:.1f} s)[/]")
            raise
        self._change(remove=text)
        err.print(f"[green]✓[/] {text} [dim]({time.monotonic() - start:.1f} s)[/]")

    def note(self, text: str) -> None:
        err.print(f"[dim]·[/] {text}")

    def _change(self, add: str | None = None, remove: str | None = None) -> None:
        with self._lock:
            if add:
                self._under_way.append(add)
            if remove:
                self._under_way.remove(remove)
            if not err.is_terminal:
                return
            if self._status:
                self._status.stop()
                self._status = None
            if self._under_way:
                self._status = err.status(" · ".join(self._under_way))
                self._status.start()


def print_json(result: dict[str, Any]) -> None:
    """Print ``result`` as one line of JSON: by contract the last line of a command run with ``--json``."""
    print(json.dumps(result, ensure_ascii=False, default=str), flush=True)
