"""Contacts, routes, roster, working calendar, history of notifications, message templates: as people use them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from ioc import warehouse
from portal.language import ZONE

if TYPE_CHECKING:
    from collections.abc import Callable

    from ioc.settings import Settings
    from tests.integration.portal.conftest import Person

PAGES = ("/danh-ba", "/danh-ba/tuyen", "/danh-ba/kiem-tra", "/lich-truc", "/lich-lam-viec", "/thong-bao", "/mau-tin")


def rows(settings: Settings, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with warehouse.connect("owner", settings) as connection:
        return connection.execute(query, values).fetchall()  # type: ignore[arg-type]


def run(settings: Settings, statement: str, *values: Any) -> None:
    with warehouse.connect("owner", settings) as connection:
        connection.execute(statement, values)  # type: ignore[arg-type]


@pytest.mark.parametrize("page", PAGES)
def test_pages_are_for_people_of_the_centre_in_both_languages(
    anybody: Person, signed_in: Callable[[str], Person], page: str
) -> None:
    assert anybody.get(page).status_code == 303
    person = signed_in("lanhdao")
    vietnamese = person.text(page)
    person.get("/ngon-ngu/en")
    assert person.text(page) != vietnamese


def test_addresses_in_full_are_for_those_who_run_the_system(signed_in: Callable[[str], Person]) -> None:
    for name in ("truc", "lanhdao"):
        person = signed_in(name)
        for page in ("/danh-ba", "/thong-bao"):
            text = person.text(page)
            assert not re.search(r"(?<!\d)(84|0)9\d{8}(?!\d)", text), page
            assert "truc-ban.snnmt@" not in text
        assert person.get("/danh-ba/truc-snnmt").status_code == 403
        assert person.post("/danh-ba", "/tai-khoan", code="truc-snnmt", name_vi="X").status_code == 403
    text = signed_in("kysu").text("/danh-ba")
    assert "0900000003" in text
    assert "truc-ban.snnmt@thanhhoa.example.vn" in text


def test_a_new_contact_is_told_nothing_until_the_code_has_come_back(
    settings: Settings, signed_in: Callable[[str], Person]
) -> None:
    engineer = signed_in("kysu")
    answer = engineer.post(
        "/danh-ba", "/danh-ba/moi", name_vi="Nguyễn Văn Mẫu", unit_code="14797", role="lanh_dao",
        email="mau@example.vn", active="1",
    )  # fmt: skip
    assert answer.headers["location"] == "/danh-ba/nguyen-van-mau?xong=luu"
    page = "/danh-ba/nguyen-van-mau"
    assert "chưa xác minh: chưa nhận thông báo" in engineer.text(page)
    assert engineer.post(f"{page}/gui-ma", page, medium="email").status_code == 303
    ((body, address),) = rows(settings, "select body, address from notify.outbox where dedupe_key like 'verify%%'")
    assert address == "mau@example.vn"
    digits = re.search(r"\b\d{6}\b", body)
    assert digits
    wrong = "000000" if digits[0] != "000000" else "111111"
    assert "Mã không đúng." in engineer.post(f"{page}/xac-minh", page, medium="email", digits=wrong).text
    assert engineer.post(f"{page}/xac-minh", page, medium="email", digits=digits[0]).status_code == 303
    assert "xác minh lúc" in engineer.text(page)
    refused = engineer.post(f"{page}/xac-minh", page, medium="email", digits=digits[0])
    assert refused.status_code == 422, "a code is used once"
    # The code itself is nobody's to read afterwards.
    (outbox_id,) = rows(settings, "select outbox_id from notify.outbox where dedupe_key like 'verify%%'")[0]
    assert digits[0] not in engineer.text(f"/thong-bao/{outbox_id}").split("Nội dung đã gửi")[1]
    # Another address starts again.
    engineer.post(
        "/danh-ba", page, code="nguyen-van-mau", name_vi="Nguyễn Văn Mẫu", unit_code="14797", email="moi@example.vn",
        active="1",
    )  # fmt: skip
    assert "chưa xác minh: chưa nhận thông báo" in engineer.text(page)
    acts = [act for (act,) in rows(settings, "select action from audit.event where object_id = 'nguyen-van-mau' "
                                             "order by event_id")]  # fmt: skip
    assert acts == ["contact.made", "contact.code_sent", "contact.verified", "contact.changed"]
    assert not rows(settings, "select 1 from audit.event where detail::text like '%%@example.vn%%'")


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("name_vi", " ", "Tên phải có từ 2"),
        ("email", "khong-phai-thu", "thư điện tử không hợp lệ"),
        ("phone", "12345", "số di động Việt Nam"),
        ("unit_code", "KHONG", "Đơn vị này không có"),
        ("role", "vua", "Vai trò không có"),
        ("quiet_from", "22:00", "cần cả giờ bắt đầu"),
        ("user_name", "truc", "gắn với một liên hệ khác"),
    ],
)
def test_a_wrong_contact_is_refused_with_a_sentence(
    settings: Settings, signed_in: Callable[[str], Person], field: str, value: str, words: str
) -> None:
    before = rows(settings, "select count(*) from ref.contact")
    answer = signed_in("kysu").post(
        "/danh-ba", "/danh-ba/moi", **{"name_vi": "Người Thử", "unit_code": "IOC", field: value}
    )
    assert answer.status_code == 422
    assert words in answer.text
    assert rows(settings, "select count(*) from ref.contact") == before


def test_the_fallback_route_cannot_be_switched_off_and_others_change(
    settings: Settings, signed_in: Callable[[str], Person]
) -> None:
    engineer = signed_in("kysu")
    page = "/danh-ba/tuyen"
    given = {"role": "truc_ban", "channel": "email", "min_level": "2", "wait_minutes": "1", "interval_minutes": "5"}
    refused = engineer.post(f"{page}/truc-ban-ioc", page, **given)
    assert refused.status_code == 422
    assert "không thể tắt" in refused.text
    assert engineer.post(f"{page}/dia-ban", page, **given, enabled="1", calendar="hanh_chinh").status_code == 303
    changed = rows(settings, "select roles, channels, group_wait::text, calendar_code from notify.route "
                             "where code = 'dia-ban'")  # fmt: skip
    assert changed == [(["truc_ban"], ["email"], "00:01:00", "hanh_chinh")]
    assert signed_in("truc").post(f"{page}/dia-ban", "/tai-khoan", **given).status_code == 403


def test_a_week_of_the_roster_with_its_gaps(settings: Settings, signed_in: Callable[[str], Person]) -> None:
    engineer = signed_in("kysu")
    far = (datetime.now(UTC) + timedelta(days=400)).astimezone(ZONE).replace(hour=7, minute=0)
    monday = (far - timedelta(days=far.weekday())).date()
    page = f"/lich-truc?don_vi=SYT&vai_tro=truc_ban&tuan={monday}"
    assert "chưa có lịch trực" in engineer.text(page)
    shift = {"unit": "SYT", "role": "truc_ban", "week": str(monday), "contact": "truc-syt", "note": "Ca dài"}
    times = {"since": f"{monday}T07:00", "until": f"{monday + timedelta(days=1)}T07:00"}
    assert engineer.post("/lich-truc", page, **shift, **times).status_code == 303
    text = engineer.text(page)
    assert "Ca dài" in text
    assert "Còn 144 giờ trong tuần chưa có ai trực" in text
    assert text.count('class="shift gap"') == 7
    again = engineer.post("/lich-truc", page, **shift, **times)
    assert "trùng thời gian" in again.text
    backwards = engineer.post("/lich-truc", page, **shift, since=times["until"], until=times["since"])
    assert "phải sau giờ bắt đầu" in backwards.text
    ((number,),) = rows(settings, "select duty_shift_id from ref.duty_shift where unit_code = 'SYT'")
    moved = engineer.post(f"/lich-truc/{number}/doi", page, since=times["since"], until=f"{monday}T19:00", week="")
    assert moved.status_code == 303
    assert "Còn 156 giờ" in engineer.text(page)
    assert signed_in("truc").post(f"/lich-truc/{number}/xoa", "/tai-khoan").status_code == 403, "another unit's roster"
    assert engineer.post(f"/lich-truc/{number}/xoa", page).status_code == 303
    assert rows(settings, "select 1 from ref.duty_shift where unit_code = 'SYT'") == []
    acts = rows(settings, "select action from audit.event where object_type = 'duty_shift' order by event_id")
    assert [act for (act,) in acts] == ["shift.made", "shift.moved", "shift.removed"]


def test_an_officer_keeps_the_roster_of_the_own_unit(signed_in: Callable[[str], Person]) -> None:
    officer = signed_in("truc")
    assert "Kíp trực Sở NN&amp;MT" in officer.text("/lich-truc")
    day = (datetime.now(UTC) + timedelta(days=300)).date()
    answer = officer.post(
        "/lich-truc", "/lich-truc", unit="SNNMT", role="truc_ban", contact="kip-snnmt-1", since=f"{day}T07:00",
        until=f"{day}T19:00",
    )  # fmt: skip
    assert answer.status_code == 303
    assert officer.post("/lich-truc", "/lich-truc", unit="IOC", role="truc_ban").status_code == 403


def test_the_working_calendar_is_edited_with_a_source_and_never_backwards(
    settings: Settings, signed_in: Callable[[str], Person]
) -> None:
    engineer = signed_in("kysu")
    page, act = "/lich-lam-viec", "/lich-lam-viec/hanh_chinh/ngay"
    saturday = datetime.now(ZONE).date() + timedelta(days=30)
    saturday += timedelta(days=(5 - saturday.weekday()) % 7)
    given = {"day": str(saturday), "kind": "make_up", "name": "Làm bù"}
    assert "nguồn" in engineer.post(act, page, **given).text
    assert engineer.post(act, page, **given, citation="TB 01/2026").status_code == 303
    working = "select ref.is_working_time('hanh_chinh', (%s::date + time '08:00') at time zone 'Asia/Ho_Chi_Minh')"
    assert rows(settings, working, saturday) == [(True,)]
    assert "TB 01/2026" in engineer.text(f"{page}?nam={saturday.year}")
    past = engineer.post(act, page, day="2026-01-02", kind="off", name="x", citation="y")
    assert "đã qua" in past.text
    assert engineer.post(f"{act}/{saturday}/bo", page).status_code == 303
    assert rows(settings, working, saturday) == [(False,)]
    overlapping = {"from-1-1": "07:00", "to-1-1": "12:00", "from-1-2": "11:00", "to-1-2": "17:00"}
    hours = "/lich-lam-viec/hanh_chinh/gio"
    assert "chồng nhau" in engineer.post(hours, page, **overlapping).text
    assert "đủ giờ" in engineer.post(hours, page, **{"from-1-1": "07:00"}).text
    assert engineer.post(hours, page, **{"from-6-1": "07:30", "to-6-1": "11:00"}).status_code == 303
    assert rows(settings, "select iso_weekday, starts_at::text from ref.work_segment") == [(6, "07:30:00")]
    assert signed_in("truc").post(hours, "/tai-khoan").status_code == 403


def test_the_history_shows_what_was_said_and_failed_messages_go_out_again(
    settings: Settings, signed_in: Callable[[str], Person]
) -> None:
    engineer = signed_in("kysu")
    (outbox_id,) = rows(settings, "select outbox_id from notify.outbox where channel = 'email' order by created_at")[0]
    run(settings, "update notify.outbox set status = 'failed', lease_until = null, finished_at = now(), "
                  "last_error = '550 no such user' where outbox_id = %s", outbox_id)  # fmt: skip
    text = engineer.text("/thong-bao?trang_thai=failed")
    assert str(outbox_id) in text
    assert "Cần người xem lại" in text
    file = engineer.text(f"/thong-bao/{outbox_id}")
    assert "550 no such user" in file
    assert "Mã sự cố: SC-" in file
    page = f"/thong-bao/{outbox_id}"
    assert signed_in("lanhdao").post(f"{page}/gui-lai", "/tai-khoan").status_code == 403
    assert engineer.post(f"{page}/gui-lai", page).status_code == 303
    assert rows(settings, "select status from notify.outbox where outbox_id = %s", outbox_id) == [("queued",)]
    assert engineer.post(f"{page}/gui-lai", "/tai-khoan").status_code == 422
    (incident,) = rows(settings, "select incident_ids[1] from notify.outbox where outbox_id = %s", outbox_id)[0]
    assert str(outbox_id) in engineer.text(f"/thong-bao?su_co=SC-{incident.hex[:8].upper()}&kenh=email")
    assert str(outbox_id) not in engineer.text("/thong-bao?su_co=SC-00000000")
    assert engineer.get("/thong-bao/khong-co").status_code == 404


def test_an_officer_sees_messages_of_the_own_unit_only(settings: Settings, signed_in: Callable[[str], Person]) -> None:
    run(settings, "update portal.account set unit_code = 'SYT' where username = 'truc'")
    officer = signed_in("truc")
    assert "Không có thông báo nào" in officer.text("/thong-bao")
    (outbox_id,) = rows(settings, "select outbox_id from notify.outbox where incident_ids <> '{}' limit 1")[0]
    assert officer.get(f"/thong-bao/{outbox_id}").status_code == 404


def test_a_template_is_drafted_tried_and_approved_by_somebody_else(
    settings: Settings, signed_in: Callable[[str], Person]
) -> None:
    engineer, admin = signed_in("kysu"), signed_in("quantri")
    page = "/mau-tin/moi?ma=notice&kenh=sms"
    given = {"code": "notice", "channel": "sms", "registered_text": "IOC: {noi_dung}. Ma {ma}", "segment_limit": "2"}
    draft = engineer.post("/mau-tin", page, **given, body="IOC: {{ top.text }}. Ma {{ ref }}").headers["location"]
    text = engineer.text(draft)
    assert "Với nội dung dài nhất" in text
    assert "người soạn không tự phê duyệt" in text
    assert engineer.post(f"{draft}/phe-duyet", page).status_code == 422
    assert admin.post(f"{draft}/phe-duyet", draft).status_code == 303
    assert "đang dùng" in admin.text(draft)
    assert rows(settings, "select version, status from notify.template where (code, channel) = ('notice', 'sms') "
                          "order by version") == [(1, "retired"), (2, "approved")]  # fmt: skip
    long = engineer.post("/mau-tin", page, **given, body="IOC: {{ top.text }} {{ top.text }}. Ma {{ ref }}")
    text = admin.text(long.headers["location"])
    assert "Với nội dung dài nhất, tin chiếm 4 tin SMS" in text
    refused = admin.post(f"{long.headers['location']}/phe-duyet", "/tai-khoan")
    assert refused.status_code == 422
    (incident,) = rows(settings, "select incident_id from alert.incident limit 1")[0]
    assert "SC-" in admin.text(f"{draft}?su_co={incident}")
