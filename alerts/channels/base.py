"""What a channel is: an address for a contact, and a way to hand over one message."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from datetime import datetime
    from uuid import UUID

    import psycopg

    from ioc.settings import Settings


@dataclass(frozen=True, slots=True)
class Contact:
    """A row of ``ref.contact`` as far as channels need it."""

    contact_id: int
    code: str
    name_vi: str
    unit_code: str
    roles: list[str]
    user_name: str | None
    email: str | None
    email_verified: bool
    phone: str | None
    phone_verified: bool


@dataclass(frozen=True, slots=True)
class Message:
    """A claimed row of ``notify.outbox``; ``outbox_id`` is the request id on every retry."""

    outbox_id: UUID
    contact_id: int | None
    address: str
    level: int
    subject: str
    body: str
    body_html: str
    incident_ids: list[UUID]
    created_at: datetime
    attempt: int


@dataclass(frozen=True, slots=True)
class Result:
    """What came of handing a message over.

    ``accepted``: the next server has it. ``delivered``: the reader has it. ``retry``: refused for now, try again.
    ``failed``: refused for good.
    """

    outcome: Literal["accepted", "delivered", "retry", "failed"]
    provider_code: str | None = None
    provider_id: str | None = None
    error: str | None = None


Send = Callable[[Message], Result]


class Channel(Protocol):
    """A channel module offers one of these as ``CHANNEL``.

    Attributes:
        after_expiry: What to do with a message whose sender died between claim and result: ``resend`` where a second
            delivery with the same request id is recognised (email by Message-ID), ``unknown`` where it is not.
        in_database: The message is delivered by writing to the warehouse: claim, delivery and result are one
            transaction, which makes it exactly once. ``open`` then gets the connection of that transaction.
    """

    after_expiry: Literal["resend", "unknown"]
    in_database: bool

    def address_of(self, contact: Contact) -> str | None:
        """Where this channel reaches ``contact``; None when it does not."""

    def open(self, settings: Settings, connection: psycopg.Connection | None) -> AbstractContextManager[Send]:
        """A session in which messages are handed over.

        Raises:
            OSError: the service does not answer; the messages stay queued.
        """
