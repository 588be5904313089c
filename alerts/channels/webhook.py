"""Webhook: a signed JSON POST to the system of a partner, which is a contact with an endpoint of its own.

The body is signed with HMAC-SHA256 over ``timestamp.body``; header ``X-IOC-Signature: t=…,v1=…``. ``Idempotency-Key``
is the outbox id on every retry. The key of an endpoint is derived (:func:`signing_key`) and given to its owner once;
:func:`alerts.sending.signing.is_signed` is what the owner's system has to do.
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import requests

from alerts.channels.base import Contact, Message, Result, Send
from alerts.gateways.base import TIMEOUT_S, Direct, transport_failure
from alerts.notifying.notice import incident_code
from alerts.sending import outbound
from alerts.sending.signing import derived, signature
from ioc import warehouse
from ioc.secrets import Secrets
from ioc.settings import get_settings

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
    return derived(Secrets.of(settings).get("webhook_signing"), f"webhook:{endpoint_id}:{key_version}")


@contextmanager
def _session(settings: Settings, connection: psycopg.Connection) -> Iterator[Send]:
    silent: set[str] = set()
    with outbound.session(settings) as session:

        def send(message: Message) -> Result:
            # Somebody's system that hangs must not cost every message its time limit, nor hold up the others.
            if message.address in silent:
                return Result("retry", error="the endpoint did not answer a moment ago")
            result = _send(settings, connection, session, message)
            if result.outcome != "failed" and result.provider_code is None:
                silent.add(message.address)
            return result

        yield send


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


def main() -> None:
    """Print the key of an endpoint, for its owner: ``python -m alerts.channels.webhook ENDPOINT_ID``."""
    settings = get_settings()
    with warehouse.connect("alerts", settings) as connection:
        row = connection.execute(
            "select url, key_version from notify.webhook_endpoint where endpoint_id = %s", (int(sys.argv[1]),)
        ).fetchone()
    if row is None:
        sys.exit(f"no endpoint {sys.argv[1]}")
    print(f"{row[0]}\n{signing_key(settings, int(sys.argv[1]), row[1])}")


if __name__ == "__main__":
    main()
