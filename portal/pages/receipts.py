"""The door for gateways' receipts: ``/api/receipts/{gateway}``, by POST, or by GET where a provider calls an address.

Answers 200 to everything that is a receipt, known or not, so that nobody repeats it for ever.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response

from alerts.sending import receipts
from portal.web import settings_of

if TYPE_CHECKING:
    from ioc.settings import Settings

router = APIRouter(include_in_schema=False)
_LARGEST = 64 * 1024
_STATUS = {"gateway": 404, "network": 403, "key": 401, "unreadable": 400}


@router.api_route("/api/receipts/{gateway}", methods=["GET", "POST"])
async def take_receipt(request: Request, gateway: str) -> Response:
    """Take one receipt, or a list of them."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _LARGEST:
            return JSONResponse({"error": "too large"}, status_code=413)
    return await run_in_threadpool(_take, request, body, gateway, settings_of(request))


def _take(request: Request, body: bytes, gateway: str, settings: Settings) -> Response:
    try:
        receipts.check_sender(
            gateway,
            address=request.client.host if request.client else "",
            key=request.query_params.get("key", ""),
            signature=request.headers.get("x-ioc-signature", ""),
            body=body,
            settings=settings,
        )
        found = _values(request, body)
        outcomes = [receipts.take(gateway, values, settings) for values in found]
    except receipts.ReceiptRefusedError as refused:
        receipts.count_refused(gateway, refused.reason, settings)
        return JSONResponse({"error": refused.reason}, status_code=_STATUS[refused.reason])
    return JSONResponse({"receipts": outcomes})


def _values(request: Request, body: bytes) -> list[dict[str, str]]:
    """The receipts in a request: parameters of the address, a form, a JSON object or a list of them."""
    asked = {name: value for name, value in request.query_params.items() if name != "key"}
    if request.method == "GET" or not body:
        return [asked]
    try:
        text = body.decode()
        read = json.loads(text) if text.lstrip()[:1] in ("{", "[") else dict(parse_qsl(text))
    except (ValueError, RecursionError) as error:
        raise receipts.ReceiptRefusedError("unreadable") from error
    many = read if isinstance(read, list) else [read]
    if not many or not all(isinstance(one, dict) for one in many):
        raise receipts.ReceiptRefusedError("unreadable")
    return [{str(name): str(value) for name, value in one.items()} for one in many]
