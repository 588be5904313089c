"""Message templates: drafts, what they cost, preview with a past incident, approval by a second person.

A template is tried with the longest arguments that can come before it is approved: whatever needs shortening then,
fails here and not at three in the morning. Versions never change once approved.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row, dict_row

from alerts import audit
from alerts.incidents import ActRefusedError
from alerts.notifying import notice, reconcile, routing, sms_text, wording
from alerts.notifying.rendering import TemplateRefusedError, render
from alerts.notifying.samples import CODES, context_of, longest, typical
from ioc import warehouse

if TYPE_CHECKING:
    from uuid import UUID

    import psycopg

    from ioc.settings import Settings

CHANNELS = ("email", "web", "sms")
_LONGEST_TEXT = 20_000
_TAGS = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)


@dataclass(frozen=True)
class MessageTemplate:
    """A version of a template; ``registered_text`` and ``segment_limit`` concern SMS only."""

    template_id: int
    code: str
    channel: str
    version: int
    subject: str
    body: str
    body_html: str
    registered_text: str | None
    segment_limit: int | None
    status: str
    author: str
    approved_by: str | None
    approved_at: datetime | None
    created_at: datetime


@dataclass(frozen=True)
class Preview:
    """A template rendered.

    Attributes:
        subject: Subject line.
        body: Plain text; for SMS exactly what would be sent.
        body_html: HTML, escaped by the template engine; empty where there is none.
        size: What it costs as an SMS; None on other channels.
        worst: The longest text that can come.
        worst_size: What that costs.
        problems: Why it cannot be approved, in Vietnamese; empty when it can.
    """

    subject: str
    body: str
    body_html: str
    size: sms_text.Size | None = None
    worst: str = ""
    worst_size: sms_text.Size | None = None
    problems: list[str] = field(default_factory=list)


def list_templates(settings: Settings | None = None) -> list[MessageTemplate]:
    """Every version of every template, the newest first within its code and channel."""
    with warehouse.connect("portal", settings) as connection:
        return _read(connection, "order by code, channel, version desc", {})


def get(template_id: int, settings: Settings | None = None) -> MessageTemplate:
    """One version.

    Raises:
        ActRefusedError: no such template.
    """
    with warehouse.connect("portal", settings) as connection:
        return _one(connection, template_id)


def save_draft(
    code: str,
    channel: str,
    body: str,
    user: str,
    *,
    subject: str = "",
    body_html: str = "",
    registered_text: str | None = None,
    segment_limit: int | None = None,
    settings: Settings | None = None,
    at: datetime | None = None,
) -> MessageTemplate:
    """Write a new version as a draft, or replace the draft that there is.

    Args:
        code: One of ``CODES``.
        channel: One of ``CHANNELS``.
        body: Plain text (Jinja2).
        user: Who writes it.
        subject: Subject line (Jinja2); none for SMS.
        body_html: HTML of a mail (Jinja2, escaped).
        registered_text: What the SMS provider registered, with ``{names}`` where it varies.
        segment_limit: Parts that an SMS may take, 1 to 4; default 2.
        settings: Settings of the stack; default: this process's.
        at: The clock; default: now.

    Raises:
        ActRefusedError: no such code or channel, no text, or too long a one.
    """
    at = at or datetime.now(UTC)
    if code not in CODES or channel not in CHANNELS:
        raise ActRefusedError("Không có loại thông báo hoặc kênh này.")
    if not body.strip():
        raise ActRefusedError("Mẫu tin phải có nội dung.")
    if max(map(len, (subject, body, body_html, registered_text or ""))) > _LONGEST_TEXT:
        raise ActRefusedError("Mẫu tin dài quá 20.000 ký tự.")
    if segment_limit is not None and not 1 <= segment_limit <= 4:
        raise ActRefusedError("Giới hạn số tin SMS phải từ 1 đến 4.")
    with warehouse.connect("portal", settings) as connection:
        connection.execute("select pg_advisory_xact_lock(hashtext('notify.template'))")
        row = connection.execute(
            """
            with known as (
                select max(version) as newest, max(template_id) filter (where status = 'draft') as draft
                from notify.template where code = %(code)s and channel = %(channel)s
            ),
            changed as (
                update notify.template t set subject = %(subject)s, body = %(body)s, body_html = %(html)s,
                    registered_text = %(registered)s, segment_limit = %(limit)s, author = %(user)s
                from known where t.template_id = known.draft returning t.template_id
            ),
            added as (
                insert into notify.template (code, channel, version, subject, body, body_html, registered_text,
                    segment_limit, author)
                select %(code)s, %(channel)s, coalesce(newest, 0) + 1, %(subject)s, %(body)s, %(html)s, %(registered)s,
                    %(limit)s, %(user)s
                from known where draft is null returning template_id
            )
            select template_id from changed union all select template_id from added
            """,
            {
                "code": code, "channel": channel, "subject": subject.strip(), "body": body.strip(), "user": user,
                "html": body_html.strip(), "registered": (registered_text or "").strip() or None,
                "limit": (segment_limit or wording.SEGMENT_LIMIT) if channel == "sms" else None,
            },
        ).fetchone()  # fmt: skip
        assert row is not None
        draft = _one(connection, row[0])
        audit.record(
            connection, at, user, "template.drafted", about=("template", draft.template_id),
            detail={"code": code, "channel": channel, "version": draft.version},
        )  # fmt: skip
        return draft


def approve(
    template_id: int, user: str, settings: Settings | None = None, at: datetime | None = None
) -> MessageTemplate:
    """Put a draft in force; the version before it retires.

    Raises:
        ActRefusedError: no draft, its author asks, or the template has a problem (see :func:`preview`).
    """
    at = at or datetime.now(UTC)
    with warehouse.connect("portal", settings) as connection:
        draft = _one(connection, template_id)
        if draft.status != "draft":
            raise ActRefusedError("Phiên bản này không còn là bản nháp.")
        if draft.author == user:
            raise ActRefusedError("Người soạn không được tự phê duyệt mẫu tin của mình.")
        problems = _tried(draft, at).problems
        if problems:
            raise ActRefusedError("Chưa thể phê duyệt: " + " ".join(problems))
        connection.execute(
            "update notify.template set status = 'retired' where code = %s and channel = %s and status = 'approved'",
            (draft.code, draft.channel),
        )
        connection.execute(
            "update notify.template set status = 'approved', approved_by = %s, approved_at = %s where template_id = %s",
            (user, at, template_id),
        )
        audit.record(
            connection, at, user, "template.approved", about=("template", template_id),
            detail={"code": draft.code, "channel": draft.channel, "version": draft.version},
        )  # fmt: skip
        return _one(connection, template_id)


def preview(
    template_id: int,
    incident_id: UUID | None = None,
    settings: Settings | None = None,
    at: datetime | None = None,
) -> Preview:
    """A template as it would read: with an incident of the past, or with typical arguments; and with the longest.

    Raises:
        ActRefusedError: no such template.
    """
    at = at or datetime.now(UTC)
    template = get(template_id, settings)
    context = None
    if incident_id is not None:
        with warehouse.connect("alerts", settings) as connection:
            row = reconcile.facts(connection, incident_id, at)
            if row is not None:
                teller = notice.Teller(connection, routing.load(connection, at), at, settings)
                context = context_of(template.code, teller.item(row), row)
    return _tried(template, at, context)


def _tried(template: MessageTemplate, at: datetime, context: dict[str, Any] | None = None) -> Preview:
    problems: list[str] = []
    shown = _rendered(template, {**typical(template.code, at), **(context or {})}, problems)
    worst = _rendered(template, longest(template.code, at), problems)
    if shown is None or worst is None:
        return Preview("", "", "", problems=list(dict.fromkeys(problems)))
    if template.channel != "sms":
        return Preview(*shown, worst=worst[1], problems=problems)
    body, worst_body = sms_text.khong_dau(shown[1]), sms_text.khong_dau(worst[1])
    size, worst_size = sms_text.measure(body), sms_text.measure(worst_body)
    limit = template.segment_limit or wording.SEGMENT_LIMIT
    if worst_size.segments > limit:
        problems.append(
            f"Với nội dung dài nhất, tin chiếm {worst_size.segments} tin SMS ({worst_size.units} ký tự), quá giới hạn "
            f"{limit}; hãy rút gọn bằng bộ lọc cut."
        )
    if any(character in sms_text.FORBIDDEN for character in _TAGS.sub("", template.body)):
        problems.append("Tin SMS không được chứa các ký tự & [ ].")
    for text, arguments in ((body, typical(template.code, at)), (worst_body, longest(template.code, at))):
        if arguments["ref"] not in text:
            problems.append("Tin SMS phải chứa mã riêng {{ ref }}, nếu không nhà mạng từ chối tin lặp nội dung.")
        if template.registered_text and not sms_text.matches(text, template.registered_text):
            problems.append("Nội dung không khớp mẫu đã đăng ký với nhà cung cấp.")
    if not template.registered_text:
        problems.append("Thiếu mẫu đã đăng ký với nhà cung cấp dịch vụ SMS.")
    elif sms_text.measure(template.registered_text).encoding != "gsm7":
        problems.append("Mẫu đã đăng ký phải là chữ không dấu.")
    return Preview("", body, "", size, worst_body, worst_size, list(dict.fromkeys(problems)))


def _rendered(template: MessageTemplate, context: dict[str, Any], problems: list[str]) -> tuple[str, str, str] | None:
    try:
        return (
            render(template.subject, context),
            render(template.body, context),
            render(template.body_html, context, html=True),
        )
    except TemplateRefusedError as error:
        problems.append(f"Mẫu tin có lỗi: {error}.")
        return None


def _read(connection: psycopg.Connection, rest: str, values: dict[str, Any]) -> list[MessageTemplate]:
    with connection.cursor(row_factory=class_row(MessageTemplate)) as cursor:
        return cursor.execute(
            "select template_id, code, channel, version, subject, body, body_html, registered_text, segment_limit, "
            f"status, author, approved_by, approved_at, created_at from notify.template {rest}",
            values,
        ).fetchall()


def _one(connection: psycopg.Connection, template_id: int) -> MessageTemplate:
    found = _read(connection, "where template_id = %(id)s", {"id": template_id})
    if not found:
        raise ActRefusedError("Không có mẫu tin này.")
    return found[0]


def recent_incidents(settings: Settings | None = None) -> list[dict[str, Any]]:
    """Incidents of the past to look at a template with: ``incident_id, title_vi, entity, opened_at, peak_level``."""
    with warehouse.connect("portal", settings) as connection, connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            """
            select i.incident_id, r.title_vi, coalesce(e.name_vi, i.entity_id) as entity, i.opened_at, i.peak_level
            from alert.incident i join alert.rule r using (rule_id)
            left join alerting.entity e on (e.entity_type, e.entity_id) = (i.entity_type, i.entity_id)
            order by i.opened_at desc limit 20
            """
        ).fetchall()
