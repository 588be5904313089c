"""Webhook: a signed JSON POST to the system of a partner, which is a contact with an endpoint of its own.

The body is signed with HMAC-SHA256 over ``timestamp.body``; header ``X-IOC-Signature: t=…,v1=…``. ``Idempotency-Key``
is the outbox id on every retry. The key of an endpoint is derived (:func:`signing_key`) and given to its owner once.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import requests

from alerts import outbound
from alerts.channels.base import Contact, Message, Result, Send
from alerts.gateways.base import TIMEOUT_S, Direct, transport_failure
from alerts.notice import incident_code
from ioc.secrets import Secrets

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from alerts.gateways.base import Gateway
    from ioc.settings import Settings


class Webhook:
    """Reaches contacts that have a row in ``notify.webhook_endpoint``; the address in the outbox is its id."""

    in_database = False

    def address_of(self, contact: Contact) -> str | None:
        return contact.addresses.get("webhook")

    def gateways(self, settings: Settings) -> list[Gateway]:
        return [Direct("webhook", lambda connection: _session(settings, connection))]


def signing_key(settings: Settings, endpoint_id: int, key_version: int = 1) -> str:
    """The key with which messages to an endpoint are signed; a new ``key_version`` gives a new one."""
    secret = Secrets.of(settings).get("webhook_signing")
    return hmac.new(secret.encode(), f"webhook:{endpoint_id}:{key_version}".encode(), hashlib.sha256).hexdigest()


def signature(key: str, timestamp: int, body: bytes) -> str:
    """Value of ``X-IOC-Signature``; the receiver computes it anew and refuses timestamps older than five minutes."""
    digest = hmac.new(key.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={digest}"


def is_signed(key: str, header: str, body: bytes, now: float, *, tolerance_s: int = 300) -> bool:
    """Whether ``header`` is a fresh signature of ``body``: what a receiver has to check."""
    parts = dict(part.split("=", 1) for part in header.split(",") if "=" in part)
    stamp = parts.get("t", "")
    if not stamp.isascii() or not stamp.isdigit() or abs(now - int(stamp)) > tolerance_s:
        return False
    return hmac.compare_digest(signature(key, int(stamp), body), f"t={stamp},v1={parts.get('v1', '')}")


@contextmanager
def _session(settings: Settings, connection: psycopg.Connection) -> Iterator[Send]:
    with outbound.session(settings) as session:
        yield lambda message: _send(settings, connection, session, message)


def _send(settings: Settings, connection: psycopg.Connection, session: requests.Session, message: Message) -> Result:
    row = connection.execute(
        "select endpoint_id, url, key_version from notify.webhook_endpoint where endpoint_id = %s and is_enabled",
        (int(message.address),),
    ).fetchone()
    if row is None:
        return Result("failed", error="the endpoint was removed or switched off")
    endpoint_id, url, key_version = row
    body = json.dumps(_payload(message), ensure_ascii=False).encode()
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "Idempotency-Key": str(message.outbox_id),
        "X-IOC-Signature": signature(signing_key(settings, endpoint_id, key_version), int(time.time()), body),
        "User-Agent": "ioc-webhook/1",
    }
    try:
        answer = session.post(url, data=body, headers=headers, timeout=TIMEOUT_S, allow_redirects=False, stream=True)
        answer.close()
    except outbound.AddressRefusedError as error:
        return Result("failed", error=str(error))
    except requests.RequestException as error:
        # One endpoint that is down says nothing about the others.
        failed = transport_failure(error)
        return Result(failed.outcome, error=failed.error)
    code = answer.status_code
    if code < 300:
        return Result("delivered", str(code))
    if code in (408, 425, 429) or code >= 500:
        return Result("retry", str(code), error=f"HTTP {code}")
    return Result("failed", str(code), error=f"HTTP {code}")


def _payload(message: Message) -> dict[str, object]:
    return {
        "id": str(message.outbox_id),
        "level": message.level,
        "subject": message.subject,
        "text": message.body,
        "incidents": [{"id": str(one), "code": incident_code(one)} for one in message.incident_ids],
        "created_at": message.created_at.isoformat(),
    }


CHANNEL = Webhook()
