"""The operator's list: messages that ended badly or not at all, and gateways that take nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from psycopg.rows import class_row

from ioc import warehouse

if TYPE_CHECKING:
    from uuid import UUID

    from ioc.settings import Settings


@dataclass(frozen=True)
class Concern:
    """Something that a person has to look at.

    Attributes:
        kind: ``unknown`` (nobody knows whether it was sent), ``failed``, ``no_receipt`` (accepted an hour ago, nothing
            heard since), ``gateway`` (takes nothing; ``subject`` is the reason).
        outbox_id: The message; None for a gateway.
        channel: Its channel.
        gateway: The gateway.
        level: Level of the message.
        subject: Its subject.
        detail: What went wrong.
        since: Since when.
    """

    kind: str
    outbox_id: UUID | None
    channel: str | None
    gateway: str | None
    level: int | None
    subject: str | None
    detail: str | None
    since: datetime


def concerns(settings: Settings | None = None, at: datetime | None = None, *, days: int = 7) -> list[Concern]:
    """What waits for a person, gateways first, then by level.

    Args:
        settings: Settings of the stack; default: this process's.
        at: The clock; default: now.
        days: How far back messages are listed.
    """
    with (
        warehouse.connect("portal", settings) as connection,
        connection.cursor(row_factory=class_row(Concern)) as cursor,
    ):
        return cursor.execute(
            """
            select * from notify.needs_operator
            where kind = 'gateway' or (since > %(at)s - %(lately)s
                and (kind <> 'no_receipt' or since < %(at)s - interval '1 hour'))
            order by kind <> 'gateway', level desc nulls first, since desc
            """,
            {"at": at or datetime.now(UTC), "lately": timedelta(days=days)},
        ).fetchall()
