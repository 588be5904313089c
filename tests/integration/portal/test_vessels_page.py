"""What an officer reads about fishing vessels: the fleet's page, and incidents whose values are states."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from psycopg import sql

from alerts.judging import engine
from ioc import warehouse
from portal import users
from portal.domains.fishing_vessels import page
from tests.integration.portal.conftest import Person, officer_of
from tests.integration.portal.test_pages import words
from tests.integration.portal.test_rules_pages import Writer, fields_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI

    from ioc.settings import Settings

PAGE, RULE = "/linh-vuc/fishing_vessels", "/quy-tac/fishing_vessels.line_state"
LINE, SOS = "fishing_vessels.line_state", "fishing_vessels.sos"
NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


def _row(code: str, unit: str, state: tuple[str, str, int, str], **named: Any) -> dict[str, Any]:
    name, words_of, order, colour = state
    return {
        "vessel_code": code, "vessel_link": f'<a href="https://tau-ca.example/tau/{code}">{code}</a>', "state": name,
        "state_name": words_of, "state_order": order, "state_color": colour, "is_at_sea": True, "is_across": False,
        "is_near_line": False, "is_wrong_zone": False, "is_sos": False, "is_silent": False, "is_silent_long": False,
        "heard_at": NOW - timedelta(minutes=20), "latitude": 19.25, "longitude": 106.5, "latitude_text": "19°15,0′B",
        "longitude_text": "106°30,0′Đ", "line_distance_nm": 12.345, "owner_masked": "N*** G*** Đ***",
        "owner_phone_masked": "*******123", "commune_name": "Phường Sầm Sơn", "as_of_at": NOW, "unit_code": unit,
        **named,
    }  # fmt: skip


CALM = ("tren_bien", "Đang hoạt động trên biển", 7, "#2E7D32")
ROWS = [
    _row("TH-90001-TS", "16654", ("sos", "Gặp sự cố (SOS)", 1, "#7E0023"), is_sos=True),
    _row("TH-90002-TS", "14797", ("vuot_ranh_gioi", "Vượt ranh giới", 2, "#C62828"), is_across=True,
         line_distance_nm=-1.2),
    _row("TH-90003-TS", "16654", CALM),
    _row("TH-90004-TS", "16654", ("mat_ket_noi_6h", "Mất kết nối quá 6 giờ", 4, "#F57C00"), is_silent=True,
         latitude=None, longitude=None, latitude_text=None, longitude_text=None, owner_masked=None,
         owner_phone_masked=None),
]  # fmt: skip


@pytest.fixture
def fleet(app: FastAPI, settings: Settings) -> FastAPI:
    with warehouse.connect("owner", settings) as connection:
        connection.execute("truncate serving.rpt_fishing_vessels_current")
        for row in ROWS:
            connection.execute(
                sql.SQL("insert into serving.rpt_fishing_vessels_current ({}) values ({})").format(
                    sql.SQL(", ").join(map(sql.Identifier, row)), sql.SQL(", ").join(map(sql.Placeholder, row))
                ),
                row,
            )
    return app


@pytest.fixture
def commune_officer(fleet: FastAPI, settings: Settings) -> Person:
    return officer_of("14797", "samson", fleet, settings)


@pytest.mark.usefixtures("fleet")
def test_an_officer_reads_who_needs_attention_where_and_whom_to_ask(signed_in: Callable[[str], Person]) -> None:
    html = signed_in("truc").text(PAGE)
    text = words(html)
    assert "4 trên biển 1 gặp sự cố 1 vượt ranh giới 0 gần ranh giới 1 mất kết nối từ 6 giờ" in text
    rows = re.findall(r"<tr>(?:(?!</tr>).)*</tr>", html.split("Tàu cần chú ý")[1], re.DOTALL)
    assert [words(row)[:11] for row in rows[1:]] == ["TH-90001-TS", "TH-90002-TS", "TH-90004-TS"], "the gravest first"
    assert 'href="https://tau-ca.example/tau/TH-90001-TS"' in rows[1], "the link to the source's own page"
    assert "Gặp sự cố (SOS) 19°15,0′B 106°30,0′Đ 12,3" in words(rows[1])
    assert "Phường Sầm Sơn N*** G*** Đ*** · *******123" in words(rows[1])
    assert "Mất kết nối quá 6 giờ – –" not in words(rows[3])
    assert re.search(r"Mất kết nối quá 6 giờ – 12,3", words(rows[3])), "no place, no invented one"
    assert html.count("<circle") == 3, "three vessels have a place"
    assert 'data-slug="fishing_vessels"' in html


def test_an_officer_of_a_commune_sees_its_vessels_only(commune_officer: Person) -> None:
    text = commune_officer.text(PAGE)
    assert "TH-90002-TS" in text
    assert "TH-90001-TS" not in text
    officer = users.User(1, "samson", "Cán bộ", "officer", "14797")
    assert [(one.column, list(one.values)) for one in page.row_filters(officer)] == [("unit_code", ["14797"])]
    assert page.row_filters(users.User(2, "truc", "Cán bộ", "officer", "SNNMT")) == []


def test_who_is_not_signed_in_reads_nothing_of_vessels(anybody: Person, fleet: FastAPI) -> None:  # noqa: ARG001
    answer = anybody.get(PAGE)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/dang-nhap")
    assert "TH-9000" not in answer.text + anybody.get("/").text


@pytest.mark.usefixtures("fleet")
def test_without_vessels_the_page_says_so_and_without_news_it_warns(
    settings: Settings, signed_in: Callable[[str], Person]
) -> None:
    leader = signed_in("lanhdao")
    with warehouse.connect("owner", settings) as connection:
        connection.execute("update serving.rpt_fishing_vessels_current set as_of_at = now() - interval '2 days'")
    assert "không gửi bản tin mới" in words(leader.text(PAGE))
    with warehouse.connect("owner", settings) as connection:
        connection.execute("truncate serving.rpt_fishing_vessels_current")
    text = words(leader.text(PAGE))
    assert "Chưa có tàu nào" in text
    assert "Chưa có số liệu" in words(leader.text("/"))
    with warehouse.connect("owner", settings) as connection:
        connection.execute("alter table serving.rpt_fishing_vessels_current rename to hidden")
    try:
        assert "ioc load fishing_vessels" in words(leader.text(PAGE))
    finally:
        with warehouse.connect("owner", settings) as connection:
            connection.execute("alter table serving.hidden rename to rpt_fishing_vessels_current")


# --- Incidents whose values are states


@pytest.fixture(scope="module")
def alarms(installation: Settings, _filled: None) -> None:
    """Two hours near the line, then across it; and a call for help that is over."""
    rows = [(LINE, 3, 1), (LINE, 2, 1), (LINE, 1, 2), (SOS, 3, 1), (SOS, 1, 0)]
    with warehouse.connect("transformer", installation) as connection:
        for signal, back, value in rows:
            connection.execute(
                "insert into alerting.signal "
                "(signal_code, entity_type, entity_id, unit_code, period_end, value, quality) "
                "values (%s, 'vessel', 'TH-90002-TS', '14797', %s, %s, 'ok')",
                (signal, NOW - timedelta(hours=back), value),
            )
    engine.evaluate(at=NOW, settings=installation)


@pytest.mark.usefixtures("alarms")
def test_an_incident_of_a_state_shows_its_words_and_no_number(signed_in: Callable[[str], Person]) -> None:
    officer = signed_in("truc")
    listed = officer.text("/canh-bao")
    assert "TH-90002-TS: Vượt ranh giới" in words(listed)
    (path,) = set(re.findall(r'href="(/canh-bao/[0-9a-f-]{36})">(?:(?!</a>).)*TH-90002-TS: ', listed, re.DOTALL))
    html = officer.text(path)
    text = words(html)
    assert "Giá trị mới nhất Vượt ranh giới" in text
    assert "Xấu nhất Vượt ranh giới cấp 3" in text
    assert "Cấp 3: Vượt ranh giới" in text, "the chart's levels"
    history = text.split("Diễn biến")[1]
    assert "Bình thường → Cấp 1 Gần ranh giới, đang đi ra" in history
    assert "Cấp 1 → Cấp 3 Vượt ranh giới" in history
    table = re.search(r"<tbody>.*?</tbody>", html.split("Bảng số liệu", 1)[1], re.DOTALL)
    assert table
    values = re.findall(r'<td class="n">\s*(.*?)\s*</td>', table[0], re.DOTALL)
    assert values == ["Vượt ranh giới", "Gần ranh giới, đang đi ra", "Gần ranh giới, đang đi ra"]
    assert "None" not in text
    officer.browser.cookies.set("ioc_lang", "en")
    assert "TH-90002-TS: Across the line" in words(officer.text("/canh-bao"))
    assert "Near the line, heading out" in words(officer.text(path))


@pytest.mark.usefixtures("alarms")
def test_a_rule_says_that_it_watches_a_state_and_keeps_it_through_its_form(signed_in: Callable[[str], Person]) -> None:
    engineer = signed_in("kysu")
    assert "Toàn tỉnh · giá trị là trạng thái" in words(engineer.text(RULE))
    writer = Writer(engineer, RULE)
    writer.begin()
    assert (writer.form()["unit_vi"], writer.form()["is_state"]) == ([""], ["yes"])
    assert writer.save(legal_basis="Căn cứ khác").status_code == 303
    assert writer.form()["is_state"] == ["yes"], "an edit of something else leaves it"
    refused = writer.save(t_label_vi=["", "", "", ""])
    assert refused.status_code == 422
    assert "quy tắc theo dõi trạng thái cần tên cấp bằng hai thứ tiếng" in refused.text
    assert fields_of(refused.text)["is_state"] == ["yes"]
    assert writer.save(is_state=[], unit_vi="điểm").status_code == 303
    assert "Đơn vị đo giá trị là trạng thái điểm" in words(engineer.text(RULE))
