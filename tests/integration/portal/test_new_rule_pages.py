"""A wholly new rule in the portal: from a form, from another rule, from a text; in force only by a second person."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ioc import warehouse
from tests.integration.portal.test_pages import words
from tests.integration.portal.test_rules_pages import Writer, fields_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from ioc.settings import Settings
    from tests.integration.portal.conftest import Person

CODE = "air_quality.aqi_night"
PATH = f"/quy-tac/{CODE}"
TESTS = f"""rule: {CODE}
tests:
  - name: Từ 120 là cấp 1
    start: 2026-03-06T01:00:00+07:00
    interval: 1 hour
    series: [{{values: "119 120 121"}}]
    transitions: [{{at: 1 hour, to: 1}}]
"""


@pytest.fixture(autouse=True)
def _no_such_rule(settings: Settings, app: object) -> None:  # noqa: ARG001
    """The module's warehouse is shared: the rule of the test before is taken away, as only the owner can."""
    with warehouse.connect("owner", settings) as connection:
        for table in ("rule_version", "threshold"):
            connection.execute(f"alter table alert.{table} disable trigger user")
        connection.execute(
            "delete from alert.threshold t using alert.rule_version v join alert.rule r using (rule_id) "
            "where v.rule_version_id = t.rule_version_id and r.code = %s",
            (CODE,),
        )
        connection.execute(
            "delete from alert.rule_version v using alert.rule r where r.rule_id = v.rule_id and r.code = %s", (CODE,)
        )
        connection.execute("delete from alert.rule where code = %s", (CODE,))
        for table in ("rule_version", "threshold"):
            connection.execute(f"alter table alert.{table} enable trigger user")


def filled_in(person: Person, **changes: str | list[str]) -> dict[str, list[str]]:
    """The form of a new rule, copied from the one on hourly AQI, with what one would change."""
    fields = fields_of(person.text("/quy-tac/moi?mau=air_quality.aqi_h"))
    fields |= {
        "code": [CODE], "title_vi": ["AQI ban đêm"], "title_en": ["AQI at night"], "reason": ["Theo dõi riêng ban đêm"],
        "tests": [TESTS],
    }  # fmt: skip
    fields["t_enter"][0], fields["t_exit"][0] = "120", "115"
    return fields | {name: [value] if isinstance(value, str) else value for name, value in changes.items()}


def test_a_rule_copied_in_the_form_is_watched_only_after_a_second_person_approved_it(
    signed_in: Callable[[str], Person], settings: Settings
) -> None:
    engineer, leader = signed_in("kysu"), signed_in("lanhdao")
    assert 'href="/quy-tac/moi"' in engineer.text("/quy-tac")
    answer = engineer.browser.post("/quy-tac/moi", data=filled_in(engineer))
    assert answer.status_code == 303, words(answer.text)
    assert answer.headers["location"] == f"{PATH}#ban-nhap"
    page = words(engineer.text(PATH))
    assert "AQI ban đêm" in page
    assert "Chưa có phiên bản nào hiệu lực: đây là phiên bản đầu tiên." in page
    assert "Cấp 1 Kém ≥ 120" in page
    assert "lập quy tắc mới" in page

    writer = Writer(engineer, PATH)
    assert "Bài thử chưa chạy" in words(writer.press("trinh").text), "not before it was tested and dry-run"
    for action in ("thu", "chay-thu", "trinh"):
        assert writer.press(action).status_code == 303, action
    assert engineer.post(f"{PATH}/duyet", "/tai-khoan", version_id="1").status_code == 403, "an author approves nothing"
    assert Writer(leader, PATH).press("duyet").status_code == 303
    assert "Phiên bản 1 đang hiệu lực" in words(leader.text(PATH))
    with warehouse.connect("owner", settings) as connection:
        acts = connection.execute(
            "select actor, action from audit.event where object_id = %s order by event_id desc limit 5", (CODE,)
        ).fetchall()
    assert acts[::-1] == [
        ("kysu", "rule.created"), ("kysu", "rule.tests_run"), ("kysu", "rule.dry_run"), ("kysu", "rule.submitted"),
        ("lanhdao", "rule.approved"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"code": "air_quality.aqi_h"}, "Đã có quy tắc “air_quality.aqi_h”."),
        ({"code": "aqi_night"}, "Mã quy tắc phải bắt đầu bằng “air_quality.”"),
        ({"domain": "weather"}, "Không có lĩnh vực “weather”."),
        ({"signal_code": "air_quality.nothing"}, "Chưa từng có số liệu của tín hiệu “air_quality.nothing”"),
        ({"signal_code": "air_quality.source"}, "Quy tắc về nguồn dữ liệu do hệ thống tự lập"),
        ({"entity_type": "vessel"}, "cho loại đối tượng “vessel”"),
        ({"owner_unit": "KHONGCO"}, "Không có đơn vị “KHONGCO”"),
        ({"t_enter": ["nhiều", "151", "201", "301", "", ""]}, "không hiểu “nhiều”"),
    ],
)
def test_a_faulty_new_rule_comes_back_as_it_was_typed_and_leaves_nothing(
    signed_in: Callable[[str], Person], settings: Settings, change: dict[str, str | list[str]], said: str
) -> None:
    engineer = signed_in("kysu")
    answer = engineer.browser.post("/quy-tac/moi", data=filled_in(engineer, **change))
    assert answer.status_code == 422
    assert said in words(answer.text)
    assert fields_of(answer.text)["title_vi"] == ["AQI ban đêm"]
    with warehouse.connect("owner", settings) as connection:
        assert connection.execute("select count(*) from alert.rule where code = %s", (CODE,)).fetchone() == (0,)


def test_a_rule_written_as_text_is_checked_first_and_thrown_away_whole(signed_in: Callable[[str], Person]) -> None:
    engineer = signed_in("kysu")
    fields = fields_of(engineer.text("/quy-tac/moi-yaml?mau=air_quality.aqi_h"))
    text = fields["document"][0].replace("code: air_quality.aqi_h", f"code: {CODE}", 1)
    fields |= {"document": [text], "tests": [TESTS.replace("119 120 121", "100 102 121")]}
    checked = engineer.browser.post("/quy-tac/moi-yaml", data=fields | {"act": ["check"]})
    assert "Văn bản không có lỗi; 1 bài thử đều đạt. Chưa lưu." in words(checked.text)
    wrong = engineer.browser.post("/quy-tac/moi-yaml", data=fields | {"act": ["check"], "tests": [TESTS]})
    assert "không đúng mong đợi" in words(wrong.text)
    assert engineer.get(PATH).status_code == 404, "a check keeps nothing"
    for bad in ("{", "- code: x", "a: *a", "- 1\n- 2", ""):
        refused = engineer.browser.post("/quy-tac/moi-yaml", data=fields | {"document": [bad], "act": ["save"]})
        assert refused.status_code == 422, bad
        assert "Không đọc được văn bản quy tắc" in refused.text
    saved = engineer.browser.post("/quy-tac/moi-yaml", data=fields | {"act": ["save"]})
    assert saved.headers["location"] == f"{PATH}#ban-nhap"
    # The draft as text again, with another title; its identity cannot be changed there.
    form = fields_of(engineer.text(f"{PATH}/soan-yaml"))
    other = form | {"document": [form["document"][0].replace(f"code: {CODE}", "code: air_quality.x", 1)]}
    assert "không đổi được" in engineer.browser.post(f"{PATH}/soan-yaml", data=other | {"act": ["save"]}).text
    form["document"][0] = form["document"][0].replace("title_vi: Chất", "title_vi: Riêng chất")
    assert engineer.browser.post(f"{PATH}/soan-yaml", data=form | {"act": ["save"]}).status_code == 303
    assert "Riêng chất lượng không khí" in engineer.text(PATH)
    answer = Writer(engineer, PATH).press("bo")
    assert answer.headers["location"] == "/quy-tac"
    assert engineer.get(PATH).status_code == 404, "a rule that never had a version is gone with its draft"


def test_only_engineers_and_administrators_write_rules(signed_in: Callable[[str], Person]) -> None:
    for user in ("lanhdao", "truc"):
        person = signed_in(user)
        assert 'href="/quy-tac/moi"' not in person.text("/quy-tac")
        for path in ("/quy-tac/moi", "/quy-tac/moi-yaml"):
            assert person.get(path).status_code == 403
            assert person.post(path, "/tai-khoan", code=CODE).status_code == 403
    administrator = signed_in("quantri")
    administrator.get("/ngon-ngu/en")
    assert "New rule" in administrator.text("/quy-tac/moi")
    assert "Start from an existing rule" in words(administrator.text("/quy-tac/moi"))
