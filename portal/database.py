"""The portal's connections: a small pool as role ``ioc_portal``, and queries that return dictionaries."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool, PoolTimeout

from ioc import warehouse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ioc.settings import Settings

Row = dict[str, Any]


class Database:
    """What the pages ask the warehouse.

    The pool opens lazily and closes idle connections, so that the portal starts, and tells what is wrong, even while
    the warehouse is down.
    """

    def __init__(self, settings: Settings) -> None:
        self._pool = ConnectionPool(
            warehouse.url("portal", settings),
            min_size=0,
            max_size=8,
            timeout=5,
            max_idle=120,
            open=False,
            check=ConnectionPool.check_connection,
            kwargs={
                "row_factory": dict_row,
                "connect_timeout": 5,
                "application_name": "ioc-portal",
                "options": "-c timezone=Asia/Ho_Chi_Minh -c statement_timeout=15s",
            },
        )

    def open(self) -> None:
        self._pool.open()

    def close(self) -> None:
        self._pool.close()

    @contextmanager
    def transaction(self) -> Iterator[psycopg.Connection[Row]]:
        """A connection that commits on success and rolls back on an exception.

        Raises:
            warehouse.WarehouseUnreachable: no connection within five seconds.
        """
        try:
            with self._pool.connection() as connection:
                yield connection  # type: ignore[misc]
        except (PoolTimeout, psycopg.OperationalError) as error:
            raise warehouse.WarehouseUnreachable(f"the portal cannot reach the warehouse: {error}") from error

    def rows(self, query: LiteralString, parameters: Mapping[str, object] | None = None) -> list[Row]:
        """Every row of ``query``."""
        with self.transaction() as connection:
            return connection.execute(query, parameters).fetchall()

    def row(self, query: LiteralString, parameters: Mapping[str, object] | None = None) -> Row | None:
        """The first row of ``query``, or None."""
        with self.transaction() as connection:
            return connection.execute(query, parameters).fetchone()

    def rows_if_built(self, query: LiteralString, parameters: Mapping[str, object] | None = None) -> list[Row] | None:
        """Every row of ``query``, or None while the first transform has not yet made its table.

        A fresh installation has no ``serving`` tables; the page then says what to do instead of failing.
        """
        try:
            return self.rows(query, parameters)
        except psycopg.errors.UndefinedTable:
            return None
