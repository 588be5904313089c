"""What every domain that reads an interface must hold of its paging; the whole suite is in ``api_conformance.py``.

The office on the other side is the domain's own stand-in, :class:`sandbox.api.Interface`, over real HTTP. Whatever it
does, in the end raw holds exactly what the office's store holds: :meth:`PagingConformance.assert_nothing_lost`.
"""

from __future__ import annotations

import functools
import itertools
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

import pytest

from extractors.core.errors import Fatal, Retriable
from extractors.core.pipeline import LoadReport, extract
from extractors.core.registry import format_of
from ioc import warehouse
from sandbox.api import Interface, serve
from sandbox.store import Clock, Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from extractors.core.formats.records import RecordsFormat
    from ioc.settings import Settings

# A passing trouble each: (kind, value, further fields of the fault). None of them may cost a record.
PASSING: dict[str, tuple[str, Any, dict[str, Any]]] = {
    "401 once": ("status", 401, {}),
    "tokens end while pages are read": ("expired", None, {"after": 1}),
    "429 with seconds": ("status", 429, {"retry_after": "0"}),
    "429 with a date": ("status", 429, {"retry_after": "date:0", "after": 1}),
    "500": ("status", 500, {"after": 1, "count": 2}),
    "503 at the token endpoint": ("status", 503, {"where": "token"}),
    "a page for people at the token endpoint": ("html", None, {"where": "token"}),
    "truncated JSON": ("truncated", None, {"after": 1}),
    "a page for people with status 200": ("html", None, {"after": 1}),
    "another content type": ("content_type", None, {"count": 9}),
    "silence": ("slow", 1.5, {"after": 1}),
    "a connection that breaks within the body": ("broken", None, {"after": 1}),
    "status 200 and a failure in the body": ("said", None, {"after": 1}),
    "an empty page in the middle": ("empty", None, {"after": 1}),
    "an empty first page": ("empty", None, {}),
    "Windows Vietnamese": ("encoding", "cp1258", {"count": 9}),
    "UTF-16": ("encoding", "utf-16", {"count": 9}),
}

# Those of them that meet a walk between its pages.
MIDWAY = ("tokens end while pages are read", "truncated JSON", "an empty page in the middle")


class PagingConformance:
    """Hooks: ``domain``, ``mapping``, :meth:`interface`, :meth:`fields`, :meth:`rows_in`, :meth:`corrected`."""

    domain: ClassVar[str]
    mapping: ClassVar[str]
    # How many records a page holds: the suite writes three pages.
    page: ClassVar[int] = 4

    def interface(self) -> Interface:
        """The stand-in, over an empty store with a clock of its own."""
        raise NotImplementedError

    def fields(self, number: int) -> dict[str, Any]:
        """Fields of record ``number``, without key and time of change."""
        raise NotImplementedError

    def rows_in(self, fields: dict[str, Any]) -> int:
        """Rows that a record becomes, in all tables together."""
        raise NotImplementedError

    def corrected(self, number: int) -> dict[str, Any]:
        """The fields of record ``number`` that a correction changes, none of them a list; all are columns."""
        raise NotImplementedError

    # -- helpers -------------------------------------------------------------------------------------------------------

    @pytest.fixture(autouse=True)
    def _quick(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("IOC_EXTRACT_BACKOFF_S", "0.01")
        monkeypatch.setenv("IOC_EXTRACT_TIMEOUT_S", "1")

    @pytest.fixture
    def office(self) -> Iterator[Interface]:
        office = self.interface()
        with serve(office.application()) as url:
            self.base = url
            yield office

    def uri(self, office: Interface, password: str | None = None) -> str:
        login = f"{office.user}:{quote(password or office.password, safe='')}@"
        return self.base.replace("://", f"://{login}") + f"#{self.mapping}"

    def load(self, office: Interface, **named: Any) -> LoadReport:
        return extract(self.domain, source_uris=[self.uri(office)], **named)

    def fill(self, office: Interface, first: int, count: int, step_s: float = 1) -> int:
        """Let records come, one every ``step_s`` seconds; returns the rows that they become."""
        rows = 0
        for number in range(first, first + count):
            office.store.clock.move(step_s)
            office.store.change(self.key(number), self.fields(number))
            rows += self.rows_in(self.fields(number))
        return rows

    def key(self, number: int) -> str:
        return f"K-{number:04d}"

    @property
    def parser(self) -> RecordsFormat:
        return format_of(self.domain, self.mapping)  # type: ignore[return-value]

    def query(self, settings: Settings, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with warehouse.connect("loader", settings) as connection:
            return connection.execute(statement, values).fetchall()

    def rows(self, settings: Settings) -> list[tuple[Any, ...]]:
        """Every raw row without its lineage, sorted."""
        found: list[tuple[Any, ...]] = []
        for entity in self.parser.entities:
            columns = ", ".join(f'"{name}"::text' for name in entity.column_names)
            found += self.query(settings, f"select {columns} from raw_{self.domain}.{entity.name}")
        return sorted(found, key=repr)

    def newest(self, settings: Settings) -> dict[str, datetime]:
        """Key → time of change of what raw says last of it."""
        api = self.parser.api
        key = api.key[0]
        return dict(
            self.query(
                settings,
                f'select distinct on ("{key}") "{key}", "{api.changed}" from raw_{self.domain}.{api.entity} '
                f'order by "{key}", _batch_id desc, _loaded_at desc, _source_row desc',
            )
        )

    def cursor(self, settings: Settings) -> datetime | None:
        found = self.query(settings, "select value ->> 'changed_until' from ops.cursor where domain = %s", self.domain)
        return datetime.fromisoformat(found[0][0]) if found and found[0][0] else None

    def assert_nothing_lost(self, settings: Settings, office: Interface) -> None:
        """Raw's newest version of every record is what the store holds, and every count adds up."""
        held = dict(office.store.changed())
        newest = self.newest(settings)
        assert {key: newest.get(key) for key in held} == held
        for table in ("load_batch", "landed_file"):
            counts = self.query(
                settings,
                "select coalesce(sum(read_count - loaded_count - duplicate_count - rejected_count), 0), "
                f"coalesce(sum(loaded_count), 0) from ops.{table} where domain = %s",
                self.domain,
            )
            assert counts == [(0, len(self.rows(settings)))], table

    # -- the suite -----------------------------------------------------------------------------------------------------

    def test_run_twice_gives_the_same_counts(self, settings: Settings, office: Interface) -> None:
        expected = self.fill(office, 0, 3 * self.page)
        first = self.load(office)
        before = self.rows(settings)
        second = self.load(office)
        assert (first.loaded, first.rejected, first.read - first.duplicate) == (expected, 0, expected)
        assert (second.loaded, second.rejected) == (0, 0)
        third = self.load(office)
        assert (third.batches, third.read, third.loaded) == (0, 0, 0), "what has not changed is not even landed again"
        assert self.rows(settings) == before
        assert len(before) == expected
        self.assert_nothing_lost(settings, office)

    def test_the_cursor_is_asked_for_and_only_what_is_new_comes(self, settings: Settings, office: Interface) -> None:
        self.fill(office, 0, 3 * self.page, step_s=3600)
        self.load(office)
        asked = len(office.questions)
        office.store.clock.move(3600)
        expected = self.fill(office, 100, 1)
        report = self.load(office)
        assert report.loaded == expected
        new = [question for question in office.questions[asked:] if question.status == 200]
        assert 0 < sum(question.records for question in new) <= 3
        overlap = self.parser.api.window.overlap  # type: ignore[union-attr]
        began = datetime.fromisoformat(new[0].query[self.parser.api.window.since])  # type: ignore[union-attr]
        assert timedelta() < office.store.clock.now() - began < timedelta(hours=2) + overlap
        assert self.cursor(settings) == max(at for _, at in office.store.changed())

    @pytest.mark.parametrize("trouble", MIDWAY)
    def test_a_trouble_between_pages_costs_nothing(self, settings: Settings, office: Interface, trouble: str) -> None:
        self.meet(settings, office, trouble)

    def meet(self, settings: Settings, office: Interface, trouble: str) -> None:
        """Load everything through a passing trouble.

        Args:
            settings: Of the warehouse.
            office: The source.
            trouble: Name in :data:`PASSING`.
        """
        expected = self.fill(office, 0, 3 * self.page)
        kind, value, more = PASSING[trouble]
        office.misbehave(kind, value, **more)  # type: ignore[arg-type]
        self.load(office)
        assert len(self.rows(settings)) == expected
        self.assert_nothing_lost(settings, office)
        assert self.cursor(settings) == max(at for _, at in office.store.changed())

    def test_records_that_move_between_pages_while_they_are_read_are_not_lost(
        self, settings: Settings, office: Interface
    ) -> None:
        orders = ("changed", "newest", "key") if self.parser.api.paging.shifts else ("changed",)
        for order, act in itertools.product(orders, ("deleted", "changed", "came")):
            office.store, office.order = Store(Clock(office.store.clock.now())), order
            self.forget(settings)
            # Further apart than the overlap, so that the next reading does not find what this one has lost.
            self.fill(office, 0, 3 * self.page, step_s=1800)
            for questions, number in ((1, 0), (2, self.page)):
                office.meanwhile(questions, functools.partial(self._shift, office, act, number))
            self.load(office)
            self.load(office)
            self.assert_nothing_lost(settings, office)

    def forget(self, settings: Settings) -> None:
        """Empty raw and ledger, as if nothing had ever been loaded."""
        with warehouse.connect("owner", settings) as connection:
            for entity in self.parser.entities:
                connection.execute(f"drop table if exists raw_{self.domain}.{entity.name}")
            connection.execute("truncate ops.load_batch, ops.source_file, ops.cursor cascade")

    def _shift(self, office: Interface, act: str, number: int) -> None:
        office.store.clock.move(1)
        if act == "deleted":
            office.store.change(self.key(number), None)
        elif act == "changed":
            office.store.change(self.key(number), self.corrected(number))
        else:
            office.store.change(f"A{self.key(900 + number)}", self.fields(number))

    def test_a_source_whose_clock_is_put_back_loses_nothing(self, settings: Settings, office: Interface) -> None:
        office.store.clock.move(3 * 3600)
        self.fill(office, 0, 2)
        self.load(office)
        office.store.clock.move(-3 * 3600)
        for number in range(10, 13):
            self.fill(office, number, 1, step_s=2)
            assert self.load(office).loaded == self.rows_in(self.fields(number))
        self.assert_nothing_lost(settings, office)
        cursor = self.cursor(settings)
        assert cursor is not None
        assert cursor <= office.store.clock.now()

    def test_pages_that_never_hold_still_are_retriable_and_lose_nothing(
        self, settings: Settings, office: Interface
    ) -> None:
        if not self.parser.api.paging.shifts:
            return
        self.fill(office, 0, 2 * self.page)
        # Every question finds an old record that was not there before.
        past = office.store.clock.now() - timedelta(seconds=2 * self.page)

        def appear(number: int) -> None:
            office.store.change(self.key(number), self.fields(number), past)

        for number in range(100):
            office.meanwhile(number + 1, lambda number=number: appear(200 + number))  # type: ignore[misc]
        with pytest.raises(Retriable, match="its pages still shift"):
            self.load(office)
        assert self.cursor(settings) is None
        office._meanwhile.clear()
        self.load(office)
        self.assert_nothing_lost(settings, office)

    def test_a_page_that_repeats_for_ever_is_a_clear_error(self, settings: Settings, office: Interface) -> None:
        self.fill(office, 0, 3 * self.page)
        office.misbehave("repeat", count=100_000)
        if self.parser.api.paging.kind in ("page", "offset"):
            with pytest.raises(Fatal, match=r"repeats an earlier one again.*correct \[paging\]"):
                self.load(office)
            assert len(office.questions) < 10
            assert self.cursor(settings) is None
            assert self.rows(settings), "what came is kept"
        office.behave()
        self.load(office)
        self.assert_nothing_lost(settings, office)

    def test_a_small_batch_is_kept_before_the_next_begins(
        self, settings: Settings, office: Interface, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("IOC_EXTRACT_BATCH_ROWS", "1")
        expected = self.fill(office, 0, 3 * self.page, step_s=7200)
        report = self.load(office)
        assert report.batches >= 3
        assert report.loaded == expected
        self.assert_nothing_lost(settings, office)
        # The ledger remembers the pages of one reading, not of all.
        ((pages,),) = self.query(settings, "select count(*) from ops.source_file where domain = %s", self.domain)
        self.fill(office, 100, 1)
        self.load(office)
        ((left,),) = self.query(settings, "select count(*) from ops.source_file where domain = %s", self.domain)
        assert left < pages
