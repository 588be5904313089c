"""Units and successions: everybody reads, administrators enter decisions, and messages follow the successor."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from alerts.notifying import routing
from alerts.recipients import units
from ioc import warehouse
from tests.integration.portal.test_pages import words

if TYPE_CHECKING:
    from collections.abc import Callable

    from ioc.settings import Settings
    from tests.integration.portal.conftest import Person

PAGE = "/don-vi"
TODAY = units.today()
BEFORE, AFTER = ((TODAY + timedelta(days=days)).isoformat() for days in (-30, 30))
DECISION = "Nghị quyết 99/2026/NQ-HĐND"


def rows(settings: Settings, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with warehouse.connect("owner", settings) as connection:
        return connection.execute(query, values).fetchall()  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _units_as_loaded(settings: Settings, app: object) -> None:  # noqa: ARG001
    """The module's warehouse is shared: what a test did to the units is taken back, as only the owner can."""
    with warehouse.connect("owner", settings) as connection:
        connection.execute("delete from ref.unit_succession")
        connection.execute("delete from ref.org_unit where citation is not null")
        connection.execute("update ref.org_unit set valid = daterange(lower(valid), null)")


def succession(**changes: str) -> dict[str, str]:
    form = {"old": "14797", "new": "14812", "day": BEFORE, "share": "100", "citation": DECISION}
    return form | changes


def test_messages_about_a_merged_unit_go_to_its_successor(
    signed_in: Callable[[str], Person], settings: Settings
) -> None:
    administrator = signed_in("quantri")
    assert administrator.post(f"{PAGE}/ke-thua", PAGE, **succession()).headers["location"] == f"{PAGE}#ke-thua"
    page = words(signed_in("truc").text(f"{PAGE}?cu=1"))
    assert DECISION in page
    (ends,) = rows(settings, "select upper(valid)::text from ref.org_unit where code = '14797'")
    assert ends == (BEFORE,)
    with warehouse.connect("alerts", settings) as connection:
        now = datetime.now(UTC)
        assert routing.load(connection, now).today("14797") == ["14812"]
        earlier = routing.load(connection, now - timedelta(days=60))
        assert earlier.today("14797") == ["14797"], "history keeps the unit of its time"
    ((actor, action, detail),) = rows(
        settings,
        "select actor, action, detail from audit.event where object_type = 'unit' order by event_id desc limit 1",
    )
    assert (actor, action, detail["citation"]) == ("quantri", "unit.succession_added", DECISION)


def test_what_is_to_come_can_be_taken_back_what_is_in_force_cannot(
    signed_in: Callable[[str], Person], settings: Settings
) -> None:
    administrator = signed_in("quantri")
    assert administrator.post(f"{PAGE}/ke-thua", PAGE, **succession(day=AFTER)).status_code == 303
    assert "sắp hiệu lực" in words(administrator.text(PAGE))
    assert "1 thay đổi sắp hiệu lực" in words(administrator.text("/dieu-hanh"))
    which = {"old": "14797", "new": "14812", "day": AFTER}
    assert administrator.post(f"{PAGE}/ke-thua/rut", PAGE, **which).status_code == 303
    assert rows(settings, "select count(*) from ref.unit_succession") == [(0,)]
    assert rows(settings, "select upper(valid) from ref.org_unit where code = '14797'") == [(None,)]
    administrator.post(f"{PAGE}/ke-thua", PAGE, **succession())
    refused = administrator.post(f"{PAGE}/ke-thua/rut", PAGE, **which | {"day": BEFORE})
    assert "không rút lại được" in words(refused.text)
    with pytest.raises(psycopg.errors.RestrictViolation), warehouse.connect("portal", settings) as connection:
        connection.execute("delete from ref.unit_succession")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"new": "14797"}, "phải khác nhau"),
        ({"old": "0"}, "Không có đơn vị cũ này"),
        ({"new": "0"}, "Đơn vị kế thừa không có hiệu lực"),
        ({"citation": " "}, "Cần nêu căn cứ"),
        ({"day": "mai"}, "Hãy ghi ngày hiệu lực."),
        ({"day": "1700-01-01"}, "cách hôm nay quá xa"),
        ({"share": "0"}, "từ 1 đến 100"),
        ({"share": "nan"}, "từ 1 đến 100"),
        ({"share": "hai"}, "từ 1 đến 100"),
    ],
)
def test_a_faulty_succession_comes_back_as_it_was_typed(
    signed_in: Callable[[str], Person], settings: Settings, change: dict[str, str], said: str
) -> None:
    answer = signed_in("quantri").post(f"{PAGE}/ke-thua", PAGE, **succession(**change))
    assert answer.status_code == 422
    assert said in words(answer.text)
    assert rows(settings, "select count(*) from ref.unit_succession") == [(0,)]


def test_a_unit_is_not_given_away_twice_nor_in_a_circle(signed_in: Callable[[str], Person]) -> None:
    administrator = signed_in("quantri")
    part = {"share": "60"}
    assert administrator.post(f"{PAGE}/ke-thua", PAGE, **succession(**part)).status_code == 303
    over = administrator.post(f"{PAGE}/ke-thua", PAGE, **succession(new="14758", **part))
    assert "vượt quá 100 %" in words(over.text)
    circle = administrator.post(f"{PAGE}/ke-thua", PAGE, **succession(old="14812", new="14797"))
    assert "thành vòng" in words(circle.text)
    assert administrator.post(f"{PAGE}/ke-thua", PAGE, **succession(new="14758", share="40")).status_code == 303


def test_a_unit_gets_another_name_from_a_day_on(signed_in: Callable[[str], Person], settings: Settings) -> None:
    administrator = signed_in("quantri")
    form = {"code": "14797", "name": "Phường Hàm Rồng Mới", "kind": "ward", "parent": "UBND", "day": AFTER,
            "citation": DECISION}  # fmt: skip
    assert administrator.post(PAGE, PAGE, **form).status_code == 303
    names = rows(settings, "select name_vi, upper(valid)::text from ref.org_unit where code = '14797' order by valid")
    assert names[0][1] == AFTER
    assert names[1] == ("Phường Hàm Rồng Mới", None)
    for change, said in (
        ({}, "Không có gì thay đổi"),
        ({"name": "Tên khác", "day": BEFORE}, "đã có thay đổi từ ngày đó hoặc muộn hơn"),
        ({"name": "Tên khác", "parent": "14797"}, "không thể thuộc chính mình"),
        ({"name": "Tên khác", "parent": ""}, "phải thuộc một đơn vị cấp trên"),
        ({"name": "Tên khác", "kind": "x"}, "Hãy chọn loại đơn vị."),
        ({"code": "mã lạ"}, "Mã đơn vị gồm"),
    ):
        answer = administrator.post(PAGE, PAGE, **form | change)
        assert (answer.status_code, said in words(answer.text)) == (422, True), said
    assert administrator.post(PAGE, PAGE, **form | {"code": "99999", "name": "Xã Thử Nghiệm"}).status_code == 303
    assert "Xã Thử Nghiệm" in words(administrator.text(f"{PAGE}?tim=99999"))


def test_only_administrators_write_units(signed_in: Callable[[str], Person], anybody: Person) -> None:
    assert anybody.get(PAGE).status_code == 303
    for user in ("lanhdao", "truc", "kysu"):
        person = signed_in(user)
        page = words(person.text(PAGE))
        assert "Sở Y tế SYT" in page
        assert "Thêm kế thừa" not in page
        for path in ("", "/ke-thua", "/ke-thua/rut"):
            assert person.post(f"{PAGE}{path}", "/tai-khoan", **succession()).status_code == 403
    administrator = signed_in("quantri")
    assert "Không tìm thấy đơn vị nào" in administrator.text(f"{PAGE}?tim=khongco")
    assert "Phường" not in words(administrator.text(f"{PAGE}?loai=centre")).split("Liên hệ", 1)[1]
    administrator.get("/ngon-ngu/en")
    assert "Units and successions" in administrator.text(PAGE)
