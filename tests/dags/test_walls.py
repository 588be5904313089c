"""The walls between the rooms hold, and the linter that holds them notices a breach."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ioc.settings import PROJECT_ROOT

ROOMS = ("ioc", "extractors", "expectations", "alerts", "portal", "superset_assets", "sandbox")

# File → (import planted in it, the contract that must break).
BREACHES = {
    "extractors/core/errors.py": ("import airflow", "Only dags/ imports Airflow"),
    "ioc/domains.py": ("import extractors.core.errors", "ioc knows no room"),
    "expectations/suite.py": ("import extractors.core.errors", "extractors, expectations and alerts know only ioc"),
    "extractors/core/registry.py": (
        "import alerts.judging.engine",
        "extractors, expectations and alerts know only ioc",
    ),
    "portal/web.py": ("import extractors.core.errors", "the portal knows alerts and ioc"),
    "alerts/judging/engine.py": ("import portal.web", "nobody knows the portal"),
}


def _lint(root: Path) -> tuple[int, str]:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rooms' Python files and the contracts, free to be damaged."""
    root = tmp_path_factory.mktemp("walls")
    for room in ROOMS:
        for path in (PROJECT_ROOT / room).rglob("*.py"):
            relative = path.relative_to(PROJECT_ROOT)
            if relative.parts[:2] != ("superset_assets", "env"):
                (root / relative).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, root / relative)
    shutil.copyfile(PROJECT_ROOT / ".importlinter", root / ".importlinter")
    return root


def test_the_walls_hold(copy: Path) -> None:
    status, said = _lint(copy)
    assert status == 0, said
    assert "5 kept, 0 broken" in said


@pytest.mark.parametrize("file", BREACHES)
def test_a_breach_is_noticed(copy: Path, file: str) -> None:
    planted, contract = BREACHES[file]
    path = copy / file
    original = path.read_text()
    path.write_text(f"{original}\n{planted}\n")
    try:
        status, said = _lint(copy)
    finally:
        path.write_text(original)
    assert status == 1
    assert f"{contract} BROKEN" in said
    assert file.removesuffix(".py").replace("/", ".") in said


def test_no_dag_is_imported_by_a_room(copy: Path) -> None:
    text = {path: path.read_text() for path in copy.rglob("*.py")}
    assert len(text) > 50
    assert not [path for path, content in text.items() if "import ioc_dags" in content or "from ioc_dags" in content]
