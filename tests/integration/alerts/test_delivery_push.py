"""Browser push and webhooks over real HTTP: encrypted, signed, and one dead receiver holds nobody up."""

from __future__ import annotations

import json
import socket
import time
import uuid
from typing import TYPE_CHECKING, Any

import jwt
import pytest
import requests
from fastapi import FastAPI, Request, Response

from alerts.channels import get_channel, push
from alerts.channels.webhook import signing_key
from alerts.incidents import ActRefusedError
from alerts.notifying import routing
from alerts.sending import delivery, outbound, push_subscriptions, signing
from ioc import warehouse
from tests.fixtures.message_gateways import Post, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ioc.settings import Settings
    from tests.integration.alerts.conftest import Desk

INCIDENT = uuid.UUID("1a2b3c4d-0000-4000-8000-000000000001")


def browser(post: Post, user: str = "truc") -> str:
    """Somebody switches push on in one more browser; returns the address of its messages."""
    made = requests.post(f"{post.sandbox}/push/subscription", timeout=5).json()
    push_subscriptions.subscribe(user, made["endpoint"], **made["keys"], settings=post.settings)
    return str(made["endpoint"])


def shown(endpoint: str) -> list[dict[str, Any]]:
    return [{**one, **json.loads(one["content"])} for one in requests.get(f"{endpoint}/messages", timeout=5).json()]


def answer(endpoint: str, *statuses: int) -> None:
    requests.post(f"{endpoint}/fault", json={"answers": statuses}, timeout=5).raise_for_status()


def tell(post: Post, contact: int, level: int = 3, incidents: tuple[uuid.UUID, ...] = (INCIDENT,)) -> None:
    post.queue(
        channel="push", address=str(contact), contact=contact, level=level, incidents=list(incidents),
        body="Trạm Hàm Rồng: AQI 163",
    )  # fmt: skip


def test_a_message_reaches_every_browser_of_a_person_encrypted_and_signed(post: Post) -> None:
    contact = post.contact("truc", user_name="truc")
    endpoints = [browser(post), browser(post)]
    tell(post, contact)
    assert post.drain(0, "push").sent == 1
    for endpoint in endpoints:
        (message,) = shown(endpoint)
        assert (message["title"], message["body"]) == ("Cảnh báo", "Trạm Hàm Rồng: AQI 163")
        assert (message["topic"], message["tag"], message["urgency"]) == ("SC-1A2B3C4D", "SC-1A2B3C4D", "high")
        assert message["url"] == f"/canh-bao/{INCIDENT}"
        assert message["ttl"] == 86400


def test_a_newer_message_replaces_the_older_one_of_the_same_incident(post: Post) -> None:
    contact = post.contact("truc", user_name="truc")
    endpoint = browser(post)
    tell(post, contact, level=2)
    post.drain(0, "push")
    tell(post, contact, level=4)
    post.drain(1, "push")
    assert [message["level"] for message in shown(endpoint)] == [4]


@pytest.mark.parametrize("status", [404, 410])
def test_a_browser_that_is_gone_is_forgotten_and_the_others_get_it(post: Post, status: int) -> None:
    contact = post.contact("truc", user_name="truc")
    gone, alive = browser(post), browser(post)
    other = post.contact("lanhdao", user_name="lanhdao")
    others = browser(post, "lanhdao")
    answer(gone, status)
    tell(post, contact)
    tell(post, other)
    report = post.drain(0, "push")
    assert (report.sent, report.failed) == (2, 0)
    assert len(shown(alive)) == len(shown(others)) == 1
    assert {endpoint for (endpoint,) in post.rows("select endpoint from notify.push_subscription")} == {alive, others}


def test_when_every_browser_is_gone_the_message_says_so(post: Post) -> None:
    contact = post.contact("truc", user_name="truc")
    answer(browser(post), 410)
    tell(post, contact)
    assert post.drain(0, "push").failed == 1
    assert "no browser" in post.rows("select last_error from notify.outbox")[0][0]
    assert get_channel("push").address_of(people(post)["truc"]) is None, "and nobody is told there again"


def test_a_busy_push_service_is_tried_again_without_doubling_at_the_others(post: Post) -> None:
    contact = post.contact("truc", user_name="truc")
    busy, free = browser(post), browser(post)
    answer(busy, 429, 503)
    tell(post, contact)
    assert [post.drain(minute, "push").sent for minute in (0, 1, 2)] == [0, 0, 1]
    assert (len(shown(busy)), len(shown(free))) == (1, 1)
    assert post.rows("select count(*) from notify.push_delivery") == [(2,)]


def test_a_refusal_of_our_own_key_forgets_nobody(post: Post) -> None:
    contact = post.contact("truc", user_name="truc")
    answer(browser(post), 403)
    tell(post, contact)
    assert post.drain(0, "push").retried == 1
    assert post.rows("select count(*) from notify.push_subscription") == [(1,)]


def test_the_token_is_made_anew_for_every_sending_and_lasts_less_than_a_day(post: Post) -> None:
    seen: list[str] = []
    service = FastAPI()

    @service.post("/{token}")
    async def take(request: Request) -> Response:
        seen.append(request.headers["authorization"])
        return Response(status_code=201)

    contact = post.contact("truc", user_name="truc")
    made = requests.post(f"{post.sandbox}/push/subscription", timeout=5).json()
    port = post.settings.port_airflow_worker_logs
    push_subscriptions.subscribe("truc", f"http://127.0.0.1:{port}/x", **made["keys"], settings=post.settings)
    with serving(service, port):
        for minute in (0, 1):
            tell(post, contact)
            post.drain(minute, "push", outbound_networks="127.0.0.0/8")
            time.sleep(1.1)
    tokens = [one.split("t=")[1].split(",")[0] for one in seen]
    claims = [jwt.decode(token, options={"verify_signature": False}) for token in tokens]
    assert all(time.time() < one["exp"] <= time.time() + 86400 for one in claims)
    assert claims[0]["exp"] != claims[1]["exp"]
    assert claims[0]["aud"] == f"http://127.0.0.1:{port}"
    assert claims[0]["sub"].startswith("mailto:")


def test_the_servers_key_is_the_same_after_a_restart_and_another_stacks_differs(
    post: Post, tmp_path_factory: pytest.TempPathFactory
) -> None:
    first = push.public_key(post.settings)
    push._private_key.cache_clear()
    assert push.public_key(post.settings) == first
    elsewhere = post.settings.model_copy(update={"home": tmp_path_factory.mktemp("home")})
    assert push.public_key(elsewhere) != first


def test_only_real_keys_of_a_known_person_are_kept(post: Post) -> None:
    post.contact("truc", user_name="truc")
    keys = requests.post(f"{post.sandbox}/push/subscription", timeout=5).json()["keys"]
    good = "https://push.example/abc"
    for user, endpoint, p256dh, auth in [
        ("ai-do", good, keys["p256dh"], keys["auth"]),
        ("truc", "http://push.example/abc", keys["p256dh"], keys["auth"]),
        ("truc", "file:///etc/passwd", keys["p256dh"], keys["auth"]), ("truc", good, "AAAA", keys["auth"]),
        ("truc", good, keys["p256dh"], "ngắn"), ("truc", good, "", ""),
    ]:  # fmt: skip
        with pytest.raises(ActRefusedError):
            push_subscriptions.subscribe(user, endpoint, p256dh, auth, settings=post.settings)
    for number in range(push_subscriptions.MOST + 3):
        push_subscriptions.subscribe("truc", f"{good}{number}", **keys, settings=post.settings)
    push_subscriptions.subscribe("truc", f"{good}12", **keys, settings=post.settings)
    assert push_subscriptions.count("truc", post.settings) == push_subscriptions.MOST
    assert push_subscriptions.unsubscribe("lanhdao", f"{good}12", post.settings) is False
    assert push_subscriptions.unsubscribe("truc", f"{good}12", post.settings) is True


def people(post: Post) -> dict[str, Any]:
    with warehouse.connect("alerts", post.settings) as connection:
        directory = routing.load(connection, post.at(0))
    return {contact.code: contact for contacts in directory.by_unit.values() for contact in contacts}


class Partner:
    """Somebody's system with a webhook: checks the signature as it is told to, and answers what the test wants."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.received: list[dict[str, Any]] = []
        self.ids: list[str] = []
        self.forged = 0
        self.answers: list[int] = []
        self.application = FastAPI()

        @self.application.post("/hook")
        async def take(request: Request) -> Response:
            body = await request.body()
            if not signing.is_signed(self.key, request.headers["x-ioc-signature"], body):
                self.forged += 1
                return Response(status_code=401)
            status = self.answers.pop(0) if self.answers else 204
            if status < 300:
                self.received.append(json.loads(body))
                self.ids.append(request.headers["idempotency-key"])
            return Response(status_code=status, headers={"Location": "http://127.0.0.1:1/"} if status == 302 else None)


@pytest.fixture
def partner(post: Post) -> Iterator[tuple[Partner, str]]:
    """A partner's system, and the address of its endpoint in the outbox."""
    contact = post.contact("doi-tac")
    port = post.settings.port_airflow_worker_logs
    ((endpoint,),) = _endpoint(post, contact, f"http://127.0.0.1:{port}/hook")
    made = Partner(signing_key(post.settings, endpoint))
    with serving(made.application, port):
        yield made, str(endpoint)


def _endpoint(post: Post, contact: int, url: str) -> list[tuple[Any, ...]]:
    with warehouse.connect("owner", post.settings) as connection:
        return connection.execute(
            "insert into notify.webhook_endpoint (contact_id, url, created_by) values (%s, %s, 'quantri') "
            "returning endpoint_id",
            (contact, url),
        ).fetchall()


def call(post: Post, minute: float, **settings: Any) -> Any:
    return post.drain(minute, "webhook", outbound_networks="127.0.0.0/8", **settings)


def test_a_webhook_is_signed_and_keeps_its_id(post: Post, partner: tuple[Partner, str]) -> None:
    system, endpoint = partner
    assert get_channel("webhook").address_of(people(post)["doi-tac"]) == endpoint
    system.answers = [503, 500, 204]
    (message,) = post.queue(channel="webhook", address=endpoint, level=2, body="Trạm 1: AQI 163", incidents=[INCIDENT])
    assert [call(post, minute).sent for minute in (0, 1, 2)] == [0, 0, 1]
    assert system.ids == [message]
    assert system.received[0]["text"] == "Trạm 1: AQI 163"
    assert system.received[0]["incidents"] == [{"id": str(INCIDENT), "code": "SC-1A2B3C4D"}]
    assert post.statuses() == {"delivered": 1}
    assert system.forged == 0


def test_a_webhook_signed_with_another_key_is_refused_there(post: Post, partner: tuple[Partner, str]) -> None:
    """The planted fault: with a new key version the partner's old key fits nothing."""
    system, endpoint = partner
    post.run("update notify.webhook_endpoint set key_version = 2")
    post.queue(channel="webhook", address=endpoint)
    assert call(post, 0).failed == 1
    assert (system.forged, system.received) == (1, [])


def test_a_body_that_was_changed_on_the_way_fits_no_signature() -> None:
    header = signing.signature("khoa", 1000, b'{"level": 4}')
    assert signing.is_signed("khoa", header, b'{"level": 4}', now=1100)
    assert not signing.is_signed("khoa", header, b'{"level": 1}', now=1100)
    assert not signing.is_signed("khoa", header, b'{"level": 4}', now=2000)
    assert not signing.is_signed("khoa", header.replace("t=1000", "t=1050"), b'{"level": 4}', now=1100)
    for nonsense in ("", "t=,v1=", "v1=ab", "t=9" * 50, "t=²,v1=x", "t=1000,v1=é"):
        assert not signing.is_signed("khoa", nonsense, b"", now=1000)


def test_webhooks_and_push_do_not_reach_into_private_networks(post: Post, partner: tuple[Partner, str]) -> None:
    system, endpoint = partner
    post.queue(channel="webhook", address=endpoint)
    report = post.drain(0, "webhook")
    assert (report.failed, report.errors) == (1, ["this address may not be reached from here"])
    system.answers = [302]
    post.queue(channel="webhook", address=endpoint)
    assert call(post, 1).failed == 1, "a redirect is not followed"
    assert system.received == []


@pytest.mark.parametrize(
    ("address", "port", "allowed"),
    [
        ("93.184.216.34", 443, True), ("2606:2800:220:1::1", 443, True), ("127.0.0.1", 80, False),
        ("10.1.2.3", 443, False), ("192.168.1.1", 443, False), ("169.254.169.254", 80, False), ("::1", 80, False),
        ("::ffff:127.0.0.1", 80, False), ("fe80::1%eth0", 443, False), ("100.64.0.1", 443, False),
        ("0.0.0.0", 80, False), ("224.0.0.1", 80, False), ("172.16.5.5", 443, True),
    ],
)  # fmt: skip
def test_which_addresses_may_be_reached(settings_without: Settings, address: str, port: int, allowed: bool) -> None:
    assert outbound.is_allowed(address, port, settings_without) is allowed


@pytest.fixture
def settings_without(shared: Post) -> Settings:
    return shared.settings.model_copy(update={"with_sandbox": False, "outbound_networks": "172.16.5.0/24"})


def test_an_incident_reaches_phone_browser_and_partner_in_their_own_words(desk: Desk, shared: Post) -> None:
    """The whole way, from a signal through routes and templates: one message on each channel."""
    settings = desk.settings
    address = shared.sandbox
    post = Post(settings, address)
    requests.delete(f"{address}/sms/messages", timeout=5).raise_for_status()
    desk.run("insert into alerting.entity values ('station', 'TH-01', 'Trạm Hàm Rồng', '14758')")
    desk.run(
        "update ref.contact set phone = '0912 000 001', phone_verified_at = now(), quiet_from = null, "
        "quiet_to = null where user_name = 'truc'"
    )
    made = requests.post(f"{address}/push/subscription", timeout=5).json()
    push_subscriptions.subscribe("truc", made["endpoint"], **made["keys"], settings=settings)
    contact = desk.one(
        "insert into ref.contact (code, name_vi, unit_code, roles) values "
        "('he-thong', 'Hệ thống của Sở', 'SNNMT', '{truc_ban}') returning contact_id"
    )
    ((endpoint,),) = _endpoint(post, contact, f"http://127.0.0.1:{settings.port_airflow_worker_logs}/hook")
    system = Partner(signing_key(settings, endpoint))
    desk.signal({14: 163.0}, unit_code="14758")
    desk.evaluate(14.1)
    with serving(system.application, settings.port_airflow_worker_logs):
        reports = [
            delivery.drain(name, settings.model_copy(update={"outbound_networks": "127.0.0.0/8"}), desk.at(14.1))
            for name in delivery.due_channels(settings, desk.at(14.1))
        ]
    assert {report.channel: report.errors for report in reports if report.channel != "email"} == {
        "push": [], "sms": [], "web": [], "webhook": [],
    }  # fmt: skip
    (text,) = [one for one in post.phones() if one["phone"] == "84912000001"]
    assert text["text"].isascii()
    assert "163" in text["text"]
    assert len(text["text"]) <= 306
    (bubble,) = shown(made["endpoint"])
    assert bubble["title"].startswith("Cảnh báo cấp 2 – Xấu")
    assert "AQI giờ tại Trạm Hàm Rồng là 163" in bubble["body"]
    (called,) = system.received
    assert called["text"].startswith("[Cảnh báo cấp 2 – Xấu] AQI giờ tại Trạm Hàm Rồng là 163")
    assert called["incidents"][0]["code"] == bubble["tag"]


def test_a_partner_that_hangs_costs_its_time_limit_once_and_nobody_else(
    post: Post, partner: tuple[Partner, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    system, endpoint = partner
    monkeypatch.setattr("alerts.channels.webhook.TIMEOUT_S", (1, 1))
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        hanging = post.contact("im-lang")
        ((other,),) = _endpoint(post, hanging, f"http://127.0.0.1:{silent.getsockname()[1]}/")
        post.queue(10, channel="webhook", address=str(other), level=4)
        post.queue(3, channel="webhook", address=endpoint, level=1)
        begun = time.monotonic()
        report = call(post, 0)
    assert (report.sent, report.retried) == (3, 10)
    assert len(system.received) == 3
    assert time.monotonic() - begun < 8
