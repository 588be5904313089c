"""Cases: opened once, frozen as they were, closed by people."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import psycopg
import pytest
from procedure_room import Room

from alerts import incidents, procedures
from alerts.incidents import ActRefusedError

if TYPE_CHECKING:
    from conftest import Desk


@pytest.fixture
def room(desk: Desk) -> Room:
    return Room(desk)


def test_an_alarm_opens_one_case_whatever_happens_to_the_drain(room: Room) -> None:
    case = room.open()
    assert (case.level, case.unit_code, case.owner_unit, case.opened_by) == (2, "14797", "SNNMT", "hệ thống")
    assert case.incident_code and case.title_vi.startswith("Chất lượng không khí xấu: ")
    assert room.states(0.1) == {
        "kiem-tra-so-lieu": "ready", "bao-loi-tram": "waiting", "xac-dinh-nguon": "waiting",
        "khuyen-cao-nguoi-dan": "waiting", "kiem-tra-hien-truong": "waiting", "chi-dao-khan": "waiting",
        "bao-cao": "waiting",
    }  # fmt: skip
    assert room.evaluate(0.2).opened == 0
    drains = [threading.Thread(target=room.drain, args=(0.2,)) for _ in range(3)]
    for drain in drains:
        drain.start()
    for drain in drains:
        drain.join()
    assert len(room.cases(0.2, status=None)) == 1


def test_drains_beside_each_other_open_each_case_once(room: Room) -> None:
    for number in range(12):
        room.desk.signal({0: 170}, station=f"TH-{number:02}")
    room.desk.evaluate(0.1)
    reports: list[procedures.ProceduresReport] = []
    drains = [threading.Thread(target=lambda: reports.append(room.drain(0.1))) for _ in range(4)]
    for drain in drains:
        drain.start()
    for drain in drains:
        drain.join()
    assert sum(report.opened for report in reports) == 12
    assert [error for report in reports for error in report.errors] == []
    assert room.desk.one("select count(*) from sop.timer where status = 'armed' and condition = 'not_acked'") == 36


def test_below_the_level_or_not_live_opens_nothing(room: Room) -> None:
    room.desk.signal({0: 120})
    assert room.evaluate(0.1).opened == 0
    room.desk.signal({1: 170})
    room.desk.evaluate(1.1, mode="dry_run")
    room.desk.evaluate(1.1, mode="backfill")
    assert room.drain(1.1).opened == 0
    assert room.evaluate(1.2).opened == 1


def test_old_data_open_nothing(room: Room) -> None:
    room.desk.signal({0: 170})
    assert room.evaluate(30).opened == 0


def test_a_suppressed_alarm_opens_its_case_when_the_suppression_ends(room: Room) -> None:
    room.silence(0, 2)
    room.desk.signal({0: 170, 1: 171, 2: 172})
    assert room.evaluate(1.1).opened == 0
    assert room.evaluate(2.1).opened == 1


def test_an_open_case_keeps_the_procedure_that_it_began_with(room: Room) -> None:
    before = room.file(0.1, room.open().code).snapshot
    content = {
        "code": "khong-khi-xau", "title_vi": "Khác", "title_en": "Other", "legal_basis": "x", "reason": "y",
        "chain": "thong-thuong", "steps": [{
            "code": "mot", "title_vi": "Một", "title_en": "One", "unit": "rule_owner", "role": "truc_ban",
            "sla": "5 minutes", "outcomes": [{"code": "xong", "vi": "Xong", "en": "Done"}]}],
    }  # fmt: skip
    draft = procedures.draft_template(content, "soan", settings=room.desk.settings)
    assert (draft.version, draft.status) == (2, "draft")
    with pytest.raises(ActRefusedError, match="không được tự phê duyệt"):
        procedures.approve_template(draft.template_id, "soan", settings=room.desk.settings)
    procedures.approve_template(draft.template_id, "duyet", settings=room.desk.settings)
    assert procedures.template("khong-khi-xau", settings=room.desk.settings).version == 2
    assert procedures.template("khong-khi-xau", 1, settings=room.desk.settings).status == "retired"
    room.desk.run("update alert.rule set title_vi = 'Khác'")
    assert room.file(0.2).snapshot == before
    assert len(room.file(0.2).tasks) == 7
    room.work("kiem-tra-so-lieu", "dung", 0.3)
    assert room.states(0.3)["xac-dinh-nguon"] == "ready"
    room.desk.signal({0: 170}, station="TH-02")
    assert room.evaluate(0.4).opened == 1
    assert sorted(case.template_version or 0 for case in room.cases(0.4)) == [1, 2]


FROZEN = [
    "update sop.case_ set snapshot = '{}'",
    "update sop.case_ set opened_at = opened_at - interval '1 hour'",
    "delete from sop.case_",
    "update sop.template set title_vi = 'x'",
    "delete from sop.template",
    "update sop.step set sla = '1 year'",
    "delete from sop.step",
    "insert into sop.step (template_id, code, position, title_vi, title_en, unit_mode, role, sla) "
    "select template_id, 'them', 99, 'x', 'x', 'rule_owner', 'truc_ban', '1 hour' from sop.template",
    "update sop.task set status = 'done', outcome = 'dung' where status = 'ready'",
    "update sop.task set status = 'ready' where status = 'accepted'",
    "update sop.comment set body = 'x'",
    "delete from sop.attachment",
    "update sop.directive set due_at = due_at + interval '1 year'",
]


def test_the_database_holds_what_is_frozen(room: Room) -> None:
    case = room.open()
    room.act("accept", room.task("kiem-tra-so-lieu", 0.2), "truc", hour=0.2)
    room.desk.run("update sop.task set status = 'ready' where step_code = 'bao-cao'")
    procedures.comment(case.code, "x", "truc", settings=room.desk.settings)
    procedures.attach(case.code, "a.txt", b"x", "truc", settings=room.desk.settings)
    procedures.directive_send(
        case.code, "x", ["SYT"], room.desk.at(9), "lanhdao", settings=room.desk.settings, at=room.desk.at(1)
    )
    for statement in FROZEN:
        with pytest.raises(psycopg.errors.RestrictViolation):
            room.desk.run(statement)


def test_data_close_incidents_and_people_close_cases(room: Room) -> None:
    case = room.open()
    room.desk.signal({1: 60, 2: 60, 3: 60})
    room.evaluate(3.1)
    (still,) = room.cases(3.1)
    assert (still.status, still.incident_status) == ("open", "closed")
    close = {"settings": room.desk.settings, "at": room.desk.at(4)}
    with pytest.raises(ActRefusedError, match="Còn 7 công việc"):
        procedures.close_case(case.code, "da-xu-ly", "truc", **close)
    with pytest.raises(ActRefusedError, match="lý do"):
        procedures.close_case(case.code, "tự nghĩ ra", "truc", **close)
    with pytest.raises(ActRefusedError, match="đơn vị chủ trì"):
        procedures.close_case(case.code, "da-xu-ly", "ai", cancel_open_tasks=True, unit_codes=["14797"], **close)
    closed = procedures.close_case(case.code, "da-xu-ly", "truc", cancel_open_tasks=True, **close)
    assert (closed.status, closed.closed_by, closed.closed_while_firing) == ("closed", "truc", False)
    assert set(room.states(4).values()) == {"cancelled"}
    assert room.desk.one("select count(*) from sop.timer where status = 'armed'") == 0
    with pytest.raises(ActRefusedError, match="đã đóng"):
        procedures.close_case(case.code, "da-xu-ly", "truc", **close)
    with pytest.raises(ActRefusedError, match="đã đóng"):
        room.act("accept", room.task("kiem-tra-so-lieu", 4), "truc", hour=4)


def test_closing_over_a_firing_alarm_needs_a_reason_that_fits_and_words(room: Room) -> None:
    case = room.open()
    close = {"cancel_open_tasks": True, "settings": room.desk.settings, "at": room.desk.at(1)}
    with pytest.raises(ActRefusedError, match="vẫn đang diễn ra"):
        procedures.close_case(case.code, "da-xu-ly", "truc", note="xong", **close)
    with pytest.raises(ActRefusedError, match="ghi rõ"):
        procedures.close_case(case.code, "loi-thiet-bi", "truc", **close)
    closed = procedures.close_case(case.code, "loi-thiet-bi", "truc", note="Đầu đo hỏng", **close)
    assert (closed.closed_while_firing, closed.close_reason_vi) == (True, "Lỗi thiết bị hoặc dữ liệu")
    assert room.evaluate(1.2).opened == 0, "the same incident opens no second case"


def test_a_case_closed_over_an_alarm_comes_back_when_that_rises(room: Room) -> None:
    case = room.open()
    room.work("kiem-tra-so-lieu", "dung", 0.2)
    procedures.close_case(
        case.code, "theo-doi-dai-han", "truc", note="Do thời tiết", cancel_open_tasks=True,
        settings=room.desk.settings, at=room.desk.at(0.5),
    )  # fmt: skip
    room.desk.signal({1: 172, 2: 220})
    assert room.evaluate(1.1).raised == 0
    assert room.evaluate(2.1).raised == 1
    (again,) = room.cases(2.1)
    assert (again.code, again.status, again.level, again.close_reason) == (case.code, "open", 3, None)
    assert room.states(2.1) == {
        "kiem-tra-so-lieu": "done", "bao-loi-tram": "skipped", "xac-dinh-nguon": "ready",
        "khuyen-cao-nguoi-dan": "ready", "kiem-tra-hien-truong": "waiting", "chi-dao-khan": "skipped",
        "bao-cao": "waiting",
    }  # fmt: skip
    assert "case.closed" in [act["action"] for act in room.file(2.1).history]


def test_a_case_can_be_opened_by_hand(room: Room) -> None:
    settings, at = room.desk.settings, room.desk.at(9)
    case = procedures.open_case(
        "tau-vuot-ranh-gioi", "truc", title="Ngư dân báo tàu TH-00000-TS", level=3, unit_code="16654",
        unit_codes=["SNNMT"], settings=settings, at=at,
    )  # fmt: skip
    assert (case.owner_unit, case.unit_code, case.incident_id, case.level) == ("SNNMT", "16654", None, 3)
    assert room.drain(24).errors == []
    assert {timer.condition for timer in room.file(9).timers} == {"not_accepted", "overdue"}
    with pytest.raises(ActRefusedError, match="Không có quy trình"):
        procedures.open_case("khong-co", "truc", settings=settings)
    with pytest.raises(ActRefusedError, match="Không có đơn vị"):
        procedures.open_case("nguong-dich", "truc", unit_code="99999", settings=settings)


def test_an_incident_below_the_level_can_get_its_case_by_hand_but_not_twice(room: Room) -> None:
    room.desk.signal({0: 120})
    room.evaluate(0.1)
    (incident,) = incidents.list_open(settings=room.desk.settings, at=room.desk.at(0.1))
    again = {"incident_id": incident.incident_id, "settings": room.desk.settings, "at": room.desk.at(0.2)}
    assert procedures.open_case("khong-khi-xau", "truc", **again).level == 1  # type: ignore[arg-type]
    with pytest.raises(ActRefusedError, match="đã có vụ việc"):
        procedures.open_case("khong-khi-xau", "truc", **again)  # type: ignore[arg-type]


def test_units_see_their_cases_only(room: Room) -> None:
    case = room.open()
    look = {"settings": room.desk.settings, "at": room.desk.at(0.2)}

    def sees(unit: str) -> bool:
        return [found.code for found in procedures.list_cases([unit], **look)] == [case.code]  # type: ignore[arg-type]

    assert [sees(unit) for unit in ("SNNMT", "14797", "SYT", "CAT")] == [True, True, False, False]
    with pytest.raises(ActRefusedError, match="Không có vụ việc này"):
        procedures.case(case.code, ["SYT"], **look)  # type: ignore[arg-type]
    with pytest.raises(ActRefusedError, match="Không có vụ việc này"):
        procedures.comment(case.code, "Tò mò", "ai", unit_codes=["SYT"], **look)  # type: ignore[arg-type]
    procedures.directive_send(
        case.code,
        "Hỗ trợ y tế",
        ["SYT"],
        room.desk.at(8),
        "lanhdao",
        **look,  # type: ignore[arg-type]
    )
    assert sees("SYT"), "a directive lets its unit see the case"
    assert procedures.comment(case.code, "Đã rõ", "ai", unit_codes=["SYT"], **look).body == "Đã rõ"  # type: ignore[arg-type]


def test_a_rule_that_names_no_procedure_in_force_is_told_to_the_duty(room: Room) -> None:
    room.desk.run("update alert.rule set sop_template_code = 'khong-co' where code = 'air_quality.aqi_h'")
    room.desk.signal({0: 170})
    report = room.evaluate(0.1)
    assert "air_quality.aqi_h" in report.errors[0] and "khong-co" in report.errors[0]
    room.drain(0.2)
    assert room.desk.one(
        "select count(*) from notify.outbox where dedupe_key like 'self|%%' and channel = 'email'"
    ) == 1, "once a day, not once a round"  # fmt: skip


def test_indicators_and_false_alarms(room: Room) -> None:
    case = room.open(hour=1)
    room.desk.tick(1.1)
    room.acknowledge(1.6)
    task = room.task("kiem-tra-so-lieu", 1.3)
    room.act("accept", task, "truc", hour=1.3)
    room.act("start", task, "truc", hour=1.4)
    room.act("finish", task, "loi-thiet-bi", "truc", hour=2.1)
    procedures.close_case(
        case.code, "bao-dong-gia", "truc", note="Đầu đo", cancel_open_tasks=True, settings=room.desk.settings,
        at=room.desk.at(3),
    )  # fmt: skip
    found = procedures.indicators(
        room.desk.at(0), room.desk.at(24), ["SNNMT"], settings=room.desk.settings, at=room.desk.at(4)
    )
    (unit,) = found.units
    assert (unit.incident_count, unit.acked_count, unit.ack_median) == (1, 1, timedelta(minutes=30))
    assert (unit.task_count, unit.done_count) == (1, 1)
    assert unit.accept_median == unit.accept_p90 == timedelta(minutes=12)
    assert unit.finish_median == timedelta(hours=1)
    assert (unit.overdue_count, unit.overdue_share) == (1, 1.0), "half an hour was given, an hour it took"
    assert [(rule.rule_code, rule.false_share) for rule in found.rules] == [("air_quality.aqi_h", 1.0)]
    before = procedures.indicators(room.desk.at(-24), room.desk.at(0), settings=room.desk.settings)
    assert (before.units, before.rules) == ([], [])
