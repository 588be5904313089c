"""Keeps a warehouse that runs for years in shape: retention by configuration, old files, vacuum and statistics.

Every function drains what is due, so running one twice, or killing it, does no harm. The DAG ``maintain_warehouse``
calls them every night.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from psycopg import sql
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from ioc import warehouse
from ioc.settings import Settings, get_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import psycopg


class KeepSettings(BaseSettings):
    """How long things are kept (environment or ``.env``, prefix ``IOC_KEEP_``)."""

    model_config = SettingsConfigDict(env_prefix="IOC_KEEP_", env_file=".env", extra="ignore")

    raw_months: int | None = Field(default=None, ge=3, description="Months of raw rows; unset = for ever.")
    landing_days: int = Field(default=400, ge=7, description="Fetched files, from which any batch can be rebuilt.")
    outcome_days: int = Field(default=400, ge=30, description="Outcome rows of file attempts, and rejected rows.")
    validation_days: int = Field(default=180, ge=30, description="Results of expectations.")
    transform_days: int = Field(default=90, ge=7, description="Results of dbt nodes.")
    backups: int = Field(default=7, ge=1, description="Newest dumps of the warehouse.")
    log_days: int = Field(default=14, ge=1, description="Logs of Airflow's tasks.")
    history_days: int = Field(default=30, ge=7, description="Runs and tasks in Airflow's own database.")


@dataclass
class MaintenanceReport:
    """What was removed or refreshed, by name; a figure per table, folder or partition."""

    done: dict[str, int] = field(default_factory=dict)
    duration_s: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


# Month partitions of raw tables whose last moment lies before the cut.
_OLD_PARTITIONS = r"""
select n.nspname, p.relname, c.relname
from pg_inherits i
join pg_class c on c.oid = i.inhrelid
join pg_class p on p.oid = i.inhparent
join pg_namespace n on n.oid = c.relnamespace
where n.nspname like 'raw\_%%' and p.relkind = 'p'
    and (regexp_match(pg_get_expr(c.relpartbound, c.oid), 'TO \(''([^'']+)''\)'))[1]::timestamptz
        <= date_trunc('month', clock_timestamp()) - make_interval(months => %s)
order by 1, 2, 3
"""
# A batch that still waits for a verdict or a decision keeps everything that is known of it.
_SETTLED = "batch_id not in (select batch_id from ops.load_batch where status in ('loading', 'loaded', 'quarantined'))"
_LEDGER = {
    "ops.validation_result": ("validation_days", f"validated_at < %s and {_SETTLED}"),
    "ops.dbt_run_result": ("transform_days", "completed_at < %s"),
    "ops.rejected_row": ("outcome_days", f"rejected_at < %s and {_SETTLED}"),
    "ops.landed_file": ("outcome_days", f"attempted_at < %s and (batch_id is null or {_SETTLED})"),
}
# Autovacuum never looks at a partitioned parent, and a night's quiet is the time for the rest.
_CHANGED = """
select n.nspname, c.relname, c.relkind = 'p' as is_parent
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
left join pg_stat_user_tables s on s.relid = c.oid
where c.relkind in ('r', 'p') and n.nspname not like 'pg\\_%' and n.nspname <> 'information_schema'
    and (c.relkind = 'p' or s.n_dead_tup > 1000 or s.n_mod_since_analyze > 0)
order by 1, 2
"""


def retention(settings: Settings | None = None, keep: KeepSettings | None = None) -> MaintenanceReport:
    """Drop raw partitions and delete ledger rows that are older than the configuration keeps.

    Marts stay as they are: what was computed from a dropped month is not computed again. Batches are never deleted.
    """
    settings, keep = settings or get_settings(), keep or KeepSettings()
    began, report = time.monotonic(), MaintenanceReport()
    with warehouse.connect("owner", settings) as connection:
        if keep.raw_months is not None:
            for schema, parent, partition in connection.execute(_OLD_PARTITIONS, (keep.raw_months,)).fetchall():
                report.done[f"{schema}.{partition}"] = _drop_partition(connection, schema, parent, partition)
        for table, (setting, condition) in _LEDGER.items():
            before = datetime.now(UTC) - timedelta(days=getattr(keep, setting))
            report.done[table] = connection.execute(
                f"delete from {table} where {condition}".encode(), (before,)
            ).rowcount
    return _finished(report, began)


def _drop_partition(connection: psycopg.Connection, schema: str, parent: str, partition: str) -> int:
    """Drop a partition; returns its rows as the statistics know them."""
    table = sql.Identifier(schema, partition)
    (rows,) = connection.execute(
        "select n_live_tup from pg_stat_user_tables where schemaname = %s and relname = %s", (schema, partition)
    ).fetchone() or (0,)
    connection.execute(sql.SQL("alter table {} detach partition {}").format(sql.Identifier(schema, parent), table))
    connection.execute(sql.SQL("drop table {}").format(table))
    return int(rows)


def files(settings: Settings | None = None, keep: KeepSettings | None = None) -> MaintenanceReport:
    """Remove landed packs, dumps of the warehouse and task logs that are older than the configuration keeps.

    A pack stays while one of its batches waits or is quarantined. The ledger forgets a pack before the disk does:
    killed in between, the next run finds the file again and removes it.
    """
    settings, keep = settings or get_settings(), keep or KeepSettings()
    began, report = time.monotonic(), MaintenanceReport()
    report.done["landing"] = _expire_packs(settings, keep)
    dumps = sorted((settings.home / "backups").glob("warehouse-*.dump"))
    old = dumps[: -keep.backups]
    for dump in old:
        dump.with_name(dump.name + ".json").unlink(missing_ok=True)
        dump.unlink(missing_ok=True)
    report.done["backups"] = len(old)
    report.done["logs"] = _remove_old(settings.home / "airflow" / "logs", keep.log_days)
    return _finished(report, began)


def _expire_packs(settings: Settings, keep: KeepSettings) -> int:
    root = settings.landing
    packs = {path.relative_to(root).as_posix(): path for path in _older_than(root, keep.landing_days, "*.zip")}
    if not packs:
        return 0
    with warehouse.connect("owner", settings) as connection:
        needed = connection.execute(
            "select distinct split_part(f.landed_path, '#', 1) "
            "from ops.landed_file f join ops.load_batch b using (batch_id) "
            "where b.status in ('loading', 'loaded', 'quarantined') and split_part(f.landed_path, '#', 1) = any(%s)",
            (list(packs),),
        ).fetchall()
        for (name,) in needed:
            del packs[name]
        connection.execute(
            "update ops.landed_file set landed_path = null where split_part(landed_path, '#', 1) = any(%s)",
            (list(packs),),
        )
    for path in packs.values():
        path.unlink(missing_ok=True)
    return len(packs)


def _older_than(folder: Path, days: int, pattern: str) -> Iterator[Path]:
    before = time.time() - days * 86400
    return (path for path in folder.rglob(pattern) if path.is_file() and path.stat().st_mtime < before)


def _remove_old(folder: Path, days: int) -> int:
    """Remove old files below ``folder``, and the folders that this leaves empty."""
    removed = 0
    for path in list(_older_than(folder, days, "*")):
        path.unlink(missing_ok=True)
        removed += 1
        for parent in path.parents:
            if parent == folder or any(parent.iterdir()):
                break
            parent.rmdir()
    return removed


def statistics(settings: Settings | None = None) -> MaintenanceReport:
    """Vacuum and analyse every table that changed, and analyse the partitioned parents; waits for no lock.

    Returns:
        Milliseconds per table.
    """
    settings = settings or get_settings()
    began, report = time.monotonic(), MaintenanceReport()
    with warehouse.connect("owner", settings, autocommit=True) as connection:
        for schema, table, is_parent in connection.execute(_CHANGED).fetchall():
            started = time.monotonic()
            # A vacuum of a parent would repeat that of its partitions.
            verb = "analyze (skip_locked) {}" if is_parent else "vacuum (analyze, skip_locked) {}"
            connection.execute(sql.SQL(verb).format(sql.Identifier(schema, table)))
            report.done[f"{schema}.{table}"] = round(1000 * (time.monotonic() - started))
    return _finished(report, began)


def _finished(report: MaintenanceReport, began: float) -> MaintenanceReport:
    report.duration_s = round(time.monotonic() - began, 3)
    return report
