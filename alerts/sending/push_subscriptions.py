"""Browsers that people have switched push messages on in. Called by the portal."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec

from alerts.incidents import ActRefusedError
from ioc import warehouse

if TYPE_CHECKING:
    from ioc.settings import Settings

MOST = 10


def subscribe(
    user: str,
    endpoint: str,
    p256dh: str,
    auth: str,
    *,
    browser: str = "",
    settings: Settings | None = None,
    at: datetime | None = None,
) -> int:
    """Send push messages for ``user`` to one more browser; the same browser again is the same subscription.

    Args:
        user: Login name; its contact gets the messages.
        endpoint: Address of the browser's push service.
        p256dh: The browser's public key (URL-safe base 64).
        auth: The browser's secret, 16 bytes (URL-safe base 64).
        browser: What the browser calls itself.
        settings: Settings of the stack; default: this process's.
        at: The clock; default: now.

    Returns:
        The id of the subscription.

    Raises:
        ActRefusedError: these are no keys of a browser, or the user is no contact that could be told anything.
    """
    parts = urlsplit(endpoint)
    is_local = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost")
    if not (parts.scheme == "https" or is_local) or not parts.hostname or len(endpoint) > 2000:
        raise ActRefusedError("Trình duyệt gửi địa chỉ nhận thông báo không hợp lệ.")
    if not _are_keys(p256dh, auth):
        raise ActRefusedError("Trình duyệt gửi khóa nhận thông báo không hợp lệ.")
    with warehouse.connect("portal", settings) as connection:
        contact = connection.execute(
            "select contact_id from ref.contact where user_name = %s and is_active", (user,)
        ).fetchone()
        if contact is None:
            raise ActRefusedError("Tài khoản chưa gắn với người nhận nào trong danh bạ; hãy liên hệ quản trị hệ thống.")
        row = connection.execute(
            """
            insert into notify.push_subscription (contact_id, endpoint, p256dh, auth, browser, created_at)
            values (%s, %s, %s, %s, %s, %s)
            on conflict (endpoint) do update set contact_id = excluded.contact_id, p256dh = excluded.p256dh,
                auth = excluded.auth, browser = excluded.browser
            returning subscription_id
            """,
            (contact[0], endpoint, p256dh, auth, browser[:300], at or datetime.now(UTC)),
        ).fetchone()
        assert row is not None
        # Browsers come and go without a word; the oldest make room.
        connection.execute(
            """
            delete from notify.push_subscription where contact_id = %s and subscription_id not in (
                select subscription_id from notify.push_subscription where contact_id = %s
                order by subscription_id desc limit %s)
            """,
            (contact[0], contact[0], MOST),
        )
    return int(row[0])


def _are_keys(p256dh: str, auth: str) -> bool:
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), _decoded(p256dh))
        return len(_decoded(auth)) == 16 and len(p256dh) <= 200
    except (ValueError, binascii.Error):
        return False


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def unsubscribe(user: str, endpoint: str, settings: Settings | None = None) -> bool:
    """Stop sending to a browser of ``user``; whether there was such a subscription."""
    with warehouse.connect("portal", settings) as connection:
        return bool(
            connection.execute(
                "delete from notify.push_subscription s using ref.contact c "
                "where c.contact_id = s.contact_id and c.user_name = %s and s.endpoint = %s",
                (user, endpoint),
            ).rowcount
        )


def count(user: str, settings: Settings | None = None) -> int:
    """How many browsers of ``user`` get push messages."""
    with warehouse.connect("portal", settings) as connection:
        row = connection.execute(
            "select count(*) from notify.push_subscription s join ref.contact c using (contact_id) "
            "where c.user_name = %s",
            (user,),
        ).fetchone()
    return int(row[0]) if row else 0
