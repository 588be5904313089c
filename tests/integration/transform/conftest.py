"""One warehouse for the whole room: dbt takes seconds to start, so the tests share what one build made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fixtures.warehouses import warehouse_of_its_own

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ioc.settings import Settings
    from ioc.stack.postgres import EmbeddedPostgres


@pytest.fixture(scope="module")
def air(cluster: EmbeddedPostgres) -> Iterator[Settings]:
    """Settings of a fresh, migrated warehouse, shared by the tests of one module."""
    with warehouse_of_its_own(cluster) as settings:
        yield settings


@pytest.fixture(scope="session")
def dbt_target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A target folder outside the project for dbt called by hand."""
    return tmp_path_factory.mktemp("dbt-target")
