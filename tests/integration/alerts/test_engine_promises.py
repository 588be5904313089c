"""What the engine promises beyond one episode: rules that end, crashes, days without anybody there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import psycopg
import pytest

from alerts import incidents, notifier
from alerts.judging import engine
from ioc import warehouse
from ioc.settings import PROJECT_ROOT

if TYPE_CHECKING:
    from tests.integration.alerts.conftest import Desk

LEVEL_1, LEVEL_2, OVER = "Cảnh báo cấp 1 – Kém", "Cảnh báo cấp 2 – Xấu", "Đã hết cảnh báo"


def incident_id(desk: Desk) -> UUID:
    found = desk.one("select incident_id from alert.incident where status = 'open' and kind = 'value'")
    assert isinstance(found, UUID)
    return found


# ---- rules that are switched off, end, or fall silent ----


def test_a_rule_that_is_switched_off_closes_what_it_opened_with_a_reason_and_one_notice(desk: Desk) -> None:
    desk.signal({0: 120}, station="A")
    desk.signal({0: 170}, station="B")
    desk.signal({-4: 60}, station="C")
    desk.tick(0.1)
    assert desk.one("select count(*) from alert.incident where status = 'open'") == 3
    before = len(desk.subjects())
    desk.run("update alert.rule set is_enabled = false where code = 'air_quality.aqi_h'")
    report = desk.tick(1)
    assert (report.left, report.resolved, report.firing) == (3, 0, 0)
    desk.tick(1.1)
    assert set(desk.rows("select status, close_reason, closed_at from alert.incident")) == {
        ("closed", "rule_disabled", desk.at(1))
    }
    assert set(desk.subjects()[before:]) == {"Quy tắc đã ngừng áp dụng"}
    value_notices = desk.rows(
        "select body from notify.inbox join ref.contact using (contact_id) where user_name = 'truc' "
        "and body like '[Quy tắc đã ngừng%%' and body not like '%% C %%'"
    )
    assert len(value_notices) <= 2
    assert OVER not in desk.subjects()


def test_a_rule_that_is_switched_on_again_takes_up_the_data_from_where_it_stood(desk: Desk) -> None:
    desk.signal({0: 120})
    desk.tick(0.1)
    desk.run("update alert.rule set is_enabled = false")
    desk.tick(0.5)
    desk.signal({1: 120, 2: 170})
    desk.tick(2.1)
    assert desk.transitions() == [(0, 1), (0.5, 0)]
    desk.run("update alert.rule set is_enabled = true")
    desk.tick(2.2)
    assert desk.transitions() == [(0, 1), (0.5, 0), (1, 1), (2, 2)]
    assert desk.subjects()[-1] == LEVEL_2


def test_a_rule_whose_last_version_has_ended_closes_at_that_end_though_no_data_come(desk: Desk) -> None:
    desk.signal({0: 120})
    desk.tick(0.1)
    desk.run("update alert.rule_version set effective = tstzrange(lower(effective), %s)", desk.at(2))
    assert desk.tick(1.9).left == 0
    assert desk.tick(2.5).left == 1
    assert desk.rows("select close_reason, closed_at from alert.incident") == [("rule_ended", desk.at(2))]
    assert desk.subjects() == [LEVEL_1, "Quy tắc đã hết hiệu lực"]
    desk.signal({1: 130, 3: 130})
    assert desk.tick(3.1).late == 1
    assert desk.transitions() == [(0, 1), (2, 0)]


def test_an_alarm_nobody_hears_of_any_more_is_not_called_over(desk: Desk) -> None:
    """30 days without a word: it leaves the list, and people are told once that its state is unknown."""
    desk.signal({0: 170})
    desk.tick(0.1)
    report = desk.tick(24 * 31)
    desk.tick(24 * 31 + 1)
    assert (report.left, report.resolved) == (1, 0)
    assert desk.one("select close_reason from alert.incident where kind = 'value'") == "retired"
    assert desk.subjects().count("Chưa rõ hiện trạng") == 1
    assert OVER not in desk.subjects()


# ---- the clock ----


def test_a_live_run_at_a_time_to_come_is_refused_and_a_dry_run_is_not(desk: Desk) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    with pytest.raises(ValueError, match="lies in the future"):
        engine.evaluate(at=tomorrow, settings=desk.settings)
    assert desk.one("select count(*) from alert.eval_run") == 0
    assert engine.evaluate(at=tomorrow, mode="dry_run", settings=desk.settings).mode == "dry_run"


def test_stopped_for_a_day_dag_and_notifier_catch_up_together_without_a_false_or_doubled_message(desk: Desk) -> None:
    """Episodes that came and went in the night are silent; what is true now is told once, whoever is faster."""
    for station, values in {
        "GONE": {hour: 170 if 5 <= hour < 9 else 60 for hour in range(25)},
        "ON": {hour: 120 if hour >= 20 else 60 for hour in range(25)},
        "WAS-ON": {hour: 120 if hour < 3 else 60 for hour in range(25)},
    }.items():
        desk.signal({0: values[0]}, station=station)
        desk.evaluate(0.1)
        desk.deliver(0.1)
        desk.run("update notify.grp set last_flush = null")
        desk.signal(values, station=station)
    assert desk.subjects() == [LEVEL_1]
    at = desk.at(24.1)
    starters = threading.Barrier(3)

    def dag() -> None:
        starters.wait()
        engine.evaluate(at=at, settings=desk.settings, tell=False)
        from alerts.notifying import telling

        telling.drain(at, desk.settings)

    def service() -> None:
        starters.wait()
        notifier.run_once(desk.settings, at)

    workers = [threading.Thread(target=work) for work in (dag, service)]
    for worker in workers:
        worker.start()
    starters.wait()
    for worker in workers:
        worker.join(60)
    for minute in (10, 20):
        desk.tick(24.1 + minute / 60)
    said = "\n".join(body for (body,) in desk.rows("select body from notify.inbox where body like '[%%'"))
    assert said.count(f"[{LEVEL_1}]") == 2
    assert said.count(f"[{OVER}]") == 1
    per_incident = desk.rows(
        "select incident_ids, contact_id, channel, level, count(*) from notify.outbox group by 1, 2, 3, 4"
    )
    assert {count for *_, count in per_incident} == {1}
    assert not desk.rows("select from notify.outbox where body like '%%GONE%%'")


def test_a_backfill_of_the_scheduler_is_a_backfill_of_the_engine(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PROJECT_ROOT / "dags"))
    from ioc_dags import steps

    desk.signal({-24 * 200: 170})
    before = desk.counts()
    assert steps.evaluate(run_id="backfill__x", run_type="backfill")["mode"] == "backfill"
    assert desk.counts() == before
    assert desk.rows("select mode, airflow_run_id from alert.eval_run") == [("backfill", "backfill__x")]
    assert desk.one("select count(*) from alert.shadow_transition") == 1
    assert steps.evaluate(run_id="scheduled__x", run_type="scheduled")["mode"] == "live"
    assert desk.one("select count(*) from notify.outbox") == 0, "evaluating tells nobody: reconcile does"
    steps.reconcile()


# ---- crashes ----

WRITE = """
import os, datetime, pathlib, time
from alerts.judging import engine, store
marker = pathlib.Path(os.environ['MARKER'])
kept = store.write
def hang(*args):
    kept(*args)
    marker.touch()
    time.sleep(60)
store.write = hang
engine.evaluate(at=datetime.datetime.fromisoformat(os.environ['AT']))
"""


def test_kill_minus_nine_of_the_evaluator_mid_transaction_leaves_nothing_and_costs_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """State, incidents and transitions are written, not committed, when SIGKILL comes: the next run does all, once."""
    marker = desk.settings.home / "writing"
    monkeypatch.setenv("MARKER", str(marker))
    monkeypatch.setenv("AT", desk.at(0.1).isoformat())
    desk.signal({-1: 80, 0: 170})
    before = desk.counts()
    for _ in range(3):
        marker.unlink(missing_ok=True)
        process = subprocess.Popen([sys.executable, "-c", WRITE], cwd=PROJECT_ROOT, env=os.environ.copy())
        end = time.monotonic() + 30
        while not marker.exists():
            assert time.monotonic() < end
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert desk.counts() == before
    assert desk.one("select count(*) from alert.eval_run") == 0
    desk.tick(0.1)
    desk.tick(0.2)
    assert desk.transitions() == [(0, 2)]
    assert desk.subjects() == [LEVEL_2]


# ---- acknowledgements ----


def test_an_acknowledgement_runs_out_is_taken_back_and_is_voided_by_a_rise_each_on_record(desk: Desk) -> None:
    desk.signal({0: 120})
    desk.tick(0.1)
    found = incident_id(desk)

    def accept(hour: float) -> incidents.IncidentView:
        return incidents.acknowledge(found, "truc", settings=desk.settings, at=desk.at(hour))

    def is_acked(hour: float) -> bool:
        return incidents.list_open(settings=desk.settings, at=desk.at(hour))[0].is_acked

    assert accept(0.2).is_acked
    assert (is_acked(4.1), is_acked(4.3)) == (True, False)
    accept(1)
    view = incidents.unacknowledge(found, "truc", "Nhầm sự cố", settings=desk.settings, at=desk.at(1.1))
    assert (view.is_acked, view.ack_by) == (False, None)
    with pytest.raises(incidents.ActRefusedError, match="không có xác nhận nào"):
        incidents.unacknowledge(found, "truc", settings=desk.settings, at=desk.at(1.2))
    with pytest.raises(incidents.ActRefusedError, match="Không có sự cố này"):
        incidents.unacknowledge(found, "truc", unit_codes=["SYT"], settings=desk.settings, at=desk.at(1.2))
    with pytest.raises(incidents.ActRefusedError, match="Thời hạn"):
        incidents.acknowledge(found, "truc", lasts=timedelta(0), settings=desk.settings, at=desk.at(1.2))
    accept(1.5)
    desk.signal({2: 170})
    desk.tick(2.1)
    assert not is_acked(2.1)
    acts = incidents.history(found, settings=desk.settings, at=desk.at(2.2)).acts
    assert [(act["actor"], act["action"].removeprefix("incident.")) for act in acts] == [
        ("truc", "acknowledged"), ("truc", "acknowledged"), ("truc", "unacknowledged"), ("truc", "acknowledged"),
        ("hệ thống", "ack_voided"),
    ]  # fmt: skip
    assert acts[-1]["detail"]["acknowledged_by"] == "truc"
    assert (acts[-1]["detail"]["accepted_level"], acts[-1]["detail"]["level"]) == (1, 2)
    assert desk.one("select audit.first_broken_event()") is None


def test_a_rise_to_a_level_that_was_accepted_voids_nothing(desk: Desk) -> None:
    """It stood at 3 once; accepted at 2, down to 1 and up to 2 again is nothing new. Up to 3 is."""
    desk.signal({0: 210, 1: 170, 2: 170})
    desk.tick(2.1)
    found = incident_id(desk)
    incidents.acknowledge(found, "truc", lasts=timedelta(hours=24), settings=desk.settings, at=desk.at(2.2))
    desk.signal({3: 120, 4: 120, 5: 170})
    desk.tick(5.1)
    assert incidents.list_open(settings=desk.settings, at=desk.at(5.1))[0].is_acked
    desk.signal({6: 210})
    desk.tick(6.1)
    assert not incidents.list_open(settings=desk.settings, at=desk.at(6.1))[0].is_acked


# ---- shapes of data ----


def rule(desk: Desk, code: str, direction: str, thresholds: str, *, max_gap: str = "1 h") -> None:
    """A rule of one province-wide scope; ``thresholds`` = rows of level, enter, exit, for, keep."""
    desk.run(
        "insert into alert.rule (code, domain, signal_code, owner_unit, title_vi, title_en) "
        "values (%s, 'air_quality', %s, 'SNNMT', 'Thử', 'Probe')", code, code,
    )  # fmt: skip
    desk.run(
        """
        insert into alert.rule_version (rule_id, version, effective, direction, max_gap, notify_max_age, message_vi,
            message_en, legal_basis, reason, author)
        select rule_id, 1, tstzrange('2020-01-01', null), %s, %s, '3 h', '{{ entity }}', 'x', 'x', 'x', 'a'
        from alert.rule where code = %s
        """,
        direction, max_gap, code,
    )  # fmt: skip
    desk.run(
        "insert into alert.threshold (rule_version_id, level, enter_value, exit_value, for_dur, keep_dur) "
        f"select max(v.rule_version_id), t.* from alert.rule_version v, (values {thresholds}) t group by 2, 3, 4, 5, 6"
    )
    # Triggers or not: an approved version is what the engine reads.
    desk.run("update alert.rule_version set status = 'approved', approved_by = 'b' where status = 'draft'")


def test_for_and_keep_on_five_minute_data_and_a_hole_restarts_them(desk: Desk) -> None:
    rule(desk, "five", "up", "(1, 150, 140, '15 min'::interval, '10 min'::interval)", max_gap="10 min")
    minute = 1 / 60

    def feed(station: str, values: list[float | None]) -> None:
        found = {5 * n * minute: float(v) for n, v in enumerate(values) if v is not None}
        desk.signal(found, station=station, signal_code="five")

    feed("HELD", [160, 160, 160, 160, 130, 130, 130])
    feed("SHORT", [160, 160, 160, 130, 130, 130])
    feed("HOLE", [160, 160, None, None, 160, 160, 160, 160])
    feed("FLUTTER", [160, 160, 160, 160, 145, 151, 139, 141, 139, 149])
    desk.evaluate(1)
    assert desk.transitions(station="HELD") == [(0.25, 1), (0.5, 0)]
    assert desk.transitions(station="SHORT") == []
    assert desk.transitions(station="HOLE") == [(pytest.approx(35 * minute), 1)]
    assert desk.transitions(station="FLUTTER") == [(0.25, 1)]


def test_hysteresis_a_value_that_flutters_is_one_episode_and_one_message(desk: Desk) -> None:
    rule(desk, "flutter", "up", "(1, 150, 140, '0'::interval, '2 h'::interval)", max_gap="3 h")
    for hour, value in enumerate((148, 152, 149, 146, 151, 139, 149)):
        desk.signal({float(hour): value}, signal_code="flutter")
        desk.tick(hour + 0.1)
    assert desk.transitions() == [(1, 1)]
    assert len(desk.subjects()) == 1


def test_a_falling_rule_takes_and_leaves_its_levels_downwards(desk: Desk) -> None:
    """Dissolved oxygen: the less, the worse."""
    rule(desk, "oxygen", "down", "(1, 5, 5.5, '0'::interval, '0'::interval), (2, 3, 3.5, '0'::interval, '0'::interval)")
    values = {0: 6, 1: 5, 2: 2.9, 3: 3.4, 4: 3.6, 5: 5.4, 6: 5.6}
    for hour, value in values.items():
        desk.signal({hour: value}, signal_code="oxygen")
        desk.tick(hour + 0.1)
    assert desk.transitions() == [(1, 1), (2, 2), (4, 1), (6, 0)]
    assert desk.one("select peak_value::float from alert.incident") == 2.9
    assert len(desk.subjects()) == 4


def test_a_batch_out_of_order_gives_the_history_of_an_ordered_one(desk: Desk) -> None:
    values = {0: 60, 1: 163, 2: 205, 3: 160, 4: 85, 5: 80}
    desk.signal(values, station="ORDERED")
    for hour in range(6):
        desk.evaluate(hour)
    for hour in (5, 2, 0, 4, 1, 3):
        desk.signal({hour: values[hour]}, station="SHUFFLED")
    desk.evaluate(5.1)
    assert desk.transitions(station="SHUFFLED") == desk.transitions(station="ORDERED") != []


def test_a_unit_merged_mid_incident_is_followed_by_the_messages_and_keeps_its_name_on_record(desk: Desk) -> None:
    desk.signal({0: 170}, unit_code="16561")
    desk.tick(0.1)
    desk.run("insert into ref.unit_succession (old_code, new_code, effective_on) values ('16561', '16654', %s)",
             desk.at(0).date())  # fmt: skip
    desk.signal({1: 210}, unit_code="16561")
    desk.tick(1.1)
    raised = {
        address for (address,) in desk.rows("select address from notify.outbox where body like '[Tăng lên%%'")
    } | {address for (address,) in desk.rows("select address from notify.outbox where subject like '%%Tăng%%'")}
    assert "lanh-dao.nghison@thanhhoa.example.vn" in raised
    assert desk.one("select unit_code from alert.incident where kind = 'value'") == "16561"
    assert desk.one("select count(*) from alert.incident where kind = 'value'") == 1


def test_thresholds_in_force_cannot_be_changed_by_anybody(desk: Desk) -> None:
    with pytest.raises(psycopg.errors.RestrictViolation):
        desk.run("update alert.threshold set enter_value = 999")
    for role in ("alerts", "portal"):
        with (
            pytest.raises((psycopg.errors.RestrictViolation, psycopg.errors.InsufficientPrivilege)),
            warehouse.connect(role, desk.settings) as connection,  # type: ignore[arg-type]
        ):
            connection.execute("update alert.threshold set enter_value = 999")
