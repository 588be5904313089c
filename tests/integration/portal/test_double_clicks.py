"""A form that is sent twice is one act, whatever it makes; what is meant twice is done twice."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from ioc import warehouse
from portal.language import ZONE

if TYPE_CHECKING:
    from collections.abc import Callable

    from ioc.settings import Settings
    from tests.integration.portal.conftest import Person


def count(settings: Settings, table: str) -> int:
    with warehouse.connect("owner", settings) as connection:
        row = connection.execute(f"select count(*) from {table}").fetchone()  # type: ignore[arg-type]
    assert row is not None
    return int(row[0])


def hidden(person: Person, page: str) -> dict[str, str]:
    """The hidden fields that every form of a page carries."""
    html = person.text(page)
    return dict(re.findall(r'<input type="hidden" name="(form_token|form_id)" value="([0-9a-f]+)">', html))


def silence(reason: str = "Bảo trì trạm") -> dict[str, str]:
    until = datetime.now(ZONE) + timedelta(hours=4)
    return {"kind": "silence", "reason": reason, "until": until.strftime("%Y-%m-%dT%H:%M"), "max_level": "2"}


@pytest.fixture
def case_page(signed_in: Callable[[str], Person]) -> str:
    """A case opened by hand."""
    leader = signed_in("lanhdao")
    answer = leader.post(
        "/vu-viec/mo", "/vu-viec/mo", template="khong-khi-xau", title="Khói ở bãi rác", level="2", unit="14797"
    )
    return str(answer.headers["location"])


def test_a_double_click_makes_one_silence(signed_in: Callable[[str], Person], settings: Settings) -> None:
    leader = signed_in("lanhdao")
    form = hidden(leader, "/tam-dung") | silence()
    before, events = count(settings, "alert.suppression"), count(settings, "audit.event")
    with ThreadPoolExecutor(3) as hands:
        answers = list(hands.map(lambda _: leader.browser.post("/tam-dung", data=form), range(3)))
    assert [(a.status_code, a.headers["location"]) for a in answers] == [(303, "/tam-dung")] * 3
    assert count(settings, "alert.suppression") == before + 1
    assert count(settings, "audit.event") == events + 1


def test_what_is_meant_twice_is_done_twice(signed_in: Callable[[str], Person], settings: Settings) -> None:
    leader = signed_in("lanhdao")
    before = count(settings, "alert.suppression")
    form = hidden(leader, "/tam-dung")
    assert leader.browser.post("/tam-dung", data=form | silence("Thay cảm biến")).status_code == 303
    # Gone back to the same page, something else written.
    assert leader.browser.post("/tam-dung", data=form | silence("Mất điện khu vực")).status_code == 303
    # The page loaded anew, the same written again.
    assert leader.browser.post("/tam-dung", data=hidden(leader, "/tam-dung") | silence("Mất điện khu vực")).is_redirect
    assert count(settings, "alert.suppression") == before + 3


def test_a_form_that_was_refused_can_be_sent_again(signed_in: Callable[[str], Person], settings: Settings) -> None:
    leader = signed_in("lanhdao")
    before = count(settings, "alert.suppression")
    form = hidden(leader, "/tam-dung") | silence() | {"unit": "999"}
    for _ in range(2):
        answer = leader.browser.post("/tam-dung", data=form)
        assert answer.status_code == 422
        assert "Không có đơn vị với mã này." in answer.text
    assert count(settings, "alert.suppression") == before
    assert count(settings, "portal.form_use where location is null") == 0


def test_a_form_of_one_person_is_not_anothers(signed_in: Callable[[str], Person], settings: Settings) -> None:
    leader, administrator = signed_in("lanhdao"), signed_in("quantri")
    before = count(settings, "alert.suppression")
    form = hidden(leader, "/tam-dung") | silence("Diễn tập")
    theirs = form | {"form_token": hidden(administrator, "/tam-dung")["form_token"]}
    assert leader.browser.post("/tam-dung", data=form).status_code == 303
    assert administrator.browser.post("/tam-dung", data=theirs).status_code == 303
    assert count(settings, "alert.suppression") == before + 2


def test_a_double_click_opens_one_case(signed_in: Callable[[str], Person], settings: Settings) -> None:
    leader = signed_in("lanhdao")
    form = hidden(leader, "/vu-viec/mo") | {
        "template": "khong-khi-xau", "title": "Cháy rơm rạ", "level": "2", "unit": "14797",
    }  # fmt: skip
    before = count(settings, "sop.case_")
    first, second = (leader.browser.post("/vu-viec/mo", data=form) for _ in range(2))
    assert first.headers["location"] == second.headers["location"], "the second click leads to the same case"
    assert leader.get(second.headers["location"]).status_code == 200
    assert count(settings, "sop.case_") == before + 1


@pytest.mark.parametrize(
    ("path", "fields", "table"),
    [
        ("y-kien", {"body": "Đã gọi cho đơn vị"}, "sop.comment"),
        ("chi-dao", {"body": "Kiểm tra ngay", "to_unit": "SNNMT", "due_at": "2099-01-01T08:00"}, "sop.directive"),
    ],
)
def test_a_double_click_remarks_and_directs_once(
    signed_in: Callable[[str], Person], settings: Settings, case_page: str, *, path: str, fields: dict[str, str],
    table: str,
) -> None:  # fmt: skip
    leader = signed_in("lanhdao")
    form = hidden(leader, case_page) | fields
    before = count(settings, table)
    for _ in range(2):
        assert leader.browser.post(f"{case_page}/{path}", data=form).status_code == 303
    assert count(settings, table) == before + 1


def test_a_double_click_hands_a_file_in_once(
    signed_in: Callable[[str], Person], settings: Settings, case_page: str
) -> None:
    leader = signed_in("lanhdao")
    form = hidden(leader, case_page)
    before = count(settings, "sop.attachment")

    def hand_in(content: bytes) -> int:
        file = {"file": ("bien-ban.txt", content, "text/plain")}
        return leader.browser.post(f"{case_page}/tep", data=form, files=file).status_code

    assert [hand_in(b"mot"), hand_in(b"mot"), hand_in(b"hai")] == [303, 303, 303]
    assert count(settings, "sop.attachment") == before + 2, "another file under the same name is another file"
