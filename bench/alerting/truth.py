"""What was true when, by what was known then. Written from the rule's definition, without a line of either engine.

Over the known good points of a series, in the data's time: a level is reached while the values have been at or beyond
its enter value, without a hole, for the holding time; it is left once they have been short of its exit value, without a
hole, for the keeping time. The level of a point is the highest that is reached, or was held before and is not left.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from bench.alerting.feed import SIGNALS

if TYPE_CHECKING:
    from datetime import datetime

    from bench.alerting.feed import Feed, Signal


# Episodes of the feed are shorter than 20 points and lie at least as far apart.
_LOOK_BACK = 160


@dataclass
class Timeline:
    """The level of a series by what was known: ``levels[i]`` from ``times[i]`` on.

    ``fresh_until[i]``: until when the newest good point known from ``times[i]`` on may be spoken of as "now".
    """

    times: list[datetime] = field(default_factory=list)
    levels: list[int] = field(default_factory=list)
    fresh_until: list[datetime] = field(default_factory=list)

    def at(self, moment: datetime) -> tuple[int, bool]:
        """Level, and whether there is a fresh point to say so."""
        index = bisect_right(self.times, moment) - 1
        return (self.levels[index], moment <= self.fresh_until[index]) if index >= 0 else (0, False)


def timelines(feed: Feed) -> dict[tuple[str, str], Timeline]:
    """The truth about every series of a feed."""
    signals = {signal.code: signal for signal in SIGNALS}
    known: dict[tuple[str, str], dict[datetime, float]] = {}
    order: dict[tuple[str, str], list[datetime]] = {}
    found: dict[tuple[str, str], Timeline] = {}
    for arrival in feed.arrivals:
        key = (arrival.signal, arrival.series)
        values, times, timeline = (
            known.setdefault(key, {}), order.setdefault(key, []), found.setdefault(key, Timeline())
        )  # fmt: skip
        if arrival.quality != "ok":
            continue
        if arrival.period_end not in values:
            insort(times, arrival.period_end)
        values[arrival.period_end] = arrival.value
        signal = signals[arrival.signal]
        recent = times[-_LOOK_BACK:]
        timeline.times.append(arrival.at)
        timeline.levels.append(level([(time, values[time]) for time in recent], signal))
        timeline.fresh_until.append(times[-1] + signal.max_age)
    return found


def level(points: list[tuple[datetime, float]], signal: Signal) -> int:
    """The level at the last of ``points``."""
    up = signal.direction == "up"
    current = 0
    reached_for: dict[int, timedelta | None] = {}
    short_for: dict[int, timedelta | None] = {}
    for index, (time, value) in enumerate(points):
        step = time - points[index - 1][0] if index else None
        is_joined = step is not None and step <= signal.max_gap
        reached = held = 0
        for number, enter, leave in signal.levels:
            beyond = value >= enter if up else value <= enter
            short = value < leave if up else value > leave
            reached_for[number] = _lasting(reached_for.get(number), step, is_joined) if beyond else None
            short_for[number] = _lasting(short_for.get(number), step, is_joined) if short else None
            lasted, missed = reached_for[number], short_for[number]
            if lasted is not None and lasted >= signal.hold:
                reached = number
            if number <= current and (missed is None or missed < signal.keep):
                held = number
        current = max(reached, held)
    return current


def _lasting(before: timedelta | None, step: timedelta | None, is_joined: bool) -> timedelta:
    """How long a condition has lasted at a point where it holds."""
    if before is None or step is None or not is_joined:
        return timedelta(0)
    return before + step
