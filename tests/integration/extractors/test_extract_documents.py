"""The document system's lists against the suite of interfaces, with the records that its stand-in writes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from api_conformance import ApiConformance
from fastapi import FastAPI
from paging_conformance import PagingConformance

from extractors.core.pipeline import extract
from ioc import warehouse
from sandbox.api import Interface, serve
from sandbox.documents.letters import FINISHED, Kind, Letter
from sandbox.documents.play import PATHS, Office
from sandbox.store import Clock, Store

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from ioc.settings import Settings

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


class Documents(PagingConformance):
    domain: ClassVar[str] = "documents"
    mapping: ClassVar[Kind] = "incoming"

    def interface(self) -> Interface:
        return Interface(Store(Clock(NOW)), path=PATHS[self.mapping], paging="offset", most=self.page)

    def fields(self, number: int) -> dict[str, Any]:
        letter = Letter(self.mapping, self.key(number), NOW - timedelta(days=2), "SXD", date(2026, 3, 5 + number % 9))
        letter.assign(NOW - timedelta(days=1), "Lê Thị Ế Ví Dụ")
        for step in range(number % 3):
            letter.transfer(NOW - timedelta(hours=20 - step), "STC")
        fields = letter.changes[-1].fields
        assert fields is not None
        return fields | {"soKyHieu": f"{number}/UBND"}

    def rows_in(self, fields: dict[str, Any]) -> int:
        return 1 + len(fields["quaTrinh"])

    def corrected(self, number: int) -> dict[str, Any]:
        return {"trangThai": 4, FINISHED[self.mapping]: f"2026-03-02T08:{number % 60:02d}:00+07:00"}


class TestIncoming(Documents, ApiConformance):
    page: ClassVar[int] = 4

    def test_a_deadline_may_be_a_day_a_moment_or_none_and_is_kept_as_sent(
        self, settings: Settings, office: Interface
    ) -> None:
        sent = ("2026-03-05", "05/03/2026 16:30", "2026-03-05T16:30:00+07:00", None, "05/03/2026")
        for number, due in enumerate(sent):
            office.store.change(self.key(number), self.fields(0) | {"hanXuLy": due})
        self.load(office)
        rows = self.query(
            settings,
            "select due_sent, due_on::text, due_moment at time zone 'Asia/Ho_Chi_Minh' from raw_documents.incoming "
            "order by document_id",
        )
        moment, midnight = datetime(2026, 3, 5, 16, 30), datetime(2026, 3, 5)
        assert rows == [
            ("2026-03-05", "2026-03-05", midnight),
            ("05/03/2026 16:30", "2026-03-05", moment),
            ("2026-03-05T16:30:00+07:00", "2026-03-05", moment),
            (None, None, None),
            ("05/03/2026", "2026-03-05", midnight),
        ]


class TestOutgoing(Documents):
    mapping: ClassVar[Kind] = "outgoing"


def test_three_lists_stand_behind_one_login_and_their_pages_hold_no_password(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IOC_EXTRACT_BACKOFF_S", "0.01")
    office = Office(tmp_path, 36, 2, "p@ss/word", Clock(NOW))
    office.advance(0)
    application = FastAPI()
    application.include_router(office.router)
    with serve(application) as url:
        base = url.replace("://", "://ioc:p%40ss%2Fword@")
        uris = [f"{base}#{kind}" for kind in office.lists]
        first = extract("documents", source_uris=uris)
        assert extract("documents", source_uris=uris).loaded == 0
    held = {kind: len(one.store.records()) for kind, one in office.lists.items()}
    with warehouse.connect("loader", settings) as connection:
        for kind, count in held.items():
            found = connection.execute(f"select count(*), count(distinct document_id) from raw_documents.{kind}")
            assert found.fetchone() == (count, count)
        leaks = connection.execute("select count(*) from ops.landed_file where source_uri like '%word%'").fetchone()
    assert leaks == (0,)
    assert first.rejected == 0
