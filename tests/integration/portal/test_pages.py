"""What people find on the pages."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from fastapi import APIRouter
from starlette.testclient import TestClient

from ioc import warehouse
from ioc.domains import Domain, all_domains
from portal import domains, web
from portal.app import create_app
from portal.language import ZONE
from portal.pages import overview
from tests.integration.portal.conftest import Person

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fastapi import FastAPI

    from ioc.settings import Settings


def words(html: str) -> str:
    """What a reader sees: no tags, white space as one space."""
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def card(html: str, station: str) -> str:
    return words(html.split(f'id="tram-{station}"')[1].split("</article>", maxsplit=1)[0])


def newest_hour(settings: Settings) -> datetime:
    """End of the newest hour in ``serving``, Vietnam time."""
    with warehouse.connect("portal", settings) as connection:
        row = connection.execute("select max(hour_ending) from serving.rpt_air_quality_current").fetchone()
    assert row is not None
    moment: datetime = row[0]
    return moment.astimezone(ZONE)


@pytest.fixture
def change(app: FastAPI, settings: Settings) -> Iterator[Callable[[str], None]]:  # noqa: ARG001
    """Change ``serving`` for one test; put back afterwards."""
    tables = ("rpt_air_quality_current", "rpt_ops_pipeline_health")
    with warehouse.connect("transformer", settings) as connection:
        for table in tables:
            connection.execute(f"create table serving.kept_{table} as table serving.{table}")  # type: ignore[arg-type]

    def run(statement: str) -> None:
        with warehouse.connect("transformer", settings) as connection:
            connection.execute(statement)  # type: ignore[arg-type]

    yield run
    with warehouse.connect("transformer", settings) as connection:
        for table in tables:
            connection.execute(f"truncate serving.{table}")  # type: ignore[arg-type]
            connection.execute(f"insert into serving.{table} table serving.kept_{table}")  # type: ignore[arg-type]
            connection.execute(f"drop table serving.kept_{table}")  # type: ignore[arg-type]


def test_the_overview_shows_twelve_domains_and_the_worst_air(signed_in: Callable[[str], Person]) -> None:
    html = signed_in("lanhdao").text("/")
    tiles = re.findall(r'<a class="tile (live|coming)" href="/linh-vuc/(\w+)">(.*?)</a>', html, re.DOTALL)
    assert [name for _, name, _ in tiles] == [domain.name for domain in all_domains()]
    live = {name: words(body) for kind, name, body in tiles if kind == "live"}
    assert set(live) == {domain.name for domain in all_domains() if domain.status == "live"}
    assert "171 AQI Xấu Cao nhất: Khu kinh tế Nghi Sơn 7/8 trạm có số liệu" in live["air_quality"]
    assert 'fill="#FF0000"' in html
    assert all("Sắp triển khai" in body for kind, _, body in tiles if kind == "coming")
    assert "Cảnh báo đang mở 3" in words(html)
    assert "Đúng hạn" in words(html)


def test_a_station_outside_the_province_is_never_the_worst(
    change: Callable[[str], None], signed_in: Callable[[str], Person]
) -> None:
    change("update serving.rpt_air_quality_current set aqi = 480, hour_ending = now() where station_code = 'US_HANOI'")
    leader = signed_in("lanhdao")
    assert "171 AQI Xấu" in words(leader.text("/"))
    page = words(leader.text("/linh-vuc/air_quality"))
    assert "Cao nhất tỉnh lúc này là Khu kinh tế Nghi Sơn: mức xấu." in page
    assert "480" in page.split("Trạm ngoài tỉnh")[1]


def test_old_data_are_called_old_and_lose_their_colour(
    change: Callable[[str], None], signed_in: Callable[[str], Person]
) -> None:
    change("update serving.rpt_air_quality_current set hour_ending = hour_ending - interval '3 hours'")
    leader = signed_in("lanhdao")
    overview_words = words(leader.text("/"))
    assert "Không có số liệu mới 0/8 trạm có số liệu" in overview_words
    html = leader.text("/linh-vuc/air_quality")
    assert "Không trạm nào trong tỉnh có số liệu mới." in html
    assert "Không có số liệu mới" in card(html, "TH_NGHISON")
    markers = re.findall(r'<circle[^>]*fill="(#\w+)"', html)
    assert len(markers) == 8
    assert set(markers) == {"#8b98a1"}


def test_a_station_card_says_level_cause_hour_advice_and_source(
    signed_in: Callable[[str], Person], settings: Settings
) -> None:
    html = signed_in("lanhdao").text("/linh-vuc/air_quality")
    hour = newest_hour(settings)
    text = card(html, "TH_BIMSON")
    for part in ("104 AQI", "Nhà máy xi măng Bỉm Sơn", "Phường Bỉm Sơn", "Kém · do PM2.5", "Người nhạy cảm", "57,2"):
        assert part in text, part
    assert f"Giờ kết thúc lúc {hour:%H:%M %d/%m/%Y}" in text
    assert f'/truy-vet/air_quality/TH_BIMSON/{hour:%Y-%m-%dT%H:%M}"' in html
    assert "chưa đăng ký" in card(html, "TH_LA01")
    assert "Trạm chưa đăng ký" in card(html, "TH_LA01")
    bars = html.split('id="tram-TH_BIMSON"')[1].split("</article>")[0].count("<title>")
    assert bars == 22, "24 hours, two of them missing: gaps, not zeros"


def test_an_unknown_station_is_shown_though_nobody_knows_where_it_stands(
    change: Callable[[str], None], signed_in: Callable[[str], Person]
) -> None:
    change(
        "update serving.rpt_air_quality_current set in_province = null, is_public = null, latitude = null, "
        "longitude = null, commune_name = null where station_code = 'TH_LA01'"
    )
    assert "57 AQI" in card(signed_in("lanhdao").text("/linh-vuc/air_quality"), "TH_LA01")


def test_a_station_that_never_sent_anything_has_a_card_too(
    change: Callable[[str], None], signed_in: Callable[[str], Person]
) -> None:
    change(
        "update serving.rpt_air_quality_current set hour_ending = null, aqi = null, aqi_category = null, "
        "aqi_color = null, health_advice_vi = null, last_reading_at = null, note_vi = 'Chưa có số liệu' "
        "where station_code = 'TH_SAMSON'"
    )
    leader = signed_in("lanhdao")
    assert "Không có số liệu mới" in card(leader.text("/linh-vuc/air_quality"), "TH_SAMSON")
    assert leader.get("/cong-dan").status_code == 200
    station = next(
        s for s in leader.get("/api/public/air_quality").json()["stations"] if s["station_code"] == "TH_SAMSON"
    )
    assert (station["aqi"], station["is_current"]) == (None, False)


def test_what_sources_send_cannot_write_html(change: Callable[[str], None], signed_in: Callable[[str], Person]) -> None:
    change(
        "update serving.rpt_air_quality_current set station_name = '<script>alert(1)</script>', "
        "aqi_color = '\"/><script>alert(2)</script>' where station_code = 'TH_NGHISON'"
    )
    html = signed_in("lanhdao").text("/linh-vuc/air_quality")
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)" in html


def test_a_number_can_be_followed_to_its_twelve_hours(signed_in: Callable[[str], Person], settings: Settings) -> None:
    leader = signed_in("lanhdao")
    hour = newest_hour(settings)
    text = words(leader.text(f"/truy-vet/air_quality/TH_NGHISON/{hour:%Y-%m-%dT%H:%M}"))
    assert f"Khu kinh tế Nghi Sơn, {hour:%H:%M %d/%m/%Y}" in text
    assert "chỉ số con lớn nhất trong bảng dưới đây: PM2.5" in text
    assert "PM2.5 94,10 92,34 171" in text
    assert f"c12 {hour - timedelta(hours=11):%H:%M %d/%m/%Y}" in text
    assert f"c9 {hour - timedelta(hours=8):%H:%M %d/%m/%Y} – – –" in text, "a missing hour is shown as missing"


def test_the_files_of_an_hour_are_named_and_engineers_reach_their_lines(
    signed_in: Callable[[str], Person], settings: Settings
) -> None:
    page = f"/truy-vet/air_quality/TH_NGHISON/{newest_hour(settings):%Y-%m-%dT%H:%M}"
    told = signed_in("lanhdao").text(page)
    assert "11 trong 12 giá trị của giờ được tính, từ 12 tệp" in words(told)
    assert re.search(r"TH_NGHISON_\d{14}\.txt", told)
    for inner in ("sftp://", "/engineer/data-docs/", "đang hiệu chuẩn"):
        assert inner not in told
    inside = signed_in("kysu").text(page)
    assert "sftp://tram.example.vn/TH_NGHISON/TH_NGHISON_" in inside
    assert 'href="/engineer/data-docs/air_quality/17.html"' in inside
    assert re.search(r"không đang hiệu chuẩn 17 TH_NGHISON_\d{14}\.txt:3", words(inside))


@pytest.mark.parametrize("path", ["TH_NGHISON/2001-01-01T10:00", "NOWHERE/2026-11-22T10:00", "TH_NGHISON/yesterday"])
def test_an_hour_that_does_not_exist_is_not_found(signed_in: Callable[[str], Person], path: str) -> None:
    answer = signed_in("lanhdao").get(f"/truy-vet/air_quality/{path}")
    assert answer.status_code == 404
    assert "Không tìm thấy trang" in answer.text


def test_an_officer_accepts_an_alert_and_everybody_sees_who(
    signed_in: Callable[[str], Person], settings: Settings
) -> None:
    officer = signed_in("truc")
    found = re.search(
        r'href="(/canh-bao/[0-9a-f-]{36})">(?:(?!</a>).)*Quảng trường Lam Sơn', officer.text("/canh-bao"), re.DOTALL
    )
    assert found
    page = found[1]
    before = words(officer.text(page))
    assert "Cấp 1 Kém" in before
    assert "Giá trị mới nhất 132" in before
    source = re.search(r'href="(/truy-vet/air_quality/TH_HACTHANH/[^"]+)"', officer.text(page))
    assert source
    assert officer.get(source[1]).status_code == 200
    assert "Đã báo: AQI giờ tại Quảng trường Lam Sơn" in before or "2 thông báo" in before
    assert officer.post(f"{page}/nhan", page, hours="99", note="x").status_code == 422
    assert officer.post(f"{page}/nhan", page, hours="2", note="n" * 501).status_code == 422
    assert officer.post(f"{page}/nhan", page, hours="2", note="Đã cử tổ <b>kiểm tra</b>").status_code == 303

    leader = signed_in("lanhdao")
    after = leader.text(page)
    assert "truc đã nhận lúc" in words(after)
    assert "Đã cử tổ &lt;b&gt;kiểm tra&lt;/b&gt;" in after
    assert "truc nhận đến" in words(leader.text("/canh-bao"))
    with warehouse.connect("portal", settings) as connection:
        acts = connection.execute(
            "select actor, action from audit.event where object_id = %s", (page[-36:],)
        ).fetchall()
    assert acts == [("truc", "incident.acknowledged")]


def test_an_alert_that_ended_cannot_be_accepted(signed_in: Callable[[str], Person]) -> None:
    officer = signed_in("truc")
    found = re.search(
        r'href="(/canh-bao/[0-9a-f-]{36})">(?:(?!</a>).)*Bãi biển Sầm Sơn', officer.text("/canh-bao"), re.DOTALL
    )
    assert found
    assert "Đã kết thúc Từng lên cấp 1: Kém" in words(officer.text(found[1]))
    answer = officer.post(f"{found[1]}/nhan", "/tai-khoan", hours="1", note="")
    assert answer.status_code == 422
    assert "đã kết thúc, không cần xác nhận" in answer.text


def test_the_inbox_counts_down_as_messages_are_read(signed_in: Callable[[str], Person]) -> None:
    officer = signed_in("truc")

    def unread() -> int:
        found = re.search(r'aria-label="(\d+) tin chưa đọc"', officer.text("/"))
        return int(found[1]) if found else 0

    at_first = unread()
    assert at_first >= 2
    opened = re.search(r'<li class="unread.*?href="(/hop-thu/\d+/mo)"', officer.text("/hop-thu"), re.DOTALL)
    assert opened
    assert officer.get(opened[1]).headers["location"].startswith("/canh-bao")
    assert unread() == at_first - 1
    assert officer.post("/hop-thu/da-doc", "/tai-khoan").status_code == 303
    assert unread() == 0
    assert "Chưa có tin nào" in signed_in("quantri").text("/hop-thu")


def test_the_health_page_shows_the_pipes_and_marks_rejects(
    signed_in: Callable[[str], Person], change: Callable[[str], None]
) -> None:
    change("update serving.rpt_ops_pipeline_health set is_stale = true where domain = 'air_quality'")
    html = signed_in("kysu").text("/ky-su")
    assert "Môi trường không khí Nguồn im lặng" in words(html)
    assert '<td class="n heavy">36</td>' in html
    assert "Nguồn im lặng" in words(signed_in("lanhdao").text("/"))


def test_the_language_stays_chosen(signed_in: Callable[[str], Person]) -> None:
    leader = signed_in("lanhdao")
    answer = leader.get("/ngon-ngu/en?next=/linh-vuc/air_quality")
    assert answer.headers["location"] == "/linh-vuc/air_quality"
    html = leader.text("/linh-vuc/air_quality")
    assert '<html lang="en">' in html
    text = words(html)
    assert "Highest in the province now: Khu kinh tế Nghi Sơn, unhealthy." in text
    assert "57.2" in text
    leader.get("/ngon-ngu/vi")
    assert "Tổng quan" in leader.text("/")
    assert leader.get("/ngon-ngu/fr").status_code == 404


def test_the_public_api_keeps_its_shape(anybody: Person) -> None:
    answer = anybody.get("/api/public/air_quality")
    body = answer.json()
    assert set(body) == {"source", "stations"}
    assert {station["station_code"] for station in body["stations"]} == {
        "TH_HACTHANH", "TH_HAMRONG", "TH_NGHISON", "TH_BIMSON", "TH_SAMSON", "TH_NGOCLAC",
    }  # fmt: skip
    worst = body["stations"][0]
    assert (worst["station_code"], worst["aqi"], worst["aqi_category"], worst["aqi_color"]) == (
        "TH_NGHISON", 171, "Xấu", "#FF0000",
    )  # fmt: skip
    assert datetime.fromisoformat(worst["hour_ending"]).astimezone(UTC).minute == 0
    assert isinstance(worst["pm25_ug_m3"], float)
    assert answer.headers["cache-control"] == "public, max-age=60"
    assert answer.headers["access-control-allow-origin"] == "*"
    again = anybody.get("/api/public/air_quality", **{"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_the_description_of_the_api_names_public_paths_only(anybody: Person) -> None:
    document = anybody.get("/api/public/openapi.json").json()
    assert set(document["paths"]) >= {
        "/api/public/air_quality", "/api/public/alerts", "/api/public/alerts.atom",
        "/api/public/alerts/{identifier}.cap",
    }  # fmt: skip
    assert all(path.startswith("/api/public/") for path in document["paths"])
    fields = set(document["components"]["schemas"]["PublicStation"]["properties"])
    assert fields == set(anybody.get("/api/public/air_quality").json()["stations"][0])
    assert "aqi_category" in anybody.text("/api/public")


def test_errors_speak_vietnamese(signed_in: Callable[[str], Person], monkeypatch: pytest.MonkeyPatch) -> None:
    leader = signed_in("lanhdao")
    assert "Không có quyền xem trang này" in leader.get("/ky-su").text
    assert "Không tìm thấy trang" in leader.get("/nothing").text
    assert "Không tìm thấy trang" in leader.get("/canh-bao/not-a-uuid").text

    def broken(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(overview.incidents, "list_open", broken)
    answer = leader.get("/")
    assert answer.status_code == 500
    assert "Hệ thống gặp lỗi" in answer.text
    assert "secret detail" not in answer.text
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


def test_without_the_warehouse_the_portal_lives_and_says_so(settings: Settings) -> None:
    nowhere = settings.model_copy(update={"warehouse_url": "postgresql://ioc_owner:x@127.0.0.1:9/warehouse"})
    app = create_app(nowhere)
    with TestClient(app):
        person = Person(app, nowhere)
        assert person.get("/health").json() == {"status": "ok"}
        assert person.get("/ready").status_code == 503
        person.browser.cookies.set(web.session_cookie(nowhere), "x" * 43)
        answer = person.get("/")
        assert answer.status_code == 503
        assert "Kho dữ liệu chưa trả lời" in answer.text


def test_a_thirteenth_domain_needs_no_edit_of_the_portal(
    app: FastAPI, settings: Settings, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "forests").mkdir()  # type: ignore[operator]
    (tmp_path / "forests" / "__init__.py").write_text(  # type: ignore[operator]
        "from fastapi import APIRouter\n"
        "from portal.domains import DomainPage, Tile\n"
        "router = APIRouter(include_in_schema=False)\n"
        "@router.get('/linh-vuc/forests')\n"
        "def show(): return 'trees'\n"
        "page = DomainPage('forests', router, lambda database, language: Tile('53,6', '%', 'Độ che phủ'))\n"
    )
    forests = Domain("forests", 13, "Rừng", "Forests", "live", "0 6 * * *", 3, "SNNMT", "batch", 1440)
    monkeypatch.setattr(domains, "__path__", [*domains.__path__, str(tmp_path)])
    every = (*all_domains(), forests)
    for module in (overview, web):
        monkeypatch.setattr(module, "all_domains", lambda: every)
    domains.pages.cache_clear()
    try:
        larger = create_app(settings)
        with TestClient(larger):
            leader = Person(larger, settings)
            leader.sign_in("lanhdao")
            assert "Rừng 53,6 % Độ che phủ" in words(leader.text("/"))
            assert "trees" in leader.text("/linh-vuc/forests")
    finally:
        domains.pages.cache_clear()
    assert isinstance(domains.pages()["air_quality"].router, APIRouter)
    assert app.router is not larger.router
