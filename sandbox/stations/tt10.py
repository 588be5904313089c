"""Writing the text file of TT 10/2021, with the habits of each station's logger."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from sandbox.stations.model import Network, Station, Story

VIETNAM = timezone(timedelta(hours=7))
_TONES = "\u0300\u0301\u0303\u0309\u0323"


def stamp(epoch_s: int) -> str:
    """``YYYYMMDDhhmmss`` in GMT+7, which is what the circular asks of a logger's clock."""
    return datetime.fromtimestamp(epoch_s, UTC).astimezone(VIETNAM).strftime("%Y%m%d%H%M%S")


def file_name(station: Station, sent_at: int) -> str:
    return f"{station.code}_{stamp(sent_at)}.txt"


def render(network: Network, station: Station, marks: NDArray[np.int64], seed: int, stories: Iterable[Story]) -> bytes:
    """The file with everything that ``station`` measured at ``marks`` (one line per mark and parameter)."""
    columns = [
        [
            (name, None if gap else value, status)
            for value, gap, status in zip(one.values.tolist(), one.missing.tolist(), one.statuses.tolist(), strict=True)
        ]
        for name, one in network.observe(station, marks, seed, stories).items()
    ]
    lines: list[str] = []
    for index, mark in enumerate(marks.tolist()):
        at = stamp(mark)
        lines.extend(_line(network, station, column[index], at) for column in columns)
    return encode(station, "".join(lines))


def render_given(
    network: Network, station: Station, marks: Iterable[int], values: Mapping[str, float | None], status: str
) -> bytes:
    """The file with the same chosen ``values`` (canonical parameter → network's unit; null = missing) at every mark."""
    lines = [
        _line(network, station, (name, value, status), stamp(mark)) for mark in marks for name, value in values.items()
    ]
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


def _line(network: Network, station: Station, reading: tuple[str, float | None, str], at: str) -> str:
    name, value, status = reading
    unit = station.units.get(name) or network.units.get(name, "")
    if value is None:
        written = station.missing
    else:
        decimals = station.decimals.get(name, network.decimals.get(name, 1))
        written = f"{value * station.scales.get(name, 1):.{decimals}f}"
        written = written.replace(".", station.decimal)
    return station.separator.join((station.names.get(name, name), written, unit, at, status)) + "\r\n"
