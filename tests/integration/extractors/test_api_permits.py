"""Interfaces against the suite that every domain inherits: a test-only domain declared in ``permits.toml``, no code."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from api_conformance import ApiConformance
from paging_conformance import PagingConformance

import extractors
from ioc import warehouse
from sandbox.api import Clock, Interface, Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ioc.settings import Settings

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
_DECLARATION = (Path(__file__).parent / "permits.toml").read_text(encoding="utf-8")


def declare(folder: Path, domain: str, declaration: str) -> None:
    """Lay a domain out: nothing but its declaration."""
    apis = folder / domain / "apis"
    apis.mkdir(parents=True)
    (apis / "permits.toml").write_text(declaration, encoding="utf-8")


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
