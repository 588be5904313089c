"""The map of the province without outside tiles: one static SVG of the communes, and the projection for points on it.

``python -m portal.maps`` draws ``static/map/thanh_hoa.svg`` from ``data/communes.geojson``. Coordinates are rounded to
a grid of about 95 m; neighbours share their vertices in the source, so they still fit after rounding.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_ROOM = Path(__file__).resolve().parent
SOURCE = _ROOM / "data" / "communes.geojson"
TARGET = _ROOM / "static" / "map" / "thanh_hoa.svg"

# Equirectangular about the province's middle: at this size the error against UTM is below one grid step.
_WEST, _NORTH, _MIDDLE_LATITUDE = 104.33, 20.70, 19.98
WIDTH, HEIGHT = 2000, 1712
_UNITS_PER_DEGREE = WIDTH / ((106.12 - _WEST) * math.cos(math.radians(_MIDDLE_LATITUDE)))

Point = tuple[int, int]


def project(longitude: float, latitude: float) -> Point:
    """Place a WGS 84 position (degrees) on the map's grid; y grows southwards."""
    x = (longitude - _WEST) * math.cos(math.radians(_MIDDLE_LATITUDE)) * _UNITS_PER_DEGREE
    y = (_NORTH - latitude) * _UNITS_PER_DEGREE
    return round(x), round(y)


def is_on_map(longitude: float, latitude: float) -> bool:
    """Whether the position lies inside the map's frame."""
    x, y = project(longitude, latitude)
    return 0 <= x <= WIDTH and 0 <= y <= HEIGHT


@dataclass(frozen=True)
class Frame:
    """The part of the map that is shown, in grid units; always of the map's own shape."""

    x: float
    y: float
    width: float
    height: float

    @property
    def label_width(self) -> float:
        """A label keeps its share of the picture, so that it can be read and touched on a phone."""
        return self.width * 0.1

    @property
    def label_height(self) -> float:
        return self.label_width * 0.62

    @property
    def dot_radius(self) -> float:
        return self.label_width * 0.11


@dataclass
class Marker:
    """A station on the map: its true place, and the place of its label, moved so that no label covers another."""

    key: str
    x: float
    y: float
    label_x: float
    label_y: float


def frame_around(positions: Iterable[tuple[float, float]]) -> Frame:
    """The part of the province that holds these positions (longitude, latitude), never less than 60 % of its width."""
    points = [project(longitude, latitude) for longitude, latitude in positions]
    if not points:
        return Frame(0, 0, WIDTH, HEIGHT)
    left, right = min(x for x, _ in points), max(x for x, _ in points)
    top, bottom = min(y for _, y in points), max(y for _, y in points)
    share = max((right - left) / WIDTH + 0.22, (bottom - top) / HEIGHT + 0.28, 0.6)
    width, height = min(share, 1) * WIDTH, min(share, 1) * HEIGHT
    x = min(max((left + right - width) / 2, 0), WIDTH - width)
    y = min(max((top + bottom - height) / 2, 0), HEIGHT - height)
    return Frame(round(x), round(y), round(width), round(height))


def place_labels(positions: dict[str, tuple[float, float]], frame: Frame) -> list[Marker]:
    """Lay a label beside every position, none on top of another label or of a dot.

    Args:
        positions: key → (longitude, latitude) in degrees.
        frame: The part of the map that is shown.
    """
    width, height, dot = frame.label_width, frame.label_height, frame.dot_radius * 2.4
    markers = []
    for key, (longitude, latitude) in sorted(positions.items()):
        x, y = project(longitude, latitude)
        markers.append(Marker(key, x, y, x, y - height))
    for _ in range(300):
        moved = False
        for i, one in enumerate(markers):
            for other in markers[i + 1 :]:
                step_x, step_y = _part(one, other.label_x, other.label_y, width * 1.08, height * 1.14)
                one.label_x, one.label_y = one.label_x + step_x / 2, one.label_y + step_y / 2
                other.label_x, other.label_y = other.label_x - step_x / 2, other.label_y - step_y / 2
                moved = moved or bool(step_x or step_y)
            for other in markers:
                step_x, step_y = _part(one, other.x, other.y, (width + dot) / 2, (height + dot) / 2)
                one.label_x, one.label_y = one.label_x + step_x, one.label_y + step_y
                moved = moved or bool(step_x or step_y)
            one.label_x = min(max(one.label_x, frame.x + width * 0.55), frame.x + frame.width - width * 0.55)
            one.label_y = min(max(one.label_y, frame.y + height * 0.55), frame.y + frame.height - height * 0.55)
        if not moved:
            break
    return markers


def _part(marker: Marker, x: float, y: float, width: float, height: float) -> tuple[float, float]:
    """The smallest step that takes a label off what lies at (x, y); none when they do not touch."""
    over_x, over_y = width - abs(marker.label_x - x), height - abs(marker.label_y - y)
    if over_x <= 0 or over_y <= 0:
        return 0, 0
    if over_x < over_y:
        return (over_x + 1 if marker.label_x > x else -over_x - 1), 0
    return 0, (over_y + 1 if marker.label_y > y else -over_y - 1)


def _rings(geometry: dict[str, object]) -> list[list[Point]]:
    coordinates: object = geometry["coordinates"]
    polygons = coordinates if geometry["type"] == "MultiPolygon" else [coordinates]
    rings = []
    for polygon in polygons:  # type: ignore[attr-defined]
        for ring in polygon:
            points: list[Point] = []
            for longitude, latitude in ring:
                point = project(longitude, latitude)
                if not points or points[-1] != point:
                    points.append(point)
            rings.append(points)
    return rings


def _path(points: list[Point], *, closed: bool) -> str:
    parts = [f"M{points[0][0]} {points[0][1]}l"]
    steps = [f"{x - px} {y - py}" for (px, py), (x, y) in pairwise(points)]
    parts.append(" ".join(steps))
    return "".join(parts).replace(" -", "-") + ("z" if closed else "")


def _outline(rings: list[list[Point]]) -> list[list[Point]]:
    """The edges that belong to one commune only, joined to lines: the province's border and coast."""
    count = Counter(frozenset(edge) for ring in rings for edge in pairwise(ring))
    following = {a: b for ring in rings for a, b in pairwise(ring) if count[frozenset((a, b))] == 1}
    lines = []
    while following:
        start = next(iter(following))
        line = [start]
        while line[-1] in following:
            line.append(following.pop(line[-1]))
        if len(line) > 3:
            lines.append(line)
    return lines


def draw(source: Path = SOURCE) -> str:
    """The SVG of the province: every commune, wards tinted, and the outer border."""
    features = json.loads(source.read_text(encoding="utf-8"))["features"]
    communes: list[str] = []
    wards: list[str] = []
    everything: list[list[Point]] = []
    for feature in features:
        rings = _rings(feature["geometry"])
        everything += rings
        path = "".join(_path(ring, closed=True) for ring in rings)
        (wards if feature["properties"]["type"] == "Phường" else communes).append(path)
    outline = "".join(_path(line, closed=False) for line in _outline(everything))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">'
        '<g stroke="#c3cdd3" stroke-width="2.5" stroke-linejoin="round">'
        f'<path fill="#e9edea" d="{"".join(communes)}"/><path fill="#dbe2de" d="{"".join(wards)}"/></g>'
        f'<path fill="none" stroke="#5d7280" stroke-width="6" stroke-linejoin="round" d="{outline}"/></svg>\n'
    )


if __name__ == "__main__":
    TARGET.write_text(draw(), encoding="utf-8")
    print(f"{TARGET}: {TARGET.stat().st_size} bytes")
