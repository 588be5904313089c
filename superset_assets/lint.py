"""What can be wrong with the files, found without a running Superset.

Each rule stands for something that Superset accepts in silence and that users then see as an empty or forbidden chart.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

from superset_assets import bundle, datasets

if TYPE_CHECKING:
    from superset_assets.bundle import Asset, Assets

MAX_CHARTS_PER_TAB = 12
# Drawn through an endpoint where a guest may ask for anything, and forbidden to guests here.
_LEGACY_VIZ = {"deck_geojson", "deck_multi", "cal_heatmap", "country_map", "world_map", "mapbox", "bubble", "horizon"}


def problems(assets: Assets) -> list[str]:
    """Everything wrong with the assets, one sentence each, sorted by path."""
    return sorted(
        identity_problems(assets)
        + graph_problems(assets)
        + query_context_problems(assets)
        + wording_problems(assets)
        + link_problems(assets)
        + dashboard_problems(assets)
        + datasets.problems(assets)
    )


def references(path: str, content: Asset) -> list[str]:
    """UUIDs of the assets that this one needs."""
    kind = bundle.kind_of(path)
    if kind == "datasets":
        return [content["database_uuid"]]
    if kind == "charts":
        return [content["dataset_uuid"]]
    if kind == "dashboards":
        filters = content.get("metadata", {}).get("native_filter_configuration", [])
        targets = [target.get("datasetUuid") for item in filters for target in item.get("targets", [])]
        return [meta.get("uuid", "") for meta in bundle.charts_in(content)] + [uuid for uuid in targets if uuid]
    return []


def identity_problems(assets: Assets) -> list[str]:
    """A UUID missing or used twice, a file whose UUID is not that of its path (drafts below ``new/`` keep theirs)."""
    found = []
    used = Counter(content.get("uuid") for content in assets.values())
    for path, content in assets.items():
        if not content.get("uuid"):
            found.append(f"{path}: has no uuid")
        elif used[content["uuid"]] > 1:
            found.append(f"{path}: its uuid is used by another file too")
        elif "/new/" not in path and content["uuid"] != bundle.uuid_of(path):
            found.append(f"{path}: uuid is not the one of its path, {bundle.uuid_of(path)}")
    return found


def graph_problems(assets: Assets) -> list[str]:
    """References that lead nowhere: Superset 6.1 drops an arbitrary part of a dashboard that has one."""
    known = {content.get("uuid") for content in assets.values()}
    return [
        f"{path}: refers to {reference or 'a chart without uuid'}, which no file has"
        for path, content in assets.items()
        for reference in references(path, content)
        if reference not in known
    ]


def query_context_problems(assets: Assets) -> list[str]:
    """Charts that guests may not load: without stored queries, with other queries than drawn, or of a legacy kind."""
    found = []
    for path, content in assets.items():
        if bundle.kind_of(path) != "charts":
            continue
        if content.get("viz_type") in _LEGACY_VIZ:
            found.append(f"{path}: guests may not load the legacy chart type {content['viz_type']}")
        try:
            queries = json.loads(content.get("query_context") or "null")["queries"]
        except (ValueError, KeyError, TypeError):
            found.append(f"{path}: has no query_context, guests would be refused (save the chart again in Superset)")
            continue
        stored = {json.dumps(item, sort_keys=True) for query in queries for item in query.get("metrics") or []}
        drawn = [
            *content["params"].get("metrics", []),
            *([content["params"]["metric"]] if content["params"].get("metric") else []),
        ]
        for metric in drawn:
            if json.dumps(metric, sort_keys=True) not in stored:
                found.append(f"{path}: draws a metric that its query_context does not ask for: {metric}")
    return found


def wording_problems(assets: Assets) -> list[str]:
    """Tables and axes that show ``true`` and ``false``: people read the column's companion in words instead."""
    boolean = {
        content["uuid"]: {column["column_name"] for column in content["columns"] if column.get("type") == "BOOLEAN"}
        for path, content in assets.items()
        if bundle.kind_of(path) == "datasets"
    }
    found = []
    for path, content in assets.items():
        if bundle.kind_of(path) != "charts":
            continue
        shown = [
            name
            for key in ("all_columns", "groupby", "columns", "x_axis")
            for name in _names(content["params"].get(key))
        ]
        for name in sorted(boolean.get(content["dataset_uuid"], set()).intersection(shown)):
            found.append(f"{path}: shows {name}, which is true or false; a column in words is wanted")
    return found


def link_problems(assets: Assets) -> list[str]:
    """Lists of single items that do not lead to the item, though their dataset has its link."""
    links = {
        content["uuid"]: [c["column_name"] for c in content["columns"] if c["column_name"].endswith("_link")]
        for path, content in assets.items()
        if bundle.kind_of(path) == "datasets"
    }
    return [
        f"{path}: lists items without their link, {link}"
        for path, content in assets.items()
        if bundle.kind_of(path) == "charts" and content["params"].get("query_mode") == "raw"
        for link in links.get(content["dataset_uuid"], [])
        if link not in _names(content["params"].get("all_columns"))
    ]


def _names(value: object) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [name for name in values if isinstance(name, str)]


def dashboard_problems(assets: Assets) -> list[str]:
    """Dashboards without slug or certification, and tabs too full to open in time."""
    found = []
    for path, content in assets.items():
        kind = bundle.kind_of(path)
        if kind in ("dashboards", "charts") and not content.get("certified_by"):
            found.append(f"{path}: is not certified (certified_by)")
        if kind != "dashboards":
            continue
        if not content.get("slug"):
            found.append(f"{path}: has no slug, the portal could not find it")
        tabs: Counter[str] = Counter()
        for item in content.get("position", {}).values():
            if isinstance(item, dict) and item.get("type") == "CHART":
                tabs[next((p for p in reversed(item.get("parents", [])) if p.startswith("TAB-")), "GRID_ID")] += 1
        found += [
            f"{path}: {count} charts in {tab}, at most {MAX_CHARTS_PER_TAB}"
            for tab, count in sorted(tabs.items())
            if count > MAX_CHARTS_PER_TAB
        ]
    return found
