"""A real Superset beside the session's PostgreSQL, with a filled schema ``serving`` and the assets pushed."""

from __future__ import annotations

import json
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import requests

from ioc import embed, warehouse
from ioc.stack import environment
from superset_assets import bundle, phone, process, sync

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ioc.settings import Settings
    from ioc.stack.postgres import EmbeddedPostgres
    from superset_assets.sync import PushReport

_WAREHOUSE = "warehouse_superset"


@dataclass(frozen=True)
class Superset:
    """The running server, what was pushed into it, and how to ask it for data as a guest."""

    settings: Settings
    pushed: PushReport
    chart_ids: dict[str, int]
    dataset_ids: dict[str, int]
    assets: bundle.Assets

    @property
    def url(self) -> str:
        return self.settings.superset_url()

    def table_of(self, chart: str) -> str:
        """The table, or the virtual dataset, that a chart reads."""
        wanted = self.assets[chart]["dataset_uuid"]
        return str(next(a["table_name"] for a in self.assets.values() if a["uuid"] == wanted))

    def ask(
        self, chart: str, token: str, dashboard: int, session: requests.Session | None = None, **changes: Any
    ) -> requests.Response:
        """Ask for a chart's data the way the embedded page does."""
        content = self.assets[chart]
        body = json.loads(content["query_context"])
        dataset = self.dataset_ids[self.table_of(chart)]
        body["datasource"] = {"id": dataset, "type": "table"}
        body["form_data"] = {"slice_id": self.chart_ids[content["uuid"]], "dashboardId": dashboard}
        body["force"] = True
        for key, value in changes.items():
            if key == "queries":
                body["queries"][0] |= value
            else:
                body[key] = value
        return (session or requests).post(
            f"{self.url}/api/v1/chart/data", json=body, headers={"X-GuestToken": token}, timeout=60
        )


@pytest.fixture(scope="session")
def superset(cluster: EmbeddedPostgres) -> Iterator[Superset]:
    settings = cluster.settings
    owner = warehouse.url("owner", settings, database=_WAREHOUSE)
    settings = settings.model_copy(update={"warehouse_url": owner})
    with psycopg.connect(cluster.admin_url(), autocommit=True) as connection:
        connection.execute(f"create database {_WAREHOUSE} template ioc_template owner ioc_owner strategy file_copy")
    warehouse.ensure_database(cluster.admin_url(), "superset")
    with psycopg.connect(owner, autocommit=True) as connection:
        here = Path(__file__).parent
        # A domain brings its serving tables in a file of its own.
        for sample in (here / "serving.sql", *sorted(here.glob("serving/*.sql"))):
            # Whoever owns a table decides who may read it: in the warehouse that is dbt's role.
            connection.execute("set role ioc_transformer")
            connection.execute(sample.read_text(encoding="utf-8"))
    log_path = settings.home / "superset.log"
    with log_path.open("wb") as log:
        subprocess.run(
            process.bootstrap_command(), env=environment.superset(settings, with_passwords=True), cwd=settings.home,
            stdout=log, stderr=log, check=True, timeout=300,
        )  # fmt: skip
        server = subprocess.Popen(
            process.web_command(settings), env=environment.superset(settings), cwd=settings.home, stdout=log,
            stderr=log, start_new_session=True,
        )  # fmt: skip
        try:
            _wait(settings.superset_url(), server, log_path)
            pushed = sync.push(settings)
            client = sync.client_of(settings)
            assets = bundle.read()
            assets |= phone.versions(assets)
            yield Superset(settings, pushed, client.chart_ids(), client.dataset_ids(), assets)
        finally:
            os.killpg(server.pid, 9)
            server.wait(30)
            with psycopg.connect(cluster.admin_url(), autocommit=True) as connection:
                for database in (_WAREHOUSE, "superset"):
                    connection.execute(f"drop database {database} with (force)")


def _wait(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if requests.get(f"{url}/health", timeout=5).ok:
                return
        except requests.RequestException:
            time.sleep(0.5)
    raise RuntimeError(f"Superset did not start: {log.read_text(errors='replace')[-2000:]}")


@pytest.fixture
def token(superset: Superset) -> str:
    """A guest's token for the air quality dashboard, without row filters."""
    return embed.guest_token("air_quality", "lanh.dao", settings=superset.settings).token
