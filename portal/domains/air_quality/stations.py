"""Stations as the pages show them: read from ``serving``, judged fresh or silent, with 24 hours of history."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ioc.domains import get_domain
from portal import maps
from portal.colours import checked
from portal.domains import Bar

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from portal.database import Database, Row

# Column stem in serving → symbol for people. Order of the regulation's tables.
PARAMETERS = {"pm25": "PM2.5", "pm10": "PM10", "o3": "O₃", "no2": "NO₂", "so2": "SO₂", "co": "CO"}
HISTORY_HOURS = 24
# The legend only; levels of stations come with the data. QĐ 1459/QĐ-TCMT, table of AQI levels.
SCALE = [
    {"range": "0–50", "category": "Tốt", "colour": "#00E400"},
    {"range": "51–100", "category": "Trung bình", "colour": "#FFFF00"},
    {"range": "101–150", "category": "Kém", "colour": "#FF7E00"},
    {"range": "151–200", "category": "Xấu", "colour": "#FF0000"},
    {"range": "201–300", "category": "Rất xấu", "colour": "#8F3F97"},
    {"range": "301–500", "category": "Nguy hại", "colour": "#7E0023"},
]


@dataclass
class Station:
    """A station and its newest hour.

    Attributes:
        row: The row of ``serving.rpt_air_quality_current``; concentrations in µg/m³.
        is_current: Whether the newest hour is young enough to speak of "now".
        bars: The last 24 hours, oldest first, gaps included.
    """

    row: Row
    is_current: bool
    bars: list[Bar] = field(default_factory=list)

    @property
    def name(self) -> str:
        return str(self.row["station_name"] or self.row["station_code"])

    @property
    def colour(self) -> str:
        """The regulation's colour, grey when the value is not of now."""
        return checked(self.row["aqi_color"]) if self.is_current and self.row["aqi"] is not None else checked(None)

    @property
    def has_aqi(self) -> bool:
        return self.is_current and self.row["aqi"] is not None

    @property
    def concentrations(self) -> list[tuple[str, Decimal | None]]:
        """(symbol, µg/m³) of the newest hour."""
        return [(symbol, self.row[f"{stem}_ug_m3"]) for stem, symbol in PARAMETERS.items()]


def _is_current(row: Row, now: datetime, stale_after: timedelta) -> bool:
    # The hour that ended at 14:00 speaks until the next one is due at 15:00, plus the time the source may be silent.
    return row["hour_ending"] is not None and now - row["hour_ending"] <= timedelta(hours=1) + stale_after


def load(database: Database, *, only_public: bool = False, now: datetime | None = None) -> list[Station] | None:
    """Every station with its newest hour and its last 24 hours: the province's first, worst air first.

    Args:
        database: The portal's database.
        only_public: Keep only stations whose owner publishes them.
        now: The present moment, for tests.

    Returns:
        None while the first transform has not yet made the tables.
    """
    now = now or datetime.now(UTC)
    stale_after = timedelta(minutes=get_domain("air_quality").stale_after_minutes)
    current = database.rows_if_built("select * from serving.rpt_air_quality_current")
    if current is None:
        return None
    newest = now.replace(minute=0, second=0, microsecond=0)
    history = database.rows_if_built(
        """
        select station_code, hour_ending, aqi, aqi_category, aqi_color from serving.rpt_air_quality_hourly
        where hour_ending > %(since)s and hour_ending <= %(until)s
        """,
        {"since": newest - timedelta(hours=HISTORY_HOURS), "until": newest},
    )
    by_hour = {(row["station_code"], row["hour_ending"]): row for row in history or []}
    stations = []
    for row in current:
        if only_public and not (row["is_public"] and row["in_province"]):
            continue
        station = Station(row, _is_current(row, now, stale_after))
        for back in range(HISTORY_HOURS - 1, -1, -1):
            hour = newest - timedelta(hours=back)
            past = by_hour.get((row["station_code"], hour), {})
            station.bars.append(Bar(hour, past.get("aqi"), checked(past.get("aqi_color")), past.get("aqi_category")))
        stations.append(station)
    return sorted(stations, key=_worst_first)


def _worst_first(station: Station) -> tuple[bool, bool, int, str]:
    return (station.row["in_province"] is False, not station.has_aqi, -(station.row["aqi"] or 0), station.name)


def of_province(stations: Sequence[Station]) -> list[Station]:
    """Stations of the province; an unknown station counts until the registry says where it stands."""
    return [station for station in stations if station.row["in_province"] is not False]


def worst(stations: Sequence[Station]) -> Station | None:
    """The province's station with the highest AQI of now."""
    return next((station for station in of_province(stations) if station.has_aqi), None)


def on_map(stations: Sequence[Station]) -> dict[str, Any]:
    """The map of the province: which part is shown, and every station with the place of its label."""
    placed = {
        station.row["station_code"]: station
        for station in of_province(stations)
        if station.row["longitude"] is not None
        and station.row["latitude"] is not None
        and maps.is_on_map(float(station.row["longitude"]), float(station.row["latitude"]))
    }
    positions = {code: (float(s.row["longitude"]), float(s.row["latitude"])) for code, s in placed.items()}
    frame = maps.frame_around(positions.values())
    labels = maps.place_labels(positions, frame)
    return {
        "width": maps.WIDTH,
        "height": maps.HEIGHT,
        "frame": frame,
        "markers": [{"station": placed[label.key], "at": label} for label in labels],
    }


def worst_of_hours(stations: Sequence[Station]) -> list[Bar]:
    """For each of the last 24 hours the province's highest AQI."""
    hours = zip(*(station.bars for station in of_province(stations)), strict=True)
    return [max(bars, key=lambda bar: -1 if bar.value is None else bar.value) for bars in hours]
