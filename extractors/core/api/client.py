"""One question, one answer: retries, Retry-After, pace, login, bounded bodies, and errors that say how to go on."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from html import unescape
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urljoin, urlsplit, urlunsplit

import requests
from urllib3.exceptions import HTTPError, ReadTimeoutError

from extractors.core.api.declaration import Auth
from extractors.core.api.login import Login
from extractors.core.errors import Fatal, Retriable
from extractors.core.formats.records import read_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from extractors.core.settings import ExtractSettings
    from extractors.core.transports import SourceUri

_RETRY = {408, 425, 429, 500, 502, 503, 504}
# A longer wish is left to the scheduler instead of holding a worker.
_LONGEST_PAUSE_S = 60.0
# A body that trickles is never silent, yet must end: this many times the silence that is allowed.
_PATIENCE = 10
_PIECE = 1 << 16
_REDIRECTS = 5
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)


class Unusable(Exception):  # noqa: N818 (what became of the answer)
    """An answer that is none, and may be one when the question is asked again.

    Attributes:
        wish_s: Pause that the source asked for, in seconds.
        lasting: Nobody but a person can help when it stays so.
    """

    def __init__(self, reason: str, *, wish_s: float = 0.0, lasting: bool = False) -> None:
        super().__init__(reason)
        self.wish_s, self.lasting = wish_s, lasting


@dataclass(frozen=True)
class Answer:
    """What came.

    Attributes:
        body: Without its content encoding.
        url: Where from, for links; may hold a key, so it is never shown.
        moment: The source's own clock when it answered; None when it does not say.
        content: What the reader made of the body.
    """

    status: int
    body: bytes
    headers: Mapping[str, str]
    url: str
    link: str
    moment: datetime | None
    content: Any


class Client:
    """Asks one source, one question at a time: an office's server is not to be crowded.

    Args:
        uri: The source.
        settings: Patience.
        auth: How its login is presented.
        headers: With every question.
        per_minute: Most questions in a minute; 0 = no limit.
    """

    def __init__(
        self,
        uri: SourceUri,
        settings: ExtractSettings,
        auth: Auth | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        per_minute: float = 0,
    ) -> None:
        self.uri = uri
        self._settings = settings
        self._pause_s = 60 / per_minute if per_minute else 0.0
        self._next_at = 0.0
        self._session = requests.Session()
        # A callable in place of a login keeps requests from looking into ~/.netrc.
        self._session.auth = lambda request: request
        self._session.headers.update(headers or {})
        if settings.tls_ca:
            self._session.verify = str(settings.tls_ca)
        host = f"[{uri.host}]" if ":" in uri.host else uri.host
        self._root = f"{uri.scheme}://{host}{f':{uri.port}' if uri.port else ''}"
        self._path = urlsplit(uri.public).path
        self._query = dict(parse_qsl(uri.query, keep_blank_values=True))
        self._login = Login(uri, auth or Auth(), self.url, self._buy)

    def url(self, path: str) -> str:
        """A declared path, below the source URI's own, as a URL."""
        if path.startswith(("http://", "https://")):
            return path
        return f"{self._root}{self._path}{path}" if self._path or path else f"{self._root}/"

    def ask(
        self,
        url: str,
        query: Mapping[str, str],
        *,
        method: str = "GET",
        read: Callable[[bytes], Any] = lambda body: body,
        ends: tuple[int, ...] = (),
        midway: bool = False,
    ) -> Answer:
        """One question until it is answered.

        Args:
            url: Where; on the source's host.
            query: Parameters; with ``POST`` they are the JSON body.
            method: ``GET`` or ``POST``.
            read: Makes the content of a body; raises :class:`Unusable`.
            ends: Statuses that are an answer as well; their body is not read.
            midway: A refused question means that the pages have moved, not that the declaration is wrong.

        Raises:
            Retriable: no answer after all attempts, or the source asks for a long pause.
            Fatal: the source refuses the login or the question.
        """
        parts = urlsplit(url)
        if parts.hostname != self.uri.host:
            raise Fatal(f"{self.uri.public}: its next page lies on another host; the login is not sent there")
        # Behind a proxy, sources write links with the scheme and port of their inside.
        url = urlunsplit((*urlsplit(self._root)[:2], *parts[2:4], ""))
        # A link has its own parameters already.
        linked = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
        refused = False

        def once() -> Answer:
            nonlocal refused
            arguments: dict[str, Any] = {"headers": self._login.headers()}
            parameters = {**self._query, **({} if method == "POST" else query), **self._login.parameters()}
            arguments["params"] = {name: value for name, value in parameters.items() if name not in linked}
            if method == "POST":
                arguments["json"] = dict(query)
            answer = self._send(method, url, arguments)
            if answer.status in ends:
                return answer
            if answer.status == 401 and not refused:
                refused = True
                self._login.refused()
                answer = self._send(method, url, {**arguments, "headers": self._login.headers()})
            self._check(answer, midway=midway)
            try:
                return replace(answer, content=read(answer.body))
            except Unusable:
                # Some sources say "token expired" with status 200.
                self._login.refused()
                raise

        answer: Answer = self._patiently(once)
        return answer

    def _check(self, answer: Answer, *, midway: bool) -> None:
        if answer.status < 300:
            return
        problem = f"answers {answer.status}"
        if answer.status in _RETRY:
            raise Unusable(problem, wish_s=retry_after(answer.headers.get("Retry-After"), answer.moment))
        if answer.status in (401, 403):
            raise Fatal(f"{self.uri.public} {problem}; check the user, password or token of the source URI")
        if midway and answer.status in (400, 404, 410):
            raise Retriable(
                f"{self.uri.public} {problem} to a page that it named itself; the next run reads the window again"
            )
        raise Fatal(f"{self.uri.public} {problem}; check the path and parameters of the source")

    def _patiently(self, once: Callable[[], Any]) -> Any:
        attempt = 0
        while True:
            attempt += 1
            pause, lasting = self._settings.backoff_s * 2 ** (attempt - 1), False
            try:
                return once()
            except Unusable as error:
                problem, lasting = str(error), error.lasting
                pause = max(pause, error.wish_s)
            except requests.RequestException as error:
                problem = f"does not answer ({_why(error)})"
            if attempt >= self._settings.attempts or pause > _LONGEST_PAUSE_S:
                if lasting:
                    raise Fatal(f"{self.uri.public} {problem}")
                raise Retriable(f"{self.uri.public} {problem}; the next run asks again", max(pause, 60))
            time.sleep(pause)

    def close(self) -> None:
        """Close; never raises."""
        self._session.close()

    def _send(self, method: str, url: str, arguments: dict[str, Any]) -> Answer:
        """One request, its redirects included as long as they stay on the host."""
        for _ in range(_REDIRECTS):
            self._keep_pace()
            end = time.monotonic() + _PATIENCE * self._settings.timeout_s
            try:
                response = self._session.request(
                    method, url, timeout=self._settings.timeout_s, stream=True, allow_redirects=False, **arguments
                )
            except requests.exceptions.SSLError:
                # Without its cause: that repeats the whole query, and a key may be in it.
                raise Fatal(
                    f"{self.uri.public}: its certificate cannot be trusted; name the CA in IOC_EXTRACT_TLS_CA"
                ) from None
            with response:
                if response.is_redirect:
                    url = urljoin(url, response.headers["location"])
                    if urlsplit(url)[:2] != urlsplit(response.url)[:2]:
                        raise Fatal(
                            f"{self.uri.public} sends on to {urlsplit(url).scheme}://{urlsplit(url).netloc}; "
                            "the login is not sent there: if that is the source, write it into the source URI"
                        )
                    arguments = {**arguments, "params": self._login.parameters()}
                    continue
                body = self._body(response, end)
            moment = _http_date(response.headers.get("Date"))
            link = str(response.links.get("next", {}).get("url") or "")
            return Answer(response.status_code, body, response.headers, url, link, moment, None)
        raise Fatal(f"{self.uri.public} sends on in a circle; check the path of the source")

    def _keep_pace(self) -> None:
        now = time.monotonic()
        if now < self._next_at:
            time.sleep(self._next_at - now)
        self._next_at = max(now, self._next_at) + self._pause_s

    def _body(self, response: requests.Response, end: float) -> bytes:
        pieces, size = list[bytes](), 0
        while True:
            try:
                # Not iter_content, which waits until a piece is full: a trickle would never be looked at.
                piece: bytes = response.raw.read1(_PIECE, decode_content=True)
            except ReadTimeoutError as error:
                raise requests.Timeout(error) from error
            except HTTPError as error:
                raise requests.exceptions.ChunkedEncodingError(error) from error
            if not piece:
                return b"".join(pieces)
            size += len(piece)
            if size > self._settings.max_file_bytes:
                raise Fatal(
                    f"{self.uri.public}: an answer has more than {self._settings.max_file_bytes} bytes; "
                    "ask for smaller pages, or raise IOC_EXTRACT_MAX_FILE_BYTES"
                )
            if time.monotonic() > end:
                raise requests.Timeout("the body trickles without end")
            pieces.append(piece)

    def _buy(self, url: str, arguments: dict[str, Any]) -> Any:
        """Ask the token endpoint."""

        def once() -> Any:
            answer = self._send("POST", url, arguments)
            if answer.status in _RETRY:
                wish_s = retry_after(answer.headers.get("Retry-After"), answer.moment)
                raise Unusable(f"has a token endpoint that answers {answer.status}", wish_s=wish_s)
            if answer.status >= 300:
                raise Fatal(
                    f"{self.uri.public}: its token endpoint answers {answer.status}; "
                    "check the user and password of the source URI"
                )
            return json_of(answer.body)

        return self._patiently(once)


def json_of(body: bytes) -> Any:
    """The JSON of a body, whatever its content type says.

    Raises:
        Unusable: it is none; says so when it is a page for people.
    """
    try:
        return read_json(body)
    except ValueError as error:
        start = body[:4096].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
        if start.startswith(b"<"):
            title = _TITLE.search(body[:65536].decode("utf-8", "replace"))
            named = f" '{' '.join(unescape(title[1]).split())[:100]}'" if title else ""
            raise Unusable(f"answers with a page for people{named} instead of JSON (maintenance, or a login)") from None
        where = "is no JSON" if body.rstrip().endswith((b"}", b"]")) else "ends too early"
        raise Unusable(f"answers what {where} ({len(body)} bytes: {str(error)[:100]})") from None


def retry_after(header: str | None, now: datetime | None = None) -> float:
    """Seconds that a ``Retry-After`` header asks for, given as seconds or as a date; 0 without one.

    Args:
        header: The header.
        now: The source's own clock, by which it means its date; default: ours.
    """
    if not header:
        return 0.0
    if header.strip().isdigit():
        return float(header)
    moment = _http_date(header)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds()) if moment else 0.0


def _http_date(header: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(header or "")
    except (ValueError, TypeError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _why(error: requests.RequestException) -> str:
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke within the answer"
    return type(error).__name__
