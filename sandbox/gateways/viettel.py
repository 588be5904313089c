"""A Viettel-style gateway: SOAP 1.1, operation ``wsCpMt``; a repeated RequestID is a second message, no receipts."""

from __future__ import annotations

import re
import time
from xml.sax.saxutils import escape

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from lxml import etree

from sandbox.gateways.answers import spoilt
from sandbox.gateways.phones import Phones, Text

_NAMESPACE = "http://impl.bulkSms.ws/"
_FIELDS = (
    "User", "Password", "CPCode", "RequestID", "UserID", "ReceiverID", "ServiceID", "CommandCode", "Content",
    "ContentType",
)  # fmt: skip
_FAULTS = {
    "99": "Check Content: MSG_ERROR_CONTAIN_BLACKLIST",
    "101": "Authenticate: WRONG_INFORMATION_AUTHENTICATE",
    "103": "Check balance: NOT_ENOUGH",
    "104": "Check ServiceID: ALIAS_INVALID:TELCO=VT",
    "108": "Check ReceiverID: FORMAT_ERROR",
    "118": "Check CommandCode: COMMAND_CODE_ERROR",
    "140": "Authenticate: IP_INVALID (YOUR IP: 203.0.113.9)",
    "146": "Check template: CONTENT_NOT_MATCH_TEMPLATE",
    "177": "Check ServiceID: ALIAS_INVALID:TELCO=VN",
}
_OK = "Insert MT_QUEUE: OK"
_LONGEST = 480


def router(phones: Phones, account: tuple[str, str]) -> APIRouter:
    """Routes below ``/viettel``.

    Args:
        phones: The network behind it.
        account: User and password.
    """
    routes = APIRouter()

    def answer(body: bytes) -> Response:
        try:
            order = _order(body)
        except (etree.XMLSyntaxError, ValueError) as error:
            return _envelope(f"<S:Fault><faultcode>S:Client</faultcode><faultstring>{escape(str(error))}"
                             "</faultstring></S:Fault>", status=500)  # fmt: skip
        fault = phones.strike("viettel", order["ReceiverID"])
        words = _FAULTS.get(fault or "") or _refusal(phones, order, account)
        if fault in ("timeout_before", "drop_before", "500", "garbage"):
            words = words or str(fault)
        if words is None:
            phones.take(
                Text(phones.new_id(), "viettel", order["ReceiverID"], order["ServiceID"], order["Content"], "",
                     time.time()),
                fault,
            )  # fmt: skip
        result = f"<message>{escape(words or _OK)}</message><result>{int(words is None)}</result>"
        return spoilt(fault, phones.behaviour.slow_s) or _envelope(
            f'<ns2:wsCpMtResponse xmlns:ns2="{_NAMESPACE}"><return>{result}</return></ns2:wsCpMtResponse>'
        )

    @routes.post("")
    async def call(request: Request) -> Response:
        return await run_in_threadpool(answer, await request.body())

    return routes


def _order(body: bytes) -> dict[str, str]:
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    call = etree.fromstring(body, parser).find(f".//{{{_NAMESPACE}}}wsCpMt")
    if call is None:
        raise ValueError("no wsCpMt in the body")
    return {name: call.findtext(name) or "" for name in _FIELDS}


def _refusal(phones: Phones, order: dict[str, str], account: tuple[str, str]) -> str | None:  # noqa: PLR0911
    """The words of the first rule that the order breaks."""
    receiver, content = order["ReceiverID"], order["Content"]
    if (order["User"], order["Password"]) != account:
        return _FAULTS["101"]
    if not order["RequestID"].isdigit():
        return "Check RequestID: REQUEST_ID_NOT_NUMBER"
    if not re.fullmatch(r"84[35789]\d{8}", receiver) or receiver != order["UserID"]:
        return _FAULTS["108"]
    if order["CommandCode"] != "bulksms":
        return _FAULTS["118"]
    if not content.isascii() or "&" in content:
        return "Check Content: NOT_ALLOWED_CHARACTER"
    if len(content) > _LONGEST:
        return f"Check Content: MAXLENGTH_LIMIT_{_LONGEST}_BYTE (YOUR_CONTENT: {len(content)} BYTE)"
    if not phones.fits_template(content):
        return _FAULTS["146"]
    if phones.is_repeated(receiver, content, time.time()):
        return "Check ServiceID: DUPLICATE MESSAGE"
    return None if phones.pay() else _FAULTS["103"]


def _envelope(content: str, status: int = 200) -> Response:
    return Response(
        '<?xml version="1.0" encoding="UTF-8"?><S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/">'
        f"<S:Body>{content}</S:Body></S:Envelope>",
        status_code=status,
        media_type="text/xml",
    )
