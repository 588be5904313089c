"""Who is told, and when: rosters, mergers, quiet hours, working calendars, people who cannot be reached."""

from __future__ import annotations

from datetime import time
from typing import TYPE_CHECKING

import psycopg
import pytest
from typer.testing import CliRunner

from alerts.notifying import notice, routing
from alerts.notifying.reconcile import reconcile_in
from alerts.recipients import reachability
from alerts.sending import delivery
from ioc import warehouse
from ioc.cli import app

if TYPE_CHECKING:
    from tests.integration.alerts.conftest import Desk, Mailbox

DUTY = ("SNNMT", ["truc_ban"])


def reconcile(desk: Desk, hour: float) -> int:
    with warehouse.connect("alerts", desk.settings) as connection:
        return reconcile_in(connection, desk.at(hour), desk.settings).notifications


def people(desk: Desk, hour: float, unit: str | None, roles: list[str], hop: int = 0) -> list[str]:
    with warehouse.connect("alerts", desk.settings) as connection:
        return [one.code for one in routing.load(connection, desk.at(hour)).people(unit, roles, hop=hop)]


def shift(desk: Desk, contact: str, since: float, until: float, unit: str = "SNNMT") -> None:
    desk.run(
        "insert into ref.duty_shift (role, unit_code, contact_id, during, created_by) "
        "select 'truc_ban', %s, contact_id, tstzrange(%s, %s), 'test' from ref.contact where code = %s",
        unit, desk.at(since), desk.at(until), contact,
    )  # fmt: skip


def told(desk: Desk, channel: str = "sms") -> list[str]:
    return [
        code
        for (code,) in desk.rows(
            "select c.code from notify.outbox o join ref.contact c using (contact_id) "
            "where o.channel = %s and o.incident_ids <> '{}' order by o.created_at, c.code",
            channel,
        )
    ]


def mails(desk: Desk, contact: str) -> list[tuple[str, str, str | None]]:
    """Mails of one person as (subject's status, status, reason)."""
    return [
        (subject.split("]")[0].removeprefix("["), status, reason)
        for subject, status, reason in desk.rows(
            "select o.subject, o.status, o.last_error from notify.outbox o join ref.contact c using (contact_id) "
            "where c.code = %s and o.channel = 'email' order by o.created_at, o.subject",
            contact,
        )
    ]


# --- Duty roster


def test_whoever_is_on_duty_answers_instead_of_everybody_with_the_role(desk: Desk) -> None:
    assert people(desk, 0, *DUTY) == ["truc-snnmt"], "no roster at this time: everybody who holds the role"
    shift(desk, "kip-snnmt-1", 0, 8)
    shift(desk, "kip-snnmt-2", 8, 16)
    assert [people(desk, hour, *DUTY) for hour in (0, 7.9, 8)] == [["kip-snnmt-1"], ["kip-snnmt-1"], ["kip-snnmt-2"]]
    desk.run("update ref.contact set is_active = false where code = 'kip-snnmt-2'")
    assert people(desk, 9, *DUTY) == ["truc-snnmt"], "who has left the house is not on duty"


def test_the_end_of_an_alarm_goes_to_the_shift_that_is_there_then(desk: Desk) -> None:
    shift(desk, "kip-snnmt-1", -8, 1)
    shift(desk, "kip-snnmt-2", 1, 9)
    desk.signal({0: 170})
    desk.evaluate(0.1)
    assert [code for code in told(desk) if code.startswith("kip")] == ["kip-snnmt-1"]
    desk.signal({1: 60, 2: 60})
    desk.evaluate(2.1)
    assert [code for code in told(desk) if code.startswith("kip")] == ["kip-snnmt-1", "kip-snnmt-2"]
    assert "Da het canh bao" in desk.one(
        "select o.body from notify.outbox o join ref.contact c using (contact_id) where c.code = 'kip-snnmt-2'"
    )


def test_a_gap_in_the_roster_reaches_everybody_and_is_reported_once(desk: Desk) -> None:
    shift(desk, "kip-snnmt-1", -8, 1)
    shift(desk, "kip-snnmt-1", 9, 17)
    for number in range(2):
        desk.signal({2: 170}, station=f"S{number}")
        desk.evaluate(2.1 + number / 10)
    assert set(told(desk, "web")) >= {"truc-snnmt"}
    reports = desk.rows("select address, body from notify.outbox where dedupe_key like %s", "operators|roster|SNNMT|%")
    assert sorted(address for address, _ in reports) == ["quan-tri.ioc@thanhhoa.example.vn", "quantri"]
    assert "ca gần nhất kết thúc 01:00 06/03/2026" in reports[0][1]


def test_somebody_on_duty_whom_no_channel_reaches_is_replaced_by_the_holders_of_the_role(desk: Desk) -> None:
    shift(desk, "kip-snnmt-1", -8, 8)
    desk.signal({0: 120})
    desk.evaluate(0.1)
    assert told(desk, "email") == ["truc-snnmt"], "the person of the shift has a phone only, level 1 has no SMS"


# --- Units


def test_the_way_up_leads_through_ancestors_and_merged_ones(desk: Desk) -> None:
    assert people(desk, 0, "14845", ["lanh_dao"]) == ["lanh-dao-tinh"]
    assert people(desk, 0, "SNNMT", ["lanh_dao"]) == ["lanh-dao-snnmt"]
    assert people(desk, 0, "SNNMT", ["lanh_dao"], hop=1) == ["lanh-dao-tinh"]
    assert people(desk, 0, "SNNMT", ["lanh_dao"], hop=9) == ["lanh-dao-tinh"], "the top stays the top"
    desk.run("insert into ref.org_unit (code, name_vi, kind, parent_code) values ('TRAM', 'Trạm', 'agency', 'CHICUC')")
    desk.run("insert into ref.org_unit (code, name_vi, kind, parent_code) values ('CHICUC', 'C', 'agency', 'UBND')")
    assert people(desk, 0, "TRAM", ["lanh_dao"]) == ["lanh-dao-tinh"]
    desk.run(
        "insert into ref.unit_succession (old_code, new_code, effective_on) values ('CHICUC', 'SNNMT', %s::date)",
        desk.at(24),
    )
    assert people(desk, 0, "TRAM", ["lanh_dao"]) == ["lanh-dao-tinh"], "not yet merged"
    assert people(desk, 25, "TRAM", ["lanh_dao"]) == ["lanh-dao-snnmt"], "the parent's successor"


def test_a_unit_merged_while_its_alarm_is_open_is_reached_through_its_successor(desk: Desk) -> None:
    desk.signal({0: 250}, unit_code="16561")
    desk.evaluate(0.1)
    assert "lanh-dao-nghi-son" not in told(desk, "email")
    desk.run(
        "insert into ref.unit_succession (old_code, new_code, effective_on) values ('16561', '16654', %s::date)",
        desk.at(0),
    )
    desk.signal({1: 350}, unit_code="16561")
    desk.evaluate(1.1)
    assert told(desk, "email").count("lanh-dao-nghi-son") == 1
    assert told(desk).count("lanh-dao-nghi-son") == 1


# --- Quiet hours


def quiet(desk: Desk, since: str = "22:00", until: str = "06:00", contact: str = "truc-snnmt") -> None:
    desk.run("update ref.contact set quiet_from = %s, quiet_to = %s where code = %s", since, until, contact)
    values_only(desk)


def values_only(desk: Desk) -> None:
    """Silence of the source is another story."""
    desk.run("update notify.route set is_enabled = false where code = 'mat-du-lieu'")


def test_quiet_hours_run_across_midnight(desk: Desk) -> None:
    quiet(desk)
    with warehouse.connect("alerts", desk.settings) as connection:
        directory = routing.load(connection, desk.at(0))
        (contact,) = directory.people(*DUTY)
        until = {hour: directory.quiet_until(contact.contact_id, desk.at(hour)) for hour in (-2.1, -2, 0, 5.9, 6, 12)}
    assert until == {-2.1: None, -2: desk.at(6), 0: desk.at(6), 5.9: desk.at(6), 6: None, 12: None}


def test_a_slight_alarm_at_night_waits_for_the_morning_and_the_inbox_does_not(desk: Desk, mailbox: Mailbox) -> None:
    quiet(desk)
    desk.signal(dict.fromkeys(range(7), 120))
    desk.tick(0.1)
    assert desk.subjects() == ["Cảnh báo cấp 1 – Kém"]
    assert mails(desk, "truc-snnmt") == [("Cảnh báo cấp 1 – Kém", "queued", None)]
    desk.tick(5.9)
    assert mailbox.received == []
    desk.tick(6.0)
    assert mails(desk, "truc-snnmt") == [("Cảnh báo cấp 1 – Kém", "accepted", None)]
    assert len(mailbox.received) == 1


def test_a_grave_alarm_wakes(desk: Desk, mailbox: Mailbox) -> None:
    quiet(desk)
    desk.signal({0: 250})
    desk.tick(0.1)
    assert mails(desk, "truc-snnmt") == [("Cảnh báo cấp 3 – Rất xấu", "accepted", None)]
    desk.signal({1: 60, 2: 60})
    desk.tick(2.1)
    assert mails(desk, "truc-snnmt")[1][1] == "accepted", "who was woken is told that it is over"
    assert mailbox.received


def test_what_was_over_before_the_morning_is_dropped_and_listed_at_seven_once(desk: Desk, mailbox: Mailbox) -> None:
    quiet(desk)
    desk.signal({0: 120, 1: 60, 2: 60}, station="OVER")
    desk.signal(dict.fromkeys(range(8), 130), station="STILL")
    for hour in (0.1, 2.1, 5.5, 6.0, 6.5):
        desk.tick(hour)
    assert sorted(mails(desk, "truc-snnmt"), key=str) == [
        ("Cảnh báo cấp 1 – Kém", "accepted", None),
        ("Đã hết cảnh báo", "accepted", None),
    ], "one letter spoke of both; it still told the truth about one of them"
    assert len(mailbox.received) == 2


def test_a_letter_about_nothing_that_is_still_so_is_dropped(desk: Desk, mailbox: Mailbox) -> None:
    quiet(desk)
    desk.signal({0: 120, 1: 60, 2: 60, 7: 60})
    for hour in (0.1, 2.1, 5.9, 6.0, 6.9):
        desk.tick(hour)
    assert mails(desk, "truc-snnmt") == [
        ("Cảnh báo cấp 1 – Kém", "dropped", "resolved_before_window"),
        ("Đã hết cảnh báo", "dropped", "resolved_before_window"),
    ]
    assert mailbox.received == []
    desk.tick(7.0)
    desk.tick(7.1)
    (digest,) = mails(desk, "truc-snnmt")[2:]
    assert digest[:2] == ("Bản tin 07:00: 1 cảnh báo đã tự hết trong giờ yên tĩnh", "accepted")
    assert len(mailbox.received) == 1
    body = desk.one("select body from notify.outbox where dedupe_key like 'morning%%'")
    assert "TH-01, cao nhất cấp 1, từ 00:00 06/03/2026 đến 02:00 06/03/2026" in body
    # The next episode is news again.
    desk.signal({8: 120})
    desk.tick(8.1)
    assert mails(desk, "truc-snnmt")[3:] == [("Cảnh báo cấp 1 – Kém", "accepted", None)]


def test_an_end_that_the_drain_finds_first_is_not_told_to_who_never_heard_of_the_beginning(desk: Desk) -> None:
    """The drain looks before the reconciler has seen the end."""
    quiet(desk)
    desk.signal({0: 120})
    desk.tick(0.1)
    desk.run("update alert.incident set status = 'closed', level = 0, closed_at = %s", desk.at(5))
    desk.run("update alert.series_state set level = 0, incident_id = null, last_ok_at = %s", desk.at(6))
    delivery.drain("email", desk.settings, desk.at(6))
    assert mails(desk, "truc-snnmt") == [("Cảnh báo cấp 1 – Kém", "dropped", "resolved_before_window")]
    reconcile(desk, 6.1)
    assert len(mails(desk, "truc-snnmt")) == 1


def test_a_level_that_rose_at_night_replaces_what_waited(desk: Desk, mailbox: Mailbox) -> None:
    quiet(desk)
    desk.signal({0: 120} | dict.fromkeys(range(1, 7), 250))
    desk.tick(0.1)
    desk.tick(1.1)
    desk.tick(6.0)
    assert mails(desk, "truc-snnmt") == [
        ("Cảnh báo cấp 1 – Kém", "dropped", "changed_before_window"),
        ("Tăng lên cấp 3 – Rất xấu", "accepted", None),
    ]
    desk.tick(7.1)
    assert len(mails(desk, "truc-snnmt")) == 2, "what was told in another message is not listed"
    assert mailbox.received


def test_a_reminder_stays_true_while_its_alarm_is_open(desk: Desk, mailbox: Mailbox) -> None:
    quiet(desk)
    desk.signal({0: 170} | dict.fromkeys(range(1, 5), 120) | dict.fromkeys(range(5, 8), 60))
    desk.evaluate(0.1)
    (incident,) = desk.rows("select incident_id from alert.incident")[0]
    with warehouse.connect("alerts", desk.settings) as connection:
        teller = notice.Teller(connection, routing.load(connection, desk.at(1)), desk.at(1), desk.settings)
        (contact,) = teller.directory.people(*DUTY)
        for until in ("06:00", "08:00"):
            teller.directory.quiet[contact.contact_id] = (time(22), time.fromisoformat(until))
            to = notice.Destination(until, None, None, contact.contact_id, "email", "a@example.vn")
            teller.post(to, "?", {}, notice.Plain("[Nhắc]", "Nhắc"), level=2, incident_ids=[incident],
                        incident_levels=[2])  # fmt: skip
    for hour in (2.1, 4.1):
        desk.evaluate(hour)
    desk.run("update notify.outbox set not_before = %s where dedupe_key = '06:00'", desk.at(4.2))
    desk.deliver(4.2)
    desk.evaluate(7.1)
    desk.deliver(8.1)
    reminders = desk.rows("select status, last_error from notify.outbox where subject = '[Nhắc]' order by dedupe_key")
    assert reminders == [("accepted", None), ("dropped", "resolved_before_window")]
    assert mailbox.received


# --- Working calendars


def test_a_route_with_a_calendar_waits_for_working_time_and_grave_alarms_do_not(desk: Desk) -> None:
    """06/03/2026 is a Friday; lunch is from 11:30 to 13:30, Saturday is free."""
    values_only(desk)
    desk.run("update notify.route set calendar_code = 'hanh_chinh' where code = 'chuyen-nganh'")
    desk.signal(dict.fromkeys(range(16), 120), station="A")
    desk.tick(6.9)
    assert desk.subjects() == []
    desk.tick(7.0)
    assert desk.subjects() == ["Cảnh báo cấp 1 – Kém"]
    desk.signal(dict.fromkeys(range(11, 16), 120), station="TRUA")
    desk.tick(12.0)
    assert len(desk.subjects()) == 1, "lunch"
    desk.tick(13.5)
    assert len(desk.subjects()) == 2
    desk.signal({24 + 9: 250}, station="THU-BAY")
    desk.tick(24 + 9.1)
    assert desk.subjects()[-1] == "Cảnh báo cấp 3 – Rất xấu"


def test_a_make_up_saturday_is_a_working_day_and_a_holiday_is_none(desk: Desk) -> None:
    values_only(desk)
    desk.run("update notify.route set calendar_code = 'hanh_chinh' where code = 'chuyen-nganh'")
    for hour, kind in ((0, "off"), (24, "make_up")):
        desk.run("insert into ref.holiday values ('hanh_chinh', %s::date, %s, 'Hoán đổi')", desk.at(hour), kind)
    desk.signal(dict.fromkeys(range(8, 33), 120))
    desk.tick(9)
    assert desk.subjects() == [], "a Friday off"
    desk.tick(24 + 6.9)
    assert desk.subjects() == []
    desk.tick(24 + 7.1)
    assert desk.subjects() == ["Cảnh báo cấp 1 – Kém"], "a Saturday that makes up for it"


# --- Nobody there


def test_a_recipient_who_cannot_be_reached_is_replaced_by_the_duty_of_the_centre(desk: Desk) -> None:
    desk.run(
        "update ref.contact set email_verified_at = null, phone_verified_at = null, user_name = null "
        "where code = 'truc-snnmt'"
    )
    desk.signal({0: 120})
    assert desk.evaluate(0.1).unreachable == 0
    assert set(told(desk, "email")) == {"truc-ioc"}


def test_a_person_lost_while_owed_hands_the_debt_back_to_the_route(desk: Desk) -> None:
    desk.run("update notify.rate_limit set capacity = 1 where scope = 'contact'")
    desk.run("update ref.contact set phone_verified_at = null where code <> 'truc-snnmt'")
    for number in range(2):
        desk.signal({0: 170}, station=f"S{number}")
        desk.evaluate(0.01 * (number + 1))
    assert told(desk) == ["truc-snnmt"]
    assert desk.one("select count(*) from notify.owed") == 1
    desk.run("update ref.contact set phone_verified_at = null where code = 'truc-snnmt'")
    desk.run("update ref.contact set phone_verified_at = now() where code = 'truc-ioc'")
    reconcile(desk, 0.05)
    reconcile(desk, 0.06)
    assert told(desk) == ["truc-snnmt", "truc-ioc"]
    assert desk.one("select count(*) from notify.owed") == 0


def test_the_fallback_cannot_be_switched_off(desk: Desk) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        desk.run("update notify.route set is_enabled = false where is_fallback")


# --- Would anybody hear?


def test_the_first_contents_reach_two_people_everywhere(desk: Desk) -> None:
    assert [one.as_dict() for one in reachability.check(desk.settings, desk.at(0))] == []
    # The roster of the first weeks reaches them too.
    assert reachability.check(desk.settings) == []


def test_what_is_missing_is_named_with_rule_level_and_units(desk: Desk) -> None:
    desk.run("update ref.contact set email_verified_at = null, phone_verified_at = null where code = 'truc-ioc'")
    desk.run("update ref.contact set is_active = false where roles && '{lanh_dao}' and unit_code <> '14797'")
    found = [one for one in reachability.check(desk.settings, desk.at(0)) if one.rule_code == "air_quality.aqi_h"]
    (level_two,) = [one for one in found if (one.kind, one.level) == ("value", 2)]
    assert level_two.reached == ["Cán bộ trực Sở Nông nghiệp và Môi trường"]
    assert len(level_two.unit_codes) > 150
    assert "14797" not in level_two.unit_codes, "its own leader is the second"
    assert any("Trực ban IOC" in sentence for sentence in level_two.missing)
    assert level_two.missing[-1] == "Chỉ tới được 1 người, cần ít nhất 2."


def test_the_check_is_a_command_that_fails_when_something_is_missing(desk: Desk) -> None:
    runner = CliRunner()
    done = runner.invoke(app, ["alerts", "reachability"])
    assert (done.exit_code, "reaches" in done.output) == (0, True), done.output
    desk.run("update ref.contact set is_active = false where unit_code <> 'SNNMT'")
    failed = runner.invoke(app, ["alerts", "reachability", "--json"])
    assert failed.exit_code == 2
    assert '"rule_code": "air_quality.aqi_h"' in failed.output


def test_every_night_the_operators_hear_of_what_is_missing_once(desk: Desk) -> None:
    assert reachability.report(desk.settings, desk.at(26)) == []
    assert desk.one("select count(*) from notify.outbox") == 0
    desk.run("update ref.contact set is_active = false where unit_code not in ('SNNMT', 'IOC')")
    desk.run("update ref.contact set is_active = false where code = 'truc-ioc'")
    assert reachability.report(desk.settings, desk.at(26)) == reachability.report(desk.settings, desk.at(26.5))
    told_to = desk.rows("select address from notify.outbox order by address")
    assert told_to == [("quan-tri.ioc@thanhhoa.example.vn",), ("quantri",)]
