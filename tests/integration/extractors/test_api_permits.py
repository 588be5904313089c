"""Interfaces against the suite that every domain inherits: a test-only domain declared in ``permits.toml``, no code."""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from api_conformance import ApiConformance
from fastapi import FastAPI
from paging_conformance import PagingConformance

import extractors
from extractors.core.api import walk
from extractors.core.errors import Fatal, Retriable
from extractors.core.pipeline import extract
from ioc import warehouse
from sandbox.api import Interface, serve
from sandbox.store import Clock, Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ioc.settings import Settings

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
_DECLARATION = (Path(__file__).parent / "permits.toml").read_text(encoding="utf-8")


def declare(folder: Path, domain: str, declaration: str, name: str = "permits") -> None:
    """Lay a domain out: nothing but its declaration."""
    apis = folder / domain / "apis"
    apis.mkdir(parents=True, exist_ok=True)
    (apis / f"{name}.toml").write_text(declaration, encoding="utf-8")


class Permits(PagingConformance):
    domain: ClassVar[str] = "permits"
    mapping: ClassVar[str] = "permits"
    declaration: ClassVar[str] = _DECLARATION

    @pytest.fixture(autouse=True)
    def _domain(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        declare(tmp_path / "rooms", self.domain, self.declaration)
        monkeypatch.setattr(extractors, "__path__", [*extractors.__path__, str(tmp_path / "rooms")])
        yield
        for name in [name for name in sys.modules if name.startswith("extractors.permits")]:
            del sys.modules[name]

    def interface(self) -> Interface:
        return Interface(Store(Clock(NOW)), path="/permits", most=self.page)

    def fields(self, number: int) -> dict[str, Any]:
        return {
            "chuHo": {"hoTen": f"Lê Thị Ế {number}", "diaChi": [{"maXa": f"16{number:03d}"}]},
            "trangThai": 2,
            "lePhi": "1.500.000,5",
            "trucTuyen": "Có",
            "ngayNhan": "02/03/2026",
            "henTra": "09/03/2026 17:00",
            "cacBuoc": [{"thuTu": step, "donVi": f"Phòng {number}-{step}"} for step in range(1, number % 3 + 1)],
        }

    def rows_in(self, fields: dict[str, Any]) -> int:
        return 1 + len(fields["cacBuoc"])

    def corrected(self, number: int) -> dict[str, Any]:
        return {"trangThai": 4 + number % 3, "lePhi": 12}


class TestByPageNumber(Permits, ApiConformance):
    def test_columns_are_as_declared(self, settings: Settings, office: Interface) -> None:
        office.store.change("TH-1", {**self.fields(1), "ghiChu": "e\u0302\u0301", "secondsLeft": 7})
        self.load(office)
        with warehouse.connect("transformer", settings) as connection:
            row = connection.execute(
                "select permit_code, holder_name, commune_code, status_code, fee_vnd::text, is_online, "
                "received_on::text, due_at = '2026-03-09 17:00+07', payload ->> 'ghiChu', payload ? 'secondsLeft' "
                "from raw_permits.permit"
            ).fetchone()
            step = connection.execute("select permit_code, step_number, unit_name from raw_permits.permit_step")
            assert step.fetchall() == [("TH-1", 1, "Phòng 1-1")]
        assert row == ("TH-1", "Lê Thị Ế 1", "16001", 2, "1500000.5", True, "2026-03-02", True, "ế", False)

    def test_a_status_that_goes_backwards_is_kept_in_the_order_in_which_it_was_said(
        self, settings: Settings, office: Interface
    ) -> None:
        self.fill(office, 0, 1)
        self.load(office)
        for status in (4, 9, 4, 9):
            office.store.clock.move(60)
            office.store.change(self.key(0), {"trangThai": status})
            assert self.load(office).loaded == 1
        said = self.query(settings, "select status_code from raw_permits.permit order by _batch_id, _loaded_at")
        assert [status for (status,) in said] == [2, 4, 9, 4, 9]

    def test_a_source_without_a_total_is_asked_until_nothing_comes(self, settings: Settings, office: Interface) -> None:
        office.counts = False
        expected = self.fill(office, 0, 3 * self.page)
        office.misbehave("empty", after=1)
        assert self.load(office).loaded == expected
        self.assert_nothing_lost(settings, office)

    def test_a_source_that_gives_less_than_asked_for_is_read_to_its_end(
        self, settings: Settings, office: Interface
    ) -> None:
        office.most, office.counts = 3, False
        expected = self.fill(office, 0, 11)
        assert self.load(office).loaded == expected
        self.assert_nothing_lost(settings, office)

    def test_tokens_are_renewed_before_they_end_and_when_they_are_refused(
        self, settings: Settings, office: Interface
    ) -> None:
        office.token_s = 30
        self.fill(office, 0, 3 * self.page)
        # The office's clock passes the token's life between two pages; ours says that it is good still.
        office.meanwhile(1, lambda: office.store.clock.move(60))
        self.load(office)
        statuses = [question.status for question in office.questions]
        assert statuses.count(401) == 1
        self.assert_nothing_lost(settings, office)

    def test_whatever_a_record_holds_postgresql_takes_it_or_it_is_a_counted_reject(
        self, settings: Settings, office: Interface
    ) -> None:
        hostile: list[Any] = [
            {"ghiChu": "a\x00b", "chuHo": {"hoTen": "NUL \x00 \ud800 \\\\ \t\n"}},
            {"lePhi": 10**300},
            {"lePhi": float("inf"), "ghiChu": float("nan")},
            {"henTra": "31/02/2026 25:00"},
            {"ngayNhan": "2026-03-02T00:00:00+20:00"},
            {"sau": json.loads("[" * 200 + "]" * 200)},
            {"x\x00y": {"\ud800": 10**400}},
            {"cacBuoc": [{"thuTu": "một"}, 5, {"thuTu": 1}]},
            {"cacBuoc": {"thuTu": 1, "donVi": "một đối tượng"}},
        ]
        for number, fields in enumerate(hostile):
            office.store.change(self.key(number), fields)
        report = self.load(office)
        # Rejected: 10^300, no such day, nested too deep, and two of the steps.
        assert (report.rejected, report.loaded) == (5, len(hostile) - 3 + 2)
        names = self.query(settings, "select holder_name from raw_permits.permit where holder_name is not null")
        assert names == [("NUL ␀ ? \\\\ \t\n",)]
        codes = self.query(settings, "select reason_code from ops.rejected_row order by 1")
        assert [code for (code,) in codes] == [
            "bad_timestamp", "bad_value", "bad_value", "not_a_record", "not_a_record",
        ]  # fmt: skip

    def test_a_reader_that_walks_once_would_be_found(
        self, settings: Settings, office: Interface, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def once(reader: walk.Reader, span: Any) -> Iterator[walk.Page]:
            for page in reader._walk(span):
                yield from reader._handing_over(page, 1)

        monkeypatch.setattr(walk.Reader, "_settled", once)
        with pytest.raises(AssertionError):
            self.test_records_that_move_between_pages_while_they_are_read_are_not_lost(settings, office)

    def test_a_cursor_that_runs_ahead_of_what_was_read_would_be_found(
        self, settings: Settings, office: Interface, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def ahead(reader: walk.Reader, _span: Any) -> Iterator[walk.Position]:
            yield walk.Position(reader._now())

        monkeypatch.setattr(walk.Reader, "_position", ahead)
        with pytest.raises(AssertionError):
            self.test_late_and_out_of_order_records_are_found(settings, office)


class TestInSlices(Permits):
    """A long stretch is read slice by slice, each kept before the next begins."""

    declaration = _DECLARATION.replace(
        "overlap_minutes = 10", "overlap_minutes = 10\nstart = 2026-03-01T00:00:00+07:00\nslice_hours = 6"
    )

    def test_a_stretch_is_cut_and_what_was_read_stays_read(self, settings: Settings, office: Interface) -> None:
        office.store.clock.move(-20 * 3600)
        expected = self.fill(office, 0, 20, step_s=3600)
        office.misbehave("status", 503, after=9, count=1000)
        with pytest.raises(Retriable):
            self.load(office)
        cursor, held = self.cursor(settings), self.newest(settings)
        assert cursor is not None, "the first slices are behind us"
        assert all(key in held for key, at in office.store.changed() if at <= cursor)
        office.behave()
        asked = len(office.questions)
        assert self.load(office).loaded == expected - sum(self.rows_in(self.fields(int(key[2:]))) for key in held)
        began = datetime.fromisoformat(office.questions[asked].query["updatedSince"])
        assert began == cursor - timedelta(minutes=10)
        self.assert_nothing_lost(settings, office)

    def test_silent_slices_grow_so_that_a_quiet_year_is_a_few_questions(
        self, settings: Settings, office: Interface
    ) -> None:
        self.fill(office, 0, 1)
        self.load(office)
        asked = len(office.questions)
        office.store.clock.move(365 * 86400)
        self.fill(office, 1, 1)
        self.load(office)
        assert len(office.questions) - asked < 40
        self.assert_nothing_lost(settings, office)


class TestByCursor(Permits):
    declaration = _DECLARATION.replace(
        'kind = "page"', 'kind = "cursor"\nwalks = 1\nparameter = "from"\nnext = "data.next"'
    ).replace('kind = "token"\npath = "/token"\nrefresh = "refresh_token"', 'kind = "uri"')

    def interface(self) -> Interface:
        return Interface(
            Store(Clock(NOW)), path="/permits", most=self.page, paging="cursor", login="basic", counts=False
        )

    def test_a_source_that_promises_not_to_shift_is_walked_once(self, settings: Settings, office: Interface) -> None:
        expected = self.fill(office, 0, 3 * self.page)
        assert self.load(office).loaded == expected
        assert len(office.questions) == 3
        self.assert_nothing_lost(settings, office)

    def test_a_cursor_that_has_ended_is_no_fault_of_the_declaration(
        self, settings: Settings, office: Interface
    ) -> None:
        expected = self.fill(office, 0, 3 * self.page)
        office.misbehave("status", 410, after=1)
        with pytest.raises(Retriable, match="to a page that it named itself"):
            self.load(office)
        self.load(office)
        assert len(self.rows(settings)) == expected
        self.assert_nothing_lost(settings, office)


class TestByOffset(Permits):
    declaration = _DECLARATION.replace('kind = "page"', 'kind = "offset"\nparameter = "offset"')

    def interface(self) -> Interface:
        return Interface(Store(Clock(NOW)), path="/permits", most=self.page, paging="offset", counts=False)


class TestByLink(Permits):
    declaration = _DECLARATION.replace('kind = "page"', 'kind = "link"\nnext = "data.next"')

    def interface(self) -> Interface:
        return Interface(Store(Clock(NOW)), path="/permits", most=self.page, paging="link")


class TestByMomentOfChange(Permits):
    """Keyset paging by POST, with a key instead of a token, and without a clock in the answer."""

    declaration = re.sub(
        r"(?s)\[auth\].*?\[window\]",
        '[auth]\nkind = "key"\nheader = "X-API-Key"\n[paging]\nkind = "keyset"\nsize = 4\n[window]',
        _DECLARATION.replace('clock = "serverTime"\n', "").replace("[request]", '[request]\nmethod = "POST"'),
    )

    def interface(self) -> Interface:
        return Interface(Store(Clock(NOW)), path="/permits", most=self.page, paging="keyset", login="key")

    @pytest.mark.usefixtures("settings")
    def test_a_source_in_another_order_is_refused_before_it_costs_a_record(self, office: Interface) -> None:
        self.fill(office, 0, 6)
        office.order = "newest"
        with pytest.raises(Fatal, match="not in order of change"):
            self.load(office)

    def test_more_records_of_one_moment_than_a_page_holds_are_a_clear_error(
        self, settings: Settings, office: Interface
    ) -> None:
        at = office.store.clock.now()
        for number in range(self.page + 2):
            office.store.change(self.key(number), self.fields(number), at)
        with pytest.raises(Fatal, match="same moment of change and fill the page; raise size"):
            self.load(office)
        assert len(self.newest(settings)) == self.page, "what came is kept"
        for number in (3, 4, 5):
            office.store.change(self.key(number), {}, at + timedelta(seconds=1))
        self.load(office)
        self.assert_nothing_lost(settings, office)


def test_a_whole_list_without_times_of_change_is_compared_by_content(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The simplest source there is: one address, one list, no login, no window."""
    declare(
        tmp_path / "rooms", "ports",
        'entity = "port"\nkey = ["code"]\n[request]\npath = "/ports"\n[columns]\n'
        'code = { path = "id" }\nname_vi = { path = "ten" }\n', "ports",
    )  # fmt: skip
    monkeypatch.setattr(extractors, "__path__", [*extractors.__path__, str(tmp_path / "rooms")])
    answers = [
        [{"id": "LH", "ten": "Lạch Hới"}, {"id": "NS", "ten": "Nghi Sơn"}],
        [{"id": "LH", "ten": "Lạch Hới"}, {"id": "NS", "ten": "Nghi Sơn"}],
        [{"id": "LH", "ten": "Cảng Lạch Hới"}, {"id": "NS", "ten": "Nghi Sơn"}],
        [{"id": "LH", "ten": "Lạch Hới"}, {"id": "NS", "ten": "Nghi Sơn"}],
    ]
    application = FastAPI()
    application.add_api_route("/ports", lambda: answers.pop(0))
    with serve(application) as url:
        loaded = [extract("ports", source_uris=[url]).loaded for _ in range(4)]
    assert loaded == [2, 0, 1, 1]
    with warehouse.connect("transformer", settings) as connection:
        names = connection.execute("select name_vi from raw_ports.port where code = 'LH' order by _batch_id").fetchall()
    assert [name for (name,) in names] == ["Lạch Hới", "Cảng Lạch Hới", "Lạch Hới"]


@pytest.mark.usefixtures("settings")
def test_a_source_that_names_no_interface_is_told_which_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, table in (("permits", "permit"), ("fees", "fee")):
        declare(
            tmp_path / "rooms", "licences",
            f'entity = "{table}"\nkey = ["code"]\n[columns]\ncode = {{ path = "id" }}\n', name,
        )  # fmt: skip
    monkeypatch.setattr(extractors, "__path__", [*extractors.__path__, str(tmp_path / "rooms")])
    with pytest.raises(Fatal, match=r"known: fees, permits.*https://…#<name>"):
        extract("licences", source_uris=["http://127.0.0.1:1/"])
    declare(
        tmp_path / "rooms", "licences",
        'entity = "fee"\nkey = ["code"]\n[columns]\ncode = { path = "id" }\n', "again",
    )  # fmt: skip
    with pytest.raises(Fatal, match="name the same table"):
        extract("licences", source_uris=["http://127.0.0.1:1/#fees"])


_LISTS = (
    'entity = "{0}"\nkey = ["code"]\n[request]\npath = "/documents"\nparameters = {{ kind = "{0}" }}\n'
    '[columns]\ncode = {{ path = "id" }}\n'
)


def test_one_address_may_hold_several_lists_but_no_list_is_read_twice(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in ("incoming", "outgoing"):
        declare(tmp_path / "rooms", "letters", _LISTS.format(kind), kind)
    monkeypatch.setattr(extractors, "__path__", [*extractors.__path__, str(tmp_path / "rooms")])
    application = FastAPI()
    application.add_api_route("/documents", lambda kind: [{"id": f"{kind}-{number}"} for number in range(3)])
    with serve(application) as url:
        both = [f"{url}#incoming", f"{url}#outgoing"]
        assert [extract("letters", source_uris=both).loaded for _ in range(2)] == [6, 0]
        with warehouse.connect("loader", settings) as connection:
            counts = "select source_uri, loaded_count from ops.landed_file where outcome = 'loaded' order by 1"
            assert connection.execute(counts).fetchall() == [
                (f"{url}/documents?kind={kind}&page=1", 3) for kind in ("incoming", "outgoing")
            ]
        twice = [f"{url}#incoming", url.replace("://", "://other:login@") + "#incoming"]
        with pytest.raises(Fatal, match=r"two sources ask .*/documents for the same"):
            extract("letters", source_uris=twice)


@pytest.mark.usefixtures("settings")
def test_an_answer_in_another_form_names_what_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IOC_EXTRACT_BACKOFF_S", "0")
    declare(tmp_path / "rooms", "letters", 'records = "data.items"\n' + _LISTS.format("incoming"), "incoming")
    monkeypatch.setattr(extractors, "__path__", [*extractors.__path__, str(tmp_path / "rooms")])
    application = FastAPI()
    application.add_api_route("/documents", lambda: {"message": "đã đổi", "payload": []})
    with (
        serve(application) as url,
        pytest.raises(Fatal, match=r"without a list at 'data\.items' \(there is: message, payload\).*apis/incoming"),
    ):
        extract("letters", source_uris=[url])
