"""The air-quality stand-in: the stations' feed, the real series, and orders to drop a file or tell a story."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.air_quality.stations import DECIMALS, STATIONS, UNITS, planted
from sandbox.air_quality.weather import observe
from sandbox.stations.model import Network
from sandbox.stations.orders import StationNetwork

if TYPE_CHECKING:
    from ioc.settings import Settings

NETWORK = Network("air_quality", STATIONS, UNITS, planted, observe, DECIMALS)
KINDS = ("episode", "fixed", "calibration", "outage", "inversion")
_REAL = Path(__file__).resolve().parent / "real"


class AirQuality(StationNetwork):
    """The stations, and a folder with one real series beside them."""

    def __init__(self, folder: Path, seed: int, days: int) -> None:
        super().__init__(NETWORK, folder, seed, days, KINDS)
        self._series = folder / "files" / "air_quality_series"

    def advance(self, now: int) -> int:
        for path in _REAL.glob("*.csv"):
            if not (self._series / path.name).exists():
                self._series.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, self._series / path.name)
        return super().advance(now)


def stand_in(settings: Settings) -> AirQuality:
    return AirQuality(settings.home / "sandbox", settings.sandbox_seed, settings.sandbox_days)
