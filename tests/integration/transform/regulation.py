"""VN_AQI a second time, independent of the warehouse: QĐ 1459/QĐ-TCMT in exact rational numbers.

Nothing here is shared with the dbt project, not even the breakpoint table: it is typed again from the decision, so that
an error in either shows as a difference.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from fractions import Fraction
from math import floor

VIETNAM = timezone(timedelta(hours=7))
HOUR = timedelta(hours=1)
INDEX = (0, 50, 100, 150, 200, 300, 400, 500)
BREAKPOINTS = {
    "O3": (0, 160, 200, 300, 400, 800, 1000, 1200),
    "O3/8h": (0, 100, 120, 170, 210, 400),
    "CO": (0, 10000, 30000, 45000, 60000, 90000, 120000, 150000),
    "SO2": (0, 125, 350, 550, 800, 1600, 2100, 2630),
    "NO2": (0, 100, 200, 700, 1200, 2350, 3100, 3850),
    "PM10": (0, 50, 150, 250, 350, 420, 500, 600),
    "PM2.5": (0, 25, 50, 80, 150, 250, 350, 500),
}
PARTICLES, GASES = ("PM2.5", "PM10"), ("O3", "NO2", "SO2", "CO")
Means = dict[str, dict[datetime, Fraction]]


def half_away_from_zero(value: Fraction) -> int:
    return floor(value + Fraction(1, 2))


def sub_index(scale: str, concentration: Fraction | None) -> int | None:
    """The integer sub-index, or None when there is no concentration or the scale does not reach so far."""
    if concentration is None:
        return None
    bounds = BREAKPOINTS[scale]
    for place in range(len(bounds) - 1):
        low, high = bounds[place], bounds[place + 1]
        if low <= concentration <= high:
            step = Fraction(INDEX[place + 1] - INDEX[place], high - low)
            return half_away_from_zero(step * (concentration - low) + INDEX[place])
    return None if scale == "O3/8h" else 500


def nowcast(hours: list[Fraction | None], *, normalise_half: bool = False) -> Fraction | None:
    """Nowcast of c1 … c12, newest first.

    Args:
        hours: Twelve hourly means, None where missing.
        normalise_half: The common misreading, which divides by the sum of weights also at w = 1/2. Kept here as the
            planted fault that proves the comparison can fail.
    """
    if sum(value is not None for value in hours[:3]) < 2:
        return None
    known = [value for value in hours if value is not None]
    if max(known) == 0:
        return Fraction(0)
    w = max(min(known) / max(known), Fraction(1, 2))
    if w > Fraction(1, 2) or normalise_half:
        weights = [w**i if value is not None else Fraction(0) for i, value in enumerate(hours)]
        return sum((a * (b or 0) for a, b in zip(weights, hours, strict=True)), Fraction(0)) / sum(weights)
    return sum((Fraction(1, 2) ** (i + 1) * (value or 0) for i, value in enumerate(hours)), Fraction(0))


@dataclass
class Station:
    """Readings of one station, and what the decision makes of them.

    Attributes:
        expected: Readings that an hour should have.
        readings: (parameter, measured_at) → value, only what may enter a mean.
        heard: Hour labels in which anything arrived at all.
    """

    expected: int
    readings: dict[tuple[str, datetime], Fraction] = field(default_factory=dict)
    heard: set[datetime] = field(default_factory=set)

    def means(self) -> Means:
        grouped: dict[tuple[str, datetime], list[Fraction]] = defaultdict(list)
        for (parameter, at), value in self.readings.items():
            grouped[parameter, label_of(at)].append(value)
        means: Means = defaultdict(dict)
        for (parameter, hour), values in grouped.items():
            if 4 * len(values) >= 3 * self.expected:
                means[parameter][hour] = sum(values, Fraction(0)) / len(values)
        return means

    def hourly(self, *, normalise_half: bool = False) -> dict[datetime, dict[str, int | None]]:
        """Hour label → sub-indices by parameter and the index under ``aqi``."""
        means = self.means()
        answer = {}
        for hour in self.heard | {hour + HOUR for hour in self.heard}:
            row: dict[str, int | None] = {}
            for parameter in PARTICLES:
                window = [means[parameter].get(hour - i * HOUR) for i in range(12)]
                value = nowcast(window, normalise_half=normalise_half)
                row[parameter] = sub_index(parameter, value)
            for parameter in GASES:
                row[parameter] = sub_index(parameter, means[parameter].get(hour))
            answer[hour] = _with_index(row)
        return answer

    def daily(self) -> dict[date, dict[str, int | None]]:
        """Civil day → sub-indices by parameter and the index under ``aqi``."""
        means = self.means()
        answer = {}
        for day in {(hour - HOUR).astimezone(VIETNAM).date() for hour in self.heard}:
            start = datetime(day.year, day.month, day.day, tzinfo=VIETNAM)
            labels = [start + i * HOUR for i in range(1, 25)]
            row: dict[str, int | None] = {}
            for parameter in (*PARTICLES, *GASES):
                values = [means[parameter][hour] for hour in labels if hour in means[parameter]]
                whole = len(values) >= 18
                if parameter in PARTICLES:
                    row[parameter] = sub_index(parameter, sum(values, Fraction(0)) / len(values) if whole else None)
                else:
                    row[parameter] = sub_index(parameter, max(values) if whole else None)
            eights = [_mean_8h(means["O3"], hour) for hour in labels]
            known = [value for value in eights if value is not None]
            eight = sub_index("O3/8h", max(known)) if len(known) >= 18 else None
            row["O3"] = max((value for value in (row["O3"], eight) if value is not None), default=None)
            answer[day] = _with_index(row)
        return answer


def label_of(at: datetime) -> datetime:
    """Hour-ending label: 09:00 belongs to 09:00, 09:05 to 10:00."""
    whole = at.replace(minute=0, second=0, microsecond=0)
    return whole if whole == at else whole + HOUR


def _mean_8h(hours: dict[datetime, Fraction], label: datetime) -> Fraction | None:
    values = [hours[label - i * HOUR] for i in range(8) if label - i * HOUR in hours]
    return sum(values, Fraction(0)) / len(values) if len(values) >= 6 else None


def _with_index(row: dict[str, int | None]) -> dict[str, int | None]:
    known = [value for value in row.values() if value is not None]
    has_particles = any(row[parameter] is not None for parameter in PARTICLES)
    row["aqi"] = max(known) if has_particles else None
    return row
