"""Viettel bulk SMS: SOAP operation ``wsCpMt``; the description is ``viettel.wsdl`` beside this file.

Entry of ``IOC_SMS_GATEWAY``: ``viettel+https://host/path?brandname=NAME&cp_code=CODE``; secrets ``sms_viettel_user``
and ``sms_viettel_password``. ``RequestID`` is a number without meaning (1 for every message): a repetition is a second
message. Delivery is not reported and cannot be asked for.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import requests
from zeep import Client
from zeep.exceptions import Error as ZeepError
from zeep.exceptions import TransportError
from zeep.transports import Transport

from alerts.channels.base import Result
from alerts.gateways.base import (
    LONGEST_SMS,
    TIMEOUT_S,
    Fate,
    Receipt,
    ReceiptUnreadableError,
    http_session,
    sms_text,
    transport_failure,
)
from alerts.notifying.sms_text import khong_dau
from ioc.secrets import Secrets

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from urllib.parse import SplitResult

    import psycopg

    from alerts.channels.base import Message, Send
    from ioc.settings import Settings

_WSDL = Path(__file__).with_suffix(".wsdl")
_PORT = "{http://impl.bulkSms.ws/}CcApiPortBinding"
# Beginnings of the service's messages; the first that fits counts.
_ANSWERS: tuple[tuple[str, Result], ...] = (
    ("Authenticate:", Result("retry", error="user, password or address refused", trouble="credentials")),
    ("CP_CODE_NOT_FOUND", Result("retry", error="the cp_code is wrong", trouble="credentials")),
    ("WRONG_INFORMATION_AUTHENTICATE", Result("retry", error="user or password is wrong", trouble="credentials")),
    ("Check balance", Result("retry", error="not enough balance", trouble="balance")),
    ("Check ServiceID: DUPLICATE MESSAGE", Result("failed", error="the same text was sent to this number just now")),
    ("Check ServiceID: ALIAS_INVALID", Result("refused", error="the brandname is not registered with this network")),
    ("Check template", Result("refused", error="the text fits no registered template")),
    ("Check Content: MAXLENGTH", Result("refused", error="the text is too long")),
    ("Check Content", Result("refused", error="the text is refused")),
    ("Check ReceiverID", Result("failed", error="the phone number has a wrong format")),
    ("Unable to check telco", Result("failed", error="no network has this phone number")),
    ("Check CommandCode", Result("retry", error="the command code is wrong", trouble="configuration")),
    # "Lỗi chung hệ thống": something went wrong inside; whether before or after the message was taken is not said.
    ("Check information error", Result("uncertain", error="error inside the gateway")),
)


@dataclass(frozen=True)
class Viettel:
    """One account. Claims one message at a time, so that a crash leaves at most one of which nobody knows."""

    url: str
    brandname: str
    cp_code: str
    user: str
    password: str
    name: str = "viettel"
    is_idempotent: bool = False
    claim_size: int = 1
    batch_size: int = 1
    reports_delivery: bool = False

    @contextmanager
    def open(self, connection: psycopg.Connection) -> Iterator[Send]:  # noqa: ARG002
        with http_session() as session:
            limits = {"timeout": TIMEOUT_S[1], "operation_timeout": TIMEOUT_S[1]}
            transport = Transport(session=session, **limits)  # type: ignore[no-untyped-call]
            client = Client(str(_WSDL), transport=transport)  # type: ignore[no-untyped-call]
            service = client.create_service(_PORT, self.url)  # type: ignore[no-untyped-call]
            yield lambda message: self._send(service, message)

    def _send(self, service: Any, message: Message) -> Result:
        text = khong_dau(sms_text(message))
        if len(text) > LONGEST_SMS:
            return Result("refused", error=f"the text has {len(text)} characters, {LONGEST_SMS} are allowed")
        try:
            answer = service.wsCpMt(
                User=self.user,
                Password=self.password,
                CPCode=self.cp_code,
                RequestID="1",
                UserID=message.address,
                ReceiverID=message.address,
                ServiceID=self.brandname,
                CommandCode="bulksms",
                Content=text,
                ContentType="0",
            )
        except requests.RequestException as error:
            return transport_failure(error)
        except TransportError as error:
            return Result("uncertain", str(error.status_code), error=f"HTTP {error.status_code}", trouble="unreachable")
        except (ZeepError, ValueError, SyntaxError) as error:
            return Result("uncertain", error=f"no readable answer ({type(error).__name__})")
        return _read(getattr(answer, "result", None), str(getattr(answer, "message", None) or ""))

    def fate(self, message: Message, provider_id: str | None) -> Fate | None:  # noqa: ARG002
        return None


def _read(result: int | None, words: str) -> Result:
    if result == 1:
        return Result("accepted", provider_code="1")
    known = next((answer for beginning, answer in _ANSWERS if words.startswith(beginning)), None)
    # The words may repeat an address of ours or the number: only their beginning is kept.
    code = words.partition("(")[0].strip()[:60] or "0"
    if known is None:
        return Result("refused", code, error="refused for a reason that is not documented")
    return Result(known.outcome, code, None, known.error, known.trouble)


def build(url: SplitResult, settings: Settings) -> Viettel:
    """The gateway at ``url``; ``brandname`` and ``cp_code`` are mandatory.

    Raises:
        ValueError: one of them is missing.
    """
    given = parse_qs(url.query)
    try:
        brandname, cp_code = given["brandname"][0], given["cp_code"][0]
    except KeyError as error:
        raise ValueError(f"IOC_SMS_GATEWAY: viettel needs ?{error.args[0]}=…") from None
    secrets = Secrets.of(settings)
    return Viettel(
        f"{url.scheme}://{url.netloc}{url.path}",
        brandname,
        cp_code,
        secrets.get("sms_viettel_user"),
        secrets.get("sms_viettel_password"),
    )


def parse_receipt(values: Mapping[str, str]) -> Receipt:  # noqa: ARG001
    """This service sends none.

    Raises:
        ReceiptUnreadableError: always.
    """
    raise ReceiptUnreadableError("this gateway sends no receipts")
