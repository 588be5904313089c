"""The contract of the command line: exit codes, one clear sentence, one JSON object as the last line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from ioc import cli, console
from ioc.settings import get_settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IOC_HOME", str(tmp_path))
    monkeypatch.setenv("IOC_PORT_BASE", "61000")
    monkeypatch.delenv("IOC_WAREHOUSE_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    get_settings.cache_clear()


def _run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(list(arguments))
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.mark.parametrize(
    "arguments",
    [
        ["load"],
        ["load", "no_such_domain"],
        ["load", "air_quality", "--nonsense"],
        ["load", "air_quality", "--since", "yesterday"],
        ["no-such-command"],
        ["warehouse"],
        ["warehouse", "url", "--role", "god"],
        ["up", "--only", "nothing"],
    ],
)
def test_wrong_usage_is_64_and_changes_nothing(arguments: list[str], tmp_path: Path) -> None:
    assert _run(*arguments) == 64
    assert not list(tmp_path.iterdir())


def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("IOC_PORT_BASE", "80")
    assert _run("status") == 64
    assert "IOC_PORT_BASE" in capsys.readouterr().err


def test_an_unreachable_warehouse_is_3_and_json_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("warehouse", "migrate", "--json") == 3
    said = capsys.readouterr()
    answer = json.loads(said.out.splitlines()[-1])
    assert answer["exit_code"] == 3
    assert "ioc up" in answer["error"]
    assert "Traceback" not in said.err


def test_an_unexpected_error_leaves_its_traceback_in_a_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ioc.stack.lifecycle.down", lambda *_: 1 / 0)
    assert _run("down") == 1
    said = capsys.readouterr().err
    assert "ZeroDivisionError" in said
    assert "Traceback" not in said
    assert "Traceback" in (tmp_path / "logs" / "ioc.log").read_text()


def test_the_url_hides_its_password_unless_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("warehouse", "url", "--role", "portal") == 0
    assert capsys.readouterr().out == "postgresql://ioc_portal@127.0.0.1:61032/warehouse\n"
    assert _run("warehouse", "url", "--role", "portal", "--with-password") == 0
    assert "ioc_portal:" in capsys.readouterr().out


def test_status_of_nothing_is_3_with_every_service_stopped(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("status", "--json") == 3
    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert answer["healthy"] is False
    assert {row["state"] for row in answer["services"]} == {"stopped"}
    assert len(answer["services"]) == 9


def test_doctor_names_the_port_that_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    import socket

    with socket.socket() as other:
        other.bind(("127.0.0.1", 61088))
        other.listen()
        assert _run("doctor", "--json") == 1
    findings = json.loads(capsys.readouterr().out.splitlines()[-1])["findings"]
    taken = [finding for finding in findings if finding["verdict"] == "missing"]
    assert [finding["subject"] for finding in taken] == ["port 61088"]
    assert "IOC_PORT_BASE" in taken[0]["text"]


def test_a_progress_step_says_how_it_ended(capsys: pytest.CaptureFixture[str]) -> None:
    progress = console.Progress()
    with progress.step("good"):
        pass
    with pytest.raises(RuntimeError), progress.step("bad"):
        raise RuntimeError
    said = capsys.readouterr().err
    assert "✓ good" in said
    assert "✗ bad" in said
