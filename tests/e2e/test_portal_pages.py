"""The portal in a real browser, over a migrated warehouse, without Superset."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import uvicorn

from ioc.secrets import Secrets
from portal import users
from portal.app import create_app
from tests.fixtures import portal_operations, portal_serving
from tests.fixtures.warehouses import warehouse_of_its_own

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page

    from ioc.settings import Settings
    from ioc.stack.postgres import EmbeddedPostgres

PHONE, DESK = {"width": 390, "height": 844}, {"width": 1440, "height": 900}
PUBLIC = ["/dang-nhap", "/cong-dan", "/api/public", "/nothing-here"]
SIGNED_IN = ["/", "/linh-vuc/air_quality", "/linh-vuc/fishing_vessels", "/canh-bao", "/hop-thu", "/tai-khoan", "/ky-su"]
OPERATIONS = [
    "/dieu-hanh", "/tam-dung", "/cong-viec?xem=don-vi", "/vu-viec", "/vu-viec/mo", "/chi-so", "/quy-tac", "/danh-ba",
    "/lich-truc", "/lich-lam-viec", "/thong-bao", "/mau-tin", "/so-lieu-sua",
]  # fmt: skip
# One of each list: a case with everything in it, its second step, the incident, a rule, a template, a message sent.
INNER = {"/vu-viec": ".case-line", "/cong-viec?xem=don-vi": ".task-line", "/quy-tac": "main a[href^='/quy-tac/']",
         "/mau-tin": "main a[href^='/mau-tin/']", "/thong-bao": ".sent-line"}  # fmt: skip


@pytest.fixture(scope="module")
def portal(cluster: EmbeddedPostgres) -> Iterator[Settings]:
    """A running portal with nine stations and four alerts; its settings."""
    with warehouse_of_its_own(cluster) as own, socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        settings = own.model_copy(update={"public_url": f"http://127.0.0.1:{listener.getsockname()[1]}"})
        users.ensure_initial_users(settings)
        portal_serving.build(settings)
        portal_serving.incidents(settings)
        portal_operations.night(settings)
        server = uvicorn.Server(uvicorn.Config(create_app(settings), log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + 30
        while not server.started:
            assert time.monotonic() < deadline, "the portal did not start"
            time.sleep(0.05)
        yield settings
        server.should_exit = True
        thread.join(timeout=10)


class Visit:
    """A browser window that remembers what it asked for and what it complained about."""

    def __init__(self, page: Page, settings: Settings) -> None:
        self.page, self.settings = page, settings
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda message: message.type == "error" and self.complaints.append(message.text))

    def go(self, path: str) -> Page:
        self.page.goto(f"{self.settings.portal_url()}{path}")
        return self.page

    def sign_in(self, user: str) -> Visit:
        self.go("/dang-nhap")
        self.page.fill("#username", user)
        self.page.fill("#password", Secrets.of(self.settings).get(f"portal_{user}"))
        self.page.keyboard.press("Enter")
        self.page.wait_for_url(f"{self.settings.portal_url()}/")
        return self


@pytest.fixture
def visit(browser: Browser, portal: Settings) -> Iterator[Callable[..., Visit]]:
    contexts = []

    def make(viewport: dict[str, int] = PHONE, **options: object) -> Visit:
        context = browser.new_context(viewport=viewport, **options)  # type: ignore[arg-type]
        context.set_default_timeout(15_000)
        contexts.append(context)
        return Visit(context.new_page(), portal)

    yield make
    for context in contexts:
        context.close()


def test_a_leader_finds_the_worst_air_and_follows_it_to_its_source(visit: Callable[..., Visit]) -> None:
    leader = visit().sign_in("lanhdao")
    tile = leader.page.locator(".tile.live[href='/linh-vuc/air_quality']")
    assert tile.get_by_role("img", name="AQI 171", exact=True).is_visible()
    assert tile.get_by_text("Xấu", exact=True).is_visible()
    tile.click()
    leader.page.get_by_role("link", name="Khu kinh tế Nghi Sơn: Xấu").click()
    assert leader.page.url.endswith("#tram-TH_NGHISON")
    card = leader.page.locator("#tram-TH_NGHISON")
    card.get_by_text("Nồng độ trung bình giờ").click()
    assert card.get_by_text("94,1").is_visible()
    card.get_by_role("link", name="Số này từ đâu?").click()
    assert leader.page.get_by_role("heading", level=1).inner_text().startswith("Khu kinh tế Nghi Sơn, ")
    assert leader.page.get_by_role("row", name="PM2.5").first.get_by_text("171").is_visible()


def test_without_superset_the_page_says_so_and_keeps_its_numbers(visit: Callable[..., Visit]) -> None:
    leader = visit(DESK).sign_in("lanhdao")
    leader.go("/linh-vuc/air_quality")
    leader.page.get_by_text("Bảng phân tích tạm thời chưa mở được.").wait_for()
    assert leader.page.locator(".station").count() == 8
    assert leader.page.get_by_role("row", name="Khu kinh tế Nghi Sơn").get_by_text("171").is_visible()


def test_an_officer_accepts_an_alert_on_the_phone(visit: Callable[..., Visit]) -> None:
    officer = visit().sign_in("truc")
    page = officer.page
    assert page.get_by_label("tin chưa đọc").is_visible()
    page.locator(".main-nav").get_by_text("Cảnh báo").click()
    page.get_by_role("link", name="Nhà máy xi măng Bỉm Sơn").click()
    page.get_by_label("Ghi chú: đang làm gì, ai làm").fill("Đã gọi trạm, cử người kiểm tra")
    page.get_by_label("Nhận trong").select_option("2")
    page.get_by_role("button", name="Nhận xử lý").click()
    page.get_by_text("đã nhận lúc").wait_for()
    assert page.locator(".timeline .of-act").get_by_text("Đã gọi trạm").is_visible()
    page.locator(".main-nav").get_by_text("Hộp thư").click()
    page.get_by_role("button", name="Đánh dấu tất cả đã đọc").click()
    page.wait_for_load_state()
    assert page.get_by_label("tin chưa đọc").count() == 0


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
def test_every_page_fits_its_screen_asks_nobody_else_and_has_no_complaint(
    visit: Callable[..., Visit], viewport: dict[str, int]
) -> None:
    engineer = visit(viewport)
    origin = urlsplit(engineer.settings.portal_url()).netloc

    def look(path: str) -> None:
        page = engineer.go(path)
        page.evaluate("document.fonts.ready.then(() => true)")
        if page.locator(".embed-state").count():
            page.locator(".embed-state.warn").wait_for()
        widths = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert widths[0] <= widths[1], f"{path} scrolls sideways: {widths}"
        assert page.evaluate("document.fonts.check('16px \"Be Vietnam Pro\"', 'Thanh Hóa ự')"), path

    for path in PUBLIC:
        look(path)
    engineer.sign_in("kysu")
    engineer.go("/canh-bao")
    alert = engineer.page.locator(".incident-line").first.get_attribute("href")
    engineer.go("/linh-vuc/air_quality")
    trace = engineer.page.get_by_role("link", name="Số này từ đâu?").first.get_attribute("href")
    assert alert
    assert trace
    inner = []
    for path, link in INNER.items():
        engineer.go(path)
        inner.append(engineer.page.locator(link).first.get_attribute("href") or "")
    for path in [*SIGNED_IN, alert, trace, *OPERATIONS, *inner]:
        look(path)
    elsewhere = {url for url in engineer.requests if urlsplit(url).netloc != origin and not url.startswith("data:")}
    assert elsewhere == set()
    # The two answers that these visits provoke on purpose: a page that is not there, a dashboard without Superset.
    told = [text for text in engineer.complaints if "404 (Not Found)" not in text and "503 (" not in text]
    assert told == []


def test_a_request_to_elsewhere_would_be_seen_and_is_blocked(visit: Callable[..., Visit]) -> None:
    """The planted fault of the test above: a foreign picture and an inline script put into the page."""
    citizen = visit()
    citizen.go("/cong-dan")
    citizen.page.evaluate(
        """() => {
            const picture = document.createElement("img");
            picture.src = "http://elsewhere.example/pixel.png";
            const script = document.createElement("script");
            script.textContent = "window.planted = true";
            document.body.append(picture, script);
        }"""
    )
    citizen.page.wait_for_timeout(300)
    assert citizen.page.evaluate("window.planted") is None
    assert sum("Content Security Policy" in text for text in citizen.complaints) == 2


def test_everything_can_be_reached_and_named_without_a_mouse(visit: Callable[..., Visit]) -> None:
    leader = visit(DESK).sign_in("lanhdao")
    page = leader.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.url.endswith("#main")
    leader.go("/vu-viec")
    case = leader.page.locator(".case-line").first.get_attribute("href") or ""
    for path in ["/", "/linh-vuc/air_quality", "/canh-bao", "/hop-thu", "/tai-khoan", *OPERATIONS, case]:
        leader.go(path)
        nameless = page.evaluate(
            """() => [...document.querySelectorAll("a, button, input, select, textarea, svg[role=img]")]
                .filter(e => e.type !== "hidden")
                .filter(e => !e.closest("[aria-hidden=true]"))
                .filter(e => !(e.innerText?.trim() || e.textContent.trim() || e.getAttribute("aria-label")
                    || e.labels?.length))
                .map(e => e.outerHTML)"""
        )
        assert nameless == [], path
        assert page.locator("h1").count() == 1, path
        assert page.evaluate("document.documentElement.lang") == "vi"
        ids = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
        assert len(ids) == len(set(ids)), path


def test_fingers_have_room_on_the_phone(visit: Callable[..., Visit]) -> None:
    officer = visit(has_touch=True).sign_in("truc")
    for path in ["/", "/canh-bao", "/hop-thu", "/tai-khoan", *OPERATIONS]:
        officer.go(path)
        small = officer.page.evaluate(
            """() => [...document.querySelectorAll(
                    ".button, .main-nav a, .me, .tile, a[class*='-line'], .tabs a, input")]
                .filter(e => e.type !== "hidden")
                .filter(e => !e.closest("[aria-hidden=true]") && !e.matches("[aria-hidden=true]"))
                .filter(e => e.getClientRects().length && !["checkbox", "radio"].includes(e.type))
                .filter(e => e.getBoundingClientRect().height < 38).map(e => e.outerHTML.slice(0, 120))"""
        )
        assert small == [], path


def test_who_asks_for_calm_gets_no_motion(visit: Callable[..., Visit]) -> None:
    for motion, names in (("reduce", "none"), ("no-preference", "pulse")):
        leader = visit(reduced_motion=motion).sign_in("lanhdao")
        assert leader.page.locator(".pulse").first.evaluate("e => getComputedStyle(e).animationName") == names


def test_a_citizen_reads_it_in_english_without_javascript(visit: Callable[..., Visit]) -> None:
    citizen = visit(java_script_enabled=False)
    page = citizen.go("/cong-dan")
    page.get_by_role("link", name="English").click()
    assert page.url.endswith("/cong-dan")
    assert page.get_by_role("heading", name="Air quality in Thanh Hóa").is_visible()
    assert page.get_by_text("Highest now: Khu kinh tế Nghi Sơn, unhealthy.").is_visible()
    assert page.get_by_text("Cảng Nghi Sơn").count() == 0, "not a public station"
