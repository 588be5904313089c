"""The warehouse holds its layering by grants, and its ledger cannot lose a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from ioc import warehouse

if TYPE_CHECKING:
    from ioc.settings import Settings


def test_migrating_twice_changes_nothing(settings: Settings) -> None:
    assert warehouse.migrate(settings) == []


def test_superset_role_sees_serving_and_nothing_else(settings: Settings) -> None:
    with warehouse.connect("transformer", settings) as connection:
        connection.execute("create table serving.rpt_probe as select 1 as value")
        connection.execute("create table marts.fct_probe as select 1 as value")
    with warehouse.connect("bi_reader", settings) as connection:
        assert connection.execute("select value from serving.rpt_probe").fetchone() == (1,)
    refused = ("select * from marts.fct_probe", "select * from ops.rejected_row", "create table serving.x (a int)")
    for query in refused:
        with (
            pytest.raises(psycopg.errors.InsufficientPrivilege),
            warehouse.connect("bi_reader", settings) as connection,
        ):
            connection.execute(query)


def test_a_batch_that_does_not_add_up_is_refused(settings: Settings) -> None:
    with pytest.raises(psycopg.errors.CheckViolation), warehouse.connect("loader", settings) as connection:
        connection.execute("insert into ops.load_batch (domain, read_count, loaded_count) values ('air_quality', 3, 2)")
