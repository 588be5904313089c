"""What the stations measure: believable air of the Thanh Hóa coast, a function of seed, station, parameter and time.

Because nothing depends on when or in what order it is asked, history laid out at once and data written live join
without a seam, and the same seed gives the same bytes. Noise comes from a counter hash (splitmix64), not from a
generator's state.

Without a story every level stays well inside AQI 100 and QCVN 05:2023: each alarm of the demo has a planted cause.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

from sandbox.air_quality.stations import HOUR_S, PARAMETERS, STEP_S, Station, Story

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Marks = NDArray[np.int64]

_VIETNAM_S = 7 * HOUR_S
_DAY_S = 24 * HOUR_S


@dataclass(frozen=True)
class Series:
    """Values of one parameter at some marks: µg/m³, °C or %; ``missing`` where the logger has none."""

    values: Floats
    calibrating: NDArray[np.bool_]
    missing: NDArray[np.bool_]


def observe(station: Station, marks: Marks, seed: int, stories: Iterable[Story] = ()) -> dict[str, Series]:
    """What ``station`` reads at ``marks``, by canonical parameter, with the stories told over it.

    Outages do not show here: they are about sending, not about measuring.
    """
    own = [story for story in stories if story.station == station.code]
    values = _air(station, marks, seed)
    for story in own:
        if story.kind == "episode":
            hours = (marks - story.start) / HOUR_S
            points = np.array(story.profile)
            haze = 1 + 0.04 * _noise(seed, station.code, "haze", marks)
            level = np.interp(hours, points[:, 0], points[:, 1]) * haze
            values["PM2.5"] = np.where(_during(story, marks), np.maximum(values["PM2.5"], level), values["PM2.5"])
    # Coarse dust comes on top of the fine: PM10 is always the larger one, unless a story breaks the sensor.
    values["PM10"] = values["PM2.5"] * (1.4 + 0.3 * _smooth(seed, station.code, "coarse", marks, 9 * HOUR_S))
    calibrating = {name: np.zeros(len(marks), dtype=bool) for name in PARAMETERS}
    for story in own:
        told = _during(story, marks)
        if story.kind in ("fixed", "calibration"):
            values[story.parameter] = np.where(told, story.value, values[story.parameter])
        if story.kind == "calibration":
            calibrating[story.parameter] |= told
        if story.kind == "inversion":
            values["PM2.5"] = np.where(told, values["PM10"] * 1.35, values["PM2.5"])
    missing = {name: _uniform(seed, f"{station.code}/{name}/gap", marks // STEP_S) < 0.002 for name in PARAMETERS}
    return {name: Series(values[name], calibrating[name], missing[name]) for name in PARAMETERS}


def _during(story: Story, marks: Marks) -> NDArray[np.bool_]:
    return (marks > story.start) & (marks <= story.end)


def _air(station: Station, marks: Marks, seed: int) -> dict[str, Floats]:
    hour = ((marks + _VIETNAM_S) % _DAY_S) / HOUR_S
    day_of_year = ((marks + _VIETNAM_S) / _DAY_S) % 365.25
    winter = 0.5 + 0.5 * np.cos(2 * np.pi * (day_of_year - 15) / 365.25)
    rush = _bump(hour, 7.5, 1.6) + _bump(hour, 18.5, 2.2)
    sun = np.clip(np.sin(np.pi * (hour - 6) / 12.5), 0, None)
    # Two slow waves: one for the whole coast (weather), one for the place.
    stagnation = 0.6 * _smooth(seed, "region", "stagnation", marks, 40 * HOUR_S) + 0.4 * _smooth(
        seed, station.code, "stagnation", marks, 11 * HOUR_S
    )

    def flicker(parameter: str, share: float) -> Floats:
        return 1 + share * _noise(seed, station.code, parameter, marks)

    dust = station.pm25_ug_m3 * (0.75 + 0.5 * winter) * (0.5 + stagnation) * (0.85 + 0.3 * rush)
    industry = 0.6 + 0.8 * _smooth(seed, station.code, "industry", marks, 5 * HOUR_S)
    warm = 24.2 - 6.3 * (winter - 0.5) * 2 + 2.5 * (_smooth(seed, "region", "front", marks, 60 * HOUR_S) - 0.5) * 2
    temperature = warm + 3.4 * np.cos(2 * np.pi * (hour - 14) / 24) + 0.25 * _noise(seed, station.code, "Temp", marks)
    return {
        "PM2.5": 44 * np.tanh(dust / 44) * flicker("PM2.5", 0.06),
        "SO2": station.so2_ug_m3 * industry * (0.7 + 0.6 * stagnation) * flicker("SO2", 0.05),
        "NO2": 20 * station.traffic * (0.45 + 0.7 * rush) * (0.7 + 0.6 * stagnation) * flicker("NO2", 0.05),
        "CO": 620 * station.traffic * (0.6 + 0.6 * rush) * (0.7 + 0.6 * stagnation) * flicker("CO", 0.04),
        "O3": (22 + 58 * sun * (1.1 - 0.4 * winter) * (0.7 + 0.5 * stagnation)) * flicker("O3", 0.04),
        "Temp": temperature,
        "RH": 80 - 2.6 * (temperature - warm) + 8 * (stagnation - 0.5) + 0.6 * _noise(seed, station.code, "RH", marks),
    }


def _bump(hour: Floats, centre: float, width: float) -> Floats:
    return np.exp(-0.5 * ((hour - centre) / width) ** 2)


def _smooth(seed: int, place: str, what: str, marks: Marks, period_s: int) -> Floats:
    """A slow wave in [0, 1]: random knots every ``period_s``, joined by smoothstep."""
    index, rest = np.divmod(marks, period_s)
    share = rest / period_s
    share = share * share * (3 - 2 * share)
    key = f"{place}/{what}"
    return _uniform(seed, key, index) * (1 - share) + _uniform(seed, key, index + 1) * share


def _noise(seed: int, place: str, what: str, marks: Marks) -> Floats:
    """Independent noise in [-1, 1] for every mark."""
    return 2 * _uniform(seed, f"{place}/{what}/noise", marks // STEP_S) - 1


def _uniform(seed: int, key: str, index: NDArray[np.int64]) -> Floats:
    """Uniform in [0, 1), by splitmix64 of a counter (Steele, Lea, Flood 2014)."""
    start = int.from_bytes(blake2b(f"{seed}/{key}".encode(), digest_size=8).digest(), "big")
    x = index.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(start)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x = x ^ (x >> np.uint64(31))
    return (x >> np.uint64(11)).astype(np.float64) * 2.0**-53
