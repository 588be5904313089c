"""Receipts: accepted is not delivered; repeated, out of order, forged and unknown ones do no harm and are counted."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
import requests

from alerts.sending import signing
from alerts.sending.concerns import concerns
from portal.app import create_app
from tests.fixtures.message_gateways import Post, serving

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module", autouse=True)
def portal(shared: Post) -> Iterator[None]:
    """Where the receipts arrive."""
    with serving(create_app(shared.settings), shared.settings.port_portal):
        yield


def accepted(post: Post) -> tuple[str, str]:
    """A message that the gateway has taken: our id and its id."""
    (message,) = post.queue()
    post.drain(0, sms_gateway=post.only("esms"))
    return message, post.rows("select provider_id from notify.outbox where outbox_id = %s", message)[0][0]


def callback(provider_id: str, *, status: int = 5, ok: int = 1, request_id: str = "") -> dict[str, str]:
    return {
        "SMSID": provider_id, "SendStatus": str(status), "SendSuccess": str(ok), "SendFailed": str(1 - ok),
        "RequestId": request_id, "TypeId": "2",
    }  # fmt: skip


def bring(post: Post, values: Any, *, key: str | None = None, how: str = "get", **more: Any) -> requests.Response:
    """Knock at the portal's door as a gateway does."""
    url = f"{post.settings.portal_url()}/api/receipts/{more.pop('gateway', 'esms')}"
    key = signing.receipt_key(post.settings, "esms") if key is None else key
    if how == "get":
        return requests.get(url, params={**values, "key": key}, timeout=10)
    return requests.post(url, params={"key": key}, timeout=10, **{how: values}, **more)


def status(post: Post) -> str:
    return post.rows("select status from notify.outbox")[0][0]


def test_the_gateway_itself_reports_delivery_and_failure(post: Post) -> None:
    """End to end: our request names the address, the gateway calls it when the phone has the message."""
    post.behave(receipt_after_s=0.3)
    post.fault("undelivered", phone="84912000002")
    post.queue()
    post.queue(address="84912000002")
    post.drain(0, sms_gateway=post.only("esms"))
    assert post.statuses() == {"accepted": 2}, "accepted is not delivered"
    end = time.monotonic() + 20
    while "accepted" in post.statuses() and time.monotonic() < end:
        time.sleep(0.1)
    assert post.rows("select address, status from notify.outbox order by address") == [
        ("84912000001", "delivered"), ("84912000002", "failed"),
    ]  # fmt: skip


@pytest.mark.parametrize("how", ["get", "data", "json"])
def test_every_way_to_bring_a_receipt_is_understood_and_a_repetition_changes_nothing(post: Post, how: str) -> None:
    _, provider_id = accepted(post)
    answers = [bring(post, callback(provider_id), how=how).json()["receipts"] for _ in range(3)]
    assert answers == [["recorded"], ["repeated"], ["repeated"]]
    assert post.rows("select o.status, times from notify.outbox o join notify.receipt using (outbox_id)") == [
        ("delivered", 3)
    ]


@pytest.mark.parametrize("order", [(7, 5), (5, 7)])
def test_out_of_order_ends_the_same(post: Post, order: tuple[int, int]) -> None:
    _, provider_id = accepted(post)
    for one in order:
        bring(post, callback(provider_id, status=one))
    assert status(post) == "delivered"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_delivered_wins_over_failed_in_whichever_order(post: Post, order: tuple[int, int]) -> None:
    _, provider_id = accepted(post)
    for ok in order:
        bring(post, callback(provider_id, ok=ok))
    assert status(post) == "delivered"


def test_an_unknown_message_is_harmless_counted_and_found_when_it_becomes_known(post: Post) -> None:
    message, provider_id = accepted(post)
    assert bring(post, callback("of-somebody-else")).json() == {"receipts": ["unknown"]}
    assert bring(post, callback("early", request_id=message)).json() == {"receipts": ["recorded"]}
    assert post.rows("select count(*) from notify.receipt where outbox_id is null") == [(1,)]
    assert provider_id
    assert status(post) == "delivered"


def test_a_receipt_that_overtakes_our_own_bookkeeping_is_not_lost(post: Post) -> None:
    """The gateway is faster than our commit: the message is still being sent when its receipt comes."""
    (message,) = post.queue()
    post.run("update notify.outbox set status = 'sending', lease_until = %s, attempt_count = 1, gateway = 'esms'",
             post.at(1))  # fmt: skip
    assert bring(post, callback("fast", request_id=message)).json() == {"receipts": ["recorded"]}
    assert status(post) == "sending"
    # Its sender is dead; whoever comes next must not send again what has been delivered.
    post.drain(2, sms_gateway=post.only("esms"))
    assert status(post) == "delivered"
    assert post.phones() == []


def test_an_unknown_fate_is_settled_by_a_late_receipt(post: Post) -> None:
    message, _ = accepted(post)
    post.run("update notify.outbox set status = 'unknown', finished_at = now()")
    bring(post, callback("late", request_id=message))
    assert status(post) == "delivered"
    assert concerns(post.settings, post.at(0)) == []


def test_only_the_gateway_may_bring_receipts(post: Post) -> None:
    _, provider_id = accepted(post)
    real = signing.receipt_key(post.settings, "esms")
    assert bring(post, callback(provider_id), key="").status_code == 401
    assert bring(post, callback(provider_id), key=real[:-1]).status_code == 401
    assert bring(post, callback(provider_id), key="khóa").status_code == 401
    assert bring(post, callback(provider_id), key=real, gateway="viettel", how="json").status_code == 401
    assert bring(post, callback(provider_id), gateway="fax", how="json").status_code == 404
    assert status(post) == "accepted"
    refused = post.rows("select gateway, reason, times from notify.receipt_refused order by 1, 2")
    assert refused == [("?", "gateway", 1), ("esms", "key", 3), ("viettel", "key", 1)]


def test_a_signature_counts_while_it_is_fresh_and_fits_the_body(post: Post) -> None:
    _, provider_id = accepted(post)
    url = f"{post.settings.portal_url()}/api/receipts/esms"
    key = signing.receipt_key(post.settings, "esms")
    body = f'{{"SMSID": "{provider_id}", "SendStatus": 5, "SendSuccess": 1}}'.encode()
    now = int(time.time())
    for stamp, signed, answer in [
        (now - 400, body, 401), (now, body + b" ", 401), (now + 400, body, 401), (now, body, 200),
    ]:  # fmt: skip
        header = {"X-IOC-Signature": signing.signature(key, stamp, signed)}
        assert requests.post(url, data=body, headers=header, timeout=10).status_code == answer
    assert status(post) == "delivered"


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b"[1]", b"\xff\xfe", b"[" * 50000, b"{}", b'{"SMSID": "x", "SendStatus": "soon"}', b"a" * 70000],
)
def test_what_is_no_receipt_is_refused_and_counted(post: Post, body: bytes) -> None:
    key = signing.receipt_key(post.settings, "esms")
    answer = requests.post(
        f"{post.settings.portal_url()}/api/receipts/esms", params={"key": key}, data=body, timeout=10
    )
    assert answer.status_code in (400, 413)
    assert "error" in answer.json()
    if answer.status_code == 400:
        assert post.rows("select reason, times from notify.receipt_refused") == [("unreadable", 1)]


def test_without_a_receipt_the_gateway_is_asked_and_then_a_person_is(post: Post) -> None:
    post.behave(receipt_after_s=0.2)
    post.fault("no_receipt")
    accepted(post)
    time.sleep(0.5)
    assert post.drain(5, sms_gateway=post.only("esms")).sent == 0
    assert status(post) == "accepted", "too early to ask"
    post.drain(11, sms_gateway=post.only("esms"))
    assert status(post) == "delivered"


def test_a_silent_gateway_is_asked_less_and_less_and_the_message_is_listed(post: Post) -> None:
    accepted(post)
    asked = []
    for minute in (*range(0, 180, 10), *range(180, 2 * 1440, 120)):
        before = post.rows("select next_poll_at from notify.outbox")[0][0]
        post.drain(minute, sms_gateway=post.only("esms"))
        if post.rows("select next_poll_at from notify.outbox")[0][0] != before:
            asked.append(minute)
    assert asked[0] == 10
    assert len(asked) < 15
    assert max(asked) < 2 * 1440, "no longer asked after a day"
    assert concerns(post.settings, post.at(30)) == []
    assert [one.kind for one in concerns(post.settings, post.at(90))] == ["no_receipt"]
