"""Signatures over HTTP bodies: HMAC-SHA256 of ``timestamp.body``, with keys derived from the stack's secrets."""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import TYPE_CHECKING

from ioc.secrets import Secrets

if TYPE_CHECKING:
    from ioc.settings import Settings

_FRESH_S = 300


def derived(secret: str, purpose: str) -> str:
    """A key for one purpose; it tells nothing about the secret or about other keys."""
    return hmac.new(secret.encode(), purpose.encode(), hashlib.sha256).hexdigest()


def receipt_key(settings: Settings, gateway: str) -> str:
    """The key of one gateway's receipts.

    A gateway that can only call an address gets it as ``?key=…``; one that can sign signs with it.
    """
    return derived(Secrets.of(settings).get("receipt_signing"), f"receipt:{gateway}")


def signature(key: str, timestamp: int, body: bytes) -> str:
    """Value of ``X-IOC-Signature``: ``t=<epoch seconds>,v1=<hex>``."""
    digest = hmac.new(key.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={digest}"


def is_signed(key: str, header: str, body: bytes, now: float | None = None) -> bool:
    """Whether ``header`` is a signature of ``body`` that is at most five minutes old: what a receiver has to check."""
    parts = dict(part.split("=", 1) for part in header.split(",") if "=" in part)
    stamp = parts.get("t", "")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        return False
    is_fresh = abs((time.time() if now is None else now) - int(stamp)) <= _FRESH_S
    expected = signature(key, int(stamp), body).partition("v1=")[2]
    return hmac.compare_digest(expected.encode(), parts.get("v1", "").encode()) and is_fresh
