"""Writing the text file of TT 10/2021, with the habits of each station's logger."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import numpy as np

from sandbox.air_quality.stations import PARAMETERS, Station, Story
from sandbox.air_quality.weather import observe

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

VIETNAM = timezone(timedelta(hours=7))
_UNITS = {"Temp": "oC", "RH": "%"}
_TONES = "\u0300\u0301\u0303\u0309\u0323"


def stamp(epoch_s: int) -> str:
    """``YYYYMMDDhhmmss`` in GMT+7, which is what the circular asks of a logger's clock."""
    return datetime.fromtimestamp(epoch_s, UTC).astimezone(VIETNAM).strftime("%Y%m%d%H%M%S")


def file_name(station: Station, sent_at: int) -> str:
    return f"{station.code}_{stamp(sent_at)}.txt"


def render(station: Station, marks: NDArray[np.int64], seed: int, stories: Iterable[Story]) -> bytes:
    """The file with everything that ``station`` measured at ``marks`` (one line per mark and parameter)."""
    series = observe(station, marks, seed, stories)
    columns = []
    for name in PARAMETERS:
        one = series[name]
        statuses = np.where(one.calibrating, "01", "00")
        columns.append(
            [
                (name, None if gap else value, status)
                for value, gap, status in zip(one.values.tolist(), one.missing.tolist(), statuses.tolist(), strict=True)
            ]
        )
    lines = []
    for index, mark in enumerate(marks.tolist()):
        at = stamp(mark)
        lines.extend(_line(station, *column[index], at) for column in columns)
    return encode(station, "".join(lines))


def render_given(station: Station, marks: Iterable[int], values: Mapping[str, float | None], status: str) -> bytes:
    """The file with the same chosen ``values`` (canonical parameter → µg/m³, °C, %; null = missing) at every mark."""
    lines = [_line(station, name, value, status, stamp(mark)) for mark in marks for name, value in values.items()]
    return encode(station, "".join(lines))


def encode(station: Station, text: str) -> bytes:
    """``text`` in the station's encoding; cp1258 has no letter with two marks, so the tone stands behind its vowel."""
    if station.encoding != "cp1258":
        return text.encode(station.encoding)
    tones_behind = {ord(letter): _tone_behind(letter) for letter in set(text) if letter > "\x7f"}
    return text.translate(tones_behind).encode("cp1258")


def _tone_behind(letter: str) -> str:
    parts = unicodedata.normalize("NFD", letter)
    base = "".join(mark for mark in parts if mark not in _TONES)
    return unicodedata.normalize("NFC", base) + "".join(mark for mark in parts if mark in _TONES)


def _line(station: Station, name: str, value: float | None, status: str, at: str) -> str:
    unit = station.units.get(name) or _UNITS.get(name, "ug/Nm3")
    if value is None:
        written = station.missing
    elif name == "CO":
        written = f"{value / 1000:.3f}" if station.co_in_mg else f"{value:.0f}"
    else:
        written = f"{value:.1f}"
    if station.decimal != "." and value is not None:
        written = written.replace(".", station.decimal)
    return station.separator.join((station.names.get(name, name), written, unit, at, status)) + "\r\n"
