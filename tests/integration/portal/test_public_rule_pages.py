"""What citizens are told of a rule is proposed by one person, decided on by another, and then published."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psycopg
import pytest

from alerts.notifying import public
from ioc import warehouse
from tests.integration.portal.test_pages import words

if TYPE_CHECKING:
    from collections.abc import Callable

    from ioc.settings import Settings
    from tests.integration.portal.conftest import Person

RULE = "/quy-tac/air_quality.aqi_h"
PATH = f"{RULE}/cong-dan"
CONTENT = {
    "is_enabled": "yes", "min_level": "1", "category": "Env", "radius_km": "2,5", "event_vi": "Không khí ô nhiễm",
    "event_en": "Bad air", "headline_vi": "{{ label }} tại {{ entity }}", "headline_en": "{{ label }} at {{ entity }}",
    "response1": "Avoid", "advice_vi1": "Đeo khẩu trang.", "advice_en1": "Wear a mask.", "reason": "Mùa đốt rơm rạ",
}  # fmt: skip


def proposal_on(person: Person) -> str:
    page = person.text(PATH)
    return page.split('name="proposal" value="')[1].split('"')[0]


def told(settings: Settings) -> tuple[int, str]:
    with warehouse.connect("owner", settings) as connection:
        row = connection.execute(
            "select min_level, event_vi from alert.public_rule where rule_code = 'air_quality.aqi_h'"
        ).fetchone()
    assert row is not None
    return row


def test_citizens_are_told_what_a_second_person_approved(
    signed_in: Callable[[str], Person], settings: Settings
) -> None:
    engineer, leader = signed_in("kysu"), signed_in("lanhdao")
    assert "Người dân được báo từ cấp 2." in words(engineer.text(RULE))
    before = told(settings)
    assert engineer.post(PATH, PATH, **CONTENT).status_code == 303
    assert told(settings) == before, "a proposal changes nothing"
    page = words(leader.text(PATH))
    assert "Đề nghị chờ quyết định" in page
    assert "Xấu tại Trạm số 1" in page, "the headline as it would read"
    assert engineer.post(f"{PATH}/duyet", PATH, proposal=proposal_on(engineer)).status_code == 403
    assert "đang chờ quyết định" in engineer.post(PATH, PATH, **CONTENT).text, "one proposal at a time"
    assert leader.post(f"{PATH}/duyet", PATH, proposal=proposal_on(leader)).status_code == 303
    assert told(settings) == (1, "Không khí ô nhiễm")
    page = words(leader.text(RULE))
    assert "Người dân được báo từ cấp 1." in page
    assert "lanhdao phê duyệt thông báo cho người dân" in page
    with warehouse.connect("owner", settings) as connection:
        connection.execute("update alerting.entity set is_public = true where entity_id = 'TH_HACTHANH'")
    with warehouse.connect("alerts", settings) as connection:
        assert public.publish_in(connection, datetime.now(UTC), settings) == 1
    (message,) = public.active(settings)
    assert (message.level, message.content["event_vi"]) == (1, "Không khí ô nhiễm")
    assert message.content["advice_en"] == "Wear a mask."


def test_a_proposal_can_be_sent_back_with_a_reason_or_taken_back(
    signed_in: Callable[[str], Person], settings: Settings
) -> None:
    engineer, leader = signed_in("kysu"), signed_in("lanhdao")
    before = told(settings)
    changed = CONTENT | {
        "min_level": "3",
        "response3": "Shelter",
        "advice_vi3": "Ở trong nhà.",
        "advice_en3": "Stay in.",
        "reason": "Thử",
    }
    assert engineer.post(PATH, PATH, **changed).status_code == 303
    refused = leader.post(f"{PATH}/tra-lai", PATH, proposal=proposal_on(leader), reason=" ")
    assert "Cần nêu lý do từ chối." in refused.text
    number = proposal_on(leader)
    assert leader.post(f"{PATH}/tra-lai", PATH, proposal=number, reason="Chưa đủ căn cứ").status_code == 303
    assert "“Chưa đủ căn cứ”" in words(engineer.text(RULE))
    assert "không còn chờ quyết định" in leader.post(f"{PATH}/duyet", "/tai-khoan", proposal=number).text
    assert engineer.post(PATH, PATH, **changed).status_code == 303
    other = signed_in("quantri")
    assert other.post(f"{PATH}/rut", "/tai-khoan", proposal=proposal_on(engineer)).status_code == 404
    assert engineer.post(f"{PATH}/rut", PATH, proposal=proposal_on(engineer)).status_code == 303
    assert "Đề nghị chờ quyết định" not in leader.text(PATH)
    assert told(settings) == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"headline_vi": "{{ nothing }}"}, "Câu tiêu đề không dùng được"),
        ({"headline_en": "{{"}, "Câu tiêu đề không dùng được"),
        ({"event_en": " "}, "Tên sự việc: cần cả tiếng Việt và tiếng Anh."),
        ({"advice_vi1": "", "advice_en1": ""}, "Cần lời khuyên cho người dân ngay từ cấp 1."),
        ({"advice_en1": ""}, "Lời khuyên từ cấp 1: cần cả tiếng Việt và tiếng Anh."),
        ({"radius_km": "xa"}, "Bán kính phải từ 0 đến 500 km."),
        ({"radius_km": "nan"}, "Bán kính phải từ 0 đến 500 km."),
        ({"category": "X"}, "Hãy chọn loại sự việc."),
        ({"min_level": "9"}, "phải từ 1 đến 4"),
        ({"reason": ""}, "Cần nêu lý do."),
    ],
)
def test_a_faulty_proposal_comes_back_as_it_was_typed(
    signed_in: Callable[[str], Person], change: dict[str, str], said: str
) -> None:
    answer = signed_in("kysu").post(PATH, PATH, **CONTENT | change)
    assert answer.status_code == 422
    assert said in words(answer.text)
    assert "Đề nghị chờ quyết định" not in answer.text
    if change.get("reason") is None:
        assert "Mùa đốt rơm rạ" in answer.text


def test_who_may_do_what(signed_in: Callable[[str], Person], anybody: Person) -> None:
    assert anybody.get(PATH).status_code == 303
    for user in ("lanhdao", "truc"):
        person = signed_in(user)
        assert "Đề nghị thay đổi" not in person.text(PATH)
        assert person.post(PATH, "/tai-khoan", **CONTENT).status_code == 403
    assert signed_in("truc").post(f"{PATH}/duyet", "/tai-khoan", proposal="1").status_code == 403
    assert signed_in("kysu").get("/quy-tac/khong-co/cong-dan").status_code == 404


def test_the_portals_role_cannot_write_what_citizens_are_told(settings: Settings, app: object) -> None:  # noqa: ARG001
    for statement in (
        "update alert.public_rule set min_level = 4",
        "insert into alert.public_advice values ('air_quality.aqi_h', 4, 'Avoid', '', '')",
        "update alert.public_proposal set status = 'approved', decided_by = 'x', decided_at = now()",
    ):
        with (
            pytest.raises(psycopg.errors.InsufficientPrivilege),
            warehouse.connect("portal", settings) as connection,
        ):
            connection.execute(statement)
    with warehouse.connect("portal", settings) as connection:
        row = connection.execute(
            "insert into alert.public_proposal (rule_code, content, reason, author, created_at) "
            "values ('x.y', '{}', 'thử', 'kysu', now()) returning proposal_id"
        ).fetchone()
        assert row is not None
        with pytest.raises(psycopg.errors.CheckViolation):
            connection.execute("select alert.decide_public(%s, true, 'kysu', '', now())", row)
