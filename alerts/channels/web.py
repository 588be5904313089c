"""The portal's inbox: a row beside the outbox, in the same transaction, so a message arrives exactly once."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from alerts.channels.base import Contact, Message, Result, Send
from alerts.gateways.base import Direct

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from alerts.gateways.base import Gateway
    from ioc.settings import Settings


class Web:
    """Delivers into ``notify.inbox`` and wakes the portal (``NOTIFY ioc_inbox``, payload = contact id)."""

    in_database = True

    def address_of(self, contact: Contact) -> str | None:
        return contact.user_name

    def gateways(self, settings: Settings) -> list[Gateway]:  # noqa: ARG002
        return [Direct("inbox", _inbox, claim_size=100, batch_size=100)]


@contextmanager
def _inbox(connection: psycopg.Connection) -> Iterator[Send]:
    yield partial(_deliver, connection)


def _deliver(connection: psycopg.Connection, message: Message) -> Result:
    row = connection.execute(
        """
        with delivered as (
            insert into notify.inbox (outbox_id, contact_id, level, subject, body, incident_ids, created_at)
            values (%s, %s, %s, %s, %s, %s, %s) returning inbox_id, contact_id
        )
        select inbox_id, pg_notify('ioc_inbox', contact_id::text) from delivered
        """,
        (
            message.outbox_id, message.contact_id, message.level, message.subject, message.body,
            message.incident_ids, message.created_at,
        ),
    ).fetchone()  # fmt: skip
    assert row is not None
    return Result("delivered", provider_id=str(row[0]))


CHANNEL = Web()
