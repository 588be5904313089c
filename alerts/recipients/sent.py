"""The history of notifications: what was said to whom, how often it was tried, and what needs a person.

Addresses are for those who run the system; everybody else sees them masked.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row, dict_row

from alerts import audit
from alerts.incidents import ActRefusedError
from alerts.recipients.phones import masked
from ioc import warehouse

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from ioc.settings import Settings

STATUSES = ("queued", "sending", "accepted", "delivered", "failed", "unknown", "dropped")
# Texts that are somebody's key.
_SECRET_TEMPLATES = ("verify",)


@dataclass(frozen=True)
class SentMessage:
    """A row of the outbox as a list shows it; ``held_for`` says why a queued one waits."""

    outbox_id: UUID
    created_at: datetime
    channel: str
    contact_name: str | None
    address: str
    level: int
    subject: str
    body: str
    status: str
    held_for: str | None
    not_before: datetime
    attempt_count: int
    segment_count: int | None
    gateway: str | None
    provider_code: str | None
    last_error: str | None
    accepted_at: datetime | None
    finished_at: datetime | None
    incident_ids: list[UUID]
    template_code: str | None
    template_version: int | None


@dataclass(frozen=True)
class MessageFile:
    """Everything about one message.

    Attributes:
        message: The message.
        attempts: ``number, claimed_at, finished_at, outcome, provider_code, error, gateway``, oldest first.
        receipts: ``status, provider_status, detail, first_at, times``.
    """

    message: SentMessage
    attempts: list[dict[str, Any]]
    receipts: list[dict[str, Any]]


_MESSAGES = """
select o.outbox_id, o.created_at, o.channel, c.name_vi as contact_name, o.address, o.level, o.subject,
    case when t.code = any(%(secret)s) then '' else o.body end as body, o.status, o.held_for, o.not_before,
    o.attempt_count, o.segment_count, o.gateway, o.provider_code, o.last_error, o.accepted_at, o.finished_at,
    o.incident_ids, t.code as template_code, t.version as template_version
from notify.outbox o
left join ref.contact c using (contact_id)
left join notify.template t using (template_id)
where (%(units)s::text[] is null or c.unit_code = any(%(units)s) or exists (
    select from alert.incident i join alert.rule r using (rule_id)
    where i.incident_id = any(o.incident_ids) and (i.unit_code = any(%(units)s) or r.owner_unit = any(%(units)s))))
"""


def mask(channel: str, address: str) -> str:
    """An address as people see it who have no need of it: ``t***@thanhhoa.example.vn``, ``84******001``."""
    if channel == "sms":
        return masked(address)
    name, at_sign, domain = address.partition("@")
    return f"{name[:1]}***@{domain}" if at_sign else address


def messages(
    unit_codes: Sequence[str] | None = None,
    settings: Settings | None = None,
    *,
    channel: str | None = None,
    status: str | None = None,
    incident: str | None = None,
    before: datetime | None = None,
    limit: int = 50,
) -> list[SentMessage]:
    """The newest messages first.

    Args:
        unit_codes: Only those about incidents that these units answer for, or to their people; None = all.
        settings: Settings of the stack; default: this process's.
        channel: Only this channel.
        status: Only this status.
        incident: Only about this incident: its short code (``SC-1A2B3C4D``) or the beginning of its id.
        before: Only older ones.
        limit: At most so many.
    """
    prefix = (incident or "").strip().lower().removeprefix("sc-").split(".")[0]
    with (
        warehouse.connect("portal", settings) as connection,
        connection.cursor(row_factory=class_row(SentMessage)) as cursor,
    ):
        return cursor.execute(
            _MESSAGES
            + """
            and (%(channel)s::text is null or o.channel = %(channel)s)
            and (%(status)s::text is null or o.status = %(status)s)
            and (%(before)s::timestamptz is null or o.created_at < %(before)s)
            and (%(prefix)s = '' or exists (
                select from unnest(o.incident_ids) as one(id)
                where starts_with(replace(one.id::text, '-', ''), %(prefix)s)))
            order by o.created_at desc, o.outbox_id limit %(limit)s
            """,
            {
                "secret": list(_SECRET_TEMPLATES), "units": list(unit_codes) if unit_codes is not None else None,
                "channel": channel, "status": status, "before": before, "prefix": prefix, "limit": limit,
            },
        ).fetchall()  # fmt: skip


def message(outbox_id: UUID, unit_codes: Sequence[str] | None = None, settings: Settings | None = None) -> MessageFile:
    """One message with its attempts and receipts.

    Raises:
        ActRefusedError: no such message, or none that these units may know of.
    """
    with warehouse.connect("portal", settings) as connection:
        with connection.cursor(row_factory=class_row(SentMessage)) as cursor:
            found = cursor.execute(
                _MESSAGES + "and o.outbox_id = %(id)s",
                {
                    "secret": list(_SECRET_TEMPLATES), "units": list(unit_codes) if unit_codes is not None else None,
                    "id": outbox_id,
                },
            ).fetchone()  # fmt: skip
        if found is None:
            raise ActRefusedError("Không có thông báo này trong phạm vi của đơn vị.")
        with connection.cursor(row_factory=dict_row) as rows:
            attempts = rows.execute(
                "select number, claimed_at, finished_at, outcome, provider_code, error, gateway from notify.attempt "
                "where outbox_id = %s order by number",
                (outbox_id,),
            ).fetchall()
            receipts = rows.execute(
                "select status, provider_status, detail, first_at, times from notify.receipt where outbox_id = %s "
                "order by first_at",
                (outbox_id,),
            ).fetchall()
    return MessageFile(found, attempts, receipts)


def counts(settings: Settings | None = None) -> dict[str, int]:
    """Messages that a person has to look at (``unknown``, ``failed``) and that wait (``queued``)."""
    with warehouse.connect("portal", settings) as connection:
        rows = connection.execute(
            "select status, count(*) from notify.outbox where status in ('unknown', 'failed', 'queued') group by status"
        ).fetchall()
    return {"unknown": 0, "failed": 0, "queued": 0} | dict(rows)


def send_again(outbox_id: UUID, user: str, settings: Settings | None = None, at: datetime | None = None) -> None:
    """Queue a message again whose fate is unknown, or that failed; by any gateway, under the same request id.

    Raises:
        ActRefusedError: no such message, or it is neither unknown nor failed.
    """
    at = at or datetime.now(UTC)
    with warehouse.connect("alerts", settings) as connection:
        row = connection.execute(
            """
            update notify.outbox o set status = 'queued', not_before = %(at)s, finished_at = null, held_for = null,
                gateway = null, refused_by = '{}',
                resend_count = resend_count + case was.status when 'unknown' then 1 else 0 end
            from (select outbox_id, status from notify.outbox where outbox_id = %(id)s for update) was
            where o.outbox_id = was.outbox_id and was.status in ('unknown', 'failed')
            returning was.status
            """,
            {"id": outbox_id, "at": at},
        ).fetchone()
        if row is None:
            raise ActRefusedError("Chỉ gửi lại được thông báo bị lỗi hoặc chưa rõ kết quả.")
        audit.record(
            connection, at, user, "message.sent_again", about=("message", str(outbox_id)), detail={"was": row[0]}
        )
        connection.execute("select pg_notify('ioc_outbox', '')")
