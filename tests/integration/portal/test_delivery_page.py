"""The operators' page: what is wrong is seen, limits are changed, partners' systems are added and switched off."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from alerts.channels.webhook import signing_key
from ioc import warehouse
from tests.integration.portal.test_pages import words

if TYPE_CHECKING:
    from collections.abc import Callable

    from ioc.settings import Settings
    from tests.integration.portal.conftest import Person

PAGE = "/van-hanh"


def rows(settings: Settings, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with warehouse.connect("owner", settings) as connection:
        return connection.execute(query, values).fetchall()  # type: ignore[arg-type]


def run(settings: Settings, statement: str, *values: Any) -> None:
    with warehouse.connect("owner", settings) as connection:
        connection.execute(statement, values)  # type: ignore[arg-type]


def message(settings: Settings, key: str, status: str, error: str | None = None) -> None:
    """An SMS in the outbox, twenty minutes old, to the officer on duty."""
    with warehouse.connect("owner", settings) as connection:
        connection.execute(
            """
            insert into notify.outbox (outbox_id, dedupe_key, contact_id, channel, address, level, subject, body,
                status, gateway, last_error, attempt_count, finished_at, not_before, created_at)
            select md5(%(key)s)::uuid, %(key)s, contact_id, 'sms', '84900000003', 2, 'Tin thử', 'Tin thử', %(status)s,
                'esms', %(error)s, 1, case when %(status)s = 'failed' then clock_timestamp() end,
                clock_timestamp() - interval '20 minutes', clock_timestamp() - interval '20 minutes'
            from ref.contact where code = 'truc-snnmt'
            """,
            {"key": key, "status": status, "error": error},
        )


@pytest.fixture(autouse=True)
def _clean(settings: Settings, app: object) -> None:  # noqa: ARG001
    """The module's warehouse is shared."""
    run(settings, "delete from notify.outbox where dedupe_key like 'page|%%'")
    run(settings, "delete from notify.gateway_state")
    run(settings, "delete from notify.webhook_endpoint")


def test_what_is_wrong_with_delivery_is_on_one_page(signed_in: Callable[[str], Person], settings: Settings) -> None:
    engineer = signed_in("kysu")
    calm = words(engineer.text(PAGE))
    assert "7 ngày qua không có tin nào cần người xem lại." in calm
    assert "Đang ngừng nhận tin" not in calm
    for gateway in ("esms", "viettel", "smtp", "push", "webhook", "inbox"):
        assert gateway in calm, "every configured gateway is there"
    assert "Gửi tin bình thường" in words(engineer.text("/dieu-hanh"))

    run(
        settings,
        "insert into notify.gateway_state values ('esms', 'balance', 'CodeResult 103', 4, "
        "clock_timestamp() - interval '2 hours', clock_timestamp() + interval '5 minutes')",
    )
    run(
        settings,
        "insert into notify.receipt_refused values ('esms', 'wrong key', 3, clock_timestamp()) on conflict do nothing",
    )
    run(settings, "update notify.outbox set status = 'dropped' where channel = 'sms' and status = 'queued'")
    message(settings, "page|failed", "failed", "số máy không tồn tại")
    message(settings, "page|queued", "queued")
    page = words(engineer.text(PAGE))
    assert "esms tin nhắn Đang ngừng nhận tin hết số dư" in page
    assert "CodeResult 103" in page
    assert "Đã hỏng 4 lần liên tiếp" in page
    assert "2 giờ trước" in page
    assert re.search(r"tin nhắn 1 20 phút trước 0 0 0 1", page), "waiting, oldest, held, being sent, sent, not sent"
    assert "Không gửi được" in page
    assert "số máy không tồn tại" in page
    assert "esms wrong key 3" in page
    assert "1 tin liên tiếp không tới qua tin nhắn" in page, "people whom messages no longer reach"
    assert "2 việc cần người xem" in words(engineer.text("/dieu-hanh"))
    engineer.get("/ngon-ngu/en")
    assert "Takes no messages no balance" in words(engineer.text(PAGE))


def test_the_month_shows_what_it_has_used(signed_in: Callable[[str], Person], settings: Settings) -> None:
    with warehouse.connect("owner", settings) as connection:
        connection.execute("delete from notify.bucket where scope = 'month'")
        connection.execute(
            "insert into notify.bucket values ('month', 'sms|' || to_char(clock_timestamp() at time zone "
            "'Asia/Ho_Chi_Minh', 'YYYY-MM') || '|parts', 20000, 0, 3500, clock_timestamp())"
        )
    page = words(signed_in("kysu").text(PAGE))
    assert "Đã dùng 16.500 trên 20.000 phần tin nhắn (82 %) sắp hết" in page


def test_a_limit_is_changed_and_written_down(signed_in: Callable[[str], Person], settings: Settings) -> None:
    engineer = signed_in("kysu")
    form = {"scope": "contact", "channel": "sms", "name": "hour"}
    path = f"{PAGE}/han-muc"
    for wrong, said in (
        ({"capacity": "0", "length": "1", "unit": "3600"}, "Số tin phải lớn hơn 0"),
        ({"capacity": "nhiều", "length": "1", "unit": "3600"}, "Số tin phải là số nguyên."),
        ({"capacity": "8", "length": "0", "unit": "3600"}, "từ 1 giây đến 31 ngày"),
        ({"capacity": "8", "length": "99", "unit": "86400"}, "từ 1 giây đến 31 ngày"),
        ({"capacity": "8", "length": "1", "unit": "3600", "name": "năm"}, "Không có hạn mức này."),
    ):
        answer = engineer.post(path, PAGE, **form | wrong)
        assert (answer.status_code, said in words(answer.text)) == (422, True), wrong
    assert engineer.post(path, PAGE, **form, capacity="8", length="2", unit="3600").status_code == 303
    assert "8 tin trong 2 giờ" in words(engineer.text(PAGE))
    ((detail,),) = rows(settings, "select detail from audit.event where action = 'limit.changed'")
    assert detail == {"from": ["6", "1:00:00"], "to": ["8", "2:00:00"]}


def test_a_partners_system_is_added_its_key_shown_once_and_switched_off(
    signed_in: Callable[[str], Person], settings: Settings
) -> None:
    engineer, other = signed_in("kysu"), signed_in("quantri")
    answer = engineer.post(f"{PAGE}/webhook", PAGE, contact="truc-snnmt", url="https://doi-tac.example.vn/nhan")
    assert answer.headers["location"] == f"{PAGE}#webhook"
    ((number,),) = rows(settings, "select endpoint_id from notify.webhook_endpoint")
    key = signing_key(settings, number)
    assert "khóa chưa giao" in words(engineer.text(PAGE))
    assert key not in engineer.text(PAGE)
    path = f"{PAGE}/webhook/{number}"
    assert key in engineer.post(f"{path}/khoa", PAGE).text
    assert key in engineer.post(f"{path}/khoa", PAGE).text, "a double click does not lose it"
    again = other.post(f"{path}/khoa", PAGE)
    assert again.status_code == 422
    assert key not in again.text, "once is once"
    run(settings, "update notify.webhook_endpoint set key_shown_at = key_shown_at - interval '1 hour'")
    assert engineer.post(f"{path}/khoa", PAGE).status_code == 422
    assert other.post(f"{path}/khoa-moi", PAGE).status_code == 303
    fresh = signing_key(settings, number, 2)
    assert fresh in other.post(f"{path}/khoa", PAGE).text
    assert engineer.post(f"{path}/trang-thai", PAGE, enabled="false").status_code == 303
    assert rows(settings, "select is_enabled from notify.webhook_endpoint") == [(False,)]
    assert rows(settings, "select count(*) from notify.address where channel = 'webhook'") == [(0,)]
    acts = rows(settings, "select action from audit.event where object_type = 'webhook' order by event_id")
    assert [act for (act,) in acts] == [
        "webhook.added", "webhook.key_shown", "webhook.key_made", "webhook.key_shown", "webhook.disabled",
    ]  # fmt: skip
    ((events,),) = rows(settings, "select string_agg(detail::text, ' ') from audit.event")
    assert key not in events
    assert fresh not in events


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://doi-tac.example.vn/nhan", "phải dùng https://"),
        ("http://10.0.0.7/nhan", "mạng nội bộ"),
        ("https://127.0.0.1/nhan", "mạng nội bộ"),
        ("https://ten:matkhau@doi-tac.example.vn/", "tên, mật khẩu"),
        ("ftp://doi-tac.example.vn/", "dạng https://"),
        ("https://", "dạng https://"),
        ("https://[::1", "dạng https://"),
    ],
)
def test_an_address_that_messages_may_not_go_to_is_refused(
    signed_in: Callable[[str], Person], settings: Settings, url: str, said: str
) -> None:
    answer = signed_in("kysu").post(f"{PAGE}/webhook", PAGE, contact="truc-snnmt", url=url)
    assert answer.status_code == 422
    assert said in words(answer.text)
    assert rows(settings, "select count(*) from notify.webhook_endpoint") == [(0,)]


def test_the_page_is_for_those_who_run_the_system(signed_in: Callable[[str], Person], anybody: Person) -> None:
    assert anybody.get(PAGE).status_code == 303
    for user in ("lanhdao", "truc"):
        person = signed_in(user)
        assert person.get(PAGE).status_code == 403
        assert not re.search(f'href="{PAGE}"', person.text("/dieu-hanh"))
        for path in ("/han-muc", "/webhook", "/webhook/1/trang-thai", "/webhook/1/khoa", "/webhook/1/khoa-moi"):
            assert person.post(f"{PAGE}{path}", "/tai-khoan", enabled="true").status_code == 403
    assert f'href="{PAGE}"' in signed_in("quantri").text("/dieu-hanh")
