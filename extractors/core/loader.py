"""Writes one batch: one transaction carries the rows, the ledger, the rejects and the cursors.

Rows go by COPY into a temporary table and from there into the raw table, where the unique index on the row hash leaves
out what is there already. A thread of its own talks to the database, so that the next chunk is parsed meanwhile; memory
holds two chunks, however large the batch.
"""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from extractors.core import ledger, schema
from extractors.core.landing import Pack
from ioc import warehouse

if TYPE_CHECKING:
    from extractors.core.entities import Entity
    from extractors.core.formats import Parsed, Reject
    from extractors.core.ledger import FileOutcome
    from ioc.settings import Settings

# Small enough that parsing and writing overlap from early on.
_CHUNK_ROWS = 25_000
_CHUNK_CHARACTERS = 16 << 20


@dataclass
class _Chunk:
    """What is parsed and not yet sent."""

    copy: dict[str, list[str]] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    months: dict[str, set[tuple[int, int]]] = field(default_factory=dict)
    files: dict[int, FileOutcome] = field(default_factory=dict)
    rejects: list[tuple[str, FileOutcome, Reject]] = field(default_factory=list)
    characters: int = 0

    @property
    def row_count(self) -> int:
        return sum(self.rows.values())

    @property
    def full(self) -> bool:
        return self.row_count >= _CHUNK_ROWS or self.characters >= _CHUNK_CHARACTERS or len(self.rejects) >= _CHUNK_ROWS


def _of(alias: str, names: tuple[str, ...]) -> sql.Composed:
    return sql.SQL(", ").join(sql.SQL("{}.{}").format(sql.Identifier(alias), sql.Identifier(name)) for name in names)


class Batch:
    """A batch being loaded.

    Args:
        domain: Domain name.
        entities: The domain's raw tables.
        mode: ``live``, ``backfill`` or ``replay``.
        airflow_run_id: Run that asked for it, for the ledger.
        settings: Settings of the stack.
    """

    def __init__(
        self, domain: str, entities: tuple[Entity, ...], *, mode: str, airflow_run_id: str | None, settings: Settings
    ) -> None:
        self.domain = domain
        self.mode = mode
        self.files: list[FileOutcome] = []
        self.opened_at = time.monotonic()
        self.pack = Pack(settings.landing, domain)
        self._entities = {entity.name: entity for entity in entities}
        self._partitions: set[tuple[str, int, int]] = set()
        self._duplicates: dict[str, int] = {}
        self._chunk = _Chunk()
        self._read = 0
        self._meets_duplicates = False
        self._cursors: list[tuple[str, dict[str, Any]]] = []
        self._kept_pages: dict[str, list[str]] = {}
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="load")
        self._writing: Future[None] | None = None
        self._context = warehouse.connect("loader", settings)
        self._connection = self._context.__enter__()
        row = self._connection.execute(
            "insert into ops.load_batch (domain, mode, airflow_run_id) values (%s, %s, %s) returning batch_id",
            (domain, mode, airflow_run_id),
        ).fetchone()
        assert row is not None
        self.batch_id: int = row[0]
        self._prepare()

    def _prepare(self) -> None:
        self._connection.execute(
            "create temp table load_file (file_no integer, source_uri text, extracted_at timestamptz) on commit drop"
        )
        for entity in self._entities.values():
            columns = sql.SQL(", ").join(
                sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(column.type)) for column in entity.columns
            )
            self._connection.execute(
                sql.SQL("create temp table {} (file_no integer, source_row bigint, {}) on commit drop").format(
                    sql.Identifier(f"load_{entity.name}"), columns
                )
            )

    @property
    def read(self) -> int:
        """Lines and records seen so far."""
        return self._read

    def begin(self, file: FileOutcome) -> int:
        """Register a file; returns the number that its COPY lines begin with."""
        self.files.append(file)
        number = len(self.files)
        self._chunk.files[number] = file
        return number

    def add(self, number: int, parsed: Parsed) -> None:
        """Take a stretch of the file registered as ``number``."""
        file, chunk = self.files[number - 1], self._chunk
        chunk.files[number] = file
        if parsed.rows:
            chunk.copy.setdefault(parsed.entity, []).append(parsed.copy)
            chunk.rows[parsed.entity] = chunk.rows.get(parsed.entity, 0) + parsed.rows
            chunk.months.setdefault(parsed.entity, set()).update(parsed.months)
            chunk.characters += len(parsed.copy)
        chunk.rejects.extend((parsed.entity, file, reject) for reject in parsed.rejects)
        self._read += parsed.rows + len(parsed.rejects)
        file.read += parsed.rows + len(parsed.rejects)
        file.rejected += len(parsed.rejects)
        if chunk.full:
            self._send()

    def move_cursor(self, name: str, value: dict[str, Any]) -> None:
        """Move a cursor of the domain together with the rows of this batch."""
        self._cursors.append((name, value))

    def keep_pages(self, prefix: str, uris: list[str]) -> None:
        """Of an interface's pages, whose URIs begin with ``prefix``, let the ledger remember only these."""
        self._kept_pages[prefix] = uris

    def _send(self) -> None:
        chunk, self._chunk = self._chunk, _Chunk()
        self._wait()
        self._writing = self._writer.submit(self._write, chunk)

    def _wait(self) -> None:
        if self._writing is not None:
            self._writing.result()
            self._writing = None

    def _write(self, chunk: _Chunk) -> None:
        with self._connection.cursor() as cursor:
            with cursor.copy("copy load_file from stdin") as copy:
                for number, file in chunk.files.items():
                    copy.write_row((number, file.remote.uri, file.attempted_at))
            for name, texts in chunk.copy.items():
                with cursor.copy(sql.SQL("copy {} from stdin").format(sql.Identifier(f"load_{name}"))) as copy:
                    for text in texts:
                        copy.write(text)
                inserted = self._insert(cursor, self._entities[name], chunk.months[name])
                self._duplicates[name] = self._duplicates.get(name, 0) + chunk.rows[name] - inserted
                cursor.execute(sql.SQL("truncate {}").format(sql.Identifier(f"load_{name}")))
            cursor.execute("truncate load_file")
            with cursor.copy(
                "copy ops.rejected_row (batch_id, domain, entity, source_uri, source_row, raw_text, reason_code, "
                "reason) from stdin"
            ) as copy:
                for entity, file, reject in chunk.rejects:
                    copy.write_row(
                        (self.batch_id, self.domain, entity, file.remote.uri, reject.source_row, reject.raw_text,
                         reject.code, reject.reason)
                    )  # fmt: skip

    def _insert(self, cursor: psycopg.Cursor[Any], entity: Entity, months: set[tuple[int, int]]) -> int:
        table = sql.Identifier(f"raw_{self.domain}", entity.name)
        if entity.partition_by:
            missing = {month for month in months if (entity.name, *month) not in self._partitions}
            schema.ensure_partitions(self._connection, self.domain, entity, missing)
            self._partitions.update((entity.name, *month) for month in missing)
            if len(months) == 1:
                # Straight into the partition: finding it again for every row would cost an eighth of the load.
                table = schema.partition(self.domain, entity, *next(iter(months)))
        # Files come oldest first: a microsecond for each lets _loaded_at tell which of two values was sent later.
        statement = sql.SQL(
            "insert into {table} "
            "({columns}, _batch_id, _source_uri, _source_row, _row_hash, _extracted_at, _loaded_at) "
            "select {loaded}, %s, f.source_uri, l.source_row, {hash}, f.extracted_at, "
            "statement_timestamp() + l.file_no * interval '1 microsecond' "
            "from {load} l join load_file f using (file_no)"
        ).format(
            table=table,
            columns=sql.SQL(", ").join(sql.Identifier(name) for name in entity.column_names),
            loaded=_of("l", entity.column_names),
            hash=sql.SQL(entity.hash_sql("l")),
            load=sql.Identifier(f"load_{entity.name}"),
        )
        if not self._meets_duplicates:
            # New rows are the rule, and ON CONFLICT looks for every one of them first: a quarter of the load's time.
            try:
                with self._connection.transaction():
                    cursor.execute(statement, (self.batch_id,))
                return cursor.rowcount
            except psycopg.errors.UniqueViolation:
                self._meets_duplicates = True
        cursor.execute(statement + sql.SQL(" on conflict do nothing"), (self.batch_id,))
        inserted = cursor.rowcount
        # A replay repeats what was said long ago; it takes nothing back.
        return inserted + (
            self._insert_taken_back(cursor, entity, table) if entity.key and self.mode != "replay" else 0
        )

    def _insert_taken_back(self, cursor: psycopg.Cursor[Any], entity: Entity, table: sql.Identifier) -> int:
        """Insert the rows that say again what they said before another value came: 5, then 7, then 5 ends as 5.

        What counts is what the load says last of a key: a source that says two things of it at once does so at every
        reading, and takes nothing back. The hash of such a row covers the one that it replaces, so that saying it once
        more adds nothing.
        """
        statement = sql.SQL(
            "with last_said as (select distinct on ({key}) l.*, f.source_uri, f.extracted_at "
            "from {load} l join load_file f using (file_no) order by {key}, l.file_no desc, l.source_row desc) "
            "insert into {table} "
            "({columns}, _batch_id, _source_uri, _source_row, _row_hash, _extracted_at, _loaded_at) "
            "select {loaded}, %(batch)s, l.source_uri, l.source_row, "
            "md5({hash}::text || newest._row_hash)::uuid, l.extracted_at, "
            "statement_timestamp() + l.file_no * interval '1 microsecond' "
            "from last_said l cross join lateral ("
            "select r.* from {table} r where {same_key} "
            "order by r._batch_id desc, r._loaded_at desc, r._source_row desc limit 1) newest "
            "where ({newest_values}) is distinct from ({values}) "
            "and (newest._batch_id < %(batch)s or newest._extracted_at < l.extracted_at) "
            "on conflict do nothing"
        ).format(
            table=table,
            columns=sql.SQL(", ").join(sql.Identifier(name) for name in entity.column_names),
            loaded=_of("l", entity.column_names),
            key=_of("l", entity.key),
            hash=sql.SQL(entity.hash_sql("l")),
            load=sql.Identifier(f"load_{entity.name}"),
            same_key=sql.SQL(" and ").join(
                sql.SQL("r.{0} = l.{0}").format(sql.Identifier(name)) for name in entity.key
            ),
            newest_values=_of("newest", entity.hash_columns),
            values=_of("l", entity.hash_columns),
        )
        cursor.execute(statement, {"batch": self.batch_id})
        return cursor.rowcount

    def commit(self) -> None:
        """Make everything visible at once; after an error nothing of the batch is there, once it is discarded."""
        self._send()
        self._wait()
        self._share_out_duplicates()
        self._finish()
        self._writer.shutdown()

    def _share_out_duplicates(self) -> None:
        """Say of each file how many of its rows were there already; counts only when there were any."""
        if not any(self._duplicates.values()):
            return
        kept: dict[str, int] = {}
        for name in self._duplicates:
            for uri, count in self._connection.execute(
                sql.SQL("select _source_uri, count(*) from {} where _batch_id = %s group by 1").format(
                    sql.Identifier(f"raw_{self.domain}", name)
                ),
                (self.batch_id,),
            ):
                kept[uri] = kept.get(uri, 0) + count
        for file in self.files:
            file.duplicate = file.read - file.rejected - kept.get(file.remote.uri, 0)

    def _finish(self) -> None:
        read = self.read
        if self.files:
            self.pack.commit()
        else:
            self.pack.discard()
        if read:
            self._connection.execute(
                "update ops.load_batch set status = 'loaded', finished_at = clock_timestamp(), file_count = %s, "
                "read_count = %s, loaded_count = %s, duplicate_count = %s, rejected_count = %s where batch_id = %s",
                (len(self.files), read, sum(f.loaded for f in self.files), sum(f.duplicate for f in self.files),
                 sum(f.rejected for f in self.files), self.batch_id),
            )  # fmt: skip
        else:
            # Nothing but empty or failed files: their outcomes stand by themselves.
            self._connection.execute("delete from ops.load_batch where batch_id = %s", (self.batch_id,))
        batch_id = self.batch_id if read else None
        ledger.write_outcomes(self._connection, self.domain, batch_id, self.files)
        for name, value in self._cursors:
            ledger.write_cursor(self._connection, self.domain, name, value, batch_id)
        for prefix, uris in self._kept_pages.items():
            ledger.forget_pages(self._connection, self.domain, prefix, uris)
        self._context.__exit__(None, None, None)

    def discard(self) -> None:
        """Drop everything of the batch."""
        if self._writing is not None:
            self._writing.cancel()
        self._connection.close()
        self._writer.shutdown(wait=True)
        self.pack.discard()
