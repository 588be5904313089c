"""Superset refuses to start with secrets that somebody else may know."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from superset_assets import process

if TYPE_CHECKING:
    from ioc.settings import Settings


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("IOC_SUPERSET_GUEST_JWT", "test-guest-secret-change-me", "must be a random value"),
        ("IOC_SUPERSET_GUEST_JWT", "", "IOC_SUPERSET_GUEST_JWT is not set"),
        ("IOC_PORTAL_ORIGIN", "portal.example", "IOC_PORTAL_ORIGIN has 'portal.example'"),
    ],
)
def test_superset_does_not_start_with(settings: Settings, variable: str, value: str, sentence: str) -> None:
    environment = process.environment(settings) | {variable: value, "PATH": "/usr/bin:/bin"}
    python = str(process.ENVIRONMENT / "bin" / "python")
    run = subprocess.run(
        [python, str(process.ROOM / "superset_config.py")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 1
    assert sentence in run.stderr
