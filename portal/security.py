"""Headers that every answer carries, and the size that a request may have."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send


def origin(url: str) -> str:
    """``https://host:port`` of a URL."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def content_policy(frame_origin: str) -> str:
    """Everything from this server, frames only from Superset, framed by nobody."""
    return "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            "font-src 'self'",
            "connect-src 'self'",
            f"frame-src {frame_origin}",
            "form-action 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        ]
    )


class SecurityHeaders:
    """ASGI middleware; a page may bring a stricter or different policy of its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        settings = scope["app"].state.settings

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("Content-Security-Policy", content_policy(origin(settings.superset_url())))
                headers.setdefault("X-Content-Type-Options", "nosniff")
                # The origin alone, to Superset too: its list of allowed domains is checked against the referrer.
                headers.setdefault("Referrer-Policy", "strict-origin-when-cross-origin")
                headers.setdefault("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
                headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
                if scope["path"].startswith("/static/"):
                    headers.setdefault("Cache-Control", "public, max-age=31536000, immutable")
                else:
                    headers.setdefault("Cache-Control", "no-store")
                if settings.portal_url().startswith("https://"):
                    headers.setdefault("Strict-Transport-Security", "max-age=31536000")
            await send(message)

        await self._app(scope, receive, send_with_headers)


class BodyLimit:
    """ASGI middleware: what is bigger than any file that the portal takes is not even parsed."""

    def __init__(self, app: ASGIApp, limit: int, refuse: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._app, self._limit, self._refuse = app, limit, refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = dict(scope["headers"]).get(b"content-length", b"0")
        if not given.isdigit() or int(given) > self._limit:
            await self._swallow(receive)
            await self._refuse(scope, receive, send)
            return
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._limit:
                raise HTTPException(413)
            return message

        await self._app(scope, counted, send)

    async def _swallow(self, receive: Receive) -> None:
        """Take what is still under way, up to ten times the limit: a browser shows an answer only after all is sent."""
        read = 0
        while read < 10 * self._limit:
            message = await receive()
            read += len(message.get("body", b""))
            if not message.get("more_body"):
                return
