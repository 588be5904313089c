"""What people do: acknowledge, read, look back. And what nobody may do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest

from alerts import incidents, suppressions
from ioc import warehouse
from ioc.settings import PROJECT_ROOT

if TYPE_CHECKING:
    from tests.integration.alerts.conftest import Desk, Mailbox


def acknowledge(desk: Desk, hour: float, **more: object) -> incidents.IncidentView:
    (view,) = incidents.list_open(settings=desk.settings, at=desk.at(hour))
    return incidents.acknowledge(view.incident_id, "truc", "Đã nắm", settings=desk.settings, at=desk.at(hour), **more)  # type: ignore[arg-type]


def is_acked(desk: Desk, hour: float) -> bool:
    (view,) = incidents.list_open(settings=desk.settings, at=desk.at(hour))
    return view.is_acked


def test_an_acknowledgement_runs_out(desk: Desk) -> None:
    desk.signal({0: 170})
    desk.tick(0.1)
    assert not is_acked(desk, 0.1)
    view = acknowledge(desk, 0.2)
    assert (view.ack_by, view.ack_note, view.is_acked) == ("truc", "Đã nắm", True)
    assert is_acked(desk, 4.1)
    assert not is_acked(desk, 4.3)


def test_from_level_three_it_runs_out_sooner(desk: Desk) -> None:
    desk.signal({0: 250})
    desk.tick(0.1)
    acknowledge(desk, 0.2)
    assert (is_acked(desk, 1.1), is_acked(desk, 1.3)) == (True, False)


def test_a_rise_voids_it_for_good_and_a_fall_does_not(desk: Desk) -> None:
    desk.signal({0: 170, 1: 120, 2: 120, 3: 170})
    desk.tick(0.1)
    acknowledge(desk, 0.2, lasts=timedelta(hours=24))
    desk.tick(2.1)
    assert is_acked(desk, 2.1), "level 1 is less than what was accepted"
    desk.tick(3.1)
    assert is_acked(desk, 3.1), "level 2 was accepted"
    desk.signal({4: 210, 5: 170, 6: 170})
    desk.tick(4.1)
    assert not is_acked(desk, 4.1)
    desk.tick(6.1)
    assert not is_acked(desk, 6.1), "back at level 2, but the acceptance is gone"
    acknowledge(desk, 6.2)
    assert is_acked(desk, 6.3)


def test_a_closed_or_foreign_incident_cannot_be_acknowledged(desk: Desk) -> None:
    desk.signal({0: 120})
    desk.tick(0.1)
    (view,) = incidents.list_open(settings=desk.settings)
    with pytest.raises(incidents.ActRefusedError, match="Không có sự cố này"):
        incidents.acknowledge(view.incident_id, "ai", unit_codes=["SYT"], settings=desk.settings)
    with pytest.raises(incidents.ActRefusedError, match="Không có sự cố này"):
        incidents.acknowledge(uuid4(), "truc", settings=desk.settings)
    desk.signal({1: 60, 2: 60})
    desk.tick(2.1)
    with pytest.raises(incidents.ActRefusedError, match="đã kết thúc"):
        incidents.acknowledge(view.incident_id, "truc", settings=desk.settings)
    assert desk.one("select count(*) from audit.event where action = 'incident.acknowledged'") == 0


def test_an_acknowledgement_made_during_an_evaluation_survives_it(desk: Desk) -> None:
    desk.signal({0: 120})
    desk.tick(0.1)
    desk.signal({1: 130})
    acknowledge(desk, 1.0)
    desk.tick(1.1)
    assert is_acked(desk, 1.2)


def test_a_unit_sees_what_happens_in_it_and_what_its_rules_say(desk: Desk) -> None:
    desk.signal({0: 120}, station="HT", unit_code="14797")
    desk.signal({0: 250}, station="NS", unit_code="16654")
    desk.tick(0.1)

    def seen(*units: str) -> list[str]:
        return [view.entity_id for view in incidents.list_open(units or None, desk.settings)]

    assert seen() == ["NS", "HT"]
    assert seen("14797") == ["HT"]
    assert seen("SNNMT") == ["NS", "HT"]
    assert seen("SYT") == []


def test_the_history_tells_who_was_told_what_and_who_did_what(desk: Desk, mailbox: Mailbox) -> None:
    desk.signal({0: 170, 1: 60, 2: 60})
    desk.tick(0.1)
    acknowledge(desk, 0.2)
    desk.tick(2.1)
    found = incidents.history(
        desk.one("select incident_id from alert.incident"), settings=desk.settings, at=desk.at(2.2)
    )
    assert (found.incident.status, found.incident.code[:3], found.incident.label_vi) == ("closed", "SC-", "Xấu")
    assert found.incident.unit_name == "Phường Hạc Thành"
    assert [(t["from_level"], t["to_level"], t["reason"]) for t in found.transitions] == [
        (0, 2, "entered"),
        (2, 0, "resolved"),
    ]
    assert len([n for n in found.notices if n["channel"] == "email"]) == len(mailbox.received)
    # The desk drains two of the channels.
    assert {n["status"] for n in found.notices if n["channel"] in {"web", "email"}} == {"accepted", "delivered"}
    assert [(a["actor"], a["action"]) for a in found.acts] == [("truc", "incident.acknowledged")]


def test_the_inbox_is_read_by_its_owner_only(desk: Desk) -> None:
    def unread(user: str) -> int:
        return sum(message.read_at is None for message in incidents.inbox(user, desk.settings))

    desk.signal({0: 250})
    desk.tick(0.1)
    (message,) = incidents.inbox("truc", desk.settings)
    assert message.subject == "AQI giờ tại TH-01 là 250"
    assert incidents.mark_read("kysu", [message.inbox_id], desk.settings) == 0
    assert unread("truc") == 1
    assert incidents.mark_read("truc", None, desk.settings) == 1
    assert unread("truc") == 0
    assert unread("lanhdao") == 1
    assert incidents.inbox("truc", desk.settings, before=message.inbox_id) == []


def test_every_act_is_in_the_audit_chain_and_tampering_shows(desk: Desk) -> None:
    desk.signal({0: 120})
    desk.tick(0.1)
    before = desk.one("select count(*) from audit.event")
    for _ in range(3):
        acknowledge(desk, 0.2)
    by = suppressions.Actor("truc", "officer", ["SNNMT"])
    made = suppressions.suppress("silence", by, "x", desk.at(5), max_level=2, settings=desk.settings, at=desk.at(0))
    suppressions.lift(made, by, desk.settings, desk.at(1))
    first, last = desk.rows("select min(event_id), max(event_id) from audit.event")[0]
    assert last - first + 1 == desk.one("select count(*) from audit.event") == before + 5
    assert desk.one("select audit.first_broken_event()") is None
    for statement in ("update audit.event set actor = 'x'", "delete from audit.event", "truncate audit.event"):
        with pytest.raises(psycopg.errors.RestrictViolation):
            desk.run(statement)
    # Somebody with the owner's rights takes the lock off the door: the chain still tells.
    desk.run("alter table audit.event disable trigger frozen")
    desk.run('update audit.event set detail = detail || \'{"note": "khác"}\' where event_id = 4')
    assert desk.one("select audit.first_broken_event()") == 4
    desk.run("delete from audit.event where event_id = 4")
    assert desk.one("select audit.first_broken_event()") == 5


def test_audit_events_of_many_writers_form_one_chain(desk: Desk) -> None:
    code = (
        "from alerts.suppressions import Actor, suppress; from datetime import *\n"
        "for n in range(15):\n"
        "    suppress('silence', Actor('x', 'admin'), 'r', datetime.now(UTC) + timedelta(hours=1), max_level=1)"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code], cwd=PROJECT_ROOT) for _ in range(3)]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    assert desk.one("select count(*) from audit.event where action = 'silence.made'") == 45
    assert desk.one("select audit.first_broken_event()") is None


FORBIDDEN = (
    "update alert.threshold set enter_value = 0",
    "delete from alert.threshold",
    "insert into alert.threshold (rule_version_id, level, enter_value, exit_value, scope_kind, scope_value) "
    "values (1, 1, 0, 0, 'entity', 'x')",
    "update alert.rule_version set message_vi = 'x'",
    "update alert.rule_version set effective = tstzrange('2000-01-01', null)",
    "delete from alert.rule_version",
    "update alert.transition set to_level = 1",
    "delete from alert.transition",
    "truncate alert.transition cascade",
)


def test_what_was_decided_and_what_happened_stay_as_they_were(desk: Desk) -> None:
    desk.signal({0: 120})
    desk.evaluate(0.1)
    for statement in FORBIDDEN:
        with pytest.raises(psycopg.errors.RestrictViolation):
            desk.run(statement)


def test_versions_of_a_rule_cannot_overlap_and_need_two_people(desk: Desk) -> None:
    draft = """
        insert into alert.rule_version (rule_id, version, effective, max_gap, notify_max_age, message_vi, message_en,
            legal_basis, reason, author)
        select rule_id, 9, effective, max_gap, notify_max_age, '', '', '', '', 'a'
        from alert.rule_version where rule_version_id = 1
        """
    desk.run(draft)
    with pytest.raises(psycopg.errors.ExclusionViolation):
        desk.run("update alert.rule_version set status = 'approved', approved_by = 'b' where version = 9")
    with pytest.raises(psycopg.errors.CheckViolation):
        desk.run("update alert.rule_version set status = 'approved', approved_by = 'a' where version = 9")


def test_the_portal_may_acknowledge_and_nothing_more(desk: Desk) -> None:
    desk.signal({0: 120})
    desk.evaluate(0.1)
    for statement in (
        "update alert.incident set level = 4",
        "update alert.incident set status = 'closed', closed_at = now(), level = 0",
        "insert into notify.outbox (outbox_id) values (gen_random_uuid())",
        "update notify.inbox set body = ''",
        "update alert.rule set code = 'x'",
        "update audit.event set actor = ''",
    ):
        with (
            pytest.raises(psycopg.errors.InsufficientPrivilege),
            warehouse.connect("portal", desk.settings) as connection,
        ):
            connection.execute(statement)


def test_the_service_evaluates_and_delivers_with_nobody_else_there(desk: Desk, mailbox: Mailbox) -> None:
    """The notifier as its own process, on the machine's clock, Airflow absent; killed and started again."""
    now = desk.one("select date_trunc('hour', now())")
    desk.run(
        "insert into alerting.signal (signal_code, entity_type, entity_id, unit_code, period_end, value, quality) "
        "values ('air_quality.aqi_h', 'station', 'TH-01', '14797', %s, 170, 'ok')",
        now,
    )

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-m", "alerts.notifier"], cwd=PROJECT_ROOT, env=os.environ.copy())

    def until(seen: object) -> None:
        end = time.monotonic() + 40
        while not seen():  # type: ignore[operator]
            assert time.monotonic() < end
            time.sleep(0.1)

    sent = "select count(*) from notify.outbox where channel = 'email' and status = 'accepted' and incident_ids <> '{}'"
    queued = sent.replace("= 'accepted'", "in ('queued', 'sending')")
    service = start()
    try:
        until(lambda: desk.subjects() == ["Cảnh báo cấp 2 – Xấu"] and desk.one(sent) > 1 and desk.one(queued) == 0)
        before = desk.one(sent)
        service.kill()
        service.wait()
        desk.run("delete from alert.heartbeat")
        service = start()
        until(lambda: desk.one("select count(*) from alert.heartbeat where service = 'notifier'"))
        service.send_signal(signal.SIGTERM)
        assert service.wait(15) == 0
    finally:
        service.kill()
        service.wait()
    assert desk.one(sent) == before
    ids = [next(line for line in mail.splitlines() if line.startswith(b"Message-ID")) for mail in mailbox.received]
    assert len(ids) == len(set(ids)) >= before
