"""Three kinds of no data, kept apart: the device says why, nothing arrives from one series, a whole source is down."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.integration.alerts.conftest import Desk

STATIONS = [f"TH-{number:02}" for number in range(8)]


@pytest.fixture
def watched(desk: Desk) -> Desk:
    """A domain that published at midnight: its source rule exists from the first evaluation on (60 and 240 minutes)."""
    for station in STATIONS:
        desk.signal({0: 60}, station=station)
    desk.publish(0)
    desk.tick(0.1)
    assert desk.rows("select code, owner_unit from alert.rule where watches = 'source'") == [
        ("air_quality.source", "SNNMT")
    ]
    return desk


def open_kinds(desk: Desk) -> dict[str, int]:
    return dict(desk.rows("select kind, count(*) from alert.incident where status = 'open' group by kind"))


def test_a_source_that_is_down_is_one_incident_and_its_series_are_silent_under_it(watched: Desk) -> None:
    assert watched.tick(0.9).sources == 0
    report = watched.tick(1.1)
    assert (report.sources, report.nodata) == (1, 0)
    told = watched.subjects()
    assert told == ["Mất nguồn dữ liệu"]
    assert "Nguồn dữ liệu Môi trường không khí ngừng cung cấp từ 00:00 06/03/2026" in watched.one(
        "select body from notify.inbox where body like '[Mất%%' limit 1"
    )
    report = watched.tick(3.1)
    assert (report.sources, report.nodata, report.notifications) == (1, len(STATIONS), 0)
    assert open_kinds(watched) == {"source": 1, "nodata": len(STATIONS)}
    assert watched.subjects() == told
    (inhibition,) = watched.rows(
        "select kind, domain, incident_kind, source_incident_id is not null from alert.suppression"
    )
    assert inhibition == ("inhibit", "air_quality", "nodata", True)


def test_a_source_that_comes_back_closes_with_one_notice_and_what_had_been_silent_stays_so(watched: Desk) -> None:
    watched.tick(1.1)
    watched.tick(3.5)
    watched.publish(3.6)
    watched.tick(3.65)  # published, not transformed yet: the series are silent still
    assert open_kinds(watched) == {"nodata": len(STATIONS)}
    assert len(watched.subjects()) == 2
    for station in STATIONS:
        watched.signal({1: 60, 2: 60, 3: 60}, station=station)
    for hour in (3.7, 4.7, 5.0):
        watched.publish(hour)
        watched.tick(hour)
    assert open_kinds(watched) == {}
    assert watched.subjects() == ["Mất nguồn dữ liệu", "Có lại nguồn dữ liệu"], "whatever the number of series"
    assert watched.transitions("source", "air_quality") == [(1, 1), (pytest.approx(3.65), 0)]


def test_a_series_that_stays_silent_when_its_source_is_back_is_told_then(watched: Desk) -> None:
    watched.tick(1.1)
    watched.tick(3.5)
    watched.publish(3.6)
    watched.tick(3.6)
    for station in STATIONS[1:]:
        watched.signal({1: 60, 2: 60, 3: 60}, station=station)
    watched.tick(3.7)
    assert open_kinds(watched) == {"nodata": 1}
    before = len(watched.subjects())
    for hour in (4.0, 4.5):
        watched.publish(hour)
        watched.tick(hour)
    assert len(watched.subjects()) == before, "it gets an hour to speak"
    watched.tick(4.7)
    assert len(watched.subjects()) == before + 1
    assert STATIONS[0] in watched.one("select body from notify.inbox order by inbox_id desc limit 1")


def test_one_silent_series_of_a_living_source_is_told_at_once(watched: Desk) -> None:
    for hour in (1, 2, 3):
        watched.publish(hour)
        for station in STATIONS[1:]:
            watched.signal({hour: 60}, station=station)
        watched.tick(hour + 0.05)
    assert open_kinds(watched) == {"nodata": 1}
    assert watched.subjects() == ["Mất dữ liệu"]


def test_a_device_that_says_it_is_being_calibrated_is_neither(watched: Desk) -> None:
    for hour in (1, 2, 3, 4):
        watched.publish(hour)
        for station in STATIONS:
            watched.signal({hour: 999}, station=station, quality="calibrating")
        watched.tick(hour + 0.05)
    assert open_kinds(watched) == {}
    assert watched.subjects() == []
    assert watched.one("select count(*) from alert.series_state where data_state = 'unusable'") == len(STATIONS)


def test_a_longer_outage_is_a_higher_level_and_batches_of_a_backfill_are_no_sign_of_life(watched: Desk) -> None:
    watched.tick(1.1)
    watched.publish(2)
    watched.run("update ops.load_batch set mode = 'backfill' where published_at = %s", watched.at(2))
    watched.tick(4.1)
    assert watched.transitions("source", "air_quality") == [(1, 1), (4, 2)]


def test_an_alarm_that_is_on_goes_on_while_its_source_is_down(watched: Desk) -> None:
    watched.signal({0.5: 170})
    watched.publish(0.5)
    watched.tick(0.6)
    for hour in (1.6, 4, 9):
        watched.tick(hour)
    assert watched.rows("select status, level from alert.incident where kind = 'value'") == [("open", 2)]


def test_a_domain_without_rules_or_without_any_batch_has_no_source_to_watch(desk: Desk) -> None:
    desk.publish(0, "health")
    desk.signal({0: 60})
    desk.tick(0.1)
    assert desk.tick(9).sources == 0
    assert desk.one("select count(*) from alert.rule where watches = 'source'") == 0
