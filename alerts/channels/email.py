"""Email over SMTP. The Message-ID is the outbox id on every retry, so that a mail sent twice is recognised as one."""

from __future__ import annotations

import smtplib
import ssl
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from alerts.channels.base import Contact, Message, Result, Send
from alerts.gateways.base import Direct

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alerts.gateways.base import Gateway
    from ioc.settings import Settings

_TIMEOUT_S = 20


class Email:
    """Hands mails to ``IOC_SMTP_URL``: ``smtp://`` plain, ``smtp+starttls://``, ``smtps://``; unset = the sandbox."""

    in_database = False

    def address_of(self, contact: Contact) -> str | None:
        return contact.email if contact.email_verified else None

    def gateways(self, settings: Settings) -> list[Gateway]:
        # A mail sent twice is two mails that look like one: each result is written at once.
        return [Direct("smtp", lambda _: _session(settings))]


@contextmanager
def _session(settings: Settings) -> Iterator[Send]:
    server = _connect(settings)
    try:
        yield lambda message: _send(server, compose(message, settings.mail_from))
    finally:
        with suppress(smtplib.SMTPException, OSError):
            server.quit()


def compose(message: Message, sender: str) -> EmailMessage:
    """The mail for ``message``: UTF-8, plain text and HTML, fixed Message-ID."""
    mail = EmailMessage(policy=SMTP)
    domain = parseaddr(sender)[1].rpartition("@")[2] or "ioc.example"
    mail["Message-ID"] = f"<{message.outbox_id}@{domain}>"
    mail["From"] = sender
    mail["To"] = message.address
    mail["Date"] = format_datetime(message.created_at)
    # A line break in a subject would begin a new header.
    mail["Subject"] = " ".join(message.subject.split())
    mail["Auto-Submitted"] = "auto-generated"
    if message.level >= 3:
        mail["Importance"] = "high"
    mail.set_content(message.body)
    if message.body_html:
        mail.add_alternative(message.body_html, subtype="html")
    return mail


def _connect(settings: Settings) -> smtplib.SMTP:
    parts = urlsplit(settings.smtp_url or f"smtp://127.0.0.1:{settings.port_smtp}")
    host = parts.hostname or "127.0.0.1"
    if parts.scheme not in ("smtp", "smtp+starttls", "smtps"):
        raise OSError(f"IOC_SMTP_URL begins with '{parts.scheme}': use smtp://, smtp+starttls:// or smtps://")
    if parts.username and parts.scheme == "smtp" and host not in ("127.0.0.1", "localhost", "::1"):
        raise OSError("IOC_SMTP_URL would send a password in clear: use smtps:// or smtp+starttls://")
    server: smtplib.SMTP
    if parts.scheme == "smtps":
        server = smtplib.SMTP_SSL(host, parts.port or 465, timeout=_TIMEOUT_S, context=ssl.create_default_context())
    else:
        server = smtplib.SMTP(host, parts.port or (587 if parts.scheme == "smtp+starttls" else 25), timeout=_TIMEOUT_S)
    try:
        if parts.scheme == "smtp+starttls":
            server.starttls(context=ssl.create_default_context())
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
    except smtplib.SMTPException as error:
        server.close()
        raise OSError(f"the mail server {host} refuses the session: {error}") from error
    return server


def _send(server: smtplib.SMTP, mail: EmailMessage) -> Result:
    try:
        server.send_message(mail)
    except smtplib.SMTPRecipientsRefused as error:
        code, text = next(iter(error.recipients.values()))
        return _refused(code, text)
    except smtplib.SMTPResponseException as error:
        return _refused(error.smtp_code, error.smtp_error)
    except (smtplib.SMTPServerDisconnected, OSError) as error:
        return Result("retry", error=str(error) or type(error).__name__)
    return Result("accepted", provider_code="250", provider_id=mail["Message-ID"])


def _refused(code: int, text: bytes | str) -> Result:
    error = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return Result("failed" if code >= 500 else "retry", provider_code=str(code), error=error)


CHANNEL = Email()
