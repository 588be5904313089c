"""Documents, from the document system's interface to the dashboard's figures and the fired rule.

The figures are counted a second time in Python, from the records that the office holds and from everything that
happened to them: :func:`counted` knows neither SQL nor our names of things.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI

from alerts import procedures
from ioc import warehouse
from sandbox.api import Interface, serve
from sandbox.documents.letters import DUE, FINISHED, VIETNAM, Kind
from sandbox.documents.play import Office
from sandbox.documents.stories import BACKLOG
from sandbox.store import Clock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.domains.conftest import Corridor

DOCUMENTS, DAYS = "documents/rpt_documents_document", "documents/rpt_documents_daily"
METRICS = {
    "total": "document_count", "overdue": "overdue_count", "near": "near_due_count",
    "overdue_finished": "overdue_finished_count", "rest": "rest_count",
}  # fmt: skip


def deadline(record: dict[str, Any], kind: Kind) -> datetime | None:
    """A day lasts until its last second, and so does a midnight."""
    text = record[DUE[kind]]
    if not text:
        return None
    due = datetime.fromisoformat(text)
    if len(text) <= 10 or due.astimezone(VIETNAM).time() == time(0):
        due = datetime.combine(due.date(), time(23, 59, 59), VIETNAM)
    return due


def group(record: dict[str, Any], kind: Kind, now: datetime) -> str | None:
    """Which group a record is in; None when it does not count."""
    if record["daXoa"] or record["trangThai"] == 5:
        return None
    due = deadline(record, kind)
    if due is None:
        return "rest"
    if record["trangThai"] == 4:
        return "overdue_finished" if datetime.fromisoformat(record[FINISHED[kind]]) > due else "rest"
    if due < now:
        return "overdue"
    return "near" if due - now <= timedelta(hours=24) else "rest"


def counted(records: list[tuple[Kind, dict[str, Any]]], now: datetime, unit: str | None = None) -> Counter[str]:
    """Documents per group; ``total`` is all of them."""
    found: Counter[str] = Counter()
    for kind, record in records:
        code = record["donViXuLy"]["ma"] or record["donViXuLy"]["ten"]
        if (name := group(record, kind, now)) and unit in (None, code):
            found.update((name, "total"))
    return found


def held(office: Office) -> list[tuple[Kind, dict[str, Any]]]:
    return [(kind, record) for kind, one in office.lists.items() for record in one.store.records().values()]


def held_at(office: Office, at: datetime) -> list[tuple[Kind, dict[str, Any]]]:
    """The records as they were at an instant, from everything that happened."""
    found: list[tuple[Kind, dict[str, Any]]] = []
    for kind, one in office.lists.items():
        then: dict[str, dict[str, Any]] = {}
        for change in one.store.happened:
            if change.at < at and change.fields is not None:
                then[change.key] = {**then.get(change.key, {}), **change.fields}
        found += [(kind, record) for record in then.values()]
    return found


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    # Its clock stands still: nothing happens there between a reading and the count.
    office = Office(tmp_path_factory.mktemp("office"), 36, 8, "p@ss", Clock(datetime.now(UTC)))
    office.advance(0)
    for one in office.lists.values():
        # Pages short enough to shift while they are read.
        one.most = 60
    yield office


@pytest.fixture(scope="module")
def uris(office: Office) -> Iterator[list[str]]:
    application = FastAPI()
    application.include_router(office.router)
    with serve(application) as url:
        yield [url.replace("://", "://ioc:p%40ss@") + f"#{kind}" for kind in office.lists]


@pytest.fixture(scope="module")
def loaded(corridor: Corridor, uris: list[str]) -> Corridor:
    """A first reading of everything, and what dbt made of it."""
    corridor.load("documents", *uris)
    corridor.transform("documents")
    return corridor


def shown(corridor: Corridor, where: str = "true") -> Counter[str]:
    return Counter({name: corridor.figure(DOCUMENTS, metric, where) for name, metric in METRICS.items()})


def daily(corridor: Corridor) -> dict[Any, tuple[int, ...]]:
    rows = corridor.query(
        "select day, sum(total_count), sum(overdue_count), sum(near_due_count), sum(overdue_finished_count) "
        "from serving.rpt_documents_daily group by 1 order by 1"
    )
    return {day: tuple(int(value) for value in values) for day, *values in rows}


def assert_figures(corridor: Corridor, office: Office) -> None:
    """Every figure of the dashboard is the one counted in Python, in all, list by list and unit by unit."""
    now = datetime.now(UTC)
    assert shown(corridor) == counted(held(office), now)
    for kind in office.lists:
        mine = [item for item in held(office) if item[0] == kind]
        assert shown(corridor, f"kind = '{kind}'") == counted(mine, now)
    for code, said in {"SXD": "000.00.07.H56", "SNNMT": "000.00.06.H56", "15772": "UBND xã Thiệu Hóa"}.items():
        assert shown(corridor, f"unit_code = '{code}'") == counted(held(office), now, said)
    assert corridor.figure(DOCUMENTS, "check_difference") == 0
    assert corridor.figure(DAYS, "check_difference") == 0


def test_figures_are_those_of_the_office_and_the_backlog_fires_its_rule(loaded: Corridor, office: Office) -> None:
    assert_figures(loaded, office)
    assert shown(loaded)["overdue"] > BACKLOG

    # As of every closed day: what was true then, not what the records say now.
    found = daily(loaded)
    today = datetime.now(VIETNAM).date()
    assert max(found) == today - timedelta(days=1)
    for day in list(found)[-10:]:
        end = datetime.combine(day + timedelta(days=1), time(0), VIETNAM)
        then = counted(held_at(office, end), end)
        assert found[day] == (then["total"], then["overdue"], then["near"], then["overdue_finished"]), day

    # The stories.
    rows = {
        row[0]: row[1:]
        for row in loaded.query(
            "select document_id, unit_code, deadline_group, extended_count, transferred_count, reopened_count, "
            "forward_label, is_unit_known from serving.rpt_documents_document"
        )
    }
    assert rows["VBD-CHUYEN-1"][:4] == ("SNNMT", "Quá hạn", 0, 1)
    assert rows["VBN-MOLAI-1"][1:5] == ("Quá hạn", 0, 0, 1)
    assert rows["VBD-GIAHAN-1"][2] == 1
    assert rows["VBD-GIAHAN-1"][1] in ("Trong hạn, đang xử lý", "Sắp đến hạn")
    assert rows["VBD-HOATOC-1"][5] == "Chuyển trễ"
    assert rows["VBI-KHONGHAN-1"][1] == "Không có hạn"
    assert rows["VBD-HOMNAY-1"][1] == rows["VBD-NUADEM-1"][1]
    assert (rows["VBN-LA-1"][0], rows["VBN-LA-1"][6]) == ("VPUB", False)
    assert {"VBD-XOA-1", "VBI-THUHOI-1"}.isdisjoint(rows)

    # Nobody's name goes beyond raw.
    assert loaded.query("select count(*) from serving.rpt_documents_document where person_masked ~ '[[:lower:]]'") == [
        (0,)
    ]

    # The rule, and the procedure that it opens.
    value = loaded.query(
        "select value from alerting.signal where signal_code = 'documents.overdue_count' and entity_id = 'SXD' "
        "order by period_end desc limit 1"
    )
    assert value[0][0] >= BACKLOG
    loaded.evaluate()
    incident = loaded.query(
        "select i.level, i.unit_code, i.status from alert.incident i join alert.rule r using (rule_id) "
        "where r.code = 'documents.overdue_count' and i.entity_id = 'SXD' and i.kind = 'value' and i.status = 'open'"
    )
    assert incident == [(2, "SXD", "open")]
    procedures.drain(settings=loaded.settings)
    cases = loaded.query(
        "select count(*) from sop.case_ join sop.template t using (template_id) where t.code = 'van-ban-qua-han'"
    )
    assert cases[0][0] >= 1


def test_a_source_that_misbehaves_leaves_figures_right_and_the_past_as_it_was(
    loaded: Corridor, office: Office, uris: list[str]
) -> None:
    before = daily(loaded)
    incoming, outgoing, internal = (office.lists[kind] for kind in ("incoming", "outgoing", "internal"))
    clock = office.clock
    keys = sorted(key for key, record in incoming.store.records().items() if group(record, "incoming", clock.now()))
    backlog = [key for key in keys if key.startswith("VBD-TONDONG")]

    def change(one: Interface, key: str, fields: dict[str, Any], stamped: datetime | None = None) -> None:
        clock.move(0.1)
        one.store.change(key, fields, stamped)

    def finish(one: Interface, key: str, stamped: datetime | None = None) -> None:
        change(one, key, {"trangThai": 4, "ngayHoanThanh": clock.now().astimezone(VIETNAM).isoformat()}, stamped)

    # Its pages shift: while the first ones are read, records of theirs change and move to the end.
    for number, key in enumerate(keys[:150]):
        if key not in backlog:
            change(incoming, key, {"trichYeu": f"Đã sửa trích yếu {number}"})
    incoming.meanwhile(1, lambda: finish(incoming, backlog[0]))
    incoming.meanwhile(2, lambda: change(incoming, keys[5], {"daXoa": True}))
    # Tokens end, it asks for patience, breaks off, shows a page for people, and says that it failed with status 200.
    incoming.misbehave("expired", after=2)
    incoming.misbehave("status", 429, retry_after="0", after=1)
    incoming.misbehave("truncated", after=2)
    outgoing.misbehave("html")
    internal.misbehave("said")
    # A status goes backwards; one document has two contents in one answer.
    finish(internal, "VBN-MOLAI-1")
    change(internal, "VBN-MOLAI-1", {"trangThai": 3, "ngayHoanThanh": None})
    last = max(outgoing.store.changed(), key=lambda item: item[1])[0]
    change(outgoing, last, {})
    said_last = outgoing.store.records()[last]
    outgoing.misbehave("contradiction", {"trangThai": said_last["trangThai"], "soKyHieu": "HAI-NOI-DUNG"}, count=9)
    # A change that is dated into the future, one dated a moment back, and one that is taken back.
    finish(incoming, backlog[1], clock.now() + timedelta(days=200))
    midnight = datetime.combine(clock.now().astimezone(VIETNAM).date(), time(0), VIETNAM)
    finish(incoming, backlog[2], max(clock.now() - timedelta(minutes=20), midnight))
    loaded.load("documents", *uris)
    for one in office.lists.values():
        one.behave()
    # The clock is put right: what was dated ahead is said again with an earlier time of change.
    change(incoming, backlog[1], {"trangThai": 3, "ngayHoanThanh": None})
    loaded.load("documents", *uris)
    loaded.transform("documents")

    assert_figures(loaded, office)
    after = daily(loaded)
    assert {day: after[day] for day in before} == before, "the past has drifted"
    still = loaded.query(
        "select document_id, is_finished from serving.rpt_documents_document where document_id = any(%s) order by 1",
        backlog[:3],
    )
    assert still == [(backlog[0], True), (backlog[1], False), (backlog[2], True)]


def test_an_overlap_of_the_groups_would_be_seen(loaded: Corridor) -> None:
    """The sum check can fail: near due as the dashboard must not count it, from 24 hours before on for ever."""
    ((definition,),) = loaded.query("select pg_get_viewdef('serving.rpt_documents_document'::regclass)")
    faulty = definition.replace("(c.due_at >= now()) AND ", "")
    assert faulty != definition
    flags = ("is_overdue", "is_near_due", "is_overdue_finished", "is_in_time_open", "is_finished_in_time")
    once = "::integer + ".join((*flags, "is_without_due")) + "::integer = 1"
    try:
        define(loaded, faulty)
        assert loaded.figure(DOCUMENTS, "check_difference") < 0
        assert loaded.figure(DOCUMENTS, "count(*)", f"not ({once})") > 0
    finally:
        define(loaded, definition)
    assert loaded.figure(DOCUMENTS, "count(*)", f"not ({once})") == 0


def define(corridor: Corridor, definition: str) -> None:
    with warehouse.connect("transformer", corridor.settings) as connection:
        connection.execute(f"create or replace view serving.rpt_documents_document as {definition}".encode())


def test_every_rule_of_counting_is_a_unit_test_of_dbt(
    loaded: Corridor, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert "PASS=5" in loaded.unit_tests("documents", tmp_path_factory.mktemp("unit"))
