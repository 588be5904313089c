"""Drafts of charts and dashboards from a few words, in Superset's export format.

Used once, when a domain gets its first dashboard; from then on the files are the truth and people edit them in Superset
(``pull``) or by hand. A draft has no stored queries yet: ``superset_assets.capture`` lets a browser say which they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from superset_assets import bundle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from superset_assets.bundle import Asset, Assets

CERTIFIED_BY = "Trung tâm IOC"
GRID_COLUMNS = 12


def chart(
    path: str, title: str, viz_type: str, dataset: str, *, description: str = "", **parameters: Any
) -> tuple[str, Asset]:
    """A chart.

    Args:
        path: Where it goes, such as ``charts/air_quality/aqi_now``.
        title: What people read above it.
        viz_type: Superset's name of the chart type.
        dataset: Path of the dataset, such as ``datasets/air_quality/rpt_air_quality_current``.
        description: What people read behind the (i).
        parameters: The chart's form data beyond ``viz_type``.
    """
    return path, {
        "uuid": bundle.uuid_of(path),
        "version": "1.0.0",
        "slice_name": title,
        "description": description,
        "viz_type": viz_type,
        "dataset_uuid": bundle.uuid_of(dataset),
        "certified_by": CERTIFIED_BY,
        "params": {"viz_type": viz_type, "adhoc_filters": [], "extra_form_data": {}, **parameters},
    }


def time_filter(column: str, comparator: str = "No filter") -> Asset:
    """The filter through which a dashboard's time range reaches a chart, with the chart's own range as default."""
    return {
        "clause": "WHERE",
        "comparator": comparator,
        "expressionType": "SIMPLE",
        "operator": "TEMPORAL_RANGE",
        "subject": column,
    }


def metric(expression: str, label: str) -> Asset:
    """A metric written in the chart; use a saved metric of the dataset where there is one."""
    return {"expressionType": "SQL", "sqlExpression": expression, "label": label, "hasCustomLabel": True}


Row = list[tuple[str, int, int]]
"""Charts side by side: path of the chart, columns of 12, height in units of 8 px."""


def dashboard(
    path: str,
    title: str,
    slug: str,
    assets: Assets,
    tabs: Sequence[tuple[str, Sequence[Row | str]]],
    *,
    description: str = "",
    filters: Sequence[Asset] = (),
    css: str = "",
    colours: dict[str, str] | None = None,
    refresh_s: int = 300,
) -> tuple[str, Asset]:
    """A dashboard with a tab for each group of rows; a row given as text is a paragraph of Markdown."""
    position: dict[str, Any] = {
        "DASHBOARD_VERSION_KEY": "v2",
        "ROOT_ID": {"children": ["GRID_ID"], "id": "ROOT_ID", "type": "ROOT"},
        "GRID_ID": {"children": [], "id": "GRID_ID", "parents": ["ROOT_ID"], "type": "GRID"},
        "HEADER_ID": {"id": "HEADER_ID", "meta": {"text": title}, "type": "HEADER"},
    }
    base = ["ROOT_ID", "GRID_ID"]
    if len(tabs) > 1:
        position["TABS-main"] = {"children": [], "id": "TABS-main", "meta": {}, "parents": base, "type": "TABS"}
        position["GRID_ID"]["children"].append("TABS-main")
    for tab_number, (tab_title, rows) in enumerate(tabs, start=1):
        parents = list(base)
        if len(tabs) > 1:
            tab = f"TAB-{tab_number}"
            parents = [*base, "TABS-main"]
            position[tab] = {
                "children": [], "id": tab, "meta": {"text": tab_title, "defaultText": tab_title}, "parents": parents,
                "type": "TAB",
            }  # fmt: skip
            position["TABS-main"]["children"].append(tab)
            parents = [*parents, tab]
        for row_number, row in enumerate(rows, start=1):
            _row(position, f"ROW-{tab_number}-{row_number}", parents, row, assets)
    for number, meta in enumerate(
        sorted((item["meta"] for item in position.values() if _is_chart(item)), key=lambda meta: meta["uuid"]), start=1
    ):
        meta["chartId"] = number
    return path, {
        "uuid": bundle.uuid_of(path),
        "version": "1.0.0",
        "dashboard_title": title,
        "description": description,
        "slug": slug,
        "css": css,
        "published": True,
        "certified_by": CERTIFIED_BY,
        "certification_details": "Số liệu từ lược đồ serving của kho dữ liệu, làm mới sau mỗi lần nạp",
        "position": position,
        "metadata": {
            "color_scheme": "ioc",
            "label_colors": colours or {},
            "refresh_frequency": refresh_s,
            "cross_filters_enabled": True,
            "filter_bar_orientation": "HORIZONTAL",
            "native_filter_configuration": list(filters),
        },
    }


def _is_chart(item: Any) -> bool:
    return isinstance(item, dict) and item.get("type") == "CHART"


def _row(position: dict[str, Any], name: str, parents: list[str], row: Row | str, assets: Assets) -> None:
    position[parents[-1]]["children"].append(name)
    children: list[str] = []
    position[name] = {
        "children": children, "id": name, "parents": parents, "type": "ROW",
        "meta": {"background": "BACKGROUND_TRANSPARENT"},
    }  # fmt: skip
    inside = [*parents, name]
    if isinstance(row, str):
        text = f"MARKDOWN-{name}"
        children.append(text)
        position[text] = {
            "children": [], "id": text, "parents": inside, "type": "MARKDOWN",
            "meta": {"code": row, "height": 7, "width": GRID_COLUMNS},
        }  # fmt: skip
        return
    for path, width, height in row:
        item = f"CHART-{path.removeprefix('charts/').replace('/', '-')}"
        children.append(item)
        position[item] = {
            "children": [], "id": item, "parents": inside, "type": "CHART",
            "meta": {
                "height": height, "width": width, "sliceName": assets[path]["slice_name"], "uuid": assets[path]["uuid"],
            },
        }  # fmt: skip


def select_filter(name: str, title: str, dataset: str, column: str, *, description: str = "") -> Asset:
    """A native filter that picks values of one column, on every chart that has it."""
    return {
        "id": f"NATIVE_FILTER-{name}",
        "name": title,
        "description": description,
        "filterType": "filter_select",
        "type": "NATIVE_FILTER",
        "targets": [{"column": {"name": column}, "datasetUuid": bundle.uuid_of(dataset)}],
        "controlValues": {
            "enableEmptyFilter": False,
            "multiSelect": True,
            "searchAllOptions": False,
            "inverseSelection": False,
        },
        "defaultDataMask": {"extraFormData": {}, "filterState": {}, "ownState": {}},
        "cascadeParentIds": [],
        "scope": {"rootPath": ["ROOT_ID"], "excluded": []},
    }


def time_range_filter(name: str, title: str) -> Asset:
    """A native filter for the time range of every chart that has a :func:`time_filter`.

    It starts empty, so that every chart shows the range of its own; a default here would win over all of them.
    """
    return {
        "id": f"NATIVE_FILTER-{name}",
        "name": title,
        "description": "",
        "filterType": "filter_time",
        "type": "NATIVE_FILTER",
        "targets": [{}],
        "controlValues": {"enableEmptyFilter": False},
        "defaultDataMask": {"extraFormData": {}, "filterState": {}, "ownState": {}},
        "cascadeParentIds": [],
        "scope": {"rootPath": ["ROOT_ID"], "excluded": []},
    }
