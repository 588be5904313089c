"""One warehouse for the whole room: dbt takes seconds to start, so the tests share what one build made."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import psycopg
import pytest

from ioc.secrets import Secrets

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ioc.settings import Settings
    from ioc.stack.postgres import EmbeddedPostgres


@pytest.fixture(scope="module")
def air(cluster: EmbeddedPostgres) -> Iterator[Settings]:
    """Settings of a fresh, migrated warehouse, shared by the tests of one module."""
    database = f"air_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(cluster.admin_url(), autocommit=True) as connection:
        connection.execute(f"create database {database} template ioc_template owner ioc_owner")
    password = Secrets.of(cluster.settings).get("postgres_owner")
    url = f"postgresql://ioc_owner:{password}@127.0.0.1:{cluster.settings.port_postgres}/{database}"
    yield cluster.settings.model_copy(update={"warehouse_url": url})
    with psycopg.connect(cluster.admin_url(), autocommit=True) as connection:
        connection.execute(f"drop database {database} with (force)")


@pytest.fixture(scope="session")
def dbt_target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A target folder outside the project for dbt called by hand."""
    return tmp_path_factory.mktemp("dbt-target")
