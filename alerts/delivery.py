"""Empties the outbox of one channel: claim and commit, hand over, commit the result.

A message whose sender dies before writing the result is found by its expired lease and, depending on the channel, sent
again under the same request id or put on the operator's list as ``unknown``.
"""

from __future__ import annotations

import logging
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from alerts.channels import get_channel
from alerts.channels.base import Message, Result
from ioc import warehouse
from ioc.settings import get_settings

if TYPE_CHECKING:
    import psycopg

    from alerts.channels.base import Channel, Send
    from ioc.settings import Settings

_log = logging.getLogger(__name__)
LEASE = timedelta(seconds=30)
_CLAIM_SIZE = 20
_MAX_ATTEMPTS = 20
_LONGEST_BACK_OFF = timedelta(hours=1)


@dataclass
class DeliveryReport:
    """What came of one drain.

    Attributes:
        channel: Name of the channel.
        sent: Messages accepted or delivered.
        retried: Refused for now; they wait for their next time.
        failed: Refused for good; listed in ``errors`` and in the outbox.
        unknown: Sender died between hand-over and result, and the channel cannot tell a repetition.
        errors: The distinct reasons.
    """

    channel: str
    sent: int = 0
    retried: int = 0
    failed: int = 0
    unknown: int = 0
    errors: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def drain(channel: str, settings: Settings | None = None, at: datetime | None = None) -> DeliveryReport:
    """Send what the outbox holds for ``channel`` and is due.

    Args:
        channel: Name of a module in ``alerts.channels``.
        settings: Settings of the stack; default: this process's.
        at: The clock; default: now.

    Raises:
        KeyError: no such channel.
        WarehouseUnreachable: no warehouse.
    """
    settings = settings or get_settings()
    chosen = get_channel(channel)
    report = DeliveryReport(channel)
    with warehouse.connect("alerts", settings, autocommit=True) as connection, ExitStack() as session:
        _expired_leases(connection, chosen, at or datetime.now(UTC), report)
        if chosen.in_database:
            while _drain_in_database(connection, chosen, settings, at, report):
                pass
            return report
        send: Send | None = None
        while claimed := _claim(connection, channel, at or datetime.now(UTC)):
            if send is None:
                try:
                    send = session.enter_context(chosen.open(settings, None))
                except OSError as error:
                    reason = f"channel {channel} does not answer: {error}"
                    for message in claimed:
                        _finish(connection, message, Result("retry", error=reason), at, report)
                    return report
            for message in claimed:
                _finish(connection, message, _hand_over(send, message), at, report)
    return report


def _hand_over(send: Send, message: Message) -> Result:
    try:
        return send(message)
    except Exception as error:  # one bad message must not hold up the others
        _log.exception("message %s", message.outbox_id)
        return Result("failed", error=f"{type(error).__name__}: {error}")


def _drain_in_database(
    connection: psycopg.Connection, channel: Channel, settings: Settings, at: datetime | None, report: DeliveryReport
) -> int:
    """Claim, delivery and result of one handful in one transaction; how many there were."""
    with connection.transaction(), channel.open(settings, connection) as send:
        claimed = _claim(connection, report.channel, at or datetime.now(UTC))
        for message in claimed:
            _finish(connection, message, send(message), at, report)
    return len(claimed)


def _expired_leases(connection: psycopg.Connection, channel: Channel, at: datetime, report: DeliveryReport) -> None:
    after = "queued" if channel.after_expiry == "resend" else "unknown"
    with connection.transaction():
        rows = connection.execute(
            """
            update notify.outbox set status = %s, lease_until = null, last_error = 'the sender died before the result',
                finished_at = case when %s = 'unknown' then %s::timestamptz end
            where channel = %s and status = 'sending' and lease_until < %s returning outbox_id, attempt_count
            """,
            (after, after, at, report.channel, at),
        ).fetchall()
        for outbox_id, number in rows:
            connection.execute(
                "update notify.attempt set outcome = 'expired', finished_at = %s where outbox_id = %s and number = %s",
                (at, outbox_id, number),
            )
    if after == "unknown":
        report.unknown += len(rows)


def _claim(connection: psycopg.Connection, channel: str, at: datetime) -> list[Message]:
    """Take up to a handful of due messages, in their order; committed before anything is sent."""
    with connection.transaction():
        rows = connection.execute(
            """
            with due as (
                select outbox_id from notify.outbox
                where channel = %(channel)s and status = 'queued' and not_before <= %(at)s
                order by level desc, created_at, outbox_id limit %(size)s for update skip locked
            ),
            claimed as (
                update notify.outbox o set status = 'sending', lease_until = %(lease)s,
                    attempt_count = attempt_count + 1
                from due where o.outbox_id = due.outbox_id returning o.*
            ),
            attempted as (
                insert into notify.attempt (outbox_id, number, claimed_at)
                select outbox_id, attempt_count, %(at)s from claimed
            )
            select outbox_id, contact_id, address, level, subject, body, body_html, incident_ids, created_at,
                attempt_count
            from claimed order by level desc, created_at, outbox_id
            """,
            {"channel": channel, "at": at, "lease": at + LEASE, "size": _CLAIM_SIZE},
        ).fetchall()
    return [Message(*row) for row in rows]


def _finish(
    connection: psycopg.Connection, message: Message, result: Result, at: datetime | None, report: DeliveryReport
) -> None:
    now = at or datetime.now(UTC)
    outcome = result.outcome
    if outcome == "retry" and message.attempt >= _MAX_ATTEMPTS:
        outcome = "failed"
    status = "queued" if outcome == "retry" else outcome
    with connection.transaction():
        # Fenced by the attempt number: a sender that outlived its lease must not overwrite its successor's result.
        is_mine = connection.execute(
            """
            update notify.outbox set status = %(status)s, lease_until = null, provider_code = %(code)s,
                provider_id = coalesce(%(id)s, provider_id), last_error = %(error)s,
                not_before = case when %(status)s = 'queued' then %(again)s else not_before end,
                accepted_at = case when %(status)s in ('accepted', 'delivered') then %(now)s else accepted_at end,
                finished_at = case when %(status)s in ('delivered', 'failed') then %(now)s::timestamptz end
            where outbox_id = %(outbox)s and status = 'sending' and attempt_count = %(attempt)s
            """,
            {
                "status": status, "code": result.provider_code, "id": result.provider_id, "error": result.error,
                "again": now + _back_off(message.attempt), "now": now, "outbox": message.outbox_id,
                "attempt": message.attempt,
            },
        ).rowcount  # fmt: skip
        connection.execute(
            "update notify.attempt set outcome = %s, finished_at = %s, provider_code = %s, error = %s "
            "where outbox_id = %s and number = %s",
            (outcome, now, result.provider_code, result.error, message.outbox_id, message.attempt),
        )
    if not is_mine:
        return
    report.sent += status in ("accepted", "delivered")
    report.retried += status == "queued"
    report.failed += status == "failed"
    if result.error and result.error not in report.errors:
        report.errors.append(result.error)


def _back_off(attempt: int) -> timedelta:
    return min(timedelta(seconds=15 * 2 ** min(attempt - 1, 10)), _LONGEST_BACK_OFF)


def due_channels(settings: Settings | None = None, at: datetime | None = None) -> list[str]:
    """Channels with something to send at ``at`` (default: now), messages of dead senders included."""
    at = at or datetime.now(UTC)
    with warehouse.connect("alerts", settings) as connection:
        rows = connection.execute(
            "select distinct channel from notify.outbox where (status = 'queued' and not_before <= %s) "
            "or (status = 'sending' and lease_until < %s) order by channel",
            (at, at),
        ).fetchall()
    return [channel for (channel,) in rows]
