"""Evaluation against real PostgreSQL: history is what the data say, however and whenever they came."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from alerts.judging import engine
from ioc import warehouse

if TYPE_CHECKING:
    from tests.integration.alerts.conftest import Desk

CALM = {0.0: 60, 1.0: 70, 2.0: 80}
EPISODE = {3.0: 163, 4.0: 205, 5.0: 160, 6.0: 120, 7.0: 85, 8.0: 80}


def test_an_episode_is_one_incident_with_its_levels_and_two_ends_of_messages(desk: Desk) -> None:
    desk.signal(CALM | EPISODE)
    for hour in range(9):
        desk.tick(hour + 0.1)
    assert desk.transitions() == [(3, 2), (4, 3), (6, 2), (7, 1), (8, 0)]
    assert desk.rows("select status, peak_level, peak_value::int, close_reason from alert.incident") == [
        ("closed", 3, 205, "resolved")
    ]
    assert desk.subjects() == [
        "Cảnh báo cấp 2 – Xấu", "Tăng lên cấp 3 – Rất xấu", "Giảm xuống cấp 2 – Xấu", "Giảm xuống cấp 1 – Kém",
        "Đã hết cảnh báo",
    ]  # fmt: skip


def test_one_firing_and_one_resolved_ever(desk: Desk) -> None:
    desk.signal({0: 120, 1: 120, 2: 80, 3: 80, 4: 80})
    for minute in range(0, 300, 15):
        desk.tick(minute / 60)
    assert desk.subjects() == ["Cảnh báo cấp 1 – Kém", "Đã hết cảnh báo"]


def test_running_again_adds_nothing(desk: Desk) -> None:
    desk.signal(CALM | EPISODE)
    desk.tick(8.5)
    before = desk.counts()
    report = desk.tick(8.5)
    desk.tick(8.6)
    assert (report.evaluated, report.opened, report.resolved, report.notifications) == (0, 0, 0, 0)
    assert desk.counts() == before


def test_a_late_batch_gives_the_history_that_a_live_one_gives(desk: Desk) -> None:
    values = CALM | EPISODE
    desk.signal(values, station="LIVE")
    for hour in range(10):
        desk.evaluate(hour)
    desk.signal(dict(sorted(values.items(), reverse=True)), station="LATE")
    desk.evaluate(9.5)
    assert desk.transitions(station="LATE") == desk.transitions(station="LIVE") != []


def test_periods_that_end_in_the_future_wait_for_their_time(desk: Desk) -> None:
    desk.signal({1: 90, 2: 163})
    assert desk.evaluate(1.5).firing == 0
    assert desk.evaluate(2).firing == 1


def test_calibration_freezes_a_firing_series_and_huge_calibration_values_fire_nothing(desk: Desk) -> None:
    desk.signal({0: 120})
    desk.signal({1: 20, 2: 20, 3: 20}, quality="calibrating")
    desk.signal({0: 480, 1: 480}, station="TH-02", quality="calibrating")
    report = desk.evaluate(3.5)
    assert (report.firing, report.resolved, report.nodata) == (1, 0, 0)
    assert desk.transitions() == [(0, 1)]
    assert desk.one("select data_state from alert.series_state where entity_id = 'TH-01'") == "unusable"


def test_thirty_days_of_history_tell_only_what_is_still_true(desk: Desk) -> None:
    """First load: three episodes, the last one going on. Closed ones are on record and silent."""
    history = {float(hour): 60.0 for hour in range(-720, 1)}
    for start in (-700, -300, -3):
        history |= {start + n: 170.0 for n in range(4)}
    desk.signal(history)
    report = desk.tick(0.2)
    assert (report.opened, report.resolved, report.firing) == (3, 2, 1)
    assert desk.subjects() == ["Cảnh báo cấp 2 – Xấu"]


def test_ninety_days_of_backfill_evaluated_day_by_day_are_silent(desk: Desk) -> None:
    desk.signal({0: 60})
    desk.tick(0.1)
    before = desk.counts()
    desk.signal(
        {-24 * day - hour: 60.0 + 180 * (hour == 3) for day in range(90) for hour in range(1, 25, 2)}, station="OLD"
    )
    for day in range(90, -1, -1):
        report = desk.evaluate(-24 * day, mode="backfill")
        assert report.notifications == 0
    assert desk.counts() == before
    assert desk.one("select count(*) from alert.shadow_transition") > 100


def test_a_backfill_behind_the_watermark_is_recorded_and_silent(desk: Desk) -> None:
    desk.signal({5: 60})
    desk.tick(5.1)
    desk.signal(dict.fromkeys(range(5), 250.0))
    report = desk.tick(5.2)
    assert (report.late, report.evaluated, report.opened, report.notifications) == (5, 0, 0, 0)
    assert desk.tick(5.3).late == 0


def test_a_correction_of_the_newest_hour_is_told_at_once(desk: Desk) -> None:
    """Station files of one hour that come in pieces: the level follows, in one incident."""
    for minute, value in enumerate((95, 120, 170, 250, 420)):
        desk.signal({0: value})
        desk.tick(0.1 + minute / 60)
    assert desk.transitions() == [(0, 1), (0, 2), (0, 3), (0, 4)]
    assert len(desk.subjects()) == 4
    assert desk.one("select count(*) from alert.incident") == 1
    assert desk.one("select count(*) from alert.late_observation") == 0


def test_rows_of_a_slow_transaction_are_found_though_later_ones_overtook_them(desk: Desk) -> None:
    """A writer that takes its change ids first and commits last: nothing is passed over, nothing is folded twice."""
    desk.signal({0: 60})
    desk.evaluate(0.1)
    insert = (
        "insert into alerting.signal (signal_code, entity_type, entity_id, unit_code, period_end, value, quality) "
        "values ('air_quality.aqi_h', 'station', %s, '14797', %s, %s, 'ok')"
    )
    with psycopg.connect(warehouse.url("transformer", desk.settings)) as slow:
        slow.execute(insert, ("TH-02", desk.at(1), 170))
        slow.execute(insert, ("TH-01", desk.at(-1), 170))
        for hour in (1, 2):
            desk.signal({hour: 65})
            assert desk.evaluate(hour + 0.1).late == 0
        assert desk.evaluate(2.2).late == 0, "what was folded meanwhile is not late"
        slow.commit()
    report = desk.evaluate(2.3)
    assert (report.firing, report.late) == (1, 1)
    assert desk.evaluate(2.4).late == 0


def test_an_outage_of_six_hours_catches_up_without_old_news(desk: Desk) -> None:
    """An episode that began and ended inside the outage is silent; one that goes on is told once."""
    desk.signal({0: 60}, station="SHORT")
    desk.signal({0: 60}, station="LONG")
    desk.tick(0.1)
    desk.signal({1: 170, 2: 170, 3: 60, 4: 60, 5: 60, 6: 60}, station="SHORT")
    desk.signal({1: 60, 2: 60, 3: 60, 4: 60, 5: 170, 6: 170}, station="LONG")
    desk.tick(6.1)
    assert desk.transitions(station="SHORT") == [(1, 2), (4, 0)]
    assert desk.subjects() == ["Cảnh báo cấp 2 – Xấu"]
    assert "LONG" in desk.one("select body from notify.inbox limit 1")


def test_a_state_without_fresh_data_is_kept_and_not_spoken_of(desk: Desk) -> None:
    desk.signal({0: 170})
    report = desk.tick(5)
    assert (report.firing, report.notifications) == (1, 2), "only the missing data are news"
    assert desk.subjects() == ["Mất dữ liệu"]


def test_silence_opens_an_incident_of_its_own_and_closes_itself(desk: Desk) -> None:
    desk.signal({0: 120})
    desk.tick(0.1)
    assert desk.tick(2.9).nodata == 0
    report = desk.tick(3.4)
    assert (report.nodata, report.firing, report.resolved) == (1, 1, 0)
    assert desk.transitions("nodata") == [(3, 1)]
    desk.signal({4: 125})
    assert desk.tick(4.2).nodata == 0
    assert desk.subjects() == ["Cảnh báo cấp 1 – Kém", "Mất dữ liệu", "Có lại dữ liệu"]
    assert desk.transitions() == [(0, 1)], "the value incident went on all the time"


def test_longer_silence_is_a_higher_level_of_the_same_incident(desk: Desk) -> None:
    desk.signal({0: 60})
    desk.tick(3.1)
    desk.tick(12.1)
    assert desk.transitions("nodata") == [(3, 1), (12, 2)]
    assert desk.one("select count(*) from alert.incident") == 1


def test_hours_with_too_few_values_are_silence_too(desk: Desk) -> None:
    desk.signal({0: 60, 1: None, 2: None, 3: None})
    assert desk.tick(3.1).nodata == 1


def test_a_series_that_ended_long_ago_is_history_not_an_outage(desk: Desk) -> None:
    desk.signal({-24 * 40: 60})
    assert desk.tick(0).nodata == 0


def test_an_alarm_of_a_series_that_ended_long_ago_leaves_the_open_ones(desk: Desk) -> None:
    desk.signal({0: 170})
    desk.tick(0.1)
    told = desk.one("select count(*) from notify.outbox")
    desk.evaluate(24 * 29)
    assert desk.one("select status from alert.incident where kind = 'value'") == "open"
    desk.evaluate(24 * 31)
    assert desk.rows("select status, close_reason, peak_value::int from alert.incident where kind = 'value'") == [
        ("closed", "retired", 170)
    ]
    value_news = "select count(*) from notify.outbox where subject like '%%AQI giờ tại%%'"
    assert desk.one(value_news) == told
    desk.signal({24 * 31 + 1: 170})
    assert desk.evaluate(24 * 31 + 1).opened == 1


def test_a_dry_run_says_what_would_happen_and_writes_nothing(desk: Desk) -> None:
    desk.signal(CALM | {3: 163})
    before = desk.counts()
    foreseen = desk.evaluate(3.1, mode="dry_run")
    assert desk.counts() == before
    assert desk.one("select count(*) from alert.eval_run") == 0
    happened = desk.evaluate(3.1)
    assert {**foreseen.as_dict(), "mode": "live"} == happened.as_dict()
    assert happened.notifications > 0


def test_replay_tells_the_same_history_again_to_nobody(desk: Desk) -> None:
    desk.signal(CALM | EPISODE)
    for hour in range(10):
        desk.tick(hour)
    before = desk.counts()
    report = desk.evaluate(9, mode="replay")
    assert report.evaluated == len(CALM | EPISODE)
    assert desk.counts() == before
    fields = "entity_id, event_time, from_level, to_level"
    assert desk.rows(f"select {fields} from alert.shadow_transition order by 2") == desk.rows(
        f"select {fields} from alert.transition order by 2"
    )


def test_the_version_of_a_rule_follows_event_time(desk: Desk) -> None:
    """From 04:00 on level 2 begins at 180. Late data from before are judged by the version of before."""
    desk.run(
        "update alert.rule_version set effective = tstzrange(lower(effective), %s) where rule_version_id = 1",
        desk.at(4),
    )
    desk.run(
        """
        insert into alert.rule_version (rule_id, version, effective, max_gap, notify_max_age, message_vi, message_en,
            legal_basis, reason, author)
        select rule_id, 2, tstzrange(%s, null), max_gap, notify_max_age, message_vi, message_en, legal_basis, 'thử', 'a'
        from alert.rule_version where rule_version_id = 1
        """,
        desk.at(4),
    )
    new = desk.one("select max(rule_version_id) from alert.rule_version")
    desk.run(
        "insert into alert.threshold (rule_version_id, level, enter_value, exit_value) values (%s, 2, 180, 170)", new
    )
    desk.run("update alert.rule_version set status = 'approved', approved_by = 'b' where rule_version_id = %s", new)
    desk.signal({2: 160, 3: 160, 4: 165, 5: 165}, station="BEFORE")
    desk.signal({4: 165, 5: 165}, station="AFTER")
    desk.evaluate(5.1)
    assert desk.transitions(station="BEFORE") == [(2, 2), (4, 0)]
    assert desk.transitions(station="AFTER") == []


def test_scopes_the_most_specific_wins(desk: Desk) -> None:
    desk.run(
        """
        insert into alert.rule (code, domain, signal_code, owner_unit, title_vi, title_en)
        values ('probe', 'air_quality', 'probe', 'SNNMT', 'Thử', 'Probe')
        """
    )
    desk.run(
        """
        insert into alert.rule_version (rule_id, version, effective, max_gap, notify_max_age, message_vi, message_en,
            legal_basis, reason, author)
        select rule_id, 1, tstzrange('2020-01-01', null), '3 h', '3 h', 'x', 'x', 'x', 'x', 'a'
        from alert.rule where code = 'probe'
        """
    )
    scopes = (("province", "", 100), ("unit", "14797", 50), ("pattern", "KCN-%", 20), ("entity", "KCN-7", 10))
    for kind, value, enter in scopes:
        desk.run(
            "insert into alert.threshold (rule_version_id, scope_kind, scope_value, level, enter_value, exit_value) "
            "select max(rule_version_id), %s, %s, 1, %s, 0 from alert.rule_version",
            kind, value, enter,
        )  # fmt: skip
    desk.run("update alert.rule_version set status = 'approved', approved_by = 'b' where status = 'draft'")
    for station, unit in (("A", "16654"), ("B", "14797"), ("KCN-1", "14797"), ("KCN-7", "14797")):
        desk.signal({0: 15, 1: 25, 2: 60, 3: 120}, station=station, unit_code=unit, signal_code="probe")
    desk.evaluate(3)
    assert [desk.transitions(station=s) for s in ("A", "B", "KCN-1", "KCN-7")] == [
        [(3, 1)],
        [(2, 1)],
        [(1, 1)],
        [(0, 1)],
    ]


def test_a_clock_without_time_zone_is_refused(desk: Desk) -> None:
    with pytest.raises(ValueError, match="has no time zone"):
        engine.evaluate(at=desk.at(0).replace(tzinfo=None), settings=desk.settings)
    with pytest.raises(ValueError, match="is not one of"):
        engine.evaluate(at=desk.at(0), mode="sideways", settings=desk.settings)  # type: ignore[arg-type]
