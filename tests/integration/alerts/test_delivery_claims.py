"""Two senders, row by row: what one is claiming the other neither waits for nor takes."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from alerts.sending import outbox
from ioc import warehouse

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from tests.fixtures.message_gateways import Post

_SENDING = "update notify.outbox set status = 'sending', gateway = 'esms', attempt_count = 1, lease_until = not_before"
_STRANDED = "update notify.outbox set gateway = 'gone', attempt_count = 1"
_ACCEPTED = """update notify.outbox set status = 'accepted', gateway = 'esms', accepted_at = not_before,
    next_poll_at = not_before"""
# Everything that takes messages from the outbox: what makes them due for it, and the call.
_TAKES: dict[str, tuple[str | None, Callable[..., list[Any]], tuple[Any, ...]]] = {
    "claim": (None, outbox.claim, ("sms", "esms", "AT", 2)),
    "expired": (_SENDING, outbox.take_expired, ("sms", "AT")),
    "stranded": (_STRANDED, outbox.take_stranded, ("sms", "AT", ["esms"], [])),
    "polls": (_ACCEPTED, outbox.take_polls, ("sms", ["esms"], "AT")),
}


def _ids(taken: list[Any]) -> set[str]:
    return {str(getattr(one, "message", one).outbox_id) for one in taken}


@pytest.mark.parametrize("how", _TAKES)
def test_what_somebody_is_claiming_is_neither_waited_for_nor_taken_twice(
    post: Post, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One has claimed and not yet committed, which is where the rows are locked; the other claims meanwhile."""
    # The claim of two of three messages, for the takes that have no size of their own.
    monkeypatch.setattr(outbox, "_AT_ONCE", 2)
    due, take, given = _TAKES[how]
    queued = set(post.queue(3))
    if due:
        post.run(due)
    values = [post.at(1) if value == "AT" else value for value in given]
    with (
        ThreadPoolExecutor(1) as pool,
        warehouse.connect("alerts", post.settings) as first,
        warehouse.connect("alerts", post.settings) as second,
    ):
        mine = _ids(take(first, *values))
        later = pool.submit(take, second, *values)
        has_waited = _waits(post, second, later.done)
        first.commit()
        theirs = _ids(later.result(30))
        second.commit()
    assert mine & theirs == set(), "taken twice"
    assert (len(mine), mine | theirs) == (2, queued)
    assert not has_waited, "a sender that hangs in its claim holds up the others"
    if how == "claim":
        assert post.rows("select number, count(*) from notify.attempt group by number") == [(1, 3)]


def _waits(post: Post, connection: psycopg.Connection, is_over: Callable[[], bool]) -> bool:
    """Whether ``connection`` comes to wait for a lock before its statement is over."""
    end = time.monotonic() + 30
    while not is_over():
        assert time.monotonic() < end
        if post.rows("select from pg_locks where pid = %s and not granted", connection.info.backend_pid):
            return True
        time.sleep(0.01)
    return False
