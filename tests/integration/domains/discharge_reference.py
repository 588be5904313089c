"""What the dashboard must show of discharge, counted from the stations' files alone, in plain Python.

Limits are written out as a person reads them in permit and standard, coefficients already multiplied.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from statistics import fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.stations.model import Network, Station

VIETNAM = timezone(timedelta(hours=7))
_RENEWED = date(2026, 11, 12)


def _water(cod: float, tss: float, nh4: float, ph_min: float) -> dict[str, tuple[float | None, float]]:
    return {"pH": (ph_min, 9), "Temp": (None, 40), "COD": (None, cod), "TSS": (None, tss), "NH4": (None, nh4)}


def _gas(pm: float, so2: float, nox: float, co: float) -> dict[str, tuple[float | None, float]]:
    return {"PM": (None, pm), "SO2": (None, so2), "NOx": (None, nox), "CO": (None, co)}


# QCVN 40:2011 B · 1.3 · 0.9, A · 1.0 · 1.0, permit, B · 0.9 · 1.1; permits; QCVN 19:2009 B · 0.9 · 1.0.
_LIMITS = {
    "TH_NGHISON_NT01": _water(175.5, 117, 11.7, 5.5),
    "TH_LEMON_NT02": _water(75, 50, 5, 6),
    "TH_HOANGLONG_NT03": _water(90, 45, 8, 6),
    "TH_LAMSON_NT04": _water(148.5, 99, 9.9, 5.5),
    "TH_NGHISON_KT05": _gas(50, 200, 300, 250),
    "TH_BIMSON_KT06": _gas(50, 300, 800, 500),
    "TH_LAMSON_KT07": _gas(180, 450, 765, 900),
}
_O2_REFERENCE = {"TH_NGHISON_KT05": 6.0, "TH_BIMSON_KT06": 10.0}
_GAS = ("PM", "SO2", "NOx", "CO")


def limit(station: str, parameter: str, day: date) -> tuple[float | None, float] | None:
    """(lower, upper) limit of a civil day."""
    if station == "TH_BIMSON_KT06" and day < _RENEWED:
        return _gas(100, 400, 800, 500).get(parameter)
    return _LIMITS.get(station, {}).get(parameter)


def ratio(value: float, bounds: tuple[float | None, float]) -> float:
    low, high = bounds
    return value / high if low is None else abs(value - (low + high) / 2) / ((high - low) / 2)


_BANDS = (
    (1, "Vượt dưới 1,1 lần"), (1.1, "Vượt 1,1 đến dưới 1,5 lần"), (1.5, "Vượt 1,5 đến dưới 2 lần"),
    (2, "Vượt 2 đến dưới 3 lần"), (3, "Vượt 3 đến dưới 5 lần"), (5, "Vượt 5 đến dưới 10 lần"), (10, "Vượt từ 10 lần"),
)  # fmt: skip


def band(times: float) -> str:
    """The band of a ratio: what equals the limit is within, any other edge belongs to the band above it."""
    return "Trong giới hạn" if times <= 1 else [name for edge, name in _BANDS if times >= edge][-1]


def silence(minutes: int) -> str:
    """How a gap of more than a quarter of an hour is called."""
    return "Trên 12 giờ" if minutes > 720 else "Trên 60 phút" if minutes > 60 else "Trên 15 phút"


def moments(readings: dict[tuple[str, str, datetime], tuple[float | None, str]]) -> dict[str, list[datetime]]:
    """When each outlet was heard, whatever its devices said; in order."""
    found = defaultdict(set)
    for station, _, at in readings:
        found[station].add(at)
    return {station: sorted(at) for station, at in found.items()}


@dataclass
class Hour:
    """Of one outlet and parameter."""

    measured: list[float]
    compared: list[float]
    exceeded: int = 0

    @property
    def mean(self) -> float | None:
        return fmean(self.compared) if len(self.compared) >= 9 else None

    @property
    def mean_measured(self) -> float | None:
        return fmean(self.measured) if len(self.measured) >= 9 else None


def read(network: Network, folder: Path) -> dict[tuple[str, str, datetime], tuple[float | None, str]]:
    """(station, parameter, moment) → (value in the network's unit, status) of the line sent last."""
    found = {}
    for station in network.stations:
        base = folder / station.server / network.domain / station.code
        for path in sorted(base.rglob("*.txt"), key=lambda one: (one.stat().st_mtime, one.name)):
            for key, reading in _lines(network, station, path.read_bytes()):
                found[key] = reading
    return found


def _lines(
    network: Network, station: Station, content: bytes
) -> list[tuple[tuple[str, str, datetime], tuple[float | None, str]]]:
    symbols = {name: symbol for symbol, name in station.names.items()} | {name: name for name in network.units}
    text = unicodedata.normalize("NFC", content.decode(station.encoding))
    found = []
    for line in text.split("\r\n"):
        fields = line.split(station.separator)
        if len(fields) < 5 or len(fields[4]) < 2:
            continue
        at = datetime.strptime(fields[3], "%Y%m%d%H%M%S").replace(tzinfo=VIETNAM)
        symbol = symbols[fields[0]]
        value = (
            None if fields[1] == station.missing else float(fields[1].replace(",", ".")) / station.scales.get(symbol, 1)
        )
        found.append(((station.code, symbol, at), (value, fields[4])))
    return found


def hour_of(at: datetime) -> datetime:
    """End of the hour in which a moment lies: (09:00, 10:00] is 10:00."""
    start = at.replace(minute=0, second=0, microsecond=0)
    return start if start == at else start + timedelta(hours=1)


def day_of(hour_ending: datetime) -> date:
    return (hour_ending - timedelta(hours=1)).astimezone(VIETNAM).date()


def hours(
    readings: dict[tuple[str, str, datetime], tuple[float | None, str]],
) -> dict[tuple[str, str, datetime], Hour]:
    """(station, parameter, hour ending) → what counts of it."""
    found: dict[tuple[str, str, datetime], Hour] = defaultdict(lambda: Hour([], []))
    for (station, parameter, at), (value, status) in readings.items():
        hour = found[station, parameter, hour_of(at)]
        if status != "00" or value is None:
            continue
        hour.measured.append(value)
        compared = value
        reference = _O2_REFERENCE.get(station) if parameter in _GAS else None
        if reference is not None:
            oxygen, oxygen_status = readings.get((station, "O2", at), (None, ""))
            if oxygen is None or oxygen_status != "00" or oxygen >= 20.9:
                continue
            compared = value * (20.9 - reference) / (20.9 - oxygen)
        hour.compared.append(compared)
        bounds = limit(station, parameter, day_of(hour_of(at)))
        hour.exceeded += bool(bounds and ratio(compared, bounds) > 1 + 1e-12)
    return dict(found)


def load_kg(all_hours: dict[tuple[str, str, datetime], Hour], key: tuple[str, str, datetime]) -> float | None:
    """Concentration as measured times flow, in the hour."""
    station, parameter, hour_ending = key
    flow = all_hours.get((station, "Flow", hour_ending))
    mean = all_hours[key].mean_measured
    if parameter not in ("COD", "TSS", "NH4", *_GAS) or mean is None or flow is None or flow.mean_measured is None:
        return None
    return mean * flow.mean_measured / (1e6 if parameter in _GAS else 1e3)


@dataclass
class Day:
    """Of one outlet and parameter: what its hours come to."""

    hour_count: int
    mean: float | None
    exceeded: int
    exceeded_hours: int
    flow_m3: float | None
    load_kg: float | None
    load_hours: int


def days(all_hours: dict[tuple[str, str, datetime], Hour]) -> dict[tuple[str, str, date], Day]:
    """(station, parameter, civil day) → its 24-hour mean (18 hours at least), what flowed, what was discharged."""
    by_day: dict[tuple[str, str, date], list[tuple[str, str, datetime]]] = defaultdict(list)
    for key in all_hours:
        by_day[key[0], key[1], day_of(key[2])].append(key)
    found = {}
    for (station, parameter, day), keys in by_day.items():
        means = [mean for key in keys if (mean := all_hours[key].mean) is not None]
        bounds = limit(station, parameter, day)
        flows = [all_hours[key].mean_measured for key in keys if parameter == "Flow"]
        flowed = [one for one in flows if one is not None]
        loads = [kg for key in keys if (kg := load_kg(all_hours, key)) is not None]
        found[station, parameter, day] = Day(
            hour_count=len(means),
            mean=fmean(means) if len(means) >= 18 else None,
            exceeded=sum(all_hours[key].exceeded for key in keys),
            exceeded_hours=sum(ratio(mean, bounds) > 1 for mean in means) if bounds else 0,
            flow_m3=sum(flowed) if flowed else None,
            load_kg=sum(loads) if loads else None,
            load_hours=len(loads),
        )
    return found
