"""A backup holds what happened, who was told and who did what; restored, it is whole and as unchangeable as before."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psycopg
import pytest

from ioc.warehouse import backup

if TYPE_CHECKING:
    from pathlib import Path

    from ioc.stack.postgres import EmbeddedPostgres
    from tests.integration.alerts.conftest import Desk


def test_a_restored_backup_has_alerts_messages_procedures_and_an_unbroken_chain(
    desk: Desk, cluster: EmbeddedPostgres, tmp_path: Path
) -> None:
    desk.signal({0: 60, 1: 250})
    desk.tick(1.1)
    database = urlsplit(str(desk.settings.warehouse_url)).path.lstrip("/")
    admin = desk.settings.model_copy(update={"warehouse_url": cluster.admin_url(database)})
    file = backup.write(admin, tmp_path / "alerts.dump")
    copy = f"{database}_restored"
    try:
        counts = backup.restore(admin, file, copy)
        for table in ("alert.incident", "notify.outbox", "notify.inbox", "sop.template", "audit.event"):
            assert counts[table] == desk.one(f"select count(*) from {table}") > 0, table
        with psycopg.connect(cluster.admin_url(copy)) as connection:
            assert connection.execute("select audit.first_broken_event()").fetchone() == (None,)
            with pytest.raises(psycopg.errors.RestrictViolation):
                connection.execute("update audit.event set actor = 'x'")
    finally:
        with psycopg.connect(cluster.admin_url(), autocommit=True) as connection:
            connection.execute(f"drop database if exists {copy} with (force)")  # type: ignore[arg-type]
