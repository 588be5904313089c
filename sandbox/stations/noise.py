"""Believable irregularity that is a function of seed, place, subject and time, and of nothing else.

Noise comes from a counter hash (splitmix64), not from a generator's state: the same seed gives the same bytes, whenever
and in whatever order it is asked.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

from sandbox.stations.model import DAY_S, HOUR_S, STEP_S

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Marks = NDArray[np.int64]

VIETNAM_S = 7 * HOUR_S


def hour_of_day(marks: Marks) -> Floats:
    """Hours since midnight in Thanh Hóa."""
    return ((marks + VIETNAM_S) % DAY_S) / HOUR_S


def bump(hour: Floats, centre: float, width: float) -> Floats:
    return np.exp(-0.5 * ((hour - centre) / width) ** 2)


def smooth(seed: int, place: str, what: str, marks: Marks, period_s: int) -> Floats:
    """A slow wave in [0, 1]: random knots every ``period_s``, joined by smoothstep."""
    index, rest = np.divmod(marks, period_s)
    share = rest / period_s
    share = share * share * (3 - 2 * share)
    key = f"{place}/{what}"
    return uniform(seed, key, index) * (1 - share) + uniform(seed, key, index + 1) * share


def noise(seed: int, place: str, what: str, marks: Marks) -> Floats:
    """Independent noise in [-1, 1] for every mark."""
    return 2 * uniform(seed, f"{place}/{what}/noise", marks // STEP_S) - 1


def uniform(seed: int, key: str, index: NDArray[np.int64]) -> Floats:
    """Uniform in [0, 1), by splitmix64 of a counter (Steele, Lea, Flood 2014)."""
    start = int.from_bytes(blake2b(f"{seed}/{key}".encode(), digest_size=8).digest(), "big")
    x = index.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(start)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x = x ^ (x >> np.uint64(31))
    return (x >> np.uint64(11)).astype(np.float64) * 2.0**-53
