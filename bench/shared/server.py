"""A warehouse of its own for a benchmark: embedded PostgreSQL in a temporary folder, migrated."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from alerts import seed
from ioc import warehouse
from ioc.settings import Settings
from ioc.stack import programs
from ioc.stack.postgres import EmbeddedPostgres

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def running(*, seeded: bool = False) -> Iterator[Settings]:
    """Settings of a running, migrated warehouse gone afterwards; ``seeded``: with units, calendars and rules."""
    with tempfile.TemporaryDirectory(prefix="ioc-bench-") as folder:
        wanted = Settings(home=Path(folder), port_base=40000, warehouse_url=None)
        settings = wanted.model_copy(update={"port_base": programs.free_port_base(wanted)})
        server = EmbeddedPostgres(settings)
        server.start_detached()
        try:
            server.prepare()
            warehouse.migrate(settings)
            if seeded:
                seed.seed(settings)
            yield settings
        finally:
            server.stop()
