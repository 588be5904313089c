"""eSMS (VIHAT): ``POST …/SendMultipleMessage_V4_post_json/``, customer-care messages under a brandname.

Entry of ``IOC_SMS_GATEWAY``: ``esms+https://rest.esms.vn?brandname=NAME``; secrets ``sms_esms_api_key`` and
``sms_esms_secret_key``. Source: developers.esms.vn (sending, callback, status by SMSID, table of error codes).
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote

import requests

from alerts.channels.base import Result
from alerts.gateways.base import (
    TIMEOUT_S,
    Fate,
    Receipt,
    ReceiptUnreadableError,
    http_session,
    sms_text,
    transport_failure,
)
from alerts.notifying.sms_text import measure
from alerts.sending.signing import receipt_key
from ioc.secrets import Secrets

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from urllib.parse import SplitResult

    import psycopg

    from alerts.channels.base import Message, Send
    from ioc.settings import Settings

_CUSTOMER_CARE = "2"
# 100: taken, which is not delivered. 124: this RequestId was taken before, which is what a repetition wants to hear.
_TAKEN = ("100", "124")
_ANSWERS: dict[str, Result] = {
    "99": Result("refused", error="the number is blocked at this gateway"),
    "101": Result("retry", error="ApiKey or SecretKey is wrong", trouble="credentials"),
    "103": Result("retry", error="not enough balance", trouble="balance"),
    "104": Result("retry", error="the brandname does not exist", trouble="configuration"),
    "108": Result("failed", error="the phone number has a wrong format"),
    "118": Result("retry", error="this type of message is not supported", trouble="configuration"),
    "140": Result("retry", error="the address of this system is not on the gateway's list", trouble="credentials"),
    "146": Result("refused", error="the text fits no registered template"),
    "177": Result("refused", error="the brandname is not registered with the network of this number"),
}
_HTTP: dict[int, Result] = {
    401: Result("retry", trouble="credentials"),
    403: Result("retry", trouble="credentials"),
    404: Result("retry", trouble="configuration"),
    405: Result("retry", trouble="configuration"),
    429: Result("retry"),
}
# SendStatus: 1 to be approved, 2 to be sent, 7 with the network, 4 rejected, 5 sent (the counts say to whom).
_PENDING, _REJECTED, _SENT = ("1", "2", "3", "7"), "4", "5"


@dataclass(frozen=True)
class ESms:
    """One account. ``RequestId`` is the outbox id: a repetition is answered with 124 and not sent."""

    base: str
    brandname: str
    api_key: str
    secret_key: str
    callback_url: str
    name: str = "esms"
    is_idempotent: bool = True
    claim_size: int = 50
    batch_size: int = 50
    reports_delivery: bool = True

    @contextmanager
    def open(self, connection: psycopg.Connection) -> Iterator[Send]:  # noqa: ARG002
        with http_session() as session:
            yield lambda message: self._send(session, message)

    def _send(self, session: requests.Session, message: Message) -> Result:
        text = sms_text(message)
        order = {
            "ApiKey": self.api_key,
            "SecretKey": self.secret_key,
            "Content": text,
            "Phone": message.address,
            "Brandname": self.brandname,
            "SmsType": _CUSTOMER_CARE,
            "IsUnicode": "0" if measure(text).encoding == "gsm7" else "1",
            "Sandbox": "0",
            "RequestId": str(message.outbox_id),
            "CallbackUrl": self.callback_url,
        }
        address = f"{self.base}/MainService.svc/json/SendMultipleMessage_V4_post_json/"
        answer = _ask(session, "POST", address, json=order)
        if isinstance(answer, Result):
            return answer
        code = str(answer.get("CodeResult") or answer.get("CodeResponse") or "")
        provider_id = str(answer.get("SMSID") or "") or None
        if code in _TAKEN:
            return Result("accepted", provider_code=code, provider_id=provider_id)
        known = _ANSWERS.get(code)
        if known is None:
            return Result("refused", provider_code=code, error=f"code {code[:10] or 'missing'} of the gateway")
        return Result(known.outcome, code, provider_id, known.error, known.trouble)

    def fate(self, message: Message, provider_id: str | None) -> Fate | None:  # noqa: ARG002
        """By SMSID, which the gateway keeps for seven days; without one it cannot be asked."""
        if provider_id is None:
            return None
        with http_session() as session:
            answer = _ask(
                session,
                "GET",
                f"{self.base}/MainService.svc/json/GetSendStatus",
                params={"RefId": provider_id, "ApiKey": self.api_key, "SecretKey": self.secret_key},
            )
        if isinstance(answer, Result):
            return None
        # 105: no such message; after seven days that is true of every message.
        if str(answer.get("CodeResponse")) != "100":
            return None
        try:
            read = parse_receipt({**{key: str(value) for key, value in answer.items()}, "SMSID": provider_id})
        except ReceiptUnreadableError:
            return None
        return Fate(read.status, provider_id, read.provider_status, read.detail)


def _ask(session: requests.Session, method: str, url: str, **more: Any) -> dict[str, Any] | Result:
    try:
        answer = session.request(method, url, timeout=TIMEOUT_S, allow_redirects=False, **more)
    except requests.RequestException as error:
        return transport_failure(error)
    code = str(answer.status_code)
    if answer.status_code != 200:
        known = _HTTP.get(answer.status_code, Result("uncertain", trouble="unreachable"))
        return Result(known.outcome, code, error=f"HTTP {code}", trouble=known.trouble)
    try:
        read = answer.json()
    except ValueError:
        read = None
    if not isinstance(read, dict):
        return Result("uncertain", code, error="the answer is not JSON", trouble="unreachable")
    return read


def build(url: SplitResult, settings: Settings) -> ESms:
    """The gateway at ``url``; ``brandname`` is mandatory.

    Raises:
        ValueError: no brandname.
    """
    brandname = parse_qs(url.query).get("brandname", [""])[0]
    if not brandname:
        raise ValueError("IOC_SMS_GATEWAY: esms needs ?brandname=…")
    secrets = Secrets.of(settings)
    return ESms(
        f"{url.scheme}://{url.netloc}{url.path.rstrip('/')}",
        brandname,
        secrets.get("sms_esms_api_key"),
        secrets.get("sms_esms_secret_key"),
        f"{settings.portal_url()}/api/receipts/esms?key={quote(receipt_key(settings, 'esms'))}",
    )


def parse_receipt(values: Mapping[str, str]) -> Receipt:
    """Read a callback (parameters of a GET) or an answer of ``GetSendStatus``.

    Raises:
        ReceiptUnreadableError: no SMSID, or a status that the documentation does not name.
    """
    provider_id, status = values.get("SMSID", "").strip(), values.get("SendStatus", "").strip()
    if not provider_id or len(provider_id) > 100:
        raise ReceiptUnreadableError("no SMSID")
    delivered, failed = values.get("SendSuccess", "0"), values.get("SendFailed", "0")
    detail = f"SendStatus {status}, SendSuccess {delivered[:10]}, SendFailed {failed[:10]}"
    request_id = values.get("RequestId", "")
    if status in _PENDING:
        return Receipt(provider_id, "pending", status, request_id, detail)
    if status == _REJECTED:
        return Receipt(provider_id, "failed", status, request_id, detail)
    if status == _SENT:
        # One message to one number: sent means that it succeeded or failed.
        is_there = delivered.isdigit() and int(delivered) > 0
        code = f"5/{'ok' if is_there else 'failed'}"
        return Receipt(provider_id, "delivered" if is_there else "failed", code, request_id, detail)
    raise ReceiptUnreadableError("unknown SendStatus")
