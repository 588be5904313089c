"""How much may be said: token buckets in the database, so that a crash or a second process changes nothing.

Per provider (messages a second), contact, rule and month (parts of SMS). What is over a limit waits; nothing is
dropped. Level 4 waits for no limit but the provider's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo

from ioc.settings import TIME_ZONE

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    import psycopg

Scope = Literal["provider", "contact", "rule", "month"]
UNLIMITED_FROM = 4
# Share of the month's budget at which people are told.
_ALARM_SHARE = 0.8
_ZONE = ZoneInfo(TIME_ZONE)


@dataclass(frozen=True)
class Budget:
    """What a month's budget came to: ``used`` of ``capacity`` parts; ``crossed`` when this message passed 80 %."""

    month: str
    capacity: float
    used: float
    crossed: bool


class Limits:
    """The limits as of one moment, for one transaction."""

    def __init__(self, connection: psycopg.Connection, at: datetime) -> None:
        self._connection = connection
        self._at = at
        self._limits: dict[tuple[str, str], list[tuple[str, float, timedelta | None]]] = {}
        for scope, channel, name, capacity, per in connection.execute(
            "select scope, channel, name, capacity::float8, per from notify.rate_limit order by name"
        ):
            self._limits.setdefault((scope, channel), []).append((name, capacity, per))

    def is_limited(self, channel: str) -> bool:
        """Whether people or rules have limits on this channel."""
        return any((scope, channel) in self._limits for scope in ("contact", "rule", "month"))

    def has_room(self, channel: str, contact: str, urgency: int) -> bool:
        """Whether one more message may go to ``contact`` (its code) now, and the month has something left."""
        if urgency >= UNLIMITED_FROM:
            return True
        return self._room("contact", channel, contact) >= 1 and self._room("month", channel, self._month()) > 0

    def rule_has_room(self, channel: str, rule: str, urgency: int) -> bool:
        """Whether ``rule`` may cause one more message on this channel now."""
        return urgency >= UNLIMITED_FROM or self._room("rule", channel, rule) >= 1

    def take(self, channel: str, contact: str, rules: Iterable[str]) -> None:
        """Count one message to ``contact`` because of ``rules``."""
        self._take("contact", channel, contact, 1)
        for rule in sorted(set(rules)):
            self._take("rule", channel, rule, 1)

    def reserve(self, channel: str, contact: str, urgency: int) -> timedelta:
        """Count one message and return how long it has to wait: for messages that are no difference of state."""
        wait = timedelta(0)
        for refill, left in self._take("contact", channel, contact, 1):
            if left < 0 and refill > 0:
                wait = max(wait, timedelta(seconds=-left / refill))
        return timedelta(0) if urgency >= UNLIMITED_FROM else wait

    def charge(self, channel: str, segments: int) -> Budget | None:
        """Charge parts of a message to the month's budget; None when there is no budget.

        The budget may be overdrawn by what must not wait.
        """
        limits = self._limits.get(("month", channel), [])
        if not limits:
            return None
        capacity = limits[0][1]
        ((_, left),) = self._take("month", channel, self._month(), segments)
        used = capacity - left
        return Budget(self._month(), capacity, used, used >= _ALARM_SHARE * capacity > used - segments)

    def provider(self, channel: str) -> list[dict[str, Any]]:
        """The buckets of a channel's provider."""
        return self._buckets("provider", channel, "")

    def _month(self) -> str:
        return self._at.astimezone(_ZONE).strftime("%Y-%m")

    def _buckets(self, scope: Scope, channel: str, of: str) -> list[dict[str, Any]]:
        return [
            {
                "scope": scope, "key": f"{channel}|{of}|{name}", "capacity": capacity,
                "refill": capacity / per.total_seconds() if per else 0.0, "at": self._at,
            }
            for name, capacity, per in self._limits.get((scope, channel), [])
        ]  # fmt: skip

    def _room(self, scope: Scope, channel: str, of: str) -> float:
        """Tokens in the emptiest of the buckets."""
        return min((_tokens(self._connection, bucket) for bucket in self._buckets(scope, channel, of)), default=1e9)

    def _take(self, scope: Scope, channel: str, of: str, wanted: int) -> list[tuple[float, float]]:
        """Per bucket its refill a second and what is left, below zero when it owes."""
        return [
            (bucket["refill"], _take(self._connection, bucket, wanted)) for bucket in self._buckets(scope, channel, of)
        ]


def _tokens(connection: psycopg.Connection, bucket: dict[str, Any], *, locked: bool = False) -> float:
    row = connection.execute(
        "select least(%(capacity)s, notify.tokens_at(b, %(at)s) + %(capacity)s - b.capacity)::float8 "
        f"from notify.bucket b where b.scope = %(scope)s and b.key = %(key)s{' for update' if locked else ''}",
        bucket,
    ).fetchone()
    return float(row[0]) if row else float(bucket["capacity"])


def _take(connection: psycopg.Connection, bucket: dict[str, Any], wanted: int) -> float:
    row = connection.execute(
        "select notify.take("
        "%(scope)s, %(key)s, %(capacity)s::numeric, %(refill)s::numeric, %(wanted)s, %(at)s)::float8",
        {**bucket, "wanted": wanted},
    ).fetchone()
    assert row is not None
    return float(row[0])


def provider_room(connection: psycopg.Connection, channel: str, wanted: int, at: datetime) -> int:
    """How many of ``wanted`` messages the channel's provider takes now.

    Called in the transaction that claims them, before :func:`provider_took`: others wait until it ends.
    """
    buckets = Limits(connection, at).provider(channel)
    return max(min([wanted, *(int(_tokens(connection, bucket, locked=True)) for bucket in buckets)]), 0)


def provider_took(connection: psycopg.Connection, channel: str, count: int, at: datetime) -> None:
    """Count ``count`` messages claimed for the channel's provider."""
    for bucket in Limits(connection, at).provider(channel) if count else ():
        _take(connection, bucket, count)


def provider_pause(connection: psycopg.Connection, channel: str, at: datetime) -> timedelta:
    """How long until the channel's provider takes one more message; zero when it takes one now."""
    waits = [
        (1 - _tokens(connection, bucket)) / bucket["refill"] for bucket in Limits(connection, at).provider(channel)
    ]
    return timedelta(seconds=max([0.0, *waits]))
