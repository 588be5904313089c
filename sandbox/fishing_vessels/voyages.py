"""Where a vessel is at any moment: way-points with straight runs between them, and circles while it fishes."""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.fishing_vessels.fleet import Vessel, zone_of

if TYPE_CHECKING:
    from collections.abc import Sequence

# Grounds by zone: (south, north, west, east, radius of the circle), degrees. All lie inside their zone and far from
# the delimitation line, so that every alarm has a story behind it.
_GROUNDS = {
    "khoi": (18.95, 19.65, 106.52, 106.88, 0.06),
    "long": (19.38, 19.62, 106.12, 106.16, 0.04),
    "ven_bo": (19.47, 19.62, 105.905, 105.93, 0.02),
}
_CRUISE_KN, _FISHING_KN = 8.0, 2.4


@dataclass(frozen=True)
class Stay:
    """From ``begins`` (hours from the anchor) on at a place; ``radius`` > 0 = circling there at fishing speed, degrees.

    Between the end of one stay and the beginning of the next the vessel runs straight.
    """

    begins: float
    ends: float
    latitude: float
    longitude: float
    radius: float = 0.0


def miles(a_lat: float, a_lon: float, b_lat: float, b_lon: float) -> float:
    """Nautical miles, good enough to plan a voyage."""
    return 60 * math.hypot(a_lat - b_lat, (a_lon - b_lon) * math.cos(math.radians((a_lat + b_lat) / 2)))


class Voyage:
    """The life of one vessel as stays in order of time."""

    def __init__(self, stays: Sequence[Stay]) -> None:
        self.stays = list(stays)
        self._begins = [stay.begins for stay in self.stays]

    def at(self, hour: float) -> tuple[float, float]:
        """Latitude and longitude at an hour from the anchor."""
        index = max(0, bisect_right(self._begins, hour) - 1)
        stay = self.stays[index]
        if hour <= stay.ends or index + 1 == len(self.stays):
            return _within(stay, hour)
        following = self.stays[index + 1]
        start, end = _within(stay, stay.ends), _within(following, following.begins)
        share = (hour - stay.ends) / (following.begins - stay.ends)
        return start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])

    def movement(self, hour: float) -> tuple[float, float]:
        """Speed in knots and course in degrees, from the three minutes around the hour."""
        a_lat, a_lon = self.at(hour - 0.025)
        b_lat, b_lon = self.at(hour + 0.025)
        east = (b_lon - a_lon) * math.cos(math.radians(a_lat))
        course = math.degrees(math.atan2(east, b_lat - a_lat)) % 360
        return miles(a_lat, a_lon, b_lat, b_lon) / 0.05, course


def _within(stay: Stay, hour: float) -> tuple[float, float]:
    if not stay.radius:
        return stay.latitude, stay.longitude
    angle = (hour - stay.begins) * _FISHING_KN / (60 * stay.radius)
    return (
        stay.latitude + stay.radius * math.cos(angle),
        stay.longitude + stay.radius * math.sin(angle) / math.cos(math.radians(stay.latitude)),
    )


def usual(vessel: Vessel, seed: int, first: float, last: float) -> Voyage:
    """Trips and rests of a vessel without a story, between two hours from the anchor."""
    generator = random.Random(f"voyage-{seed}-{vessel.number}")
    zone = zone_of(vessel)
    south, north, west, east, radius = _GROUNDS[zone]
    port = vessel.port
    stays: list[Stay] = []
    # Somewhere within a first rest.
    hour = first - generator.uniform(0, 60)
    while hour < last:
        rest = generator.uniform(18, 60)
        stays.append(Stay(hour, hour + rest, port.latitude, port.longitude))
        hour += rest
        latitude, longitude = generator.uniform(south, north), generator.uniform(west, east)
        run = miles(port.latitude, port.longitude, latitude, longitude) / _CRUISE_KN
        fishing = generator.uniform(60, 150) if zone != "ven_bo" else generator.uniform(8, 20)
        stays.append(Stay(hour + run, hour + run + fishing, latitude, longitude, radius))
        hour += 2 * run + fishing
    return Voyage(stays)


def told(vessel: Vessel, first: float, last: float, places: Sequence[tuple[float, float, float, float]]) -> Voyage:
    """A voyage of a story: in port, then at each (from hour, to hour, latitude, longitude), then in port again."""
    port = vessel.port
    begin, end = places[0], places[-1]
    out = begin[0] - miles(port.latitude, port.longitude, begin[2], begin[3]) / _CRUISE_KN
    back = end[1] + miles(port.latitude, port.longitude, end[2], end[3]) / _CRUISE_KN
    stays = [Stay(place[0], place[1], place[2], place[3]) for place in places]
    return Voyage(
        [
            *([Stay(first - 1, out, port.latitude, port.longitude)] if out > first else []),
            *stays,
            *([Stay(back, last + 1, port.latitude, port.longitude)] if back < last else []),
        ]
    )
