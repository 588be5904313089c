"""Public alerts in the words of the Common Alerting Protocol 1.2 (OASIS), and the Atom feed that lists them.

What our levels are in CAP:

    level 1 / 2 / 3 / 4            -> severity Minor / Moderate / Severe / Extreme
    level 1-2 / 3-4                -> urgency Expected / Immediate; of a Cancel: Past
    a measured value over a limit  -> certainty Observed
    a stack with the sandbox on    -> status Test (its stations are invented); otherwise Actual
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

from ioc.settings import TIME_ZONE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CAP = "urn:oasis:names:tc:emergency:cap:1.2"
ATOM = "http://www.w3.org/2005/Atom"
CONTENT_TYPE = "application/cap+xml"
SEVERITIES = {1: "Minor", 2: "Moderate", 3: "Severe", 4: "Extreme"}
# The code list by which `geocode` names a commune.
GEOCODE = "VN-commune"
_LANGUAGES = {"vi": "vi-VN", "en": "en-US"}
_ZONE = ZoneInfo(TIME_ZONE)
# XML 1.0 has no way to write these, not even escaped.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Message:
    """One public message.

    Attributes:
        identifier: Unique and stable; letters, digits, ``.``, ``_`` and ``-``.
        sender: Who publishes: an address of the centre.
        sender_name: The centre's name.
        sent_at: When it was published.
        status: ``Test`` while the sources are the sandbox's.
        message_type: ``Alert`` begins, ``Update`` replaces, ``Cancel`` ends.
        references: ``(sender, identifier, sent_at)`` of the earlier messages that it replaces.
        incident_code: Short code of the incident, the same in all its messages.
        category: CAP category.
        level: 1 to 4; of a Cancel: the level that ends.
        response: CAP response type.
        onset_at: Event time of the beginning.
        expires_at: When it ends by itself.
        texts: ``vi`` and ``en``, each with ``event, headline, description, advice``.
        area: ``name`` and, when known, ``commune_code, latitude, longitude, radius_km``.
        web: Page for people.
    """

    identifier: str
    sender: str
    sender_name: str
    sent_at: datetime
    status: Literal["Actual", "Test"]
    message_type: Literal["Alert", "Update", "Cancel"]
    references: Sequence[tuple[str, str, datetime]]
    incident_code: str
    category: str
    level: int
    response: str
    onset_at: datetime
    expires_at: datetime
    texts: Mapping[str, Mapping[str, str]]
    area: Mapping[str, Any]
    web: str


def moment(at: datetime) -> str:
    """A time as CAP wants it: seconds, and an offset in digits."""
    return at.astimezone(_ZONE).isoformat(timespec="seconds")


def document(message: Message) -> str:
    """The CAP 1.2 document of a message."""
    alert = ET.Element("alert", {"xmlns": CAP})
    _add(alert, "identifier", message.identifier)
    _add(alert, "sender", message.sender)
    _add(alert, "sent", moment(message.sent_at))
    _add(alert, "status", message.status)
    _add(alert, "msgType", message.message_type)
    _add(alert, "scope", "Public")
    if message.references:
        _add(alert, "references", " ".join(f"{s},{i},{moment(at)}" for s, i, at in message.references))
    _add(alert, "incidents", message.incident_code)
    for language, texts in message.texts.items():
        _info(alert, message, language, texts)
    return _written(alert)


def _info(alert: ET.Element, message: Message, language: str, texts: Mapping[str, str]) -> None:
    is_over = message.message_type == "Cancel"
    info = _add(alert, "info")
    _add(info, "language", _LANGUAGES[language])
    _add(info, "category", message.category)
    _add(info, "event", texts["event"])
    _add(info, "responseType", "AllClear" if is_over else message.response)
    _add(info, "urgency", "Past" if is_over else "Immediate" if message.level >= 3 else "Expected")
    _add(info, "severity", SEVERITIES[message.level])
    _add(info, "certainty", "Observed")
    _add(info, "effective", moment(message.sent_at))
    _add(info, "onset", moment(message.onset_at))
    _add(info, "expires", moment(message.expires_at))
    _add(info, "senderName", message.sender_name)
    for name, kept_as in (("headline", "headline"), ("description", "description"), ("instruction", "advice")):
        if texts.get(kept_as):
            _add(info, name, texts[kept_as])
    _add(info, "web", message.web)
    area = _add(info, "area")
    _add(area, "areaDesc", message.area["name"])
    if message.area.get("latitude") is not None:
        latitude, longitude, radius = (message.area[name] for name in ("latitude", "longitude", "radius_km"))
        _add(area, "circle", f"{latitude:.5f},{longitude:.5f} {radius:g}")
    if message.area.get("commune_code"):
        geocode = _add(area, "geocode")
        _add(geocode, "valueName", GEOCODE)
        _add(geocode, "value", message.area["commune_code"])


@dataclass(frozen=True)
class Entry:
    """What the feed says of a message; ``url`` is where its CAP document lies."""

    identifier: str
    url: str
    title: str
    summary: str
    sent_at: datetime
    category: str


def feed(entries: Sequence[Entry], *, url: str, title: str, author: str) -> str:
    """The Atom feed (RFC 4287) of ``entries``, newest first."""
    root = ET.Element("feed", {"xmlns": ATOM, "xml:lang": "vi-VN"})
    _add(root, "id", url)
    _add(root, "title", title)
    # Without an entry there is nothing that could have been updated; the feed still needs a date.
    _add(root, "updated", moment(max((entry.sent_at for entry in entries), default=datetime(1970, 1, 1, tzinfo=UTC))))
    _add(_add(root, "author"), "name", author)
    _add(root, "link", rel="self", type="application/atom+xml", href=url)
    for item in entries:
        entry = _add(root, "entry")
        _add(entry, "id", item.url)
        _add(entry, "title", item.title)
        _add(entry, "updated", moment(item.sent_at))
        _add(entry, "published", moment(item.sent_at))
        _add(entry, "category", term=item.category)
        _add(entry, "link", rel="alternate", type=CONTENT_TYPE, href=item.url)
        _add(entry, "summary", item.summary)
    return _written(root)


def _add(parent: ET.Element, name: str, text: str | None = None, **attributes: str) -> ET.Element:
    child = ET.SubElement(parent, name, attributes)
    if text is not None:
        child.text = _NOT_XML.sub("", text)
    return child


def _written(root: ET.Element) -> str:
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'
