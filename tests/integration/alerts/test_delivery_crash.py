"""SIGKILL at every step of sending: nothing lost anywhere, nothing doubled where ids are recognised."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter

import pytest

from ioc.settings import PROJECT_ROOT
from tests.fixtures.message_gateways import PHONE, Post, killed

# Each step hangs where the process is then killed; ``slow`` sends, a little slowly, until it is killed somewhere.
STEPS = ("claim not committed", "claim committed", "gateway has it", "answer read", "result committed")
DRAIN = """
import datetime, os, pathlib, time
from alerts.sending import delivery, outbox
step, marker = os.environ["STEP"], pathlib.Path(os.environ["MARKER"])
def hang(*_, **__):
    marker.touch()
    time.sleep(60)
def then_hang(kept):
    return lambda *given: (kept(*given), hang())[0]
if step == "claim not committed":
    outbox.claim = then_hang(outbox.claim)
if step == "claim committed":
    delivery._hand_over = hang
if step == "answer read":
    outbox.settle = lambda connection, results, at: hang() if results else set()
if step == "result committed":
    kept = outbox.settle
    outbox.settle = lambda *given: then_hang(kept)(*given) if given[1] else set()
if step == "slow":
    send = delivery._hand_over
    delivery._hand_over = lambda *given: (time.sleep(0.02), send(*given))[1]
delivery.drain("sms", at=datetime.datetime.fromisoformat(os.environ["AT"]))
"""


def kill_at(post: Post, step: str, minute: float, name: str) -> None:
    marker = post.settings.home / "reached"
    marker.unlink(missing_ok=True)
    before = len(post.phones())
    if step == "gateway has it":
        # Taken, and the answer does not come for as long as the process lives.
        post.behave(slow_s=8)
        post.fault("timeout", gateway=name)

    def seen() -> bool:
        return len(post.phones()) > before if step == "gateway has it" else marker.exists()

    killed(
        DRAIN, seen, STEP=step, MARKER=str(marker), AT=post.at(minute).isoformat(),
        IOC_SMS_GATEWAY=post.only(name), **post.environment(),
    )  # fmt: skip


def settle_everything(post: Post, name: str, minute: float) -> None:
    for later in range(4):
        post.drain(minute + later, sms_gateway=post.only(name))


def arrived(post: Post) -> Counter[str]:
    """How often each message lies on the phone, by the id at the end of its text (the mark of a repetition aside)."""
    return Counter(text["text"].removesuffix(" (gui lai)").removesuffix(" (gui lai 2)")[-8:] for text in post.phones())


def test_with_recognised_ids_no_kill_loses_or_doubles_anything(post: Post) -> None:
    ids = []
    for number, step in enumerate(STEPS):
        ids += post.queue(3, level=1 + number % 4, minute=10 * number)
        kill_at(post, step, 10 * number, "esms")
    settle_everything(post, "esms", 60)
    assert post.statuses() == {"accepted": len(ids)}
    assert arrived(post) == {one[:8]: 1 for one in ids}
    assert {code for (code,) in post.rows("select provider_code from notify.outbox")} == {"100", "124"}


def test_without_recognised_ids_nothing_is_lost_and_each_kill_leaves_one_unknown_at_most(post: Post) -> None:
    slight = []
    for number, step in enumerate(STEPS):
        slight += post.queue(3, level=2, minute=10 * number)
        kill_at(post, step, 10 * number, "viettel")
        settle_everything(post, "viettel", 10 * number + 2)
    unknown = [str(one)[:8] for (one,) in post.rows("select outbox_id from notify.outbox where status = 'unknown'")]
    found = arrived(post)
    # Three of the five steps lie between claim and result; before the claim and after the result nothing is in doubt.
    assert len(unknown) == 3
    assert post.statuses() == {"accepted": len(slight) - 3, "unknown": 3}
    assert max(found.values()) == 1, "a slight message is sent at most once"
    assert {one[:8] for one in slight} - set(found) <= set(unknown), "what did not arrive is on the operator's list"


def test_a_grave_message_arrives_whatever_is_killed_and_says_when_it_is_a_repetition(post: Post) -> None:
    grave = []
    for number, step in enumerate(("claim committed", "gateway has it")):
        grave += post.queue(1, level=4, minute=10 * number)
        kill_at(post, step, 10 * number, "viettel")
        settle_everything(post, "viettel", 10 * number + 2)
    assert post.statuses() == {"accepted": len(grave)}
    assert set(arrived(post)) == {one[:8] for one in grave}
    assert arrived(post)[grave[1][:8]] == 2, "nobody could know that it had arrived"
    marked = [text["text"] for text in post.phones() if text["text"].endswith(" (gui lai)")]
    assert len(marked) == 2, "and the second one says so"


@pytest.mark.parametrize("name", ["esms", "viettel"])
def test_kills_at_any_moment(post: Post, name: str) -> None:
    chance = random.Random(36)
    ids = post.queue(40, level=2)
    kills = 3
    for number in range(kills):
        before = len(post.phones())
        wait = before + chance.randint(2, 8)
        process_sees = time.monotonic() + 30
        killed(
            DRAIN, lambda wait=wait, end=process_sees: len(post.phones()) >= wait or time.monotonic() > end,  # type: ignore[misc]
            STEP="slow", MARKER="/nowhere", AT=post.at(10 * number).isoformat(),
            IOC_SMS_GATEWAY=post.only(name), **post.environment(),
        )  # fmt: skip
    settle_everything(post, name, 60)
    found = arrived(post)
    statuses = post.statuses()
    assert max(found.values()) == 1
    assert statuses.get("unknown", 0) <= (0 if name == "esms" else kills)
    assert statuses["accepted"] + statuses.get("unknown", 0) == len(ids)
    assert len(found) >= statuses["accepted"]


@pytest.mark.parametrize("name", ["esms", "viettel"])
def test_two_drains_at_once_never_send_twice(post: Post, name: str) -> None:
    # The gateway would not notice: every number gets its own text, and viettel's ids mean nothing.
    ids = post.queue(30, level=2)
    environment = os.environ | post.environment() | {
        "STEP": "slow", "MARKER": "/nowhere", "AT": post.at(0).isoformat(), "IOC_SMS_GATEWAY": post.only(name),
    }  # fmt: skip
    runs = [subprocess.Popen([sys.executable, "-c", DRAIN], cwd=PROJECT_ROOT, env=environment) for _ in "ab"]
    assert [process.wait(60) for process in runs] == [0, 0]
    assert arrived(post) == {one[:8]: 1 for one in ids}
    assert {text["phone"] for text in post.phones()} == {PHONE}
    assert {code for (code,) in post.rows("select distinct provider_code from notify.outbox")} <= {"100", "1"}


def test_a_sender_that_forgets_its_claim_would_be_seen_here(post: Post) -> None:
    """The planted fault: what was claimed counts as never touched, as if only "sent" were ever written down."""
    ids = post.queue(3, level=2)
    post.behave(refuse_repeated=False)
    kill_at(post, "answer read", 0, "viettel")
    post.run("update notify.outbox set status = 'queued', lease_until = null, gateway = null where status = 'sending'")
    settle_everything(post, "viettel", 1)
    assert sorted(arrived(post).values()) == [1, 1, 2]
    assert len(arrived(post)) == len(ids)
