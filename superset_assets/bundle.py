"""The assets as files: reading, naming, bringing to normal form, packing into the archive that Superset imports.

One file is one asset, in Superset's own export format. Its UUID follows from its path, so that every installation gives
the same asset the same identity. Numbers that an installation hands out (chart, dataset and database ids) never enter a
file: charts are numbered per dashboard in the order of their UUIDs, datasets are named by UUID.
"""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from operator import itemgetter
from pathlib import Path
from typing import Any

import yaml

ASSETS = Path(__file__).resolve().parent / "assets"
KINDS = ("databases", "datasets", "charts", "dashboards")
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://github.com/ioc-thanh-hoa/superset_assets")
# Stands in files for the warehouse of the installation; push puts the real address in, pull takes it out again.
WAREHOUSE_URI = "postgresql+psycopg2://ioc_bi_reader@warehouse/warehouse"
_METADATA = {"version": "1.0.0", "type": "assets", "timestamp": "2026-01-01T00:00:00+00:00"}

Asset = dict[str, Any]
# Path below ``assets`` without suffix, such as ``charts/air_quality/aqi_now`` → content.
Assets = dict[str, Asset]

# The same safe loader, ten times faster where libyaml is compiled in.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_EMPTY = {
    "databases": ("cache_timeout",),
    "datasets": ("sql", "main_dttm_col", "description", "cache_timeout", "fetch_values_predicate", "default_endpoint"),
    "columns": ("expression", "description", "python_date_format", "advanced_data_type"),
    "metrics": ("description", "d3format", "warning_text", "currency"),
    "charts": ("description", "cache_timeout", "certification_details"),
    "dashboards": ("description", "css", "certification_details"),
}
# Colours and scopes that a browser computes and saves again; queries do not depend on them.
_VOLATILE_METADATA = (
    "chart_configuration",
    "default_filters",
    "expanded_slices",
    "filter_scopes",
    "map_label_colors",
    "shared_label_colors",
    "show_chart_timestamps",
    "timed_refresh_immune_slices",
)


def uuid_of(path: str) -> str:
    """UUID of the asset at ``path`` (below ``assets``, without suffix)."""
    return str(uuid.uuid5(NAMESPACE, path))


def read(folder: Path = ASSETS) -> Assets:
    """All assets below ``folder``, sorted by path.

    Raises:
        ValueError: a file is not YAML, or not a mapping; the message names it.
    """
    found: Assets = {}
    for file in sorted(path for kind in KINDS for path in folder.glob(f"{kind}/**/*.yaml")):
        try:
            content = yaml.load(file.read_text(encoding="utf-8"), _LOADER)
        except yaml.YAMLError as error:
            raise ValueError(f"{file}: not YAML: {error}") from error
        if not isinstance(content, dict):
            raise ValueError(f"{file}: an asset is a mapping, found {type(content).__name__}")
        found[file.relative_to(folder).with_suffix("").as_posix()] = content
    return found


def write(assets: Assets, folder: Path = ASSETS) -> list[str]:
    """Write assets in normal form.

    Returns:
        The paths whose file is new or changed.
    """
    changed = []
    for path, content in sorted(assets.items()):
        file = folder / f"{path}.yaml"
        text = dump(normalise(path, content))
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed


def kind_of(path: str) -> str:
    return path.split("/", 1)[0]


class _Dumper(yaml.SafeDumper):
    pass


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def dump(content: Asset) -> str:
    """YAML with sorted keys, readable Vietnamese and one line per line of embedded text."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=True, allow_unicode=True, width=120)


def normalise(path: str, content: Asset) -> Asset:
    """The content without what an installation or a browser adds: equal assets become equal files."""
    content = json.loads(json.dumps(content))
    kind = kind_of(path)
    content.pop("tags", None)
    if kind == "databases":
        content["sqlalchemy_uri"] = WAREHOUSE_URI
        content.pop("password", None)
    elif kind == "datasets":
        for part, name in (("columns", "column_name"), ("metrics", "metric_name")):
            content[part] = sorted((_sparse(item) for item in content.get(part, [])), key=itemgetter(name))
    elif kind == "charts":
        content["params"] = _chart_parameters(content.get("params", {}))
        if content.get("query_context"):
            content["query_context"] = _query_context(content["query_context"])
    elif kind == "dashboards":
        _dashboard(content)
    return _sparse(content)


def _sparse(content: Asset) -> Asset:
    return {key: value for key, value in content.items() if value is not None and value not in ("", {}, [])}


def _chart_parameters(parameters: Asset) -> Asset:
    return {
        key: value
        for key, value in parameters.items()
        if key not in ("datasource", "slice_id", "dashboards", "dashboardId", "url_params")
        # Superset adds an empty list of annotations to every chart that it imports.
        and not (key == "annotation_layers" and not value)
    }


def _query_context(text: str) -> str:
    """The stored queries, readable, without a copy of the chart's parameters; the import fills in the dataset."""
    context = json.loads(text)
    queries = [
        {key: value for key, value in query.items() if key not in ("datasource", "url_params") and value is not None}
        for query in context.get("queries", [])
    ]
    kept = {
        "datasource": {"id": 0, "type": "table"},
        "force": False,
        "queries": queries,
        "result_format": context.get("result_format", "json"),
        "result_type": context.get("result_type", "full"),
    }
    return json.dumps(kept, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def charts_in(dashboard: Asset) -> list[Asset]:
    """The ``meta`` of every chart in the dashboard's layout."""
    return [
        item["meta"]
        for item in dashboard.get("position", {}).values()
        if isinstance(item, dict) and item.get("type") == "CHART"
    ]


def _dashboard(content: Asset) -> None:
    metas = charts_in(content)
    numbers = {
        meta.get("chartId"): number
        for number, meta in enumerate(sorted(metas, key=lambda meta: str(meta.get("uuid"))), start=1)
    }
    for meta in metas:
        meta["chartId"] = numbers[meta.get("chartId")]
    metadata = content.get("metadata", {})
    for key in _VOLATILE_METADATA:
        metadata.pop(key, None)
    metadata.get("global_chart_configuration", {}).pop("chartsInScope", None)
    for item in metadata.get("native_filter_configuration", []):
        for computed in ("chartsInScope", "tabsInScope"):
            item.pop(computed, None)
        excluded = item.get("scope", {}).get("excluded", [])
        if excluded:
            item["scope"]["excluded"] = sorted(numbers[chart] for chart in excluded if chart in numbers)


def pack(assets: Assets, warehouse_uri: str) -> bytes:
    """The archive for ``/api/v1/assets/import/``, the same bytes for the same assets.

    Args:
        assets: Everything to import. Charts and datasets that a dashboard refers to must be among them: Superset 6.1
            drops an arbitrary part of a dashboard from which one chart is missing.
        warehouse_uri: SQLAlchemy URI of the warehouse, password included; it stays inside the archive.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        _add(archive, "metadata.yaml", _METADATA)
        for path, content in sorted(assets.items()):
            _add(archive, f"{path}.yaml", _complete(path, content, warehouse_uri))
    return buffer.getvalue()


def _complete(path: str, content: Asset, warehouse_uri: str) -> Asset:
    """The content with every field that files leave out when empty: an import keeps what it is not told to change."""
    kind = kind_of(path)
    filled = dict.fromkeys(_EMPTY[kind]) | content
    if kind == "databases":
        filled["sqlalchemy_uri"] = warehouse_uri
    elif kind == "datasets":
        for part in ("columns", "metrics"):
            filled[part] = [dict.fromkeys(_EMPTY[part]) | item for item in content.get(part, [])]
    return filled


def _add(archive: zipfile.ZipFile, name: str, content: Asset) -> None:
    entry = zipfile.ZipInfo(f"assets/{name}", date_time=(2026, 1, 1, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, yaml.safe_dump(content, allow_unicode=True))


def unpack(archive: bytes) -> list[tuple[str, Asset]]:
    """Kind and content of every asset in an archive that Superset exported."""
    found = []
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        for name in sorted(opened.namelist()):
            parts = name.split("/")
            if len(parts) > 2 and parts[1] in KINDS:
                found.append((parts[1], yaml.load(opened.read(name), _LOADER)))
    return found
