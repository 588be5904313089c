"""SMS through real gateways: every answer means what its provider says, and money or keys that run out lose nothing."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
import requests

from alerts.channels.base import Message, Result, Send
from alerts.gateways import sms_gateways
from alerts.gateways.base import Fate
from alerts.recipients import phones
from alerts.sending.concerns import concerns
from ioc.settings import Settings
from tests.fixtures.message_gateways import PHONE, Post

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# A port below 1024 that no service of these tests may take.
_NOBODY = "esms+http://127.0.0.1:1?brandname=IOC"


@pytest.mark.parametrize("number", ["0912 345 678", "+84 912.345.678", "84912345678", "0084912345678"])
def test_phone_numbers_take_one_form(number: str) -> None:
    assert phones.normalised(number) == "84912345678"


@pytest.mark.parametrize("number", ["", None, "113", "02373852246", "84112345678", "0912345", "09123456789", "abc"])
def test_what_is_no_mobile_number_is_no_address(number: str | None) -> None:
    assert phones.normalised(number) is None


def test_a_configuration_without_sense_is_refused_in_words(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, home=tmp_path)
    for given, words in {
        "fax+https://x.example": "esms, viettel",
        "esms+https://x.example": "brandname",
        "viettel+https://x.example?brandname=A": "cp_code",
        "esms+http://x.example?brandname=A": "in clear",
    }.items():
        with pytest.raises(ValueError, match=words):
            sms_gateways(settings.model_copy(update={"sms_gateway": given}))
    assert sms_gateways(settings.model_copy(update={"with_sandbox": False})) == []


@pytest.mark.parametrize("gateway", ["esms", "viettel"])
def test_a_message_arrives_once_and_says_what_it_should(post: Post, gateway: str) -> None:
    (message,) = post.queue(body="IOC Thanh Hoa: cap 2 tai Ham Rong. Ma SC-1A2B3C4D")
    report = post.drain(0, sms_gateway=post.only(gateway))
    assert (report.sent, report.errors) == (1, [])
    (text,) = post.phones()
    assert (text["phone"], text["text"]) == (PHONE, "IOC Thanh Hoa: cap 2 tai Ham Rong. Ma SC-1A2B3C4D")
    assert text["request_id"] == (message if gateway == "esms" else "")
    assert post.rows("select status, gateway, attempt_count from notify.outbox") == [("accepted", gateway, 1)]
    assert post.drain(60, sms_gateway=post.only(gateway)).sent == 0


# What the gateway answers → what becomes of the message, and of the next one.
@pytest.mark.parametrize("gateway", ["esms", "viettel"])
@pytest.mark.parametrize(
    ("fault", "status", "concern"),
    [
        ("146", "failed", "failed"), ("99", "failed", "failed"), ("108", "failed", "failed"),
        ("177", "failed", "failed"), ("103", "queued", "gateway"), ("101", "queued", "gateway"),
        ("140", "queued", "gateway"), ("118", "queued", "gateway"),
    ],
)  # fmt: skip
def test_a_clear_answer_is_taken_at_its_word(post: Post, gateway: str, fault: str, status: str, concern: str) -> None:
    post.fault(fault)
    first, second = post.queue(level=3), post.queue(level=2)
    report = post.drain(0, sms_gateway=post.only(gateway))
    assert post.rows("select status, gateway from notify.outbox where level = 3")[0][0] == status
    assert [one.kind for one in concerns(post.settings, post.at(0))] == [concern]
    if status == "queued":
        assert report.sent == 0, "the second message waits, too, and is not tried"
        assert len(post.rows("select from notify.attempt")) == 1
        assert post.drain(0.1, sms_gateway=post.only(gateway)).errors, "left alone, and said so"
        assert len(post.rows("select from notify.attempt")) == 1
    post.drain(10, sms_gateway=post.only(gateway))
    arrived = [text["text"][-8:] for text in post.phones()]
    assert arrived == [one[:8] for one in ([*first, *second] if status == "queued" else second)]
    assert [one.kind for one in concerns(post.settings, post.at(10)) if one.kind == "gateway"] == []


def test_a_repeated_request_id_counts_as_success(post: Post) -> None:
    (message,) = post.queue()
    post.drain(0, sms_gateway=post.only("esms"))
    post.run("update notify.outbox set status = 'queued', provider_id = null")
    assert post.drain(1, sms_gateway=post.only("esms")).sent == 1
    assert post.rows("select status, provider_code from notify.outbox") == [("accepted", "124")]
    assert [text["request_id"] for text in post.phones()] == [message]


@pytest.mark.parametrize("fault", ["timeout", "timeout_before", "500", "garbage", "drop", "drop_before"])
def test_an_answer_that_does_not_come_is_asked_for_under_the_same_id(post: Post, fault: str) -> None:
    post.fault(fault)
    (message,) = post.queue()
    gateway = post.only("esms")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("alerts.gateways.esms.TIMEOUT_S", (0.5, 0.5))
        report = post.drain(0, sms_gateway=gateway)
    assert (report.sent, report.retried) == (0, 1)
    assert post.rows("select status, gateway from notify.outbox") == [("queued", "esms")]
    assert post.drain(0.1, sms_gateway=gateway).sent == 0, "not before its time"
    assert post.drain(1, sms_gateway=gateway).sent == 1
    assert [text["request_id"] for text in post.phones()] == [message]


@pytest.mark.parametrize("fault", ["timeout", "500", "garbage", "drop", "drop_before"])
def test_without_repeatable_ids_a_slight_message_is_listed_and_a_grave_one_is_marked(post: Post, fault: str) -> None:
    grave, slight = PHONE, "84912000002"
    for phone in (grave, slight):
        post.fault(fault, phone=phone)
    post.queue(level=4, address=grave)
    post.queue(level=1, address=slight)
    gateway = post.only("viettel")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("alerts.gateways.viettel.TIMEOUT_S", (0.5, 0.5))
        post.drain(0, sms_gateway=gateway)
    post.drain(1, sms_gateway=gateway)
    assert post.rows("select level, status, resend_count from notify.outbox order by level") == [
        (1, "unknown", 0), (4, "accepted", 1),
    ]  # fmt: skip
    assert [(one.kind, one.level) for one in concerns(post.settings, post.at(1))] == [("unknown", 1)]
    marked = [text["phone"] for text in post.phones() if text["text"].endswith(" (gui lai)")]
    assert marked == [grave]
    assert post.drain(600, sms_gateway=gateway).sent == 0


def both(post: Post) -> str:
    return f"{post.only('esms')} {post.only('viettel')}"


def test_a_gateway_without_balance_hands_over_to_the_next_and_somebody_is_told(post: Post) -> None:
    post.run(
        "insert into notify.route (code, name_vi, unit_mode, unit_code, roles, channels, is_fallback) "
        "values ('truc', 'Trực', 'fixed', 'IOC', '{truc_ban}', '{web}', true)"
    )
    post.run(
        "insert into ref.org_unit (code, name_vi, kind) values ('IOC', 'Trung tâm', 'centre') on conflict do nothing"
    )
    post.contact("truc", user_name="truc", email="truc@thanhhoa.example.vn", email_verified_at=post.at(0))
    post.fault("103", 100, gateway="esms")
    post.queue(3)
    report = post.drain(0, sms_gateway=both(post))
    assert (report.sent, post.statuses()["accepted"]) == (3, 3)
    assert [text["gateway"] for text in post.phones()] == ["viettel"] * 3
    told = post.rows("select channel, subject from notify.outbox where channel <> 'sms' order by channel")
    assert told == [(channel, "Cổng gửi tin esms hết số dư") for channel in ("email", "web")]
    post.queue(1)
    post.drain(0.1, sms_gateway=both(post))
    assert len(post.rows("select from notify.outbox where channel = 'web'")) == 1, "told once, not with every message"
    assert len(post.rows("select from notify.attempt where gateway = 'esms'")) == 1


def test_the_preferred_gateway_is_taken_again_once_it_is_paid(post: Post) -> None:
    post.fault("103", gateway="esms")
    post.queue()
    post.drain(0, sms_gateway=both(post))
    post.queue()
    post.drain(30, sms_gateway=both(post))
    assert [text["gateway"] for text in post.phones()] == ["viettel", "esms"]
    assert post.rows("select from notify.gateway_state") == []


def test_what_one_gateway_refuses_another_may_take(post: Post) -> None:
    post.fault("177", gateway="esms")
    post.queue()
    report = post.drain(0, sms_gateway=both(post))
    assert (report.sent, report.failed) == (1, 0)
    assert post.rows("select gateway, refused_by from notify.outbox") == [("viettel", ["esms"])]


def test_a_message_that_may_have_been_taken_does_not_go_to_another_gateway(post: Post) -> None:
    """Timed out at the first gateway, which had taken it: the second must not send it as well."""
    post.fault("timeout", gateway="esms")
    post.queue()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("alerts.gateways.esms.TIMEOUT_S", (0.5, 0.5))
        post.drain(0, sms_gateway=both(post))
        post.drain(0.01, sms_gateway=both(post))
    assert post.drain(1, sms_gateway=both(post)).sent == 1
    assert [text["gateway"] for text in post.phones()] == ["esms"]


def test_nor_when_the_other_is_the_preferred_one_by_then(post: Post) -> None:
    post.fault("timeout", gateway="esms")
    post.queue()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("alerts.gateways.esms.TIMEOUT_S", (0.5, 0.5))
        post.drain(0, sms_gateway=both(post))
    assert post.drain(1, sms_gateway=f"{post.only('viettel')} {post.only('esms')}").sent == 1
    assert [text["gateway"] for text in post.phones()] == ["esms"]


def test_a_gateway_that_is_down_costs_one_look_not_one_for_every_message(post: Post) -> None:
    post.queue(8)
    report = post.drain(0, sms_gateway=_NOBODY)
    assert (report.sent, report.failed) == (0, 0)
    assert post.statuses() == {"queued": 8}
    assert len(post.rows("select from notify.attempt")) == 3, "three in a row, then it is left alone"
    assert post.drain(5, sms_gateway=post.only("esms")).sent == 8


def test_months_without_a_gateway_lose_nothing(post: Post) -> None:
    post.queue(2)
    for day in range(1, 60):
        post.drain(day * 1440, sms_gateway=_NOBODY)
    assert post.statuses() == {"queued": 2}
    assert post.drain(60 * 1440, sms_gateway=post.only("esms")).sent == 2


def test_no_gateway_at_all_is_said_and_keeps_the_messages(post: Post) -> None:
    post.queue()
    report = post.drain(0, with_sandbox=False)
    assert "no gateway is configured" in report.errors[0]
    assert post.statuses() == {"queued": 1}


def test_a_repeated_text_is_refused_so_every_message_must_differ(post: Post) -> None:
    post.queue(2, body="IOC Thanh Hoa: kiem tra")
    post.drain(0, sms_gateway=post.only("viettel"))
    assert post.statuses() == {"accepted": 1, "failed": 1}
    assert len(post.phones()) == 1


def test_what_does_not_fit_viettels_alphabet_is_made_to_fit(post: Post) -> None:
    post.queue(body="Cảnh báo cấp 2 & lưu ý [Hàm Rồng]: đ")
    post.drain(0, sms_gateway=post.only("viettel"))
    assert [text["text"] for text in post.phones()] == ["Canh bao cap 2 va luu y (Ham Rong): d"]


def test_numbers_and_keys_stay_out_of_the_log(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    for fault in ("103", "146", "timeout", "500", "garbage", "drop", "108", "101"):
        for gateway in ("esms", "viettel"):
            post.fault(fault, gateway=gateway)
    post.queue(8, level=3)
    with pytest.MonkeyPatch.context() as patch:
        for gateway in ("esms", "viettel"):
            patch.setattr(f"alerts.gateways.{gateway}.TIMEOUT_S", (0.5, 0.5))
        reports = [post.drain(minute, sms_gateway=both(post)) for minute in range(0, 60, 10)]
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("alerts")]
    written = "\n".join([*ours, *(error for report in reports for error in report.errors)])
    assert "takes nothing" in written
    secrets = [gateway for name in ("esms", "viettel") for gateway in sms_gateways(
        post.settings.model_copy(update={"sms_gateway": post.only(name)}))]  # fmt: skip
    for hidden in (PHONE, PHONE[2:], secrets[0].secret_key, secrets[1].password):  # type: ignore[attr-defined]
        assert hidden not in written


def test_the_phone_page_shows_what_arrived_in_vietnamese(post: Post) -> None:
    post.behave(receipt_after_s=0)
    post.queue(body="IOC Thanh Hoa: <b>cap 2</b>. Ma SC-1")
    post.drain(0, sms_gateway=post.only("esms"))
    page = requests.get(f"{post.sandbox}/sms", timeout=5).text
    for words in ("Điện thoại thử nghiệm", PHONE, "IOC Thanh Hoa: &lt;b&gt;cap 2&lt;/b&gt;. Ma SC-1"):
        assert words in page


def test_a_grave_message_bound_to_a_gateway_that_stays_away_goes_by_another_one_marked(post: Post) -> None:
    """Timed out at the first gateway, which then is gone: after ten minutes certainty matters less than the alarm."""
    post.fault("timeout_before", 2, gateway="esms")
    post.queue(level=4)
    post.queue(level=2, address="84912000002")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("alerts.gateways.esms.TIMEOUT_S", (0.5, 0.5))
        post.drain(0, sms_gateway=both(post))
    gone = f"{_NOBODY} {post.only('viettel')}"
    for minute in (1, 5, 5.05):
        post.drain(minute, sms_gateway=gone)
    assert post.phones() == []
    for minute in (12, 12.05):
        post.drain(minute, sms_gateway=gone)
    assert [(text["phone"], text["text"][-10:]) for text in post.phones()] == [(PHONE, " (gui lai)")]
    assert post.statuses() == {"accepted": 1, "queued": 1}, "the slight one waits for its gateway"


def test_a_gateway_that_was_taken_out_of_the_settings_leaves_nothing_behind(post: Post) -> None:
    post.fault("timeout", 2, gateway="esms")
    post.queue(level=3)
    post.queue(level=1, address="84912000002")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("alerts.gateways.esms.TIMEOUT_S", (0.5, 0.5))
        post.drain(0, sms_gateway=post.only("esms"))
    post.drain(1, sms_gateway=post.only("viettel"))
    assert post.statuses() == {"accepted": 1, "unknown": 1}
    assert post.phones()[-1]["text"].endswith(" (gui lai)")
    assert [one.kind for one in concerns(post.settings, post.at(1)) if one.level == 1] == ["unknown"]


@dataclass
class Askable:
    """A gateway that recognises no repetition, but can be asked by our id; the first answer never comes."""

    answer: Fate
    name: str = "askable"
    is_idempotent: bool = False
    claim_size: int = 1
    batch_size: int = 1
    reports_delivery: bool = True
    sent: list[str] = field(default_factory=list)

    @contextmanager
    def open(self, _connection: object) -> Iterator[Send]:
        def send(message: Message) -> Result:
            self.sent.append(message.body)
            return Result("uncertain" if len(self.sent) == 1 else "accepted")

        yield send

    def fate(self, _message: Message, _provider_id: str | None) -> Fate:
        return self.answer


@pytest.mark.parametrize(
    ("fate", "status", "sendings"),
    [("pending", "accepted", 1), ("delivered", "delivered", 1), ("failed", "failed", 1), ("not_found", "accepted", 2)],
)
def test_a_gateway_that_can_be_asked_is_asked_before_anything_is_sent_again(
    post: Post, monkeypatch: pytest.MonkeyPatch, fate: Any, status: str, sendings: int
) -> None:
    gateway = Askable(Fate(fate))
    monkeypatch.setattr("alerts.channels.sms.sms_gateways", lambda _settings: [gateway])
    post.queue(level=2)
    post.drain(0)
    post.drain(1)
    assert post.statuses() == {status: 1}
    assert len(gateway.sent) == sendings
    assert not any("gui lai" in body for body in gateway.sent), "certain, so nothing to mark"
