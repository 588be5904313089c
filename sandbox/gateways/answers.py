"""Answers that do not come as they should: too late, cut off, no answer at all."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from fastapi.responses import PlainTextResponse, Response

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from sandbox.gateways.phones import FaultKind


class CutOff(Response):
    """Begins an answer and ends the connection in the middle of it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1000")]},
        )
        await send({"type": "http.response.body", "body": b"{", "more_body": False})


def spoilt(fault: FaultKind | None, slow_s: float) -> Response | None:
    """The answer for a fault of transport, or None for every other fault; ``timeout`` waits before it answers."""
    if fault == "500":
        return PlainTextResponse("Internal Server Error", status_code=500)
    if fault == "garbage":
        return PlainTextResponse("<html>Bad gateway</html>")
    if fault in ("drop", "drop_before"):
        return CutOff()
    if fault in ("timeout", "timeout_before"):
        time.sleep(slow_s)
        return PlainTextResponse("too late", status_code=504)
    return None
