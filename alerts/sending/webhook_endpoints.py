"""Systems of partners that are told by webhook: their addresses, switching them off, and their keys.

A key is derived from the stack's secret and the key's number (:func:`alerts.channels.webhook.signing_key`): it lies in
no table, is shown once, and a new number makes a new one. Every act leaves an event in the audit chain.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psycopg
from psycopg.rows import class_row

from alerts import audit
from alerts.channels.webhook import signing_key
from alerts.incidents import ActRefusedError
from alerts.sending import outbound
from ioc import warehouse
from ioc.settings import get_settings

if TYPE_CHECKING:
    from ioc.settings import Settings

_LONGEST_URL = 500
# A page that was loaded again at once still shows the key, to the same person.
_SHOWN_FOR = timedelta(minutes=2)


@dataclass(frozen=True)
class Endpoint:
    """A system that is told.

    Attributes:
        endpoint_id: Key.
        contact_code: The contact that it is.
        contact_name: Its name.
        url: Where messages go.
        key_version: Number of the key in force.
        is_enabled: Whether anything goes there.
        created_by: Who added it.
        created_at: When.
        key_shown_at: When the key in force was handed out; None = not yet.
        delivered: Messages that it took in the last 30 days.
        failed: Messages that it did not take in the last 30 days.
        last_error: What it said to the newest of these.
    """

    endpoint_id: int
    contact_code: str
    contact_name: str
    url: str
    key_version: int
    is_enabled: bool
    created_by: str
    created_at: datetime
    key_shown_at: datetime | None
    delivered: int
    failed: int
    last_error: str | None


def endpoints(settings: Settings | None = None, at: datetime | None = None) -> list[Endpoint]:
    """All of them, by name."""
    with (
        warehouse.connect("portal", settings) as connection,
        connection.cursor(row_factory=class_row(Endpoint)) as cursor,
    ):
        return cursor.execute(
            """
            select w.endpoint_id, c.code as contact_code, c.name_vi as contact_name, w.url, w.key_version, w.is_enabled,
                w.created_by, w.created_at, w.key_shown_at, coalesce(o.delivered, 0) as delivered,
                coalesce(o.failed, 0) as failed, o.last_error
            from notify.webhook_endpoint w join ref.contact c using (contact_id)
            left join lateral (
                select count(*) filter (where status in ('accepted', 'delivered'))::int as delivered,
                    count(*) filter (where status = 'failed')::int as failed,
                    (array_agg(last_error order by created_at desc) filter (where status = 'failed'))[1] as last_error
                from notify.outbox o where o.contact_id = w.contact_id and o.channel = 'webhook'
                    and o.created_at > %s - interval '30 days'
            ) o on true
            order by c.name_vi
            """,
            (at or datetime.now(UTC),),
        ).fetchall()


def without_endpoint(settings: Settings | None = None) -> list[tuple[str, str]]:
    """Code and name of the contacts that have no endpoint yet."""
    with warehouse.connect("portal", settings) as connection:
        return connection.execute(
            "select code, name_vi from ref.contact c where is_active and not exists "
            "(select from notify.webhook_endpoint w where w.contact_id = c.contact_id) order by name_vi"
        ).fetchall()


def add(contact_code: str, url: str, user: str, *, settings: Settings | None = None, at: datetime | None = None) -> int:
    """Give a contact an endpoint; it is told what its roles and the routes say.

    Returns:
        The id of the endpoint.

    Raises:
        ActRefusedError: no such contact, it has one already, or an address that messages may not go to.
    """
    at = at or datetime.now(UTC)
    url = _checked(url, settings or get_settings())
    try:
        with warehouse.connect("portal", settings) as connection:
            row = connection.execute(
                "insert into notify.webhook_endpoint (contact_id, url, created_by, created_at) "
                "select contact_id, %s, %s, %s from ref.contact where code = %s and is_active returning endpoint_id",
                (url, user, at, contact_code),
            ).fetchone()
            if row is None:
                raise ActRefusedError("Không có liên hệ này trong danh bạ.")
            detail = {"contact": contact_code, "host": urlsplit(url).hostname}
            audit.record(connection, at, user, "webhook.added", about=("webhook", row[0]), detail=detail)
    except psycopg.errors.UniqueViolation:
        raise ActRefusedError("Liên hệ này đã có địa chỉ nhận.") from None
    return int(row[0])


def _checked(url: str, settings: Settings) -> str:
    """The address in the form in which it is kept."""
    url = url.strip()
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        host, port = None, 0
    if not host or len(url) > _LONGEST_URL or parts.scheme not in ("http", "https") or not url.isprintable():
        raise ActRefusedError("Địa chỉ phải có dạng https://tên-máy/đường-dẫn.")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise ActRefusedError("Địa chỉ không được chứa tên, mật khẩu hoặc dấu #.")
    try:
        is_named = outbound.is_allowed(host, port, settings)
        is_private = not ipaddress.ip_address(host).is_global
    except ValueError:
        is_named, is_private = False, False  # a name: looked up when it is used
    if is_private and not is_named:
        raise ActRefusedError("Địa chỉ nằm trong mạng nội bộ chưa được cho phép (IOC_OUTBOUND_NETWORKS).")
    if parts.scheme == "http" and not is_private:
        raise ActRefusedError("Ra ngoài mạng nội bộ phải dùng https://.")
    return url


def set_enabled(
    endpoint_id: int, is_enabled: bool, user: str, *, settings: Settings | None = None, at: datetime | None = None
) -> None:
    """Switch an endpoint off or on. What is queued for one that is off fails, and says so.

    Raises:
        ActRefusedError: no such endpoint, or it is as asked already.
    """
    with warehouse.connect("portal", settings) as connection:
        is_done = connection.execute(
            "update notify.webhook_endpoint set is_enabled = %s where endpoint_id = %s and is_enabled <> %s",
            (is_enabled, endpoint_id, is_enabled),
        ).rowcount
        if not is_done:
            raise ActRefusedError("Địa chỉ nhận này không có, hoặc đã ở trạng thái đó.")
        action = "webhook.enabled" if is_enabled else "webhook.disabled"
        audit.record(connection, at or datetime.now(UTC), user, action, about=("webhook", endpoint_id))


def new_key(endpoint_id: int, user: str, *, settings: Settings | None = None, at: datetime | None = None) -> int:
    """Make the next key of an endpoint; the one before stops to hold at once.

    Returns:
        The number of the new key.

    Raises:
        ActRefusedError: no such endpoint.
    """
    with warehouse.connect("portal", settings) as connection:
        row = connection.execute(
            "update notify.webhook_endpoint set key_version = key_version + 1, key_shown_at = null, "
            "key_shown_by = null where endpoint_id = %s returning key_version",
            (endpoint_id,),
        ).fetchone()
        if row is None:
            raise ActRefusedError("Không có địa chỉ nhận này.")
        audit.record(
            connection, at or datetime.now(UTC), user, "webhook.key_made", about=("webhook", endpoint_id),
            detail={"key_version": row[0]},
        )  # fmt: skip
    return int(row[0])


def show_key(endpoint_id: int, user: str, *, settings: Settings | None = None, at: datetime | None = None) -> str:
    """The key in force, once: whoever needs it again makes a new one.

    Raises:
        ActRefusedError: no such endpoint, or its key was shown before.
    """
    at = at or datetime.now(UTC)
    with warehouse.connect("portal", settings) as connection:
        row = connection.execute(
            """
            update notify.webhook_endpoint set key_shown_at = coalesce(key_shown_at, %(at)s), key_shown_by = %(user)s
            where endpoint_id = %(id)s
                and (key_shown_at is null or (key_shown_by = %(user)s and key_shown_at > %(since)s))
            returning key_version, key_shown_at = %(at)s
            """,
            {"id": endpoint_id, "user": user, "at": at, "since": at - _SHOWN_FOR},
        ).fetchone()
        if row is None:
            raise ActRefusedError("Khóa đã được hiện một lần; hãy tạo khóa mới nếu cần.")
        if row[1]:
            audit.record(
                connection, at, user, "webhook.key_shown", about=("webhook", endpoint_id),
                detail={"key_version": row[0]},
            )  # fmt: skip
    return signing_key(settings or get_settings(), endpoint_id, row[0])
