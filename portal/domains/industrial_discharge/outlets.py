"""Outlets as the pages show them: read from ``serving``, judged by their worst parameter, with 24 hours of history."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from portal import maps
from portal.colours import NEUTRAL, checked
from portal.domains import Bar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from portal.database import Database, Row

HISTORY_HOURS = 24


@dataclass
class Outlet:
    """An outlet and what it sends now.

    Attributes:
        rows: Its rows of ``serving.rpt_industrial_discharge_current``, in the order of the parameters.
        bars: Highest hourly ratio to the limit of the last 24 hours in percent, oldest first, gaps included.
    """

    rows: list[Row]
    bars: list[Bar] = field(default_factory=list)

    @property
    def code(self) -> str:
        return str(self.rows[0]["outlet_code"])

    @property
    def name(self) -> str:
        return str(self.rows[0]["outlet_name"])

    @property
    def head(self) -> Row:
        """What all rows have in common: plant, zone, place."""
        return self.rows[0]

    @property
    def is_silent(self) -> bool:
        """Nothing new from any of its parameters."""
        return all(row["is_silent"] for row in self.rows)

    @property
    def heard_at(self) -> datetime | None:
        return max((row["measured_at"] for row in self.rows if row["measured_at"]), default=None)

    @property
    def limited(self) -> list[Row]:
        """Parameters with a limit."""
        return [row for row in self.rows if row["limit_vi"]]

    @property
    def worst(self) -> Row | None:
        """The parameter nearest to its limit, or furthest beyond it; None when nothing can be judged now."""
        judged = [row for row in self.limited if row["ratio"] is not None and not row["is_silent"]]
        return max(judged, key=lambda row: row["ratio"], default=None)

    @property
    def exceeded(self) -> list[Row]:
        return [row for row in self.limited if row["is_exceeded"] and not row["is_silent"]]

    @property
    def colour(self) -> str:
        return checked(self.worst["band_color"]) if self.worst else NEUTRAL


def load(
    database: Database, unit_codes: Sequence[str] | None = None, *, now: datetime | None = None
) -> list[Outlet] | None:
    """Every outlet with its newest readings and its last 24 hours: worst first, then the silent ones.

    Args:
        database: The portal's database.
        unit_codes: Only outlets of these units; None = all.
        now: The present moment, for tests.

    Returns:
        None while the first transform has not yet made the tables.
    """
    now = now or datetime.now(UTC)
    current = database.rows_if_built(
        """
        select * from serving.rpt_industrial_discharge_current
        where %(units)s::text[] is null or unit_code = any(%(units)s)
        order by outlet_code, parameter_order
        """,
        {"units": None if unit_codes is None else list(unit_codes)},
    )
    if current is None:
        return None
    newest = now.replace(minute=0, second=0, microsecond=0)
    history = database.rows_if_built(
        """
        select distinct on (outlet_code, hour_ending) outlet_code, hour_ending, mean_ratio, band_vi, band_color
        from serving.rpt_industrial_discharge_hourly
        where hour_ending > %(since)s and hour_ending <= %(until)s and mean_ratio is not null
        order by outlet_code, hour_ending, mean_ratio desc
        """,
        {"since": newest - timedelta(hours=HISTORY_HOURS), "until": newest},
    )
    by_hour = {(row["outlet_code"], row["hour_ending"]): row for row in history or []}
    outlets: dict[str, Outlet] = {}
    for row in current:
        outlets.setdefault(row["outlet_code"], Outlet([])).rows.append(row)
    for outlet in outlets.values():
        for back in range(HISTORY_HOURS - 1, -1, -1):
            hour = newest - timedelta(hours=back)
            past = by_hour.get((outlet.code, hour))
            outlet.bars.append(
                Bar(hour, round(past["mean_ratio"] * 100), checked(past["band_color"]), past["band_vi"])
                if past
                else Bar(hour, None, NEUTRAL, None)
            )
    return sorted(outlets.values(), key=_worst_first)


def _worst_first(outlet: Outlet) -> tuple[bool, float, str]:
    return (outlet.worst is None, -float(outlet.worst["ratio"]) if outlet.worst else 0.0, outlet.name)


def summary(every: list[Outlet] | None) -> dict[str, Any]:
    """What page and tile say first."""
    if every is None:
        return {"outlets": None}
    return {
        "outlets": every,
        "over": [outlet for outlet in every if outlet.exceeded],
        "silent": [outlet for outlet in every if outlet.is_silent],
        "worst": next((outlet for outlet in every if outlet.worst), None),
        "newest_at": max((o.heard_at for o in every if o.heard_at), default=None),
        "map": on_map(every),
    }


def on_map(outlets: Sequence[Outlet]) -> dict[str, Any]:
    """The map of the province: which part is shown, and every outlet with the place of its label."""
    placed = {
        outlet.code: outlet
        for outlet in outlets
        if outlet.head["longitude"] is not None
        and outlet.head["latitude"] is not None
        and maps.is_on_map(float(outlet.head["longitude"]), float(outlet.head["latitude"]))
    }
    positions = {
        code: (float(outlet.head["longitude"]), float(outlet.head["latitude"])) for code, outlet in placed.items()
    }
    frame = maps.frame_around(positions.values())
    return {
        "width": maps.WIDTH,
        "height": maps.HEIGHT,
        "frame": frame,
        "markers": [{"outlet": placed[label.key], "at": label} for label in maps.place_labels(positions, frame)],
    }


def highest_of_hours(outlets: Sequence[Outlet]) -> list[Bar]:
    """For each of the last 24 hours the highest ratio of any outlet."""
    hours = zip(*(outlet.bars for outlet in outlets), strict=True)
    return [max(bars, key=lambda bar: -1 if bar.value is None else bar.value) for bars in hours]
