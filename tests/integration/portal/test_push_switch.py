"""Browser push in a real browser: the switch on the account page, and the service worker that shows the message."""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests

from alerts.channels.push import public_key
from alerts.sending import push_subscriptions
from ioc.secrets import Secrets
from portal import users
from portal.app import create_app
from tests.fixtures.message_gateways import Post, sandbox, serving
from tests.fixtures.warehouses import warehouse_of_its_own

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from ioc.stack.postgres import EmbeddedPostgres

# A browser asks its maker's push service for an address; there is none here, so the sandbox's answer stands in for it.
# Everything after that is real: the page's script, our server, the service worker.
PUSH_SERVICE = """
(given) => {
  let now = null;
  const made = {
    endpoint: given.endpoint,
    toJSON: () => given,
    unsubscribe: async () => { now = null; return true; },
  };
  PushManager.prototype.getSubscription = async () => now;
  PushManager.prototype.subscribe = async (options) => {
    window.askedWith = Array.from(options.applicationServerKey);
    now = made;
    return made;
  };
}
"""


@pytest.fixture(scope="module")
def post(cluster: EmbeddedPostgres) -> Iterator[Post]:
    with warehouse_of_its_own(cluster) as settings, sandbox(settings) as address:
        users.ensure_initial_users(settings)
        with serving(create_app(settings), settings.port_portal):
            made = Post(settings, address)
            made.contact("truc", user_name="truc")
            yield made


@pytest.fixture
def page(post: Post, browser: Browser) -> Iterator[Page]:
    """The account page of the duty officer, who allows notices."""
    context = browser.new_context(base_url=post.settings.portal_url(), locale="vi-VN")
    context.grant_permissions(["notifications"], origin=post.settings.portal_url())
    opened = context.new_page()
    opened.goto("/dang-nhap")
    opened.fill("input[name=username]", "truc")
    opened.fill("input[name=password]", Secrets.of(post.settings).get("portal_truc"))
    opened.click("main form button")
    opened.wait_for_url("**/")
    yield opened
    context.close()


def until(what: Any, seconds: float = 15) -> Any:
    end = time.monotonic() + seconds
    while not (found := what()) and time.monotonic() < end:
        time.sleep(0.1)
    return found


def test_the_switch_subscribes_this_browser_and_takes_it_back(post: Post, page: Page) -> None:
    given = requests.post(f"{post.sandbox}/push/subscription", timeout=5).json()
    page.add_init_script(f"({PUSH_SERVICE})({json.dumps(given)})")
    page.goto("/tai-khoan")
    switch = page.locator("[data-push] button")
    switch.wait_for()
    assert switch.inner_text() == "Nhận thông báo trên trình duyệt này"
    switch.click()
    status = page.locator("[data-push] [role=status]")
    until(lambda: status.inner_text() == "Trình duyệt này đang nhận thông báo.", 30)
    assert status.inner_text() == "Trình duyệt này đang nhận thông báo."
    assert post.rows("select endpoint from notify.push_subscription") == [(given["endpoint"],)]
    asked = bytes(page.evaluate("window.askedWith"))
    assert len(asked) == 65
    assert asked.hex() == base64.urlsafe_b64decode(public_key(post.settings) + "=").hex()
    switch.click()
    until(lambda: status.inner_text() == "Trình duyệt này chưa nhận thông báo.", 30)
    assert status.inner_text() == "Trình duyệt này chưa nhận thông báo."
    assert post.rows("select count(*) from notify.push_subscription") == [(0,)]


def test_a_message_is_shown_by_the_worker_and_replaced_by_the_next_of_its_incident(post: Post, page: Page) -> None:
    page.goto("/tai-khoan")
    page.locator("[data-push] button").wait_for()
    session = page.context.new_cdp_session(page)
    known: list[str] = []
    session.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda event: known.extend(one["registrationId"] for one in event["registrations"]),
    )
    session.send("ServiceWorker.enable")
    page.evaluate(
        "navigator.serviceWorker.register('/push-worker.js', {scope: '/'}).then(() => navigator.serviceWorker.ready)"
        ".then(() => true)"
    )
    assert until(lambda: page.wait_for_timeout(50) or known)
    shown = "navigator.serviceWorker.ready.then(r => r.getNotifications()).then(a => a.map(n => [n.title, n.tag]))"
    for level, title in ((2, "Cảnh báo cấp 2"), (4, "Tăng lên cấp 4")):
        message = {"title": title, "body": "Trạm Hàm Rồng", "tag": "SC-1", "level": level, "url": "/canh-bao"}
        session.send(
            "ServiceWorker.deliverPushMessage",
            {"origin": post.settings.portal_url(), "registrationId": known[-1], "data": json.dumps(message)},
        )
        assert until(lambda title=title: page.evaluate(shown) == [[title, "SC-1"]])  # type: ignore[misc]


def test_only_signed_in_people_with_a_page_of_ours_subscribe(post: Post) -> None:
    url = post.settings.portal_url()
    assert requests.get(f"{url}/api/push/key", timeout=5).status_code == 401
    body = {"endpoint": "https://push.example/x", "keys": {}}
    assert requests.post(f"{url}/api/push/subscription", json=body, timeout=5).status_code in (400, 401)
    worker = requests.get(f"{url}/push-worker.js", timeout=5)
    assert worker.headers["content-type"].startswith("text/javascript")
    assert worker.headers["cache-control"] == "no-cache"
    assert push_subscriptions.count("truc", post.settings) == 0
