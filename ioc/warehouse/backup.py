"""Backup of the warehouse into one file, and its restore into a new database, checked by row counts."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit
from zoneinfo import ZoneInfo

import psycopg
from psycopg import sql

from ioc import warehouse
from ioc.settings import TIME_ZONE, Settings
from ioc.stack.postgres import EmbeddedPostgres, binaries

if TYPE_CHECKING:
    from pathlib import Path


class BackupError(Exception):
    """The backup cannot be written, or restored as asked; the message says why."""

    exit_code = 1


def _admin_url(settings: Settings) -> str:
    if settings.warehouse_url:
        return settings.warehouse_url
    return EmbeddedPostgres(settings).admin_url("warehouse")


def _on(url: str, database: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


def _run(program: str, url: str, *arguments: str) -> None:
    # The password travels in the environment: command lines are visible to every user of the machine.
    parts = urlsplit(url)
    environment = {
        "PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8",
        "PGHOST": parts.hostname or "127.0.0.1", "PGPORT": str(parts.port or 5432), "PGUSER": parts.username or "",
        "PGPASSWORD": parts.password or "", "PGDATABASE": parts.path.lstrip("/"),
    }  # fmt: skip
    done = subprocess.run(
        [str(binaries() / program), *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BackupError(
            f"{program} failed: {done.stderr.strip().splitlines()[0] if done.stderr.strip() else 'no message'}"
        )


def row_counts(url: str, snapshot: str | None = None) -> dict[str, int]:
    """Rows of every table, ``schema.table`` → count, as of an exported ``snapshot`` when one is given."""
    with psycopg.connect(url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        if snapshot:
            connection.execute(sql.SQL("set transaction snapshot {}").format(sql.Literal(snapshot)))
        return _count(connection)


def _count(connection: psycopg.Connection) -> dict[str, int]:
    tables = connection.execute(
        "select schemaname, tablename from pg_tables "
        "where schemaname not in ('pg_catalog', 'information_schema') order by 1, 2"
    ).fetchall()
    counts = {}
    for schema, table in tables:
        row = connection.execute(
            sql.SQL("select count(*) from only {}").format(sql.Identifier(schema, table))
        ).fetchone()
        assert row is not None
        counts[f"{schema}.{table}"] = int(row[0])
    return counts


def write(settings: Settings, file: Path | None = None) -> Path:
    """Write a backup, and beside it ``<file>.json`` with the row count of every table at the same instant.

    Args:
        settings: Settings of the stack.
        file: Where to; default ``IOC_HOME/backups/warehouse-<moment>.dump``.

    Returns:
        The file written, readable by its owner only.

    Raises:
        BackupError: ``pg_dump`` failed, or the file exists.
        ioc.warehouse.WarehouseUnreachable: no server answers.
    """
    if file is None:
        moment = datetime.now(ZoneInfo(TIME_ZONE)).strftime("%Y%m%dT%H%M%S")
        file = settings.home / "backups" / f"warehouse-{moment}.dump"
    if file.exists():
        raise BackupError(f"{file} exists: a backup overwrites nothing")
    with warehouse.connect("owner", settings):
        pass
    file.parent.mkdir(parents=True, exist_ok=True)
    url = _admin_url(settings)
    with psycopg.connect(url) as connection:
        # The counts and the dump see one and the same snapshot, also while loads go on.
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        row = connection.execute("select pg_export_snapshot()").fetchone()
        assert row is not None
        counts = _count(connection)
        unfinished = file.with_name(file.name + ".part")
        os.close(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        _run("pg_dump", url, "--format=custom", "--compress=gzip:3", f"--snapshot={row[0]}", f"--file={unfinished}")
    notes = file.with_name(file.name + ".json")
    notes.write_text(json.dumps({"row_counts": counts}, indent=1))
    notes.chmod(0o600)
    unfinished.replace(file)
    return file


def restore(settings: Settings, file: Path, database: str) -> dict[str, int]:
    """Restore a backup into a database that does not exist yet.

    Returns:
        Rows of every table, equal to those noted when the backup was written.

    Raises:
        BackupError: the database exists, ``pg_restore`` failed, or a row count differs.
    """
    admin = _on(_admin_url(settings), "postgres")
    with psycopg.connect(admin, autocommit=True) as connection:
        if connection.execute("select 1 from pg_database where datname = %s", (database,)).fetchone():
            raise BackupError(f"the database '{database}' exists: give a new name, nothing is overwritten")
    warehouse.ensure_roles(admin, settings)
    warehouse.ensure_database(admin, database)
    target = _on(_admin_url(settings), database)
    _run("pg_restore", target, "--exit-on-error", "--jobs=2", f"--dbname={database}", str(file.resolve()))
    counts = row_counts(target)
    notes = file.with_name(file.name + ".json")
    if notes.exists():
        noted = json.loads(notes.read_text())["row_counts"]
        different = sorted(name for name in noted.keys() | counts.keys() if noted.get(name) != counts.get(name))
        if different:
            raise BackupError(f"restored, but the row counts of {', '.join(different[:5])} differ from the backup's")
    return counts
