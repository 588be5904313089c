"""Receipts of gateways: who may bring one, and writing it down. Called by the portal's door for them."""

from __future__ import annotations

import hmac
import ipaddress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from alerts.gateways import adapters
from alerts.gateways.base import ReceiptUnreadableError
from alerts.sending.signing import is_signed, receipt_key
from ioc import warehouse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ioc.settings import Settings

Outcome = Literal["recorded", "repeated", "unknown"]


class ReceiptRefusedError(Exception):
    """What came is not taken; ``reason`` is counted: ``gateway``, ``network``, ``key``, ``unreadable``."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def check_sender(gateway: str, *, address: str, key: str, signature: str, body: bytes, settings: Settings) -> None:
    """Let in who may bring receipts of ``gateway``.

    Args:
        gateway: Name in the address that was called.
        address: Of whoever calls.
        key: What stood in ``?key=``.
        signature: What stood in ``X-IOC-Signature``.
        body: The request's body, as it came.
        settings: Settings of the stack.

    Raises:
        ReceiptRefusedError: no such gateway, another network than ``IOC_RECEIPT_NETWORKS``, or a wrong key.
    """
    if gateway not in adapters():
        raise ReceiptRefusedError("gateway")
    networks = [ipaddress.ip_network(one, strict=False) for one in settings.receipt_networks.split()]
    if networks:
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            raise ReceiptRefusedError("network") from None
        if not any(found in network for network in networks):
            raise ReceiptRefusedError("network")
    wanted = receipt_key(settings, gateway)
    if not (hmac.compare_digest(key.encode(), wanted.encode()) or is_signed(wanted, signature, body)):
        raise ReceiptRefusedError("key")


def take(gateway: str, values: Mapping[str, str], settings: Settings, at: datetime | None = None) -> Outcome:
    """Write a receipt down once and move its message; repeated and unknown ones are counted and change nothing.

    Raises:
        ReceiptRefusedError: it cannot be read.
    """
    try:
        receipt = adapters()[gateway].parse_receipt(values)
    except ReceiptUnreadableError as error:
        raise ReceiptRefusedError("unreadable") from error
    with warehouse.connect("portal", settings) as connection:
        row = connection.execute(
            "select notify.take_receipt(%s, %s, %s, %s, %s, %s, %s)",
            (
                gateway, receipt.provider_id, receipt.request_id, receipt.status, receipt.provider_status,
                receipt.detail, at or datetime.now(UTC),
            ),
        ).fetchone()  # fmt: skip
    assert row is not None
    outcome: Outcome = row[0]
    return outcome


def count_refused(gateway: str, reason: str, settings: Settings, at: datetime | None = None) -> None:
    """Note that something came to the door that was no receipt."""
    with warehouse.connect("portal", settings) as connection:
        connection.execute(
            "insert into notify.receipt_refused as r (gateway, reason, last_at) values (%s, %s, %s) "
            "on conflict (gateway, reason) do update set times = r.times + 1, last_at = excluded.last_at",
            (gateway if gateway in adapters() else "?", reason, at or datetime.now(UTC)),
        )
