"""Corrections behind the watermark: never a second incident, one notice to whom they concern, and the day's report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alerts import incidents, suppressions
from alerts.judging import restatement
from alerts.suppressions import Actor

if TYPE_CHECKING:
    from tests.integration.alerts.conftest import Desk

LEVEL_2 = "Cảnh báo cấp 2 – Xấu"


def test_a_correction_that_contradicts_an_open_incident_is_told_once_and_is_no_second_incident(desk: Desk) -> None:
    desk.signal({0: 163, 1: 120})
    desk.tick(1.1)
    desk.signal({0: 60})
    report = desk.tick(1.2)
    assert (report.late, report.contradicted, report.opened, report.resolved) == (1, 1, 0, 0)
    assert desk.rows(
        "select value::int, revision, contradicts_incident_id is not null from alert.late_observation"
    ) == [(60, 2, True)]
    assert desk.subjects() == [LEVEL_2, "Đính chính"]
    desk.signal({0: 61})
    desk.tick(1.3)
    desk.tick(1.4)
    assert desk.subjects() == [LEVEL_2, "Đính chính"]
    assert desk.one("select count(*) from alert.incident") == 1
    assert desk.transitions() == [(0, 2)]
    view = incidents.list_open(settings=desk.settings, at=desk.at(1.4))[0]
    assert view.corrected_at == desk.at(1.2)
    body = desk.one("select body from notify.inbox where body like '[Đính chính%%' limit 1")
    assert "chưa có cảnh báo" in body
    told = "select contact_id, channel from notify.outbox where dedupe_key {} like 'dinh-chinh%%' and {} order by 1, 2"
    about = "incident_ids <> '{}'"
    assert desk.rows(told.format("", about)) == desk.rows(told.format("not", about)), "who was told, and nobody else"


def test_a_correction_that_takes_the_worst_level_away_says_which_it_was(desk: Desk) -> None:
    desk.signal({0: 160, 1: 310, 2: 170})
    for hour in range(3):
        desk.tick(hour + 0.1)
    desk.signal({1: 165})
    desk.tick(2.2)
    body = desk.one("select body from notify.inbox where body like '[Đính chính%%' limit 1")
    assert "cấp cao nhất theo số liệu đã sửa là 2, không phải 4" in body


def test_a_late_correction_that_contradicts_nothing_is_silent(desk: Desk) -> None:
    desk.signal({0: 163, 1: 165})
    desk.tick(1.1)
    told = desk.subjects()
    desk.signal({0: 170, -1: 150})
    report = desk.tick(1.2)
    assert (report.late, report.contradicted, report.notifications) == (2, 0, 0)
    assert desk.subjects() == told
    desk.signal({2: 60, 3: 60})
    desk.tick(3.1)
    told = desk.subjects()
    desk.signal({0: 20})
    assert desk.tick(3.2).late == 1
    assert desk.subjects() == told, "the incident is over"


def test_a_correction_waits_for_the_end_of_a_silence(desk: Desk) -> None:
    desk.signal({0: 163, 1: 120})
    desk.tick(1.1)
    suppressions.suppress("silence", Actor("x", "admin"), "x", desk.at(2), max_level=4, settings=desk.settings,
                          at=desk.at(1.1))  # fmt: skip
    desk.signal({0: 60})
    desk.tick(1.2)
    assert "Đính chính" not in desk.subjects()
    desk.tick(2.1)
    assert desk.subjects().count("Đính chính") == 1


def test_the_report_of_a_day_says_what_late_rows_change(desk: Desk) -> None:
    desk.signal({0: 60, 1: 163, 2: 120, 3: 60, 4: 60}, station="CHANGED")
    desk.signal({0: 60, 2: 60, 3: 60}, station="FILLED")
    desk.tick(4.1)
    desk.signal({1: 60}, station="CHANGED")
    desk.signal({1: 70}, station="FILLED")
    desk.tick(4.2)
    (day,) = restatement.days(settings=desk.settings)
    assert restatement.days(["SYT"], desk.settings) == restatement.report(day["day"], ["SYT"], desk.settings) == []
    assert (day["day"], day["series"], day["late_count"], day["corrected_count"]) == (desk.at(4).date(), 2, 2, 1)
    report = {one.entity_id: one for one in restatement.report(day["day"], ["SNNMT"], desk.settings)}
    changed, filled = report["CHANGED"], report["FILLED"]
    assert changed.differs
    assert changed.recorded == [(desk.at(1), 2), (desk.at(3), 1), (desk.at(4), 0)]
    assert changed.restated == [(desk.at(2), 1), (desk.at(4), 0)]
    assert (changed.corrected_count, filled.corrected_count, filled.differs) == (1, 0, False)
    assert restatement.report(desk.at(48).date(), settings=desk.settings) == []
