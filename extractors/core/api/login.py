"""Proves to an interface who asks: Basic, Bearer, a key, or a token that expires."""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING, Any

from extractors.core.errors import Fatal, Retriable
from extractors.core.formats.records import at

if TYPE_CHECKING:
    from collections.abc import Callable

    from extractors.core.api.declaration import Auth
    from extractors.core.transports import SourceUri

# A token is renewed before it ends by this, or by a tenth of its life when that is shorter.
_MARGIN_S = 30.0


class Login:
    """Headers and parameters that carry the login of a source URI.

    Args:
        uri: The source, with user and password.
        auth: How they are presented.
        url: Turns a declared path into a URL.
        buy: Asks the token endpoint: URL and arguments of a POST in, JSON out.
    """

    def __init__(
        self,
        uri: SourceUri,
        auth: Auth,
        url: Callable[[str], str],
        buy: Callable[[str, dict[str, Any]], Any],
    ) -> None:
        self._uri, self._auth, self._url, self._buy = uri, auth, url, buy
        self._token = ""
        self._refresh = ""
        self._ends = 0.0
        if auth.kind != "uri" and not uri.password:
            what = "user:password@" if auth.kind == "token" else ":key@"
            raise Fatal(f"{uri.public}: its login is missing; write the source URI as {uri.scheme}://{what}host/path")

    def headers(self) -> dict[str, str]:
        """Headers for one request; buys a token first when there is none, or it is about to end."""
        uri, auth = self._uri, self._auth
        if auth.kind == "uri":
            if uri.user:
                return {"Authorization": _basic(uri.user, uri.password or "")}
            return {"Authorization": f"Bearer {uri.password}"} if uri.password else {}
        if auth.kind == "key":
            # The prefix is a token's; a key under its own header stands alone.
            prefix = auth.prefix if auth.header == "Authorization" else ""
            return {} if auth.parameter else {auth.header: f"{prefix}{uri.password}"}
        if not self._token or time.monotonic() >= self._ends:
            self._renew()
        return {auth.header: f"{auth.prefix}{self._token}"}

    def parameters(self) -> dict[str, str]:
        """Query parameters for one request; never part of a URI that is kept."""
        if self._auth.kind == "key" and self._auth.parameter:
            return {self._auth.parameter: self._uri.password or ""}
        return {}

    def refused(self) -> None:
        """The source has answered 401: the token in hand is worth nothing, whatever its life was to be."""
        self._token = ""

    def _renew(self) -> None:
        auth = self._auth
        answer: Any = None
        if self._refresh:
            body = {**auth.fields, "grant_type": "refresh_token", "refresh_token": self._refresh}
            self._refresh = ""
            try:
                answer = self._buy(self._url(auth.path), _as(auth, body))
            except Fatal:
                # A refresh token ends too; the password is good still.
                answer = None
        if answer is None:
            body = dict(auth.fields)
            arguments: dict[str, Any] = {}
            if auth.send == "basic":
                arguments["headers"] = {"Authorization": _basic(self._uri.user or "", self._uri.password or "")}
            else:
                body |= {auth.user_field: self._uri.user or "", auth.password_field: self._uri.password or ""}
            answer = self._buy(self._url(auth.path), arguments | _as(auth, body))
        token = at(answer, auth.token)
        if not isinstance(token, str) or not token:
            raise Retriable(
                f"{self._uri.public}: the token endpoint's answer has no '{auth.token}'; the next run asks again"
            )
        self._token = token
        refresh = at(answer, auth.refresh) if auth.refresh else ""
        self._refresh = refresh if isinstance(refresh, str) else ""
        try:
            lifetime = float(str(at(answer, auth.lifetime)))
        except ValueError:
            lifetime = float("inf")
        # Counted on a clock that nobody sets: it is a span, not a moment.
        self._ends = time.monotonic() + lifetime - min(_MARGIN_S, lifetime / 10)


def _as(auth: Auth, body: dict[str, str]) -> dict[str, Any]:
    return {"json": body} if auth.send == "json" else {"data": body}


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
