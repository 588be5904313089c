"""The stand-in of a network of stations: its feed, and orders to drop a file or tell a story."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Literal

from fastapi import APIRouter, HTTPException
from pydantic import AwareDatetime, BaseModel, Field

from sandbox.files import write_atomically
from sandbox.stations.feed import Feed
from sandbox.stations.model import HOUR_S, STEP_S, Network, Station, Story
from sandbox.stations.tt10 import file_name, render_given

if TYPE_CHECKING:
    from pathlib import Path


class Reading(BaseModel):
    """Body of ``POST /<domain>/reading``.

    Attributes:
        station: Code of a station that the sandbox plays.
        values: Canonical parameter → value in the network's unit; null = the logger has none.
        measured_at: The last mark; default: the last five-minute mark before now.
        marks: How many marks, five minutes apart, end at ``measured_at`` (12 make an hour).
        status: Device status of all lines.
        write: ``whole`` (rename) or ``halves`` (first half under the final name, the rest ``pause_s`` later).
    """

    station: str
    values: dict[str, float | None] = Field(min_length=1)
    measured_at: AwareDatetime | None = None
    marks: int = Field(default=1, ge=1, le=2000)
    status: str = "00"
    write: Literal["whole", "halves"] = "whole"
    pause_s: float = Field(default=5, ge=0, le=600)


class StoryOrder(BaseModel):
    """Body of ``POST /<domain>/story``: from the next mark on, for ``hours``.

    Attributes:
        kind: ``episode`` (``parameter`` rises to ``value`` within half an hour), ``fixed``, ``calibration`` or
            ``error`` (``parameter`` reads ``value``), ``outage`` (silence, then one file with all of it), or another
            kind that the network knows.
        parameter: The network's first parameter when none is named.
    """

    kind: str
    station: str
    hours: float = Field(default=3, gt=0, le=240)
    parameter: str = ""
    value: float = 180.0


class StationNetwork:
    """The stand-in; see :class:`sandbox.stand_in.StandIn`.

    Args:
        network: Who sends.
        folder: ``IOC_HOME/sandbox``.
        seed: Of the values.
        days: Of history.
        kinds: The kinds of story that may be ordered.
    """

    def __init__(self, network: Network, folder: Path, seed: int, days: int, kinds: tuple[str, ...]) -> None:
        self.network = network
        self.feed = Feed(network, folder, seed, days)
        self.kinds = kinds
        self.router = APIRouter()
        self.router.add_api_route("/reading", self.drop_reading, methods=["POST"], status_code=201)
        self.router.add_api_route("/story", self.tell_story, methods=["POST"], status_code=201)

    def advance(self, now: int) -> int:
        return self.feed.advance(now)

    def health(self) -> dict[str, Any]:
        return {"last_mark": self.feed.last_mark, "stations": [one.code for one in self.network.stations]}

    def drop_reading(self, order: Reading) -> dict[str, Any]:
        """Put a file with chosen values into the station's folder now."""
        sender = self._sender(order.station)
        now = int(time.time())
        last = int(order.measured_at.timestamp()) if order.measured_at else now // STEP_S * STEP_S
        marks = range(last - (order.marks - 1) * STEP_S, last + 1, STEP_S)
        content = render_given(self.network, sender, marks, order.values, order.status)
        path = self._free_path(sender, now)
        if order.write == "whole":
            write_atomically(path, content)
        else:
            self._write_in_halves(path, content, order.pause_s)
        return {
            "path": str(path.relative_to(self.feed.folder / sender.server)),
            "server": sender.server,
            "rows": len(marks) * len(order.values),
            "bytes": len(content),
        }

    def tell_story(self, order: StoryOrder) -> dict[str, Any]:
        """Let something happen to a station from the next mark on."""
        self._sender(order.station)
        parameter = order.parameter or self.network.parameters[0]
        _known("kind", order.kind, self.kinds)
        _known("parameter", parameter, self.network.parameters)
        start = self.feed.last_mark
        if start is None:
            raise HTTPException(503, "history is still being laid out; try again in a few seconds")
        end = start + round(order.hours * HOUR_S)
        profile = ((0.0, 0.0), (min(0.5, order.hours / 3), order.value), (order.hours, order.value))
        story = Story(
            order.kind, order.station, start, end,
            parameter=parameter, value=order.value,
            profile=profile if order.kind == "episode" else (),
            resend_at=end // STEP_S * STEP_S + STEP_S if order.kind == "outage" else 0,
        )  # fmt: skip
        self.feed.tell(story)
        return {"kind": story.kind, "station": story.station, "start": story.start, "end": story.end}

    def _sender(self, code: str) -> Station:
        _known("station", code, tuple(one.code for one in self.network.stations))
        found: Station = self.network.station(code)
        return found

    def _free_path(self, sender: Station, now: int) -> Path:
        # Two files within one second get names a second apart, as a logger with a queue would send them.
        for sent_at in range(now, now + 3600):
            path = self.feed.station_folder(sender, sent_at) / file_name(sender, sent_at)
            if sent_at % STEP_S and not path.exists():
                return path
        raise HTTPException(409, "no free file name within the next hour")

    @staticmethod
    def _write_in_halves(path: Path, content: bytes, pause_s: float) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Within a line: the last row of the first half is broken, as it is when a transfer stops.
        middle = content.rfind(b"\r\n", 0, len(content) // 2) + 2 + 5
        path.write_bytes(content[:middle])

        def finish() -> None:
            with path.open("ab") as file:
                file.write(content[middle:])

        timer = threading.Timer(pause_s, finish)
        timer.daemon = True
        timer.start()


def _known(what: str, name: str, names: tuple[str, ...]) -> None:
    if name not in names:
        raise HTTPException(422, f"no {what} '{name}'; known: {', '.join(names)}")
