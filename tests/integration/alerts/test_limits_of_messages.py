"""How much is said: buckets, debts that become one message, and what no limit holds back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from alerts.notifying import limits, notice, routing
from alerts.notifying.reconcile import reconcile_in
from alerts.sending import delivery
from ioc import warehouse

if TYPE_CHECKING:
    from tests.integration.alerts.conftest import Desk, Mailbox


def reconcile(desk: Desk, hour: float) -> int:
    with warehouse.connect("alerts", desk.settings) as connection:
        return reconcile_in(connection, desk.at(hour), desk.settings).notifications


def sms(desk: Desk, contact: str = "truc-snnmt") -> list[str]:
    """The SMS queued for somebody, oldest first."""
    return [
        body
        for (body,) in desk.rows(
            "select o.body from notify.outbox o join ref.contact c using (contact_id) "
            "where c.code = %s and o.channel = 'sms' order by o.created_at, o.outbox_id",
            contact,
        )
    ]


def only(desk: Desk, contact: str) -> None:
    """Nobody else has a phone."""
    desk.run("update ref.contact set phone_verified_at = null where code <> %s", contact)


def fill_the_hour(desk: Desk) -> None:
    """Six alarms of six stations within two minutes: the hour's six SMS of one person."""
    for number in range(6):
        desk.signal({0: 160 + number}, station=f"S{number}")
        desk.evaluate(0.005 * (number + 1))
    assert len(sms(desk)) == 6


def test_a_flood_is_one_sms_per_recipient(desk: Desk) -> None:
    """646 series in ten communes at level 3: leaders are reached by several groups of several routes."""
    desk.run(
        "insert into alerting.signal (signal_code, entity_type, entity_id, unit_code, period_end, value, quality) "
        "select 'air_quality.aqi_h', 'station', 'TAU-' || n, u.code, %s, 250, 'ok' from generate_series(1, 646) n "
        "join (select code, row_number() over (order by code) - 1 as nth from ref.org_unit where kind = 'commune' "
        "limit 10) u on u.nth = n %% 10",
        desk.at(0),
    )
    report = desk.evaluate(0.1)
    assert report.opened == 646
    per_person = desk.rows("select contact_id, count(*) from notify.outbox where channel = 'sms' group by 1")
    assert len(per_person) >= 3
    assert {count for _, count in per_person} == {1}
    (text,) = sms(desk, "lanh-dao-tinh")
    assert text.startswith("IOC Thanh Hoa: 646 thong bao, nang nhat: Canh bao cap 3")
    assert reconcile(desk, 0.2) == 0


def test_a_person_whom_a_slower_route_reaches_too_gets_no_second_sms(desk: Desk) -> None:
    """Level 3 in a commune without a leader: two routes lead to the province, one of them waits to group."""
    desk.run("update notify.route set group_wait = '6 minutes' where code = 'dia-ban-sms'")
    desk.signal({0: 250}, unit_code="14845")
    desk.evaluate(0)
    assert reconcile(desk, 0.2) == 0
    assert desk.one("select count(*) from notify.notice_state join notify.route using (route_id) "
                    "where code = 'dia-ban-sms'") == 1  # fmt: skip
    assert len(sms(desk, "lanh-dao-tinh")) == 1


def test_over_the_limit_means_one_digest_later_and_nothing_lost_or_doubled(desk: Desk) -> None:
    only(desk, "truc-snnmt")
    fill_the_hour(desk)
    for number in (6, 7):
        desk.signal({0: 160 + number}, station=f"S{number}")
        desk.evaluate(0.005 * (number + 1))
    assert len(sms(desk)) == 6, "the hour is used up"
    assert desk.one("select count(*) from notify.owed") == 2
    assert desk.one("select count(*) from notify.outbox where channel = 'web' and address = 'truc'") == 8
    assert reconcile(desk, 0.1) == 0
    # A token comes back every ten minutes; the two that wait are one message.
    assert reconcile(desk, 0.2) == 1
    assert sms(desk)[-1].startswith("IOC Thanh Hoa: Tong hop 2 thong bao")
    assert desk.one("select count(*) from notify.owed") == 0
    assert [reconcile(desk, hour) for hour in (0.3, 0.5, 2.0)] == [0, 0, 0]
    said = desk.rows(
        "select incident, count(*) from notify.outbox cross join unnest(incident_ids) incident "
        "where channel = 'sms' group by 1"
    )
    assert len(said) == 8
    assert {count for _, count in said} == {1}


def test_what_began_and_ended_while_it_was_owed_is_no_sms(desk: Desk) -> None:
    only(desk, "truc-snnmt")
    fill_the_hour(desk)
    desk.signal({0: 170}, station="FLAP")
    desk.evaluate(0.05)
    desk.signal({1: 60, 2: 60}, station="FLAP")
    desk.evaluate(2.1)
    assert not any("FLAP" in text for text in sms(desk))
    assert desk.one("select count(*) from notify.owed") == 0
    bodies = desk.rows("select body from notify.outbox where channel = 'web' and body like %s", "%FLAP%")
    assert len(bodies) == 2, "the inbox heard both"


def test_level_four_waits_for_no_limit_of_people(desk: Desk) -> None:
    only(desk, "truc-snnmt")
    fill_the_hour(desk)
    desk.signal({0: 350}, station="NGUY-HAI")
    desk.evaluate(0.05)
    assert "NGUY-HAI" in sms(desk)[-1]
    assert len(sms(desk)) == 7


def test_a_rule_that_floods_holds_up_itself_only(desk: Desk) -> None:
    only(desk, "truc-snnmt")
    desk.run("update notify.rate_limit set capacity = 1 where scope = 'rule'")
    desk.signal({0: 160}, station="A")
    desk.evaluate(0.05)
    desk.signal({0: 160}, station="B")
    desk.evaluate(0.1)
    assert len(sms(desk)) == 1
    desk.run("update notify.route set min_level = 1 where code = 'chuyen-nganh-sms'")
    desk.signal({0: 1.5}, signal_code="air_quality.pm25_ratio_24h", station="C")
    desk.evaluate(0.15)
    assert len(sms(desk)) == 2
    assert "PM2.5" in sms(desk)[-1]
    assert reconcile(desk, 1.2) == 1


def test_the_months_budget_is_told_once_at_eighty_per_cent_and_then_holds(desk: Desk) -> None:
    only(desk, "truc-snnmt")
    desk.run("update notify.rate_limit set capacity = 5 where scope = 'month'")
    desk.run("delete from notify.rate_limit where scope = 'contact'")
    for number in range(8):
        desk.signal({0: 160 + number}, station=f"S{number}")
        desk.evaluate(0.01 * (number + 1))
    parts = desk.one("select sum(segment_count) from notify.outbox where channel = 'sms'")
    assert 5 <= parts <= 6, "the last message may need more parts than are left"
    told = desk.rows("select address from notify.outbox where dedupe_key like 'operators|budget|sms|2026-03|%%'")
    assert sorted(told) == [("quan-tri.ioc@thanhhoa.example.vn",), ("quantri",)]
    # April has a budget of its own; what is still true then is told.
    before = len(sms(desk))
    desk.run("update alert.series_state set last_ok_at = %s", desk.at(24 * 27))
    assert reconcile(desk, 24 * 27) == 1
    assert len(sms(desk)) == before + 1


def test_a_provider_gets_no_more_than_it_takes(desk: Desk, mailbox: Mailbox) -> None:
    desk.run("insert into notify.rate_limit values ('provider', 'email', 'minute', 2, '1 minute')")
    desk.signal({0: 250})
    desk.evaluate(0)
    waiting = desk.one("select count(*) from notify.outbox where channel = 'email'")
    assert waiting >= 4
    sent = [delivery.drain("email", desk.settings, desk.at(hour)).sent for hour in (0.01, 0.011, 0.02, 1)]
    assert sent[:2] == [2, 0]
    assert sent[2] == 1
    assert len(mailbox.received) == sum(sent)
    with warehouse.connect("alerts", desk.settings) as connection:
        connection.execute("update notify.bucket set tokens = 0, updated_at = %s", (desk.at(2),))
        assert limits.provider_room(connection, "email", 9, desk.at(2)) == 0
        assert limits.provider_pause(connection, "email", desk.at(2)).total_seconds() == pytest.approx(30)


def test_a_reconciler_that_dies_has_taken_no_token(desk: Desk) -> None:
    only(desk, "truc-snnmt")
    desk.signal({0: 170})
    desk.run("update notify.route set group_wait = '6 minutes'")
    desk.evaluate(0)
    desk.run("update notify.route set group_wait = '0'")

    def die() -> None:
        with warehouse.connect("alerts", desk.settings) as connection:
            assert reconcile_in(connection, desk.at(0.1), desk.settings).notifications
            connection.execute("select pg_terminate_backend(pg_backend_pid())")

    with pytest.raises(Exception, match=r"terminat|closed"):
        die()
    assert (sms(desk), desk.rows("select * from notify.bucket")) == ([], [])
    assert reconcile(desk, 0.2)
    assert len(sms(desk)) == 1


def test_a_clock_that_goes_back_gives_no_tokens(desk: Desk) -> None:
    with warehouse.connect("alerts", desk.settings) as connection:
        for hour in (10, 9, 8):
            desk_limits = limits.Limits(connection, desk.at(hour))
            desk_limits.take("sms", "1", ["r"])
        assert [limits.Limits(connection, desk.at(hour)).has_room("sms", "1", 2) for hour in (8, 10)] == [True, True]
        tokens = connection.execute("select tokens::int from notify.bucket where key = 'sms|1|hour'").fetchone()
        assert tokens == (3,)


def test_an_sms_that_is_no_difference_of_state_waits_its_turn(desk: Desk) -> None:
    with warehouse.connect("alerts", desk.settings) as connection:
        teller = notice.Teller(connection, routing.load(connection, desk.at(8)), desk.at(8), desk.settings)
        (contact,) = teller.directory.people("SNNMT", ["truc_ban"])
        for number in range(8):
            to = notice.Destination(f"nhac|{number}", None, None, contact.contact_id, "sms", "84900000003")
            assert teller.post(to, "escalation", {}, notice.Plain("Nhắc", f"Nhắc {number}"), level=2) == 1
            assert teller.post(to, "escalation", {}, notice.Plain("Nhắc", f"Nhắc {number}"), level=2) == 0
    waits = desk.rows(
        "select extract(epoch from not_before - created_at)::int / 60 from notify.outbox order by not_before"
    )
    assert waits == [(0,)] * 6 + [(10,), (20,)]
