"""The phone's version of a dashboard: Superset's grid does not fold on small screens.

It is derived from the one that people draw. Every chart gets a row of its own, key figures go two by two, and a chart
``…/x`` gives way to ``…/x_phone`` where there is one (a calendar with the days across, there with the days down).
Bars that lie get a copy with smaller names, since names like those of departments would take the bars' room.
``push`` publishes it under the slug with ``_phone``; it is in no file and ``pull`` leaves it alone.
"""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

from superset_assets import bundle

if TYPE_CHECKING:
    from superset_assets.bundle import Asset, Assets

SUFFIX = "_phone"
_FULL, _HALF = 12, 6
_KEY_FIGURE = "big_number_total"
_CALENDAR = "heatmap_v2"
_KEY_FIGURE_HEIGHT = 16
_TALL = 112
# Superset lets a chart change the size of its labels, not their width.
_NAMES_PX = 9
# Superset gives every column of a table the same room, down to a syllable a line; tables scroll sideways instead.
_CSS = "td, th { min-width: 110px; }\n"


def versions(assets: Assets) -> Assets:
    """The phone's version of every dashboard among ``assets``, and the charts that only those have."""
    bars = _narrow_bars(assets)
    figures = {content["uuid"] for content in assets.values() if content.get("viz_type") == _KEY_FIGURE}
    drawn = assets | bars
    substitutes = {
        assets[path.removesuffix(SUFFIX)]["uuid"]: content
        for path, content in drawn.items()
        if path.endswith(SUFFIX) and path.removesuffix(SUFFIX) in assets
    }
    return bars | {
        f"{path}{SUFFIX}": _version(f"{path}{SUFFIX}", content, figures, substitutes)
        for path, content in assets.items()
        if bundle.kind_of(path) == "dashboards"
    }


def _narrow_bars(assets: Assets) -> Assets:
    """A copy of every chart of lying bars, names in letters of ``_NAMES_PX``; it asks for the same data."""
    narrow = {}
    for path, original in assets.items():
        name = f"{path}{SUFFIX}"
        if bundle.kind_of(path) != "charts" or original["params"].get("orientation") != "horizontal" or name in assets:
            continue
        content = copy.deepcopy(original)
        options = json.loads(content["params"].get("echart_options") or "{}")
        options["yAxis"] = {"axisLabel": {"fontSize": _NAMES_PX}}
        content["params"]["echart_options"] = json.dumps(options)
        content["uuid"] = bundle.uuid_of(name)
        narrow[name] = content
    return narrow


def _version(path: str, original: Asset, figures: set[str], substitutes: Assets) -> Asset:
    content = copy.deepcopy(original)
    content["uuid"] = bundle.uuid_of(path)
    content["slug"] = f"{original['slug']}{SUFFIX}"
    content["dashboard_title"] = f"{original['dashboard_title']} (điện thoại)"
    content["css"] = f"{original.get('css') or ''}{_CSS}"
    position = content["position"]
    for meta in bundle.charts_in(content):
        if meta["uuid"] in substitutes:
            chart = substitutes[meta["uuid"]]
            meta |= {"uuid": chart["uuid"], "sliceName": chart["slice_name"]}
            if chart["viz_type"] == _CALENDAR:
                meta["height"] = _TALL
    for row in [item for item in position.values() if isinstance(item, dict) and item.get("type") == "ROW"]:
        _fold(position, row, figures)
    return content


def _fold(position: dict[str, Any], row: dict[str, Any], figures: set[str]) -> None:
    """Replace a row by rows of one chart or of two key figures."""
    groups: list[list[str]] = []
    for child in row["children"]:
        is_figure = position[child]["meta"].get("uuid") in figures
        joins = is_figure and groups and len(groups[-1]) == 1 and position[groups[-1][0]]["meta"].get("uuid") in figures
        if joins:
            groups[-1].append(child)
        else:
            groups.append([child])
        position[child]["meta"]["width"] = _FULL
        if is_figure:
            position[child]["meta"] |= {"width": _HALF, "height": _KEY_FIGURE_HEIGHT}
    siblings = position[row["parents"][-1]]["children"]
    del position[row["id"]]
    names = []
    for number, children in enumerate(groups, start=1):
        name = f"{row['id']}-{number}"
        names.append(name)
        position[name] = {**row, "id": name, "children": children}
        for child in children:
            position[child]["parents"] = [*row["parents"], name]
    at = siblings.index(row["id"])
    siblings[at : at + 1] = names
