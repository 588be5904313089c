"""Clocks: who is told when nobody acts; what an acknowledgement, a higher level, a standstill, an edit change."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest
from procedure_room import Room

from alerts import notifier, procedures
from ioc.settings import PROJECT_ROOT

if TYPE_CHECKING:
    from conftest import Desk

# khan-cap: 10 minutes the duty of the Sở, 20 its leader, 40 the province, then every hour.
DUTY, LEADER, PROVINCE = (
    "truc-ban.snnmt@thanhhoa.example.vn", "lanh-dao.snnmt@thanhhoa.example.vn", "lanh-dao@thanhhoa.example.vn"
)  # fmt: skip


@pytest.fixture
def room(desk: Desk) -> Room:
    return Room(desk)


def test_nobody_acts_and_the_next_ones_hear_of_it(room: Room) -> None:
    room.open()
    assert room.drain(0.26).fired == 0
    assert room.drain(0.27).fired == 1
    assert room.drain(0.3).fired == 0, "once"
    room.drain(0.44)
    room.drain(0.8)
    assert [hour for hour, _ in room.fired()] == [0.27, 0.44, 0.8]
    acked = [(who, text) for who, text in room.reminders() if "xác nhận" in text]
    assert [who for who, _ in acked] == [DUTY, LEADER, PROVINCE]
    assert acked[0][1].startswith("[Nhắc lần 1 – cấp 2] Chưa có người xác nhận cảnh báo từ 00:06 06/03/2026")
    room.drain(1.81)
    room.drain(2.82)
    assert [position for _, position in room.fired()] == [0, 1, 2, 2, 2], "the last step repeats until somebody acts"
    assert room.fired("not_accepted") == [(0.44, 3)]
    assert room.fired("overdue")[0] == (0.8, 4)


def test_an_acknowledgement_holds_its_clocks_and_no_others_and_they_go_on_after_it(room: Room) -> None:
    room.open()
    room.acknowledge(0.2)
    for hour in (0.3, 0.8, 2, 4.1):
        room.drain(hour)
    assert room.fired() == []
    assert room.fired("not_accepted") and room.fired("overdue"), "the deadlines of the work run on"
    # Four hours at level 2: until 4.2. The first step is due then, the others at their distance from it.
    for hour in (4.21, 4.3, 4.37, 4.69, 4.71):
        room.drain(hour)
    assert room.fired() == [(4.21, 0), (4.37, 1), (4.71, 2)]


def test_a_higher_level_voids_the_acknowledgement_and_begins_again(room: Room) -> None:
    room.desk.signal({0: 170})
    room.evaluate(0.1)
    room.drain(0.3)
    room.acknowledge(0.35)
    room.desk.signal({1: 220})
    report = room.evaluate(1.1)
    assert report.raised == 1
    assert room.cases(1.1)[0].level == 3
    assert room.drain(1.2).raised == 0
    room.drain(1.27)
    assert room.fired() == [(0.3, 0), (1.27, 0)]
    armed = [timer for timer in room.file(1.3).timers if (timer.status, timer.condition) == ("armed", "not_acked")]
    assert [(timer.round, timer.position) for timer in armed] == [(2, 1), (2, 2)]
    room.desk.signal({2: 170, 3: 170, 4: 220})
    for hour in (2.1, 3.1, 4.1):
        assert room.evaluate(hour).raised == 0, "down and up again is no new height"


def test_after_a_day_of_standstill_each_clock_fires_once_and_only_if_it_still_holds(room: Room) -> None:
    room.open()
    task = room.task("kiem-tra-so-lieu", 0.2)
    room.act("accept", task, "truc", hour=0.2)
    room.desk.signal(dict.fromkeys(range(1, 25), 170))
    # A process of its own, as after a restart of the machine.
    late = room.desk.at(24.1).isoformat()
    script = (
        "import sys, datetime; from alerts import procedures; from alerts.judging import engine;"
        "at = datetime.datetime.fromisoformat(sys.argv[1]);"
        "engine.evaluate(at=at); print(procedures.drain(at).fired)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, late], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[-1] == "5"
    assert room.fired() == [(24.1, 0), (24.1, 1), (24.1, 2)], "three steps, once each, no hour made up for"
    assert room.fired("not_accepted") == [], "it was accepted"
    assert room.fired("overdue") == [(24.1, 4), (24.1, 5)]
    assert room.drain(24.2).fired == 0
    assert room.drain(25.2).fired == 1


def test_what_is_over_rings_no_more(room: Room) -> None:
    room.open()
    room.desk.signal({1: 60, 2: 60, 3: 60})
    room.evaluate(3.1)
    assert room.fired() == []
    room.work("kiem-tra-so-lieu", "loi-thiet-bi", 3.2)
    reasons = {timer.skip_reason for timer in room.file(3.2).timers if timer.status == "cancelled"}
    assert {"incident_closed", "task_done"} <= reasons


def test_an_edited_chain_concerns_new_cases_only(room: Room) -> None:
    room.open()
    steps = [
        {"after": "5 minutes", "condition": "not_acked", "roles": ["lanh_dao"], "channels": ["email"],
         "repeat_every": "1 hour"},
    ]  # fmt: skip
    procedures.replace_chain("khan-cap", steps, "quantri", settings=room.desk.settings)
    room.drain(0.19)
    assert room.fired() == []
    room.drain(0.27)
    assert [who for who, _ in room.reminders()] == [DUTY]
    room.desk.signal({1: 170}, station="TH-02")
    room.evaluate(1.1)
    room.drain(1.19)
    new = [(who, text) for who, text in room.reminders() if "TH-02" in text and "xác nhận" in text]
    assert [(who, text.split(" – ")[0]) for who, text in new] == [(LEADER, "[Nhắc lần 1")]


def test_a_chain_that_could_fall_silent_or_makes_no_sense_is_refused(room: Room) -> None:
    good = {
        "after": "5 minutes",
        "condition": "not_acked",
        "roles": ["x"],
        "channels": ["web"],
        "repeat_every": "1 hour",
    }
    for change, words in (
        ({"repeat_every": None}, "repeat_every"), ({"condition": "bored"}, "condition"), ({"after": "soon"}, "after"),
        ({"extra": 1}, "extra"),
    ):  # fmt: skip
        with pytest.raises(procedures.ProcedureRefusedError, match=words):
            procedures.replace_chain("khan-cap", [good | change], "quantri", settings=room.desk.settings)
    assert room.desk.one("select count(*) from sop.escalation_chain where code = 'khan-cap'") == 6


def test_a_suppression_holds_the_clocks_and_nothing_is_lost(room: Room) -> None:
    room.open()
    room.silence(0.15, 2)
    for hour in (0.3, 0.5, 1.9):
        report = room.drain(hour)
        assert report.fired == 0 and report.held > 0
    assert {timer.skip_reason for timer in room.file(1.9).timers if timer.due_at < room.desk.at(1)} == {"suppressed"}
    room.drain(2.01)
    assert room.fired() == [(2.01, 0), (2.01, 1), (2.01, 2)]
    room.silence(2.5, 4, max_level=1)
    room.drain(3.1)
    assert room.fired()[-1] == (3.1, 2), "a ceiling below the level holds nothing"


def test_a_flood_is_one_reminder_per_person(room: Room) -> None:
    for number in range(20):
        room.desk.signal({0: 170}, station=f"TH-{number:02}")
    room.evaluate(0.1)
    report = room.drain(0.27)
    assert report.fired == 20
    (reminder,) = room.reminders()
    assert reminder[0] == DUTY and reminder[1].endswith("và 19 việc khác")


def test_whoever_reaches_nobody_reaches_the_duty_of_the_centre(room: Room) -> None:
    room.desk.run("update ref.contact set is_active = false where unit_code in ('SNNMT', 'UBND')")
    room.open()
    room.drain(0.27)
    assert [who for who, _ in room.reminders()] == ["truc-ban.ioc@thanhhoa.example.vn"]
    room.desk.run("update ref.contact set is_active = false")
    report = room.drain(0.44)
    assert report.fired == 0 and report.unreachable > 0
    room.desk.run("update ref.contact set is_active = true")
    assert room.drain(0.45).fired == 2, "tried again"


def test_a_lost_clock_is_noticed_told_and_repaired(room: Room) -> None:
    case = room.open()
    assert room.drain(0.2).repaired == 0
    room.desk.run("delete from sop.timer")
    assert room.drain(0.21).repaired == 1
    assert room.drain(0.22).repaired == 0
    ((who, subject),) = room.desk.rows(
        "select address, subject from notify.outbox where dedupe_key like 'self|%%' and channel = 'email'"
    )
    assert who == "truc-ban.ioc@thanhhoa.example.vn"
    assert f"Vụ việc {case.code} không có đồng hồ nhắc việc" in subject
    room.drain(0.39)
    assert room.fired() == [(0.39, 0)], "from the first step, from when it was noticed"
    assert room.desk.one("select beat_at from alert.heartbeat where service = 'procedures'") == room.desk.at(0.39)


def test_an_acknowledged_or_closed_incident_needs_no_clock(room: Room) -> None:
    room.open()
    room.desk.run("delete from sop.timer")
    room.acknowledge(0.15)
    assert room.drain(0.2).repaired == 0
    assert room.drain(4.2).repaired == 1, "the acknowledgement has run out"


def test_the_notifier_alone_opens_cases_and_fires_clocks(room: Room) -> None:
    room.desk.signal({0: 170})
    notifier.run_once(room.desk.settings, room.desk.at(0.1))
    notifier.run_once(room.desk.settings, room.desk.at(0.27))
    assert room.fired() == [(0.27, 0)]
    assert "Nhắc lần 1" in room.desk.one("select string_agg(subject, '|') from notify.inbox")


def test_two_drains_share_the_clocks_out(room: Room) -> None:
    for number in range(20):
        room.desk.signal({0: 170}, station=f"TH-{number:02}")
    room.evaluate(0.1)
    reports: list[procedures.ProceduresReport] = []
    drains = [threading.Thread(target=lambda: reports.append(room.drain(0.27))) for _ in range(4)]
    for drain in drains:
        drain.start()
    for drain in drains:
        drain.join()
    assert sum(report.fired for report in reports) == len(room.fired()) == 20


_WORKER = """
import sys, datetime
from alerts import procedures
at = datetime.datetime.fromisoformat(sys.argv[1])
print("begins", flush=True)
while True:
    procedures.drain(at)
"""


def test_killed_in_the_middle_nothing_is_lost_and_nothing_doubled(room: Room) -> None:
    stations = 25
    for number in range(stations):
        room.desk.signal({0: 170}, station=f"TH-{number:02}")
    room.desk.evaluate(0.1)

    def kill_during(hour: float, progress: str) -> int:
        """Kill a drain as soon as the first row shows what it has done; what the query then says."""
        worker = subprocess.Popen(
            [sys.executable, "-c", _WORKER, room.desk.at(hour).isoformat()], cwd=PROJECT_ROOT, stdout=subprocess.PIPE,
        )  # fmt: skip
        try:
            assert worker.stdout and worker.stdout.readline() == b"begins\n"
            deadline = time.monotonic() + 60
            while not room.desk.one(progress) and time.monotonic() < deadline:
                time.sleep(0.01)
        finally:
            os.kill(worker.pid, signal.SIGKILL)
            worker.wait()
        return int(room.desk.one(progress))

    opened = kill_during(0.1, "select count(*) from sop.case_")
    assert 0 < opened < stations, "killed between two cases"
    assert room.drain(0.1).opened == stations - opened
    assert room.desk.one("select count(distinct incident_id) from sop.case_") == stations
    assert room.desk.one("select count(*) from sop.task") == 7 * stations
    kill_during(0.27, "select count(*) from sop.timer where status = 'fired'")
    room.drain(0.27)
    room.drain(0.27)
    assert len(room.fired()) == stations
    assert len(room.reminders()) == 1
    announced = room.desk.one("select count(*) from sop.task where announced_at is not null")
    assert announced == stations
    assert room.desk.one("select audit.first_broken_event()") is None
