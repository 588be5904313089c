"""Shared fixtures: one embedded PostgreSQL per test session, one migrated database per test that asks for it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import psycopg
import pytest
from playwright.sync_api import sync_playwright
from xdist.scheduler import LoadScopeScheduling

from alerts import seed
from ioc import warehouse
from ioc.settings import Settings, get_settings
from ioc.stack import programs
from ioc.stack.doctor import browser as find_browser
from ioc.stack.postgres import EmbeddedPostgres
from tests.fixtures.warehouses import MIGRATED, SEEDED, pointing_at, warehouse_of_its_own

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser


# Folders whose tests share something big that is started once; they also take longest and therefore begin first.
_TOGETHER = ("tests/e2e", "tests/integration/superset", "tests/dags", "tests/integration/transform")


class _Share(LoadScopeScheduling):
    """What one worker gets as a piece: such a folder, or else a file."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return next((folder for folder in _TOGETHER if file.startswith(f"{folder}/")), file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return _Share(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("PYTEST_XDIST_WORKER"):
        items.sort(key=lambda item: not item.nodeid.startswith(_TOGETHER))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a skipped test is a failed run: what a test needs and does not find there is a fault of the machine."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter and reporter.stats.get("skipped") and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter.write_line("skipped tests count as failed in CI", red=True)


@pytest.fixture(autouse=True)
def _environment_as_found() -> Iterator[None]:
    """A command that runs in this process puts its settings into the environment: they end with its test."""
    with mock.patch.dict(os.environ):
        yield


@pytest.fixture(scope="session")
def cluster() -> Iterator[EmbeddedPostgres]:
    """A running embedded PostgreSQL with roles, and a migrated template database."""
    with tempfile.TemporaryDirectory(prefix="ioc-test-") as folder:
        # Sessions beside each other begin their search at different places, below the ports that connections take.
        wanted = Settings(home=Path(folder), port_base=20000 + os.getpid() % 120 * 100, warehouse_url=None)
        settings = wanted.model_copy(update={"port_base": programs.free_port_base(wanted)})
        server = EmbeddedPostgres(settings)
        server.initialise()
        with (server.data / "postgresql.auto.conf").open("a") as file:
            # Nobody pulls the plug of a test's database: what is killed are its clients.
            file.write("fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n")
        server.start_detached()
        try:
            warehouse.ensure_roles(server.admin_url(), settings)
            warehouse.ensure_database(server.admin_url(), MIGRATED)
            warehouse.migrate(pointing_at(server, MIGRATED))
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def seeded_template(cluster: EmbeddedPostgres) -> str:
    """A template with the first load of rules, units, contacts and procedures in it, made once."""
    with psycopg.connect(cluster.admin_url(), autocommit=True) as connection:
        connection.execute(f"create database {SEEDED} template {MIGRATED} owner ioc_owner strategy file_copy")
    seed.seed(pointing_at(cluster, SEEDED))
    return SEEDED


@pytest.fixture
def settings(
    cluster: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Settings]:
    """Settings of a fresh warehouse of its own, also in force in the environment of this test.

    It is migrated; for a test that takes a ``desk`` it holds the first load besides.
    """
    template = request.getfixturevalue("seeded_template") if "desk" in request.fixturenames else MIGRATED
    with warehouse_of_its_own(cluster, template) as pointed:
        monkeypatch.setenv("IOC_HOME", str(pointed.home))
        monkeypatch.setenv("IOC_PORT_BASE", str(pointed.port_base))
        monkeypatch.setenv("IOC_WAREHOUSE_URL", str(pointed.warehouse_url))
        get_settings.cache_clear()
        yield get_settings()
        get_settings.cache_clear()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium of this machine. One per module: Playwright's event loop must not outlive the tests that use it."""
    executable = find_browser()
    assert executable, "no Chromium on this machine: apt install chromium"
    # Chromium's own sandbox refuses to work as root, containers have little /dev/shm, maps need WebGL.
    arguments = ["--disable-dev-shm-usage", "--disable-background-networking", "--no-first-run"]
    arguments += ["--enable-unsafe-swiftshader", "--use-angle=swiftshader"]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=arguments)
        yield chromium
        chromium.close()
