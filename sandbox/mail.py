"""A mail server that keeps what it receives as ``.eml`` files, and misbehaves on command."""

from __future__ import annotations

import email
import email.policy
import itertools
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from aiosmtpd.controller import Controller

from sandbox.files import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from aiosmtpd.smtp import SMTP, Envelope, Session

FaultKind = Literal["451", "550", "hang_up", "hang_up_after"]
_SENDER, _RECIPIENTS = "X-Envelope-From", "X-Envelope-To"


@dataclass
class Fault:
    """What goes wrong with the next ``count`` mails.

    Attributes:
        kind: ``451`` (temporary refusal of the mail), ``550`` (a recipient is refused), ``hang_up`` (the connection
            ends before the mail is kept), ``hang_up_after`` (the mail is kept, but the sender never hears so).
        count: How often; 0 = no fault.
        recipient: With ``550``: only this address is refused; empty = every address.
    """

    kind: FaultKind = "451"
    count: int = 0
    recipient: str = ""


@dataclass(frozen=True)
class Mail:
    """A received mail, as the mailbox shows it."""

    sender: str
    to: list[str]
    subject: str
    message_id: str
    date: str
    body: str


class MailServer:
    """An SMTP server on ``address``; mails go to ``folder``.

    Args:
        folder: Where the ``.eml`` files lie, named by time of arrival.
        address: Host and port to listen on.
    """

    def __init__(self, folder: Path, address: tuple[str, int]) -> None:
        self.folder = folder
        self._fault = Fault()
        self._lock = threading.Lock()
        self._number = itertools.count()
        folder.mkdir(parents=True, exist_ok=True)
        self._controller = Controller(self, hostname=address[0], port=address[1], ident="sandbox mail")

    def start(self) -> None:
        self._controller.start()

    def stop(self) -> None:
        self._controller.stop()

    def misbehave(self, fault: Fault) -> None:
        """Arm ``fault``; it replaces the one before."""
        with self._lock:
            self._fault = fault

    def mails(self) -> list[Mail]:
        """Everything in the mailbox, oldest first."""
        return [_read(path) for path in sorted(self.folder.glob("*.eml"))]

    def clear(self) -> int:
        """Empty the mailbox; returns how many mails it held."""
        paths = list(self.folder.glob("*.eml"))
        for path in paths:
            path.unlink(missing_ok=True)
        return len(paths)

    def _strikes(self, *kinds: FaultKind, recipient: str = "") -> FaultKind | None:
        with self._lock:
            fault = self._fault
            if fault.count <= 0 or fault.kind not in kinds:
                return None
            if fault.recipient and fault.recipient != recipient:
                return None
            fault.count -= 1
            return fault.kind

    async def handle_RCPT(  # noqa: N802 (the name is aiosmtpd's)
        self, server: SMTP, session: Session, envelope: Envelope, address: str, rcpt_options: list[str]
    ) -> str:
        del server, session, rcpt_options
        if self._strikes("550", recipient=address):
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        del session
        strike = self._strikes("451", "hang_up", "hang_up_after")
        if strike == "451":
            return "451 4.3.0 try again later"
        if strike != "hang_up":
            self._keep(envelope)
        if strike is not None and server.transport is not None:
            server.transport.abort()
        return "250 OK"

    def _keep(self, envelope: Envelope) -> None:
        body = envelope.original_content or b""
        head = f"{_SENDER}: {envelope.mail_from}\r\n{_RECIPIENTS}: {', '.join(envelope.rcpt_tos)}\r\n"
        name = f"{time.time_ns():020d}-{next(self._number):06d}.eml"
        write_atomically(self.folder / name, head.encode() + body)


def _read(path: Path) -> Mail:
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    body = message.get_body(("plain", "html"))
    return Mail(
        sender=str(message[_SENDER]),
        to=[address.strip() for address in str(message[_RECIPIENTS]).split(",")],
        subject=str(message["Subject"] or ""),
        message_id=str(message["Message-ID"] or ""),
        date=str(message["Date"] or ""),
        body=str(body.get_content()) if body is not None else "",
    )
