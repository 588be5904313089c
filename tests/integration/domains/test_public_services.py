"""Public services from the one-stop system's protocol to serving tables and the fired rule, against its own store."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI

from sandbox.api import VIETNAM, serve
from sandbox.public_services.catalogue import COUNTS_DELETED, DRIFTING, FORMER, MOBILE, OVERLOADED
from sandbox.public_services.play import PublicServices
from sandbox.store import Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.domains.conftest import Corridor

DOMAIN = "public_services"


class Office:
    """The stand-in behind real HTTP, an evening of three days ago by its clock, and the corridor that reads it."""

    def __init__(self, corridor: Corridor, play: PublicServices, url: str) -> None:
        self.corridor, self.play, self.url = corridor, play, url.replace("://", "://ioc:secret@")

    def hour(self, *, hours: float = 0) -> None:
        """Let time pass in the office, then load and transform."""
        self.play.clock.move(hours * 3600)
        self.play.advance(0)
        self.corridor.load(
            DOMAIN, f"{self.url}/mot-cua#dossiers", f"{self.url}/danh-muc#units", f"{self.url}/bao-cao#totals"
        )
        self.corridor.transform(DOMAIN)

    def records(self) -> list[dict[str, Any]]:
        return [{"MaHoSo": key, **record} for key, record in self.play.store.records().items()]


@pytest.fixture(scope="module")
def office(corridor: Corridor) -> Iterator[Office]:
    today = datetime.now(VIETNAM).replace(hour=20, minute=0, second=0, microsecond=0)
    clock = Clock(today.astimezone(UTC) - timedelta(days=3))
    play = PublicServices(clock.now(), 36, 20, "secret", clock)
    application = FastAPI()
    application.include_router(play.router)
    with serve(application) as url:
        office = Office(corridor, play, url)
        office.hour()
        yield office


def _day(text: str) -> str:
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}" if text else ""


def _unit_codes(corridor: Corridor) -> dict[str, str]:
    return dict(corridor.query("select source_unit_code, unit_code from marts.dim_public_service_unit"))


def _lives(office: Office) -> dict[str, list[tuple[datetime, dict[str, Any]]]]:
    """Every record of the store at each of its changes: what was true when, by the office's own book."""
    lives: dict[str, list[tuple[datetime, dict[str, Any]]]] = {}
    for change in office.play.store.happened:
        life = lives.setdefault(change.key, [])
        life.append((change.at, {**(life[-1][1] if life else {}), **(change.fields or {})}))
    return lives


def _at(life: list[tuple[datetime, dict[str, Any]]], moment: datetime) -> dict[str, Any] | None:
    found = [record for at, record in life if at < moment]
    return found[-1] if found else None


def test_what_people_see_is_what_the_office_holds(office: Office) -> None:
    corridor, units = office.corridor, _unit_codes(office.corridor)
    today = datetime.now(VIETNAM).strftime("%Y%m%d")
    running = [r for r in office.records() if r["TrangThaiHoSo"] in (2, 4) and not r["DaXoa"]]
    overdue = [r for r in running if r["NgayHenTra"] and r["NgayHenTra"][:8] < today]
    expected = Counter(units[r["DonViXuLy"]] for r in overdue)
    shown = dict(
        corridor.query(
            "select unit_code, in_process_overdue_count from serving.rpt_public_services_unit "
            "where in_process_overdue_count > 0"
        )
    )
    assert shown == dict(expected)
    listed = corridor.query(
        "select dossier_code from serving.rpt_public_services_dossier where deadline_vi = 'Quá hạn'"
    )
    assert {code for (code,) in listed} == {r["MaHoSo"] for r in overdue}
    held = corridor.query("select sum(in_process_count) from serving.rpt_public_services_unit")
    assert held == [(len(running),)]


def test_closed_days_are_what_was_true_on_them(office: Office) -> None:
    """Each closed day counted a second time, from the office's book of changes, by unit."""
    units = _unit_codes(office.corridor)
    lives = _lives(office)
    last = office.play.clock.now().astimezone(VIETNAM).date()
    compared = 0
    for back in range(1, 15):
        day = last - timedelta(days=back)
        ends = datetime(day.year, day.month, day.day, tzinfo=VIETNAM) + timedelta(days=1)
        expected: Counter[tuple[str, str]] = Counter()
        for life in lives.values():
            record = _at(life, ends)
            if record is None or record["DaXoa"] or record["TrangThaiHoSo"] in (1, 3):
                continue
            unit, status, ended = units[record["DonViXuLy"]], record["TrangThaiHoSo"], _day(record["NgayKetThucXuLy"])
            expected[unit, "in_process"] += status in (2, 4)
            expected[unit, "overdue"] += status in (2, 4) and "" < _day(record["NgayHenTra"]) < str(day)
            expected[unit, "supplement"] += status in (5, 6)
            expected[unit, "stopped"] += status == 8
            expected[unit, "received"] += _day(record["NgayTiepNhan"]) == str(day)
            expected[unit, "returned"] += status == 7 and ended == str(day)
            done = status in (9, 10) and ended == str(day)
            expected[unit, "late"] += done and "" < _day(record["NgayHenTra"]) < ended
            expected[unit, "done"] += done
        shown = office.corridor.query(
            "select unit_code, sum(in_process_count), sum(in_process_overdue_count), sum(supplement_count), "
            "sum(stopped_count), sum(received_count), sum(returned_count), sum(processed_overdue_count), "
            "sum(processed_count) from serving.rpt_public_services_daily where as_of_day = %s group by 1",
            day,
        )
        names = ("in_process", "overdue", "supplement", "stopped", "received", "returned", "late", "done")
        found = {(unit, name): int(value) for unit, *values in shown for name, value in zip(names, values, strict=True)}
        assert {key: value for key, value in found.items() if value} == {k: v for k, v in expected.items() if v}, day
        compared += sum(found.values())
    assert compared > 1000


def test_every_day_adds_up(office: Office) -> None:
    assert office.corridor.query(
        "select count(*) from serving.rpt_public_services_daily where carried_over_count + received_count + "
        "entered_count <> processed_count + returned_count + in_process_count + supplement_count + stopped_count + "
        "left_count"
    ) == [(0,)]
    assert office.corridor.query(
        "select count(*) from serving.rpt_public_services_daily where processed_count <> processed_before_due_count + "
        "processed_on_due_count + processed_overdue_count or in_process_count <> in_process_on_time_count + "
        "in_process_overdue_count"
    ) == [(0,)]


def test_the_sources_totals_are_explained_to_the_last_dossier(office: Office) -> None:
    """Only the unit whose report counts deleted dossiers differs; the one that reopens has drifted most."""
    units = _unit_codes(office.corridor)
    differing = office.corridor.query(
        "select distinct unit_code from serving.rpt_public_services_reconciliation where missing_difference <> 0"
    )
    assert differing == [(units[COUNTS_DELETED],)]
    drift = office.corridor.query(
        "select unit_code from serving.rpt_public_services_reconciliation where measure_code = 'processed_count' "
        "group by 1 order by sum(abs(drift)) desc limit 1"
    )
    assert drift == [(units[DRIFTING],)]


def test_units_are_known_by_code_by_name_and_by_what_they_were(office: Office) -> None:
    units = _unit_codes(office.corridor)
    assert units["XP-0122"] == "15127", "Cẩm Thủy is Cẩm Thuỷ"
    assert units["XP-0102"] == "14797"
    assert units[FORMER[0]] == "15976", "Hoằng Lưu went into Hoằng Châu"
    assert units[MOBILE[0]] == "CHUA-RO"
    shown = office.corridor.query(
        "select count(*) > 0 from serving.rpt_public_services_daily where unit_name = 'Chưa rõ đơn vị'"
    )
    assert shown == [(True,)], "an unknown unit is counted, not lost"


def test_nobody_is_named_beyond_raw(office: Office) -> None:
    for table in ("rpt_public_services_dossier", "rpt_public_services_lookup"):
        found = office.corridor.query(
            f"select count(*) from serving.{table} t where t::text ~ 'Thử Nghiệm|090000|@|00000000'"
        )
        assert found == [(0,)]
    assert office.corridor.query("select count(*) from alerting.entity where name_vi ~ 'Thử Nghiệm'") == [(0,)]


def test_a_unit_with_many_overdue_dossiers_fires_its_rule_once_and_opens_the_procedure(office: Office) -> None:
    office.corridor.evaluate()
    unit = _unit_codes(office.corridor)[OVERLOADED]
    ((overdue,),) = office.corridor.query(
        "select in_process_overdue_count from serving.rpt_public_services_unit where unit_code = %s", unit
    )
    assert overdue >= 10
    fired = office.corridor.query(
        "select i.entity_id, i.level from alert.incident i join alert.rule r using (rule_id) "
        "where r.code = 'public_services.overdue_count' and i.entity_id = %s",
        unit,
    )
    assert fired == [(unit, 2)]


def _finish(office: Office, status: int, **fields: Any) -> str:
    key = next(
        r["MaHoSo"]
        for r in office.records()
        if r["TrangThaiHoSo"] == status and not r["DaXoa"] and r["NgayTiepNhan"] and r["DonViXuLy"] == "XP-0102"
    )
    office.play.store.change(key, fields)
    return key


def test_closed_days_do_not_drift_when_a_status_changes_later(office: Office) -> None:
    """A finished dossier is set back, another is deleted: the days before stay, the source's own report moves."""
    before = office.corridor.query(_CLOSED)
    _finish(office, 9, TrangThaiHoSo=4, NgayKetThucXuLy="")
    deleted = _finish(office, 4, DaXoa=True)
    office.hour(hours=1)
    assert office.corridor.query(_CLOSED) == before
    assert office.corridor.query(
        "select sum(restated_count) from serving.rpt_public_services_daily where as_of_day < %s", _first_open(office)
    ) == [(0,)]
    assert office.corridor.query(
        "select count(*) from serving.rpt_public_services_dossier where dossier_code = %s", deleted
    ) == [(0,)]
    moved = office.corridor.query(
        "select sum(abs(drift)) > 0 from serving.rpt_public_services_reconciliation "
        "where unit_code = '14797' and missing_difference = 0"
    )
    assert moved == [(True,)]


_CLOSED = (
    "select as_of_day, unit_code, sum(in_process_count), sum(processed_count), sum(received_count), "
    "sum(in_process_overdue_count) from serving.rpt_public_services_daily "
    "where as_of_day < current_date - 3 group by 1, 2 order by 1, 2"
)


def _first_open(office: Office) -> Any:
    return office.play.clock.now().astimezone(VIETNAM).date()


def test_news_about_a_closed_day_restates_it_visibly(office: Office) -> None:
    """An officer enters today that a dossier was finished four days ago."""
    day = _first_open(office) - timedelta(days=4)
    then = datetime(day.year, day.month, day.day, 10, tzinfo=VIETNAM)
    record = next(
        r for r in office.records()
        if r["TrangThaiHoSo"] == 4 and not r["DaXoa"] and r["DonViXuLy"] == "SO-TUPHAP"
        and r["NgayTiepNhan"] < f"{day:%Y%m%d}" and len(r["NhatKy"]) == 3
        and r["NhatKy"][-1]["ThoiDiemXuLy"] < f"{then:%Y%m%d}"
    )  # fmt: skip
    step = {"ThoiDiemXuLy": f"{then:%Y%m%d%H%M%S}", "TrangThai": 9}
    office.play.store.change(
        record["MaHoSo"],
        {"TrangThaiHoSo": 9, "NgayKetThucXuLy": f"{then:%Y%m%d%H%M%S}", "NhatKy": [*record["NhatKy"], step]},
    )
    office.hour(hours=1)
    row = office.corridor.query(
        "select sum(processed_count) - sum(processed_first_count), sum(in_process_first_count) - "
        "sum(in_process_count), sum(restated_count) from serving.rpt_public_services_daily "
        "where as_of_day = %s and unit_code = 'STP'",
        day,
    )
    assert row == [(1, 1, 1)]


FAULTS: dict[str, Callable[[PublicServices], None]] = {
    "pages shift while they are read": lambda play: play.dossiers.meanwhile(
        2, lambda: play.store.change(next(iter(play.store.records())), {"GhiChu": "đổi giữa chừng"})
    ),
    "the token ends between pages": lambda play: play.dossiers.misbehave("expired", after=1),
    "429": lambda play: play.dossiers.misbehave("status", 429, retry_after="0"),
    "truncated JSON": lambda play: play.dossiers.misbehave("truncated"),
    "a page for people with status 200": lambda play: play.totals.misbehave("html"),
    "a record twice with other content": lambda play: play.dossiers.misbehave("contradiction", {"GhiChu": "bản khác"}),
    "a clock that is a day ahead": lambda play: play.store.change(
        next(iter(play.store.records())), {"GhiChu": "đồng hồ sai"}, play.clock.now() + timedelta(days=1)
    ),
}


def test_a_source_that_misbehaves_leaves_the_figures_right(office: Office) -> None:
    for arm in FAULTS.values():
        arm(office.play)
    office.hour(hours=1)
    office.play.dossiers.behave()
    office.play.totals.behave()
    test_what_people_see_is_what_the_office_holds(office)
    test_every_day_adds_up(office)
    test_the_sources_totals_are_explained_to_the_last_dossier(office)


def test_a_poisoned_batch_waits_in_quarantine_and_changes_no_figure(office: Office) -> None:
    """The source sends another code list: most statuses are none of the national ones."""
    shown = "select unit_code, in_process_count from serving.rpt_public_services_unit order by 1"
    before = office.corridor.query(shown)
    for key in list(office.play.store.records())[:200]:
        office.play.store.change(key, {"TrangThaiHoSo": 77})
    office.play.clock.move(3600)
    office.corridor.load(DOMAIN, f"{office.url}/mot-cua#dossiers")
    ((status,),) = office.corridor.query(
        "select status from ops.load_batch where domain = 'public_services' order by batch_id desc limit 1"
    )
    assert status == "quarantined"
    office.corridor.transform(DOMAIN)
    assert office.corridor.query(shown) == before
