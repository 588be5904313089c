"""Public services from the one-stop system's protocol to the dashboard's figures and the fired rule, its case and its
messages; every figure is counted a second time from the office's own book (``public_services_office``)."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from public_services_office import (
    DAILY,
    DOMAIN,
    RUNNING,
    STOPPED,
    SUPPLEMENT,
    Office,
    begins,
    counts,
    day_of,
    is_work_day,
    said,
    work_days_between,
)

from alerts.recipients import working_time
from sandbox.api import VIETNAM
from sandbox.public_services.catalogue import COUNTS_DELETED, DRIFTING, FORMER, MOBILE, OVERLOADED
from sandbox.public_services.totals import totals
from tests.fixtures.one_stop import one_stop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from pathlib import Path

    from tests.integration.domains.conftest import Corridor

UNIT, DOSSIERS, DAYS, MONTHS, CHECKS = (
    f"{DOMAIN}/rpt_{DOMAIN}_{name}" for name in ("unit", "dossier", "daily", "month", "reconciliation")
)


@pytest.fixture(scope="module")
def office(corridor: Corridor) -> Iterator[Office]:
    with one_stop(20) as (play, url), pytest.MonkeyPatch.context() as patch:
        patch.setenv("IOC_ITEM_URL_PUBLIC_SERVICES", "https://mot-cua.example/ho-so/{id}")
        office = Office(corridor, play, url)
        office.load()
        corridor.transform(DOMAIN)
        yield office


def shown(found: dict[tuple[Any, ...], dict[str, Any]]) -> dict[tuple[Any, ...], dict[str, float]]:
    """Without zeros: what a chart does not draw."""
    kept = {key: {name: float(value) for name, value in row.items() if value} for key, row in found.items()}
    return {key: row for key, row in kept.items() if row}


# -- the same figures, counted from the office's book ------------------------------------------------------------------


def assert_now(office: Office) -> None:
    """Units as they stand, and the lists behind them."""
    now, units, days_off = datetime.now(VIETNAM), office.units(), office.days_off()
    today = now.date()
    expected: dict[str, Counter[str]] = defaultdict(Counter)
    lists: dict[str, set[str]] = defaultdict(set)
    overdue_days = {}
    for record in office.records():
        if not counts(record):
            continue
        unit, status, due = expected[units[record["DonViXuLy"]]], record["TrangThaiHoSo"], said(record["NgayHenTra"])
        unit["supplement_sum"] += status in SUPPLEMENT
        unit["sum(stopped_count)"] += status in STOPPED
        unit["received_today_sum"] += day_of(record["NgayTiepNhan"]) == today
        if status not in RUNNING:
            continue
        unit["in_process_sum"] += 1
        if due and due.date() < today:
            unit["in_process_overdue_sum"] += 1
            lists["Quá hạn"].add(record["MaHoSo"])
            overdue_days[record["MaHoSo"]] = work_days_between(due.date(), today, days_off)
        elif due and due.date() == today:
            lists["Đến hạn hôm nay"].add(record["MaHoSo"])
        elif due and due - timedelta(hours=24) <= now:
            unit["near_due_sum"] += 1
            lists["Sắp đến hạn"].add(record["MaHoSo"])
    names = (
        "in_process_sum", "in_process_overdue_sum", "near_due_sum", "supplement_sum", "sum(stopped_count)",
        "received_today_sum", "processed_today_sum",
    )  # fmt: skip
    found = office.corridor.figures(UNIT, names, ["unit_code"])
    assert shown(found) == shown({(unit,): dict(row) for unit, row in expected.items()})
    running = sum(row["in_process_sum"] for row in expected.values())
    late = sum(row["in_process_overdue_sum"] for row in expected.values())
    assert float(office.corridor.figure(UNIT, "overdue_pct")) == pytest.approx(100 * late / running)

    listed: dict[str, set[str]] = defaultdict(set)
    rows = office.corridor.query(
        "select deadline_vi, dossier_code, overdue_work_days, dossier_link from serving.rpt_public_services_dossier"
    )
    for deadline, code, work_days, link in rows:
        assert f'href="https://mot-cua.example/ho-so/{code}"' in link
        if deadline in ("Quá hạn", "Đến hạn hôm nay", "Sắp đến hạn"):
            listed[deadline].add(code)
        assert work_days == overdue_days.get(code), code
    assert listed == lists


def assert_closed_days(office: Office) -> dict[tuple[date, str, str, str], Counter[str]]:
    """Each closed day by unit, field and channel, with the labels that charts group by; returns what was expected."""
    expected = office.closed_days()
    found = office.corridor.figures(DAYS, list(DAILY), ["as_of_day", "unit_code", "field_name", "channel_name_vi"])
    renamed = {key: {DAILY[name]: value for name, value in row.items()} for key, row in found.items()}
    assert shown(renamed) == shown({key: dict(row) for key, row in expected.items()})
    adds_up = (
        "sum(abs(carried_over_count + received_count + entered_count - processed_count - returned_count "
        "- in_process_count - supplement_count - stopped_count - left_count))"
    )
    assert office.corridor.figure(DAYS, adds_up) == 0
    return expected


def assert_reconciliation(office: Office, days: dict[tuple[date, str, str, str], Counter[str]]) -> None:
    """The source's own totals, the same way of counting over what we hold, and what was true on the day."""
    units = office.units()
    ours: Counter[tuple[date, str, str]] = Counter()
    for (day, unit, _, _), row in days.items():
        for name, count in row.items():
            ours[day, unit, name] += count
    held: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in office.records():
        held[record["DonViXuLy"]] += [] if record["DaXoa"] else [record]
    names = {
        "TiepNhan": ("received_count", "received"), "KyTruoc": ("carried_over_count", "carried over"),
        "DaXuLy": ("processed_count", "processed"), "TruocHan": ("processed_before_due_count", "before due"),
        "DungHan": ("processed_on_due_count", "on due"), "QuaHan": ("processed_overdue_count", "processed late"),
        "DangXuLy": ("in_process_count", "in process"), "DangXuLyTrongHan": ("in_process_on_time_count", "in time"),
        "DangXuLyQuaHan": ("in_process_overdue_count", "overdue"), "TraLai": ("returned_count", "returned"),
    }  # fmt: skip
    expected: dict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
    for told in office.play.totals.store.records().values():
        day = datetime.strptime(told["TuNgay"], "%Y%m%d").date()
        again = totals(held[told["MaDonVi"]], day)
        for name, (measure, ours_name) in names.items():
            row = expected[day, units[told["MaDonVi"]], measure]
            row["source_sum"] += told[name]
            row["recount_sum"] += again[name]
            row["as_true_sum"] = ours[day, units[told["MaDonVi"]], ours_name]
    for row in expected.values():
        row["missing_sum"] = abs(row["source_sum"] - row["recount_sum"])
        row["drift_sum"] = abs(row["recount_sum"] - row["as_true_sum"])
    sums = ["source_sum", "recount_sum", "as_true_sum", "missing_sum", "drift_sum"]
    found = office.corridor.figures(CHECKS, sums, ["day", "unit_code", "measure_code"])
    assert office.corridor.figure(CHECKS, "compared_count") == len(expected) == len(found)
    assert shown(found) == shown({key: dict(row) for key, row in expected.items()})
    # Only the unit whose report counts deleted dossiers differs; the one that reopens has drifted most.
    missing = {unit for (_, unit, _), row in found.items() if row["missing_sum"]}
    assert missing == {units[COUNTS_DELETED]}
    drift: Counter[str] = Counter()
    for (_, unit, measure), row in found.items():
        drift[unit] += row["drift_sum"] if measure == "processed_count" else 0
    assert drift.most_common(1)[0][0] == units[DRIFTING]


def assert_both_measures(office: Office, days: dict[tuple[date, str, str, str], Counter[str]]) -> None:
    """On time by the one-stop system's operational measure and by QĐ 766/QĐ-TTg, and the online rate, unit by unit."""
    flow: dict[tuple[date, str], Counter[str]] = defaultdict(Counter)
    last: dict[date, date] = {}
    for (day, unit, _, channel), row in days.items():
        month = day.replace(day=1)
        last[month] = max(day, last.get(month, day))
        flow[month, unit].update(row)
        flow[month, unit]["online"] += row["received"] if channel == "Trực tuyến" else 0
    stock: dict[tuple[date, str], Counter[str]] = defaultdict(Counter)
    for (day, unit, _, _), row in days.items():
        if day == last[day.replace(day=1)]:
            stock[day.replace(day=1), unit].update(row)
    expected: dict[tuple[Any, ...], dict[str, float]] = {}
    for month in last:
        by_766 = office.on_time_766(month)
        for unit in {unit for other, unit in flow if other == month}:
            went, stood, judged = flow[month, unit], stock[month, unit], by_766[unit]
            waiting = went["returned"] + stood["supplement"]
            expected[month, unit] = {
                "sum(received_count)": went["received"], "sum(received_online_count)": went["online"],
                "sum(processed_count)": went["processed"], "sum(processed_overdue_count)": went["processed late"],
                "sum(on_time_operational_count)":
                    went["processed"] - went["processed late"] + waiting + stood["in time"],
                "sum(base_operational_count)": went["processed"] + waiting + stood["in process"],
                "sum(on_time_766_count)": judged["on time"], "sum(base_766_count)": judged["base"],
                "sum(unjudged_766_count)": judged["unjudged"],
            }  # fmt: skip
    names = list(next(iter(expected.values())))
    found = office.corridor.figures(MONTHS, names, ["period_month", "unit_code"])
    assert shown(found) == shown(expected)
    for month in last:
        total: Counter[str] = Counter()
        for (other, _), row in expected.items():
            total.update(row if other == month else {})
        for metric, part, whole in (
            ("operational_pct", "sum(on_time_operational_count)", "sum(base_operational_count)"),
            ("on_time_766", "sum(on_time_766_count)", "sum(base_766_count)"),
            ("online_rate", "sum(received_online_count)", "sum(received_count)"),
        ):
            value = office.corridor.figure(MONTHS, metric, f"period_month = '{month}'")
            assert float(value) == pytest.approx(100 * total[part] / total[whole]), (month, metric)
    measures = office.corridor.figures(MONTHS, ["operational_pct", "on_time_766"], ["period_month"])
    assert any(row["operational_pct"] != row["on_time_766"] for row in measures.values()), "two measures, not one"


def assert_every_figure(office: Office) -> dict[tuple[date, str, str, str], Counter[str]]:
    """Returns the figures of closed days."""
    assert_now(office)
    days = assert_closed_days(office)
    assert_both_measures(office, days)
    assert_reconciliation(office, days)
    return days


def test_what_people_see_is_what_the_office_holds(office: Office) -> None:
    days = assert_every_figure(office)
    recent = [row for (day, *_), row in days.items() if day > datetime.now(VIETNAM).date() - timedelta(20)]
    for name in DAILY.values():
        assert sum(row[name] for row in recent) > 0, f"nothing to compare: {name}"


def test_units_are_known_by_code_by_name_and_by_what_they_were(office: Office) -> None:
    units = office.units()
    assert units["XP-0122"] == "15127", "Cẩm Thủy is Cẩm Thuỷ"
    assert units["XP-0102"] == "14797"
    assert units[FORMER[0]] == "15976", "Hoằng Lưu went into Hoằng Châu"
    assert units[MOBILE[0]] == "CHUA-RO"
    assert office.corridor.figure(DAYS, "received_sum", "unit_name = 'Chưa rõ đơn vị'") > 0, "counted, not lost"


def test_a_unit_with_many_overdue_dossiers_opens_the_procedure_and_its_people_are_told(office: Office) -> None:
    unit = office.units()[OVERLOADED]
    assert office.corridor.figure(UNIT, "in_process_overdue_sum", f"unit_code = '{unit}'") >= 10
    came = office.corridor.consequences("public_services.overdue_count", unit)
    assert came.raised == (2, unit)
    assert came.cases == [("ho-so-qua-han", unit, 2, "open")]
    assert came.tasks["ra-soat"] == ("ready", "TTPVHCC"), "who owns the rule begins"
    assert {status for step, (status, _) in came.tasks.items() if step != "ra-soat"} == {"waiting"}
    words = came.told["dia-ban", "lanh-dao-nghi-son", "email"]
    assert "Nghi Sơn" in words
    assert "hồ sơ quá hạn" in words
    people = came.people()
    assert people["dia-ban"] == {"lanh-dao-nghi-son"}, "the head of that very unit"
    assert people["chuyen-nganh"] == people["chuyen-nganh-sms"] == {"truc-ttpvhcc"}, "who owns the rule"
    assert set(people) == {"dia-ban", "chuyen-nganh", "chuyen-nganh-sms", "truc-ban-ioc"}, "and the duty of the centre"


# -- a bad hour --------------------------------------------------------------------------------------------------------


def _is_of(record: dict[str, Any], status: int) -> bool:
    """Whether it is a dossier of phường Hạc Thành that counts, in this status."""
    return bool(record["TrangThaiHoSo"] == status and counts(record) and record["DonViXuLy"] == "XP-0102")


def _finished_four_days_ago(office: Office) -> datetime:
    """An officer enters now that a dossier was finished days ago; returns when."""
    then = begins(office.play.clock.now().astimezone(VIETNAM).date() - timedelta(days=4)) + timedelta(hours=10)
    record = next(
        r for r in office.records()
        if r["TrangThaiHoSo"] == 4 and counts(r) and r["DonViXuLy"] == "SO-TUPHAP" and len(r["NhatKy"]) == 3
        and r["NhatKy"][-1]["ThoiDiemXuLy"] < f"{then:%Y%m%d}"
    )  # fmt: skip
    ended = f"{then:%Y%m%d%H%M%S}"
    steps = [*record["NhatKy"], {"ThoiDiemXuLy": ended, "TrangThai": 9}]
    office.entered_late[record["MaHoSo"], office.play.clock.now()] = then
    office.play.store.change(record["MaHoSo"], {"TrangThaiHoSo": 9, "NgayKetThucXuLy": ended, "NhatKy": steps})
    return then


def test_a_bad_hour_leaves_every_figure_right_and_closed_days_as_they_were(office: Office) -> None:
    """The source misbehaves in every way, statuses go backwards, the past is told anew, the calendar is edited."""
    play, corridor, store = office.play, office.corridor, office.play.store
    first_open = play.clock.now().astimezone(VIETNAM).date()
    before = corridor.figures(DAYS, list(DAILY), ["as_of_day", "unit_code"], f"as_of_day < '{first_open}'")
    # Backwards: a finished dossier is set back without a step, another one is deleted.
    compared = {first_open - timedelta(days=number) for number in range(1, 15)}
    back = next(r for r in office.records() if _is_of(r, 9) and day_of(r["NgayKetThucXuLy"]) in compared)
    that_day = f"unit_code = '14797' and measure_code = 'processed_count' and day = '{day_of(back['NgayKetThucXuLy'])}'"
    drift = corridor.figure(CHECKS, "sum(drift)", that_day)
    play.clock.move(3600)
    store.change(back["MaHoSo"], {"TrangThaiHoSo": 4, "NgayKetThucXuLy": ""})
    deleted = next(r["MaHoSo"] for r in office.records() if _is_of(r, 4) and r["MaHoSo"] != back["MaHoSo"])
    store.change(deleted, {"DaXoa": True})
    news = _finished_four_days_ago(office).date()
    touched = [r["MaHoSo"] for r in office.records() if r["TrangThaiHoSo"] == 10][:120]
    for key in touched:
        play.clock.move(1)
        store.change(key, {"GhiChu": "đã sửa"})
    # A clock that is a day ahead stamps one change; pages shift while they are read; one record comes in two contents.
    store.change(touched[3], {"GhiChu": "đồng hồ sai"}, play.clock.now() + timedelta(days=1))
    play.dossiers.most = 25
    play.dossiers.meanwhile(2, lambda: store.change(touched[0], {"GhiChu": "đổi giữa chừng"}))
    play.dossiers.misbehave("contradiction", {"MaLinhVuc": "TS", "TenLinhVuc": "Thủy sản"}, after=1)
    play.dossiers.misbehave("expired", after=1)
    play.dossiers.misbehave("status", 429, retry_after="0", after=2)
    play.dossiers.misbehave("truncated", after=3)
    play.dossiers.misbehave("html", after=1)
    play.totals.misbehave("html")
    play.units.misbehave("truncated")
    office.load()
    for interface in (play.dossiers, play.totals, play.units):
        assert not [fault.kind for fault in interface._faults if fault.count], "every fault has struck"
    # What was said twice in two ways is said once more: the last word counts.
    play.clock.move(60)
    for key in touched:
        store.change(key, {"GhiChu": "đã sửa lại"})
    office.load()
    # Today is given free, or made a working day when it is none.
    today = datetime.now(VIETNAM).date()
    kind = "off" if is_work_day(today, office.days_off()) else "make_up"
    working_time.set_day(
        "hanh_chinh", today, kind, "quantri", name_vi="Ngày thử nghiệm", citation="Quyết định thử nghiệm",
        settings=corridor.settings,
    )  # fmt: skip
    corridor.transform(DOMAIN)

    assert_every_figure(office)
    after = corridor.figures(DAYS, list(DAILY), ["as_of_day", "unit_code"], f"as_of_day < '{first_open}'")
    moved = {key for key in before if after[key] != before[key]}
    assert moved == {(news + timedelta(days=number), "STP") for number in range((first_open - news).days)}
    restated = corridor.figures(
        DAYS, ["sum(processed_count - processed_first_count)", "sum(in_process_first_count - in_process_count)",
               "restated_sum"], ["as_of_day", "unit_code"], f"restated_count > 0 and as_of_day < '{first_open}'",
    )  # fmt: skip
    assert list(restated[news, "STP"].values()) == [1, 1, 1], (
        "news about a closed day is told, with what was said first"
    )
    assert set(restated) == moved
    assert corridor.figure(DOSSIERS, "dossier_count", f"dossier_code = '{deleted}'") == 0
    assert corridor.figure(CHECKS, "sum(drift)", that_day) == drift - 1, "the source's own report has moved"


def test_a_poisoned_batch_waits_in_quarantine_where_dbt_does_not_see_it(office: Office) -> None:
    """The source sends another code list: most statuses are none of the national ones."""
    for key in list(office.play.store.records())[:200]:
        office.play.store.change(key, {"TrangThaiHoSo": 77})
    office.play.clock.move(3600)
    office.corridor.load(DOMAIN, f"{office.url}/mot-cua#dossiers")
    assert office.corridor.query(
        "select status from ops.load_batch where domain = 'public_services' order by batch_id desc limit 1"
    ) == [("quarantined",)]
    assert office.corridor.query(
        "select count(*) from staging.stg_public_services__dossier_version where status_code = 77"
    ) == [(0,)]


def test_every_rule_of_counting_is_a_unit_test_of_dbt(office: Office, tmp_path: Path) -> None:
    said = office.corridor.unit_tests(DOMAIN, tmp_path)
    for name in ("the_traps_of_a_closed_day", "on_time_by_qd_766", "a_life_is_what_its_own_log_says"):
        assert name in said
