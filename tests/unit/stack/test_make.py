"""``make`` bootstraps itself, or says in one sentence what is missing; in CI a skipped test fails the run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from ioc.settings import PROJECT_ROOT

if TYPE_CHECKING:
    from pathlib import Path


def _make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    shutil.copy(PROJECT_ROOT / "Makefile", folder)
    return subprocess.run(["make", "-C", str(folder), *arguments], capture_output=True, text=True, check=False)


def _python(folder: Path, script: str) -> str:
    fake = folder / "python-of-this-machine"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    return f"PYTHON={fake}"


def test_help_is_the_default_and_lists_the_commands(tmp_path: Path) -> None:
    said = _make(tmp_path).stdout
    for target in ("help", "demo", "stop", "test", "lint", "bench", "clean"):
        assert f"make {target} " in said


def test_a_missing_python_is_one_sentence(tmp_path: Path) -> None:
    done = _make(tmp_path, "install", "PYTHON=/nowhere/python3")
    assert done.returncode
    assert "error: no '/nowhere/python3' on this machine" in done.stderr


def test_an_old_python_is_one_sentence(tmp_path: Path) -> None:
    python = _python(tmp_path, 'case "$1" in -V) echo Python 3.9.2;; *) exit 1;; esac')
    done = _make(tmp_path, "install", python)
    assert "error: Python 3.11 or newer is needed" in done.stderr
    assert "Python 3.9.2" in done.stderr


def test_a_python_without_venv_names_the_package(tmp_path: Path) -> None:
    python = _python(tmp_path, 'case "$2" in *version_info*) exit 0;; *) exit 1;; esac')
    done = _make(tmp_path, "install", python)
    assert "python3-venv" in done.stderr
    assert not (tmp_path / ".uv").exists()


@pytest.mark.parametrize(("ci", "code"), [("1", 1), ("", 0)])
def test_a_skipped_test_fails_the_run_in_ci_only(tmp_path: Path, ci: str, code: int) -> None:
    (tmp_path / "test_one.py").write_text(
        "import pytest\n\ndef test_a(): pass\n\n@pytest.mark.skip(reason='no browser')\ndef test_b(): pass\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "conftest", "-c", os.devnull, "--rootdir", str(tmp_path), str(tmp_path)],
        env=os.environ | {"CI": ci, "PYTHONPATH": f"{PROJECT_ROOT / 'tests'}{os.pathsep}{PROJECT_ROOT}"},
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert "1 passed, 1 skipped" in done.stdout
    assert done.returncode == code, done.stdout
