"""What a gateway is: hands messages over, says whether it recognises a repetition, and tells what became of one.

An adapter of an SMS provider is one file of this folder; see :func:`alerts.gateways.adapters`.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import requests
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from alerts.channels.base import Result
from alerts.notifying.sms_text import cut, measure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from urllib.parse import SplitResult

    import psycopg

    from alerts.channels.base import Message, Send
    from ioc.settings import Settings

LONGEST_SMS = 480
# Connect, read: well below the lease of a claimed message.
TIMEOUT_S = (5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Fate:
    """What a gateway says became of a message.

    ``pending``: it has it, nothing more is known. ``not_found``: it never got it.
    """

    status: Literal["pending", "delivered", "failed", "not_found"]
    provider_id: str = ""
    provider_status: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A report that a gateway sent us about one message."""

    provider_id: str
    status: Literal["pending", "delivered", "failed"]
    provider_status: str
    request_id: str = ""
    detail: str = ""


class ReceiptUnreadableError(ValueError):
    """What came is no receipt of this gateway; the message says why, without repeating what came."""


class Gateway(Protocol):
    """Carries messages of one channel.

    Attributes:
        name: Name in the outbox, in receipts' addresses and in messages to operators.
        is_idempotent: A second hand-over under the same request id is recognised, so an uncertain one is repeated.
        claim_size: Messages claimed at a time; 1 where a repetition cannot be recognised, so that a crash leaves at
            most one unknown.
        batch_size: Results written at a time; up to so many are handed over again after a crash.
        reports_delivery: Accepted is not the end: a receipt follows, or can be asked for.
    """

    @property
    def name(self) -> str: ...

    @property
    def is_idempotent(self) -> bool: ...

    @property
    def claim_size(self) -> int: ...

    @property
    def batch_size(self) -> int: ...

    @property
    def reports_delivery(self) -> bool: ...

    def open(self, connection: psycopg.Connection) -> AbstractContextManager[Send]:
        """A session in which messages are handed over.

        Raises:
            OSError: the service does not answer; the messages stay queued.
        """

    def fate(self, message: Message, provider_id: str | None) -> Fate | None:
        """Ask what became of a message; None when this gateway cannot be asked, or does not answer."""


class Adapter(Protocol):
    """What a module of an SMS provider offers: ``build`` and ``parse_receipt``."""

    def build(self, url: SplitResult, settings: Settings) -> Gateway:
        """The gateway at ``url``, an entry of ``IOC_SMS_GATEWAY`` without the provider's prefix.

        Raises:
            ValueError: a mandatory part of the address is missing; the message names it.
        """

    def parse_receipt(self, values: Mapping[str, str]) -> Receipt:
        """Read a receipt from the parameters, form or JSON object that the provider sent.

        Raises:
            ReceiptUnreadableError: it is none.
        """


@dataclass(frozen=True)
class Direct:
    """A gateway that is nothing but its ``open``: recognises repetitions, reports nothing afterwards."""

    name: str
    opener: Callable[[psycopg.Connection], AbstractContextManager[Send]]
    is_idempotent: bool = True
    claim_size: int = 20
    batch_size: int = 1
    reports_delivery: bool = False

    def open(self, connection: psycopg.Connection) -> AbstractContextManager[Send]:
        return self.opener(connection)

    def fate(self, message: Message, provider_id: str | None) -> Fate | None:  # noqa: ARG002
        return None


@contextmanager
def http_session() -> Iterator[requests.Session]:
    """Connections to one gateway; proxies and logins of this machine's environment are none of its business."""
    with requests.Session() as session:
        session.trust_env = False
        yield session


def transport_failure(error: requests.RequestException) -> Result:
    """The result when the HTTP request itself failed: certain when no connection came about, uncertain otherwise.

    The text of the error is left out on purpose: it repeats the address, which may hold a key or a phone number.
    """
    name = type(error).__name__
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    if isinstance(reason, NewConnectionError | ConnectTimeoutError):
        return Result("retry", error=f"no connection ({name})", trouble="unreachable")
    return Result("uncertain", error=f"the answer did not come ({name})", trouble="unreachable")


def sms_text(message: Message) -> str:
    """What the phone shows: the body, marked ``(gửi lại)`` when it goes out again (``(gửi lại 2)`` the second time)."""
    if not message.resend:
        return message.body
    mark = " (gui lai" if measure(message.body).encoding == "gsm7" else " (gửi lại"
    mark += f" {message.resend})" if message.resend > 1 else ")"
    return cut(message.body, LONGEST_SMS - len(mark)) + mark
