"""Datasets follow dbt: names, types, labels and descriptions of columns come from the ``serving`` models' properties.

    python -m superset_assets.datasets        rewrites the dataset files

What Superset adds (metrics, calculated columns, the main time column) is written in the dataset files and kept.

Superset shows a ``timestamptz`` in UTC, and truncates a ``date`` to one, which is the day before. Every such column
therefore gets a companion ``<name>_local`` that holds the civil time of Thanh Hóa without zone and carries the label;
charts and filters use that one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from ioc.settings import PROJECT_ROOT, TIME_ZONE
from superset_assets import bundle

if TYPE_CHECKING:
    from pathlib import Path

    from superset_assets.bundle import Asset, Assets

DBT = PROJECT_ROOT / "dbt_project"
_TYPES = {"TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE", "TIMESTAMP": "TIMESTAMP WITHOUT TIME ZONE"}
_DOC = re.compile(r"\{\{\s*doc\(\s*['\"]([^'\"]+)['\"]\s*\)\s*\}\}")
_DOC_BLOCK = re.compile(r"\{%-?\s*docs\s+(\w+)\s*-?%\}(.*?)\{%-?\s*enddocs\s*-?%\}", re.DOTALL)


@dataclass(frozen=True)
class Column:
    """A column of a ``serving`` model as dbt describes it."""

    name: str
    data_type: str
    label: str
    description: str


@dataclass(frozen=True)
class Model:
    """A ``serving`` model as dbt describes it."""

    name: str
    description: str
    columns: tuple[Column, ...] = field(default=())

    @property
    def domain(self) -> str:
        """Folder of its dataset file: ``air_quality`` of ``rpt_air_quality_hourly``."""
        from ioc.domains import all_domains

        name = self.name.removeprefix("rpt_")
        return next((domain.name for domain in all_domains() if name.startswith(domain.name)), name.split("_", 1)[0])


def models(dbt: Path = DBT) -> dict[str, Model]:
    """The models below ``models/serving``, by name.

    Raises:
        ValueError: a property file is not YAML; the message names it.
    """
    docs = {
        name: text.strip()
        for file in sorted(dbt.glob("models/**/*.md"))
        for name, text in _DOC_BLOCK.findall(file.read_text(encoding="utf-8"))
    }
    found = {}
    for file in sorted([*dbt.glob("models/serving/**/*.yml"), *dbt.glob("models/serving/**/*.yaml")]):
        try:
            properties = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        except yaml.YAMLError as error:
            raise ValueError(f"{file}: not YAML: {error}") from error
        for model in properties.get("models", []):
            columns = tuple(
                Column(
                    column["name"],
                    _TYPES.get(
                        str(column.get("data_type", "text")).upper(), str(column.get("data_type", "text")).upper()
                    ),
                    _meta(column).get("label_vi", column["name"]),
                    _described(column, docs),
                )
                for column in model.get("columns", [])
            )
            found[model["name"]] = Model(model["name"], _described(model, docs), columns)
    return found


def _meta(node: dict[str, Any]) -> dict[str, Any]:
    return {**(node.get("meta") or {}), **((node.get("config") or {}).get("meta") or {})}


def _described(node: dict[str, Any], docs: dict[str, str]) -> str:
    """The description with doc blocks filled in, on one line."""
    text = _DOC.sub(lambda match: docs.get(match[1], ""), str(node.get("description") or ""))
    return " ".join(text.split())


def columns_of(model: Model) -> list[Asset]:
    """The dataset columns that follow from a model."""
    found = []
    for column in model.columns:
        if column.data_type == "TIMESTAMP WITH TIME ZONE":
            found.append(_column(column) | {"verbose_name": f"{column.label} (UTC)"})
            found.append(_civil(column, f"{column.name}_local", f"{column.name} at time zone '{TIME_ZONE}'"))
        elif column.data_type == "DATE":
            found.append(_column(column) | {"verbose_name": f"{column.label} (kiểu ngày)"})
            found.append(_civil(column, f"{column.name}_local", f"{column.name}::timestamp"))
        else:
            found.append(_column(column))
    return found


def _civil(column: Column, name: str, expression: str) -> Asset:
    return _column(column) | {
        "column_name": name, "expression": expression, "type": "TIMESTAMP WITHOUT TIME ZONE", "is_dttm": True,
    }  # fmt: skip


def _column(column: Column) -> Asset:
    content: Asset = {
        "column_name": column.name,
        "verbose_name": column.label,
        "type": column.data_type,
        "is_dttm": column.data_type.startswith("TIMESTAMP WITHOUT"),
        "is_active": True,
        "groupby": True,
        "filterable": True,
    }
    if column.description:
        content["description"] = column.description
    return content


def dataset_of(model: Model, existing: Asset | None, path: str) -> Asset:
    """The dataset of a model, keeping what only the existing file knows."""
    content: Asset = dict(existing or {"metrics": []})
    generated = columns_of(model)
    names = {column["column_name"] for column in generated}
    own = [
        column
        for column in content.get("columns", [])
        if column.get("expression")
        and column["column_name"] not in names
        and not column["column_name"].endswith("_local")
    ]
    content |= {
        "uuid": bundle.uuid_of(path),
        "version": "1.0.0",
        "database_uuid": bundle.uuid_of("databases/warehouse"),
        "schema": "serving",
        "table_name": model.name,
        "description": model.description,
        "columns": generated + own,
        "filter_select_enabled": True,
        "normalize_columns": False,
        "always_filter_main_dttm": False,
        "offset": 0,
    }
    content.setdefault(
        "extra",
        {
            "certification": {
                "certified_by": "Trung tâm IOC",
                "details": "Bảng serving do dbt sinh ra, có hợp đồng dữ liệu",
            }
        },
    )
    times = [column["column_name"] for column in generated if column["is_dttm"]]
    if times:
        content.setdefault("main_dttm_col", times[0])
    return bundle.normalise(path, content)


def synchronised(assets: Assets, dbt: Path = DBT) -> Assets:
    """The dataset files as dbt wants them: one for every ``serving`` model."""
    by_table = {
        content["table_name"]: path
        for path, content in assets.items()
        if bundle.kind_of(path) == "datasets" and "sql" not in content
    }
    wanted = {}
    for model in models(dbt).values():
        path = by_table.get(model.name, f"datasets/{model.domain}/{model.name}")
        wanted[path] = dataset_of(model, assets.get(path), path)
    return wanted


def problems(assets: Assets, dbt: Path = DBT) -> list[str]:
    """Differences between the dataset files and dbt's ``serving`` models."""
    wanted = synchronised(assets, dbt)
    found = []
    for path, content in wanted.items():
        if path not in assets:
            found.append(
                f"{path}: missing, dbt has the model {content['table_name']} (python -m superset_assets.datasets)"
            )
            continue
        for name, mine, theirs in _differences(bundle.normalise(path, assets[path]), content):
            found.append(f"{path}: {name} is {mine!r}, dbt says {theirs!r} (python -m superset_assets.datasets)")
    for path, content in assets.items():
        if bundle.kind_of(path) == "datasets" and "sql" not in content and path not in wanted:
            found.append(f"{path}: dbt has no serving model {content.get('table_name')}")
    return found


def _differences(mine: Asset, theirs: Asset) -> list[tuple[str, Any, Any]]:
    if mine.get("description") != theirs.get("description"):
        return [("description", mine.get("description"), theirs.get("description"))]
    left = {column["column_name"]: column for column in mine.get("columns", [])}
    right = {column["column_name"]: column for column in theirs.get("columns", [])}
    return [
        (f"column {name}", _described_column(left.get(name)), _described_column(right.get(name)))
        for name in sorted(left.keys() | right.keys())
        if _described_column(left.get(name)) != _described_column(right.get(name))
    ]


def _described_column(column: Asset | None) -> tuple[Any, ...] | None:
    if column is None:
        return None
    return tuple(column.get(key) for key in ("verbose_name", "type", "is_dttm", "expression", "description"))


def main() -> None:
    """Rewrite the dataset files."""
    changed = bundle.write(synchronised(bundle.read()))
    print("\n".join(changed) or "nothing to change")


if __name__ == "__main__":
    main()
