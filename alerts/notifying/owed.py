"""What people are owed on channels with limits: one message per person and pass, when there is room for it.

646 alarms at once, or more of them than an hour allows, become one message about what is still true. The state of
routes goes on meanwhile; what a person has not been told is compared with the truth when it is paid, never replayed.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from alerts.channels import all_channels
from alerts.notifying.notice import Destination
from alerts.notifying.told import Address, Told, is_news

if TYPE_CHECKING:
    import psycopg

    from alerts.notifying.notice import Teller

_WORTH_TELLING = timedelta(days=7)
_Key = tuple[Any, int, str]  # incident, contact, channel


class Debts:
    """The debts of one reconciliation: those it found in ``notify.owed`` and those it makes.

    Args:
        connection: The reconciler's.
        teller: Queues the messages.
        told: What people know.
        rows: The reconciler's rows; those that are owed carry ``is_owed``.
    """

    def __init__(self, connection: psycopg.Connection, teller: Teller, told: Told, rows: list[dict[str, Any]]) -> None:
        self._connection = connection
        self._teller = teller
        self._told = told
        self._old: set[_Key] = set()
        self._pending: dict[_Key, dict[str, Any]] = {}
        facts = {(row["incident_id"], row["route_id"]): row for row in rows if row["is_owed"]}
        if not facts:
            return
        for incident, contact, channel, route in connection.execute(
            "select incident_id, contact_id, channel, route_id from notify.owed"
        ):
            # Without a row it is suppressed, stale or outside the route's hours: it stays owed.
            if row := facts.get((incident, route)):
                self._old.add((incident, contact, channel))
                self._pending[incident, contact, channel] = row

    @property
    def count(self) -> int:
        """People and channels that are still owed something."""
        return len({(contact, channel) for _, contact, channel in self._pending})

    def add(self, to: Address, rows: list[dict[str, Any]]) -> None:
        """Owe ``rows`` to somebody; of two routes the one that sees the higher level speaks."""
        for row in rows:
            key = (row["incident_id"], to.contact_id, to.channel)
            known = self._pending.get(key)
            if known is None or key in self._old or row["now_level"] > known["now_level"]:
                self._pending[key] = row

    def pay(self, at: datetime) -> int:
        """Tell whoever may be told now, remember the rest; how many messages were queued."""
        letters: dict[tuple[int, str], list[dict[str, Any]]] = defaultdict(list)
        settled: list[_Key] = []
        for key, row in self._pending.items():
            incident, contact, channel = key
            known = self._told.level(incident, contact, channel)
            if known is None and key in self._old:
                known = 0  # what began and ended while it was owed is no news
            if is_news(known, row):
                letters[contact, channel].append({**row, "told_level": known or 0})
            else:
                settled.append(key)
        paid = 0
        for (contact, channel), rows in letters.items():
            done, count = self._pay_one(contact, channel, rows, at)
            settled += [(row["incident_id"], contact, channel) for row in done]
            paid += count
        for key in settled:
            del self._pending[key]
        self._write(settled, at)
        return paid

    def _pay_one(
        self, contact_id: int, channel: str, rows: list[dict[str, Any]], at: datetime
    ) -> tuple[list[dict[str, Any]], int]:
        """Tell one person what may be told; the rows that are settled, and how many messages (0 or 1)."""
        contact = self._teller.directory.contacts.get(contact_id)
        address = all_channels()[channel].address_of(contact) if contact else None
        if contact is None or address is None:
            self._route_again(rows)
            return rows, 0
        limits = self._teller.limits
        sendable = [row for row in rows if limits.rule_has_room(channel, row["rule_code"], _urgency(row))]
        urgency = max(map(_urgency, sendable), default=0)
        if not sendable or not limits.has_room(channel, str(contact_id), urgency):
            return [], 0
        sendable.sort(key=lambda row: -row["now_level"])
        limits.take(channel, str(contact_id), [row["rule_code"] for row in sendable])
        said = sorted(f"{row['incident_id']}:{row['now_level']}" for row in sendable)
        digest = hashlib.md5("|".join(said).encode(), usedforsecurity=False).hexdigest()[:12]
        is_late = any((row["incident_id"], contact_id, channel) in self._old for row in sendable)
        is_mixed = len({row["rule_code"] for row in sendable}) > 1
        count = self._teller.enqueue(
            Destination(
                f"bundle|{digest}|{at.isoformat()}|{contact.code}|{channel}", sendable[0]["route_id"], None, contact_id,
                channel, address,
            ),
            sendable,
            "digest" if is_late or is_mixed else "notice",
        )  # fmt: skip
        self._told.now(Address(contact_id, contact.code, channel, address), sendable)
        return sendable, count

    def _route_again(self, rows: list[dict[str, Any]]) -> None:
        """Whoever was owed cannot be reached any more: their routes look for somebody else at the next run."""
        for row in rows:
            self._connection.execute(
                "update notify.notice_state set told_level = 0 where incident_id = %s and route_id = %s",
                (row["incident_id"], row["route_id"]),
            )

    def _write(self, settled: list[_Key], at: datetime) -> None:
        gone = [key for key in settled if key in self._old]
        if gone:
            self._connection.cursor().executemany(
                "delete from notify.owed where incident_id = %s and contact_id = %s and channel = %s", gone
            )
        new = [(*key, row["route_id"], at) for key, row in self._pending.items()]
        if new:
            self._connection.cursor().executemany(
                """
                insert into notify.owed (incident_id, contact_id, channel, route_id, since) values (%s, %s, %s, %s, %s)
                on conflict (incident_id, contact_id, channel) do update set route_id = excluded.route_id
                """,
                new,
            )


def forget_old(connection: psycopg.Connection, at: datetime) -> None:
    """Debts about what has been over for a week, with no data since that would let it be spoken of."""
    connection.execute(
        "delete from notify.owed o using alert.incident i where i.incident_id = o.incident_id and i.closed_at < %s",
        (at - _WORTH_TELLING,),
    )


def _urgency(row: dict[str, Any]) -> int:
    return int(max(row["now_level"], row["told_level"]))
