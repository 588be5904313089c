"""Stations with their loggers' habits, stories told over their data, and the network that they make up.

Times are epoch seconds; every mark is a multiple of five minutes and labels the END of its averaging period.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

STEP_S = 300
HOUR_S = 3600
DAY_S = 24 * HOUR_S


@dataclass(frozen=True)
class Station:
    """One station and how its logger writes.

    Attributes:
        code: Name of the folder and first part of every file name.
        server: ``ftp`` (one flat folder) or ``sftp`` (folders ``yyyy/MM/dd``).
        names: Spelling of parameters where it differs from the canonical symbol.
        units: Spelling of units where it differs from the network's.
        scales: Factor from the network's unit to the logger's where they differ.
        decimals: Decimals by parameter where they differ from the network's.
        missing: What the logger writes when it has no value.
        history_days: Days of history at most (a station that arrived recently).
    """

    code: str
    server: str
    _: KW_ONLY
    separator: str = "\t"
    encoding: str = "utf-8"
    decimal: str = "."
    names: dict[str, str] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    scales: dict[str, float] = field(default_factory=dict)
    decimals: dict[str, int] = field(default_factory=dict)
    missing: str = ""
    history_days: int | None = None


@dataclass(frozen=True)
class Story:
    """Something that happens to a station for marks with ``start < mark <= end``.

    Attributes:
        kind: ``episode`` (``parameter`` rises along ``profile``), ``fixed`` (``parameter`` reads ``value``, status
            unchanged: a stuck or broken sensor), ``calibration`` (the same with status 01), ``error`` (the same with
            status 02), ``outage`` (silence, then all of it in one file at ``resend_at``; for ever when that is 0),
            and what a network knows beyond these.
        profile: Points (hours after ``start``, value in the network's unit) of an episode.
        value: In the network's unit, whatever the logger writes.
    """

    kind: str
    station: str
    start: int
    end: int
    parameter: str = ""
    value: float = 0.0
    profile: tuple[tuple[float, float], ...] = ()
    resend_at: int = 0

    def during(self, marks: NDArray[np.int64]) -> NDArray[np.bool_]:
        return (marks > self.start) & (marks <= self.end)

    def level(self, marks: NDArray[np.int64]) -> NDArray[np.float64]:
        """The profile of an episode at ``marks``."""
        points = np.array(self.profile)
        found: NDArray[np.float64] = np.interp((marks - self.start) / HOUR_S, points[:, 0], points[:, 1])
        return found


@dataclass(frozen=True)
class Series:
    """Values of one parameter at some marks, in the network's unit.

    Attributes:
        calibrating: Where the device says 01.
        missing: Where the logger has no value.
        failing: Where the device says 02; None = nowhere.
    """

    values: NDArray[np.float64]
    calibrating: NDArray[np.bool_]
    missing: NDArray[np.bool_]
    failing: NDArray[np.bool_] | None = None

    @property
    def statuses(self) -> NDArray[np.str_]:
        """Device status of every mark: 00, 01 or 02."""
        statuses = np.where(self.calibrating, "01", "00")
        return statuses if self.failing is None else np.where(self.failing, "02", statuses)


@dataclass(frozen=True)
class Network:
    """The stations of one domain.

    Attributes:
        domain: Their folder on the servers.
        stations: All that send.
        units: Usual spelling of each parameter's unit.
        planted: The stories of a sandbox whose history ended at the given anchor.
        observe: ``(station, marks, seed, stories) →`` what it reads, by canonical parameter in the order of its lines.
            Must depend on nothing else, so that history laid out at once and data written live join without a seam.
        decimals: Decimals that are written, by parameter, where there is not one.
        single_files_s: So much of the first history comes in five-minute files, the rest in one file per day.
    """

    domain: str
    stations: tuple[Any, ...]
    units: dict[str, str]
    planted: Callable[[int], tuple[Story, ...]]
    observe: Callable[..., dict[str, Series]]
    decimals: dict[str, int] = field(default_factory=dict)
    single_files_s: int = DAY_S

    def station(self, code: str) -> Any:
        """The station called ``code``.

        Raises:
            KeyError: no such station; the message lists the known ones.
        """
        for candidate in self.stations:
            if candidate.code == code:
                return candidate
        raise KeyError(f"no station '{code}'; known: {', '.join(s.code for s in self.stations)}")

    @property
    def parameters(self) -> tuple[str, ...]:
        return tuple(self.units)
