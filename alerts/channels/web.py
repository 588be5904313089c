"""The portal's inbox: a row beside the outbox, in the same transaction, so a message arrives exactly once."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from alerts.channels.base import Contact, Message, Result, Send

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from ioc.settings import Settings


class Web:
    """Delivers into ``notify.inbox`` and wakes the portal (``NOTIFY ioc_inbox``, payload = contact id)."""

    after_expiry: Literal["resend", "unknown"] = "resend"
    in_database = True

    def address_of(self, contact: Contact) -> str | None:
        return contact.user_name

    @contextmanager
    def open(self, settings: Settings, connection: psycopg.Connection | None) -> Iterator[Send]:  # noqa: ARG002
        assert connection is not None

        def send(message: Message) -> Result:
            row = connection.execute(
                """
                insert into notify.inbox (outbox_id, contact_id, level, subject, body, incident_ids, created_at)
                values (%s, %s, %s, %s, %s, %s, %s) returning inbox_id
                """,
                (
                    message.outbox_id, message.contact_id, message.level, message.subject, message.body,
                    message.incident_ids, message.created_at,
                ),
            ).fetchone()  # fmt: skip
            assert row is not None
            connection.execute("select pg_notify('ioc_inbox', %s)", (str(message.contact_id),))
            return Result("delivered", provider_id=str(row[0]))

        yield send


CHANNEL = Web()
