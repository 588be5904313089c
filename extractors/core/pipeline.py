"""What the DAGs and ``ioc load`` call: ``extract`` and ``publish``. Both drain what is due according to the ledger."""

from __future__ import annotations

import hashlib
import logging
import time
import traceback
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import psycopg

from extractors.core import ledger, schema
from extractors.core.api.walk import Page, Reader
from extractors.core.errors import ExtractError, Fatal, Retriable, Skippable
from extractors.core.fetch import fetch_all
from extractors.core.formats import Parsed, Reject, SourceFile, raw_text
from extractors.core.formats.records import RecordsFormat
from extractors.core.formats.text import VIETNAM
from extractors.core.ledger import FileOutcome
from extractors.core.loader import Batch
from extractors.core.registry import entities_of, format_of
from extractors.core.settings import ExtractSettings
from extractors.core.transports import RemoteFile, SourceUri, is_temporary, open_transport
from ioc import warehouse
from ioc.settings import Settings, get_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from extractors.core.formats import Format
    from extractors.core.transports import Transport

Mode = Literal["live", "backfill", "replay"]
_LOG = logging.getLogger(__name__)
_OLDEST = datetime.min.replace(tzinfo=UTC)


@dataclass
class LoadReport:
    """What one extraction did.

    Attributes:
        batches: Batches committed; a run that finds nothing new has none.
        files: Files taken, whatever came of them.
        read: Lines and records seen; always ``loaded + duplicate + rejected``.
        failed_files: Files that could not be had; the next run tries again.
        failed_folders: Folders that could not be listed; their outcome is in the ledger.
        left_for_next_run: Files that are still being written.
    """

    domain: str
    batches: int = 0
    files: int = 0
    read: int = 0
    loaded: int = 0
    duplicate: int = 0
    rejected: int = 0
    failed_files: int = 0
    failed_folders: int = 0
    left_for_next_run: int = 0
    batch_ids: list[int] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass
class PublishReport:
    """Batches that became visible to dbt, and batches held back."""

    domain: str
    published: int = 0
    quarantined: int = 0
    batch_ids: list[int] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def extract(
    domain: str,
    *,
    source_uris: list[str] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    mode: Mode = "live",
    airflow_run_id: str | None = None,
    settings: Settings | None = None,
) -> LoadReport:
    """Discover, fetch, land, parse and load what is new at the sources of a domain.

    Args:
        domain: Domain name; its package ``extractors.<domain>`` declares tables and formats.
        source_uris: Sources; default ``IOC_SOURCE_<DOMAIN>``.
        since: Leave out files whose name speaks of an earlier moment (civil time of Vietnam when without offset).
        until: Leave out files whose name speaks of this moment or a later one.
        mode: ``replay`` takes files again that have not changed; their rows count as duplicates.
        airflow_run_id: For the ledger.
        settings: Settings of the stack; default: this process's.

    Returns:
        The report; batches end in status ``loaded``.

    Raises:
        Fatal: the domain, a source URI or the warehouse has to be put right first.
        Retriable: a source or the warehouse does not answer. The other sources were loaded all the same.
    """
    run = _Extraction(
        domain, settings or get_settings(), mode=mode, airflow_run_id=airflow_run_id, since=since, until=until
    )
    uris = source_uris if source_uris is not None else Settings.source_uris(domain)
    if not uris:
        raise Fatal(f"no source for {domain}: set IOC_SOURCE_{domain.upper()} or name one with --source")
    schema.ensure(domain, run.settings)
    with ledger.extraction_lock(domain, run.tuning.lock_timeout_s, run.settings):
        return run.drain(uris)


class _Extraction:
    def __init__(
        self,
        domain: str,
        settings: Settings,
        *,
        mode: Mode,
        airflow_run_id: str | None,
        since: datetime | None,
        until: datetime | None,
    ) -> None:
        self.domain = domain
        self.settings = settings
        self.tuning = ExtractSettings()
        self.mode: Mode = mode
        self.airflow_run_id = airflow_run_id
        self.since, self.until = (
            at if at is None or at.tzinfo else at.replace(tzinfo=VIETNAM) for at in (since, until)
        )
        self.latest = datetime.now(UTC) + timedelta(seconds=self.tuning.future_tolerance_s)
        self.report = LoadReport(domain)
        self.entities = entities_of(domain)
        self.batch: Batch | None = None
        self.interfaces: set[str] = set()
        self.listed = 0

    def drain(self, uris: list[str]) -> LoadReport:
        try:
            return self._drain(uris)
        except psycopg.OperationalError as error:
            raise Retriable(f"the warehouse went away while {self.domain} was loaded ({error}); run again") from error
        except psycopg.Error as error:
            raise Fatal(f"the warehouse refused the batch of {self.domain}: {error}; nothing of it was kept") from error
        except OSError as error:
            raise Fatal(
                f"nothing of {self.domain} could be landed in {self.settings.landing} ({error}); "
                "see to space and rights, then run again"
            ) from error
        finally:
            if self.batch is not None:
                self.batch.discard()

    def _drain(self, uris: list[str]) -> LoadReport:
        sources = [(text, SourceUri.parse(text)) for text in dict.fromkeys(uris)]
        troubles: list[tuple[SourceUri, ExtractError]] = []
        for text, uri in sources:
            try:
                self._source(text, uri)
            except (Retriable, Fatal) as error:
                _LOG.warning("%s", error)
                troubles.append((uri, error))
        self._commit()
        for uri, trouble in troubles:
            ledger.write_failure(self.domain, RemoteFile(uri.public, "", None, None), str(trouble), self.settings)
        if troubles:
            message = "; ".join(str(trouble) for _, trouble in troubles)
            delays = [trouble.delay_s for _, trouble in troubles if isinstance(trouble, Retriable)]
            raise Retriable(message, max(delays)) if delays else Fatal(message)
        return self.report

    def _source(self, text: str, uri: SourceUri) -> None:
        parser = format_of(self.domain, uri.mapping)
        if isinstance(parser, RecordsFormat) and uri.scheme in ("http", "https"):
            self._interface(uri, parser)
            return
        transport = open_transport(text, parser, self.tuning)
        try:
            started = datetime.now(UTC)
            due, young = self._due(transport, parser)
            for folder, reason in transport.skipped.items():
                _LOG.warning("%s", reason)
                ledger.write_failure(self.domain, RemoteFile(folder, "", None, None), reason, self.settings)
            self.report.failed_folders += len(transport.skipped)
            self._take(transport, parser, due)
            if young:
                self._take(transport, parser, self._settled(transport, parser, young))
            value = {"listed_at": started.isoformat(), "files_listed": self.listed}
            if self.batch is not None:
                self.batch.move_cursor(f"source:{uri.public}", value)
            else:
                with warehouse.connect("loader", self.settings) as connection:
                    ledger.write_cursor(connection, self.domain, f"source:{uri.public}", value, None)
        finally:
            transport.close()

    def _interface(self, uri: SourceUri, parser: RecordsFormat) -> None:
        """Read an interface from its cursor on, and move the cursor with the rows that it stands behind.

        A range of moments, and a replay, read what is asked for and leave the cursor where it is.
        """
        reader = Reader(uri, parser, self.tuning)
        name = f"source:{reader.resource}#{parser.api.name}"
        if reader.prefix in self.interfaces:
            raise Fatal(
                f"{self.domain}: two sources ask {reader.resource} for the same, perhaps with two logins; one cursor "
                "cannot stand for both: leave one out, or declare them apart in apis/"
            )
        self.interfaces.add(reader.prefix)
        live = self.mode != "replay" and self.since is None and self.until is None
        with warehouse.connect("loader", self.settings) as connection:
            value = ledger.read_cursor(connection, self.domain, name)
            known = {} if self.mode == "replay" else ledger.known_content(connection, self.domain, reader.prefix)
        read_until = datetime.fromisoformat(value["changed_until"]) if "changed_until" in value else None
        last_read = datetime.fromisoformat(value["listed_at"]) if "listed_at" in value else None
        started, pages = datetime.now(UTC), list[str]()
        try:
            for item in reader.read(read_until if live else self.since, self.until, last_read):
                if isinstance(item, Page):
                    pages.append(item.file.uri)
                    self._file(parser, item.file, item.body, known.get(item.file.uri))
                    if self._is_full(self._current()):
                        self._commit()
                elif live and (item.rewound or read_until is None or item.changed_until > read_until):
                    read_until = item.changed_until
                    self._current().move_cursor(name, {**value, "changed_until": read_until.isoformat()})
        finally:
            reader.close()
        if live:
            value = {"listed_at": started.isoformat(), "files_listed": len(pages)}
            until = {"changed_until": read_until.isoformat()} if read_until else {}
            self._current().move_cursor(name, value | until)
            self._current().keep_pages(reader.prefix, pages)

    def _wanted(self, parser: Format, path: str) -> bool:
        if is_temporary(path) or not path.lower().endswith(parser.suffixes):
            return False
        if self.since is None and self.until is None:
            return True
        at = parser.file_time(path)
        return at is None or ((self.since is None or at >= self.since) and (self.until is None or at < self.until))

    def _due(self, transport: Transport, parser: Format) -> tuple[list[tuple[RemoteFile, str | None]], set[RemoteFile]]:
        """Files to take, oldest first, so that a correction comes after what it corrects; and files not settled yet."""
        listing = self._counted(transport.list(lambda path: self._wanted(parser, path)))
        due: list[tuple[RemoteFile, str | None]]
        if self.mode == "replay":
            due = [(file, None) for file in listing]
        else:
            with warehouse.connect("loader", self.settings) as connection:
                due = list(ledger.changed_files(connection, self.domain, listing))
        due.sort(key=lambda item: (item[0].mtime or _OLDEST, item[0].path))
        settled_before = datetime.now(UTC) - timedelta(seconds=self.tuning.settle_s)
        young = {file for file, _ in due if file.mtime is not None and file.mtime > settled_before}
        return [item for item in due if item[0] not in young], young

    def _counted(self, listing: Iterator[RemoteFile]) -> Iterator[RemoteFile]:
        self.listed = 0
        for file in listing:
            self.listed += 1
            yield file

    def _settled(
        self, transport: Transport, parser: Format, young: set[RemoteFile]
    ) -> list[tuple[RemoteFile, str | None]]:
        """Of the young files, those that a second listing shows unchanged; the others are left for the next run."""
        time.sleep(self.tuning.recheck_s)
        folders = {file.path.rpartition("/")[0] for file in young}
        again = transport.list(lambda path: self._wanted(parser, path), folders)
        with warehouse.connect("loader", self.settings) as connection:
            stable = list(ledger.changed_files(connection, self.domain, (file for file in again if file in young)))
        self.report.left_for_next_run += len(young) - len(stable)
        return sorted(stable, key=lambda item: (item[0].mtime or _OLDEST, item[0].path))

    def _current(self) -> Batch:
        if self.batch is None:
            self.batch = Batch(
                self.domain, self.entities, mode=self.mode, airflow_run_id=self.airflow_run_id, settings=self.settings
            )
        return self.batch

    def _take(self, transport: Transport, parser: Format, due: list[tuple[RemoteFile, str | None]]) -> None:
        known = {file.uri: sha256 for file, sha256 in due if sha256}
        for file, content in fetch_all(transport, [file for file, _ in due], self.tuning):
            self._file(parser, file, content, known.get(file.uri))
            if self._is_full(self._current()):
                self._commit()

    def _file(self, parser: Format, remote: RemoteFile, content: bytes | Skippable, known: str | None) -> None:
        batch = self._current()
        file = FileOutcome(remote)
        number = batch.begin(file)
        if isinstance(content, Skippable):
            file.outcome, file.message = "failed", str(content)
            return
        file.byte_count = len(content)
        file.sha256 = hashlib.sha256(content).hexdigest()
        if file.sha256 == known and self.mode != "replay":
            file.outcome = "unchanged_content"
            return
        file.landed_path = batch.pack.add(remote, file.sha256, content)
        try:
            for parsed in parser.parse(content, SourceFile(remote.path, number, self.latest)):
                batch.add(number, parsed)
                if any(reject.code == "truncated" for reject in parsed.rejects):
                    file.outcome, file.message = "partial", "the file ends inside a line"
        except Skippable as error:
            file.outcome, file.message = "unreadable", str(error)
            self._refuse(number, content, error.code, str(error))
        except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
            # A fault of the parser, not of the file: it must not hold up the others, nor go unseen.
            # What it says may quote a record: where it happened is enough, the file itself has landed.
            place = traceback.extract_tb(error.__traceback__)[-1]
            fault = f"{type(error).__name__} in {Path(place.filename).name}, line {place.lineno}"
            _LOG.error("%s: the parser failed (%s)", remote.uri, fault)
            file.outcome, file.message = "unreadable", f"the parser failed ({fault}); report it"
            self._refuse(number, content, "parser_failed", file.message)
        if not file.read:
            file.outcome = "empty"

    def _is_full(self, batch: Batch) -> bool:
        """Whether to commit now: bounded memory, and little to fetch again after a crash on a slow line."""
        tuning = self.tuning
        too_long = time.monotonic() - batch.opened_at >= tuning.batch_s
        return too_long or len(batch.files) >= tuning.batch_files or batch.read >= tuning.batch_rows

    def _refuse(self, number: int, content: bytes, code: str, reason: str) -> None:
        reject = Reject(None, raw_text(repr(content[:2_000])), code, raw_text(reason))
        self._current().add(number, Parsed(self.entities[0].name, rejects=[reject]))

    def _commit(self) -> None:
        batch = self.batch
        if batch is None:
            return
        batch.commit()
        self.batch = None
        report = self.report
        report.files += len(batch.files)
        report.failed_files += sum(file.outcome == "failed" for file in batch.files)
        if batch.read:
            report.batches += 1
            report.batch_ids.append(batch.batch_id)
            report.read += batch.read
            report.loaded += sum(file.loaded for file in batch.files)
            report.duplicate += sum(file.duplicate for file in batch.files)
            report.rejected += sum(file.rejected for file in batch.files)


def publish(domain: str, *, settings: Settings | None = None) -> PublishReport:
    """Make the batches with verdict ``passed`` visible to dbt, in order, and set the stopped ones aside.

    The advisory lock makes publish_seq of a domain visible in its own order, so that a model may use "above mine" as
    its cursor.
    """
    report = PublishReport(domain)
    with warehouse.connect("loader", settings) as connection:
        connection.execute("select pg_advisory_xact_lock(hashtext(%s))", (f"publish:{domain}",))
        due = connection.execute(
            "select batch_id, verdict from ops.load_batch "
            "where domain = %s and status = 'loaded' and verdict is not null order by batch_id for update",
            (domain,),
        ).fetchall()
        for batch_id, verdict in due:
            if verdict == "passed":
                connection.execute(
                    "update ops.load_batch set status = 'published', published_at = clock_timestamp(), "
                    "publish_seq = nextval('ops.publish_seq') where batch_id = %s",
                    (batch_id,),
                )
                report.published += 1
                report.batch_ids.append(batch_id)
            else:
                connection.execute("update ops.load_batch set status = 'quarantined' where batch_id = %s", (batch_id,))
                report.quarantined += 1
    return report
