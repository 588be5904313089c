"""The air-quality stand-in: the stations' feed, the real series, and orders to drop a file or tell a story."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fastapi import APIRouter, HTTPException
from pydantic import AwareDatetime, BaseModel, Field, field_validator

from sandbox.air_quality.feed import Feed
from sandbox.air_quality.stations import HOUR_S, PARAMETERS, STATIONS, STEP_S, Station, Story, station
from sandbox.air_quality.tt10 import file_name, render_given
from sandbox.files import write_atomically

if TYPE_CHECKING:
    from ioc.settings import Settings

_REAL = Path(__file__).resolve().parent / "real"


def _known(code: str) -> str:
    # A KeyError would not become an answer 422.
    if code not in {one.code for one in STATIONS}:
        raise ValueError(f"no station '{code}'; known: {', '.join(one.code for one in STATIONS)}")
    return code


class Reading(BaseModel):
    """Body of ``POST /air_quality/reading``.

    Attributes:
        station: Code of a station that the sandbox plays.
        values: Canonical parameter → value in µg/m³, °C or %; null = the logger has none.
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

    _station = field_validator("station")(_known)


class StoryOrder(BaseModel):
    """Body of ``POST /air_quality/story``: from the next mark on, for ``hours``.

    Attributes:
        kind: ``episode`` (PM2.5 rises to ``value`` within half an hour), ``fixed`` or ``calibration`` (``parameter``
            reads ``value``), ``outage`` (silence, then one file with all of it), ``inversion`` (PM2.5 above PM10).
    """

    kind: Literal["episode", "fixed", "calibration", "outage", "inversion"]
    station: str
    hours: float = Field(default=3, gt=0, le=240)
    parameter: str = "PM2.5"
    value: float = 180.0

    _station = field_validator("station")(_known)

    @field_validator("parameter")
    @classmethod
    def _parameter(cls, name: str) -> str:
        if name not in PARAMETERS:
            raise ValueError(f"no parameter '{name}'; known: {', '.join(PARAMETERS)}")
        return name


class AirQuality:
    """The stand-in; see :class:`sandbox.stand_in.StandIn`."""

    def __init__(self, folder: Path, seed: int, days: int) -> None:
        self.feed = Feed(folder, seed, days)
        self._series = folder / "files" / "air_quality_series"
        self.router = APIRouter()
        self.router.add_api_route("/reading", self.drop_reading, methods=["POST"], status_code=201)
        self.router.add_api_route("/story", self.tell_story, methods=["POST"], status_code=201)

    def advance(self, now: int) -> int:
        for path in _REAL.glob("*.csv"):
            if not (self._series / path.name).exists():
                self._series.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, self._series / path.name)
        return self.feed.advance(now)

    def health(self) -> dict[str, Any]:
        return {"last_mark": self.feed.last_mark, "stations": [one.code for one in STATIONS]}

    def drop_reading(self, order: Reading) -> dict[str, Any]:
        """Put a file with chosen values into the station's folder now."""
        sender = station(order.station)
        now = int(time.time())
        last = int(order.measured_at.timestamp()) if order.measured_at else now // STEP_S * STEP_S
        marks = range(last - (order.marks - 1) * STEP_S, last + 1, STEP_S)
        content = render_given(sender, marks, order.values, order.status)
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
        start = self.feed.last_mark
        if start is None:
            raise HTTPException(503, "history is still being laid out; try again in a few seconds")
        end = start + round(order.hours * HOUR_S)
        profile = ((0.0, 30.0), (min(0.5, order.hours / 3), order.value), (order.hours, order.value))
        story = Story(
            order.kind, order.station, start, end,
            parameter=order.parameter, value=order.value,
            profile=profile if order.kind == "episode" else (),
            resend_at=end // STEP_S * STEP_S + STEP_S if order.kind == "outage" else 0,
        )  # fmt: skip
        self.feed.tell(story)
        return {"kind": story.kind, "station": story.station, "start": story.start, "end": story.end}

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


def stand_in(settings: Settings) -> AirQuality:
    return AirQuality(settings.home / "sandbox", settings.sandbox_seed, settings.sandbox_days)
