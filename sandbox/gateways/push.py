"""A push service in the shape of RFC 8030, and the browsers behind it: takes encrypted messages and opens them.

``POST /push/subscription`` is the browser's half (it makes the keys that a real browser would make); the message
resource behaves as services do: 201 taken, 400 without TTL, 401/403 without or with a wrong VAPID token, 404/410 gone,
413 too large, 429 busy.
"""

from __future__ import annotations

import base64
import itertools
import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import http_ece
import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel

_LARGEST = 4096
_DAY_S = 86400


@dataclass
class Browser:
    """One subscription: keys, what arrived, and the status that it answers with next (201 = normal)."""

    key: ec.EllipticCurvePrivateKey
    secret: bytes
    messages: list[dict[str, Any]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    is_gone: bool = False


class Orders(BaseModel):
    """Body of ``POST /push/{token}/fault``: the next answers of this browser, ``[404]`` or ``[429, 429]``."""

    answers: list[int]


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _vapid_problem(header: str, origin: str) -> int | None:
    """401 or 403 when the VAPID token is missing, forged, for another service or too long-lived (RFC 8292)."""
    scheme, _, rest = header.partition(" ")
    parts = dict(part.strip().split("=", 1) for part in rest.split(",") if "=" in part)
    if scheme.lower() != "vapid" or not {"t", "k"} <= set(parts):
        return 401
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), _bytes(parts["k"]))
        claims = jwt.decode(parts["t"], key, algorithms=["ES256"], audience=origin, options={"require": ["exp", "aud"]})
    except (jwt.InvalidTokenError, ValueError):
        return 403
    is_sound = claims["exp"] <= time.time() + _DAY_S and str(claims.get("sub", "")).startswith(("mailto:", "https:"))
    return None if is_sound else 403


def router() -> APIRouter:
    """Routes below ``/push``."""
    routes = APIRouter()
    browsers: dict[str, Browser] = {}
    lock = threading.Lock()
    number = itertools.count(1)

    @routes.post("/subscription")
    def subscribe(request: Request) -> dict[str, Any]:
        """What ``PushSubscription.toJSON()`` gives."""
        browser = Browser(ec.generate_private_key(ec.SECP256R1()), secrets.token_bytes(16))
        token = secrets.token_urlsafe(24)
        with lock:
            browsers[token] = browser
        point = browser.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        origin = str(request.base_url).rstrip("/")
        return {
            "endpoint": f"{origin}/push/{token}",
            "expirationTime": None,
            "keys": {"p256dh": _text(point), "auth": _text(browser.secret)},
        }

    @routes.post("/{token}/fault")
    def misbehave(token: str, orders: Orders) -> Orders:
        browsers[token].answers = orders.answers
        return orders

    @routes.get("/{token}/messages")
    def arrived(token: str) -> list[dict[str, Any]]:
        """What the browser shows: a newer message replaces the older one of its topic."""
        shown: dict[str, dict[str, Any]] = {}
        for message in browsers[token].messages:
            shown[message["topic"] or message["id"]] = message
        return list(shown.values())

    @routes.post("/{token}")
    async def take(token: str, request: Request) -> Response:
        browser = browsers.get(token)
        if browser is None or browser.is_gone:
            return JSONResponse({"error": "no such subscription"}, status_code=410 if browser else 404)
        if browser.answers:
            status = browser.answers.pop(0)
            browser.is_gone = status in (404, 410)
            headers = {"Retry-After": "1"} if status == 429 else None
            return JSONResponse({"error": "ordered"}, status_code=status, headers=headers)
        body = await request.body()
        problem = _vapid_problem(request.headers.get("authorization", ""), str(request.base_url).rstrip("/"))
        if problem or len(body) > _LARGEST or not request.headers.get("ttl", "").isdigit():
            status = problem or (413 if len(body) > _LARGEST else 400)
            return JSONResponse({"error": "refused"}, status_code=status)
        try:
            opened = http_ece.decrypt(body, private_key=browser.key, auth_secret=browser.secret, version="aes128gcm")
        except (http_ece.ECEException, ValueError):
            return JSONResponse({"error": "cannot be opened"}, status_code=400)
        identity = f"m{next(number)}"
        browser.messages.append(
            {
                "id": identity,
                "topic": request.headers.get("topic", ""),
                "urgency": request.headers.get("urgency", "normal"),
                "ttl": int(request.headers["ttl"]),
                "content": opened.decode(),
            }
        )
        return Response(status_code=201, headers={"Location": f"{request.base_url}push/message/{identity}"})

    return routes
