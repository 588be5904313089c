"""``ioc warehouse`` on a machine that has nothing yet, and the way of a backup into a new database."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from ioc.stack.postgres import EmbeddedPostgres

if TYPE_CHECKING:
    from tests.integration.stack.conftest import Stack


def test_create_migrate_backup_restore(stack: Stack, tmp_path: Path) -> None:
    assert "error" in stack.ioc("warehouse", "migrate", expect=3)
    created = stack.ioc("warehouse", "create")
    assert set(created["databases"]) == {"warehouse", "airflow", "superset"}
    assert "0001" in stack.ioc("warehouse", "migrate")["applied"]
    assert stack.ioc("warehouse", "migrate")["applied"] == []

    server = EmbeddedPostgres(stack.settings)
    with psycopg.connect(server.admin_url("warehouse"), autocommit=True) as connection:
        connection.execute(
            "insert into ops.load_batch (domain, read_count, loaded_count) "
            "select 'air_quality', 1, 1 from generate_series(1, 1000)"
        )

    dump = tmp_path / "one.dump"
    assert stack.ioc("warehouse", "backup", str(dump))["file"] == str(dump)
    assert dump.stat().st_mode & 0o077 == 0, "a backup holds personal data: nobody else reads it"
    assert "overwrites nothing" in stack.ioc("warehouse", "backup", str(dump), expect=1)["error"]

    restored = stack.ioc("warehouse", "restore", str(dump), "--database", "again")
    with psycopg.connect(server.admin_url("again")) as connection:
        assert connection.execute("select count(*) from ops.load_batch").fetchone() == (1000,)
        owners = connection.execute("select distinct tableowner from pg_tables where schemaname = 'ops'").fetchall()
    assert owners == [("ioc_owner",)]
    noted = json.loads(Path(f"{dump}.json").read_text())["row_counts"]
    assert restored["rows"] == sum(noted.values()) >= 1000
    assert "exists" in stack.ioc("warehouse", "restore", str(dump), "--database", "again", expect=1)["error"]

    # A planted fault: a restore whose counts differ from those noted is not called a success.
    noted["ops.load_batch"] += 1
    Path(f"{dump}.json").write_text(json.dumps({"row_counts": noted}))
    answer = stack.ioc("warehouse", "restore", str(dump), "--database", "short", expect=1)
    assert "ops.load_batch" in answer["error"]
