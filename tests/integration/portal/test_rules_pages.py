"""Rules in the portal: an engineer drafts, a leader approves, and everybody can read what is in force and why."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

import pytest

from ioc import warehouse
from tests.integration.portal.test_pages import words

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from ioc.settings import Settings
    from tests.integration.portal.conftest import Person

PATH = "/quy-tac/air_quality.aqi_h"
DISCHARGE = "/quy-tac/industrial_discharge.limit_ratio"


@pytest.fixture(autouse=True)
def _rules_as_loaded(settings: Settings, app: object) -> None:  # noqa: ARG001
    """The module's warehouse is shared: what a test did to the rules is taken back, as only the owner can."""
    with warehouse.connect("owner", settings) as connection:
        connection.execute("alter table alert.rule_version disable trigger user")
        connection.execute("alter table alert.threshold disable trigger user")
        connection.execute(
            "delete from alert.threshold using alert.rule_version v "
            "where v.rule_version_id = threshold.rule_version_id and v.version > 1"
        )
        connection.execute("delete from alert.rule_version where version > 1")
        connection.execute("update alert.rule_version set effective = tstzrange(lower(effective), null)")
        connection.execute("alter table alert.rule_version enable trigger user")
        connection.execute("alter table alert.threshold enable trigger user")
        connection.execute("update alert.rule set is_enabled = true")


def fields_of(html: str) -> dict[str, list[str]]:
    """What the form of a rule holds, by field."""
    html = html[html.index('<form class="rule-form"') :]
    fields: dict[str, list[str]] = {}
    found = re.finditer(
        r'<input [^>]*?name="(?P<input>\w+)"(?P<rest>[^>]*)>'
        r'|<textarea [^>]*?name="(?P<area>\w+)"[^>]*>(?P<text>.*?)</textarea>'
        r'|<select [^>]*?name="(?P<select>\w+)"[^>]*>(?P<options>.*?)</select>',
        html,
        re.DOTALL,
    )
    for field in found:
        if field["input"]:
            value = re.search(r'value="([^"]*)"', field[0])
            if 'type="checkbox"' in field[0] and "checked" not in field[0]:
                continue
            fields.setdefault(field["input"], []).append(unescape(value[1]) if value else "")
        elif field["area"]:
            fields.setdefault(field["area"], []).append(unescape(field["text"]))
        else:
            options = list(re.finditer(r'<option(?: value="([^"]*)")?( selected)?>([^<]*)', field["options"]))
            chosen = next((option for option in options if option[2]), options[0])
            fields.setdefault(field["select"], []).append(unescape(chosen[3] if chosen[1] is None else chosen[1]))
    return fields


class Writer:
    """Somebody at the form of a rule, as a browser would fill it in."""

    def __init__(self, person: Person, path: str = PATH) -> None:
        self.person, self.path = person, path

    def begin(self) -> httpx.Response:
        return self.person.post(f"{self.path}/nhap", self.path)

    def form(self) -> dict[str, list[str]]:
        """What the form holds, by field."""
        return fields_of(self.person.text(f"{self.path}/soan"))

    def save(self, **changes: str | list[str]) -> httpx.Response:
        fields = self.form() | {"reason": ["Bớt báo động nhẹ"]}
        fields |= {name: [value] if isinstance(value, str) else value for name, value in changes.items()}
        return self.person.browser.post(f"{self.path}/soan", data=fields)

    def press(self, action: str, **fields: str) -> httpx.Response:
        """Press the button of ``action`` on the rule's page."""
        html = self.person.text(self.path)
        found = re.search(
            rf'action="{re.escape(self.path)}/{action}".*?name="version_id" value="(\d+)"', html, re.DOTALL
        )
        assert found, f"no button for {action}"
        return self.person.post(f"{self.path}/{action}", self.path, version_id=found[1], **fields)


TESTS = """rule: air_quality.aqi_h
tests:
  - name: Từ 120 là cấp 1
    start: 2026-03-06T01:00:00+07:00
    interval: 1 hour
    series: [{values: "119 120 121"}]
    transitions: [{at: 1 hour, to: 1}]
"""


def test_the_list_shows_every_rule_by_domain_with_what_is_in_force(signed_in: Callable[[str], Person]) -> None:
    for user in ("lanhdao", "truc", "kysu"):
        page = words(signed_in(user).text("/quy-tac"))
        assert "Chất lượng không khí (AQI giờ) air_quality.aqi_h · Sở Nông nghiệp và Môi trường" in page
        assert "Xả thải vượt giới hạn cho phép" in page
        assert page.count("Phiên bản 1 đang hiệu lực") >= 4
        assert "3 sự cố đang mở" in page


def test_a_visitor_does_not_see_rules(anybody: Person) -> None:
    assert anybody.get("/quy-tac").status_code == 303
    assert anybody.get(PATH).status_code == 303


def test_a_rule_shows_its_thresholds_as_people_read_them(signed_in: Callable[[str], Person]) -> None:
    page = words(signed_in("truc").text(PATH))
    assert "Cấp 2 Xấu ≥ 151 ngay &lt; 141 1 giờ" in page
    assert "QĐ 1459/QĐ-TCMT" in page
    assert "3 giờ · 12 giờ" in page
    assert "khong-khi-xau · từ cấp 2" in page
    page = words(signed_in("truc").text(DISCHARGE))
    assert "Cấp 1 Vượt giới hạn &gt; 1 15 phút &lt; 0,95 15 phút" in page
    assert "Cấp 2 Vượt từ 1,5 lần ≥ 1,5 15 phút &lt; 1,425 15 phút" in page
    assert signed_in("truc").get("/quy-tac/nothing").status_code == 404
    assert signed_in("truc").get(f"{PATH}/phien-ban/9").status_code == 404


def test_an_engineer_drafts_and_a_leader_approves(signed_in: Callable[[str], Person]) -> None:
    engineer, leader = signed_in("kysu"), signed_in("lanhdao")
    writer, decider = Writer(engineer), Writer(leader)
    assert writer.begin().headers["location"] == f"{PATH}/soan"
    form = writer.form()
    assert form["t_enter"] == ["101", "151", "201", "301", "", ""]
    assert form["t_keep"][:2] == ["1 giờ", "1 giờ"]
    assert writer.save(t_enter=["120", *form["t_enter"][1:]], t_exit=["115", *form["t_exit"][1:]], tests=TESTS,
                       max_gap="2 giờ 30 phút").headers["location"] == f"{PATH}#ban-nhap"  # fmt: skip
    page = words(engineer.text(PATH))
    assert "Cấp 1 · Toàn tỉnh ≥ 101 · ra &lt; 91 · giữ 1 giờ · Kém ≥ 120 · ra &lt; 115 · giữ 1 giờ · Kém" in page
    assert "Khoảng trống tối đa 3 giờ 2 giờ 30 phút" in page
    refused = writer.press("trinh")
    assert refused.status_code == 422
    assert "Bài thử chưa chạy hoặc chưa đạt" in refused.text
    assert "Chưa chạy thử trên số liệu 90 ngày" in refused.text

    assert writer.press("thu").status_code == 303
    assert writer.press("chay-thu").status_code == 303
    page = words(engineer.text(PATH))
    assert "1 bài thử đều đạt." in page
    assert re.search(r"90 ngày qua đã có thể báo \d+ lần, tại \d+ đơn vị\. Phiên bản đang dùng: 4 lần", page)
    assert "Khu kinh tế Nghi Sơn" in page
    assert "Phê duyệt</button>" not in engineer.text(PATH)
    assert writer.press("trinh").status_code == 303
    assert "chờ lãnh đạo phê duyệt" in engineer.text(PATH)
    assert "Chờ phê duyệt" in words(leader.text("/quy-tac"))

    assert decider.press("duyet").status_code == 303
    page = words(leader.text(PATH))
    assert "Phiên bản 2 đang hiệu lực" in page
    assert "Cấp 1 Kém ≥ 120 ngay &lt; 115 1 giờ" in page
    assert "lanhdao phê duyệt: “Bớt báo động nhẹ”" in page
    assert "1 bài thử đều đạt." in words(leader.text(f"{PATH}/phien-ban/2"))
    assert "từ tệp" not in page


def test_a_leader_turns_a_draft_down_with_a_reason(signed_in: Callable[[str], Person]) -> None:
    engineer, leader = signed_in("kysu"), signed_in("lanhdao")
    writer = Writer(engineer)
    writer.begin()
    writer.save(legal_basis="Văn bản khác")
    for action in ("thu", "chay-thu", "trinh"):
        assert writer.press(action).status_code == 303
    decider = Writer(leader)
    assert decider.press("tra-lai", reason=" ").status_code == 422
    assert decider.press("tra-lai", reason="Chưa đủ căn cứ").status_code == 303
    page = words(leader.text(PATH))
    assert "Bị trả lại" in page
    assert "Chưa đủ căn cứ" in page
    assert "Phiên bản 1 đang hiệu lực" in page
    assert "copy_of" not in leader.text(f"{PATH}/phien-ban/2")
    assert 'name="copy_of" value="2"' in engineer.text(f"{PATH}/phien-ban/2")
    assert engineer.post(f"{PATH}/nhap", f"{PATH}/phien-ban/2", copy_of="2").status_code == 303
    assert writer.form()["legal_basis"] == ["Văn bản khác"]


def test_each_role_does_its_own_part_only(signed_in: Callable[[str], Person]) -> None:
    engineer, leader, officer = signed_in("kysu"), signed_in("lanhdao"), signed_in("truc")
    for person in (leader, officer):
        assert person.get(f"{PATH}/soan").status_code == 403
        for action in ("nhap", "soan", "thu", "chay-thu", "trinh", "bo"):
            assert person.post(f"{PATH}/{action}", "/tai-khoan", version_id="1").status_code == 403, action
        assert person.post(f"{PATH}/trang-thai", "/tai-khoan", enabled="false", reason="x").status_code == 403
        assert "Soạn phiên bản mới" not in person.text(PATH)
        assert "Tắt quy tắc" not in person.text(PATH)
    for person in (engineer, officer):
        for action in ("duyet", "tra-lai"):
            assert person.post(f"{PATH}/{action}", "/tai-khoan", version_id="1").status_code == 403, action
    assert engineer.browser.post(f"{PATH}/nhap").status_code == 400, "no form token"


def test_a_form_with_faults_comes_back_as_it_was_filled_in(signed_in: Callable[[str], Person]) -> None:
    writer = Writer(signed_in("kysu"))
    writer.begin()
    answer = writer.save(max_gap="sớm", t_enter=["abc", "151", "201", "301", "", ""], legal_basis="Văn bản mới")
    assert answer.status_code == 422
    page = unescape(answer.text)
    assert "Khoảng trống tối đa: không hiểu “sớm”." in page
    assert "Cấp 1, vào: không hiểu “abc”." in page
    assert 'value="abc"' in page
    assert "Văn bản mới" in page
    answer = writer.save(t_exit=["150", "141", "191", "291", "", ""], owner_unit="XYZ", tests="rule: [")
    page = unescape(answer.text)
    assert "Không có đơn vị “XYZ”" in page
    assert "ngưỡng ra không được cao hơn ngưỡng vào" in page
    answer = writer.save(tests="rule: air_quality.aqi_h\ntests: [{name: A, start: x}]")
    assert "Bài thử “A”" in unescape(answer.text)
    assert "Chưa thay đổi gì." in words(writer.person.text(PATH))


def test_failing_tests_show_what_was_wanted_and_what_came(signed_in: Callable[[str], Person]) -> None:
    writer = Writer(signed_in("kysu"))
    writer.begin()
    writer.save(tests=TESTS)
    assert writer.press("thu").status_code == 303
    page = words(writer.person.text(PATH))
    assert "1 chỗ không đúng mong đợi, trong 1 bài thử." in page
    assert "Từ 120 là cấp 1 cả bài thử các lần chuyển cấp +1 hour to 1 +0 to 1" in page


def test_what_an_author_writes_is_text_not_markup(signed_in: Callable[[str], Person]) -> None:
    writer = Writer(signed_in("kysu"))
    writer.begin()
    nasty = "<script>alert(1)</script>"
    assert writer.save(reason=nasty, legal_basis=nasty, tests=TESTS.replace("Từ 120", nasty)).status_code == 303
    assert writer.press("thu").status_code == 303
    for field, value in (("t_enter", "1e999999"), ("max_gap", "9" * 300 + " ngày"), ("reason", "a\x00b")):
        given = [value] * 6 if field.startswith("t_") else value
        assert writer.save(tests=TESTS.replace("Từ 120", nasty), **{field: given}).status_code in (303, 422), field
    assert writer.save(reason=nasty, legal_basis=nasty, tests=TESTS.replace("Từ 120", nasty)).status_code == 303
    assert writer.press("thu").status_code == 303
    assert writer.person.post(f"{PATH}/thu", PATH, version_id="9" * 30).status_code == 404
    for page in (PATH, f"{PATH}/soan", f"{PATH}/phien-ban/2"):
        assert nasty not in writer.person.text(page)
        assert "&lt;script&gt;" in writer.person.text(page)


def test_a_rule_is_switched_off_and_on_with_a_reason(signed_in: Callable[[str], Person]) -> None:
    engineer = signed_in("kysu")
    assert engineer.post(f"{DISCHARGE}/trang-thai", DISCHARGE, enabled="false", reason="").status_code == 422
    assert engineer.post(f"{DISCHARGE}/trang-thai", DISCHARGE, enabled="false", reason="Chưa có số").status_code == 303
    assert "Đã tắt" in words(engineer.text("/quy-tac"))
    assert "kysu tắt quy tắc: “Chưa có số”" in words(engineer.text(DISCHARGE))
    assert engineer.post(f"{DISCHARGE}/trang-thai", DISCHARGE, enabled="true", reason="Đã có").status_code == 303
    assert "Đã tắt" not in words(engineer.text("/quy-tac"))


def test_a_draft_is_discarded(signed_in: Callable[[str], Person]) -> None:
    writer = Writer(signed_in("kysu"))
    writer.begin()
    assert writer.begin().status_code == 422
    assert writer.press("bo").status_code == 303
    assert writer.person.get(f"{PATH}/soan").status_code == 404


def test_the_pages_are_there_in_english(signed_in: Callable[[str], Person]) -> None:
    engineer = signed_in("kysu")
    engineer.get("/ngon-ngu/en")
    page = words(engineer.text(PATH))
    assert "Level 2 Unhealthy ≥ 151 at once &lt; 141 1 h" in page
    assert "Write a new version" in page
    assert "Alert rules" in words(engineer.text("/quy-tac"))
