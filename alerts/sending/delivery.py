"""Empties the outbox of one channel: claim and commit, hand over, commit the result.

A message whose sender dies before writing the result is found by its expired lease. Where the gateway recognises a
repeated request id it is sent again under the same one; elsewhere the gateway is asked for its fate, and if it cannot
be, a grave message goes out again marked as such and a slight one onto the operator's list as ``unknown``.
"""

from __future__ import annotations

import logging
import time
import traceback
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from alerts.channels import all_channels, get_channel
from alerts.channels.base import Message, Result
from alerts.notifying import limits, quiet
from alerts.sending import circuit, outbox
from ioc import warehouse
from ioc.settings import get_settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    import psycopg

    from alerts.channels.base import Channel, Send, Trouble
    from alerts.gateways.base import Fate, Gateway
    from alerts.sending.outbox import Lost, Settled
    from ioc.settings import Settings

_log = logging.getLogger(__name__)
LEASE = outbox.LEASE
# Whoever has held a claim for so long hands nothing more over: the gateway's own time limit must still fit the lease.
_PATIENCE_S = 12.0
_MAX_ATTEMPTS, _TRY_FOR = 20, timedelta(days=1)
_MAX_RESENDS = 2
_FAILURES_IN_A_ROW = 3
# For a provider that takes so many a second; the other channels of the same process wait meanwhile.
_LONGEST_WAIT_S = 5.0
# What is left then is taken up by the next drain: whoever drains has other things to do as well.
_LONGEST_DRAIN_S = 30.0
_LONGEST_BACK_OFF = timedelta(hours=1)


@dataclass
class DeliveryReport:
    """What came of one drain.

    Attributes:
        channel: Name of the channel.
        sent: Messages accepted or delivered.
        retried: Refused for now; they wait for their next time.
        failed: Refused for good; listed in ``errors`` and in the outbox.
        unknown: Nobody can say whether they were sent; on the operator's list.
        errors: The distinct reasons.
    """

    channel: str
    sent: int = 0
    retried: int = 0
    failed: int = 0
    unknown: int = 0
    errors: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def _count(self, settled: Sequence[Settled], standing: set[UUID]) -> None:
        for one in settled:
            if one.outbox_id not in standing:
                continue
            self.sent += one.status in ("accepted", "delivered")
            self.retried += one.status == "queued"
            self.failed += one.status == "failed"
            self.unknown += one.status == "unknown"
            if one.error:
                self.note(one.error)

    def note(self, error: str) -> None:
        if error not in self.errors:
            self.errors.append(error)


@dataclass
class _Drain:
    """One drain of one channel: what every step of it needs.

    ``waited_s``: spent so far on waiting for the provider's pace; ``in_a_row``: hand-overs that found nobody, one after
    the other.
    """

    connection: psycopg.Connection
    channel: Channel
    settings: Settings
    fixed: datetime | None
    report: DeliveryReport
    gateways: dict[str, Gateway]
    waited_s: float = 0.0
    in_a_row: int = 0

    @property
    def at(self) -> datetime:
        return self.fixed or datetime.now(UTC)


def drain(channel: str, settings: Settings | None = None, at: datetime | None = None) -> DeliveryReport:
    """Send what the outbox holds for ``channel`` and is due.

    Args:
        channel: Name of a module in ``alerts.channels``.
        settings: Settings of the stack; default: this process's.
        at: The clock; default: now.

    Raises:
        KeyError: no such channel.
        ValueError: the channel's gateways are configured wrongly.
        WarehouseUnreachable: no warehouse.
    """
    settings = settings or get_settings()
    chosen = get_channel(channel)
    report = DeliveryReport(channel)
    gateways = {gateway.name: gateway for gateway in chosen.gateways(settings)}
    with warehouse.connect("alerts", settings, autocommit=True) as connection:
        run = _Drain(connection, chosen, settings, at, report, gateways)
        with connection.transaction():
            quiet.release(connection, run.at)
        if chosen.in_database:
            while _drain_in_database(run):
                pass
            return report
        for lost in outbox.take_expired(connection, channel, run.at):
            _settle_lost(run, lost, gateways.get(lost.gateway or ""))
        outbox.apply_receipts(connection, run.at)
        states = circuit.load(connection)
        closed = [name for name, state in states.items() if state.is_closed_at(run.at)]
        if others := [name for name in gateways if name not in closed]:
            for lost in outbox.take_stranded(connection, channel, run.at, list(gateways), closed):
                _settle_lost(run, lost, None)
        for name, gateway in gateways.items():
            if name in closed:
                report.note(states[name].text())
            else:
                _drain_gateway(run, gateway, has_failed=name in states)
        if not gateways:
            report.note(f"channel {channel}: no gateway is configured; its messages stay queued")
        elif others:
            _ask_for_receipts(run)
    return report


def _drain_in_database(run: _Drain) -> int:
    """Claim, delivery and result of one handful in one transaction; how many there were."""
    (gateway,) = run.gateways.values()
    at = run.at
    with run.connection.transaction(), gateway.open(run.connection) as send:
        claimed = outbox.claim(run.connection, run.report.channel, gateway.name, at, gateway.claim_size)
        _finish(run, [_decided(run, gateway, message, send(message)) for message in claimed])
    return len(claimed)


def _drain_gateway(run: _Drain, gateway: Gateway, *, has_failed: bool) -> None:
    """Everything that this gateway may carry, until nothing is due or it takes nothing more."""
    # One message finds out whether a gateway that failed is back; the others are not made to wait for its time limit.
    size = 1 if has_failed else gateway.claim_size
    run.in_a_row = 0
    end = time.monotonic() + _LONGEST_DRAIN_S
    with ExitStack() as session:
        send: Send | None = None
        while time.monotonic() < end and (claimed := _claim(run, gateway, size)):
            if send is None:
                try:
                    send = session.enter_context(gateway.open(run.connection))
                except OSError as error:
                    detail = f"channel {run.report.channel} does not answer: {error}"
                    outbox.release(run.connection, claimed)
                    run.report.retried += len(claimed)
                    run.report.note(detail)
                    _leave_alone(run, gateway, "unreachable", detail)
                    return
            if not _hand_over_all(run, gateway, send, claimed, has_failed=has_failed):
                return
            has_failed, size = False, gateway.claim_size


def _claim(run: _Drain, gateway: Gateway, size: int) -> list[Message]:
    """The next messages, as many as the provider takes a second; waits a moment for it when the clock runs."""
    channel = run.report.channel
    while True:
        at = run.at
        with run.connection.transaction():
            room = limits.provider_room(run.connection, channel, size, at)
            claimed = outbox.claim(run.connection, channel, gateway.name, at, room) if room else []
            limits.provider_took(run.connection, channel, len(claimed), at)
        if room:
            return claimed
        pause = limits.provider_pause(run.connection, channel, at).total_seconds()
        if run.fixed or run.waited_s + pause > _LONGEST_WAIT_S:
            return []
        run.waited_s += pause
        time.sleep(pause)


def _hand_over_all(run: _Drain, gateway: Gateway, send: Send, claimed: list[Message], *, has_failed: bool) -> bool:
    """Hand claimed messages over and write what came of them; False when the gateway is to be left alone."""
    begun = time.monotonic()
    waiting: list[Settled] = []
    for number, message in enumerate(claimed):
        if time.monotonic() - begun > _PATIENCE_S:
            outbox.release(run.connection, claimed[number:])
            break
        result = _hand_over(send, message)
        waiting.append(_decided(run, gateway, message, result))
        if len(waiting) >= gateway.batch_size:
            _finish(run, waiting)
            waiting = []
        if result.trouble is None:
            run.in_a_row = 0
            if has_failed:
                circuit.worked(run.connection, gateway.name)
                has_failed = False
            continue
        run.in_a_row += 1
        if result.trouble != "unreachable" or has_failed or run.in_a_row >= _FAILURES_IN_A_ROW:
            outbox.release(run.connection, claimed[number + 1 :])
            _finish(run, waiting)
            _leave_alone(run, gateway, result.trouble, result.error or "")
            return False
    _finish(run, waiting)
    return True


def _leave_alone(run: _Drain, gateway: Gateway, reason: Trouble, detail: str) -> None:
    circuit.failed(run.connection, run.settings, circuit.Failure(gateway.name, reason, detail), run.at)


def _hand_over(send: Send, message: Message) -> Result:
    try:
        return send(message)
    except Exception as error:  # one bad message must not hold up the others
        # Without the error's own text: it may repeat an address.
        place = traceback.extract_tb(error.__traceback__)[-1]
        _log.error("message %s: %s in %s:%s", message.outbox_id, type(error).__name__, place.filename, place.lineno)
        return Result("failed", error=f"{type(error).__name__} while handing over")


def _finish(run: _Drain, settled: Sequence[Settled]) -> None:
    run.report._count(settled, outbox.settle(run.connection, settled, run.at))


def _decided(run: _Drain, gateway: Gateway, message: Message, result: Result) -> Settled:
    """What a result means for a message."""
    at = run.at
    outcome = result.outcome
    refused_by = list(message.refused_by)
    again = at
    if outcome == "uncertain":
        return _unsure(gateway, outbox.Lost(message, gateway.name, result.provider_id, "unknown"), result, at)
    if outcome == "refused":
        refused_by.append(gateway.name)
        outcome = "failed" if set(run.gateways) <= set(refused_by) else "retry"
    elif outcome == "retry" and result.trouble is None:
        again = at + _back_off(message.attempt)
        if _is_worn_out(message, at):
            outcome = "failed"
    # Not taken now, but perhaps by an earlier attempt: only the same gateway can tell.
    stays = outcome != "retry" or (message.is_bound and result.trouble == "unreachable")
    return outbox.Settled(
        message.outbox_id,
        message.attempt,
        "queued" if outcome == "retry" else outcome,
        outcome,
        gateway.name if stays else None,
        result.provider_code,
        result.provider_id,
        result.error,
        not_before=again if outcome == "retry" else None,
        next_poll_at=at + outbox.FIRST_POLL if outcome == "accepted" and gateway.reports_delivery else None,
        refused_by=refused_by,
        resend=message.resend,
    )


def _unsure(gateway: Gateway | None, lost: Lost, result: Result, at: datetime) -> Settled:
    """Nobody knows whether the gateway has it: again under the same id, or ask, or mark it, or give it to a person."""
    message = lost.message
    open_end = outbox.Settled(
        message.outbox_id, message.attempt, "unknown", lost.outcome, lost.gateway, result.provider_code,
        result.provider_id, result.error, refused_by=list(message.refused_by), resend=message.resend,
    )  # fmt: skip
    if gateway and gateway.is_idempotent:
        again = at if lost.outcome == "expired" else at + _back_off(message.attempt)
        return open_end if _is_worn_out(message, at) else replace(open_end, status="queued", not_before=again)
    fate = gateway.fate(message, result.provider_id) if gateway else None
    if fate:
        return _as_told(open_end, fate, at)
    if message.level >= 3 and message.resend < _MAX_RESENDS:
        return replace(open_end, status="queued", gateway=None, not_before=at, resend=message.resend + 1)
    return open_end


def _as_told(open_end: Settled, fate: Fate, at: datetime) -> Settled:
    if fate.status == "not_found":
        return replace(open_end, status="queued", gateway=None, not_before=at)
    if fate.status == "pending":
        return replace(open_end, status="accepted", next_poll_at=at + outbox.FIRST_POLL)
    return replace(open_end, status=fate.status)


def _settle_lost(run: _Drain, lost: Lost, gateway: Gateway | None) -> None:
    error = "the sender died before the result" if lost.outcome == "expired" else "its gateway cannot be asked"
    result = Result("uncertain", provider_id=lost.provider_id, error=error)
    settled = _unsure(gateway, lost, result, run.at)
    standing = outbox.settle(run.connection, [settled], run.at)
    if settled.status != "queued":
        run.report._count([settled], standing)


def _ask_for_receipts(run: _Drain) -> None:
    """Messages accepted long ago without a receipt: ask their gateway."""
    reporting = [name for name, gateway in run.gateways.items() if gateway.reports_delivery]
    for lost in outbox.take_polls(run.connection, run.report.channel, reporting, run.at):
        gateway = run.gateways[lost.gateway or ""]
        fate = gateway.fate(lost.message, lost.provider_id)
        if fate and fate.status in ("delivered", "failed"):
            outbox.report_fate(run.connection, gateway.name, lost.message, fate, run.at)


def _is_worn_out(message: Message, at: datetime) -> bool:
    return message.attempt >= _MAX_ATTEMPTS and message.created_at < at - _TRY_FOR


def _back_off(attempt: int) -> timedelta:
    return min(timedelta(seconds=15 * 2 ** min(attempt - 1, 10)), _LONGEST_BACK_OFF)


def due_channels(settings: Settings | None = None, at: datetime | None = None) -> list[str]:
    """Channels with something to do at ``at`` (default: now): messages to send, or to ask about."""
    at = at or datetime.now(UTC)
    with warehouse.connect("alerts", settings) as connection:
        rows = connection.execute(
            "select distinct channel from notify.outbox where (status = 'queued' and not_before <= %(at)s) "
            "or (status = 'sending' and lease_until < %(at)s) or (status = 'accepted' and next_poll_at <= %(at)s) "
            "order by channel",
            {"at": at},
        ).fetchall()
    known = all_channels()
    return [channel for (channel,) in rows if channel in known]
