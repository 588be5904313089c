"""What the outlets measure: a function of seed, station, parameter and time.

Without a story every parameter stays below nine tenths of its limit: each alarm of the demo has a planted cause.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sandbox.stations.model import HOUR_S, STEP_S, Series
from sandbox.stations.noise import hour_of_day, noise, smooth, uniform

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.industrial_discharge.outlets import Outlet
    from sandbox.stations.model import Story
    from sandbox.stations.noise import Floats, Marks

# Parameter → how far it swings to either side of its level, in its own unit; the others swing in proportion.
_SWING = {"pH": 0.35, "Temp": 1.6, "O2": 0.8}


def observe(outlet: Outlet, marks: Marks, seed: int, stories: Iterable[Story] = ()) -> dict[str, Series]:
    """What ``outlet`` reads at ``marks``, by canonical parameter, with the stories told over it.

    Outages do not show here: they are about sending, not about measuring.
    """
    values = {name: _usual(outlet, name, level, marks, seed) for name, level in outlet.levels.items()}
    none = np.zeros(len(marks), dtype=bool)
    calibrating, failing = dict.fromkeys(values, none), dict.fromkeys(values, none)
    for story in stories:
        name = story.parameter
        if story.station != outlet.code or name not in values:
            continue
        told = story.during(marks)
        if story.kind == "episode":
            level = story.level(marks) * (1 + 0.02 * noise(seed, outlet.code, f"{name}/episode", marks))
            values[name] = np.where(told, np.maximum(values[name], level), values[name])
        elif story.kind in ("fixed", "calibration", "error"):
            values[name] = np.where(told, story.value, values[name])
        elif story.kind == "shutdown":
            stopped = {"O2": story.value, "Flow": 0.02, "PM": 0.1, "SO2": 0.02, "NOx": 0.02, "CO": 0.05}
            for what in stopped.keys() & values.keys():
                still = np.full(len(marks), story.value) if what == "O2" else values[what] * stopped[what]
                values[what] = np.where(told, still, values[what])
        if story.kind == "calibration":
            calibrating[name] = calibrating[name] | told
        if story.kind == "error":
            failing[name] = failing[name] | told
    missing = {name: uniform(seed, f"{outlet.code}/{name}/gap", marks // STEP_S) < 0.002 for name in values}
    return {name: Series(values[name], calibrating[name], missing[name], failing[name]) for name in values}


def _usual(outlet: Outlet, name: str, level: float, marks: Marks, seed: int) -> Floats:
    # A shift of the plant, its daily rhythm, and the instrument's flicker.
    shift = 2 * smooth(seed, outlet.code, name, marks, 7 * HOUR_S) - 1
    day = np.cos(2 * np.pi * (hour_of_day(marks) - 15) / 24)
    flicker = noise(seed, outlet.code, name, marks)
    if name in _SWING:
        return level + _SWING[name] * (0.7 * shift + 0.2 * day + 0.1 * flicker)
    return level * (1 + 0.22 * shift + 0.06 * day + 0.03 * flicker)
