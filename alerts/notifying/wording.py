"""From a template to the text of one message; for SMS one that fits, is registered and is accepted by gateways.

An alarm is never refused because of its text: what is too long is shortened by rule, what no template can say is said
plainly.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from alerts.notifying import sms_text
from alerts.notifying.rendering import TemplateRefusedError, render

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alerts.notifying.notice import Plain

_log = logging.getLogger(__name__)
SEGMENT_LIMIT = 2
# What an SMS is made of when there is no template for its occasion.
PLAIN_SMS = "IOC Thanh Hoa: {noi_dung}. Ma {ma}"
# Values that are useless when shortened.
_WHOLE = frozenset({"ref", "code", "case_code", "url", "verification"})
_LENGTHS = (160, 120, 90, 70, 50, 35, 25, 15, 8)


@dataclass(frozen=True, slots=True)
class Text:
    """The words of one message; ``segment_count`` is None where the channel does not count."""

    subject: str
    body: str
    body_html: str = ""
    template_id: int | None = None
    segment_count: int | None = None


def write(channel: str, template: dict[str, Any] | None, context: dict[str, Any], plain: Plain) -> Text:
    """The text of a message for ``channel``.

    Args:
        channel: Name of the channel; ``sms`` has rules of its own.
        template: Row of ``notify.template``; None = there is none for this occasion.
        context: What the template may say; ``ref`` and ``url`` among it.
        plain: The text when there is no template, or it cannot be rendered.
    """
    if channel == "sms":
        return _sms(template, context, plain)
    if template is not None:
        try:
            return Text(
                render(template["subject"], context),
                render(template["body"], context),
                render(template["body_html"], context, html=True),
                template["template_id"],
            )
        except TemplateRefusedError as error:
            _log.error("template %s/%s: %s", template["code"], template["channel"], error)
    return Text(plain.subject, plain.body)


def _sms(template: dict[str, Any] | None, context: dict[str, Any], plain: Plain) -> Text:
    limit = (template and template["segment_limit"]) or SEGMENT_LIMIT
    registered = (template and template["registered_text"]) or None
    if template is not None:
        try:
            for body in _renderings(template["body"], context):
                size = sms_text.measure(body)
                if size.segments <= limit and is_acceptable(body, context["ref"], registered):
                    return Text(plain.subject, body, "", template["template_id"], size.segments)
            _log.error("template %s/sms does not fit: %s", template["code"], context["ref"])
        except TemplateRefusedError as error:
            _log.error("template %s/sms: %s", template["code"], error)
    said = sms_text.khong_dau(plain.body or plain.subject)
    for length in (1000, *_LENGTHS):
        values = {"noi_dung": sms_text.cut(said, length).rstrip("."), "ma": context["ref"], "lien_ket": context["url"]}
        body = sms_text.khong_dau(sms_text.fill(registered or PLAIN_SMS, values))
        size = sms_text.measure(body)
        if size.segments <= limit:
            break
    return Text(plain.subject, body, "", template["template_id"] if template else None, size.segments)


def is_acceptable(body: str, ref: str, registered: str | None) -> bool:
    """Whether a gateway takes this SMS: its own code in it, and the form that was registered."""
    return ref in body and (registered is None or sms_text.matches(body, registered))


def _renderings(source: str, context: dict[str, Any]) -> Iterator[str]:
    """The text of a template, then the same with its arguments cut ever shorter."""
    yield sms_text.khong_dau(render(source, context))
    for length in _LENGTHS:
        yield sms_text.khong_dau(render(source, _shortened(context, length)))


def _shortened(value: Any, length: int) -> Any:
    if isinstance(value, str):
        return sms_text.cut(sms_text.khong_dau(value), length)
    if isinstance(value, dict):
        return {k: item if k in _WHOLE else _shortened(item, length) for k, item in value.items()}
    return [_shortened(item, length) for item in value[:1]] if isinstance(value, list) else value
