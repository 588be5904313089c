"""What is planted in the fleet's life. Hours count from the anchor, the end of the first history; see README.md."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sandbox.fishing_vessels.voyages import Voyage, told, usual

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.fishing_vessels.fleet import Vessel

# Vessels with a voyage of their own: (from hour, to hour, latitude, longitude), between leaving port and coming back.
# At these latitudes the line runs along 107.1594 E (points 16 and 17) or turns south-east below 18.71 N.
_PLACES: dict[int, list[tuple[float, float, float, float]]] = {
    # Near: comes within 3.4 miles, turns back.
    1: [(-52, -30, 19.00, 106.75), (-27, -26.5, 18.95, 107.10), (-23, -20, 19.00, 106.75)],
    # Across twelve days ago, and again now.
    2: [
        (-330, -304, 18.90, 106.80),
        (-300, -297, 18.90, 107.25),
        (-293, -280, 18.90, 106.80),
        (-120, -6, 18.90, 106.80),
        (-2, 4, 18.90, 107.25),
        (8, 20, 18.90, 106.80),
    ],
    # Near, with one fix just beyond the line: an error of the position, no crossing.
    4: [(-80, -54, 18.95, 106.80), (-50, -44, 18.95, 107.150), (-40, -30, 18.95, 106.80)],
    # Heads for the line now.
    5: [(-40, -9, 19.05, 106.70), (-1, 3, 19.05, 107.13), (9, 20, 19.05, 106.70)],
    # Lost: six hours, ten days.
    6: [(-60, 30, 19.30, 106.60)],
    7: [(-330, 200, 19.20, 106.70)],
    # A vessel of 15 m and more that fishes in the inner zone.
    11: [(-14, 10, 19.50, 106.14)],
    12: [(-200, -180, 19.30, 106.70)],
    # At sea when it matters: a jump, calls for help, late, repeated and impossible messages.
    3: [(-60, 30, 19.00, 106.60)],
    9: [(-40, 30, 19.28, 106.58)],
    10: [(-130, -60, 19.35, 106.62)],
    13: [(-130, -40, 19.22, 106.66)],
    14: [(-90, 20, 19.44, 106.64)],
    15: [(-110, -10, 19.12, 106.56)],
    16: [(-80, 10, 19.33, 106.70)],
    17: [(-100, 0, 19.08, 106.74)],
    25: [(-60, 10, 19.40, 106.70)],
    # Stands three miles off Lạch Hới when its device falls silent; the port reports its arrival.
    20: [(-60, -34, 19.40, 106.60), (-30, -29.8, 19.755, 105.96)],
    # Crosses, falls silent, and calls for help after the anchor.
    22: [(-30, 8, 18.90, 106.80), (12, 18, 18.90, 107.25), (22, 40, 18.90, 106.80)],
    23: [(-40, 40, 19.25, 106.62)],
    24: [(-40, 60, 19.15, 106.66)],
}
_FISHING_STORIES = (11, 12)
IN_PORT = (8, 21)


@dataclass(frozen=True)
class Message:
    """One message of a device.

    Attributes:
        hour: When it was measured, from the anchor.
        received: When the system received it, from the anchor.
        suffix: Tells a repeated message from the first.
    """

    hour: float
    received: float
    latitude: float | None
    longitude: float | None
    speed: float
    course: float
    alarm: str | None = None
    suffix: str = ""
    stated: float | None = None

    @property
    def said(self) -> float:
        """The hour that the device states, right or wrong."""
        return self.hour if self.stated is None else self.stated


def voyage(vessel: Vessel, seed: int, first: float, last: float) -> Voyage:
    """Where the vessel goes."""
    if vessel.number in IN_PORT:
        return told(vessel, first, last, [(first - 20, first - 10, vessel.port.latitude, vessel.port.longitude)])
    if vessel.number not in _PLACES:
        return usual(vessel, seed, first, last)
    found = told(vessel, first, last, _PLACES[vessel.number])
    if vessel.number in _FISHING_STORIES:
        found.stays = [replace(stay, radius=0.03) if stay.longitude > 106 else stay for stay in found.stays]
    return found


def _between(low: float, high: float) -> Callable[[Message], bool]:
    return lambda message: low <= message.hour < high


def tell(number: int, messages: list[Message]) -> list[Message]:
    """The messages of a vessel with its story told."""
    story = _STORIES.get(number)
    return story(messages) if story else messages


def _silent(low: float, high: float) -> Callable[[list[Message]], list[Message]]:
    return lambda messages: [m for m in messages if not low < m.hour < high]


def _change(low: float, high: float, **fields: Any) -> Callable[[list[Message]], list[Message]]:
    is_in = _between(low, high)
    return lambda messages: [replace(m, **fields) if is_in(m) else m for m in messages]


def _late(messages: list[Message]) -> list[Message]:
    return [replace(m, received=-82 + m.hour / 1000) if -96 <= m.hour < -84 else m for m in messages]


def _twice(messages: list[Message]) -> list[Message]:
    again = [replace(m, suffix="L", received=m.received + 0.1) for m in messages if -48 <= m.hour < -24]
    return [*messages, *again]


def _future(messages: list[Message]) -> list[Message]:
    return [replace(m, stated=m.hour + 48) if -42 <= m.hour < -38 else m for m in messages]


def _help(messages: list[Message]) -> list[Message]:
    """A call for help whose first message has no position, over after three hours."""
    called = _change(-100, -97, alarm="SOS")(messages)
    # A history of few days does not reach back to it.
    first = min((m for m in called if m.alarm), key=lambda m: m.hour, default=None)
    return [replace(m, latitude=0, longitude=0) if m is first else m for m in called]


_STORIES: dict[int, Callable[[list[Message]], list[Message]]] = {
    3: _change(-21, -19, latitude=19.0, longitude=108.1),
    4: _change(-47.6, -46.6, longitude=107.164),
    6: _silent(-9, 20),
    7: _silent(-264, 400),
    8: _silent(-300, 400),
    9: _change(-5, 3, alarm="SOS"),
    10: _help,
    13: _late,
    14: _twice,
    15: _change(-71, -68, latitude=0, longitude=0),
    16: _future,
    17: _change(-61, -59, latitude=17.2, longitude=111.5),
    20: _silent(-29.9, 400),
    21: _silent(-9, 400),
    23: _silent(2, 30),
    24: _change(30, 33, alarm="SOS"),
    25: _change(-31, -30, latitude=190.0),
}
# Ports report most arrivals and departures; these are the ones that matter, whatever the voyage says.
PORT_REPORTS = {20: [(-29.5, "LACH_HOI", "vao")], 21: [(-8.0, "", "ra")]}
# The devices of these two were exchanged; the registry says since when, the monitoring system goes on for two days to
# write the old vessel's number.
SWAPPED = (18, 19)
SWAPPED_AT, REGISTERED_AT, SPELT_RIGHT_FROM = -144.0, -140.0, -96.0
