"""What a channel is: an address for a contact, and the gateways that carry its messages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from alerts.gateways.base import Gateway
    from ioc.settings import Settings


@dataclass(frozen=True, slots=True)
class Contact:
    """A row of ``ref.contact`` as far as channels need it; ``addresses`` by channel are those of ``notify.address``."""

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
    addresses: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Message:
    """A claimed row of ``notify.outbox``; ``outbox_id`` is the request id on every retry.

    ``resend`` counts how often it goes out marked as sent again, because nobody knows what became of the last sending.
    ``is_bound``: its gateway may have it already, from an attempt before this one.
    """

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
    resend: int = 0
    refused_by: Sequence[str] = ()
    is_bound: bool = False


Trouble = Literal["balance", "credentials", "configuration", "unreachable"]


@dataclass(frozen=True, slots=True)
class Result:
    """What came of handing a message over.

    Attributes:
        outcome: ``accepted``: the next server has it. ``delivered``: the reader has it. ``retry``: certainly not taken,
            try again. ``refused``: this gateway will never take it, another may. ``failed``: nobody will.
            ``uncertain``: it may have been taken (a timeout, a dropped connection, 5xx).
        provider_code: The answer's own code.
        provider_id: Under which the gateway knows the message.
        error: What went wrong; never holds an address or a credential.
        trouble: The gateway takes nothing at all now, and why. With ``retry`` the message then waits without its
            attempts being counted against it.
    """

    outcome: Literal["accepted", "delivered", "retry", "refused", "failed", "uncertain"]
    provider_code: str | None = None
    provider_id: str | None = None
    error: str | None = None
    trouble: Trouble | None = None


Send = Callable[[Message], Result]


class Channel(Protocol):
    """A channel module offers one of these as ``CHANNEL``.

    Attributes:
        in_database: The message is delivered by writing to the warehouse: claim, delivery and result are one
            transaction, which makes it exactly once.
    """

    in_database: bool

    def address_of(self, contact: Contact) -> str | None:
        """Where this channel reaches ``contact``; None when it does not."""

    def gateways(self, settings: Settings) -> Sequence[Gateway]:
        """Who carries the messages, the preferred one first; empty when nobody is configured."""
