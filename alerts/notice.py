"""What a message says: items from incidents, text from the newest approved template.

One outbox row per person and channel. Text is rendered when the message is queued and kept: what was sent can always be
shown.
"""

from __future__ import annotations

import hashlib
import logging
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

from alerts.rendering import TemplateRefusedError, moment, number, render
from ioc.settings import get_settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import psycopg

    from alerts.routing import Directory
    from ioc.settings import Settings

_log = logging.getLogger(__name__)


def incident_code(incident_id: uuid.UUID) -> str:
    """Short code that people quote, for example ``SC-1A2B3C4D``."""
    return f"SC-{incident_id.hex[:8].upper()}"


@dataclass(frozen=True, slots=True)
class Destination:
    """Where one message goes; ``dedupe_key`` (for example route|group|flush|contact|channel) makes it unique."""

    dedupe_key: str
    route_id: int | None
    group_id: int | None
    contact_id: int
    channel: str
    address: str


@dataclass(frozen=True, slots=True)
class Plain:
    """What a message says when no template can."""

    subject: str
    body: str


class Teller:
    """Renders and queues messages; lives as long as one reconciliation."""

    def __init__(
        self, connection: psycopg.Connection, directory: Directory, at: datetime, settings: Settings | None = None
    ) -> None:
        self._connection = connection
        self.directory = directory
        self._at = at
        cursor = connection.cursor(row_factory=dict_row)
        cursor.execute(
            "select distinct on (code, channel) * from notify.template "
            "where status = 'approved' order by code, channel, version desc"
        )
        self._templates = {(row["code"], row["channel"]): row for row in cursor}
        self._url = f"{(settings or get_settings()).portal_url()}/canh-bao"

    def enqueue(self, to: Destination, rows: list[dict[str, Any]]) -> int:
        """Queue one message about ``rows``; 1 when it is new, 0 when this very message is already there."""
        items = [self.item(row) for row in rows]
        lines = [f"[{i['status']}] {i['text']} · {i['unit_name']} · {moment(i['at'])} · {i['code']}" for i in items]
        return self.post(
            to,
            "notice",
            {"items": items, "top": items[0], "count": len(items), "url": self._url},
            Plain(items[0]["text"], "\n".join(lines)),
            level=max(row["now_level"] for row in rows),
            incident_ids=[row["incident_id"] for row in rows],
            rule_version_ids=sorted({row["rule_version_id"] for row in rows}),
        )

    def post(
        self,
        to: Destination,
        template_code: str,
        context: dict[str, Any],
        plain: Plain,
        *,
        level: int,
        incident_ids: Sequence[uuid.UUID] = (),
        rule_version_ids: Sequence[int] = (),
    ) -> int:
        """Queue one message of any kind: the only way into the outbox.

        Args:
            to: Where it goes; its ``dedupe_key`` makes a repetition harmless.
            template_code: The newest approved template of this code for the channel gives the text.
            context: What the template may say.
            plain: The text when there is no such template, or it cannot be rendered: an alarm with a plain text beats
                no alarm.
            level: 0 to 4.
            incident_ids: The incidents it speaks of.
            rule_version_ids: The rule versions that led to it.

        Returns:
            1 when the message is new, 0 when it was already there.
        """
        template = self._templates.get((template_code, to.channel))
        subject, body, body_html = self._text(template, context) or (plain.subject, plain.body, "")
        outbox_id = uuid.UUID(hashlib.md5(to.dedupe_key.encode(), usedforsecurity=False).hexdigest())
        return self._connection.execute(
            """
            insert into notify.outbox (outbox_id, dedupe_key, route_id, group_id, contact_id, channel, address, level,
                subject, body, body_html, template_id, incident_ids, rule_version_ids, not_before, created_at)
            values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing
            """,
            (
                outbox_id, to.dedupe_key, to.route_id, to.group_id, to.contact_id, to.channel, to.address, level,
                subject, body, body_html, template["template_id"] if template else None, list(incident_ids),
                list(rule_version_ids), self._at, self._at,
            ),
        ).rowcount  # fmt: skip

    def item(self, row: dict[str, Any]) -> dict[str, Any]:
        """What a template may say about one incident: ``code, status, text, title, entity, unit_name, level, at``."""
        is_over = row["closed_at"] is not None
        value = row["close_value"] if is_over else row["last_value"]
        if row["kind"] == "value":
            at = row["closed_at"] or row["last_ok_at"]
            text = self._rule_text(row, value)
        else:
            at = row["heard_at"]
            text = (
                f"Đã nhận lại dữ liệu của {row['entity']} ({row['title_vi']})"
                if is_over
                else f"Không nhận được dữ liệu của {row['entity']} ({row['title_vi']}) từ {moment(row['heard_at'])}"
            )
        return {
            "code": incident_code(row["incident_id"]),
            "status": _status(row, is_over),
            "text": text,
            "title": row["title_vi"],
            "entity": row["entity"],
            "unit_name": self.directory.name_of(row["unit_code"]),
            "level": row["now_level"],
            "value": value,
            "at": at,
        }

    def _rule_text(self, row: dict[str, Any], value: float | None) -> str:
        context = {
            "entity": row["entity"], "value": value, "unit": row["unit_vi"], "level": row["true_level"],
            "label": row["label_vi"] or "", "label_en": row["label_en"] or "",
        }  # fmt: skip
        try:
            return render(row["message_vi"], context)
        except TemplateRefusedError as error:
            # An alarm with a plain text beats no alarm.
            _log.error("rule %s: %s", row["rule_code"], error)
            return f"{row['title_vi']}: {row['entity']} = {number(value)} {row['unit_vi']}".strip()

    def _text(self, template: dict[str, Any] | None, context: dict[str, Any]) -> tuple[str, str, str] | None:
        if template is None:
            return None
        try:
            return (
                render(template["subject"], context),
                render(template["body"], context),
                render(template["body_html"], context, html=True),
            )
        except TemplateRefusedError as error:
            _log.error("template %s/%s: %s", template["code"], template["channel"], error)
            return None


def _status(row: dict[str, Any], is_over: bool) -> str:
    if row["kind"] != "value":
        return "Có lại dữ liệu" if is_over else "Mất dữ liệu"
    if is_over:
        return "Đã hết cảnh báo"
    label = f" – {row['label_vi']}" if row["label_vi"] else ""
    level = f"mức {row['true_level']}{label}"
    if row["told_level"] == 0:
        return f"Cảnh báo {level}"
    return f"Tăng lên {level}" if row["true_level"] > row["told_level"] else f"Giảm xuống {level}"
