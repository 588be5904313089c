"""The picture of an incident's signal: holes stay holes, peaks stay peaks, limits stand where they belong."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from portal import incident_chart
from portal.incident_chart import Level, Point, Signal

if TYPE_CHECKING:
    from alerts.incidents import IncidentView

NOON = datetime(2026, 11, 22, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
LEVELS = [Level(1, 100, 90, "Một", "One"), Level(2, 150, 140, "Hai", "Two"), Level(3, 900, 800, "Ba", "Three")]


def signal(values: list[float | None], **changes: Any) -> Signal:
    points = [
        Point(NOON + HOUR * n, value, "ok" if value is not None else "insufficient", is_corrected=False)
        for n, value in enumerate(values)
    ]
    drawn = Signal(points, LEVELS, False, timedelta(hours=2), NOON, points[-1].at)
    return replace(drawn, **changes)


def picture(drawn: Signal, level: int = 2, closed_at: datetime | None = None) -> dict[str, Any]:
    incident = SimpleNamespace(opened_at=NOON + HOUR * 2, closed_at=closed_at, level=level)
    return incident_chart.picture(drawn, cast("IncidentView", incident), 860, 300)


def test_a_hole_is_not_bridged() -> None:
    drawn = picture(signal([50, 60, None, None, 70, 80]))
    assert len(drawn["paths"]) == 2
    assert len(drawn["holes"]) == 1
    assert len(drawn["unusable"]) == 2


def test_an_hour_that_is_missing_within_the_gap_is_bridged() -> None:
    assert len(picture(signal([50, 60, None, 70]))["paths"]) == 1


def test_silence_up_to_now_is_shown_as_a_hole() -> None:
    drawn = signal([50, 60])
    assert picture(drawn)["holes"] == []
    assert len(picture(replace(drawn, until=NOON + HOUR * 9))["holes"]) == 1


def test_a_far_level_does_not_press_the_curve_flat() -> None:
    drawn = picture(signal([50, 120, 160]))
    assert [line["level"].level for line in drawn["lines"]] == [1, 2]
    assert drawn["frame"].high < 200
    assert [band["level"] for band in drawn["bands"]] == [1, 2]


def test_falling_signals_have_their_bands_below() -> None:
    levels = [Level(1, 2, 3, "", ""), Level(2, 0, 1, "", "")]
    drawn = picture(signal([5, 4, 1, -1], levels=levels, is_falling=True))
    frame = drawn["frame"]
    last = drawn["bands"][-1]
    assert last["y"] + last["height"] == pytest.approx(frame.bottom, abs=0.2)
    assert drawn["lines"][0]["y"] < drawn["lines"][1]["y"], "level 1 stands higher than level 2"


@pytest.mark.parametrize("values", [[5.0], [0.0, 0.0], [-3.0, -3.0, -3.0], [1e9, 1e9 + 1]])
def test_any_series_can_be_drawn(values: list[float | None]) -> None:
    drawn = picture(signal(values, until=NOON + HOUR * 5), closed_at=NOON + HOUR * 4)
    frame = drawn["frame"]
    for path in drawn["paths"]:
        for pair in path.split():
            x, y = map(float, pair.split(","))
            assert frame.left <= x <= frame.right
            assert frame.top <= y <= frame.bottom
    assert [event["kind"] for event in drawn["events"]] == ["opened", "closed"]
    assert drawn["values"]


@pytest.mark.parametrize(("is_falling", "kept"), [(False, 99.0), (True, -7.0)])
def test_a_long_incident_is_one_line_that_keeps_its_most_serious_value(is_falling: bool, kept: float) -> None:
    values: list[float | None] = [float(n % 10) for n in range(2000)]
    values[777], values[778] = 99.0, -7.0
    drawn = signal(values, is_falling=is_falling, max_gap=HOUR)
    assert kept in [point.value for point in incident_chart.thin(drawn.points, 5, is_falling=is_falling)]
    paths = picture(drawn)["paths"]
    assert len(paths) == 1, "thinner points are no holes"
    assert len(paths[0].split()) <= 482
