"""What the stations measure: believable air of the Thanh Hóa coast, a function of seed, station, parameter and time.

Because nothing depends on when or in what order it is asked, history laid out at once and data written live join
without a seam, and the same seed gives the same bytes.

Without a story every level stays well inside AQI 100 and QCVN 05:2023: each alarm of the demo has a planted cause.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sandbox.air_quality.stations import PARAMETERS
from sandbox.stations.model import DAY_S, HOUR_S, STEP_S, Series
from sandbox.stations.noise import VIETNAM_S, bump, hour_of_day, noise, smooth, uniform

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.air_quality.stations import AirStation
    from sandbox.stations.model import Story
    from sandbox.stations.noise import Floats, Marks


def observe(station: AirStation, marks: Marks, seed: int, stories: Iterable[Story] = ()) -> dict[str, Series]:
    """What ``station`` reads at ``marks``, by canonical parameter, with the stories told over it.

    Outages do not show here: they are about sending, not about measuring.
    """
    own = [story for story in stories if story.station == station.code]
    values = _air(station, marks, seed)
    for story in own:
        if story.kind == "episode":
            haze = 1 + 0.04 * noise(seed, station.code, "haze", marks)
            level = story.level(marks) * haze
            values["PM2.5"] = np.where(story.during(marks), np.maximum(values["PM2.5"], level), values["PM2.5"])
    # Coarse dust comes on top of the fine: PM10 is always the larger one, unless a story breaks the sensor.
    values["PM10"] = values["PM2.5"] * (1.4 + 0.3 * smooth(seed, station.code, "coarse", marks, 9 * HOUR_S))
    calibrating = {name: np.zeros(len(marks), dtype=bool) for name in PARAMETERS}
    for story in own:
        told = story.during(marks)
        if story.kind in ("fixed", "calibration"):
            values[story.parameter] = np.where(told, story.value, values[story.parameter])
        if story.kind == "calibration":
            calibrating[story.parameter] |= told
        if story.kind == "inversion":
            values["PM2.5"] = np.where(told, values["PM10"] * 1.35, values["PM2.5"])
    missing = {name: uniform(seed, f"{station.code}/{name}/gap", marks // STEP_S) < 0.002 for name in PARAMETERS}
    return {name: Series(values[name], calibrating[name], missing[name]) for name in PARAMETERS}


def _air(station: AirStation, marks: Marks, seed: int) -> dict[str, Floats]:
    hour = hour_of_day(marks)
    day_of_year = ((marks + VIETNAM_S) / DAY_S) % 365.25
    winter = 0.5 + 0.5 * np.cos(2 * np.pi * (day_of_year - 15) / 365.25)
    rush = bump(hour, 7.5, 1.6) + bump(hour, 18.5, 2.2)
    sun = np.clip(np.sin(np.pi * (hour - 6) / 12.5), 0, None)
    # Two slow waves: one for the whole coast (weather), one for the place.
    stagnation = 0.6 * smooth(seed, "region", "stagnation", marks, 40 * HOUR_S) + 0.4 * smooth(
        seed, station.code, "stagnation", marks, 11 * HOUR_S
    )

    def flicker(parameter: str, share: float) -> Floats:
        return 1 + share * noise(seed, station.code, parameter, marks)

    dust = station.pm25_ug_m3 * (0.75 + 0.5 * winter) * (0.5 + stagnation) * (0.85 + 0.3 * rush)
    industry = 0.6 + 0.8 * smooth(seed, station.code, "industry", marks, 5 * HOUR_S)
    warm = 24.2 - 6.3 * (winter - 0.5) * 2 + 2.5 * (smooth(seed, "region", "front", marks, 60 * HOUR_S) - 0.5) * 2
    temperature = warm + 3.4 * np.cos(2 * np.pi * (hour - 14) / 24) + 0.25 * noise(seed, station.code, "Temp", marks)
    return {
        "PM2.5": 44 * np.tanh(dust / 44) * flicker("PM2.5", 0.06),
        "SO2": station.so2_ug_m3 * industry * (0.7 + 0.6 * stagnation) * flicker("SO2", 0.05),
        "NO2": 20 * station.traffic * (0.45 + 0.7 * rush) * (0.7 + 0.6 * stagnation) * flicker("NO2", 0.05),
        "CO": 620 * station.traffic * (0.6 + 0.6 * rush) * (0.7 + 0.6 * stagnation) * flicker("CO", 0.04),
        "O3": (22 + 58 * sun * (1.1 - 0.4 * winter) * (0.7 + 0.5 * stagnation)) * flicker("O3", 0.04),
        "Temp": temperature,
        "RH": 80 - 2.6 * (temperature - warm) + 8 * (stagnation - 0.5) + 0.6 * noise(seed, station.code, "RH", marks),
    }
