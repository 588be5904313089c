"""Lays out the stations' folders and keeps them growing.

History is what a data centre finds after taking over: one backfill file per station and day (real loggers send those
after an outage), and single five-minute files for the last hours. Live files follow every five minutes.
"""

from __future__ import annotations

import json
import os
import threading
from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from sandbox.files import write_atomically
from sandbox.stations.model import DAY_S, STEP_S, Network, Station, Story
from sandbox.stations.tt10 import file_name, render, stamp

if TYPE_CHECKING:
    from pathlib import Path

# A logger sends a few seconds after the mark.
_SEND_DELAY_S = 5


class Feed:
    """The stations of one network in one sandbox.

    What must survive a restart is in ``<domain>.json``: the anchor (end of the first history, on which the planted
    stories hang), the last mark written, and the stories told since.

    Args:
        network: Who sends, and what.
        folder: ``IOC_HOME/sandbox``; stations write below its ``ftp/<domain>`` and ``sftp/<domain>``.
        seed: Same seed and same first end give the same bytes.
        days: Days of history.
    """

    def __init__(self, network: Network, folder: Path, seed: int, days: int) -> None:
        self.network = network
        self.folder = folder
        self.seed = seed
        self.days = days
        self._state_path = folder / f"{network.domain}.json"
        self._lock = threading.Lock()
        self._anchor: int | None = None
        self._told: list[Story] = []
        self.last_mark: int | None = None
        self._load()

    def stories(self) -> tuple[Story, ...]:
        return (*(self.network.planted(self._anchor) if self._anchor is not None else ()), *self._told)

    def station_folder(self, station: Station, sent_at: int) -> Path:
        """Where ``station`` puts a file that it sends at ``sent_at``."""
        base = self.folder / station.server / self.network.domain / station.code
        if station.server == "ftp":
            return base
        day = stamp(sent_at)
        return base / day[:4] / day[4:6] / day[6:8]

    def advance(self, now: int) -> int:
        """Write everything due up to ``now`` (epoch seconds): history on the first call, missed marks later.

        Returns:
            Number of files written.
        """
        with self._lock:
            end = (now - _SEND_DELAY_S) // STEP_S * STEP_S
            if self._anchor is None:
                self._anchor = end
                self._save()
            first = self.last_mark is None
            after = self._anchor - self.days * DAY_S if self.last_mark is None else self.last_mark
            if end <= after:
                return 0
            written = sum(self._write(station, after, end, first=first) for station in self.network.stations)
            self.last_mark = end
            self._save()
            return written

    def tell(self, story: Story) -> None:
        """Let ``story`` happen to the marks not written yet; it survives restarts."""
        with self._lock:
            self._told.append(story)
            self._save()

    def _write(self, station: Station, after: int, end: int, *, first: bool) -> int:
        if first and station.history_days is not None:
            after = max(after, end - station.history_days * DAY_S)
        stories = self.stories()
        outages = [story for story in stories if story.kind == "outage" and story.station == station.code]
        marks = range(after + STEP_S, end + 1, STEP_S)
        on_time = [mark for mark in marks if not any(story.start < mark <= story.end for story in outages)]
        bulk_until = end - self.network.single_files_s
        batches = [
            list(group)
            for _, group in groupby((m for m in on_time if m <= bulk_until), key=lambda m: stamp(m)[:8])
        ]  # fmt: skip
        batches += [[mark] for mark in on_time if mark > bulk_until]
        for batch in batches:
            self._send(station, batch, batch[-1], stories)
        resends = [story for story in outages if after < story.resend_at <= end]
        for story in resends:
            begin = story.start // STEP_S * STEP_S + STEP_S
            # Seconds off the mark: the name is the time of sending and must not meet the file of that mark.
            self._send(station, list(range(begin, story.end + 1, STEP_S)), story.resend_at + 7, stories)
        return len(batches) + len(resends)

    def _send(self, station: Station, marks: list[int], sent_at: int, stories: tuple[Story, ...]) -> None:
        content = render(self.network, station, np.array(marks, dtype=np.int64), self.seed, stories)
        path = self.station_folder(station, sent_at) / file_name(station, sent_at)
        write_atomically(path, content)
        os.utime(path, (sent_at + _SEND_DELAY_S, sent_at + _SEND_DELAY_S))

    def _load(self) -> None:
        if not self._state_path.exists():
            return
        state: dict[str, Any] = json.loads(self._state_path.read_text(encoding="utf-8"))
        self._anchor = state["anchor"]
        self.last_mark = state["last_mark"]
        self._told = [
            Story(**{**story, "profile": tuple(tuple(point) for point in story["profile"])}) for story in state["told"]
        ]

    def _save(self) -> None:
        state = {"anchor": self._anchor, "last_mark": self.last_mark, "told": [asdict(story) for story in self._told]}
        write_atomically(self._state_path, json.dumps(state).encode())
