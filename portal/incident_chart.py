"""The signal around an incident as a picture: values, holes, the levels' bands, and when it opened and ended.

Geometry only; colours and words are the template's (``templates/incident_chart.html``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from portal.language import ZONE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alerts.incidents import IncidentView
    from portal.database import Database, Row

BEFORE, AFTER = timedelta(hours=24), timedelta(hours=6)
# More points than a screen has pixels tell nothing; of each stretch the most serious one stays.
_MOST_POINTS = 480

_SERIES = """
select r.signal_code, r.unit_vi is null as is_state, v.direction, v.max_gap, v.rule_version_id
from alert.incident i join alert.rule r using (rule_id)
join alert.rule_version v on v.rule_version_id = i.rule_version_id
where i.incident_id = %(incident_id)s
"""

# The thresholds of the most specific scope that covers the series, as the engine picks them.
_LEVELS = """
with covering as (
    select t.*, array_position(array['entity', 'pattern', 'unit', 'province'], scope_kind) as breadth
    from alert.threshold t
    where t.rule_version_id = %(rule_version_id)s and case scope_kind
        when 'entity' then scope_value = %(entity_id)s
        when 'unit' then scope_value = %(unit_code)s
        when 'pattern' then %(entity_id)s like scope_value
        else true end
)
select level, enter_value::float8, exit_value::float8, label_vi, label_en from covering
where (scope_kind, scope_value) = (
    select scope_kind, scope_value from covering order by breadth, length(scope_value) desc, scope_value limit 1)
order by level
"""

_POINTS = """
select period_end, value::float8, quality, revision from alerting.signal
where signal_code = %(signal_code)s and entity_type = %(entity_type)s and entity_id = %(entity_id)s
    and period_end between %(since)s and %(until)s
order by period_end desc limit 20000
"""


@dataclass(frozen=True)
class Point:
    """One period.

    Attributes:
        at: End of the period.
        value: None when there was none.
        quality: ``ok``, ``calibrating``, ``device_error`` or ``insufficient``.
        is_corrected: The source has sent the period more than once, with different values.
    """

    at: datetime
    value: float | None
    quality: str
    is_corrected: bool

    @property
    def is_usable(self) -> bool:
        return self.value is not None and self.quality == "ok"


@dataclass(frozen=True)
class Level:
    """A level's limits: from ``enter`` it rises to it, back over ``exit`` it falls again."""

    level: int
    enter: float
    exit: float
    label_vi: str
    label_en: str


@dataclass(frozen=True)
class Signal:
    """What the picture shows.

    Attributes:
        points: Oldest first.
        levels: Lowest level first.
        is_falling: Lower is worse.
        max_gap: Periods further apart are not joined.
        since: Left edge.
        until: Right edge.
        is_state: Its values are states: a reader is shown the labels of their levels, never the numbers.
    """

    points: list[Point]
    levels: list[Level]
    is_falling: bool
    max_gap: timedelta
    since: datetime
    until: datetime
    is_state: bool = False

    def reached(self, value: float) -> Level | None:
        """The highest level that a value has entered; None below the first one."""
        entered = (one for one in self.levels if (value <= one.enter if self.is_falling else value >= one.enter))
        return max(entered, key=lambda one: one.level, default=None)


def of_incident(database: Database, incident: IncidentView, now: datetime) -> Signal | None:
    """The signal of an incident from a day before it opened until now, or until some hours after it ended.

    None when the series has never had a value in that time.
    """
    series = database.row(_SERIES, {"incident_id": incident.incident_id})
    assert series is not None
    since = incident.opened_at - BEFORE
    until = min(now, incident.closed_at + AFTER) if incident.closed_at else now
    about = {"entity_type": incident.entity_type, "entity_id": incident.entity_id, "unit_code": incident.unit_code}
    rows = database.rows(_POINTS, {**series, **about, "since": since, "until": until})
    is_levelled = incident.kind == "value" or series["is_state"]
    levels = database.rows(_LEVELS, {**series, **about}) if is_levelled else []
    is_falling = series["direction"] == "down"
    points = [Point(r["period_end"], r["value"], r["quality"], r["revision"] > 1) for r in reversed(rows)]
    if not any(point.is_usable for point in points):
        return None
    return Signal(
        points,
        [_level(row) for row in levels],
        is_falling,
        series["max_gap"],
        since,
        max(until, points[-1].at),
        series["is_state"],
    )


def _level(row: Row) -> Level:
    return Level(row["level"], row["enter_value"], row["exit_value"], row["label_vi"], row["label_en"])


def thin(run: Sequence[Point], size: int, *, is_falling: bool) -> list[Point]:
    """Of every ``size`` usable points the most serious one, and the last of all: the run keeps its end."""

    def seriousness(point: Point) -> float:
        return -(point.value or 0) if is_falling else (point.value or 0)

    kept = [max(run[start : start + size], key=seriousness) for start in range(0, len(run), size)]
    return kept if kept[-1] is run[-1] else [*kept, run[-1]]


def _ticks(low: float, high: float, wanted: int = 4) -> list[float]:
    """Round numbers that cover ``low`` to ``high``."""
    rough = (high - low) / wanted
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(m * magnitude for m in (1, 2, 2.5, 5, 10) if m * magnitude >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round((first + n) * step, 10) for n in range(math.floor(high / step + 1e-9) - first + 1)]


def _hours(since: datetime, until: datetime, most: int) -> list[datetime]:
    """Round civil times between the edges, at most ``most``."""
    span = (until - since) / timedelta(hours=1)
    step = next((h for h in (1, 3, 6, 12, 24, 48, 96, 168, 336, 720) if span / h <= most), 2160)
    first = since.astimezone(ZONE).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    while first.hour % min(step, 24):
        first += timedelta(hours=1)
    count = max(0, int((until - first) / timedelta(hours=step)) + 1)
    return [first + timedelta(hours=step) * n for n in range(count)]


def _near(levels: Sequence[Level], values: Sequence[float], *, is_falling: bool) -> list[Level]:
    """The levels that the values reached, and the next one unless it would press the curve flat."""
    worst = min(values) if is_falling else max(values)
    reached = [level for level in levels if (worst <= level.enter if is_falling else worst >= level.enter)]
    span = max(values) - min(values) or abs(worst)
    following = levels[len(reached) : len(reached) + 1]
    return [*reached, *(level for level in following if abs(level.enter - worst) <= span)]


def _runs(points: Sequence[Point], max_gap: timedelta) -> list[list[Point]]:
    """Usable points in stretches without a hole."""
    runs: list[list[Point]] = []
    for point in points:
        if not point.is_usable:
            continue
        if runs and point.at - runs[-1][-1].at <= max_gap:
            runs[-1].append(point)
        else:
            runs.append([point])
    return runs


@dataclass(frozen=True)
class Frame:
    """From moments and values to the units of a view box."""

    width: int
    height: int
    since: datetime
    until: datetime
    low: float
    high: float

    @property
    def left(self) -> float:
        return 46.0

    @property
    def right(self) -> float:
        return self.width - 10.0

    @property
    def top(self) -> float:
        return 18.0

    @property
    def bottom(self) -> float:
        return self.height - 26.0

    def x(self, at: datetime) -> float:
        share = (at - self.since) / (self.until - self.since)
        return round(self.left + min(max(share, 0.0), 1.0) * (self.right - self.left), 1)

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(self.bottom - min(max(share, 0.0), 1.0) * (self.bottom - self.top), 1)


def _frame(signal: Signal, width: int, height: int) -> Frame:
    values = [point.value for point in signal.points if point.is_usable and point.value is not None]
    shown = [*values, *(level.enter for level in _near(signal.levels, values, is_falling=signal.is_falling))]
    low, high = min(shown), max(shown)
    margin = (high - low or abs(high) or 1) * 0.08
    is_from_zero = 0 <= low < 0.6 * high
    return Frame(width, height, signal.since, signal.until, 0.0 if is_from_zero else low - margin, high + margin)


def _bands(signal: Signal, frame: Frame) -> list[dict[str, Any]]:
    """The stretch of values of each level, as far as it is in sight."""
    bands = []
    for position, level in enumerate(signal.levels):
        is_last = position + 1 == len(signal.levels)
        open_end = frame.bottom if signal.is_falling else frame.top
        far, edge = open_end if is_last else frame.y(signal.levels[position + 1].enter), frame.y(level.enter)
        if abs(edge - far) >= 1:
            bands.append({"level": level.level, "y": min(edge, far), "height": round(abs(edge - far), 1)})
    return bands


def picture(signal: Signal, incident: IncidentView, width: int, height: int) -> dict[str, Any]:
    """Everything that the template draws, in the units of a ``width`` × ``height`` view box."""
    frame = _frame(signal, width, height)
    runs = _runs(signal.points, signal.max_gap)
    events = [{"kind": "opened", "x": frame.x(incident.opened_at), "at": incident.opened_at}]
    if incident.closed_at and incident.closed_at <= signal.until:
        events.append({"kind": "closed", "x": frame.x(incident.closed_at), "at": incident.closed_at})
    holes = [(before[-1].at, after[0].at) for before, after in pairwise(runs)]
    if signal.until - runs[-1][-1].at > signal.max_gap:
        holes.append((runs[-1][-1].at, signal.until))
    # Thinned after the holes are known: a thinned run would be all holes.
    size = math.ceil(len(signal.points) / _MOST_POINTS)
    runs = [thin(run, size, is_falling=signal.is_falling) for run in runs]
    is_sparse = len(signal.points) <= width // 8
    return {
        "frame": frame,
        "events": events,
        "bands": _bands(signal, frame),
        "lines": [
            {"level": level, "y": frame.y(level.enter), "exit_y": frame.y(level.exit)}
            for level in signal.levels
            if frame.low < level.enter < frame.high
        ],
        "paths": [" ".join(f"{frame.x(p.at)},{frame.y(p.value or 0)}" for p in run) for run in runs],
        "dots": [
            {"x": frame.x(p.at), "y": frame.y(p.value or 0), "point": p}
            for run in runs
            for p in run
            if is_sparse or p.is_corrected or len(run) == 1
        ],
        "unusable": [{"x": frame.x(p.at), "point": p} for p in signal.points if not p.is_usable][::size],
        "holes": [{"x": frame.x(a), "width": round(frame.x(b) - frame.x(a), 1)} for a, b in holes],
        "values": [
            {"value": value, "y": frame.y(value)} for value in _ticks(frame.low, frame.high) if not signal.is_state
        ],
        "hours": [{"at": at, "x": frame.x(at)} for at in _hours(signal.since, signal.until, max(3, width // 110))],
    }
