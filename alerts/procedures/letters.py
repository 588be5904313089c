"""Messages of procedures: whom they reach, and one message per person for what falls due together.

Every message goes through :meth:`alerts.notifying.notice.Teller.post`, in the transaction that records that it was
told.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from alerts.channels import all_channels
from alerts.notifying import routing
from alerts.notifying.notice import Destination, Plain, Teller
from ioc.settings import get_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

    import psycopg

    from alerts.channels.base import Contact
    from ioc.settings import Settings

# Where everything goes that reaches nobody else: somebody is always on duty at the centre.
DUTY = ("IOC", ("truc_ban",))
DUTY_CHANNELS = ("web", "email")


@dataclass(frozen=True)
class Address:
    """One person on one channel."""

    contact_id: int
    contact_code: str
    channel: str
    address: str


@dataclass
class Desk:
    """What a drain needs to write letters; people are read once, templates anew in every transaction.

    Attributes:
        connection: Role alerts.
        at: The clock.
        settings: Settings of the stack.
        errors: What could not be done, one line each.
    """

    connection: psycopg.Connection[Any]
    at: datetime
    settings: Settings | None = None
    errors: list[str] = field(default_factory=list)
    _directory: routing.Directory | None = field(default=None, init=False)

    @property
    def directory(self) -> routing.Directory:
        """Units and people as of the clock."""
        if self._directory is None:
            self._directory = routing.load(self.connection, self.at)
        return self._directory

    def teller(self) -> Teller:
        """The way into the outbox, for one transaction."""
        return Teller(self.connection, self.directory, self.at, self.settings)

    def url(self, case_code: str) -> str:
        """Page of a case."""
        return f"{(self.settings or get_settings()).portal_url()}/vu-viec/{case_code}"

    def reach(self, unit: str | None, roles: Sequence[str], channels: Iterable[str], *, hop: int = 0) -> list[Address]:
        """Where ``roles`` of a unit (``hop`` levels above it) are reached; the duty of the centre when nobody is."""
        found = self.of(self.directory.people(unit, roles, hop=hop), channels)
        return found or self.duty()

    def duty(self) -> list[Address]:
        """Where the duty of the centre is reached."""
        return self.of(self.directory.people(*DUTY), DUTY_CHANNELS)

    def of(self, people: Iterable[Contact], channels: Iterable[str]) -> list[Address]:
        """Addresses of people on those of ``channels`` that exist and reach them."""
        wanted = set(channels)
        return [
            Address(contact.contact_id, contact.code, name, address)
            for contact in people
            for name, channel in all_channels().items()
            if name in wanted and (address := channel.address_of(contact))
        ]

    def user(self, name: str) -> list[Contact]:
        """The contact of a login name; empty when there is none."""
        return [one for one in self.directory.contacts.values() if one.user_name == name]


@dataclass(frozen=True)
class Letter:
    """What one message says."""

    key: str
    template_code: str
    context: dict[str, Any]
    plain: Plain
    level: int
    incident_ids: Sequence[UUID] = ()
    incident_levels: Sequence[int] = ()


def send(teller: Teller, to: Address, letter: Letter) -> int:
    """Queue a letter; 1 when it is new."""
    destination = Destination(
        f"{letter.key}|{to.contact_code}|{to.channel}", None, None, to.contact_id, to.channel, to.address
    )
    return teller.post(
        destination, letter.template_code, letter.context, letter.plain, level=letter.level,
        incident_ids=letter.incident_ids, incident_levels=letter.incident_levels,
    )  # fmt: skip


def bundle(
    addressed: Iterable[tuple[Iterable[Address], dict[str, Any]]], by: Callable[[dict[str, Any]], Any]
) -> list[tuple[Address, list[dict[str, Any]]]]:
    """Rows per person, channel and kind: what falls due together is one message.

    Args:
        addressed: Addresses and the row to be told there.
        by: What kind of message a row is.
    """
    found: dict[tuple[Address, Any], list[dict[str, Any]]] = {}
    for addresses, row in addressed:
        for address in addresses:
            found.setdefault((address, by(row)), []).append(row)
    return [(address, rows) for (address, _), rows in found.items()]
