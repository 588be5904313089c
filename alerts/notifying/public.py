"""What citizens are told: public messages as the difference between what is true and what was last published.

Runs with the reconciler, level-triggered like it: whoever reads the feed and however rarely, the messages are written
when things change, kept for ever, and refer to those before them. Only rules in ``alert.public_rule`` and entities that
the public may know of; data too old to be spoken of as "now" publish nothing.

    true, not published (or expired)     -> Alert
    another level, or soon to expire     -> Update, referring to all messages since the Alert
    no longer true, still published      -> Cancel, likewise
    no fresh data                        -> nothing; the message expires by itself

A maintenance window or an inhibition holds Alerts and Updates back (the values are not to be trusted), never a Cancel.
A silence does not: it is about who is woken at night.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb

from alerts.notifying import cap
from alerts.notifying.notice import incident_code
from alerts.notifying.rendering import TemplateRefusedError, moment, number, render
from ioc import warehouse
from ioc.settings import get_settings

if TYPE_CHECKING:
    import psycopg

    from ioc.settings import Settings

_log = logging.getLogger(__name__)
SENDER_NAME = "Trung tâm điều hành thông minh tỉnh Thanh Hóa"
SOURCE = f"{SENDER_NAME}; định dạng CAP 1.2 (OASIS)"
# A message whose end is nearer than this share of the rule's freshness is renewed while its cause goes on.
_RENEW_SHARE = 3
_CANCEL_LASTS = timedelta(hours=1)

_STANDING = """
with candidate as (
    select i.incident_id from alert.incident i join alert.rule r using (rule_id)
    join alert.public_rule p on p.rule_code = r.code
    where i.status = 'open' and i.kind = 'value'
    union
    select incident_id from alert.public_message where expires_at > %(at)s
)
select i.incident_id, i.opened_at, i.closed_at, i.unit_code, i.entity_id, r.code as rule_code, p.category,
    p.event_vi, p.event_en, p.headline_vi, p.headline_en, p.radius_km::float8, v.legal_basis, v.notify_max_age,
    coalesce(e.name_vi, i.entity_id) as entity, e.longitude, e.latitude, unit.name_vi as unit_name,
    unit.kind in ('ward', 'commune') as is_commune,
    case when i.status = 'open' and i.level >= p.min_level and p.is_enabled and e.is_public then i.level else 0 end
        as level,
    r.unit_vi, st.last_value::float8 as value, st.last_ok_at, %(at)s - st.last_ok_at < v.notify_max_age as is_fresh,
    exists (
        select from alert.suppression s
        where s.kind in ('maintenance', 'inhibit') and s.during @> %(at)s::timestamptz and i.level <= s.max_level
            and alert.holds_at(s, %(at)s) and alert.is_about(s, r.code, i.entity_id, i.unit_code, i.kind, %(at)s)
    ) as is_held,
    coalesce(last.number, 0) as number, last.message_type, last.level as told_level, last.expires_at,
    last.content as told
from candidate
join alert.incident i using (incident_id)
join alert.rule r using (rule_id)
join alert.rule_version v using (rule_version_id)
join alert.public_rule p on p.rule_code = r.code
join alert.series_state st on (st.rule_id, st.entity_type, st.entity_id) = (i.rule_id, i.entity_type, i.entity_id)
left join alerting.entity e on (e.entity_type, e.entity_id) = (i.entity_type, i.entity_id)
left join lateral (
    select u.name_vi, u.kind from ref.org_unit u where u.code = i.unit_code
    order by u.valid @> i.opened_at::date desc, u.valid desc limit 1
) unit on true
left join lateral (
    select m.* from alert.public_message m where m.incident_id = i.incident_id order by m.number desc limit 1
) last on true
order by i.opened_at, i.incident_id
"""


@dataclass(frozen=True)
class PublicMessage:
    """A published message.

    Attributes:
        identifier: Its CAP identifier.
        message_type: Alert, Update or Cancel.
        level: 1 to 4; 0 = over.
        sent_at: When it was published.
        expires_at: When it ends by itself.
        reference_ids: Identifiers of the earlier messages that it replaces.
        content: ``event, headline, description, advice`` with ``_vi`` and ``_en``, ``severity``, ``onset_at``,
            ``status``, ``area`` (``name, commune_code, latitude, longitude, radius_km``).
        cap: The CAP 1.2 document.
    """

    identifier: str
    message_type: str
    level: int
    sent_at: datetime
    expires_at: datetime
    reference_ids: list[str]
    content: dict[str, Any]
    cap: str


_COLUMNS = "identifier, message_type, level, sent_at, expires_at, reference_ids, content, cap"


def publish_in(connection: psycopg.Connection, at: datetime, settings: Settings | None = None) -> int:
    """Publish what citizens do not know yet, in the transaction of ``connection``; two publishers wait for each other.

    Args:
        connection: As role ``alerts``.
        at: The clock.
        settings: Settings of the stack; default: this process's.

    Returns:
        The number of messages published.
    """
    connection.execute("select pg_advisory_xact_lock(hashtext('alerts:public'))")
    cursor = connection.cursor(row_factory=dict_row)
    settings = settings or get_settings()
    published = 0
    for row in cursor.execute(_STANDING, {"at": at}).fetchall():
        message_type = _due(row, at)
        if message_type:
            _publish(connection, _composed(connection, row, message_type, at, settings), row, at)
            published += 1
    return published


def _due(row: dict[str, Any], at: datetime) -> str | None:
    """Which message ``row`` asks for now, if any."""
    is_out = row["message_type"] in ("Alert", "Update") and row["expires_at"] > at
    if row["level"] == 0:
        return "Cancel" if is_out else None
    if not row["is_fresh"] or row["is_held"]:
        return None
    if not is_out:
        return "Alert"
    if row["level"] != row["told_level"]:
        return "Update"
    ends_soon = row["expires_at"] - at < row["notify_max_age"] / _RENEW_SHARE
    return "Update" if ends_soon and _expiry(row) > row["expires_at"] else None


def _expiry(row: dict[str, Any]) -> datetime:
    end: datetime = row["last_ok_at"] + row["notify_max_age"]
    return end


def _composed(
    connection: psycopg.Connection, row: dict[str, Any], message_type: Any, at: datetime, settings: Settings
) -> cap.Message:
    is_over = message_type == "Cancel"
    level = row["told_level"] if is_over else row["level"]
    advice = _advice(connection, row["rule_code"], level)
    earlier = [] if message_type == "Alert" else _chain(connection, row)
    sent_at = at.replace(microsecond=0)
    return cap.Message(
        identifier=f"thanhhoa-ioc-{row['incident_id'].hex}-{row['number'] + 1}",
        sender=settings.mail_from,
        sender_name=SENDER_NAME,
        sent_at=sent_at,
        status="Test" if settings.with_sandbox else "Actual",
        message_type=message_type,
        references=earlier,
        incident_code=incident_code(row["incident_id"]),
        category=row["category"],
        level=level,
        response=advice["response"],
        onset_at=row["opened_at"],
        expires_at=max(row["expires_at"], sent_at + _CANCEL_LASTS) if is_over else _expiry(row),
        texts=_texts(connection, row, level, advice, is_over=is_over),
        area=row["told"]["area"] if is_over else _area(row),
        web=f"{settings.portal_url()}/cong-dan",
    )


def _advice(connection: psycopg.Connection, rule_code: str, level: int) -> dict[str, Any]:
    cursor = connection.cursor(row_factory=dict_row)
    found = cursor.execute(
        "select response, advice_vi, advice_en from alert.public_advice where rule_code = %s and level <= %s "
        "order by level desc limit 1",
        (rule_code, level),
    ).fetchone()
    return found or {"response": "Monitor", "advice_vi": "", "advice_en": ""}


def _chain(connection: psycopg.Connection, row: dict[str, Any]) -> list[tuple[str, str, datetime]]:
    """The messages of an incident since its newest Alert, oldest first."""
    return connection.execute(
        """
        select sender, identifier, sent_at from alert.public_message m
        where incident_id = %(id)s and number >= (
            select max(number) from alert.public_message where incident_id = %(id)s and message_type = 'Alert')
        order by number
        """,
        {"id": row["incident_id"]},
    ).fetchall()


def _texts(
    connection: psycopg.Connection, row: dict[str, Any], level: int, advice: dict[str, Any], *, is_over: bool
) -> dict[str, dict[str, str]]:
    if is_over:
        told = row["told"]
        ended = moment(row["closed_at"] or row["last_ok_at"])
        return {
            "vi": {
                "event": row["event_vi"], "headline": f"Đã hết: {told['headline_vi']}",
                "description": f"Cảnh báo này kết thúc lúc {ended}.", "advice": "",
            },
            "en": {
                "event": row["event_en"], "headline": f"Over: {told['headline_en']}",
                "description": f"This alert ended at {ended}.", "advice": "",
            },
        }  # fmt: skip
    labels = connection.execute(
        """
        select t.label_vi, t.label_en from alert.threshold t join alert.incident i using (rule_version_id)
        where i.incident_id = %s and t.level = %s
        order by (t.scope_kind, t.scope_value) = ('entity', i.entity_id) desc, t.scope_kind = 'province' desc limit 1
        """,
        (row["incident_id"], level),
    ).fetchone() or ("", "")
    measured = moment(row["last_ok_at"])
    place = row["unit_name"] or row["entity"]
    said = {
        "vi": f"Số đo đến {measured} tại {row['entity']} ({place}). Căn cứ: {row['legal_basis']}.",
        "en": f"Measured up to {measured} at {row['entity']} ({place}). Basis: {row['legal_basis']}.",
    }
    texts = {}
    for language, label in zip(("vi", "en"), labels, strict=True):
        context = {"entity": row["entity"], "place": place, "value": row["value"], "label": label}
        texts[language] = {
            "event": row[f"event_{language}"],
            "headline": _headline(row, row[f"headline_{language}"], context),
            "description": said[language],
            "advice": advice[f"advice_{language}"],
        }
    return texts


def _headline(row: dict[str, Any], template: str, context: dict[str, Any]) -> str:
    try:
        return render(template, context)
    except TemplateRefusedError as error:
        # A plain alert beats none.
        _log.error("public rule %s: %s", row["rule_code"], error)
        value = "" if row["unit_vi"] is None else f" ({number(context['value'])})"
        return f"{context['entity']}: {context['label']}{value}"


def _area(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": row["unit_name"] if row["is_commune"] else f"{row['entity']}, tỉnh Thanh Hóa",
        "commune_code": row["unit_code"] if row["is_commune"] else None,
        "latitude": row["latitude"],
        "longitude": row["longitude"],
        "radius_km": row["radius_km"],
    }


def _publish(connection: psycopg.Connection, message: cap.Message, row: dict[str, Any], at: datetime) -> None:
    content = {
        **{f"{name}_{language}": text for language, texts in message.texts.items() for name, text in texts.items()},
        "severity": cap.SEVERITIES[message.level],
        "category": message.category,
        "status": message.status,
        "onset_at": message.onset_at.isoformat(),
        "area": dict(message.area),
    }
    connection.execute(
        """
        insert into alert.public_message (identifier, incident_id, number, message_type, level, sender, sent_at,
            expires_at, reference_ids, content, cap)
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (
            message.identifier, row["incident_id"], row["number"] + 1, message.message_type,
            0 if message.message_type == "Cancel" else message.level, message.sender, message.sent_at,
            message.expires_at, [identifier for _, identifier, _ in message.references], Jsonb(content),
            cap.document(message),
        ),
    )  # fmt: skip
    _log.info("public %s %s at %s", message.message_type, message.identifier, at.isoformat())


def active(settings: Settings | None = None, at: datetime | None = None) -> list[PublicMessage]:
    """What citizens should know now: the newest message of every incident that is neither over nor expired, the gravest
    first."""
    at = at or datetime.now(UTC)
    query = f"""
        select {_COLUMNS} from (
            select distinct on (incident_id) * from alert.public_message where sent_at <= %(at)s
                and incident_id in (select incident_id from alert.public_message where expires_at > %(at)s)
            order by incident_id, number desc
        ) newest
        where message_type <> 'Cancel' and expires_at > %(at)s order by level desc, sent_at desc, identifier
    """
    return _messages(query, {"at": at}, settings)


def recent(settings: Settings | None = None, at: datetime | None = None, *, days: int = 7) -> list[PublicMessage]:
    """Every message of the last ``days`` (at most 200), newest first: Alerts, Updates and Cancels."""
    at = at or datetime.now(UTC)
    query = (
        f"select {_COLUMNS} from alert.public_message where sent_at > %(since)s and sent_at <= %(at)s "
        "order by sent_at desc, public_message_id desc limit 200"
    )
    return _messages(query, {"since": at - timedelta(days=days), "at": at}, settings)


def find(identifier: str, settings: Settings | None = None) -> PublicMessage | None:
    """The message with this identifier, however old."""
    query = f"select {_COLUMNS} from alert.public_message where identifier = %(identifier)s"
    return next(iter(_messages(query, {"identifier": identifier}, settings)), None)


def changed_at(settings: Settings | None = None, at: datetime | None = None) -> datetime | None:
    """When the list of active messages last changed: a message came, or one expired. None: there never was one."""
    at = at or datetime.now(UTC)
    with warehouse.connect("portal", settings) as connection:
        row = connection.execute(
            "select greatest(max(sent_at), max(expires_at) filter (where expires_at <= %(at)s)) "
            "from alert.public_message where sent_at <= %(at)s",
            {"at": at},
        ).fetchone()
    return row[0] if row else None


def _messages(query: Any, values: dict[str, Any], settings: Settings | None) -> list[PublicMessage]:
    with (
        warehouse.connect("portal", settings) as connection,
        connection.cursor(row_factory=class_row(PublicMessage)) as cursor,
    ):
        return cursor.execute(query, values).fetchall()
