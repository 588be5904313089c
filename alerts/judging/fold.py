"""The alert state machine of one series: a pure function over the data's own time.

``fold_series`` takes a state and the points that came since, and gives the new state and the level changes. It knows no
clock: durations are differences of period ends, so a late or replayed batch gives the history that a live one gave.

    value >= enter(L) held for for_dur(L)                 -> level rises to L (same incident when one is open)
    value below exit(L) held for keep_dur(L)              -> level drops to the highest lower one still held, or 0
    hole longer than max_gap                              -> every running duration starts again; the level stays
    calibrating, device_error, insufficient, null value   -> nothing moves but the watermark
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import isfinite
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LEVELS = 4
Clock = tuple[datetime | None, datetime | None, datetime | None, datetime | None]
STOPPED: Clock = (None, None, None, None)
Phase = Literal["normal", "pending", "firing", "recovering"]


@dataclass(frozen=True, slots=True)
class Level:
    """One threshold.

    Attributes:
        level: 1 (lowest) to 4.
        enter: Value from which the level holds, in the signal's unit.
        exit: Value that ends it once crossed back; below ``enter`` for rising rules, above it for falling ones.
        for_dur: How long ``enter`` must hold before the level is taken.
        keep_dur: How long the value must stay beyond ``exit`` before the level is left.
        enter_strict: The value must be over ``enter``, not equal to it ("vượt quy chuẩn").
    """

    level: int
    enter: float
    exit: float
    for_dur: timedelta = timedelta(0)
    keep_dur: timedelta = timedelta(0)
    enter_strict: bool = False


@dataclass(frozen=True, slots=True)
class Version:
    """A rule version as it applies to one series: ``levels`` ascending, judging ``starts <= period end < ends``."""

    rule_version_id: int
    starts: datetime
    ends: datetime | None
    direction: Literal["up", "down"]
    max_gap: timedelta
    levels: tuple[Level, ...]


class Point(NamedTuple):
    """One row of ``alerting.signal``; ``at`` is its period end."""

    at: datetime
    value: float | None
    quality: str = "ok"
    revision: int = 1
    unit_code: str | None = None

    @property
    def is_usable(self) -> bool:
        return self.quality == "ok" and self.value is not None and isfinite(self.value)

    @property
    def is_heard(self) -> bool:
        """The device spoke in this period, if only to say that it is being calibrated; not so with too few values."""
        return self.quality != "insufficient"


@dataclass(slots=True)
class SeriesState:
    """What is remembered of a series between runs (a row of ``alert.series_state``)."""

    level: int = 0
    up_since: Clock = STOPPED
    down_since: Clock = STOPPED
    watermark: datetime | None = None
    watermark_revision: int = 0
    heard_at: datetime | None = None
    last_ok_at: datetime | None = None
    last_value: float | None = None
    peak_value: float | None = None
    data_state: str = "ok"

    @property
    def phase(self) -> Phase:
        if self.level:
            return "recovering" if self.down_since[self.level - 1] else "firing"
        return "pending" if any(self.up_since) else "normal"


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of level.

    Attributes:
        reason: entered, raised, lowered, resolved, rule_ended; of other kinds: silent, data_back, retired.
        peak_value: Most extreme value of the episode so far.
    """

    event_time: datetime
    from_level: int
    to_level: int
    value: float | None
    reason: str
    rule_version_id: int
    unit_code: str | None = None
    peak_value: float | None = None
    revision: int = 1


def fold_series(
    state: SeriesState, points: Iterable[Point], versions: Sequence[Version]
) -> tuple[SeriesState, list[Transition]]:
    """Fold ``points`` into ``state``.

    Points behind the watermark are passed over (the engine reports them as late). A newer revision of the point at the
    watermark is the same moment seen again: it may change the level again, once per revision.

    Args:
        state: Where the series stands.
        points: New observations, in any order.
        versions: Versions of the rule, oldest first. A point is judged by the one in force at its period end; before
            the first version nothing is judged, after the last one an open level ends with ``rule_ended``.

    Returns:
        The new state and the transitions, oldest first.
    """
    state = replace(state)
    transitions: list[Transition] = []
    for point in sorted(points, key=lambda p: (p.at, p.revision)):
        if state.watermark and (point.at, point.revision) <= (state.watermark, state.watermark_revision):
            continue
        state.watermark, state.watermark_revision = point.at, point.revision
        if point.is_heard:
            state.heard_at = point.at
        if not point.is_usable:
            state.data_state = "unusable"
            continue
        version = _in_force(versions, point.at)
        if version is None:
            _end_without_rule(state, point, versions, transitions)
        else:
            _step(state, point, version, transitions)
        state.last_ok_at, state.last_value, state.data_state = point.at, point.value, "ok"
    return state, transitions


def _in_force(versions: Sequence[Version], at: datetime) -> Version | None:
    for version in reversed(versions):
        if version.starts <= at:
            return version if version.ends is None or at < version.ends else None
    return None


def _end_without_rule(
    state: SeriesState, point: Point, versions: Sequence[Version], transitions: list[Transition]
) -> None:
    if state.level and versions:
        transitions.append(_transition(state, point, 0, "rule_ended", versions[-1].rule_version_id))
        state.level, state.peak_value = 0, None
    state.up_since = state.down_since = STOPPED


def _step(state: SeriesState, point: Point, version: Version, transitions: list[Transition]) -> None:
    at = point.at
    assert point.value is not None
    # A falling rule is the rising one on the mirrored axis.
    sign = 1.0 if version.direction == "up" else -1.0
    value = sign * point.value
    if not state.level and value < sign * version.levels[0].enter:
        state.up_since = state.down_since = STOPPED
        return
    after_hole = state.last_ok_at is not None and at - state.last_ok_at > version.max_gap
    up, down = list(STOPPED), list(STOPPED)
    reached, held = 0, 0
    for threshold in version.levels:
        i = threshold.level - 1
        enter = sign * threshold.enter
        if value > enter or (value == enter and not threshold.enter_strict):
            above_since = up[i] = (None if after_hole else state.up_since[i]) or at
            if at - above_since >= threshold.for_dur:
                reached = threshold.level
        if threshold.level > state.level:
            continue
        if value < sign * threshold.exit:
            below_since = down[i] = (None if after_hole else state.down_since[i]) or at
            if at - below_since >= threshold.keep_dur:
                continue
        held = threshold.level
    state.up_since, state.down_since = (up[0], up[1], up[2], up[3]), (down[0], down[1], down[2], down[3])

    level = max(reached, held)
    if max(level, state.level) and (state.peak_value is None or value > sign * state.peak_value):
        state.peak_value = point.value
    if level == state.level:
        return
    reason = ("raised" if state.level else "entered") if level > state.level else "lowered" if level else "resolved"
    transitions.append(_transition(state, point, level, reason, version.rule_version_id))
    state.level = level
    if not level:
        state.peak_value = None


def _transition(state: SeriesState, point: Point, to_level: int, reason: str, rule_version_id: int) -> Transition:
    return Transition(
        point.at, state.level, to_level, point.value, reason, rule_version_id, point.unit_code, state.peak_value,
        point.revision,
    )  # fmt: skip
