"""The records of a stand-in's office: planned changes that happen when its clock gets there.

A domain makes the plan from the seed, so that the same seed and the same moment give the same records.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sandbox.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def kept_anchor(path: Path, now: datetime) -> datetime:
    """The moment of the first start, on which a plan hangs: ``now`` the first time, from the file afterwards."""
    if path.exists():
        return datetime.fromisoformat(json.loads(path.read_text(encoding="utf-8"))["anchor"])
    write_atomically(path, json.dumps({"anchor": now.isoformat()}).encode())
    return now


class Clock:
    """The office's clock: ours, moved by what it is told."""

    def __init__(self, at: datetime | None = None) -> None:
        self._fixed = at
        self._moved = timedelta()

    def now(self) -> datetime:
        return (self._fixed or datetime.now(UTC)) + self._moved

    def move(self, seconds: float) -> None:
        """Let time pass; backwards when negative."""
        self._moved += timedelta(seconds=seconds)


@dataclass(frozen=True, order=True)
class Change:
    """Something that happens to a record at a moment.

    Attributes:
        at: When; also what the source writes as time of change, unless ``stamped`` says otherwise.
        key: Which record.
        fields: What its fields become; None = the record is deleted.
        stamped: Time of change that the source writes: a clock that is wrong, a change entered late.
    """

    at: datetime
    key: str
    fields: dict[str, Any] | None = field(compare=False, default_factory=dict)
    stamped: datetime | None = field(compare=False, default=None)


class Store:
    """The office's records as they are now, and every change that led there.

    Args:
        clock: Planned changes happen when it reaches them.
        changes: The plan, in any order.
    """

    def __init__(self, clock: Clock, changes: Iterable[Change] = ()) -> None:
        self.clock = clock
        self.happened: list[Change] = []
        self._planned = sorted(changes)
        self._records: dict[str, dict[str, Any]] = {}
        self._changed: dict[str, datetime] = {}
        self._lock = threading.RLock()

    def advance(self) -> int:
        """Let everything happen that is due; returns how many changes."""
        with self._lock:
            now, count = self.clock.now(), 0
            while self._planned and self._planned[0].at <= now:
                self._happen(self._planned.pop(0))
                count += 1
            return count

    def change(self, key: str, fields: dict[str, Any] | None, stamped: datetime | None = None) -> None:
        """Change a record now, or delete it."""
        with self._lock:
            self.advance()
            self._happen(Change(self.clock.now(), key, fields, stamped))

    def plan(self, *changes: Change) -> None:
        """Add to the plan."""
        with self._lock:
            self._planned = sorted([*self._planned, *changes])

    def _happen(self, change: Change) -> None:
        self.happened.append(change)
        if change.fields is None:
            self._records.pop(change.key, None)
            self._changed.pop(change.key, None)
            return
        self._records[change.key] = {**self._records.get(change.key, {}), **change.fields}
        self._changed[change.key] = change.stamped or change.at

    def records(self) -> dict[str, dict[str, Any]]:
        """Every record as it is now, by key."""
        with self._lock:
            self.advance()
            return {key: dict(record) for key, record in self._records.items()}

    def changed(self, since: datetime | None = None, until: datetime | None = None) -> list[tuple[str, datetime]]:
        """Keys and times of change in a window, both ends included, in order of change."""
        with self._lock:
            self.advance()
            found = [
                (key, at)
                for key, at in self._changed.items()
                if (since is None or at >= since) and (until is None or at <= until)
            ]
            return sorted(found, key=lambda item: (item[1], item[0]))
