"""What every domain's extractor must hold: a domain inherits :class:`ExtractorConformance` and fills in the hooks.

A further format of the same domain inherits :class:`FormatConformance`, the part that depends on the format.
"""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import textwrap
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import psycopg
import pytest

from extractors.core import landing
from extractors.core.errors import Fatal, Retriable
from extractors.core.pipeline import LoadReport, extract, publish
from extractors.core.registry import entities_of
from ioc import warehouse
from ioc.settings import PROJECT_ROOT, Settings

# Steps of an extraction at which it is killed: the statement that the child runs before it begins, and what it kills.
KILL_POINTS = {
    "while fetching": "fetch.fetch_all = dying(fetch.fetch_all, 1)",
    "after landing a file": "landing.Pack.add = dying(landing.Pack.add, 2)",
    "while parsing": "loader.Batch.add = dying(loader.Batch.add, 2)",
    "before writing rows": "loader.Batch._write = dying(loader.Batch._write, 1, before=True)",
    "after writing rows": "loader.Batch._write = dying(loader.Batch._write, 1)",
    "before the pack is visible": "landing.Pack.commit = dying(landing.Pack.commit, 1, before=True)",
    "after the pack is visible": "landing.Pack.commit = dying(landing.Pack.commit, 1)",
    "after writing the ledger": "ledger.write_outcomes = dying(ledger.write_outcomes, 1)",
    "after the commit": "loader.Batch.commit = dying(loader.Batch.commit, 1)",
}
_CHILD = """
from extractors.core import fetch, landing, ledger, loader, pipeline
from tests.fixtures.dying import dying

{patch}
pipeline.fetch_all = fetch.fetch_all
pipeline.extract({domain!r}, source_uris={uris!r})
"""


class Tt10Files:
    """The hooks for station files of TT 10/2021: what stations of a domain send for the suite."""

    station: ClassVar[str]
    names: ClassVar[tuple[str, ...]]
    unit: ClassVar[str]

    def _lines(self, number: int) -> list[str]:
        at = f"20260131{18 + number:02d}0000"
        return [f"{name}\t{number * 10 + n}.5\t{self.unit}\t{at}\t00\r\n" for n, name in enumerate(self.names)]

    def _path(self, folder: Path, number: int) -> Path:
        return folder / f"{self.station}/2026/01/31/{self.station}_20260131{18 + number:02d}0000.txt"

    def write_files(self, folder: Path, first: int, count: int) -> int:
        for number in range(first, first + count):
            path = self._path(folder, number)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(self._lines(number)), newline="")
        return count * len(self.names)

    def correct(self, folder: Path, number: int) -> int:
        changed = self._lines(number)
        changed[0] = changed[0].replace("0.5\t", "0.75\t")
        path = self._path(folder, number)
        path.with_stem(f"{path.stem}_resend").write_text("".join(changed), newline="")
        return len(changed)

    def half(self, folder: Path, number: int) -> tuple[int, int]:
        path = self._path(folder, number)
        path.write_bytes(path.read_bytes()[:-14])
        return (number + 1) * len(self.names) - 1, 1


class FormatConformance:
    """Hooks: ``domain``, :meth:`write_files`, :meth:`correct`, :meth:`half`; ``fragment`` for a mapped format."""

    domain: ClassVar[str]
    fragment: ClassVar[str] = ""

    def write_files(self, folder: Path, first: int, count: int) -> int:
        """Write files ``first`` … ``first + count - 1`` of a fixed series; return how many rows they hold together."""
        raise NotImplementedError

    def correct(self, folder: Path, number: int) -> int:
        """Send file ``number`` again under a new name with one value changed; return how many rows it holds."""
        raise NotImplementedError

    def half(self, folder: Path, number: int) -> tuple[int, int]:
        """Cut file ``number`` inside its last line or record; return the rows left and the rejects to expect."""
        raise NotImplementedError

    # -- helpers -------------------------------------------------------------------------------------------------------

    @pytest.fixture
    def source(self, tmp_path: Path) -> Path:
        folder = tmp_path / "source"
        folder.mkdir()
        return folder

    def uri(self, folder: Path) -> str:
        return f"file://{folder}{self.fragment}"

    def load(self, folder: Path, **named: Any) -> LoadReport:
        age(folder)
        return extract(self.domain, source_uris=[self.uri(folder)], **named)

    def rows(self, settings: Settings) -> list[tuple[Any, ...]]:
        """Every raw row without what differs from run to run, sorted."""
        found: list[tuple[Any, ...]] = []
        with warehouse.connect("loader", settings) as connection:
            for entity in entities_of(self.domain):
                columns = ", ".join(f'"{name}"::text' for name in entity.column_names)
                found += connection.execute(
                    f"select {columns}, _source_uri, _source_row, _row_hash::text from raw_{self.domain}.{entity.name}"
                ).fetchall()
        return sorted(found, key=repr)

    def ledger(self, settings: Settings, columns: str, table: str, order: str = "1") -> list[tuple[Any, ...]]:
        statement = f"select {columns} from ops.{table} where domain = %s order by {order}"
        with warehouse.connect("loader", settings) as connection:
            return connection.execute(statement, (self.domain,)).fetchall()

    # -- the suite -----------------------------------------------------------------------------------------------------

    def test_run_twice_gives_the_same_counts(self, settings: Settings, source: Path) -> None:
        expected = self.write_files(source, 0, 4)
        first = self.load(source)
        before = self.rows(settings)
        second = self.load(source)
        assert (first.files, first.read, first.loaded, first.duplicate, first.rejected) == (4, expected, expected, 0, 0)
        assert (second.batches, second.files, second.read) == (0, 0, 0)
        assert self.rows(settings) == before
        assert len(before) == expected

    def test_every_row_can_be_rebuilt_from_what_was_landed(self, settings: Settings, source: Path) -> None:
        self.write_files(source, 0, 3)
        self.load(source)
        landed = self.ledger(settings, "source_uri, sha256, landed_path, byte_count", "landed_file")
        assert len(landed) == 3
        for uri, sha256, path, size in landed:
            content = landing.read(settings.landing, path)
            assert content == Path(uri.removeprefix("file://")).read_bytes()
            assert (path.endswith(f"#{sha256}"), len(content)) == (True, size)

    def test_the_same_files_under_other_names_are_duplicates(self, settings: Settings, source: Path) -> None:
        expected = self.write_files(source, 0, 3)
        self.load(source)
        again = source / "again"
        again.mkdir()
        self.write_files(again, 0, 3)
        report = self.load(source)
        assert (report.files, report.loaded, report.duplicate) == (3, 0, expected)
        assert len(self.rows(settings)) == expected
        outcomes = self.ledger(settings, "read_count, loaded_count, duplicate_count", "landed_file", "landed_file_id")
        assert all(read == duplicate for read, _, duplicate in outcomes[3:])

    @pytest.mark.usefixtures("settings")
    def test_touched_and_replayed_files_load_nothing_new(self, source: Path) -> None:
        expected = self.write_files(source, 0, 2)
        self.load(source)
        age(source, 5_000)
        touched = extract(self.domain, source_uris=[self.uri(source)])
        assert (touched.files, touched.read) == (2, 0)
        replayed = self.load(source, mode="replay")
        assert (replayed.loaded, replayed.duplicate) == (0, expected)

    def test_a_correction_is_a_new_row_beside_the_old_one(self, settings: Settings, source: Path) -> None:
        expected = self.write_files(source, 0, 2)
        self.load(source)
        held = self.correct(source, 1)
        report = self.load(source)
        assert (report.read, report.loaded, report.duplicate) == (held, 1, held - 1)
        assert len(self.rows(settings)) == expected + 1

    def test_a_correction_taken_back_ends_as_the_first_value(self, settings: Settings, source: Path) -> None:
        self.write_files(source, 0, 2)
        self.load(source)
        self.correct(source, 1)
        self.load(source)
        for name, new in (("again", 1), ("once-more", 0)):
            (source / name).mkdir()
            read = self.write_files(source / name, 1, 1)
            report = self.load(source)
            assert (report.loaded, report.duplicate) == (new, read - new), name
        entity = entities_of(self.domain)[0]
        values = ", ".join(f'"{column}"::text' for column in entity.hash_columns)
        with warehouse.connect("loader", settings) as connection:
            said = connection.execute(
                f"select {values} from raw_{self.domain}.{entity.name} order by _batch_id, _loaded_at, _source_row"
            ).fetchall()
        # First, corrected, first again: the newest row repeats one that was there before.
        assert said[-1] in said[:-2]
        assert said[-1] != said[-2]

    def test_a_correction_in_the_same_batch_is_the_later_one(self, settings: Settings, source: Path) -> None:
        self.write_files(source, 0, 3)
        self.load(source)
        self.forget(settings)
        self.correct(source, 1)
        self.load(source)
        entity = entities_of(self.domain)[0]
        with warehouse.connect("loader", settings) as connection:
            # The files were loaded together, the corrected one last: its only new row is the youngest.
            row = connection.execute(
                "select _source_uri, count(*) over (partition by _source_uri) "
                f"from raw_{self.domain}.{entity.name} order by _loaded_at desc, _source_row desc limit 1"
            ).fetchone()
        assert row is not None
        newest = self.ledger(settings, "source_uri", "landed_file", "landed_file_id desc limit 1")
        assert (row[0], row[1]) == (newest[0][0], 1)

    def test_late_and_out_of_order_files_give_the_same_rows(self, settings: Settings, source: Path) -> None:
        for number in (3, 0, 2, 1):
            self.write_files(source, number, 1)
            self.load(source)
        piecewise = self.rows(settings)
        self.forget(settings)
        self.load(source)
        assert self.rows(settings) == piecewise

    def forget(self, settings: Settings) -> None:
        """Empty raw and ledger, as if nothing had ever been loaded."""
        with warehouse.connect("owner", settings) as connection:
            for entity in entities_of(self.domain):
                connection.execute(f"truncate raw_{self.domain}.{entity.name}")
            connection.execute("truncate ops.load_batch, ops.source_file, ops.cursor cascade")

    def test_a_half_file_loads_what_is_whole_and_the_rest_when_it_comes(self, settings: Settings, source: Path) -> None:
        expected = self.write_files(source, 0, 2)
        kept, refused = self.half(source, 1)
        first = self.load(source)
        assert (first.loaded, first.rejected) == (kept, refused)
        assert ("partial",) in self.ledger(settings, "outcome", "landed_file")
        assert len(self.ledger(settings, "raw_text, reason", "rejected_row")) == refused
        self.write_files(source, 1, 1)
        age(source / "", 2_000)
        second = extract(self.domain, source_uris=[self.uri(source)])
        assert (second.loaded, second.rejected) == (expected - kept, 0)
        assert len(self.rows(settings)) == expected

    def test_empty_source_and_empty_file(self, settings: Settings, source: Path) -> None:
        assert self.load(source).as_dict()["files"] == 0
        self.write_files(source, 0, 1)
        (path,) = (p for p in source.rglob("*") if p.is_file())
        path.write_bytes(b"")
        report = self.load(source)
        assert (report.batches, report.files, report.read) == (0, 1, 0)
        assert self.ledger(settings, "outcome", "landed_file") in ([("empty",)], [("unreadable",)])

    def test_a_file_being_written_is_left_for_the_next_run(
        self, settings: Settings, source: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        expected = self.write_files(source, 0, 2)
        age(source)
        growing = max(p for p in source.rglob("*") if p.is_file())
        whole = growing.read_bytes()
        growing.write_bytes(whole[: len(whole) // 2])
        monkeypatch.setattr(time, "sleep", lambda _: growing.write_bytes(whole))
        first = extract(self.domain, source_uris=[self.uri(source)])
        assert (first.files, first.left_for_next_run, first.rejected) == (1, 1, 0)
        monkeypatch.undo()
        os.environ["IOC_HOME"], os.environ["IOC_WAREHOUSE_URL"] = str(settings.home), str(settings.warehouse_url)
        self.load(source)
        assert len(self.rows(settings)) == expected


class ExtractorConformance(FormatConformance):
    """The whole suite."""

    def test_unreachable_source_is_retriable_and_the_others_are_loaded(self, settings: Settings, source: Path) -> None:
        expected = self.write_files(source, 0, 1)
        age(source)
        gone = f"sftp://u:secret@127.0.0.1:1/x{self.fragment}"
        with pytest.raises(Retriable, match=r"sftp://127\.0\.0\.1:1/x does not answer") as caught:
            extract(self.domain, source_uris=[gone, self.uri(source)])
        assert "secret" not in str(caught.value)
        assert len(self.rows(settings)) == expected
        outcomes = dict(self.ledger(settings, "outcome, source_uri", "landed_file"))
        assert outcomes["failed"] == "sftp://127.0.0.1:1/x"

    @pytest.mark.parametrize("point", KILL_POINTS)
    def test_killed_anywhere_a_rerun_ends_in_the_same_state(self, settings: Settings, source: Path, point: str) -> None:
        expected = self.write_files(source, 0, 5)
        age(source)
        child = _CHILD.format(patch=KILL_POINTS[point], domain=self.domain, uris=[self.uri(source)])
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(child)],
            cwd=PROJECT_ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == -signal.SIGKILL, done.stderr
        # Nothing half: either the whole batch is there or none of it.
        statuses = self.ledger(settings, "status", "load_batch")
        assert statuses in ([], [("loaded",)])
        assert len(self.rows(settings)) == (expected if statuses else 0)
        report = self.load(source)
        assert report.loaded == (0 if statuses else expected)
        assert len(self.rows(settings)) == expected
        assert self.ledger(settings, "status", "load_batch") == [("loaded",)]
        assert len(self.ledger(settings, "source_uri", "source_file")) == 5
        assert not list(settings.landing.rglob("*.part"))

    def test_a_warehouse_that_goes_away_is_retriable_and_leaves_nothing(
        self, settings: Settings, source: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        expected = self.write_files(source, 0, 3)
        landed = landing.Pack.commit

        def cut_off(pack: landing.Pack) -> None:
            landed(pack)
            with warehouse.connect("owner", settings) as connection:
                connection.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity "
                    "where datname = current_database() and application_name = 'ioc-loader' and xact_start is not null"
                )

        with monkeypatch.context() as patched:
            patched.setattr(landing.Pack, "commit", cut_off)
            with pytest.raises(Retriable, match="the warehouse went away"):
                self.load(source)
        assert self.rows(settings) == []
        assert self.load(source).loaded == expected

    def test_a_full_disk_is_fatal_and_leaves_nothing(
        self, settings: Settings, source: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        expected = self.write_files(source, 0, 3)

        def full(_pack: landing.Pack) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr(landing.Pack, "commit", full)
            with pytest.raises(Fatal, match="No space left on device"):
                self.load(source)
        assert self.rows(settings) == []
        assert not list(settings.landing.rglob("*.part"))
        assert self.load(source).loaded == expected

    def test_two_extractions_at_once_load_everything_once(self, settings: Settings, source: Path) -> None:
        expected = self.write_files(source, 0, 5)
        age(source)
        call = f"extract({self.domain!r}, source_uris=[{self.uri(source)!r}])"
        code = f"from extractors.core.pipeline import extract; {call}"
        running = [subprocess.Popen([sys.executable, "-c", code], cwd=PROJECT_ROOT) for _ in range(2)]
        assert [process.wait(60) for process in running] == [0, 0]
        assert len(self.rows(settings)) == expected
        assert self.ledger(settings, "loaded_count, duplicate_count", "load_batch") == [(expected, 0)]

    def test_a_changed_type_stops_with_a_clear_error(self, settings: Settings, source: Path) -> None:
        entity = entities_of(self.domain)[0]
        self.load(source)
        column = next(c for c in entity.columns if c.type == "text" and c.name != entity.partition_by)
        with warehouse.connect("owner", settings) as connection:
            connection.execute(f'alter table raw_{self.domain}.{entity.name} alter "{column.name}" type varchar(40)')
        with pytest.raises(
            Fatal, match=rf"{column.name} is character varying\(40\) in the warehouse but declared as text"
        ):
            self.load(source)

    def test_a_new_column_is_let_in(self, settings: Settings, source: Path) -> None:
        expected = self.write_files(source, 0, 1)
        entity = entities_of(self.domain)[0]
        self.load(source)
        column = next(c for c in reversed(entity.columns) if c.name not in entity.hash_columns)
        with warehouse.connect("owner", settings) as connection:
            connection.execute(f'alter table raw_{self.domain}.{entity.name} drop column "{column.name}"')
        self.write_files(source, 1, 1)
        self.load(source)
        with warehouse.connect("transformer", settings) as connection:
            row = connection.execute(
                f'select count("{column.name}"), count(*) from raw_{self.domain}.{entity.name}'
            ).fetchone()
        assert row is not None
        assert 0 < row[0] < row[1]
        assert row[1] > expected

    def test_publish_follows_the_verdict_and_keeps_the_order(self, settings: Settings, source: Path) -> None:
        for number in range(3):
            self.write_files(source, number, 1)
            self.load(source)
        with warehouse.connect("loader", settings) as connection:
            ids = [row[0] for row in connection.execute("select batch_id from ops.load_batch order by 1")]
            connection.execute(
                "update ops.load_batch set verdict = 'passed' where batch_id = any(%s)", ([ids[0], ids[2]],)
            )
        assert publish(self.domain).batch_ids == [ids[0], ids[2]]
        with warehouse.connect("loader", settings) as connection:
            connection.execute("update ops.load_batch set verdict = 'stopped' where batch_id = %s", (ids[1],))
        assert publish(self.domain).as_dict() == {
            "domain": self.domain, "published": 0, "quarantined": 1, "batch_ids": [],
        }  # fmt: skip
        states = self.ledger(settings, "status", "load_batch", "batch_id")
        assert states == [("published",), ("quarantined",), ("published",)]

    def test_only_the_loader_writes_raw(self, settings: Settings, source: Path) -> None:
        self.write_files(source, 0, 1)
        self.load(source)
        table = f"raw_{self.domain}.{entities_of(self.domain)[0].name}"
        with warehouse.connect("transformer", settings) as connection:
            assert connection.execute(f"select count(*) from {table}").fetchone() != (0,)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"delete from {table}")
        for role in ("bi_reader", "portal", "alerts"):
            with (
                warehouse.connect(role, settings) as connection,  # type: ignore[arg-type]
                pytest.raises(psycopg.errors.InsufficientPrivilege),
            ):
                connection.execute(f"select 1 from {table}")


def age(folder: Path, seconds: float = 3_600) -> None:
    """Make every file below ``folder`` look untouched for some time, in the order of their names; keeps aged ones."""
    now = datetime.now(UTC)
    for index, path in enumerate(sorted(p for p in folder.rglob("*") if p.is_file())):
        if seconds != 3_600 or path.stat().st_mtime > (now - timedelta(seconds=60)).timestamp():
            moment = (now - timedelta(seconds=seconds)).timestamp() + index / 10
            os.utime(path, (moment, moment))
