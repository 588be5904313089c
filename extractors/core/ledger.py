"""The pipeline's ledger in schema ``ops``: what is known of source files, and one outcome row for every attempt."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

import psycopg
from psycopg.types.json import Jsonb

from extractors.core.errors import Retriable
from ioc import warehouse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from extractors.core.transports import RemoteFile
    from ioc.settings import Settings

Outcome = Literal["loaded", "unchanged_content", "empty", "partial", "unreadable", "failed"]
_LOOKUP = 5_000


@dataclass
class FileOutcome:
    """What came of one attempt at a file; a row of ``ops.landed_file``."""

    remote: RemoteFile
    outcome: Outcome = "loaded"
    sha256: str | None = None
    landed_path: str | None = None
    byte_count: int | None = None
    read: int = 0
    duplicate: int = 0
    rejected: int = 0
    message: str | None = None
    attempted_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def loaded(self) -> int:
        return self.read - self.duplicate - self.rejected


@contextmanager
def extraction_lock(domain: str, timeout_s: float, settings: Settings | None = None) -> Iterator[None]:
    """Hold the right to extract ``domain``; a second extraction waits, then finds nothing left to do.

    The lock belongs to a connection, so it dies with its process.

    Raises:
        Retriable: another extraction holds it for longer than ``timeout_s``.
    """
    with warehouse.connect("loader", settings, autocommit=True) as connection:
        connection.execute("select set_config('lock_timeout', %s, false)", (f"{int(timeout_s * 1000)}ms",))
        try:
            connection.execute("select pg_advisory_lock(hashtext(%s))", (f"extract:{domain}",))
        except psycopg.errors.LockNotAvailable as error:
            raise Retriable(
                f"another extraction of {domain} has been running for {timeout_s:.0f} s; wait for it, or end it",
                timeout_s,
            ) from error
        yield


def changed_files(
    connection: psycopg.Connection, domain: str, listing: Iterable[RemoteFile]
) -> Iterator[tuple[RemoteFile, str | None]]:
    """The files of a listing that are new or look different than when last taken, with the sha256 known of them."""
    files = iter(listing)
    while chunk := list(islice(files, _LOOKUP)):
        known = {
            uri: (size, mtime, sha256)
            for uri, size, mtime, sha256 in connection.execute(
                "select source_uri, remote_size, remote_mtime, sha256 from ops.source_file "
                "where domain = %s and source_uri = any(%s)",
                (domain, [file.uri for file in chunk]),
            )
        }
        for file in chunk:
            size, mtime, sha256 = known.get(file.uri, (None, None, None))
            unchanged = sha256 and size == file.size and mtime == file.mtime and (size is not None or mtime is not None)
            if not unchanged:
                yield file, sha256


def known_content(connection: psycopg.Connection, domain: str, prefix: str) -> dict[str, str]:
    """The sha256 of each page of an interface as it was last taken, by URI.

    Args:
        connection: A connection of the role loader.
        domain: Domain name.
        prefix: What the URIs of its pages begin with.
    """
    rows = connection.execute(
        "select source_uri, sha256 from ops.source_file where domain = %s and starts_with(source_uri, %s)",
        (domain, prefix),
    )
    return dict(rows.fetchall())


def forget_pages(connection: psycopg.Connection, domain: str, prefix: str, but: list[str]) -> None:
    """Forget the pages of an interface that the newest reading did not ask for: a window that has moved on."""
    connection.execute(
        "delete from ops.source_file where domain = %s and starts_with(source_uri, %s) and source_uri <> all(%s)",
        (domain, prefix, but),
    )


def write_outcomes(connection: psycopg.Connection, domain: str, batch_id: int | None, files: list[FileOutcome]) -> None:
    """Write the outcome rows, and what is now known of each file that was taken."""
    with connection.cursor() as cursor:
        with cursor.copy(
            "copy ops.landed_file (domain, batch_id, source_uri, remote_size, remote_mtime, sha256, landed_path, "
            "byte_count, outcome, read_count, loaded_count, duplicate_count, rejected_count, message, "
            "attempted_at) from stdin"
        ) as copy:
            for file in files:
                remote = file.remote
                copy.write_row(
                    (domain, batch_id, remote.uri, remote.size, remote.mtime, file.sha256, file.landed_path,
                     file.byte_count, file.outcome, file.read, file.loaded, file.duplicate, file.rejected,
                     file.message, file.attempted_at)
                )  # fmt: skip
        taken = [file for file in files if file.outcome != "failed"]
        cursor.execute(
            "create temp table if not exists seen_file (source_uri text, remote_size bigint, remote_mtime timestamptz, "
            "sha256 text, read_count bigint) on commit drop"
        )
        with cursor.copy("copy seen_file from stdin") as copy:
            for file in taken:
                copy.write_row((file.remote.uri, file.remote.size, file.remote.mtime, file.sha256, file.read))
        cursor.execute(
            "insert into ops.source_file (domain, source_uri, remote_size, remote_mtime, sha256, batch_id) "
            "select %(domain)s, source_uri, remote_size, remote_mtime, sha256, "
            "       case when read_count > 0 then %(batch_id)s::bigint end from seen_file "
            "on conflict (domain, source_uri) do update set remote_size = excluded.remote_size, "
            "    remote_mtime = excluded.remote_mtime, sha256 = excluded.sha256, "
            "    batch_id = coalesce(excluded.batch_id, source_file.batch_id), seen_at = clock_timestamp()",
            {"domain": domain, "batch_id": batch_id},
        )
        cursor.execute("truncate seen_file")


def write_failure(domain: str, source: RemoteFile, message: str, settings: Settings | None = None) -> None:
    """Keep the outcome of an attempt at a whole source that could not be listed or went away."""
    with warehouse.connect("loader", settings) as connection:
        write_outcomes(connection, domain, None, [FileOutcome(source, "failed", message=message)])


def read_cursor(connection: psycopg.Connection, domain: str, name: str) -> dict[str, Any]:
    """Value of a cursor; empty when there is none yet."""
    row = connection.execute("select value from ops.cursor where domain = %s and name = %s", (domain, name)).fetchone()
    return row[0] if row else {}


def write_cursor(
    connection: psycopg.Connection, domain: str, name: str, value: dict[str, Any], batch_id: int | None
) -> None:
    """Move a cursor, in the transaction of the rows that it stands behind.

    The batch keeps what the cursor of an interface (``source:<resource>#<declaration>``) was before it.
    """
    if batch_id is not None and "#" in name:
        connection.execute(
            "update ops.load_batch set cursors_before = jsonb_build_object(%(name)s::text, coalesce("
            "    (select value from ops.cursor where domain = %(domain)s and name = %(name)s), '{}'"
            ")) || cursors_before where batch_id = %(batch_id)s",
            {"domain": domain, "name": name, "batch_id": batch_id},
        )
    connection.execute(
        "insert into ops.cursor (domain, name, value, batch_id) values (%s, %s, %s, %s) "
        "on conflict (domain, name) do update set value = excluded.value, "
        "    batch_id = coalesce(excluded.batch_id, cursor.batch_id), updated_at = clock_timestamp()",
        (domain, name, Jsonb(value), batch_id),
    )
