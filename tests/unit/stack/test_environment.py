"""Every process of a stack gets its environment from one module; two stacks share nothing."""

from __future__ import annotations

import base64
from pathlib import Path
from urllib.parse import unquote

import pytest

from ioc.secrets import Secrets
from ioc.settings import Settings
from ioc.stack import environment


@pytest.fixture
def one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in ("IOC_SOURCE_AIR_QUALITY", "IOC_WAREHOUSE_URL", "IOC_PUBLIC_URL", "IOC_AIRFLOW_PUBLIC_URL"):
        monkeypatch.delenv(name, raising=False)
    return Settings(home=tmp_path / "one", port_base=21000, warehouse_url=None)


def _sandbox(tmp_path: Path, text: str) -> Path:
    folder = tmp_path / "sandbox" / "air_quality"
    folder.mkdir(parents=True)
    (folder / "source.toml").write_text(text)
    return folder.parent


def test_sources_of_the_sandbox_are_filled_in(one: Settings, tmp_path: Path) -> None:
    sandbox = _sandbox(
        tmp_path, 'uris = ["sftp://u:{secret:sandbox_sftp}@127.0.0.1:{port_sftp}/a", "file://{home}/b#m"]'
    )
    password = Secrets.of(one).get("sandbox_sftp")
    assert environment.sources(one, sandbox) == {
        "IOC_SOURCE_AIR_QUALITY": f"sftp://u:{password}@127.0.0.1:21022/a file://{one.home}/b#m"
    }


def test_a_folder_with_a_space_stays_one_source(one: Settings, tmp_path: Path) -> None:
    sandbox = _sandbox(tmp_path, 'uris = ["file://{home}/b"]')
    spaced = one.model_copy(update={"home": Path("/srv/trung tâm")})
    (source,) = environment.sources(spaced, sandbox)["IOC_SOURCE_AIR_QUALITY"].split()
    assert unquote(source) == "file:///srv/trung tâm/b"


def test_a_configured_source_wins_over_the_sandbox(
    one: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = _sandbox(tmp_path, 'uris = ["file:///sandbox"]')
    monkeypatch.setenv("IOC_SOURCE_AIR_QUALITY", "sftp://real.example/air")
    assert environment.sources(one, sandbox) == {"IOC_SOURCE_AIR_QUALITY": "sftp://real.example/air"}


def test_without_sandbox_no_source_is_invented(one: Settings, tmp_path: Path) -> None:
    sandbox = _sandbox(tmp_path, 'uris = ["file:///sandbox"]')
    assert environment.sources(one.model_copy(update={"with_sandbox": False}), sandbox) == {}


@pytest.mark.parametrize("text", ['uris = ["file://{nobody}/x"]', "url = 1", "uris = ["])
def test_a_source_file_that_cannot_be_used_is_named(one: Settings, tmp_path: Path, text: str) -> None:
    sandbox = _sandbox(tmp_path, text)
    with pytest.raises(ValueError, match=r"air_quality/source\.toml"):
        environment.sources(one, sandbox)


def test_a_child_reads_back_exactly_these_settings(one: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    given = one.model_copy(update={"with_sandbox": False, "public_url": "https://ioc.example"})
    for name, value in environment.of_settings(given).items():
        monkeypatch.setenv(name, value)
    assert Settings() == given


def test_settings_of_another_airflow_do_not_leak_in(one: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "KubernetesExecutor")
    monkeypatch.setenv("AIRFLOW_HOME", "/elsewhere")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    given = environment.airflow(one)
    assert given["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"
    assert given["AIRFLOW_HOME"] == str(one.home / "airflow")
    assert "/elsewhere" not in given.values()


def test_airflow_follows_the_stack(one: Settings) -> None:
    given = environment.airflow(one)
    assert given["AIRFLOW__API__PORT"] == "21080"
    assert given["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:21080/execution/"
    assert "@127.0.0.1:21032/airflow" in given["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
    assert len(base64.urlsafe_b64decode(given["AIRFLOW__CORE__FERNET_KEY"])) == 32


def test_the_execution_api_is_below_the_public_path(one: Settings) -> None:
    behind_proxy = one.model_copy(update={"airflow_public_url": "https://ioc.example/airflow"})
    given = environment.airflow(behind_proxy)
    assert given["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:21080/airflow/execution/"


def test_two_stacks_share_no_port_folder_password_or_cookie(one: Settings, tmp_path: Path) -> None:
    two = Settings(home=tmp_path / "two", port_base=21100, warehouse_url=None)
    for compute in (environment.airflow, environment.superset):
        mine, other = compute(one), compute(two)
        own = {name for name in mine if {"PASSWORD", "SECRET", "COOKIE", "PORT"} & set(name.split("_"))}
        own |= {"IOC_HOME", environment.MARKER, "IOC_SOURCE_AIR_QUALITY"}
        assert len(own) >= 6
        assert not {name for name in own if mine[name] == other[name]}


def test_a_changed_setting_changes_the_fingerprint(one: Settings) -> None:
    before = environment.fingerprint(environment.platform(one))
    assert before == environment.fingerprint(environment.platform(one))
    changed = one.model_copy(update={"mail_from": "khac@ioc.example"})
    assert before != environment.fingerprint(environment.platform(changed))
