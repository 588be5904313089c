"""Procedures in the portal: read by everybody, written by engineers, put in force by a leader."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

import pytest

from alerts import procedures
from ioc import warehouse
from tests.integration.portal.test_pages import words

if TYPE_CHECKING:
    from collections.abc import Callable

    from ioc.settings import Settings
    from tests.integration.portal.conftest import Person

PAGE = "/quy-trinh"


def content_of(person: Person, path: str) -> str:
    found = re.search(r'<textarea id="content"[^>]*>(.*?)</textarea>', person.text(path), re.DOTALL)
    assert found, path
    return unescape(found[1])


def template_id(person: Person, path: str) -> str:
    found = re.search(r'name="template_id" value="(\d+)"', person.text(path))
    assert found, path
    return found[1]


def test_everybody_reads_procedures_with_their_steps_and_escalation(signed_in: Callable[[str], Person]) -> None:
    person = signed_in("truc")
    page = words(person.text(PAGE))
    assert page.count("Phiên bản 1 đang hiệu lực") == len(procedures.list_templates(person.settings))
    assert "Quy trình mới" not in page
    page = words(person.text(f"{PAGE}/khong-khi-xau"))
    assert "1. Kiểm tra số liệu và tình trạng trạm 30 phút" in page
    assert "Chỉ khi : outcome(" in page or "Chỉ khi: outcome(" in page
    assert "Kết quả: Số liệu đúng / Lỗi thiết bị" in page
    assert "10 phút chưa ai nhận cảnh báo Trực ban" in page
    assert "mỗi 1 giờ" in page
    assert person.get(f"{PAGE}/khong-co").status_code == 404
    assert person.get(f"{PAGE}/khong-khi-xau?ban=9").status_code == 404
    person.get("/ngon-ngu/en")
    assert "Check the data and the station" in person.text(f"{PAGE}/khong-khi-xau")


def test_every_seeded_procedure_comes_back_from_its_text_unchanged(
    signed_in: Callable[[str], Person], settings: Settings
) -> None:
    engineer = signed_in("kysu")
    for one in procedures.list_templates(settings):
        text = content_of(engineer, f"{PAGE}/soan?ma={one.code}")
        answer = engineer.post(f"{PAGE}/soan", "/tai-khoan", content=text, act="save")
        assert answer.status_code == 303, words(answer.text)
        again = procedures.template(one.code, one.version + 1, settings)
        assert (again.steps, again.chain, again.title_vi) == (one.steps, one.chain, one.title_vi)
        procedures.discard_template(again.template_id, "kysu", settings)


def test_a_new_version_is_checked_drafted_changed_and_approved_by_a_leader(
    signed_in: Callable[[str], Person], settings: Settings
) -> None:
    engineer, leader = signed_in("kysu"), signed_in("lanhdao")
    path = f"{PAGE}/nguong-dich"
    text = content_of(engineer, f"{PAGE}/soan?ma=nguong-dich")
    text = re.sub(r"(?m)^reason: .*(\n  .*)*", "reason: Rút ngắn thời hạn", text)
    broken = text.replace("unit: rule_owner", "unit: fixed:KHONGCO", 1)
    answer = engineer.post(f"{PAGE}/soan", "/tai-khoan", content=broken, act="check")
    assert answer.status_code == 422
    assert "không có đơn vị “KHONGCO”" in words(answer.text)
    assert "fixed:KHONGCO" in answer.text, "the text comes back as it was written"
    answer = engineer.post(f"{PAGE}/soan", "/tai-khoan", content=text, act="check")
    assert "Văn bản không có lỗi. Chưa lưu." in answer.text
    answer = engineer.post(f"{PAGE}/soan", "/tai-khoan", content=text, act="save")
    assert answer.headers["location"] == f"{path}?ban=2"
    draft = f"{path}?ban=2"
    # The author goes on writing: the draft is replaced, not doubled.
    form = engineer.text(f"{PAGE}/soan?ma=nguong-dich&ban=2")
    replaces = re.search(r'name="replaces" value="(\d+)"', form)
    assert replaces
    changed = text.replace("Rút ngắn thời hạn", "Rút ngắn thời hạn, bản hai")
    answer = engineer.post(f"{PAGE}/soan", "/tai-khoan", content=changed, act="save", replaces=replaces[1])
    assert answer.headers["location"] == draft
    assert "Rút ngắn thời hạn, bản hai" in engineer.text(draft)
    stale = engineer.post(f"{PAGE}/soan", "/tai-khoan", content=changed, act="save", replaces=replaces[1])
    assert stale.status_code == 422, "what was replaced is not there to be replaced again"
    assert "1 quy trình chờ duyệt" in words(leader.text("/dieu-hanh"))

    number = template_id(leader, draft)
    assert engineer.post(f"{path}/duyet", "/tai-khoan", template_id=number).status_code == 403
    assert leader.post(f"{path}/duyet", draft, template_id=number).status_code == 303
    assert procedures.template("nguong-dich", None, settings).version == 2
    assert "đã thay thế" in words(leader.text(f"{path}?ban=1"))
    assert leader.post(f"{path}/duyet", "/tai-khoan", template_id=number).status_code == 422
    with warehouse.connect("owner", settings) as connection:
        acts = connection.execute(
            "select actor, action from audit.event where object_id = 'nguong-dich' order by event_id desc limit 3"
        ).fetchall()
    assert acts[::-1] == [
        ("kysu", "procedure.drafted"), ("kysu", "procedure.drafted"), ("lanhdao", "procedure.approved"),
    ]  # fmt: skip


def test_a_draft_is_thrown_away_by_its_author_or_a_leader(signed_in: Callable[[str], Person]) -> None:
    engineer, other = signed_in("kysu"), signed_in("quantri")
    text = content_of(engineer, f"{PAGE}/soan").replace("code: ", "code: moi-", 1)
    answer = engineer.post(f"{PAGE}/soan", "/tai-khoan", content=text, act="save")
    page = answer.headers["location"]
    path = page.partition("?")[0]
    number = template_id(engineer, page)
    assert other.post(f"{path}/bo", "/tai-khoan", template_id=number).status_code == 404
    assert "replaces" not in other.text(f"{PAGE}/soan?ma={path.rpartition('/')[2]}&ban=1")
    assert engineer.post(f"{path}/bo", page, template_id=number).headers["location"] == PAGE
    assert engineer.get(path).status_code == 404


@pytest.mark.parametrize(
    "text", ["", "a: [", "- 1", "code: x", "code: &a [*a]", "x" * 70_000, "steps: {a: 1}\ncode: 5", "\x00"]
)
def test_a_text_that_is_no_procedure_is_refused(signed_in: Callable[[str], Person], text: str) -> None:
    assert signed_in("kysu").post(f"{PAGE}/soan", "/tai-khoan", content=text, act="save").status_code == 422


def test_an_escalation_chain_is_changed_for_new_cases(signed_in: Callable[[str], Person], settings: Settings) -> None:
    engineer = signed_in("kysu")
    path = f"{PAGE}/chuoi/thong-thuong"
    text = content_of(engineer, path)
    before = procedures.list_chains(settings)["thong-thuong"]
    assert engineer.post(path, path, content=text).status_code == 303
    assert procedures.list_chains(settings)["thong-thuong"] == before, "its own text changes nothing"
    for bad, said in (
        (text.replace("30 minutes", "soon", 1), "hãy viết như"),
        (text.replace("web", "bo-cau", 1), "không có kênh “bo-cau”"),
        (text.replace("- after", "- calendar: am_lich\n  after", 1), "không có lịch làm việc “am_lich”"),
        ("- 1", "phải là một khối"),
        ("a: 1", "danh sách các bước"),
        ("[", "không phải YAML"),
        ("[]", "ít nhất một bước"),
    ):  # fmt: skip
        answer = engineer.post(path, path, content=bad)
        assert (answer.status_code, said in words(answer.text)) == (422, True), said
    assert procedures.list_chains(settings)["thong-thuong"] == before
    assert engineer.post(path, path, content=text.replace("30 minutes", "45 minutes", 1)).status_code == 303
    assert "45 phút chưa ai nhận cảnh báo" in words(engineer.text(path))
    assert signed_in("truc").post(path, "/tai-khoan", content=text).status_code == 403
    assert engineer.get(f"{PAGE}/chuoi/khong-co").status_code == 404


def test_writing_is_for_engineers_and_administrators(signed_in: Callable[[str], Person], anybody: Person) -> None:
    assert anybody.get(PAGE).status_code == 303
    for user in ("lanhdao", "truc"):
        person = signed_in(user)
        assert person.get(f"{PAGE}/soan").status_code == 403
        assert person.post(f"{PAGE}/soan", "/tai-khoan", content="x").status_code == 403
        assert 'name="content"' not in person.text(f"{PAGE}/chuoi/khan-cap")
