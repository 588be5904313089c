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

from alerts.channels import all_channels
from alerts.notifying import wording
from alerts.notifying.limits import Limits
from alerts.notifying.rendering import TemplateRefusedError, amount, moment, number, render
from ioc.settings import get_settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import psycopg

    from alerts.notifying.routing import Directory
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


# Channels that wake nobody: quiet hours do not concern them.
_SILENT_CHANNELS = frozenset({"web", "webhook"})
_QUIET_BELOW = 3
# Who hears of trouble with the messages themselves.
_OPERATORS = ("IOC", ("quan_tri",), ("web", "email"))


class Teller:
    """Renders and queues messages; lives as long as one reconciliation."""

    def __init__(
        self, connection: psycopg.Connection, directory: Directory, at: datetime, settings: Settings | None = None
    ) -> None:
        self._connection = connection
        self.directory = directory
        self.limits = Limits(connection, at)
        self._at = at
        cursor = connection.cursor(row_factory=dict_row)
        cursor.execute(
            "select distinct on (code, channel) * from notify.template "
            "where status = 'approved' order by code, channel, version desc"
        )
        self._templates = {(row["code"], row["channel"]): row for row in cursor}
        self._url = f"{(settings or get_settings()).portal_url()}/canh-bao"

    def enqueue(self, to: Destination, rows: list[dict[str, Any]], template_code: str = "notice") -> int:
        """Queue one message about ``rows``; 1 when it is new, 0 when this very message is already there.

        What the limits say of it is the caller's to ask before.
        """
        items = [self.item(row) for row in rows]
        lines = [f"[{i['status']}] {i['text']} · {i['unit_name']} · {moment(i['at'])} · {i['code']}" for i in items]
        return self._queue(
            to,
            (template_code, {"items": items, "top": items[0], "count": len(items), "why": "limit"}),
            Plain(items[0]["text"], "\n".join(lines)),
            level=max(row["now_level"] for row in rows),
            urgency=max(max(row["now_level"], row["told_level"]) for row in rows),
            said={row["incident_id"]: row["now_level"] for row in rows},
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
        incident_levels: Sequence[int] = (),
        urgency: int | None = None,
    ) -> int:
        """Queue one message of any kind: the only way into the outbox.

        Below level 3 it waits for the end of its reader's quiet hours; below level 4 for the limits of its channel.

        Args:
            to: Where it goes; its ``dedupe_key`` makes a repetition harmless.
            template_code: The newest approved template of this code for the channel gives the text.
            context: What the template may say; ``url`` and ``ref`` (the message's own code) are added.
            plain: The text when there is no such template, or it cannot be rendered: an alarm with a plain text beats
                no alarm.
            level: 0 to 4.
            incident_ids: The incidents it speaks of.
            rule_version_ids: The rule versions that led to it.
            incident_levels: What it says of each of them. Given, a message that waited through quiet hours is dropped
                when none of it is true any more; not given, it stays true.
            urgency: The level that decides whether it waits, where that is not ``level``.

        Returns:
            1 when the message is new, 0 when it was already there.
        """
        said: dict[uuid.UUID, int | None] = dict.fromkeys(incident_ids)
        said |= dict(zip(incident_ids, incident_levels, strict=bool(incident_levels)))
        return self._queue(
            to, (template_code, context), plain, level=level, urgency=level if urgency is None else urgency, said=said,
            rule_version_ids=rule_version_ids, is_paced=False,
        )  # fmt: skip

    def tell_operators(self, key: str, subject: str, body: str) -> int:
        """Tell whoever runs the system about trouble with messages, once per ``key``; how many messages that made."""
        unit, roles, names = _OPERATORS
        return sum(
            self.post(
                Destination(f"operators|{key}|{contact.code}|{name}", None, None, contact.contact_id, name, address),
                "operations",
                {"subject": subject, "text": body},
                Plain(subject, body),
                level=2,
            )
            for contact in self.directory.people(unit, roles)
            for name, channel in all_channels().items()
            if name in names and (address := channel.address_of(contact))
        )

    def _queue(
        self,
        to: Destination,
        words: tuple[str, dict[str, Any]],
        plain: Plain,
        *,
        level: int,
        urgency: int,
        said: dict[uuid.UUID, Any],
        rule_version_ids: Sequence[int],
        is_paced: bool = True,
    ) -> int:
        outbox_id = uuid.UUID(hashlib.md5(to.dedupe_key.encode(), usedforsecurity=False).hexdigest())
        is_limited = self.limits.is_limited(to.channel)
        if (
            is_limited
            and self._connection.execute("select 1 from notify.outbox where outbox_id = %s", (outbox_id,)).fetchone()
        ):
            return 0
        template_code, context = words
        ref = self._ref(to, outbox_id, list(said))
        text = wording.write(
            to.channel, self._templates.get((template_code, to.channel)), {"url": self._url, **context, "ref": ref},
            plain,
        )  # fmt: skip
        not_before, held_for = self._at, None
        if not is_paced and is_limited:
            wait = self.limits.reserve(to.channel, str(to.contact_id), urgency)
            not_before, held_for = self._at + wait, "limit" if wait else None
        quiet_until = self.directory.quiet_until(to.contact_id, not_before)
        if quiet_until and urgency < _QUIET_BELOW and to.channel not in _SILENT_CHANNELS:
            not_before, held_for = quiet_until, "quiet_hours"
        levels = list(said.values())
        added = self._connection.execute(
            """
            insert into notify.outbox (outbox_id, dedupe_key, route_id, group_id, contact_id, channel, address, level,
                subject, body, body_html, template_id, segment_count, incident_ids, incident_levels, rule_version_ids,
                not_before, held_for, created_at)
            values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing
            """,
            (
                outbox_id, to.dedupe_key, to.route_id, to.group_id, to.contact_id, to.channel, to.address, level,
                text.subject, text.body, text.body_html, text.template_id, text.segment_count, list(said),
                [] if None in levels else levels, list(rule_version_ids), not_before, held_for, self._at,
            ),
        ).rowcount  # fmt: skip
        if added and text.segment_count:
            self._charge(to.channel, text.segment_count)
        return added

    def _ref(self, to: Destination, outbox_id: uuid.UUID, incident_ids: list[uuid.UUID]) -> str:
        """What makes this message unlike any other: gateways refuse a text that they sent a short time ago."""
        if not incident_ids:
            return f"TB-{outbox_id.hex[:6].upper()}"
        if to.channel != "sms":
            return incident_code(incident_ids[0])
        row = self._connection.execute(
            "select count(*) + 1 from notify.outbox "
            "where incident_ids @> array[%s]::uuid[] and channel = 'sms' and contact_id = %s",
            (incident_ids[0], to.contact_id),
        ).fetchone()
        assert row is not None
        return f"{incident_code(incident_ids[0])}.{row[0]}"

    def _charge(self, channel: str, segments: int) -> None:
        budget = self.limits.charge(channel, segments)
        if budget and budget.crossed:
            share = f"{number(budget.used)} / {number(budget.capacity)} tin"
            self.tell_operators(
                f"budget|{channel}|{budget.month}",
                f"Kinh phí tin nhắn tháng {budget.month} đã dùng 80 %",
                f"Đã dùng {share} {channel.upper()} của tháng {budget.month}. Khi hết, tin nhắn dưới cấp 4 chờ sang "
                "tháng sau; thư điện tử và hộp thư của Cổng không bị ảnh hưởng.",
            )

    def item(self, row: dict[str, Any]) -> dict[str, Any]:
        """What a template may say about one incident: ``code, status, text, title, entity, unit_name, level, value,
        amount, at``; ``amount`` is the value as people read it."""
        is_over = row["closed_at"] is not None
        value = row["close_value"] if is_over else row["last_value"]
        if row["close_reason"] in _LEFT:
            at = row["closed_at"]
            since = f", số liệu gần nhất lúc {moment(row['last_ok_at'])}" if row["last_ok_at"] else ""
            text = f"{row['title_vi']}: {row['entity']} rời danh sách theo dõi{since}"
        elif row["kind"] == "value":
            at = row["closed_at"] or row["last_ok_at"]
            text = self._rule_text(row, value)
        elif row["kind"] == "source":
            at = row["heard_at"]
            text = f"{row['title_vi']} {'đã cung cấp lại' if is_over else 'ngừng cung cấp'} từ {moment(at)}"
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
            "amount": amount(value, row["unit_vi"], row["state_vi"]),
            "at": at,
        }

    def _rule_text(self, row: dict[str, Any], value: float | None) -> str:
        context = {
            "entity": row["entity"], "value": value, "unit": row["unit_vi"] or "", "level": row["true_level"],
            "label": row["state_vi"] or row["label_vi"] or "", "label_en": row["state_en"] or row["label_en"] or "",
        }  # fmt: skip
        try:
            return render(row["message_vi"], context)
        except TemplateRefusedError as error:
            # An alarm with a plain text beats no alarm.
            _log.error("rule %s: %s", row["rule_code"], error)
            return f"{row['title_vi']}: {row['entity']} = {amount(value, row['unit_vi'], row['state_vi'])}"


# An alarm may leave the list without its data having said that it is over.
_LEFT = {
    "retired": "Chưa rõ hiện trạng",
    "rule_disabled": "Quy tắc đã ngừng áp dụng",
    "rule_ended": "Quy tắc đã hết hiệu lực",
}


def _status(row: dict[str, Any], is_over: bool) -> str:
    if row["close_reason"] in _LEFT:
        return _LEFT[row["close_reason"]]
    if row["kind"] != "value":
        what = "nguồn dữ liệu" if row["kind"] == "source" else "dữ liệu"
        return f"{'Có lại' if is_over else 'Mất'} {what}"
    if is_over:
        return "Đã hết cảnh báo"
    label = f" – {row['label_vi']}" if row["label_vi"] else ""
    level = f"cấp {row['true_level']}{label}"
    if row["told_level"] == 0:
        return f"Cảnh báo {level}"
    return f"Tăng lên {level}" if row["true_level"] > row["told_level"] else f"Giảm xuống {level}"
