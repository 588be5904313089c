"""The outbox in SQL: claim, result, expired lease, receipt. Every function is one short transaction.

A claim is committed before anything is sent; a result is written only while the claim still stands (same attempt, still
``sending``), so a sender that outlived its lease cannot overwrite its successor.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from alerts.channels.base import Message

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    import psycopg

    from alerts.gateways.base import Fate

LEASE = timedelta(seconds=30)
FIRST_POLL = timedelta(minutes=10)
_LONGEST_POLL = timedelta(hours=6)
# Asked with growing pauses for a day, once more before gateways forget what they sent (eSMS: seven days), then no more.
_POLL_FOR, _KNOWN_FOR = timedelta(days=1), timedelta(days=6)
_AT_ONCE = 50
_MESSAGE = """o.outbox_id, o.contact_id, o.address, o.level, o.subject, o.body, o.body_html, o.incident_ids,
    o.created_at, o.attempt_count as attempt, o.resend_count as resend, o.refused_by"""


@dataclass(frozen=True, slots=True)
class Settled:
    """What becomes of a claimed message.

    Attributes:
        outbox_id: Which.
        attempt: The claim that this is the result of.
        status: Its new status.
        outcome: What the attempt is recorded as.
        gateway: The gateway that has it or may have it; None = any may take it next.
        code: The answer's code.
        provider_id: Under which the gateway knows it.
        error: What went wrong.
        not_before: When to try again.
        next_poll_at: When to ask the gateway for its fate.
        refused_by: Gateways that will not take it.
        resend: How often it has been marked as sent again.
    """

    outbox_id: UUID
    attempt: int
    status: Literal["queued", "accepted", "delivered", "failed", "unknown"]
    outcome: Literal["accepted", "delivered", "retry", "failed", "expired", "unknown"]
    gateway: str | None
    code: str | None = None
    provider_id: str | None = None
    error: str | None = None
    not_before: datetime | None = None
    next_poll_at: datetime | None = None
    refused_by: list[str] = field(default_factory=list)
    resend: int = 0


def claim(connection: psycopg.Connection, channel: str, gateway: str, at: datetime, size: int) -> list[Message]:
    """Take up to ``size`` due messages that ``gateway`` may carry, the gravest and oldest first."""
    with connection.cursor(row_factory=class_row(Message)) as cursor:
        return cursor.execute(
            f"""
            with due as (
                select outbox_id, gateway is not null as is_bound from notify.outbox
                where channel = %(channel)s and status = 'queued' and not_before <= %(at)s
                    and (gateway is null or gateway = %(gateway)s) and not %(gateway)s = any(refused_by)
                    and held_for is distinct from 'quiet_hours'
                order by level desc, created_at, outbox_id limit %(size)s for update skip locked
            ),
            o as (
                update notify.outbox o set status = 'sending', lease_until = %(lease)s, gateway = %(gateway)s,
                    attempt_count = attempt_count + 1
                from due where o.outbox_id = due.outbox_id returning o.*, due.is_bound
            ),
            attempted as (
                insert into notify.attempt (outbox_id, number, claimed_at, gateway)
                select outbox_id, attempt_count, %(at)s, gateway from o
            )
            select {_MESSAGE}, o.is_bound from o order by o.level desc, o.created_at, o.outbox_id
            """,
            {"channel": channel, "gateway": gateway, "at": at, "lease": at + LEASE, "size": size},
        ).fetchall()


def settle(connection: psycopg.Connection, results: Sequence[Settled], at: datetime) -> set[UUID]:
    """Write results in one statement; returns the messages whose claim still stood."""
    if not results:
        return set()
    rows = connection.execute(
        """
        with result as (
            select * from jsonb_to_recordset(%(results)s) as r (
                outbox_id uuid, attempt int, status text, outcome text, gateway text, code text, provider_id text,
                error text, not_before timestamptz, next_poll_at timestamptz, refused_by text[], resend int)
        ),
        noted as (
            update notify.attempt a set outcome = r.outcome, finished_at = %(at)s, provider_code = r.code,
                error = r.error
            from result r where (a.outbox_id, a.number) = (r.outbox_id, r.attempt)
        )
        update notify.outbox o set status = r.status, lease_until = null, gateway = r.gateway,
            provider_code = r.code, provider_id = coalesce(r.provider_id, o.provider_id), last_error = r.error,
            not_before = coalesce(r.not_before, o.not_before), next_poll_at = r.next_poll_at,
            refused_by = r.refused_by, resend_count = r.resend,
            accepted_at = case when r.status in ('accepted', 'delivered') then %(at)s else o.accepted_at end,
            finished_at = case when r.status in ('delivered', 'failed', 'unknown') then %(at)s::timestamptz end
        from result r
        where o.outbox_id = r.outbox_id and o.status = 'sending' and o.attempt_count = r.attempt
        returning o.outbox_id
        """,
        {"results": _json(results), "at": at},
    ).fetchall()
    return {outbox_id for (outbox_id,) in rows}


def _json(results: Iterable[Settled]) -> Jsonb:
    def plain(value: object) -> object:
        return value if value is None or isinstance(value, int | list) else str(value)

    return Jsonb([{name: plain(getattr(one, name)) for name in one.__slots__} for one in results])


def release(connection: psycopg.Connection, messages: Sequence[Message]) -> None:
    """Give back claimed messages that were never handed over, as if they had not been claimed."""
    if not messages:
        return
    connection.execute(
        """
        with given as (select * from unnest(%(ids)s::uuid[], %(attempts)s::int[]) as g (outbox_id, attempt)),
        untried as (
            update notify.outbox o set status = 'queued', lease_until = null, attempt_count = attempt_count - 1,
                gateway = case when o.outbox_id = any(%(bound)s) then o.gateway end
            from given g
            where o.outbox_id = g.outbox_id and o.status = 'sending' and o.attempt_count = g.attempt
            returning o.outbox_id, g.attempt
        )
        delete from notify.attempt a using untried u where (a.outbox_id, a.number) = (u.outbox_id, u.attempt)
        """,
        {
            "ids": [one.outbox_id for one in messages], "attempts": [one.attempt for one in messages],
            "bound": [one.outbox_id for one in messages if one.is_bound],
        },
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Lost:
    """A message of which nobody knows whether the gateway has it."""

    message: Message
    gateway: str | None
    provider_id: str | None
    outcome: Literal["expired", "unknown"] = "expired"


def take_expired(connection: psycopg.Connection, channel: str, at: datetime) -> list[Lost]:
    """Messages whose sender died between claim and result; their lease is renewed for whoever settles them."""
    return _lost(
        connection,
        f"""
        with dead as (
            select outbox_id from notify.outbox
            where channel = %(channel)s and status = 'sending' and lease_until < %(at)s
            order by lease_until limit %(size)s for update skip locked
        )
        update notify.outbox o set lease_until = %(lease)s from dead where o.outbox_id = dead.outbox_id
        returning o.gateway, o.provider_id, {_MESSAGE}
        """,
        {"channel": channel, "at": at, "lease": at + LEASE, "size": _AT_ONCE},
    )


def take_stranded(
    connection: psycopg.Connection, channel: str, at: datetime, known: list[str], closed: list[str]
) -> list[Lost]:
    """Queued messages bound to a gateway that is gone, or (level 3 and above) to a ``closed`` one for ten minutes.

    Their last attempt is claimed again, so that they can be settled like any other.
    """
    return _lost(
        connection,
        f"""
        with stranded as (
            select outbox_id from notify.outbox o
            where channel = %(channel)s and status = 'queued' and gateway is not null and not_before <= %(at)s
                and (not gateway = any(%(known)s) or (level >= 3 and gateway = any(%(closed)s) and exists (
                    select from notify.attempt a
                    where a.outbox_id = o.outbox_id and a.claimed_at < %(at)s::timestamptz - interval '10 minutes')))
            order by level desc, created_at limit %(size)s for update skip locked
        )
        update notify.outbox o set status = 'sending', lease_until = %(lease)s
        from stranded where o.outbox_id = stranded.outbox_id
        returning o.gateway, o.provider_id, {_MESSAGE}
        """,
        {"channel": channel, "at": at, "lease": at + LEASE, "size": _AT_ONCE, "known": known, "closed": closed},
        "unknown",
    )


def take_polls(connection: psycopg.Connection, channel: str, gateways: list[str], at: datetime) -> list[Lost]:
    """Accepted messages whose gateway has reported nothing for long; the next question is put off with their age."""
    return _lost(
        connection,
        f"""
        with due as (
            select outbox_id from notify.outbox
            where channel = %(channel)s and status = 'accepted' and next_poll_at <= %(at)s
                and gateway = any(%(gateways)s)
            order by next_poll_at limit %(size)s for update skip locked
        )
        update notify.outbox o set next_poll_at = case
            when %(at)s > accepted_at + %(known_for)s::interval then null
            when %(at)s > accepted_at + %(poll_for)s::interval then accepted_at + %(known_for)s::interval
            else %(at)s + least(greatest(%(at)s - accepted_at, %(first)s), %(longest)s) end
        from due where o.outbox_id = due.outbox_id
        returning o.gateway, o.provider_id, {_MESSAGE}
        """,
        {
            "channel": channel, "gateways": gateways, "at": at, "size": _AT_ONCE, "poll_for": _POLL_FOR,
            "known_for": _KNOWN_FOR,
            "first": FIRST_POLL, "longest": _LONGEST_POLL,
        },
    )  # fmt: skip


def _lost(
    connection: psycopg.Connection,
    query: str,
    values: dict[str, object],
    outcome: Literal["expired", "unknown"] = "expired",
) -> list[Lost]:
    rows = connection.execute(query, values).fetchall()
    return [Lost(Message(*row[2:]), row[0], row[1], outcome) for row in rows]


def report_fate(connection: psycopg.Connection, gateway: str, message: Message, fate: Fate, at: datetime) -> None:
    """Write the answer to a question down as if it had come as a receipt."""
    connection.execute(
        "select notify.take_receipt(%s, %s, %s, %s, %s, %s, %s)",
        (
            gateway, fate.provider_id, str(message.outbox_id), fate.status, fate.provider_status, fate.detail, at,
        ),
    )  # fmt: skip


def apply_receipts(connection: psycopg.Connection, at: datetime) -> int:
    """Move messages to what receipts said while they were still being sent; how many moved."""
    row = connection.execute("select notify.apply_receipts(%s)", (at,)).fetchone()
    return int(row[0]) if row else 0
