"""What a domain declares about its raw tables; the DDL and the loading follow from it."""

from __future__ import annotations

from dataclasses import dataclass

from extractors.core.errors import Fatal


@dataclass(frozen=True)
class Column:
    """One column of a raw table.

    Attributes:
        name: Column name, lower snake case.
        type: PostgreSQL type as ``format_type`` prints it (``text``, ``numeric``, ``timestamp with time zone``,
            ``jsonb``).
        comment: What it holds, kept as the column's comment in the database.
    """

    name: str
    type: str
    comment: str = ""


@dataclass(frozen=True)
class Entity:
    """One raw table ``raw_<domain>.<name>``.

    Attributes:
        name: Table name.
        columns: The domain's columns, in the order in which a parser sends them.
        hash_columns: The columns that make two rows the same row: the key and the values.
        key: The columns that say what a row is about. A row that the source sent before is new all the same when
            another value has been sent for its key meanwhile: a correction taken back. Empty: such rows do not exist,
            for example because the source's own time of change is among the hash columns.
        partition_by: A ``timestamp with time zone`` column; the table is then partitioned by its month (civil time).
        comment: What one row is.
    """

    name: str
    columns: tuple[Column, ...]
    hash_columns: tuple[str, ...]
    key: tuple[str, ...] = ()
    partition_by: str | None = None
    comment: str = ""

    def __post_init__(self) -> None:
        types = {column.name: column.type for column in self.columns}
        unknown = [
            name for name in (*self.hash_columns, *self.key, *filter(None, [self.partition_by])) if name not in types
        ]
        if unknown or not self.hash_columns:
            raise Fatal(f"entity '{self.name}' must name hash columns of its own; unknown: {unknown}")
        if self.partition_by and types[self.partition_by] != "timestamp with time zone":
            raise Fatal(
                f"entity '{self.name}' is partitioned by {self.partition_by}, which is no timestamp with time zone"
            )

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def hash_sql(self, alias: str = "l") -> str:
        """SQL expression of ``_row_hash``.

        Numbers are compared by value (1.50 = 1.5) and moments by the moment, whatever the session's time zone; a null
        differs from every text, and the separator keeps ('ab', 'c') apart from ('a', 'bc').
        """
        types = {column.name: column.type for column in self.columns}
        parts = []
        for name in self.hash_columns:
            reference = f'{alias}."{name}"'
            if types[name] == "numeric":
                reference = f"trim_scale({reference})::text"
            elif types[name] == "timestamp with time zone":
                reference = f"extract(epoch from {reference})::text"
            elif types[name] != "text":
                reference = f"{reference}::text"
            parts.append(f"coalesce({reference}, E'\\x01')")
        joined = " || E'\\x1f' || ".join(parts)
        return f"md5({joined})::uuid"


LINEAGE = (
    Column("_batch_id", "bigint", "Load that brought the row: ops.load_batch."),
    Column("_source_uri", "text", "File that the row came from, without user or password."),
    Column("_source_row", "bigint", "Line or record number in that file, from 1."),
    Column("_row_hash", "uuid", "md5 over the key and the value columns: the same row again is not loaded again."),
    Column("_extracted_at", "timestamp with time zone", "When the file was fetched; rises within a batch."),
    Column("_loaded_at", "timestamp with time zone", "When it was written; rises from file to file within a batch."),
)
