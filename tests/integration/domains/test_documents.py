"""Documents, from the document system's interface to the dashboard's figures and the fired rule.

The figures are counted a second time in Python, from the records that the office holds and from everything that
happened to them: :func:`counted` knows neither SQL nor our names of things.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI

from ioc import warehouse
from sandbox.api import Interface, serve
from sandbox.documents.letters import DUE, FINISHED, REGISTERED, UNITS, VIETNAM, Kind
from sandbox.documents.play import Office
from sandbox.documents.stories import BACKLOG
from sandbox.store import Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.domains.conftest import Corridor

DOCUMENTS, DAYS = "documents/rpt_documents_document", "documents/rpt_documents_daily"
METRICS = {
    "total": "document_count", "overdue": "overdue_count", "near": "near_due_count",
    "overdue_finished": "overdue_finished_count", "rest": "rest_count",
}  # fmt: skip
# Ours → as the source writes it; what is nobody's counts with the office that owns the domain.
OURS = {said: "VPUB" if ours == "?" else ours for ours, written in UNITS.items() for said in written if said}


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


def unit_of(record: dict[str, Any]) -> str:
    return OURS[record["donViXuLy"]["ma"] or record["donViXuLy"]["ten"]]


def counted(
    records: list[tuple[Kind, dict[str, Any]]], now: datetime, by: Callable[[Kind, dict[str, Any]], Any] = lambda *_: ()
) -> dict[Any, Counter[str]]:
    """Documents per group, ``total`` is all of them; by what ``by`` says of each."""
    found: dict[Any, Counter[str]] = {}
    for kind, record in records:
        if name := group(record, kind, now):
            found.setdefault(by(kind, record), Counter()).update((name, "total"))
    return found


def closed_day(office: Office, day: date) -> dict[tuple[Any, ...], Counter[str]]:
    """Day, list and unit → figures as they stood when a day ended."""
    ends = datetime.combine(day + timedelta(days=1), time(0), VIETNAM)
    records = held_at(office, ends)
    found = counted(records, ends, lambda kind, one: (day, kind, unit_of(one)))
    for kind, one in records:
        if group(one, kind, ends) and one["trangThai"] != 4:
            found[day, kind, unit_of(one)]["open"] += 1
        elif group(one, kind, ends):
            finished = datetime.fromisoformat(one[FINISHED[kind]]).astimezone(VIETNAM)
            found[day, kind, unit_of(one)]["finished"] += finished.date() == day
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
def loaded(corridor: Corridor, uris: list[str]) -> Iterator[Corridor]:
    """A first reading of everything, and what dbt made of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IOC_ITEM_URL_DOCUMENTS", "https://van-ban.example/{id}")
        corridor.load("documents", *uris)
        corridor.transform("documents")
        yield corridor


def shown(corridor: Corridor, *by: str) -> dict[tuple[Any, ...], Counter[str]]:
    """What the dashboard's measures give, by these columns."""
    found = corridor.figures(DOCUMENTS, list(METRICS.values()), by)
    return {key: Counter({name: row[metric] for name, metric in METRICS.items()}) for key, row in found.items()}


def daily(corridor: Corridor) -> dict[Any, tuple[int, ...]]:
    rows = corridor.query(
        "select day, sum(total_count), sum(overdue_count), sum(near_due_count), sum(overdue_finished_count) "
        "from serving.rpt_documents_daily group by 1 order by 1"
    )
    return {day: tuple(int(value) for value in values) for day, *values in rows}


def assert_figures(corridor: Corridor, office: Office) -> None:
    """Every figure of the dashboard is the one counted in Python: in all, by list and unit, by day; and the lists."""
    now, records = datetime.now(UTC), held(office)
    assert shown(corridor)[()] == counted(records, now)[()]
    assert shown(corridor, "kind", "unit_code") == counted(records, now, lambda kind, one: (kind, unit_of(one)))
    assert shown(corridor, "registered_at_local::date") == counted(
        records, now, lambda kind, one: (datetime.fromisoformat(one[REGISTERED[kind]]).astimezone(VIETNAM).date(),)
    )
    assert corridor.figure(DOCUMENTS, "check_difference") == 0
    assert corridor.figure(DAYS, "check_difference") == 0
    # The three lists, each with how long and the way to the document.
    for flag, name in (("is_overdue", "overdue"), ("is_near_due", "near"), ("is_overdue_finished", "overdue_finished")):
        expected = {
            key: deadline(one, kind) or now
            for kind, interface in office.lists.items()
            for key, one in interface.store.records().items()
            if group(one, kind, now) == name
        }
        listed = corridor.query(
            f"select document_id, item_link, due_at, overdue_hours, left_hours from serving.rpt_documents_document "
            f"where {flag}"
        )
        assert {key: due for key, _, due, _, _ in listed} == expected, flag
        assert all(f'href="https://van-ban.example/{key}"' in link for key, link, *_ in listed), flag
        for _, _, due, overdue, left in listed:
            if name == "overdue":
                assert float(overdue) == pytest.approx((now - due).total_seconds() / 3600, abs=0.1)
            if name == "near":
                assert float(left) == pytest.approx((due - now).total_seconds() / 3600, abs=0.1)
                assert left <= 24


def test_figures_are_those_of_the_office_and_the_backlog_fires_its_rule(loaded: Corridor, office: Office) -> None:
    assert_figures(loaded, office)
    assert loaded.figure(DOCUMENTS, "overdue_count") > BACKLOG

    # As of every closed day, by list and unit: what was true then, not what the records say now.
    today = datetime.now(VIETNAM).date()
    metrics = {
        "total": "total_count", "open": "open_count", "overdue": "overdue_count", "near": "near_due_count",
        "overdue_finished": "overdue_finished_count", "finished": "finished_that_day_count",
    }  # fmt: skip
    found = loaded.figures(DAYS, list(metrics.values()), ["day", "kind", "unit_code"], f"day >= '{today}'::date - 10")
    assert {day for day, *_ in found} == {today - timedelta(days=number) for number in range(1, 11)}
    expected = {}
    for number in range(1, 11):
        expected |= closed_day(office, today - timedelta(days=number))
    got = {key: {name: row[metric] for name, metric in metrics.items()} for key, row in found.items()}
    assert got == {key: {name: row[name] for name in metrics} for key, row in expected.items()}

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
    came = loaded.consequences("documents.overdue_count", "SXD")
    assert came.raised == (2, "SXD")
    assert came.cases == [("van-ban-qua-han", "SXD", 2, "open")]
    assert came.tasks["ra-soat"] == ("ready", "VPUB"), "who owns the rule begins"
    assert {status for step, (status, _) in came.tasks.items() if step != "ra-soat"} == {"waiting"}
    people = came.people()
    assert people["chuyen-nganh"] == people["chuyen-nganh-sms"] == {"truc-vpub"}, "who owns the rule"
    assert people["dia-ban"] == {"lanh-dao-tinh"}, "no head of the department is known: the next above"
    assert "Sở Xây dựng" in came.told["chuyen-nganh", "truc-vpub", "email"]


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
        assert not [fault.kind for fault in one._faults if fault.count and fault.kind != "contradiction"], "all struck"
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
    assert "PASS=7" in loaded.unit_tests("documents", tmp_path_factory.mktemp("unit"))


def test_a_day_that_is_made_free_reaches_documents_already_known(loaded: Corridor, uris: list[str]) -> None:
    """Deadlines and working days in the registry follow the calendar as it is now, changed document or not."""
    shown_due = (
        "select document_id, forward_due_on, forward_work_days from serving.rpt_documents_document "
        "where forward_due_on is not null"
    )
    right = (
        "select document_id, ref.add_work_days(forward_calendar_code, registered, forward_most_work_days), "
        "case when forwarded is not null then "
        "ref.work_days_between(forward_calendar_code, registered, forwarded) end from (select *, "
        "(registered_at at time zone 'Asia/Ho_Chi_Minh')::date as registered, "
        "(forwarded_at at time zone 'Asia/Ho_Chi_Minh')::date as forwarded from marts.fct_documents_current) c "
        "where is_counted and forward_most_work_days is not null"
    )
    before = set(loaded.query(shown_due))
    assert len(before) > 50
    assert before == set(loaded.query(right))
    # The day on which most are due, whatever day it is today.
    ((free,),) = loaded.query(
        "select forward_due_on from serving.rpt_documents_document where forward_due_on is not null "
        "group by 1 order by count(*) desc, 1 limit 1"
    )
    with warehouse.connect("owner", loaded.settings) as connection:
        connection.execute(
            "insert into ref.holiday (calendar_code, day, kind, name_vi, citation) "
            "values ('hanh_chinh', %s, 'off', 'Nghỉ đột xuất', 'thử')",
            (free,),
        )
    loaded.load("documents", *uris)
    loaded.transform("documents")
    after = set(loaded.query(shown_due))
    assert free not in {due for _, due, _ in after}
    assert len(before - after) > 5, "documents that nobody touched"
    assert after == set(loaded.query(right))
