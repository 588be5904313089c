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
    from collections.abc import Iterable, Iterator

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

    Each label takes the nearest free place on rings around its dot, above first; the northernmost choose first.

    Args:
        positions: key → (longitude, latitude) in degrees.
        frame: The part of the map that is shown.
    """
    width, height, dot = frame.label_width, frame.label_height, frame.dot_radius * 2.6
    dots = {key: project(*place) for key, place in positions.items()}
    placed: list[Marker] = []

    def is_free(x: float, y: float) -> bool:
        return (
            frame.x + width * 0.55 <= x <= frame.x + frame.width - width * 0.55
            and frame.y + height * 0.55 <= y <= frame.y + frame.height - height * 0.55
            and all(abs(x - m.label_x) >= width * 1.06 or abs(y - m.label_y) >= height * 1.1 for m in placed)
            and all(abs(x - dx) >= (width + dot) / 2 or abs(y - dy) >= (height + dot) / 2 for dx, dy in dots.values())
        )

    for key, (x, y) in sorted(dots.items(), key=lambda item: (item[1][1], item[0])):
        free = (place for place in _rings_around(x, y, width, height) if is_free(*place))
        label_x, label_y = next(free, (x, y - height))
        placed.append(Marker(key, x, y, label_x, label_y))
    return placed


def _rings_around(x: float, y: float, width: float, height: float) -> Iterator[tuple[float, float]]:
    """Places to try for a label, nearest ring first, on each ring from straight above to both sides."""
    for ring in range(40):
        reach = 1 + ring * 0.25
        for step in (0, 1, -1, 2, -2, 3, -3, 4, -4, 5, -5, 6, -6, 7, -7, 8):
            angle = math.pi * step / 8
            yield x + math.sin(angle) * width * reach * 0.8, y - math.cos(angle) * height * reach


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
