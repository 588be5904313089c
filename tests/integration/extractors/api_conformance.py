"""What every domain that reads an interface must hold: it inherits :class:`ApiConformance` and fills in the hooks.

A further paging of the same domain inherits :class:`PagingConformance`, the part that depends on the paging.
"""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
import textwrap
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from paging_conformance import MIDWAY, PASSING, PagingConformance

import extractors
from extractors.core import landing
from extractors.core.errors import Fatal, Retriable
from extractors.core.pipeline import extract
from extractors.core.registry import entities_of
from ioc import warehouse
from ioc.settings import PROJECT_ROOT, Settings

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.api import Interface

# Steps of an extraction at which it is killed, as in the suite of files.
KILL_POINTS = {
    "while buying a token": "client.Client._buy = dying(client.Client._buy, 1)",
    "while reading pages": "walk.Reader._fetch = dying(walk.Reader._fetch, 2)",
    "after landing a page": "landing.Pack.add = dying(landing.Pack.add, 1)",
    "while parsing": "loader.Batch.add = dying(loader.Batch.add, 2)",
    "before writing rows": "loader.Batch._write = dying(loader.Batch._write, 1, before=True)",
    "after writing rows": "loader.Batch._write = dying(loader.Batch._write, 1)",
    "before the pack is visible": "landing.Pack.commit = dying(landing.Pack.commit, 1, before=True)",
    "after the pack is visible": "landing.Pack.commit = dying(landing.Pack.commit, 1)",
    "before the cursor moves": "ledger.write_cursor = dying(ledger.write_cursor, 1, before=True)",
    "after the cursor has moved": "ledger.write_cursor = dying(ledger.write_cursor, 1)",
    "after forgetting pages": "ledger.forget_pages = dying(ledger.forget_pages, 1)",
    "after the commit": "loader.Batch.commit = dying(loader.Batch.commit, 1)",
}
_CHILD = """
import extractors
extractors.__path__[:] = {path!r}
from extractors.core import landing, ledger, loader, pipeline
from extractors.core.api import client, walk
from tests.fixtures.dying import dying

{patch}
pipeline.extract({domain!r}, source_uris={uris!r})
"""


class ApiConformance(PagingConformance):
    """The whole suite."""

    @pytest.mark.parametrize("trouble", [trouble for trouble in PASSING if trouble not in MIDWAY])
    def test_a_passing_trouble_costs_nothing(self, settings: Settings, office: Interface, trouble: str) -> None:
        self.meet(settings, office, trouble)

    def test_every_row_can_be_rebuilt_from_what_was_landed(
        self, settings: Settings, office: Interface, tmp_path: Path
    ) -> None:
        self.fill(office, 0, 3 * self.page)
        self.load(office)
        held = self.rows(settings)
        for uri, row in self.query(
            settings, f"select _source_uri, _source_row from raw_{self.domain}.{self.parser.api.entity}"
        ):
            assert uri.startswith(f"{self.base}{office.path}?")
            assert 1 <= row <= self.page
            assert office.password not in uri
        landed = self.query(settings, "select landed_path from ops.landed_file where landed_path is not null")
        for number, (path,) in enumerate(landed):
            (tmp_path / f"{number:03d}.json").write_bytes(landing.read(settings.landing, path))
        with warehouse.connect("owner", settings) as connection:
            for entity in entities_of(self.domain):
                connection.execute(f"truncate raw_{self.domain}.{entity.name}")
        extract(self.domain, source_uris=[f"file://{tmp_path}#{self.mapping}"])
        assert self.rows(settings) == held

    def test_a_correction_is_a_new_row_and_one_taken_back_ends_as_the_first(
        self, settings: Settings, office: Interface
    ) -> None:
        self.fill(office, 0, 2)
        self.load(office)
        first = self.fields(1)
        for fields in (self.corrected(1), {name: first[name] for name in self.corrected(1)}):
            office.store.clock.move(5)
            office.store.change(self.key(1), fields)
            assert self.load(office).loaded == 1
            self.assert_nothing_lost(settings, office)

    def test_changes_without_a_new_time_of_change_are_seen(self, settings: Settings, office: Interface) -> None:
        self.fill(office, 0, 2)
        self.load(office)
        ((_, stamped),) = [item for item in office.store.changed() if item[0] == self.key(1)]
        first = self.fields(1)
        entity = self.parser.api.entity
        back = {name: first[name] for name in self.corrected(1)}
        for fields, new in ((self.corrected(1), 1), (back, 1), ({}, 0)):
            office.store.change(self.key(1), fields, stamped)
            assert self.load(office).loaded == new
        payloads = self.query(
            settings, f"select payload::text from raw_{self.domain}.{entity} where payload ->> %s = %s "
            "order by _batch_id, _loaded_at", office.key_field, self.key(1),
        )  # fmt: skip
        assert len(payloads) == 3
        assert payloads[0] == payloads[2] != payloads[1]

    def test_late_and_out_of_order_records_are_found(self, settings: Settings, office: Interface) -> None:
        self.fill(office, 0, 3)
        newest = office.store.clock.now()
        office.store.clock.move(3600)
        self.load(office)
        # An hour of silence does not move the cursor: what happened in it may be shown yet.
        assert self.cursor(settings) == newest
        office.store.change(self.key(40), self.fields(40), newest + timedelta(minutes=1))
        assert self.load(office).loaded == self.rows_in(self.fields(40))
        self.fill(office, 3, 1)
        self.load(office)
        now = office.store.clock.now()
        overlap = self.parser.api.window.overlap  # type: ignore[union-attr]
        # The source showed it only now: a transaction that lasted nearly as long as the overlap.
        office.store.change(self.key(50), self.fields(50), now - overlap * 0.9)
        assert self.load(office).loaded == self.rows_in(self.fields(50))
        office.store.change(self.key(51), self.fields(51), now - overlap * 3)
        assert self.load(office).loaded == 0
        kept = self.cursor(settings)
        report = self.load(office, since=now - overlap * 4)
        assert report.loaded == self.rows_in(self.fields(51)), "a range that is asked for is read"
        assert self.cursor(settings) == kept
        self.assert_nothing_lost(settings, office)

    def test_piecewise_and_at_once_give_the_same_rows(self, settings: Settings, office: Interface) -> None:
        for first in range(0, 3 * self.page, self.page):
            self.fill(office, first, self.page, step_s=600)
            self.load(office)
        piecewise = self.rows(settings)
        self.forget(settings)
        self.load(office)
        assert self.rows(settings) == piecewise

    @pytest.mark.parametrize(
        "trouble",
        [
            ("status", 503, "answers 503; the next run asks again"),
            ("truncated", None, "ends too early"),
            ("html", None, "a page for people 'Hệ thống đang bảo trì' instead of JSON"),
            ("broken", None, "the connection broke within the answer"),
            ("slow", 1.2, "no answer in time"),
        ],
    )
    def test_a_lasting_trouble_keeps_what_was_read_and_never_moves_the_cursor_past_it(
        self, settings: Settings, office: Interface, trouble: tuple[str, Any, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        kind, value, says = trouble
        monkeypatch.setenv("IOC_EXTRACT_ATTEMPTS", "2")
        monkeypatch.setenv("IOC_EXTRACT_TIMEOUT_S", "0.5")
        expected = self.fill(office, 0, 3 * self.page)
        office.misbehave(kind, value, after=1, count=1000)  # type: ignore[arg-type]
        with pytest.raises(Retriable, match=says) as caught:
            self.load(office)
        assert office.password not in str(caught.value)
        kept = len(self.rows(settings))
        assert 0 < kept < expected
        cursor = self.cursor(settings)
        read = set(self.newest(settings))
        assert cursor is None or all(key in read for key, at in office.store.changed() if at < cursor)
        failed = self.query(settings, "select message from ops.landed_file where outcome = 'failed'")
        assert len(failed) == 1
        assert says in failed[0][0]
        office.behave()
        assert self.load(office).loaded == expected - kept
        self.assert_nothing_lost(settings, office)

    def test_a_long_wish_for_a_pause_is_left_to_the_scheduler(self, office: Interface, settings: Settings) -> None:
        self.fill(office, 0, 1)
        # The source's clock is hours off: its date is meant by its own clock.
        office.store.clock.move(5 * 3600)
        office.misbehave("status", 429, retry_after="date:900")
        with pytest.raises(Retriable, match="answers 429") as caught:
            self.load(office)
        assert 890 <= caught.value.delay_s <= 900
        assert self.cursor(settings) is None

    def test_a_wrong_password_is_fatal_and_is_not_repeated_in_any_message(
        self, settings: Settings, office: Interface
    ) -> None:
        self.fill(office, 0, 1)
        with pytest.raises(Fatal, match="check the user") as caught:
            extract(self.domain, source_uris=[self.uri(office, "not-this/one")])
        assert "not-this" not in str(caught.value)
        failed = self.query(settings, "select source_uri, message from ops.landed_file where outcome = 'failed'")
        assert len(failed) == 1
        assert "not-this" not in str(failed)

    def test_an_unreachable_source_is_retriable_and_the_others_are_loaded(
        self, settings: Settings, office: Interface
    ) -> None:
        expected = self.fill(office, 0, 2)
        gone = f"http://u:secret@127.0.0.1:1/x#{self.mapping}"
        with pytest.raises(Retriable, match="does not answer") as caught:
            extract(self.domain, source_uris=[gone, self.uri(office)])
        assert "secret" not in str(caught.value)
        assert len(self.rows(settings)) == expected

    def test_one_bad_record_among_good_ones(self, settings: Settings, office: Interface) -> None:
        expected = self.fill(office, 0, 3)
        office.misbehave("garbled", "¿hỏng? \x00")
        report = self.load(office)
        assert (report.loaded, report.rejected) == (expected - self.rows_in(self.fields(0)), 1)
        ((code, text, row),) = self.query(settings, "select reason_code, raw_text, source_row from ops.rejected_row")
        assert (code, row) == ("not_a_record", 1)
        assert "¿hỏng? ␀" in text

    def test_a_grown_record_is_let_in_and_kept_in_its_payload(self, settings: Settings, office: Interface) -> None:
        expected = self.fill(office, 0, 2)
        office.misbehave("grown", {"truongMoi": {"sâu": [1, "ế"]}})
        assert self.load(office).loaded == expected
        found = self.query(
            settings, f"select distinct payload -> 'truongMoi' from raw_{self.domain}.{self.parser.api.entity}"
        )
        assert found == [({"sâu": [1, "ế"]},)]

    def test_a_changed_type_is_a_counted_reject_and_the_others_load(
        self, settings: Settings, office: Interface
    ) -> None:
        expected = self.fill(office, 0, 2)
        name = next(iter(self.corrected(0)))
        office.misbehave("retyped", name)
        report = self.load(office)
        assert (report.loaded, report.rejected) == (expected - self.rows_in(self.fields(0)), 1)
        ((code, text),) = self.query(settings, "select reason_code, raw_text from ops.rejected_row")
        assert code in ("wrong_type", "bad_timestamp")
        assert self.key(0) in text

    def test_one_key_with_two_contents_keeps_both_and_never_grows(self, settings: Settings, office: Interface) -> None:
        self.fill(office, 0, 2)
        office.misbehave("contradiction", self.corrected(1), count=1000)
        first = self.load(office)
        held = self.rows(settings)
        for number in range(2):
            # An older record comes, so that the page is another one and is read again.
            office.store.change(
                self.key(10 + number), self.fields(10 + number), office.store.clock.now() - timedelta(minutes=1)
            )
            assert self.load(office).loaded == self.rows_in(self.fields(10 + number))
        key = self.parser.api.key[0]
        ((count,),) = self.query(
            settings, f'select count(*) from raw_{self.domain}.{self.parser.api.entity} where "{key}" = %s', self.key(1)
        )
        assert (first.loaded, count) == (len(held), 2)

    @pytest.mark.parametrize("skew_s", [-3 * 3600, 3 * 3600])
    def test_the_cursor_is_the_source_s_clock_whatever_ours_says(
        self, settings: Settings, office: Interface, skew_s: float
    ) -> None:
        office.store.clock.move(skew_s)
        self.fill(office, 0, self.page)
        self.load(office)
        assert self.cursor(settings) == max(at for _, at in office.store.changed())
        self.fill(office, 100, 1)
        assert self.load(office).loaded == self.rows_in(self.fields(100))
        self.assert_nothing_lost(settings, office)

    def test_a_record_dated_into_the_future_moves_nothing(self, settings: Settings, office: Interface) -> None:
        self.fill(office, 0, 2)
        office.store.change(self.key(9), self.fields(9), office.store.clock.now() + timedelta(days=300))
        self.load(office)
        cursor = self.cursor(settings)
        assert cursor is not None
        assert cursor <= office.store.clock.now()
        self.fill(office, 20, 2, step_s=60)
        self.load(office)
        self.assert_nothing_lost(settings, office)

    @pytest.mark.parametrize("point", KILL_POINTS)
    def test_killed_anywhere_a_rerun_ends_in_the_same_state(
        self, settings: Settings, office: Interface, point: str
    ) -> None:
        if office.login != "token" and "token" in point:
            return
        expected = self.fill(office, 0, 3 * self.page)
        # The schema is there, as on every run but the first.
        self.load(office, since=office.store.clock.now() + timedelta(days=1))
        child = _CHILD.format(
            patch=KILL_POINTS[point], domain=self.domain, uris=[self.uri(office)], path=list(extractors.__path__)
        )
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(child)],
            cwd=PROJECT_ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == -signal.SIGKILL, done.stderr
        # Rows and cursor go together: either the whole batch is there and the cursor has moved, or neither.
        there = bool(self.rows(settings))
        assert len(self.rows(settings)) == (expected if there else 0)
        assert (self.cursor(settings) is not None) == there
        assert self.load(office).loaded == (0 if there else expected)
        assert len(self.rows(settings)) == expected
        self.assert_nothing_lost(settings, office)
        assert not list(settings.landing.rglob("*.part"))

    def test_two_extractions_at_once_load_everything_once(self, settings: Settings, office: Interface) -> None:
        expected = self.fill(office, 0, 3 * self.page)
        self.load(office, since=office.store.clock.now() + timedelta(days=1))
        child = textwrap.dedent(
            _CHILD.format(patch="", domain=self.domain, uris=[self.uri(office)], path=list(extractors.__path__))
        )
        running = [subprocess.Popen([sys.executable, "-c", child], cwd=PROJECT_ROOT) for _ in range(2)]
        assert [process.wait(60) for process in running] == [0, 0]
        assert len(self.rows(settings)) == expected
        self.assert_nothing_lost(settings, office)

    def test_a_full_disk_leaves_neither_rows_nor_cursor(
        self, settings: Settings, office: Interface, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        expected = self.fill(office, 0, 3)

        def full(_pack: landing.Pack) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr(landing.Pack, "commit", full)
            with pytest.raises(Fatal, match="No space left on device"):
                self.load(office)
        assert (self.rows(settings), self.cursor(settings)) == ([], None)
        assert self.load(office).loaded == expected
