"""Citizens' feedback from the source's interface to serving, signals and rules; figures against the sandbox's store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from citizen_feedback_office import Office, moment, office, recently
from starlette.testclient import TestClient

from ioc.settings import PROJECT_ROOT
from portal.app import create_app
from portal.database import Database
from portal.domains import citizen_feedback
from sandbox.api import VIETNAM
from sandbox.citizen_feedback import stories

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.domains.conftest import Corridor

REPORT = "citizen_feedback/rpt_citizen_feedback_report"
OPEN = ("Mới", "Đã tiếp nhận", "Đang xử lý", "Đang xử lí", "Mở lại", "Chờ phối hợp liên ngành")


@pytest.fixture(scope="module")
def town(corridor: Corridor) -> Iterator[Office]:
    """An office whose history was read, and built, at an anchor forty hours ago."""
    with office(recently()) as opened:
        report = corridor.load("citizen_feedback", opened.uri)
        assert (report.rejected, report.loaded) == (0, report.read)
        corridor.transform("citizen_feedback")
        yield opened


# -- the same figures, counted in Python from what the office holds ----------------------------------------------------


def begun(record: dict[str, Any], first_changed: datetime) -> datetime:
    said = moment(record.get("thoiGianTiepNhan")) or moment(record["thoiGianGui"])
    assert said is not None
    return min(said, first_changed)


def due(record: dict[str, Any], first_changed: datetime) -> datetime:
    """The source's deadline (a bare date lasts to its end), else seventeen days to the end of the last."""
    given = moment(record.get("hanXuLy"))
    if given:
        return given + timedelta(days=1) if (given.hour, given.minute) == (0, 0) else given
    day = begun(record, first_changed).astimezone(VIETNAM).replace(hour=0, minute=0, second=0, microsecond=0)
    return day + timedelta(days=18)


def answered_at(record: dict[str, Any]) -> datetime:
    said = moment(record["thoiGianXuLyXong"])
    assert said is not None
    return said


def expected(town: Office, now: datetime) -> dict[str, int]:
    changed = dict(town.store.changed())
    open_reports = {key: one for key, one in town.records().items() if one["trangThai"] in OPEN}
    answered = {key: one for key, one in town.records().items() if one["trangThai"] in ("Đã trả lời", "Đã công khai")}
    left = {key: due(one, changed[key]) - now for key, one in open_reports.items()}
    whole = {key: due(one, changed[key]) - begun(one, changed[key]) for key, one in open_reports.items()}
    return {
        "report_count": len(town.records()),
        "open_count": len(open_reports),
        "overdue_count": sum(span < timedelta() for span in left.values()),
        "near_due_count": sum(
            timedelta() <= span and (span <= timedelta(days=2) or span <= 0.2 * whole[key])
            for key, span in left.items()
        ),
        "in_time_count": sum(answered_at(one) <= due(one, changed[key]) for key, one in answered.items()),
        "late_count": sum(answered_at(one) > due(one, changed[key]) for key, one in answered.items()),
        "rejected_count": sum(one["trangThai"] == "Từ chối" for one in town.records().values()),
        "duplicate_count": sum(one["trangThai"] == "Trùng" for one in town.records().values()),
        "rating_count": sum("danhGia" in one for one in town.records().values()),
    }


def test_the_dashboards_figures_are_those_of_the_office(corridor: Corridor, town: Office) -> None:
    now = datetime.now(UTC)
    shown = {name: int(corridor.figure(REPORT, name)) for name in expected(town, now)}
    assert shown == expected(town, now)
    assert shown["overdue_count"] >= stories.PILE_COUNT
    words = {"Rất hài lòng": 5, "Hài lòng": 4, "Bình thường": 3}
    said = [one["danhGia"] for one in town.records().values() if "danhGia" in one]
    mean = sum(words.get(rating) or int(rating) for rating in said) / len(said)
    assert float(corridor.figure(REPORT, "rating_mean")) == pytest.approx(mean, abs=0.01)


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


def test_nothing_of_a_sender_reaches_marts_serving_or_alerts(corridor: Corridor, town: Office) -> None:
    texts = corridor.query("select string_agg(title || ' ' || content, ' ') from serving.rpt_citizen_feedback_text")[0][
        0
    ]
    digits = "".join(character for character in texts if character.isdigit() or character == " ")
    for one in town.records().values():
        who = one["nguoiGui"]
        assert str(who["hoTen"]).lower() not in texts.lower()
        assert who["dienThoai"] not in digits.replace(" ", "")
        assert not who["cccd"] or who["cccd"] not in texts
        assert who["diaChi"] not in texts
    assert texts.count("đã che") > 100


@pytest.mark.usefixtures("town")
def test_a_planted_pile_and_a_surge_raise_their_rules_and_open_the_procedure(corridor: Corridor) -> None:
    corridor.evaluate()
    raised = {
        (code, entity): level
        for code, entity, level in corridor.query(
            "select r.code, i.entity_id, i.level from alert.incident i join alert.rule r using (rule_id) "
            "where i.status = 'open' and r.domain = 'citizen_feedback'"
        )
    }
    assert raised[("citizen_feedback.overdue", f"{stories.PILE}:HTKT")] == 3
    assert raised[("citizen_feedback.surge", f"{stories.RUBBISH}:MT")] == 2
    assert raised[("citizen_feedback.transferred", "SNNMT:GT")] == 2
    assert raised[("citizen_feedback.reopened", "14758:MT")] == 1
    assert raised[("citizen_feedback.unknown_values", "citizen_feedback")] == 1
    assert ("citizen_feedback.surge", f"{stories.WATER}:DNSH") not in raised
    ((template,),) = corridor.query(
        "select sop_template_code from alert.rule_version v join alert.rule r using (rule_id) "
        "where r.code = 'citizen_feedback.overdue'"
    )
    assert template == "phan-anh-qua-han"
    names = [
        name
        for (name,) in corridor.query(
            "select name_vi from alerting.entity where entity_id = %s", f"{stories.PILE}:HTKT"
        )
    ]
    assert names == ["Xã Hoằng Hoá – Hạ tầng kỹ thuật"]


def test_closed_days_stay_while_life_goes_on(corridor: Corridor, town: Office) -> None:
    def books() -> dict[Any, tuple[Any, ...]]:
        return {
            row[0]: row[1:]
            for row in corridor.query(
                "select day, sum(received_count), sum(answered_count), sum(reopened_count), sum(transferred_count), "
                "sum(open_count), sum(overdue_count), sum(near_due_count) from serving.rpt_citizen_feedback_daily "
                "where is_closed group by day"
            )
        }

    before = books()
    # A status goes back without a word in the log, a report of ten days ago is typed now, water fails.
    town.at(town.anchor + timedelta(hours=12))
    late = {"tieuDe": "Nhập muộn", "noiDung": "…", "linhVuc": "Môi trường", "kenh": "Zalo", "trangThai": "Đang xử lý",
            "thoiGianGui": f"{town.anchor - timedelta(days=10):%d/%m/%Y %H:%M:%S}", "maDvhc": "14797"}  # fmt: skip
    town.store.change("PA-SAU", late)
    corridor.load("citizen_feedback", town.uri)
    town.at(town.anchor + timedelta(hours=23))
    corridor.load("citizen_feedback", town.uri)
    corridor.transform("citizen_feedback")
    after = books()
    assert {day: after[day] for day in before} == before
    assert len(after) > len(before)
    assert corridor.query("select sum(received_count) from serving.rpt_citizen_feedback_daily") == [
        (len(town.records()),)
    ]
    counts = expected(town, datetime.now(UTC))
    assert {name: int(corridor.figure(REPORT, name)) for name in counts if name not in ("near_due_count",)} == {
        name: count for name, count in counts.items() if name != "near_due_count"
    }
    assert corridor.query(
        "select reopen_count, status_name from serving.rpt_citizen_feedback_report where report_code = 'PA-LUI'"
    ) == [(1, "Đang xử lý")]
    corridor.evaluate()
    raised = corridor.query(
        "select level from alert.incident i join alert.rule r using (rule_id) where i.status = 'open' "
        "and r.code = 'citizen_feedback.surge' and i.entity_id = %s", f"{stories.WATER}:DNSH",
    )  # fmt: skip
    assert raised == [(2,)]


def test_a_source_that_misbehaves_costs_no_figure(corridor: Corridor, town: Office) -> None:
    interface = town.interface
    interface.most = 20
    for number in range(70):
        town.store.change(f"PA-THU-{number:03d}", {
            "tieuDe": "Thử", "noiDung": "…", "linhVuc": "Y tế", "kenh": "Website", "trangThai": "Mới",
            "thoiGianGui": f"{town.store.clock.now().astimezone(VIETNAM):%d/%m/%Y %H:%M:%S}", "maDvhc": "14797",
        })  # fmt: skip
        town.store.clock.move(1)
    interface.misbehave("expired", after=1)
    interface.misbehave("status", 429, retry_after="0")
    interface.misbehave("truncated", after=2)
    interface.misbehave("html", after=1)
    interface.misbehave("contradiction", {"trangThai": "Đang xử lý"}, after=1)
    # While pages are read, a record of the first page changes and moves to the end.
    interface.meanwhile(2, lambda: town.store.change("PA-THU-001", {"trangThai": "Đã tiếp nhận"}))
    corridor.load("citizen_feedback", town.uri)
    interface.behave()
    corridor.load("citizen_feedback", town.uri)
    corridor.transform("citizen_feedback")
    counts = expected(town, datetime.now(UTC))
    for name in ("report_count", "open_count", "overdue_count", "in_time_count", "late_count"):
        assert int(corridor.figure(REPORT, name)) == counts[name], name
    assert corridor.query(
        "select count(*) from serving.rpt_citizen_feedback_report where report_code like 'PA-THU-%'"
    ) == [(70,)]


def test_a_batch_that_is_not_what_it_claims_is_stopped_and_changes_no_figure(corridor: Corridor, town: Office) -> None:
    ahead = town.store.clock.now() + timedelta(days=300)
    before = corridor.figure(REPORT, "report_count")
    for number in range(5):
        town.store.change(f"PA-HONG-{number}", {"trangThai": None, "thoiGianGui": None}, ahead)
    corridor.load("citizen_feedback", town.uri)
    ((verdict, status),) = corridor.query("select verdict, status from ops.load_batch order by batch_id desc limit 1")
    assert (verdict, status) == ("stopped", "quarantined")
    corridor.transform("citizen_feedback")
    assert corridor.figure(REPORT, "report_count") == before


def test_the_rules_of_the_domain_in_dbts_own_tests(corridor: Corridor, tmp_path: Path) -> None:
    assert (PROJECT_ROOT / "dbt_project/models/staging/citizen_feedback/_unit_tests_citizen_feedback.yml").exists()
    assert "PASS=0" not in corridor.unit_tests("citizen_feedback", tmp_path)


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
