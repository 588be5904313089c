"""The discharge stand-in: the outlets' feed, and orders to drop a file or tell a story."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.industrial_discharge.outlets import DECIMALS, STATIONS, UNITS, planted
from sandbox.industrial_discharge.process import observe
from sandbox.stations.model import HOUR_S, Network
from sandbox.stations.orders import StationNetwork

if TYPE_CHECKING:
    from ioc.settings import Settings

NETWORK = Network("industrial_discharge", STATIONS, UNITS, planted, observe, DECIMALS, single_files_s=6 * HOUR_S)
KINDS = ("episode", "fixed", "calibration", "error", "outage", "shutdown")


def stand_in(settings: Settings) -> StationNetwork:
    return StationNetwork(NETWORK, settings.home / "sandbox", settings.sandbox_seed, settings.sandbox_days, KINDS)
