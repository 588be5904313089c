"""The outbox: nothing lost, nothing doubled, whatever the mail server does and whoever is killed."""

from __future__ import annotations

import email
import email.policy
import os
import signal
import socket
import subprocess
import sys
import time
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from alerts.channels import email as email_channel
from alerts.channels.base import Result
from alerts.sending import delivery
from ioc.settings import PROJECT_ROOT

if TYPE_CHECKING:
    from email.message import EmailMessage

    from tests.integration.alerts.conftest import Desk, Mailbox


def mails(mailbox: Mailbox) -> list[EmailMessage]:
    return [email.message_from_bytes(raw, policy=email.policy.default) for raw in mailbox.received]  # type: ignore[misc]


def test_a_mail_says_it_in_vietnamese_and_arrives_once(desk: Desk, mailbox: Mailbox) -> None:
    desk.run("insert into alerting.entity values ('station', 'TH-01', 'Trạm Hàm Rồng', '14758')")
    desk.signal({14: 163.0}, unit_code="14758")
    desk.tick(14.1)
    desk.tick(14.2)
    mail = next(m for m in mails(mailbox) if m["To"] == "truc-ban.snnmt@thanhhoa.example.vn")
    assert len(mails(mailbox)) == len({m["To"] for m in mails(mailbox)})
    assert mail["Subject"] == "[Cảnh báo cấp 2 – Xấu] AQI giờ tại Trạm Hàm Rồng là 163 (14:00 06/03/2026)"
    plain, html = (mail.get_body((kind,)).get_content() for kind in ("plain", "html"))  # type: ignore[union-attr]
    for text in (plain, html):
        assert "Phường Hàm Rồng" in text
        assert "14:00 06/03/2026" in text
        assert unicodedata.is_normalized("NFC", text)
    assert desk.rows("select distinct status from notify.outbox where channel = 'email'") == [("accepted",)]
    outbox_id = desk.one("select outbox_id from notify.outbox where address = %s", mail["To"])
    assert mail["Message-ID"] == f"<{outbox_id}@ioc.example>"


def test_a_name_with_markup_is_shown_not_executed(desk: Desk, mailbox: Mailbox) -> None:
    desk.run("insert into alerting.entity values ('station', 'TH-01', '<b>x</b> & {{ 7*7 }}', null)")
    desk.signal({0: 120})
    desk.tick(0.1)
    html = mails(mailbox)[0].get_body(("html",)).get_content()  # type: ignore[union-attr]
    assert "&lt;b&gt;x&lt;/b&gt; &amp; {{ 7*7 }}" in html


def test_a_refusal_for_now_is_tried_again_later_under_the_same_id(desk: Desk, mailbox: Mailbox) -> None:
    desk.signal({0: 120})
    desk.evaluate(0.1)
    mailbox.answers = ["451 4.3.0 busy"]
    assert desk.deliver(0.1)["email"].retried == 1
    assert desk.deliver(0.1)["email"].sent == 0, "not before its time"
    assert desk.deliver(0.2)["email"].sent == 1
    attempts = desk.rows(
        "select number, outcome, a.provider_code from notify.attempt a join notify.outbox o using (outbox_id) "
        "where channel = 'email' order by number"
    )
    assert attempts == [(1, "retry", "451"), (2, "accepted", "250")]
    assert len(mailbox.received) == 1


def test_a_refusal_for_good_is_on_record_and_holds_nobody_up(desk: Desk, mailbox: Mailbox) -> None:
    desk.signal({0: 170})
    desk.evaluate(0.1)
    waiting = desk.one("select count(*) from notify.outbox where channel = 'email'")
    mailbox.answers = ["550 5.1.1 no such user"]
    report = desk.deliver(0.1)["email"]
    assert (report.failed, report.sent) == (1, waiting - 1)
    assert desk.one("select last_error from notify.outbox where status = 'failed'") == "5.1.1 no such user"
    assert desk.deliver(9)["email"].sent == 0


def test_a_silent_mail_server_loses_nothing(desk: Desk) -> None:
    desk.signal({0: 120})
    desk.evaluate(0.1)
    report = delivery.drain("email", desk.settings, desk.at(0.1))
    assert (report.sent, report.retried) == (0, 1)
    assert "does not answer" in report.errors[0]
    assert desk.rows("select status from notify.outbox where channel = 'email'") == [("queued",)]


def test_a_channel_that_does_not_exist_is_named(desk: Desk) -> None:
    with pytest.raises(KeyError, match=r"known: email, .*web"):
        delivery.drain("fax", desk.settings)


def run_until(desk: Desk, code: str, seen: object) -> None:
    """Start ``code`` in a process of its own and SIGKILL it as soon as ``seen()`` is true."""
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=PROJECT_ROOT, env=os.environ | {"AT": desk.at(0.1).isoformat()}
    )
    try:
        end = time.monotonic() + 60
        while not seen():  # type: ignore[operator]
            assert process.poll() is None, "the process ended before it could be killed"
            assert time.monotonic() < end
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


DRAIN = (
    "import os, datetime; from alerts.sending import delivery; "
    "delivery.drain('{}', at=datetime.datetime.fromisoformat(os.environ['AT']))"
)


def test_killed_between_claim_and_sending_then_sent_once(desk: Desk, mailbox: Mailbox) -> None:
    """The mail server takes the connection and says nothing: the sender hangs after its claim, and is killed there."""
    desk.signal({0: 170})
    desk.evaluate(0.1)
    waiting = desk.one("select count(*) from notify.outbox where channel = 'email'")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        os.environ["IOC_SMTP_URL"] = f"smtp://127.0.0.1:{silent.getsockname()[1]}"
        try:
            run_until(
                desk,
                DRAIN.format("email"),
                lambda: desk.one("select count(*) from notify.outbox where status = 'sending'"),
            )
        finally:
            del os.environ["IOC_SMTP_URL"]
    assert "email" not in delivery.due_channels(desk.settings, desk.at(0.101))
    assert desk.deliver(0.101)["email"].sent == 0, "the lease of the dead sender still runs"
    assert "email" in delivery.due_channels(desk.settings, desk.at(0.2))
    assert desk.deliver(0.2)["email"].sent == waiting
    assert Counter(m["Message-ID"] for m in mails(mailbox)).most_common(1)[0][1] == 1
    assert len(mailbox.received) == waiting
    assert desk.one("select count(*) from notify.attempt where outcome = 'expired'") == waiting


def test_killed_between_sending_and_writing_it_down_keeps_the_message_id(desk: Desk, mailbox: Mailbox) -> None:
    """The worst moment: the server has the mail, the sender dies before its commit. The repetition is recognisable."""
    desk.signal({0: 120})
    desk.evaluate(0.1)
    code = DRAIN.format("email").replace(
        "delivery.drain", "import time; delivery._finish = lambda *_: time.sleep(60); delivery.drain"
    )
    run_until(desk, code, lambda: mailbox.received)
    desk.deliver(0.2)
    assert len(mailbox.received) == 2
    assert len({m["Message-ID"] for m in mails(mailbox)}) == 1
    assert desk.rows("select status, attempt_count from notify.outbox where channel = 'email'") == [("accepted", 2)]


def test_a_sender_that_outlived_its_lease_does_not_overwrite_its_successor(
    desk: Desk, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.signal({0: 120})
    desk.evaluate(0.1)
    kept = email_channel._send

    def slow(*_: object) -> Result:
        monkeypatch.setattr(email_channel, "_send", kept)
        assert desk.deliver(0.2)["email"].sent == 1, "the lease is over: somebody else sends it"
        return Result("retry", error="too late to matter")

    monkeypatch.setattr(email_channel, "_send", slow)
    report = desk.deliver(0.1)["email"]
    assert (report.sent, report.retried) == (0, 0)
    assert desk.rows("select status, last_error from notify.outbox where channel = 'email'") == [("accepted", None)]
    assert len(mailbox.received) == 1


def test_the_inbox_gets_each_message_exactly_once_through_kills(desk: Desk) -> None:
    desk.signal({0: 170})
    desk.evaluate(0.1)
    waiting = desk.one("select count(*) from notify.outbox where channel = 'web'")
    marker = desk.settings.home / "claimed"
    marker.unlink(missing_ok=True)
    code = (
        "import time, pathlib; from alerts.sending import delivery; "
        f"delivery._finish = lambda *_: (pathlib.Path({str(marker)!r}).touch(), time.sleep(60)); " + DRAIN.format("web")
    )
    run_until(desk, code, marker.exists)
    assert desk.one("select count(*) from notify.inbox") == 0
    desk.deliver(0.1)
    desk.deliver(0.2)
    assert desk.one("select count(*) from notify.inbox") == waiting > 0


EVALUATE = """
import os, datetime, pathlib, time
from alerts.judging import engine
from alerts.notifying import reconcile
marker = pathlib.Path(os.environ['MARKER'])
kept = reconcile.reconcile_in
def hang(*args):
    told = kept(*args)
    marker.touch()
    time.sleep(60)
    return told
reconcile.reconcile_in = hang
engine.evaluate(at=datetime.datetime.fromisoformat(os.environ['AT']))
"""


def test_killed_in_the_middle_of_an_evaluation_leaves_nothing_and_the_next_one_does_it_all(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = desk.settings.home / "evaluating"
    marker.unlink(missing_ok=True)
    monkeypatch.setenv("MARKER", str(marker))
    desk.signal({-1: 80, 0: 170})
    before = desk.counts()
    run_until(desk, EVALUATE, marker.exists)
    assert desk.counts() == before
    report = desk.evaluate(0.1)
    assert (report.opened, report.evaluated) == (1, 2)
    assert report.notifications > 0


def test_three_evaluations_at_once_are_one(desk: Desk) -> None:
    desk.signal({-1: 80, 0: 170})
    code = "import os, datetime; from alerts.judging import engine; "
    code += "engine.evaluate(at=datetime.datetime.fromisoformat(os.environ['AT']))"
    environment = os.environ | {"AT": desk.at(0.1).isoformat()}
    runs = [subprocess.Popen([sys.executable, "-c", code], cwd=PROJECT_ROOT, env=environment) for _ in range(3)]
    assert [process.wait(60) for process in runs] == [0, 0, 0]
    assert desk.transitions() == [(0, 2)]
    reports = [report for (report,) in desk.rows("select report from alert.eval_run")]
    assert sorted(report["evaluated"] for report in reports) == [0, 0, 2]
    assert sum(report["notifications"] for report in reports) == desk.one("select count(*) from notify.outbox")


def test_two_senders_at_once_share_the_work(desk: Desk, mailbox: Mailbox) -> None:
    for number in range(30):
        desk.run(
            "insert into ref.contact (code, name_vi, unit_code, roles, email, email_verified_at) "
            "values (%s, 'x', 'SNNMT', '{truc_ban}', %s, now())",
            f"c{number}", f"c{number}@thanhhoa.example.vn",
        )  # fmt: skip
    desk.signal({0: 120})
    desk.evaluate(0.1)
    environment = os.environ | {"AT": desk.at(0.1).isoformat()}
    both = [
        subprocess.Popen([sys.executable, "-c", DRAIN.format("email")], cwd=PROJECT_ROOT, env=environment) for _ in "ab"
    ]
    assert [process.wait(60) for process in both] == [0, 0]
    assert len(mailbox.received) == len({m["Message-ID"] for m in mails(mailbox)}) == 31
