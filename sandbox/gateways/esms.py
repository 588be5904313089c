"""An eSMS-style gateway: JSON, ``RequestId`` recognised, accepted is not delivered, receipts by GET.

Behaves as developers.esms.vn describes: CodeResult 100 taken, 124 repeated RequestId, 101 wrong keys, 103 no balance,
104 brandname, 108 number, 118 type, 146 template; a callback with the final state to the CallbackUrl of the message,
up to five times.
"""

from __future__ import annotations

import logging
import re
import time
from typing import Annotated, Any
from urllib.parse import urlencode

import requests
from fastapi import APIRouter, Body
from fastapi.responses import JSONResponse, Response

from sandbox.gateways.answers import spoilt
from sandbox.gateways.phones import Phones, Text

_WORDS = {
    "99": "The phone number is blocked in the system",
    "101": "Incorrect ApiKey or SecretKey",
    "103": "Not enough balance to send message",
    "104": "Brandname does not exist",
    "108": "Phone number is not in correct format",
    "118": "Unsupported message type",
    "124": "Duplicate RequestId",
    "140": "IP is not whitelisted",
    "146": "Wrong customer care template",
    "177": "The network is not registered",
}
_NUMBER = re.compile(r"(?:84|0)[35789]\d{8}")
_CALLS, _BETWEEN_CALLS_S = 5, 2.0
_log = logging.getLogger("sandbox.esms")


def router(phones: Phones, keys: tuple[str, str]) -> APIRouter:
    """Routes below ``/esms``.

    Args:
        phones: The network behind it.
        keys: ApiKey and SecretKey.
    """
    routes = APIRouter()

    @routes.post("/MainService.svc/json/SendMultipleMessage_V4_post_json/")
    def send(order: Annotated[dict[str, Any], Body()]) -> Response:
        given = {name: str(value) for name, value in order.items()}
        phone = given.get("Phone", "")
        phone = f"84{phone[1:]}" if phone.startswith("0") else phone
        fault = phones.strike("esms", phone)
        refusal = fault if fault in _WORDS else _refusal(phones, given, keys)
        if fault in ("timeout_before", "drop_before", "500", "garbage"):
            refusal = refusal or fault
        if refusal is None:
            fresh = Text(
                phones.new_id(), "esms", phone, given["Brandname"], given["Content"], given.get("RequestId", ""),
                time.time(),
            )  # fmt: skip
            callback = given.get("CallbackUrl", "")
            kept = phones.take(fresh, fault, lambda text: _call_back(callback, text))
            answer: dict[str, Any] = {"CodeResult": "100", "CountRegenerate": 0, "SMSID": kept.sms_id}
        else:
            answer = {"CodeResult": refusal, "CountRegenerate": 0, "ErrorMessage": _WORDS.get(refusal, "")}
        return spoilt(fault, phones.behaviour.slow_s) or JSONResponse(answer)

    @routes.get("/MainService.svc/json/GetSendStatus")
    def status(RefId: str = "", ApiKey: str = "", SecretKey: str = "") -> dict[str, Any]:  # noqa: N803
        if (ApiKey, SecretKey) != keys:
            return {"CodeResponse": "101", "ErrorMessage": _WORDS["101"]}
        text = phones.find(RefId)
        if text is None:
            return {"CodeResponse": "105", "ErrorMessage": "Message not found"}
        return {"CodeResponse": "100", **_state(text)}

    return routes


def _refusal(phones: Phones, given: dict[str, str], keys: tuple[str, str]) -> str | None:
    """The code of the first rule that the order breaks."""
    broken = {
        "101": (given.get("ApiKey"), given.get("SecretKey")) != keys,
        "118": given.get("SmsType") != "2",
        "104": not given.get("Brandname"),
        "108": not _NUMBER.fullmatch(given.get("Phone", "")),
        "124": phones.by_request(given.get("RequestId", "")) is not None,
        "146": not given.get("Content") or not phones.fits_template(given["Content"]),
    }
    found = next((code for code, is_broken in broken.items() if is_broken), None)
    return found or (None if phones.pay() else "103")


def _state(text: Text) -> dict[str, Any]:
    return {
        "SMSID": text.sms_id,
        "SendStatus": 7 if text.status == "waiting" else 5,
        "SendSuccess": int(text.status == "delivered"),
        "SendFailed": int(text.status == "failed"),
        "TotalReceiver": 1,
        "TotalSent": int(text.status != "waiting"),
        "TotalPrice": 850.0,
    }


def _call_back(url: str, text: Text) -> None:
    if not url:
        return
    values = {**_state(text), "RequestId": text.request_id, "TypeId": 2, "telcoid": 1, "phonenumber": text.phone}
    for _ in range(_CALLS):
        try:
            with requests.Session() as session:
                session.trust_env = False
                session.get(f"{url}{'&' if '?' in url else '?'}{urlencode(values)}", timeout=5)
        except requests.RequestException as error:
            _log.info("callback: %s", type(error).__name__)
            time.sleep(_BETWEEN_CALLS_S)
        else:
            return
