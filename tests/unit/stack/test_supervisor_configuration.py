"""The supervisor's configuration: no secret in it, and right for any folder name."""

from __future__ import annotations

import shlex
from configparser import RawConfigParser
from typing import TYPE_CHECKING

import pytest

from ioc.secrets import Secrets
from ioc.settings import Settings
from ioc.stack import programs
from ioc.stack.supervisor import Supervisor

if TYPE_CHECKING:
    from pathlib import Path


def _configure(settings: Settings) -> RawConfigParser:
    supervisor = Supervisor(settings)
    supervisor.configure(programs.of(settings))
    config = RawConfigParser()
    config.read(supervisor.configuration)
    return config


def test_every_program_restarts_and_rotates_its_log(tmp_path: Path) -> None:
    config = _configure(Settings(home=tmp_path, warehouse_url=None))
    found = {name.removeprefix("program:") for name in config.sections() if name.startswith("program:")}
    assert found == {program.name for program in programs.PROGRAMS}
    for name in found:
        section = config[f"program:{name}"]
        assert section["autorestart"] == "true"
        assert section["stdout_logfile"] == str(tmp_path / "logs" / f"{name}.log")
        assert int(section["stdout_logfile_backups"]) > 0
        assert shlex.split(section["command"])[-1] == name


def test_no_secret_is_written_down(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, warehouse_url=None)
    known = [Secrets.of(settings).get(name) for name in ("postgres_superuser", "airflow_jwt", "superset_secret_key")]
    _configure(settings)
    text = Supervisor(settings).configuration.read_text()
    assert not [secret for secret in known if secret in text]


def test_a_folder_name_with_percent_and_space_is_taken_literally(tmp_path: Path) -> None:
    home = tmp_path / "100% đất"
    config = _configure(Settings(home=home, warehouse_url=None))
    # supervisord expands %(name)s, so a percent sign must be doubled.
    assert config["supervisord"]["logfile"].replace("%%", "%") == str(home / "logs" / "supervisord.log")
    assert "%%" in config["supervisord"]["logfile"]


def test_a_deep_folder_gets_a_short_private_socket(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / ("x" * 120), warehouse_url=None)
    _configure(settings)
    socket = Supervisor(settings).socket
    assert len(str(socket)) < 90
    assert socket.parent.stat().st_mode & 0o777 == 0o700


def test_an_own_warehouse_needs_no_embedded_database(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, warehouse_url="postgresql://o@db.example/w", with_sandbox=False)
    assert {"postgres", "sandbox"} & {program.name for program in programs.of(settings)} == set()


def test_an_unknown_program_is_refused_with_the_known_names(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no program 'postgre'; known: .*postgres"):
        programs.of(Settings(home=tmp_path), ("postgre",))
