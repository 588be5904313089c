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


@dataclass
class Marker:
    """A station on the map: its true place, and the place of its label, moved so that no label covers another."""

    key: str
    x: float
    y: float
    label_x: float
    label_y: float


def place_labels(positions: dict[str, tuple[float, float]], *, width: float, height: float) -> list[Marker]:
    """Lay a label of ``width`` × ``height`` grid units beside every position, none on top of another.

    Args:
        positions: key → (longitude, latitude) in degrees.
        width: Width of a label in grid units.
        height: Height of a label in grid units.
    """
    markers = []
    for key, (longitude, latitude) in sorted(positions.items()):
        x, y = project(longitude, latitude)
        markers.append(Marker(key, x, y, x, y - height * 0.9))
    for _ in range(200):
        moved = False
        for i, one in enumerate(markers):
            for other in markers[i + 1 :]:
                over_x = width * 1.06 - abs(one.label_x - other.label_x)
                over_y = height * 1.12 - abs(one.label_y - other.label_y)
                if over_x <= 0 or over_y <= 0:
                    continue
                moved = True
                # Part along the axis that needs the smaller step.
                if over_x < over_y:
                    step = over_x / 2 + 1 if one.label_x < other.label_x else -over_x / 2 - 1
                    one.label_x, other.label_x = one.label_x - step, other.label_x + step
                else:
                    step = over_y / 2 + 1 if one.label_y <= other.label_y else -over_y / 2 - 1
                    one.label_y, other.label_y = one.label_y - step, other.label_y + step
        for marker in markers:
            marker.label_x = min(max(marker.label_x, width / 2), WIDTH - width / 2)
            marker.label_y = min(max(marker.label_y, height / 2), HEIGHT - height / 2)
        if not moved:
            break
    return markers


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
