"""``ioc new-domain``: a thirteenth domain works from source to serving without one edit to what was there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from ioc import warehouse
from ioc.commands.new_domain import lay_out
from ioc.settings import PROJECT_ROOT, Settings
from ioc.stack import environment

if TYPE_CHECKING:
    from pathlib import Path

_ROOMS = ("ioc", "extractors", "expectations", "dags", "dbt_project", "sandbox", "alerts", "portal")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the rooms, so that the real ones stay as they are."""
    for room in _ROOMS:
        shutil.copytree(
            PROJECT_ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__", "target", "logs")
        )
    return tmp_path


def _ioc(checkout: Path, settings: Settings, *arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "ioc.cli", *arguments, "--json"],
        env=os.environ | environment.of_settings(settings) | {"PYTHONPATH": str(checkout)}, cwd=checkout,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def test_from_nothing_to_serving(checkout: Path, settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> None:
    before = {path: path.read_bytes() for path in checkout.rglob("*") if path.is_file()}
    laid_out = _ioc(checkout, settings, "new-domain", "night_markets", "--title-vi", "Chợ đêm")
    assert {file.split("/")[0] for file in laid_out["files"]} == {
        "extractors", "expectations", "dags", "dbt_project", "sandbox",
    }  # fmt: skip
    changed = [path for path, content in before.items() if path.read_bytes() != content and path.suffix != ".pyc"]
    assert changed == []

    source = tmp_path_factory.mktemp("source")
    (source / "one.csv").write_text(
        "code,happened_at,value,note\nA1,2026-07-01T06:00,12.5,đông\nA1,2026-07-01T06:00,13,sửa\n"
        "A2,hôm qua,1,\n,2026-07-01,1,\n"
    )
    os.utime(source / "one.csv", (1_800_000_000 - 10**8, 1_800_000_000 - 10**8))
    loaded = _ioc(checkout, settings, "load", "night_markets", "--source", source.as_uri())
    assert (loaded["read"], loaded["loaded"], loaded["rejected"]) == (4, 2, 2)
    assert _ioc(checkout, settings, "load", "night_markets", "--source", source.as_uri())["read"] == 0

    report = _ioc(checkout, settings, "transform", "night_markets")
    assert report["failed"] == 0
    with warehouse.connect("bi_reader", settings) as connection:
        rows = connection.execute("select code, value, note from serving.rpt_night_markets_record").fetchall()
        (label,) = connection.execute(
            "select obj_description('serving.rpt_night_markets_record'::regclass)"
        ).fetchone() or ("",)
    assert [(code, float(value), note) for code, value, note in rows] == [("A1", 13.0, "sửa")]
    assert label.startswith("Chợ đêm")

    inventory = subprocess.run(
        [sys.executable, str(PROJECT_ROOT / "tests" / "dags" / "inventory.py"), str(checkout / "dags")],
        env=os.environ | {"PYTHONPATH": str(checkout)}, cwd=checkout, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = json.loads(inventory.stdout.splitlines()[-1])
    assert found["errors"] == {}
    assert found["dags"]["night_markets"]["file"] == "night_markets.py"


@pytest.mark.parametrize("name", ["Chợ", "night-markets", "1st", "class", "../up", "night__markets", ""])
def test_a_name_that_cannot_be_one_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot name a domain"):
        lay_out(tmp_path, name, "x", "x", "x")
    assert not list(tmp_path.iterdir())


def test_a_title_that_would_break_the_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no quotes"):
        lay_out(tmp_path, "night_markets", 'Chợ "đêm"', "Night markets", "SCT")
    assert not list(tmp_path.iterdir())


def test_a_domain_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    lay_out(tmp_path, "night_markets", "Chợ đêm", "Night markets", "SCT")
    source = tmp_path / "extractors" / "night_markets" / "source.py"
    source.write_text("mine")
    with pytest.raises(ValueError, match="already"):
        lay_out(tmp_path, "night_markets", "Chợ đêm", "Night markets", "SCT")
    assert source.read_text() == "mine"


def test_what_is_laid_out_passes_the_linter(tmp_path: Path) -> None:
    shutil.copy(PROJECT_ROOT / "pyproject.toml", tmp_path)
    lay_out(tmp_path, "night_markets", "Chợ đêm", "Night markets", "SCT")
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "."], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout
