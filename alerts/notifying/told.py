"""What people know: the level that each was last told of an incident, per channel, by whichever route."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

    import psycopg


class Address(NamedTuple):
    """One person on one channel."""

    contact_id: int
    contact_code: str
    channel: str
    address: str


class Told:
    """What people were last told about some incidents; two routes that lead to the same person are one message."""

    def __init__(self, connection: psycopg.Connection, incidents: set[Any]) -> None:
        self._connection = connection
        self._known: dict[tuple[Any, int, str], int] = {
            (incident, contact, channel): level
            for incident, contact, channel, level in connection.execute(
                "select incident_id, contact_id, channel, level from notify.told where incident_id = any(%s)",
                (list(incidents),),
            )
        }
        self._new: dict[tuple[Any, int, str], int] = {}

    def level(self, incident: Any, contact: int, channel: str) -> int | None:
        """What this person was last told there; None = nothing ever."""
        return self._known.get((incident, contact, channel))

    def news(self, to: Address, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The rows that ``to`` does not know yet."""
        return [row for row in rows if is_news(self.level(row["incident_id"], to.contact_id, to.channel), row)]

    def now(self, to: Address, rows: list[dict[str, Any]]) -> None:
        """``rows`` have been said to ``to``."""
        for row in rows:
            key = (row["incident_id"], to.contact_id, to.channel)
            self._known[key] = self._new[key] = row["now_level"]

    def write(self, at: datetime) -> None:
        """Remember what was said."""
        self._connection.execute(
            """
            insert into notify.told (incident_id, contact_id, channel, level, told_at)
            select *, %s from unnest(%s::uuid[], %s::bigint[], %s::text[], %s::int[])
            on conflict (incident_id, contact_id, channel)
                do update set level = excluded.level, told_at = excluded.told_at
            """,
            (
                at, [key[0] for key in self._new], [key[1] for key in self._new], [key[2] for key in self._new],
                list(self._new.values()),
            ),
        )  # fmt: skip


def is_news(known: int | None, row: dict[str, Any]) -> bool:
    """Whether ``row`` is news to somebody who was last told the level ``known``."""
    # A route for grave levels ends at a level that another route has just told the same person.
    return bool(known != row["now_level"] and not (row["now_level"] == 0 and known == row["true_level"]))
