"""Public services in the portal: leaders see all units, an officer one, a citizen one dossier whose code is known."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ioc import warehouse
from portal.domains import public_services

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ioc.settings import Settings
    from tests.integration.portal.conftest import Person

SAMPLE = Path(__file__).parents[1] / "superset" / "serving" / "public_services.sql"
PAGE = "/linh-vuc/public_services"
CODE = "000.00.A2.H56-260105-0001"


@pytest.fixture(scope="module", autouse=True)
def _sample(installation: Settings, _filled: None) -> None:
    with warehouse.connect("owner", installation) as connection:
        for name in ("unit", "daily", "dossier", "lookup", "month", "reconciliation"):
            connection.execute(f"drop table if exists serving.rpt_public_services_{name}")
        connection.execute(SAMPLE.read_text(encoding="utf-8"))


@pytest.fixture(autouse=True)
def _turnstile(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(public_services, "turnstile", public_services.Turnstile(most=3))
    yield


def test_leaders_see_every_unit_and_officers_their_own(signed_in: Callable[[str], Person], settings: Settings) -> None:
    page = signed_in("lanhdao").text(PAGE)
    assert "34 hồ sơ quá hạn trong 188 hồ sơ đang xử lý" in page
    assert page.index("Phường Nghi Sơn") < page.index("Phường Hạc Thành"), "most overdue first"
    with warehouse.connect("owner", settings) as connection:
        connection.execute("update portal.account set unit_code = '14797' where username = 'truc'")
    own = signed_in("truc").text(PAGE)
    assert "2 hồ sơ quá hạn trong 60 hồ sơ đang xử lý" in own
    assert "Nghi Sơn" not in own


def test_the_overview_tile_says_what_is_overdue(signed_in: Callable[[str], Person]) -> None:
    overview = signed_in("lanhdao").text("/")
    assert "Nhiều nhất: Phường Nghi Sơn (24)" in overview


def test_a_citizen_who_knows_the_code_sees_status_and_appointment_only(anybody: Person) -> None:
    assert 'action="/cong-dan/ho-so"' in anybody.text("/cong-dan")
    page = anybody.text(f"/cong-dan/ho-so?ma={CODE.lower()}")
    assert "Đang xử lý" in page
    assert "khai sinh" not in page, "not even the procedure"
    answer = anybody.get(f"/api/public/public_services/{CODE}")
    assert answer.status_code == 200
    assert set(answer.json()) == {
        "dossier_code", "unit_name", "group_name_vi", "received_at", "due_at", "changed_at",
    }  # fmt: skip


@pytest.mark.parametrize("code", ["000.00.A2.H56-260105-9999", "%", "' or true --", "000.00.A2.H56-260105-00_1"])
def test_what_is_no_code_finds_nothing(anybody: Person, code: str) -> None:
    answer = anybody.browser.get("/cong-dan/ho-so", params={"ma": code})
    assert answer.status_code == 404
    assert "Không có hồ sơ này" in answer.text


def test_nobody_can_walk_through_the_codes(anybody: Person) -> None:
    statuses = [anybody.get(f"/api/public/public_services/000.00.A2.H56-260105-{n:04d}").status_code for n in range(9)]
    assert statuses[3:] == [429] * 6
    assert 429 not in statuses[:3]
    assert anybody.get(f"/cong-dan/ho-so?ma={CODE}").status_code == 429


def test_the_turnstile_opens_again_and_counts_addresses_apart() -> None:
    gate = public_services.Turnstile(most=2, seconds=60)
    assert [gate.lets_pass("a", now) for now in (0, 1, 2, 59)] == [True, True, False, False]
    assert gate.lets_pass("b", 2)
    assert gate.lets_pass("a", 61)
