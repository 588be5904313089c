"""The audit chain: writing an event, and proving that none was changed, removed or put in.

Every event carries the hash of the one before it (``audit.chain()``, migration 0002). The chain cannot see its own end
being cut off: for that, the newest hash is printed, to be written down elsewhere, and given back with ``expect``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from psycopg.types.json import Jsonb

from ioc import warehouse

if TYPE_CHECKING:
    from datetime import datetime

    import psycopg

    from ioc.settings import Settings


@dataclass(frozen=True)
class AuditReport:
    """How the chain stands.

    Attributes:
        events: Events in the chain.
        newest_hash: Hash of the newest event in hexadecimal; None when there is none. Write it down elsewhere.
        newest_at: When that event occurred.
        first_broken: Number of the first event that does not fit; None when all fit.
        is_expected_found: Whether the expected hash is one of the chain's; None when none was expected.
    """

    events: int
    newest_hash: str | None
    newest_at: datetime | None
    first_broken: int | None
    is_expected_found: bool | None

    @property
    def is_whole(self) -> bool:
        """No event changed, removed, put in, and none cut off that was written down."""
        return self.first_broken is None and self.is_expected_found is not False

    @property
    def verdict(self) -> str:
        """How it stands, in a sentence."""
        if self.first_broken is not None:
            return f"the audit chain is broken from event {self.first_broken} on: changed, removed or put in"
        if self.is_expected_found is False:
            return "the expected hash is not in the audit chain: its end was cut off, or it was written anew"
        return f"the audit chain is whole: {self.events} events"

    def as_dict(self) -> dict[str, Any]:
        newest_at = self.newest_at.isoformat() if self.newest_at else None
        return asdict(self) | {"newest_at": newest_at, "is_whole": self.is_whole}


def record(
    connection: psycopg.Connection[Any],
    at: datetime,
    actor: str,
    action: str,
    *,
    about: tuple[str, str | int],
    detail: dict[str, Any] | None = None,
) -> None:
    """Append an event, in the transaction of ``connection``.

    Args:
        connection: Role alerts, portal or owner.
        at: When it occurred.
        actor: User name, or ``hệ thống``.
        action: ``object.verb``.
        about: Type and id of the object.
        detail: What else to keep; JSON.
    """
    connection.execute(
        "insert into audit.event (occurred_at, actor, action, object_type, object_id, detail) "
        "values (%s, %s, %s, %s, %s, %s)",
        (at, actor, action, about[0], str(about[1]), Jsonb(detail or {})),
    )


def verify(expect: str | None = None, settings: Settings | None = None) -> AuditReport:
    """Compute the whole chain anew and compare.

    Args:
        expect: A hash (hexadecimal) that was the newest once: every event up to it is then proven to be still there.
        settings: Settings of the stack; default: this process's.

    Raises:
        ValueError: ``expect`` is not 64 hexadecimal digits.
        WarehouseUnreachable: no warehouse.
    """
    wanted = None
    if expect is not None:
        try:
            wanted = bytes.fromhex(expect.strip())
        except ValueError:
            wanted = b""
        if len(wanted) != 32:
            raise ValueError(f"'{expect}' is not a SHA-256 in hexadecimal (64 digits)")
    with warehouse.connect("alerts", settings) as connection:
        row = connection.execute(
            """
            select (select count(*) from audit.event), encode(newest.hash, 'hex'), newest.occurred_at,
                audit.first_broken_event(),
                case when %(wanted)s::bytea is not null
                    then exists (select from audit.event e where e.hash = %(wanted)s) end
            from (select 1) one
            left join lateral (select e.hash, e.occurred_at from audit.event e order by e.event_id desc limit 1) newest
                on true
            """,
            {"wanted": wanted},
        ).fetchone()
    assert row is not None
    return AuditReport(*row)
