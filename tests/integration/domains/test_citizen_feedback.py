"""Citizens' feedback from the source's interface to serving, signals and rules; figures against the sandbox's store."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from citizen_feedback_office import Office, Report, day_of, known, office, percentile, read, recently
from starlette.testclient import TestClient

from portal.app import create_app
from portal.database import Database
from portal.domains import citizen_feedback
from portal.users import User
from sandbox.api import VIETNAM
from sandbox.citizen_feedback import stories, words
from sandbox.citizen_feedback.reports import communes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.integration.domains.conftest import Corridor

REPORT, DAILY, MAP = (
    f"citizen_feedback/{name}"
    for name in ("rpt_citizen_feedback_report", "rpt_citizen_feedback_daily", "citizen_feedback_map")
)
CHANNELS = {"Ứng dụng di động": "Ứng dụng di động", "Website": "Trang web", "Zalo": "Zalo", "Facebook": "Facebook",
            "Tổng đài": "Tổng đài"}  # fmt: skip


@pytest.fixture(scope="module")
def town(corridor: Corridor) -> Iterator[Office]:
    """An office whose history was read, and built, at an anchor forty hours ago."""
    with office(recently()) as opened, pytest.MonkeyPatch.context() as patch:
        patch.setenv("IOC_ITEM_URL_CITIZEN_FEEDBACK", "https://phan-hoi.example/{id}")
        report = corridor.load("citizen_feedback", opened.uri)
        assert (report.rejected, report.loaded) == (0, report.read)
        corridor.transform("citizen_feedback")
        yield opened


# -- the same figures, counted in Python from what the office holds ----------------------------------------------------

FIGURES = (
    "report_count", "open_count", "overdue_count", "near_due_count", "in_time_count", "late_count", "in_time_share",
    "published_in_limit_share", "rejected_count", "duplicate_count", "reopened_count", "transferred_count",
    "response_median", "response_p90", "rating_count", "rating_mean",
)  # fmt: skip


def shown(row: dict[str, Any]) -> Any:
    """A row of the dashboard as :func:`figures` says it; a response time is kept to four digits."""
    return pytest.approx({name: float(value) for name, value in row.items() if value}, abs=0.001)


def figures(found: list[Report], now: datetime) -> dict[str, float]:
    """What the dashboard's measures are of these reports; without those that are zero or nothing."""
    days = [one.response_days for one in found if one.response_days is not None]
    in_time = [one.is_in_time for one in found if one.is_in_time is not None]
    limits = [
        one.published < _midnight(one.begun) + timedelta(days=18) or one.published == _midnight(one.begun)
        for one in found if one.published
    ]  # fmt: skip
    ratings = [one.rating for one in found if one.rating]
    counted = {
        "report_count": len(found),
        "open_count": sum(one.is_open for one in found),
        "overdue_count": sum(one.is_overdue(now) for one in found),
        "near_due_count": sum(one.is_near(now) for one in found),
        "in_time_count": sum(in_time),
        "late_count": len(in_time) - sum(in_time),
        "in_time_share": sum(in_time) / len(in_time) if in_time else 0,
        "published_in_limit_share": sum(limits) / len(limits) if limits else 0,
        "rejected_count": sum(one.status == "Từ chối" for one in found),
        "duplicate_count": sum(one.status == "Trùng" for one in found),
        "reopened_count": sum(one.happened("reopened") > 0 for one in found),
        "transferred_count": sum(one.happened("transferred") > 2 for one in found),
        "response_median": percentile(days, 0.5) or 0,
        "response_p90": percentile(days, 0.9) or 0,
        "rating_count": len(ratings),
        "rating_mean": sum(ratings) / len(ratings) if ratings else 0,
    }
    return {name: value for name, value in counted.items() if value}


def _midnight(at: datetime) -> datetime:
    return at.astimezone(VIETNAM).replace(hour=0, minute=0, second=0, microsecond=0)


def assert_figures(corridor: Corridor, town: Office) -> None:
    """Every measure, in all and by field, channel, unit and commune, and the distribution of response times."""
    now, held = datetime.now(UTC), read(town)

    assert shown(corridor.figures(REPORT, FIGURES, [])[()]) == figures(held, now)
    groups: dict[str, Callable[[Report], str | None]] = {
        "field_name": lambda one: one.field if one.field in words.FIELDS else "Chưa rõ lĩnh vực",
        "channel_name": lambda one: CHANNELS.get(one.channel, "Chưa rõ kênh"),
        "unit_code": lambda one: known(one.unit),
        "commune_code": lambda one: one.commune,
        "response_bucket": lambda one: one.bucket,
    }
    for column, key in groups.items():
        by: dict[str | None, list[Report]] = {}
        for one in held:
            by.setdefault(key(one), []).append(one)
        found = {group: shown(row) for (group,), row in corridor.figures(REPORT, FIGURES, [column]).items()}
        assert found.keys() == by.keys()
        assert len(found) > 4, column
        for group, mine in by.items():
            assert found[group] == figures(mine, now), (column, group)
    # The map: reports of thirty days and what is overdue, of each commune's outline.
    new = Counter(one.commune for one in held if one.commune and one.begun > now - timedelta(days=30))
    late = Counter(one.commune for one in held if one.commune and one.is_overdue(now))
    names = {one.name: one.code for one in communes()}
    drawn = corridor.figures(MAP, ["new_count_sum", "overdue_count_sum"], ["place_name", "shape"])
    assert {names[place] for place, _ in drawn} == set(names.values())
    for (place, _), row in drawn.items():
        assert (row["new_count_sum"], row["overdue_count_sum"]) == (new[names[place]], late[names[place]]), place


def assert_days(corridor: Corridor, town: Office) -> None:
    """What happened on each day and stood open at its end, by field and channel, and by unit."""
    held = read(town)
    ((last,),) = corridor.query("select max(day) from serving.rpt_citizen_feedback_daily where is_closed")
    ways: dict[tuple[str, ...], Callable[[Report, str | None], tuple[Any, ...]]] = {
        ("field_name", "channel_name"): lambda one, _: (
            one.field if one.field in words.FIELDS else "Chưa rõ lĩnh vực", CHANNELS.get(one.channel, "Chưa rõ kênh"),
        ),
        ("commune_code",): lambda one, _: (one.commune,),
        ("unit_code",): lambda _, unit: (known(unit),),
    }  # fmt: skip
    names = ("received", "answered", "rejected", "duplicate", "reopened", "transferred")
    for columns, key in ways.items():
        expected: dict[tuple[Any, ...], Counter[str]] = {}
        for one in held:
            for at, what, unit in one.events:
                if day_of(at) <= last:
                    row = expected.setdefault((day_of(at), *key(one, unit)), Counter())
                    row[f"{what}_count"] += 1
                    row["answered_in_time_count"] += what == "answered" and at <= one.due
                    row["answered_late_count"] += what == "answered" and at > one.due
            if columns == ("unit_code",):
                continue
            for begun, ended in one.open_spans:
                day = day_of(begun)
                while day <= last and (ends := _midnight(begun) + (day - day_of(begun) + timedelta(days=1))) <= ended:
                    row = expected.setdefault((day, *key(one, None)), Counter())
                    row["open_count"] += 1
                    row["overdue_count"] += one.due < ends
                    day += timedelta(days=1)
        metrics = [f"{name}_count" for name in names] + ["answered_in_time_count", "answered_late_count"]
        metrics += [] if columns == ("unit_code",) else ["open_count", "overdue_count"]
        found = corridor.figures(DAILY, metrics, ["day", *columns], "is_closed")
        kept = {group: {name: int(value) for name, value in row.items() if value} for group, row in found.items()}
        wanted = {group: {name: value for name, value in row.items() if value} for group, row in expected.items()}
        assert {group: row for group, row in kept.items() if row} == {g: row for g, row in wanted.items() if row}, (
            columns
        )


def _without_zeros(rows: dict[tuple[Any, ...], Any]) -> dict[tuple[Any, ...], dict[str, int]]:
    kept = {group: {name: int(value) for name, value in row.items() if value} for group, row in rows.items()}
    return {group: row for group, row in kept.items() if row}


def test_the_dashboards_figures_are_those_of_the_office(corridor: Corridor, town: Office) -> None:
    assert_figures(corridor, town)
    assert_days(corridor, town)
    assert corridor.figure(REPORT, "overdue_count") >= stories.PILE_COUNT
    # Lists: what is late and what went round, each with its way into the office's own system.
    links = dict(corridor.query("select report_code, report_link from serving.rpt_citizen_feedback_report"))
    assert all(f'href="https://phan-hoi.example/{code}"' in link for code, link in links.items())


def test_an_officer_sees_the_figures_of_the_own_unit_only(corridor: Corridor, town: Office) -> None:
    """What the portal puts into the guest's token, over every table that the dashboard reads."""
    officer = User(1, "can.bo", "Cán bộ", "officer", stories.PILE)
    (rows,) = citizen_feedback.row_filters(officer)
    now, clause = datetime.now(UTC), rows.clause()
    mine = [one for one in read(town) if one.unit == stories.PILE]
    ((row),) = corridor.figures(REPORT, FIGURES, [], clause).values()
    assert shown(row) == figures(mine, now)
    assert len(mine) > stories.PILE_COUNT
    for dataset in (REPORT, DAILY, MAP):
        assert {unit for (unit,) in corridor.figures(dataset, ["count(*)"], ["unit_code"], clause)} == {stories.PILE}
    received = corridor.figure(DAILY, "received_count", clause)
    assert received == sum(
        what == "received" and unit == stories.PILE for one in read(town) for _, what, unit in one.events
    )
    assert citizen_feedback.row_filters(User(2, "lanh.dao", "Lãnh đạo", "leader", None)) == []


def test_every_report_has_the_unit_that_was_meant_however_it_was_typed(corridor: Corridor, town: Office) -> None:
    units = dict(corridor.query("select report_code, unit_code from serving.rpt_citizen_feedback_report"))
    typed_codes = {
        key: one["donViXuLy"]["ma"] for key, one in town.records().items() if (one.get("donViXuLy") or {}).get("ma")
    }
    assert len(typed_codes) > 1000
    assert {key: units[key] for key in typed_codes} == typed_codes
    # By name alone: the same place as the code that other records of the same name carry.
    named = {one["donViXuLy"]["ten"]: code for key, one in town.records().items() if (code := typed_codes.get(key))}
    by_name = {
        key: named[one["donViXuLy"]["ten"]]
        for key, one in town.records().items()
        if key not in typed_codes and (one.get("donViXuLy") or {}).get("ten") in named
    }
    assert len(by_name) > 200
    assert {key: units[key] for key in by_name} == by_name
    assert units["PA-DAU-ROI"] == "15865", "UBND xã Hoằng Hóa with loose marks"
    unknown = corridor.query(
        "select report_code, unit_name, flags_vi from serving.rpt_citizen_feedback_report "
        "where report_code like 'PA-LA-%' order by 1"
    )
    assert unknown == [
        ("PA-LA-1", "Chưa rõ đơn vị: Tổ quản lý chợ Vườn Mẫu", "trạng thái lạ, đơn vị lạ"),
        ("PA-LA-2", "Chưa rõ đơn vị: Đội quy tắc khu vực 9", "lĩnh vực lạ, đơn vị lạ"),
        ("PA-LA-3", "Chưa rõ đơn vị: Ban quản lý Hồ Ví Dụ", "đơn vị lạ, địa bàn lạ"),
    ]


@pytest.mark.usefixtures("town")
def test_history_by_former_communes_goes_whole_to_one_successor_or_to_none(corridor: Corridor) -> None:
    rows = corridor.query(
        "select commune_name, commune_code, count(*) from serving.rpt_citizen_feedback_report "
        "where report_code like 'PA-25CU-%' group by 1, 2"
    )
    assert sorted(rows) == [
        ("Chưa phân bổ (Phường Hàm Rồng, Phường Hạc Thành)", None, 10),
        ("Xã Hoằng Châu", "15976", 10),
        ("Xã Hoằng Hoá", "15865", 10),
    ]


@pytest.mark.usefixtures("town")
def test_transfers_and_reopenings_are_counted_from_the_log(corridor: Corridor) -> None:
    told = dict(
        corridor.query(
            "select report_code, (transfer_count, reopen_count)::text from serving.rpt_citizen_feedback_report "
            "where report_code in ('PA-DI-VONG', 'PA-MO-LAI', 'PA-LUI', 'PA-TUONG-LAI', 'PA-NHAP-MUON')"
        )
    )
    assert told == {
        "PA-DI-VONG": "(4,0)", "PA-MO-LAI": "(0,2)", "PA-LUI": "(0,0)", "PA-TUONG-LAI": "(0,0)",
        "PA-NHAP-MUON": "(0,0)",
    }  # fmt: skip
    wrong = corridor.query(
        "select report_code, response_days from serving.rpt_citizen_feedback_report where flags_vi ~ 'thời gian'"
    )
    assert wrong == [("PA-TUONG-LAI", None)]


def test_a_planted_pile_raises_its_rule_opens_the_procedure_and_its_people_are_told(
    corridor: Corridor, town: Office
) -> None:
    # By the clock of the reading: what is older than twelve hours is told to nobody.
    came = corridor.consequences("citizen_feedback.overdue", f"{stories.PILE}:HTKT", town.anchor)
    assert came.raised == (3, stories.PILE)
    assert came.cases == [("phan-anh-qua-han", stories.PILE, 3, "open")]
    assert came.tasks["doi-chieu"] == ("ready", "VPUB"), "who owns the rule begins"
    assert {status for step, (status, _) in came.tasks.items() if step != "doi-chieu"} == {"waiting"}
    people = came.people()
    assert people["chuyen-nganh"] == people["chuyen-nganh-sms"] == {"truc-vpub"}, "who owns the rule"
    # The commune has no head whose address is known: the next above, whom another route may have told as well.
    assert set().union(*people.values()) - people["truc-ban-ioc"] == {"truc-vpub", "lanh-dao-tinh"}
    assert "Hoằng Hoá" in came.told["chuyen-nganh", "truc-vpub", "email"]
    raised = {
        (code, entity): level
        for code, entity, level in corridor.query(
            "select r.code, i.entity_id, i.level from alert.incident i join alert.rule r using (rule_id) "
            "where i.status = 'open' and r.domain = 'citizen_feedback'"
        )
    }
    assert raised["citizen_feedback.surge", f"{stories.RUBBISH}:MT"] == 2
    assert raised["citizen_feedback.transferred", "SNNMT:GT"] == 2
    assert raised["citizen_feedback.reopened", "14758:MT"] == 1
    assert raised["citizen_feedback.unknown_values", "citizen_feedback"] == 1
    assert ("citizen_feedback.surge", f"{stories.WATER}:DNSH") not in raised
    names = corridor.query("select name_vi from alerting.entity where entity_id = %s", f"{stories.PILE}:HTKT")
    assert names == [("Xã Hoằng Hoá – Hạ tầng kỹ thuật",)]


def test_a_source_that_misbehaves_costs_no_figure_and_closed_days_stay(corridor: Corridor, town: Office) -> None:
    def books() -> dict[tuple[Any, ...], dict[str, Any]]:
        metrics = ["received_count", "answered_count", "reopened_count", "transferred_count", "open_count",
                   "overdue_count", "near_due_count"]  # fmt: skip
        return corridor.figures(DAILY, metrics, ["day"], "is_closed")

    before, interface = books(), town.interface
    # Half a day later: life has gone on, and a report of ten days ago is typed now. Short pages, every kind of trouble.
    town.at(town.anchor + timedelta(hours=12))
    late = {"tieuDe": "Nhập muộn", "noiDung": "…", "linhVuc": "Môi trường", "kenh": "Zalo", "trangThai": "Đang xử lý",
            "thoiGianGui": f"{town.anchor - timedelta(days=10):%d/%m/%Y %H:%M:%S}", "maDvhc": "14797"}  # fmt: skip
    town.store.change("PA-SAU", late)
    for number in range(70):
        town.store.change(f"PA-THU-{number:03d}", late | {
            "linhVuc": "Y tế", "kenh": "Website", "trangThai": "Mới",
            "thoiGianGui": f"{town.store.clock.now().astimezone(VIETNAM):%d/%m/%Y %H:%M:%S}",
        })  # fmt: skip
        town.store.clock.move(1)
    # A clock that is an hour ahead stamps one; while pages are read, a record of the first moves to the end.
    town.store.change("PA-THU-002", {"trangThai": "Đã tiếp nhận"}, town.store.clock.now() + timedelta(hours=1))
    interface.most = 20
    interface.meanwhile(2, lambda: town.store.change("PA-THU-001", {"trangThai": "Đã tiếp nhận"}))
    interface.misbehave("expired", after=1)
    interface.misbehave("status", 429, retry_after="0")
    interface.misbehave("truncated", after=2)
    interface.misbehave("html", after=1)
    interface.misbehave("contradiction", {"linhVuc": "Giáo dục", "maDvhc": "14812"}, after=1)
    corridor.load("citizen_feedback", town.uri)
    assert not [fault.kind for fault in interface._faults if fault.count], "every fault has struck"
    # What was said twice in two ways is said once more; then eleven hours go by, in which PA-LUI goes backwards.
    town.store.clock.move(60)
    for key, _ in town.store.changed(town.anchor):
        town.store.change(key, {"hinhAnh": []})
    corridor.load("citizen_feedback", town.uri)
    town.at(town.anchor + timedelta(hours=23))
    corridor.load("citizen_feedback", town.uri)
    corridor.transform("citizen_feedback")

    after = books()
    assert {day: after[day] for day in before} == before
    assert len(after) > len(before)
    assert corridor.figure(DAILY, "received_count") == len(town.records())
    assert_figures(corridor, town)
    assert corridor.query(
        "select reopen_count, status_name from serving.rpt_citizen_feedback_report where report_code = 'PA-LUI'"
    ) == [(1, "Đang xử lý")]
    corridor.evaluate(town.store.clock.now())
    assert corridor.query(
        "select level from alert.incident i join alert.rule r using (rule_id) where i.status = 'open' "
        "and r.code = 'citizen_feedback.surge' and i.entity_id = %s", f"{stories.WATER}:DNSH",
    ) == [(2,)]  # fmt: skip


def test_a_batch_that_is_not_what_it_claims_is_stopped_where_dbt_does_not_see_it(
    corridor: Corridor, town: Office
) -> None:
    ahead = town.store.clock.now() + timedelta(days=300)
    for number in range(5):
        town.store.change(f"PA-HONG-{number}", {"trangThai": None, "thoiGianGui": None}, ahead)
    corridor.load("citizen_feedback", town.uri)
    ((verdict, status),) = corridor.query("select verdict, status from ops.load_batch order by batch_id desc limit 1")
    assert (verdict, status) == ("stopped", "quarantined")
    assert corridor.query(
        "select count(*) from staging.stg_citizen_feedback__report_version where report_code like 'PA-HONG-%'"
    ) == [(0,)]


def test_the_rules_of_the_domain_in_dbts_own_tests(corridor: Corridor, tmp_path: Path) -> None:
    said = corridor.unit_tests("citizen_feedback", tmp_path)
    for name in ("units_by_code_alias_name_and_former_name", "the_deadline_of_the_source_or_seventeen_days"):
        assert name in said


# -- what people do with it in the portal ------------------------------------------------------------------------------


def test_officers_search_their_units_reports_with_or_without_marks_and_the_index_answers(
    corridor: Corridor, town: Office
) -> None:
    database = Database(corridor.settings)
    database.open()
    try:
        everything = citizen_feedback.search(database, "rac thai thu gom", None)
        assert len(everything) == len(citizen_feedback.search(database, "Rác thải THU GOM", None)) == 50
        ours = citizen_feedback.search(database, '"rác thải"', [stories.RUBBISH])
        held = {key for key, one in town.records().items() if key.startswith("PA-RAC") and one.get("donViXuLy")}
        assert {row["report_code"] for row in ours} >= held
        assert {row["unit_name"] for row in ours} == {"Phường Sầm Sơn"}
        assert [row["report_code"] for row in citizen_feedback.search(database, "pa-di-vong", ["SNNMT"])] == [
            "PA-DI-VONG"
        ]
        assert citizen_feedback.search(database, "pa-di-vong", ["15865"]) == []
        assert citizen_feedback.search(database, "'); drop table x; -- & | ! ( \" <->", None) == []
    finally:
        database.close()
    plan = corridor.query(
        "explain select report_code from serving.rpt_citizen_feedback_text "
        "where to_tsvector('simple'::regconfig, search_text) @@ websearch_to_tsquery('simple', 'karaoke khong co that')"
    )
    assert "fct_citizen_feedback_report_words" in str(plan)


@pytest.mark.usefixtures("town")
def test_citizens_look_a_report_up_by_its_code_and_see_no_text(corridor: Corridor) -> None:
    with TestClient(create_app(corridor.settings)) as visitor:
        said = visitor.get("/api/public/citizen_feedback/pa-di-vong").json()
        assert (said["report_code"], said["status_name"], said["unit_name"]) == (
            "PA-DI-VONG", "Đang xử lý", "Sở Nông nghiệp và Môi trường",
        )  # fmt: skip
        assert "title" not in said
        assert "content" not in said
        assert visitor.get("/api/public/citizen_feedback/PA-KHONG-CO").status_code == 404
        page = visitor.get("/cong-dan/phan-anh", params={"ma": "PA-GOC"}).text
        assert "Trật tự đô thị" in page
        assert "Karaoke" not in page
        assert "Không có phản ánh mang mã X&#39;&lt;" in visitor.get("/cong-dan/phan-anh", params={"ma": "x'<"}).text
        assert "/cong-dan/phan-anh" in visitor.get("/cong-dan").text
