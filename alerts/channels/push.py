"""Browser push (RFC 8030, 8291, 8292): to every browser that a person has switched it on in.

A browser that is gone (404, 410) is forgotten and holds nobody up. A retry goes only to browsers that do not have the
message yet; ``Topic`` and tag are the incident's code, so that a newer message replaces the older one on the screen.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from contextlib import contextmanager
from email.utils import parseaddr
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from py_vapid import Vapid02  # type: ignore[import-untyped]
from pywebpush import WebPusher, WebPushException  # type: ignore[import-untyped]

from alerts.channels.base import Contact, Message, Result, Send
from alerts.gateways.base import TIMEOUT_S, Direct, transport_failure
from alerts.notifying.notice import incident_code
from alerts.sending import outbound
from ioc.secrets import Secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg

    from alerts.gateways.base import Gateway
    from ioc.settings import Settings

_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
# Well below the 24 hours that push services allow; made anew for every sending.
_CLAIM_LASTS_S = 12 * 3600
_KEPT_S = 24 * 3600
# Push services take 4096 bytes, encryption included.
_TEXT_LENGTH = 700


class Push:
    """Reaches contacts with a row in ``notify.push_subscription``; the address in the outbox is the contact's id."""

    in_database = False

    def address_of(self, contact: Contact) -> str | None:
        return contact.addresses.get("push")

    def gateways(self, settings: Settings) -> list[Gateway]:
        return [Direct("push", lambda connection: _session(settings, connection))]


@lru_cache(maxsize=4)
def _private_key(secret: str) -> ec.EllipticCurvePrivateKey:
    number = int.from_bytes(hashlib.sha512(f"vapid:{secret}".encode()).digest())
    return ec.derive_private_key(number % (_P256_ORDER - 1) + 1, ec.SECP256R1())


def public_key(settings: Settings) -> str:
    """The server's public key (secret ``push_vapid``) as browsers want it: uncompressed point, URL-safe base 64."""
    key = _private_key(Secrets.of(settings).get("push_vapid")).public_key()
    point = key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    return base64.urlsafe_b64encode(point).rstrip(b"=").decode()


@contextmanager
def _session(settings: Settings, connection: psycopg.Connection) -> Iterator[Send]:
    silent: set[str] = set()
    with outbound.session(settings) as session:

        def to_browser(message: Message, browser: dict[str, Any]) -> Result:
            # A push service that hangs must not cost every browser its time limit, nor hold up the others.
            service = urlsplit(browser["endpoint"]).netloc
            if service in silent:
                return Result("retry", error="the push service did not answer a moment ago")
            result = _to_browser(settings, session, message, browser)
            if result.outcome != "failed" and result.provider_code is None:
                silent.add(service)
            return result

        yield lambda message: _send(connection, to_browser, message)


def _send(
    connection: psycopg.Connection, to_browser: Callable[[Message, dict[str, Any]], Result], message: Message
) -> Result:
    browsers = connection.execute(
        """
        select subscription_id, endpoint, p256dh, auth, exists (
            select from notify.push_delivery d where (d.outbox_id, d.subscription_id) = (%s, s.subscription_id))
        from notify.push_subscription s where contact_id = %s order by subscription_id
        """,
        (message.outbox_id, message.contact_id),
    ).fetchall()
    waiting: list[Result] = []
    reached = 0
    for subscription_id, endpoint, p256dh, auth, has_it in browsers:
        if has_it:
            reached += 1
            continue
        browser = {"endpoint": endpoint, "keys": {"p256dh": p256dh, "auth": auth}}
        result = to_browser(message, browser)
        if result.outcome == "accepted":
            reached += 1
            connection.execute(
                "insert into notify.push_delivery (outbox_id, subscription_id, accepted_at) "
                "values (%s, %s, now()) on conflict do nothing",
                (message.outbox_id, subscription_id),
            )
        elif result.outcome == "failed":
            connection.execute("delete from notify.push_subscription where subscription_id = %s", (subscription_id,))
        else:
            waiting.append(result)
    if waiting:
        return waiting[0]
    if reached:
        return Result("accepted", provider_code="201", provider_id=str(reached))
    return Result("failed", error="no browser of this person takes push messages any more")


def _to_browser(settings: Settings, session: requests.Session, message: Message, browser: dict[str, Any]) -> Result:
    """Hand one message to one browser's push service; ``failed`` means that the browser is gone for good."""
    origin = urlsplit(browser["endpoint"])
    tag = incident_code(message.incident_ids[0]) if message.incident_ids else f"TB-{message.outbox_id.hex[:8].upper()}"
    claims = {
        "sub": f"mailto:{parseaddr(settings.mail_from)[1]}",
        "aud": f"{origin.scheme}://{origin.netloc}",
        "exp": int(time.time()) + _CLAIM_LASTS_S,
    }
    headers = Vapid02(_private_key(Secrets.of(settings).get("push_vapid"))).sign(claims)
    headers |= {"Topic": tag, "Urgency": "high" if message.level >= 3 else "normal"}
    content = json.dumps(
        {
            "title": message.subject[:200],
            "body": message.body[:_TEXT_LENGTH],
            "tag": tag,
            "level": message.level,
            "url": f"/canh-bao/{message.incident_ids[0]}" if len(message.incident_ids) == 1 else "/canh-bao",
        },
        ensure_ascii=False,
    )
    try:
        pusher = WebPusher(browser, requests_session=session)
        answer = pusher.send(content, headers, ttl=_KEPT_S, timeout=TIMEOUT_S)
    except outbound.AddressRefusedError as error:
        return Result("failed", error=str(error))
    except requests.RequestException as error:
        failed = transport_failure(error)
        return Result(failed.outcome, error=failed.error)
    except (WebPushException, ValueError):
        return Result("failed", error="the browser's keys cannot be used")
    code = answer.status_code
    if code in (200, 201, 202):
        return Result("accepted", str(code))
    if code in (404, 410):
        return Result("failed", str(code), error="the browser has withdrawn")
    # Busy, or (400, 401, 403, 413) something is wrong with us: the browser must not be forgotten for that.
    return Result("retry", str(code), error=f"HTTP {code} of the push service")


CHANNEL = Push()
