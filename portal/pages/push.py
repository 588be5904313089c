"""Browser push: the service worker at the root, the server's key, and switching it on and off for one browser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response

from alerts.channels.push import public_key
from alerts.incidents import ActRefusedError
from alerts.sending import push_subscriptions
from portal.web import Config, SignedIn, own_form

router = APIRouter(include_in_schema=False)
_WORKER = Path(__file__).resolve().parents[1] / "static" / "push-worker.js"


@router.get("/push-worker.js")
def worker() -> Response:
    """The service worker; served here because its scope ends where its address does."""
    return Response(
        _WORKER.read_text(encoding="utf-8"),
        media_type="text/javascript; charset=utf-8",
        headers={"Cache-Control": "no-cache", "Service-Worker-Allowed": "/"},
    )


@router.get("/api/push/key")
def key(settings: Config, _user: SignedIn) -> Response:
    """The server's public key."""
    return JSONResponse({"key": public_key(settings)})


async def _sent(request: Request) -> dict[str, Any]:
    """The JSON object that a script sent; read by hand, because the form token makes FastAPI expect a form."""
    try:
        read = json.loads(await request.body())
    except (ValueError, RecursionError):
        read = None
    return read if isinstance(read, dict) else {}


Sent = Annotated[dict[str, Any], Depends(_sent)]


@router.post("/api/push/subscription", dependencies=[Depends(own_form)])
def switch_on(request: Request, settings: Config, user: SignedIn, subscription: Sent) -> Response:
    """Send this browser what concerns the user; the body is the browser's ``PushSubscription``."""
    keys = subscription.get("keys")
    if not isinstance(keys, dict):
        keys = {}
    try:
        push_subscriptions.subscribe(
            user.username,
            str(subscription.get("endpoint", "")),
            str(keys.get("p256dh", "")),
            str(keys.get("auth", "")),
            browser=request.headers.get("user-agent", ""),
            settings=settings,
        )
    except ActRefusedError as refused:
        return JSONResponse({"error": str(refused)}, status_code=422)
    return JSONResponse({"status": "on"})


@router.post("/api/push/unsubscription", dependencies=[Depends(own_form)])
def switch_off(settings: Config, user: SignedIn, subscription: Sent) -> Response:
    """Send this browser nothing more."""
    push_subscriptions.unsubscribe(user.username, str(subscription.get("endpoint", "")), settings)
    return JSONResponse({"status": "off"})
