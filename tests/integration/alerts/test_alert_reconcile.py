"""Who is told what: the difference between the truth and what was told, grouped, routed, held back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alerts import suppressions
from alerts.notifying.reconcile import reconcile_in
from ioc import warehouse

if TYPE_CHECKING:
    from tests.integration.alerts.conftest import Desk


def reconcile(desk: Desk, hour: float) -> int:
    with warehouse.connect("alerts", desk.settings) as connection:
        return reconcile_in(connection, desk.at(hour), desk.settings).notifications


def test_reconciling_twice_tells_once(desk: Desk) -> None:
    desk.signal({0: 170})
    desk.evaluate(0.1)
    assert [reconcile(desk, 0.1), reconcile(desk, 0.2)] == [0, 0]


def test_people_are_found_by_unit_role_and_level(desk: Desk) -> None:
    def told(level_value: float, station: str, unit: str) -> set[str]:
        desk.signal({0: level_value}, station=station, unit_code=unit)
        desk.evaluate(0.1)
        code = f"%{station}%"
        return {
            name
            for (name,) in desk.rows(
                "select c.code from notify.outbox join ref.contact c using (contact_id) where body like %s", code
            )
        }

    assert told(120, "S1", "14797") == {"truc-snnmt"}
    desk.run("update notify.grp set last_flush = null")
    assert told(170, "S2", "14797") == {"truc-snnmt", "truc-ioc", "lanh-dao-hac-thanh"}
    desk.run("update notify.grp set last_flush = null")
    # Level 3, in a commune without a contact of its own: the nearest ancestor with the role.
    assert told(250, "S3", "14845") == {"truc-snnmt", "truc-ioc", "lanh-dao-tinh"}


def test_a_person_whom_two_routes_reach_hears_each_thing_once(desk: Desk) -> None:
    # Level 3 in a commune without a leader of its own: both the local and the provincial route lead to the province.
    desk.signal({0: 250}, unit_code="14845")
    desk.evaluate(0.1)
    per_person = (
        "select count(*) from notify.outbox join ref.contact c using (contact_id) where c.code = %s and channel = %s"
    )
    assert desk.one(per_person, "lanh-dao-tinh", "email") == 1
    assert desk.one(per_person, "lanh-dao-tinh", "web") == 1
    # Down to level 2: the provincial route is over it, the local one is not; the person hears "level 2" and no "over".
    desk.run("update notify.grp set last_flush = null")
    desk.signal({1: 170, 2: 170}, unit_code="14845")
    desk.evaluate(2.1)
    levels = desk.rows(
        "select o.level from notify.outbox o join ref.contact c using (contact_id) "
        "where c.code = 'lanh-dao-tinh' and channel = 'email' order by o.created_at"
    )
    assert levels == [(3,), (2,)]


def test_a_unit_merged_while_its_incident_is_open_is_reached_through_its_successor(desk: Desk) -> None:
    desk.signal({0: 170}, unit_code="16561")
    desk.tick(0.1)
    desk.run("update ref.org_unit set valid = daterange(lower(valid), %s::date) where code = '16561'", desk.at(0))
    desk.run(
        "insert into ref.unit_succession (old_code, new_code, effective_on) values ('16561', '16654', %s::date)",
        desk.at(0),
    )
    desk.signal({1: 60, 2: 60}, unit_code="16561")
    desk.tick(2.1)
    addresses = desk.rows(
        "select address, subject from notify.outbox where channel = 'email' and address like %s", "%nghison%"
    )
    assert len(addresses) == 1
    assert "Đã hết cảnh báo" in addresses[0][1]
    assert desk.one("select unit_code from alert.incident") == "16561", "the incident keeps the unit of its time"


def test_nobody_in_the_route_means_the_fallback_and_nobody_at_all_means_trying_again(desk: Desk) -> None:
    desk.run("update ref.contact set is_active = false where unit_code = 'SNNMT'")
    desk.run("update ref.contact set is_active = false where unit_code = 'UBND'")
    desk.signal({0: 120})
    assert desk.evaluate(0.1).unreachable == 0
    assert desk.rows("select address from notify.outbox where channel <> 'sms'") == [
        ("truc-ban.ioc@thanhhoa.example.vn",)
    ]
    desk.run("update ref.contact set is_active = false")
    desk.signal({0: 120}, station="TH-02")
    report = desk.evaluate(0.3)
    assert (report.unreachable, report.notifications) == (1, 0)
    desk.run("update ref.contact set is_active = true")
    assert desk.evaluate(0.4).notifications == 2


def test_the_fallback_uses_its_own_channels(desk: Desk) -> None:
    """A route by mail only, a person on duty with an inbox only: the message goes to the inbox."""
    desk.run("update ref.contact set is_active = false where unit_code = 'SNNMT'")
    desk.run("update ref.contact set is_active = false where unit_code = 'UBND'")
    desk.run(
        "update ref.contact set email_verified_at = null, phone_verified_at = null, user_name = 'trucioc' "
        "where code = 'truc-ioc'"
    )
    desk.run("update notify.route set channels = '{email}' where not is_fallback")
    desk.signal({0: 120})
    assert desk.evaluate(0.1).unreachable == 0
    assert desk.rows("select channel, address from notify.outbox") == [("web", "trucioc")]


def test_an_unverified_address_is_not_used(desk: Desk) -> None:
    desk.run("update ref.contact set email_verified_at = null where code = 'truc-snnmt'")
    desk.signal({0: 120})
    desk.evaluate(0.1)
    assert desk.rows("select channel, address from notify.outbox") == [("web", "truc")]


def test_many_series_at_once_are_one_message_per_person_and_channel(desk: Desk) -> None:
    for number in range(40):
        desk.signal({0: 120 + number}, station=f"S{number:02}")
    report = desk.evaluate(0.1)
    assert (report.opened, report.firing) == (40, 40)
    per_person = desk.rows("select contact_id, channel, count(*) from notify.outbox group by 1, 2")
    assert {count for _, _, count in per_person} == {1}
    subject, body = desk.rows("select subject, body from notify.outbox where channel = 'web' and address = 'truc'")[0]
    assert subject.startswith("40 thông báo")
    assert body.count("SC-") == 40
    assert body.startswith("[Cảnh báo cấp 2"), "the worst comes first"


def test_a_flap_inside_the_waiting_time_is_silent(desk: Desk) -> None:
    desk.run("update notify.route set group_wait = '3 h'")
    desk.signal({0: 120, 1: 60, 2: 60})
    desk.tick(0.1)
    desk.tick(2.1)
    desk.tick(3.5)
    assert desk.transitions() == [(0, 1), (2, 0)]
    assert desk.one("select count(*) from notify.outbox") == 0
    desk.signal({4: 120, 5: 120, 6: 120, 7: 120})
    desk.tick(4.1)
    desk.tick(6.9)
    assert desk.subjects() == []
    desk.tick(7.2)
    assert desk.subjects() == ["Cảnh báo cấp 1 – Kém"], "the waiting time began anew with the second episode"


def test_between_two_messages_of_a_group_lies_its_interval(desk: Desk) -> None:
    desk.run("update notify.route set group_interval = '2 h'")
    desk.signal({0: 120, 1: 170, 2: 250})
    desk.tick(0.1)
    desk.tick(1.1)
    desk.tick(2.2)
    assert desk.subjects() == ["Cảnh báo cấp 1 – Kém", "Tăng lên cấp 3 – Rất xấu"]


def silence(desk: Desk, hour: float, until: float, kind: str = "silence", **changes: object) -> int:
    return suppressions.suppress(
        kind,  # type: ignore[arg-type]
        suppressions.Actor("ai", "admin"),
        "Bảo trì trạm",
        desk.at(until),
        settings=desk.settings,
        at=desk.at(hour),
        **{"max_level": 2, **changes},  # type: ignore[arg-type]
    )


def test_a_silence_has_a_ceiling_a_scope_and_can_be_lifted(desk: Desk) -> None:
    silence(desk, 0, 9, max_level=2, scope=suppressions.Scope(entity_pattern="TH-%"))
    desk.signal({0: 120, 1: 250}, station="TH-01")
    desk.signal({0: 120}, station="KHAC")
    desk.tick(0.1)
    assert desk.subjects() == ["Cảnh báo cấp 1 – Kém"]
    assert "KHAC" in desk.one("select body from notify.inbox")
    desk.tick(1.1)
    assert desk.subjects()[-1] == "Cảnh báo cấp 3 – Rất xấu"
    held = silence(desk, 1.2, 9, max_level=4)
    desk.signal({2: 60, 3: 60}, station="TH-01")
    desk.tick(3.1)
    assert desk.subjects()[-1] == "Cảnh báo cấp 3 – Rất xấu"
    suppressions.lift(held, suppressions.Actor("ai", "admin"), desk.settings, desk.at(3.2))
    desk.tick(3.3)
    assert desk.subjects()[-1] == "Đã hết cảnh báo", "level 3 was told, so its end is above the ceiling too"


def test_muting_by_calendar_holds_outside_working_hours_only(desk: Desk) -> None:
    """06/03/2026 is a Friday; office hours begin at 07:00."""
    desk.run(
        "insert into alert.suppression (kind, during, max_level, reason, created_by, calendar_code) "
        "values ('mute_timing', tstzrange(%s, %s), 2, 'Ngoài giờ', 'truc', 'hanh_chinh')",
        desk.at(-24), desk.at(240),
    )  # fmt: skip
    desk.signal(dict.fromkeys(range(4, 9), 120))
    desk.tick(6.5)
    assert desk.subjects() == []
    desk.tick(7.1)
    assert desk.subjects() == ["Cảnh báo cấp 1 – Kém"]


def test_working_time_knows_lunch_weekends_holidays_and_make_up_days(desk: Desk) -> None:
    cases = {
        "2026-03-06 08:00": True, "2026-03-06 12:00": False, "2026-03-06 16:59": True, "2026-03-06 17:00": False,
        "2026-03-07 08:00": False, "2026-04-30 08:00": False, "2026-08-22 08:00": True, "2026-08-31 08:00": False,
    }  # fmt: skip
    found = {
        when: desk.one("select ref.is_working_time('hanh_chinh', %s::timestamptz)", f"{when}+07") for when in cases
    }
    assert found == cases


def test_a_broken_message_template_still_sounds_the_alarm(desk: Desk) -> None:
    desk.run(
        "insert into notify.template (code, channel, version, body, status, author, approved_by) "
        "values ('notice', 'web', 9, '{{ x }}', 'approved', 'a', 'b')"
    )
    desk.signal({0: 170})
    desk.tick(0.1)
    assert "AQI giờ tại TH-01 là 170" in desk.one("select body from notify.inbox limit 1")
