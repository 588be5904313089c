"""The state machine of one series, told by hours of day: what a duty officer would see."""

from __future__ import annotations

import random
from datetime import datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.judging.fold import Level, Point, SeriesState, Transition, Version, fold_series

VIET_NAM = timezone(timedelta(hours=7))
MIDNIGHT = datetime(2026, 3, 6, tzinfo=VIET_NAM)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def at(hours: float) -> datetime:
    return MIDNIGHT + timedelta(hours=hours)


def version(*levels: Level, **changes: object) -> Version:
    values = {
        "rule_version_id": 1,
        "starts": at(-1000),
        "ends": None,
        "direction": "up",
        "max_gap": 3 * HOUR,
        "levels": levels,
    }
    return Version(**(values | changes))  # type: ignore[arg-type]


AQI = version(*(Level(n, v, v - 10, keep_dur=HOUR) for n, v in enumerate((101, 151, 201, 301), start=1)))


def hourly(*values: float | str | None, start: float = 0) -> list[Point]:
    """One point per hour; None leaves a hole, a text is a quality without a value."""
    return [
        Point(at(start + n), None, value) if isinstance(value, str) else Point(at(start + n), value)
        for n, value in enumerate(values)
        if value is not None
    ]


def levels(transitions: list[Transition]) -> list[tuple[float, int]]:
    """(hour, level) of every change."""
    return [((t.event_time - MIDNIGHT) / HOUR, t.to_level) for t in transitions]


def run(points: list[Point], *versions: Version) -> list[tuple[float, int]]:
    return levels(fold_series(SeriesState(), points, versions or (AQI,))[1])


def test_a_value_that_flutters_about_the_threshold_is_one_episode() -> None:
    rule = version(Level(1, 150, 140, keep_dur=HOUR))
    assert run(hourly(148, 152, 149, 146, 151, 139, 149), rule) == [(1, 1)]


def test_the_level_ends_only_after_the_value_stayed_below_the_exit_for_keep() -> None:
    assert run(hourly(120, 90, 95, 90, 90)) == [(0, 1), (4, 0)]


def test_the_exit_value_itself_still_holds_the_level() -> None:
    assert run(hourly(120, 91, 91, 91)) == [(0, 1)]


def test_the_enter_value_itself_enters_unless_the_rule_says_over() -> None:
    assert run(hourly(101)) == [(0, 1)]
    over = version(Level(1, 1.0, 0.95, enter_strict=True))
    assert run(hourly(1.0), over) == []
    assert run(hourly(1.0, 1.01), over) == [(1, 1)]


def test_levels_rise_and_fall_within_one_episode_each_by_its_own_exit() -> None:
    values = (120, 160, 210, 195, 185, 185, 120, 120, 80, 80)
    assert run(hourly(*values)) == [(0, 1), (1, 2), (2, 3), (5, 2), (7, 1), (9, 0)]


def test_a_jump_takes_the_highest_level_at_once() -> None:
    state, transitions = fold_series(SeriesState(), hourly(50, 350), (AQI,))
    assert [(t.from_level, t.to_level, t.reason) for t in transitions] == [(0, 4, "entered")]
    assert state.phase == "firing"


def test_a_fall_below_everything_ends_at_zero_not_step_by_step() -> None:
    assert run(hourly(350, 20, 20)) == [(0, 4), (2, 0)]


FIVE_MINUTES = version(Level(1, 100, 95, for_dur=15 * MINUTE, keep_dur=10 * MINUTE), max_gap=11 * MINUTE)


def every_five(*values: float) -> list[Point]:
    return [Point(MIDNIGHT + n * 5 * MINUTE, value) for n, value in enumerate(values)]


def test_for_and_keep_are_measured_on_the_data_s_own_time() -> None:
    found = run(every_five(100, 100, 100, 100, 90, 90, 90), FIVE_MINUTES)
    assert found == [(pytest.approx(15 / 60), 1), (pytest.approx(30 / 60), 0)]


def test_a_dip_below_enter_starts_for_again() -> None:
    state, transitions = fold_series(SeriesState(), every_five(100, 100, 99, 100, 100, 100), (FIVE_MINUTES,))
    assert transitions == []
    assert state.phase == "pending"


def test_a_hole_starts_for_again() -> None:
    points = every_five(100, 100, 0, 0, 100, 100, 100, 100)
    assert run([points[0], points[1], *points[4:]], FIVE_MINUTES) == [(pytest.approx(35 / 60), 1)]


def test_a_hole_starts_keep_again_and_never_ends_a_level_by_itself() -> None:
    points = every_five(100, 100, 100, 100, 90, 0, 0, 0, 90, 90, 90)
    found = run([*points[:5], *points[8:]], FIVE_MINUTES)
    assert found == [(pytest.approx(15 / 60), 1), (pytest.approx(50 / 60), 0)]


def test_a_recovering_series_says_so() -> None:
    state, _ = fold_series(SeriesState(), hourly(120, 80), (AQI,))
    assert (state.level, state.phase) == (1, "recovering")


def test_falling_rules_mirror_rising_ones() -> None:
    near_the_line = version(Level(1, 5, 5.5), Level(2, 0, 0.5), direction="down")
    assert run(hourly(8, 5, 0, 0.4, 0.5, 5.4, 5.5), near_the_line) == [(1, 1), (2, 2), (5, 1)]
    assert run(hourly(8, 5, 0, 0.4, 0.5, 5.4, 5.6), near_the_line) == [(1, 1), (2, 2), (5, 1), (6, 0)]


@pytest.mark.parametrize("quality", ["calibrating", "device_error", "insufficient"])
def test_unusable_rows_freeze_the_state(quality: str) -> None:
    state, _ = fold_series(SeriesState(), hourly(120), (AQI,))
    frozen, transitions = fold_series(state, hourly(quality, quality, start=1), (AQI,))
    assert transitions == []
    assert (frozen.level, frozen.up_since, frozen.last_ok_at) == (1, state.up_since, at(0))
    assert (frozen.data_state, frozen.watermark) == ("unusable", at(2))


def test_a_calibration_value_never_fires_though_it_is_huge() -> None:
    assert fold_series(SeriesState(), [Point(at(0), 480.0, "calibrating")], (AQI,))[1] == []


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None])
def test_what_is_not_a_number_is_unusable(value: float | None) -> None:
    state, transitions = fold_series(SeriesState(), [Point(at(0), 120), Point(at(1), value)], (AQI,))
    assert levels(transitions) == [(0, 1)]
    assert (state.data_state, state.last_value) == ("unusable", 120)


def test_too_few_values_are_silence_but_a_calibration_is_a_word() -> None:
    state, _ = fold_series(SeriesState(), hourly(50, "calibrating", "insufficient"), (AQI,))
    assert state.heard_at == at(1)


def test_folding_the_same_points_again_adds_nothing() -> None:
    points = hourly(120, 160, 80, 80)
    state, _ = fold_series(SeriesState(), points, (AQI,))
    assert fold_series(state, points, (AQI,)) == (state, [])


def test_the_given_state_stays_as_it_was() -> None:
    state = SeriesState()
    fold_series(state, hourly(120, 160), (AQI,))
    assert state == SeriesState()


def test_rows_behind_the_watermark_change_nothing() -> None:
    state, _ = fold_series(SeriesState(), hourly(50, 60, start=5), (AQI,))
    assert fold_series(state, hourly(300, start=1), (AQI,)) == (state, [])


def test_a_correction_of_the_newest_hour_counts_and_each_correction_once() -> None:
    state, _ = fold_series(SeriesState(), hourly(95), (AQI,))
    state, transitions = fold_series(state, [Point(at(0), 120, revision=2)], (AQI,))
    assert levels(transitions) == [(0, 1)]
    higher = [Point(at(0), 250, revision=3)]
    state, transitions = fold_series(state, higher, (AQI,))
    assert levels(transitions) == [(0, 3)]
    assert fold_series(state, higher, (AQI,)) == (state, [])
    state, transitions = fold_series(state, [Point(at(0), 60, revision=4)], (AQI,))
    assert transitions == []
    assert run_on(state, hourly(60, start=1)) == [(1, 0)]


def run_on(state: SeriesState, points: list[Point]) -> list[tuple[float, int]]:
    return levels(fold_series(state, points, (AQI,))[1])


def test_each_point_is_judged_by_the_version_of_its_own_time() -> None:
    old = version(Level(1, 100, 90), ends=at(3), rule_version_id=1)
    new = version(Level(1, 130, 120), starts=at(3), rule_version_id=2)
    assert run(hourly(110, 110, 110, 110, 110), old, new) == [(0, 1), (3, 0)]
    assert run(hourly(110, 110, start=3), old, new) == []


def test_a_new_version_neither_resets_nor_fires_again() -> None:
    old = version(Level(1, 100, 90), ends=at(2), rule_version_id=1)
    new = version(Level(1, 105, 90), starts=at(2), rule_version_id=2)
    assert run(hourly(110, 110, 110, 110), old, new) == [(0, 1)]


def test_before_its_first_version_a_rule_judges_nothing() -> None:
    assert run(hourly(300, 300), version(Level(1, 100, 90), starts=at(10))) == []


def test_when_a_rule_ends_its_open_level_ends_with_it() -> None:
    ended = version(Level(1, 100, 90), ends=at(2))
    _, transitions = fold_series(SeriesState(), hourly(110, 110, 110), (ended,))
    assert [(t.to_level, t.reason) for t in transitions] == [(1, "entered"), (0, "rule_ended")]


def test_the_peak_is_the_worst_value_of_the_episode() -> None:
    _, transitions = fold_series(SeriesState(), hourly(120, 180, 130, 80, 80, 105), (AQI,))
    closing = next(t for t in transitions if t.to_level == 0)
    assert closing.peak_value == 180
    assert transitions[-1].peak_value == 105


VALUES = st.one_of(st.none(), st.sampled_from(["calibrating", "insufficient"]), st.integers(0, 400).map(float))
SERIES = st.lists(VALUES, min_size=1, max_size=40).map(lambda values: hourly(*values))
TWO_VERSIONS = (
    version(*AQI.levels, ends=at(15), rule_version_id=1),
    version(*(Level(n, v, v - 20, for_dur=HOUR, keep_dur=2 * HOUR) for n, v in enumerate((90, 180), start=1)),
            starts=at(15), rule_version_id=2),
)  # fmt: skip


@settings(deadline=None)
@given(SERIES, st.data())
def test_history_does_not_depend_on_when_the_data_came(points: list[Point], data: st.DataObject) -> None:
    """One batch, many batches, shuffled inside a batch: the same states and transitions."""
    whole = fold_series(SeriesState(), points, TWO_VERSIONS)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(points)), max_size=4)))
    state, transitions = SeriesState(), []
    for start, end in pairwise([0, *cuts, len(points)]):
        batch = points[start:end]
        random.Random(start).shuffle(batch)
        state, found = fold_series(state, batch, TWO_VERSIONS)
        transitions += found
    assert (state, transitions) == whole


@settings(deadline=None)
@given(SERIES)
def test_transitions_form_a_chain_and_each_moment_has_one(points: list[Point]) -> None:
    state, transitions = fold_series(SeriesState(), points, TWO_VERSIONS)
    chain = [0, *(t.to_level for t in transitions)]
    assert [t.from_level for t in transitions] == chain[:-1]
    assert all(t.from_level != t.to_level and 0 <= t.to_level <= 4 for t in transitions)
    assert len({t.event_time for t in transitions}) == len(transitions)
    assert state.level == chain[-1]


@settings(deadline=None)
@given(SERIES)
def test_a_rule_that_falls_is_a_rule_that_rises_seen_in_a_mirror(points: list[Point]) -> None:
    mirrored = version(
        *(Level(t.level, -t.enter, -t.exit, t.for_dur, t.keep_dur) for t in AQI.levels), direction="down"
    )
    turned = [Point(p.at, None if p.value is None else -p.value, p.quality) for p in points]
    assert run(turned, mirrored) == run(points, AQI)


@settings(deadline=None)
@given(SERIES)
def test_a_level_always_has_a_value_that_entered_it_and_no_level_survives_keep_below_its_exit(
    points: list[Point],
) -> None:
    state = SeriesState()
    for point in points:
        before = state.level
        state, found = fold_series(state, [point], (AQI,))
        for t in found:
            threshold = AQI.levels[max(t.to_level, t.from_level) - 1]
            assert t.value is not None
            assert t.value >= threshold.enter if t.to_level > before else t.value < threshold.exit
