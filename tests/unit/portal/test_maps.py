"""The map of the province: drawn from the data that lies beside it, labels that can all be read."""

from __future__ import annotations

import csv
import random
import re
from itertools import combinations
from pathlib import Path

import pytest

from portal import maps

ROOT = Path(__file__).resolve().parents[3]


def test_the_map_that_is_served_is_the_one_that_the_data_give() -> None:
    assert maps.TARGET.read_text(encoding="utf-8") == maps.draw(), "run: python -m portal.maps"


def test_the_map_needs_nothing_from_elsewhere_and_stays_small() -> None:
    drawn = maps.TARGET.read_text(encoding="utf-8")
    assert re.findall(r"https?://[^\"]+", drawn) == ["http://www.w3.org/2000/svg"]
    assert len(drawn) < 100_000
    assert drawn.count("M") > 166, "every commune has at least one ring"


def test_north_is_up_and_east_is_right() -> None:
    nghi_son, bim_son, muong_lat = maps.project(105.80, 19.33), maps.project(105.91, 20.07), maps.project(104.6, 20.5)
    assert bim_son[1] < nghi_son[1]
    assert muong_lat[0] < nghi_son[0]
    # 1° of latitude is as long as 1° of longitude / cos(latitude): distances look alike in both directions.
    east = maps.project(106.0, 19.98)[0] - maps.project(105.0, 19.98)[0]
    south = maps.project(105.0, 19.48)[1] - maps.project(105.0, 20.48)[1]
    assert east / south == pytest.approx(0.9398, abs=0.002)
    assert not maps.is_on_map(105.82, 21.02), "Hà Nội"


def _registry() -> dict[str, tuple[float, float]]:
    with (ROOT / "dbt_project/seeds/air_quality/air_station.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["in_province"] == "true"]
    return {row["station_code"]: (float(row["longitude"]), float(row["latitude"])) for row in rows}


def _scattered(seed: int) -> dict[str, tuple[float, float]]:
    dice = random.Random(seed)
    city = [(dice.gauss(105.78, 0.03), dice.gauss(19.81, 0.03)) for _ in range(6)]
    return {str(n): place for n, place in enumerate([*city, *((dice.uniform(104.7, 105.9), 19.9) for _ in range(8))])}


@pytest.mark.parametrize("positions", [_registry(), *map(_scattered, range(5))])
def test_no_label_covers_another_or_a_dot(positions: dict[str, tuple[float, float]]) -> None:
    frame = maps.frame_around(positions.values())
    labels = maps.place_labels(positions, frame)
    assert len(labels) == len(positions)
    for one, other in combinations(labels, 2):
        apart_x = abs(one.label_x - other.label_x) >= frame.label_width
        assert apart_x or abs(one.label_y - other.label_y) >= frame.label_height, (one, other)
    for label in labels:
        assert frame.x <= label.label_x - frame.label_width / 2
        assert label.label_x + frame.label_width / 2 <= frame.x + frame.width
        for dot in labels:
            near_x = abs(label.label_x - dot.x) < frame.label_width / 2
            assert not (near_x and abs(label.label_y - dot.y) < frame.label_height / 2), (label, dot)


def test_the_frame_holds_every_station_and_never_leaves_the_map() -> None:
    for positions in (_registry(), _scattered(1), {"one": (105.8, 19.33)}, {}):
        frame = maps.frame_around(positions.values())
        assert 0 <= frame.x <= frame.x + frame.width <= maps.WIDTH
        assert 0 <= frame.y <= frame.y + frame.height <= maps.HEIGHT
        for longitude, latitude in positions.values():
            x, y = maps.project(longitude, latitude)
            assert frame.x < x < frame.x + frame.width
            assert frame.y < y < frame.y + frame.height
