"""Every live domain stands in every room: a piece that is missing has a name here, and a planted gap is found."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from ioc.domains import all_domains
from ioc.settings import PROJECT_ROOT

if TYPE_CHECKING:
    from pathlib import Path

LIVE = [domain.name for domain in all_domains() if domain.status == "live"]
LAYERS = ("staging", "intermediate", "marts", "serving", "alerting")
# Measured by the benchmarks of the way itself (ingest, transform, latency), which use its stations.
WITHOUT_BENCH = {"air_quality"}
# The corridor's first domain is described in the rooms' own pages.
WITHOUT_README = {"air_quality"}


def gaps(name: str, root: Path) -> list[str]:
    """What domain ``name`` lacks below ``root``."""
    needed = [
        f"extractors/{name}/domain.toml",
        f"sandbox/{name}/play.py",
        f"sandbox/{name}/source.toml",
        f"sandbox/{name}/README.md",
        f"expectations/{name}/suite.toml",
        *(f"dbt_project/models/{layer}/{name}" for layer in LAYERS),
        f"dbt_project/models/alerting/{name}/alert_signal_{name}.sql",
        f"alerts/rules/{name}.yaml",
        f"superset_assets/assets/dashboards/{name}.yaml",
        f"portal/domains/{name}/__init__.py",
        f"dags/{name}.py",
        *([f"bench/{name}.py"] if name not in WITHOUT_BENCH else []),
        *([f"extractors/{name}/README.md"] if name not in WITHOUT_README else []),
    ]
    missing = [path for path in needed if not (root / path).exists()]
    if not list((root / f"dbt_project/seeds/{name}").glob("_seeds*.yml")):
        missing.append(f"dbt_project/seeds/{name}/_seeds.yml")
    rules = _yaml(root / f"alerts/rules/{name}.yaml") or []
    missing += [
        f"alerts/rules/tests/{rule['code']}.yaml"
        for rule in rules
        if not (root / f"alerts/rules/tests/{rule['code']}.yaml").exists()
    ]
    if f"{name}.quarantined_batches" not in {rule["code"] for rule in rules}:
        missing.append(f"rule {name}.quarantined_batches")
    templates = {path.stem for path in (root / "alerts/procedures/templates").glob("*.yaml")}
    missing += [
        f"procedure {rule['sop_template_code']}"
        for rule in rules
        if rule["sop_template_code"] and rule["sop_template_code"] not in templates
    ]
    dashboard = _yaml(root / f"superset_assets/assets/dashboards/{name}.yaml") or {}
    if dashboard.get("slug") != name:
        missing.append(f"dashboard with slug {name}")
    properties = [_yaml(path) for path in (root / f"dbt_project/models/serving/{name}").glob("_*.yml")]
    if not any(part.get("exposures") for part in properties):
        missing.append(f"exposures of {name}")
    if not any(f"{name}" in path.name for path in (root / "tests/integration/domains").glob("test_*.py")):
        missing += [] if name == "air_quality" else [f"tests/integration/domains/test_{name}.py"]
    models = root / "dbt_project/models"
    if not any("record_newest_data" in path.read_text() for path in models.glob(f"*/{name}/*.sql")):
        missing.append(f"record_newest_data in a model of {name}")
    return missing


def _yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else None


@pytest.mark.parametrize("name", LIVE)
def test_a_live_domain_has_its_place_in_every_room(name: str) -> None:
    assert gaps(name, PROJECT_ROOT) == []


@pytest.mark.parametrize("name", LIVE)
def test_every_serving_table_of_a_domain_can_be_narrowed_to_a_unit(name: str) -> None:
    """Officers see a dashboard through a filter on ``unit_code``; a dataset without it would break every chart."""
    folder = PROJECT_ROOT / "superset_assets/assets/datasets" / name
    for path in sorted(folder.glob("*.yaml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        used = any(
            content["uuid"] in chart.read_text(encoding="utf-8")
            for chart in (PROJECT_ROOT / "superset_assets/assets/charts" / name).glob("*.yaml")
        )
        assert not used or "unit_code" in {column["column_name"] for column in content["columns"]}, path.name


@pytest.mark.parametrize(
    "piece",
    [
        "dags/documents.py", "expectations/documents/suite.toml", "portal/domains/documents/__init__.py",
        "superset_assets/assets/dashboards/documents.yaml", "alerts/rules/tests/documents.overdue_count.yaml",
        "alerts/procedures/templates/van-ban-qua-han.yaml", "bench/documents.py", "extractors/documents/README.md",
    ],
)  # fmt: skip
def test_a_missing_piece_is_found(piece: str, tmp_path: Path) -> None:
    for part in (
        "extractors/documents", "sandbox/documents", "expectations/documents", "dbt_project/seeds/documents",
        *(f"dbt_project/models/{layer}/documents" for layer in LAYERS), "alerts/rules", "alerts/procedures/templates",
        "superset_assets/assets/dashboards", "portal/domains/documents", "tests/integration/domains",
    ):  # fmt: skip
        shutil.copytree(PROJECT_ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("dags/documents.py", "bench/documents.py"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(PROJECT_ROOT / file, tmp_path / file)
    assert gaps("documents", tmp_path) == []
    (tmp_path / piece).unlink()
    assert gaps("documents", tmp_path) != []
