"""Gateways that take nothing are left alone for a while, and somebody is told.

Without this every queued message would knock at a closed door, and a gateway without balance would look like so many
messages that failed.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from psycopg.rows import class_row

from alerts.channels import all_channels
from alerts.notifying import notice, routing

if TYPE_CHECKING:
    import psycopg

    from alerts.channels.base import Trouble
    from ioc.settings import Settings

_log = logging.getLogger(__name__)
_SHORTEST, _LONGEST = timedelta(seconds=15), timedelta(minutes=5)
_WORDS: dict[Trouble, str] = {
    "balance": "hết số dư",
    "credentials": "từ chối tài khoản hoặc địa chỉ IP của hệ thống",
    "configuration": "báo cấu hình sai (thương hiệu hoặc loại tin)",
    "unreachable": "không trả lời",
}


@dataclass(frozen=True, slots=True)
class State:
    """How a gateway is; ``open_since`` null: it takes messages."""

    gateway: str
    reason: Trouble | None
    detail: str | None
    failure_count: int
    open_since: datetime | None
    retry_at: datetime | None

    def is_closed_at(self, at: datetime) -> bool:
        """Whether the gateway should be left alone at ``at``; from ``retry_at`` on one message may try it."""
        return self.retry_at is not None and at < self.retry_at

    def text(self) -> str:
        return f"gateway {self.gateway}: {self.reason} ({self.detail})"


@dataclass(frozen=True, slots=True)
class Failure:
    """A gateway takes nothing, and why."""

    gateway: str
    reason: Trouble
    detail: str


def load(connection: psycopg.Connection) -> dict[str, State]:
    """The gateways that have failed lately, by name."""
    with connection.cursor(row_factory=class_row(State)) as cursor:
        rows = cursor.execute(
            "select gateway, reason, detail, failure_count, open_since, retry_at from notify.gateway_state"
        )
        return {row.gateway: row for row in rows}


def worked(connection: psycopg.Connection, gateway: str) -> None:
    """The gateway took a message: forget what was."""
    connection.execute("delete from notify.gateway_state where gateway = %s", (gateway,))


def failed(connection: psycopg.Connection, settings: Settings, failure: Failure, at: datetime) -> None:
    """Leave the gateway alone, longer with every failure, and tell the operators once an hour at most."""
    with connection.transaction():
        row = connection.execute(
            """
            insert into notify.gateway_state as s (gateway, reason, detail, failure_count, open_since, retry_at)
            values (%(gateway)s, %(reason)s, %(detail)s, 1, %(at)s, %(at)s + %(shortest)s)
            on conflict (gateway) do update set reason = excluded.reason, detail = excluded.detail,
                failure_count = s.failure_count + 1, open_since = coalesce(s.open_since, excluded.open_since),
                retry_at = %(at)s + least(%(shortest)s * 2 ^ least(s.failure_count, 10), %(longest)s)
            returning failure_count, open_since
            """,
            {
                "gateway": failure.gateway, "reason": failure.reason, "detail": failure.detail[:500], "at": at,
                "shortest": _SHORTEST, "longest": _LONGEST,
            },
        ).fetchone()  # fmt: skip
        assert row is not None
        _log.warning("gateway %s takes nothing: %s (%s)", failure.gateway, failure.reason, failure.detail)
        # A server that is restarted comes back within the first two pauses; the other reasons need a person at once.
        if failure.reason != "unreachable" or row[0] >= 3:
            _tell(connection, settings, failure, at)


def _tell(connection: psycopg.Connection, settings: Settings, failure: Failure, at: datetime) -> None:
    fallback = connection.execute("select unit_code, roles from notify.route where is_fallback").fetchone()
    if fallback is None:
        return
    directory = routing.load(connection, at)
    teller = notice.Teller(connection, directory, at, settings)
    text = f"Cổng gửi tin {failure.gateway} {_WORDS[failure.reason]}"
    plain = notice.Plain(
        text,
        f"{text}: {failure.detail}.\nTin qua cổng này được giữ lại hoặc chuyển sang cổng khác, không mất tin. "
        "Hệ thống tự thử lại; cần xử lý với nhà cung cấp nếu kéo dài.",
    )
    told = 0
    for contact in directory.people(fallback[0], ["quan_tri", *fallback[1]]):
        for name in ("web", "email"):
            address = all_channels()[name].address_of(contact)
            if address:
                key = f"gateway|{failure.gateway}|{failure.reason}|{at:%Y%m%d%H}|{contact.code}|{name}"
                to = notice.Destination(key, None, None, contact.contact_id, name, address)
                told += teller.post(to, "gateway", {"text": plain.subject, "body": plain.body}, plain, level=2)
    if told:
        connection.execute("select pg_notify('ioc_outbox', '')")
