"""How delivery stands, for whoever runs it: gateways, queues, budgets and limits, services, people out of reach.

Limits are changed here too, with an event in the audit chain in the same transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, LiteralString
from zoneinfo import ZoneInfo

from psycopg.rows import class_row, dict_row

from alerts import audit, gateways
from alerts.channels import all_channels
from alerts.incidents import ActRefusedError
from alerts.sending import circuit
from ioc import warehouse
from ioc.settings import TIME_ZONE, get_settings

if TYPE_CHECKING:
    import psycopg

    from ioc.settings import Settings

_ZONE = ZoneInfo(TIME_ZONE)
_LARGEST = Decimal(10_000_000)
_LONGEST = timedelta(days=31)


@dataclass(frozen=True)
class GatewayStanding:
    """A gateway: ``trouble`` None = it takes messages.

    Attributes:
        name: The gateway.
        channel: Its channel; None = it is not configured any more, but messages or troubles of it are there.
        trouble: What :mod:`alerts.sending.circuit` knows of it.
        sent: Messages that it took in the last 24 hours.
        failed: Messages that ended badly with it in the last 24 hours.
    """

    name: str
    channel: str | None
    trouble: circuit.State | None
    sent: int
    failed: int


@dataclass(frozen=True)
class Queue:
    """What waits on a channel; ``oldest_at`` = since when the oldest message that nothing holds back is due."""

    channel: str
    waiting: int
    held: int
    sending: int
    oldest_at: datetime | None
    done_day: int
    bad_day: int


@dataclass(frozen=True)
class Limit:
    """A limit; ``per`` None = a calendar month, of which ``used`` is gone."""

    scope: str
    channel: str
    name: str
    capacity: float
    per: timedelta | None
    used: float | None


@dataclass(frozen=True)
class Unreachable:
    """Somebody whom messages do not reach: ``why`` is ``unverified`` (nothing verified) or ``failing``."""

    code: str
    name_vi: str
    unit_name: str | None
    why: str
    channel: str | None
    times: int
    last_at: datetime | None


@dataclass(frozen=True)
class Operations:
    """Everything on the operators' page, as of one moment.

    Attributes:
        gateways: Gateways, those in trouble first.
        queues: Channels.
        limits: Limits with what the month has used.
        unreachable: People out of reach.
        services: ``service, beat_at``: when the services last said that they live.
        refused: ``gateway, reason, times, last_at``: what came to the receipts' door and was none.
        owed: Messages owed because a limit was reached.
    """

    gateways: list[GatewayStanding]
    queues: list[Queue]
    limits: list[Limit]
    unreachable: list[Unreachable]
    services: list[dict[str, Any]]
    refused: list[dict[str, Any]]
    owed: int


_QUEUES: LiteralString = """
select channel,
    count(*) filter (where status = 'queued' and held_for is null) as waiting,
    count(*) filter (where status = 'queued' and held_for is not null) as held,
    count(*) filter (where status = 'sending') as sending,
    min(greatest(created_at, not_before)) filter (
        where status = 'queued' and held_for is null and not_before <= %(at)s) as oldest_at,
    count(*) filter (where status in ('accepted', 'delivered') and created_at > %(at)s - interval '24 hours')
        as done_day,
    count(*) filter (where status in ('failed', 'unknown') and created_at > %(at)s - interval '24 hours') as bad_day
from notify.outbox
where status in ('queued', 'sending') or created_at > %(at)s - interval '24 hours'
group by channel order by channel
"""

_LIMITS: LiteralString = """
select l.scope, l.channel, l.name, l.capacity::float8, l.per,
    case when l.scope = 'month' then
        coalesce(b.capacity - notify.tokens_at(b, %(at)s), 0)::float8 end as used
from notify.rate_limit l
left join notify.bucket b on l.scope = 'month' and b.scope = 'month'
    and b.key = l.channel || '|' || %(month)s || '|' || l.name
order by array_position(array['month', 'provider', 'contact', 'rule'], l.scope), l.channel, l.per
"""

_UNREACHABLE: LiteralString = """
with failing as (
    select o.contact_id, o.channel, count(*)::int as times, max(o.finished_at) as last_at
    from notify.outbox o
    where o.status = 'failed' and o.created_at > %(at)s - interval '30 days' and not exists (
        select from notify.outbox later
        where (later.contact_id, later.channel) = (o.contact_id, o.channel) and later.created_at > o.created_at
            and later.status in ('accepted', 'delivered'))
    group by 1, 2
)
select c.code, c.name_vi,
    (select u.name_vi from ref.org_unit u where u.code = c.unit_code order by u.valid desc limit 1) as unit_name,
    case when f.contact_id is null then 'unverified' else 'failing' end as why, f.channel,
    coalesce(f.times, 0) as times, f.last_at
from ref.contact c
left join failing f using (contact_id)
where c.is_active and (f.contact_id is not null or (
    c.email_verified_at is null and c.phone_verified_at is null and not exists (
        select from notify.address a where a.contact_id = c.contact_id)))
order by f.contact_id is null, f.times desc, c.name_vi
"""


def standing(settings: Settings | None = None, at: datetime | None = None) -> Operations:
    """How delivery stands at ``at`` (default: now)."""
    at = at or datetime.now(UTC)
    settings = settings or get_settings()
    about = {"at": at, "month": at.astimezone(_ZONE).strftime("%Y-%m")}
    with warehouse.connect("portal", settings) as connection:
        plain = connection.cursor(row_factory=dict_row)
        owed = connection.execute("select count(*) from notify.owed").fetchone()
        return Operations(
            gateways=_gateways(connection, settings, at),
            queues=connection.cursor(row_factory=class_row(Queue)).execute(_QUEUES, about).fetchall(),
            limits=connection.cursor(row_factory=class_row(Limit)).execute(_LIMITS, about).fetchall(),
            unreachable=connection.cursor(row_factory=class_row(Unreachable)).execute(_UNREACHABLE, about).fetchall(),
            services=plain.execute("select service, beat_at from alert.heartbeat order by service").fetchall(),
            refused=plain.execute(
                "select gateway, reason, times, last_at from notify.receipt_refused order by last_at desc limit 20"
            ).fetchall(),
            owed=owed[0] if owed else 0,
        )


def _gateways(connection: psycopg.Connection, settings: Settings, at: datetime) -> list[GatewayStanding]:
    troubles = circuit.load(connection)
    # Adapters of SMS are not built: that needs secrets which only the sender has.
    channels = {name: "sms" for name, _ in gateways.configured(settings)}
    for name in all_channels().keys() - {"sms"}:
        channels |= {gateway.name: name for gateway in all_channels()[name].gateways(settings)}
    counts = {
        row[0]: row[1:]
        for row in connection.execute(
            """
            select coalesce(gateway, channel), count(*) filter (where status in ('accepted', 'delivered'))::int,
                count(*) filter (where status in ('failed', 'unknown'))::int
            from notify.outbox where created_at > %s - interval '24 hours' and attempt_count > 0 group by 1
            """,
            (at,),
        )
    }
    names = sorted(channels.keys() | troubles.keys(), key=lambda name: (name not in troubles, name))
    return [GatewayStanding(name, channels.get(name), troubles.get(name), *counts.get(name, (0, 0))) for name in names]


def change_limit(
    scope: str,
    channel: str,
    name: str,
    *,
    capacity: Decimal,
    per: timedelta | None,
    user: str,
    settings: Settings | None = None,
    at: datetime | None = None,
) -> None:
    """Change a limit; what was taken stays taken.

    Args:
        scope: ``provider``, ``contact``, ``rule`` or ``month``.
        channel: The channel.
        name: Which of several limits.
        capacity: Messages (of a month: parts of SMS).
        per: In how long; None for a month.
        user: Who changes it.
        settings: Settings of the stack; default: this process's.
        at: The clock; default: now.

    Raises:
        ActRefusedError: no such limit, or not a size that a limit can have.
    """
    if not 0 < capacity <= _LARGEST:
        raise ActRefusedError("Số tin phải lớn hơn 0 và không quá 10 triệu.")
    if (per is None) != (scope == "month") or (per is not None and not timedelta(0) < per <= _LONGEST):
        raise ActRefusedError("Khoảng thời gian của hạn mức phải từ 1 giây đến 31 ngày.")
    with warehouse.connect("portal", settings) as connection:
        before = connection.execute(
            "select capacity, per from notify.rate_limit where (scope, channel, name) = (%s, %s, %s) for no key update",
            (scope, channel, name),
        ).fetchone()
        if before is None:
            raise ActRefusedError("Không có hạn mức này.")
        connection.execute(
            "update notify.rate_limit set capacity = %s, per = %s where (scope, channel, name) = (%s, %s, %s)",
            (capacity, per, scope, channel, name),
        )
        detail = {"from": [str(one) for one in before], "to": [str(capacity), str(per)]}
        audit.record(
            connection, at or datetime.now(UTC), user, "limit.changed", about=("limit", f"{scope}|{channel}|{name}"),
            detail=detail,
        )  # fmt: skip
