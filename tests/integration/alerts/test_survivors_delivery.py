"""What planted faults showed to be untested: see tests/mutations."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.integration.alerts.conftest import Desk, Mailbox


def test_a_message_that_cannot_be_written_fails_alone(desk: Desk, mailbox: Mailbox) -> None:
    desk.signal({0: 170})
    desk.evaluate(0.1)
    waiting = desk.one("select count(*) from notify.outbox where channel = 'email'")
    # No mail can have a line break in its address: the program that writes it raises.
    desk.run(
        "update notify.outbox set address = E'a\\nb@thanhhoa.example.vn' where outbox_id = ("
        "select outbox_id from notify.outbox where channel = 'email' order by level desc, outbox_id limit 1)"
    )
    report = desk.deliver(0.1)["email"]
    assert (report.failed, report.sent, len(mailbox.received)) == (1, waiting - 1, waiting - 1)
    assert "while handing over" in desk.one("select last_error from notify.outbox where status = 'failed'")
