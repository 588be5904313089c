"""How fast the outbox empties: the public ``drain`` with a channel that accepts at once, and with the portal's inbox.

The null channel stands for a gateway without latency: everything but the gateway is measured, claim, attempt, limits,
fence and result, each with its commits, on a server that waits for its disk (``synchronous_commit`` on).
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from alerts import channels
from alerts.channels.base import Result
from alerts.gateways.base import Direct
from alerts.sending import delivery
from bench.shared import server
from ioc import warehouse

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from alerts.channels.base import Contact, Message, Send
    from alerts.gateways.base import Gateway
    from ioc.settings import Settings

_AT = datetime(2026, 3, 6, tzinfo=UTC)
_QUEUE = """
insert into notify.outbox (outbox_id, dedupe_key, contact_id, channel, address, level, subject, body, not_before,
    created_at)
select md5(%(channel)s || n)::uuid, %(channel)s || '|' || n, c.contact_id, %(channel)s, 'nobody', 2, 'Đo', 'Đo ' || n,
    %(at)s, %(at)s
from generate_series(1, %(count)s) as n
join ref.contact c on c.code = 'bench-' || n %% 50
"""


class _Null:
    """A channel whose gateway accepts everything at once."""

    in_database = False

    def address_of(self, contact: Contact) -> str | None:
        return contact.code

    def gateways(self, settings: Settings) -> list[Gateway]:  # noqa: ARG002
        # As many at a time as the SMS gateway that recognises a repetition (esms).
        return [Direct("null", _accept, claim_size=50, batch_size=50)]


@contextmanager
def _accept(connection: psycopg.Connection) -> Iterator[Send]:  # noqa: ARG001
    def send(message: Message) -> Result:
        return Result("accepted", provider_id=str(message.outbox_id))

    yield send


def run(quick: bool) -> dict[str, Any]:
    """Messages per second through each."""
    count = 200 if quick else 5_000
    with server.running() as settings:
        with warehouse.connect("owner", settings) as connection:
            connection.execute(
                "insert into ref.contact (code, name_vi, unit_code, user_name) "
                "select 'bench-' || n, 'Đo', 'SNNMT', 'bench' || n from generate_series(0, 49) as n"
            )
        channels.all_channels()["null"] = _Null()  # type: ignore[assignment]
        try:
            rates = {name: _rate(settings, name, count) for name in ("null", "web")}
        finally:
            del channels.all_channels()["null"]
    return {
        "figures": {"outbox_messages": count, **{f"outbox_{name}_per_s": round(rate) for name, rate in rates.items()}},
        "promises": {
            "outbox, messages per second without gateway latency": {
                "value": round(rates["null"]), "limit": 500, "holds": rates["null"] >= 500,
            },
        },
    }  # fmt: skip


def _rate(settings: Settings, channel: str, count: int) -> float:
    with warehouse.connect("owner", settings) as connection:
        connection.execute(_QUEUE, {"channel": channel, "at": _AT, "count": count})
    with warehouse.connect("owner", settings, autocommit=True) as connection:
        connection.execute("analyze notify.outbox")
    started = time.perf_counter()
    report = delivery.drain(channel, settings, _AT + timedelta(minutes=1))
    seconds = time.perf_counter() - started
    if report.sent != count:
        raise RuntimeError(f"{channel}: {report.sent} of {count} messages left: {report.as_dict()}")
    return count / seconds
