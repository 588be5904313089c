"""The dashboards as people see them: embedded at the portal's address, in Chromium, on a desktop and a phone."""

from __future__ import annotations

import re
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Browser, Page, Response, expect

from ioc import embed
from ioc.settings import PROJECT_ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Superset

SDK = (PROJECT_ROOT / "portal/static/vendor/superset-embedded-sdk-0.4.0.js").read_text(encoding="utf-8")
# Words that Superset's own pages would show in English; names of parameters and of the platform are not words.
ENGLISH = re.compile(
    r"\b(apply|clear|filters?|loading|show|entries|options?|no data|error|rows?|more|select)\b", re.IGNORECASE
)


@pytest.fixture(scope="module")
def portal(superset: Superset) -> Iterator[str]:
    """A page at the portal's address that embeds ``/<slug>`` the way the portal does."""

    class HostPage(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/favicon.ico":
                self.send_error(404)
                return
            minted = embed.guest_token(self.path.strip("/"), "lanh.dao", settings=superset.settings)
            options = (
                f"id: '{minted.embedded_uuid}', supersetDomain: '{minted.superset_domain}',"
                f"fetchGuestToken: () => Promise.resolve('{minted.token}'), mountPoint: document.body,"
                "dashboardUiConfig: {hideTitle: true}"
            )
            body = (
                '<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
                "<style>body {margin: 0} iframe {width: 100%; height: 100vh; border: 0}</style><body>"
                f"<script>{SDK}</script><script>supersetEmbeddedSdk.embedDashboard({{{options}}})</script>"
            ).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", superset.settings.port_portal), HostPage)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield superset.settings.portal_url()
    server.shutdown()
    server.server_close()


def _note(found: list[str], response: Response) -> None:
    if not response.url.startswith(("http://127.0.0.1:", "data:", "blob:")):
        found.append(f"from outside: {response.url[:120]}")
    elif response.status >= 400 and "favicon" not in response.url:
        found.append(f"{response.status} {response.url[:160]}")


def _open(page: Page, address: str, charts: int) -> str:
    """Open the page, wait until the charts of the first tab are drawn, and return the text that people see."""
    page.goto(address)
    frame = page.frame_locator("iframe")
    expect(frame.locator(".dashboard-component-chart-holder")).to_have_count(charts, timeout=90_000)
    # Charts ask for their data once they come into view; the table is the last to be drawn.
    expect(frame.locator("td", has_text="Nghi Sơn").first).to_be_visible(timeout=90_000)
    expect(frame.get_by_text("Đang chờ cơ sở dữ liệu")).to_have_count(0, timeout=90_000)
    expect(frame.get_by_test_id("loading-indicator")).to_have_count(0, timeout=90_000)
    page.wait_for_timeout(1_500)
    assert frame.locator(".ant-alert-error, [data-test=error-alert]").count() == 0
    return frame.locator("body").inner_text()


@pytest.mark.parametrize(("slug", "size"), [("air_quality", (1440, 1400)), ("air_quality_phone", (390, 2200))])
def test_people_see_the_stations_in_vietnamese_and_nothing_comes_from_outside(
    portal: str, browser: Browser, tmp_path: Path, slug: str, size: tuple[int, int]
) -> None:
    problems: list[str] = []
    page = browser.new_page(viewport={"width": size[0], "height": size[1]}, locale="vi-VN")
    page.on("response", partial(_note, problems))
    text = _open(page, f"{portal}/{slug}", charts=8)
    page.screenshot(path=tmp_path / f"{slug}.png")
    frame = page.frames[1]
    too_wide = frame.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    colours = frame.evaluate("[...document.querySelectorAll('td')].map(cell => getComputedStyle(cell).backgroundColor)")
    page.close()
    assert problems == []
    for word in ("Hiện trạng", "Bản đồ trạm quan trắc", "Nghi Sơn", "Phường Hạc Thành", "Áp dụng"):
        assert word in text
    assert ENGLISH.findall(text) == []
    assert too_wide <= 0
    assert {"rgb(0, 228, 0)", "rgb(255, 255, 0)"} & set(colours), "the table does not show the regulation's colours"
