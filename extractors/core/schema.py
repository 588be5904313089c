"""Raw tables from declarations: created, grown by new columns, given a partition for every month that data comes for.

``raw_<domain>`` belongs to ``ioc_loader``, so that an ordinary run can add a month or a column; only the very first
appearance of a domain needs the owner, who alone may create a schema.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from psycopg import sql

from extractors.core.entities import LINEAGE, Column, Entity
from extractors.core.errors import Fatal
from extractors.core.registry import entities_of
from ioc import warehouse
from ioc.settings import TIME_ZONE, Settings

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psycopg

_ZONE = ZoneInfo(TIME_ZONE)


def ensure(domain: str, settings: Settings | None = None) -> None:
    """Create or grow the raw schema of ``domain``. Idempotent, cheap when nothing is to do.

    Raises:
        Fatal: an existing column has another type than declared; nothing is changed then.
    """
    schema = f"raw_{domain}"
    with warehouse.connect("loader", settings) as connection:
        known = connection.execute("select 1 from pg_namespace where nspname = %s", (schema,)).fetchone()
    if not known:
        with warehouse.connect("owner", settings) as connection:
            connection.execute(
                sql.SQL("create schema if not exists {} authorization ioc_loader").format(sql.Identifier(schema))
            )
    with warehouse.connect("loader", settings) as connection:
        connection.execute("select pg_advisory_xact_lock(hashtext(%s))", (f"schema:{domain}",))
        granted = "select has_schema_privilege('ioc_transformer', %s, 'usage')"
        if connection.execute(granted, (schema,)).fetchone() == (False,):
            for statement in (
                "grant usage on schema {} to ioc_transformer",
                "alter default privileges in schema {} grant select on tables to ioc_transformer",
            ):
                connection.execute(sql.SQL(statement).format(sql.Identifier(schema)))
        for entity in entities_of(domain):
            _ensure_table(connection, schema, entity)


def _ensure_table(connection: psycopg.Connection, schema: str, entity: Entity) -> None:
    table = sql.Identifier(schema, entity.name)
    existing: dict[str, str] = dict(
        connection.execute(
            "select a.attname, format_type(a.atttypid, a.atttypmod) from pg_attribute a "
            "where a.attrelid = to_regclass(%s) and a.attnum > 0 and not a.attisdropped",
            (table.as_string(connection),),
        ).fetchall()
    )
    columns = (*entity.columns, *LINEAGE)
    if not existing:
        _create_table(connection, schema, entity)
        existing = {column.name: column.type for column in columns}
    for column in columns:
        if column.name not in existing:
            connection.execute(
                sql.SQL("alter table {} add column {} {}").format(
                    table, sql.Identifier(column.name), sql.SQL(column.type)
                )
            )
            _comment(connection, table, column)
        elif existing[column.name] != column.type:
            raise Fatal(
                f"{schema}.{entity.name}.{column.name} is {existing[column.name]} in the warehouse but declared as "
                f"{column.type}; raw tables keep what they hold: declare a new column beside it, or set the type back"
            )


def _create_table(connection: psycopg.Connection, schema: str, entity: Entity) -> None:
    table = sql.Identifier(schema, entity.name)
    body = sql.SQL(", ").join(
        sql.SQL("{} {} {}").format(
            sql.Identifier(column.name),
            sql.SQL(column.type),
            sql.SQL("not null" if column.name.startswith("_") or column.name == entity.partition_by else ""),
        )
        for column in (*entity.columns, *LINEAGE)
    )
    partitioned = (
        sql.SQL("partition by range ({})").format(sql.Identifier(entity.partition_by))
        if entity.partition_by
        else sql.SQL("")
    )
    connection.execute(sql.SQL("create table {} ({}) {}").format(table, body, partitioned))
    key = [name for name in (entity.partition_by, "_row_hash") if name]
    connection.execute(
        sql.SQL("create unique index on {} ({})").format(table, sql.SQL(", ").join(map(sql.Identifier, key)))
    )
    if entity.key and entity.partition_by not in entity.key:
        # What was said last of a key is looked up for every row that was there before.
        connection.execute(
            sql.SQL("create index on {} ({})").format(table, sql.SQL(", ").join(map(sql.Identifier, entity.key)))
        )
    # Batches arrive in order, so a few kilobytes of BRIN find the rows of one.
    brin = "create index on {} using brin (_batch_id) with (pages_per_range = 32, autosummarize = on)"
    connection.execute(sql.SQL(brin).format(table))
    connection.execute(sql.SQL("comment on table {} is {}").format(table, sql.Literal(entity.comment)))
    for column in (*entity.columns, *LINEAGE):
        _comment(connection, table, column)


def _comment(connection: psycopg.Connection, table: sql.Identifier, column: Column) -> None:
    connection.execute(
        sql.SQL("comment on column {}.{} is {}").format(table, sql.Identifier(column.name), sql.Literal(column.comment))
    )


def partition(domain: str, entity: Entity, year: int, month: int) -> sql.Identifier:
    """Name of the table that holds one civil month."""
    return sql.Identifier(f"raw_{domain}", f"{entity.name}_{year:04d}_{month:02d}")


def ensure_partitions(
    connection: psycopg.Connection, domain: str, entity: Entity, months: Iterable[tuple[int, int]]
) -> None:
    """Make the monthly partitions that are missing, in the transaction of ``connection`` (role loader).

    By ATTACH, whose lock lets readers and writers of the other months pass, where CREATE ... PARTITION OF would hold
    up everybody until the load ends. Not over a connection of its own: a transaction that has the table open does not
    learn of partitions that others attach.

    Args:
        connection: A connection of the role loader.
        domain: Domain name.
        entity: A partitioned entity of that domain.
        months: Civil years and months.
    """
    schema = f"raw_{domain}"
    parent = sql.Identifier(schema, entity.name)
    for year, month in sorted(months):
        table = partition(domain, entity, year, month)
        start = datetime(year, month, 1, tzinfo=_ZONE)
        end = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=_ZONE)
        connection.execute("select pg_advisory_xact_lock(hashtext(%s))", (f"schema:{domain}",))
        if connection.execute("select to_regclass(%s)", (table.as_string(connection),)).fetchone() != (None,):
            continue
        connection.execute(
            sql.SQL("create table {} (like {} including defaults including comments)").format(table, parent)
        )
        connection.execute(
            sql.SQL("alter table {} attach partition {} for values from ({}) to ({})").format(
                parent, table, sql.Literal(start), sql.Literal(end)
            )
        )
