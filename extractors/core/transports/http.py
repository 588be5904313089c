"""HTTP(S): documents and paged interfaces, with retries, Retry-After, and login from the URI.

``https://user:password@host/path`` sends Basic, ``https://:token@host/path`` sends a Bearer token. A page becomes one
file ``<uri>?page=<n>``; its own query, which may hold a key, is kept out of URIs and messages.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qsl, urljoin, urlsplit

import requests

from extractors.core.errors import Fatal, Retriable, Skippable
from extractors.core.transports import RemoteFile, SourceUri, too_large

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence, Set

    from extractors.core.settings import ExtractSettings

_RETRY = {408, 425, 429, 500, 502, 503, 504}
# A longer wish is left to the scheduler instead of holding a worker.
_LONGEST_PAUSE_S = 60.0
_MOST_WALKS = 3
_IN_MEMORY = 1 << 20


@dataclass(frozen=True)
class HttpOptions:
    """How an interface is read.

    Attributes:
        paging: ``none``; ``page`` and ``offset`` count up until a short page; ``next`` follows a link or a cursor.
        items: Dotted path of the list in a JSON body; empty when the body itself is the list.
        size: Records per page to ask for.
        page_parameter: Query parameter that counts pages (``page``), records (``offset``), or takes the cursor
        (``next``). size_parameter: Query parameter for ``size``.
        first: Number of the first page.
        next: Dotted path of the next link or cursor in the body; empty = the ``Link`` header.
        parameters: Further query parameters.
        headers: Further headers.
        suffix: Ending of the path under which a page is handed to the parser.
    """

    paging: Literal["none", "page", "offset", "next"] = "none"
    items: str = ""
    size: int = 200
    page_parameter: str = "page"
    size_parameter: str = "size"
    first: int = 1
    next: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    suffix: str = ".json"


class HttpTransport:
    """One document or one paged interface."""

    # Pages depend on each other, and an office's server is not to be crowded.
    parallel = False
    files_per_connection = 1

    def __init__(self, uri: SourceUri, settings: ExtractSettings, options: HttpOptions | None) -> None:
        self.uri = uri
        self.skipped: dict[str, str] = {}
        self._settings = settings
        self._options = options or HttpOptions()
        self._bodies: dict[str, Any] = {}
        self._session = requests.Session()
        self._session.headers.update(self._options.headers)
        if settings.tls_ca:
            self._session.verify = str(settings.tls_ca)
        if uri.user:
            self._session.auth = (uri.user, uri.password or "")
        elif uri.password:
            self._session.headers["Authorization"] = f"Bearer {uri.password}"
        host = f"[{uri.host}]" if ":" in uri.host else uri.host
        self._url = f"{uri.scheme}://{host}{f':{uri.port}' if uri.port else ''}{urlsplit(uri.public).path or '/'}"
        self._query = {**dict(parse_qsl(uri.query, keep_blank_values=True)), **self._options.parameters}

    def list(self, wanted: Callable[[str], bool], folders: Set[str] | None = None) -> Iterator[RemoteFile]:  # noqa: ARG002 (there are none)
        """Walk the pages. Their bodies are kept (on disk when large) for :meth:`fetch_many`.

        When the first page has changed by the end, records may have slipped from one page to another meanwhile: the
        walk is repeated, and what comes twice counts as duplicate.
        """
        if self._options.paging == "none":
            name = self._url.rstrip("/").rsplit("/", 1)[-1]
            path = name if "." in name else f"{name}{self._options.suffix}"
            if wanted(path):
                response = self._get(self._url, self._query)
                modified = response.headers.get("Last-Modified")
                mtime = None
                if modified:
                    with suppress(ValueError):
                        mtime = parsedate_to_datetime(modified)
                yield self._keep(self.uri.public, path, response.content, mtime)
            return
        seen: set[str] = set()
        for walk in range(_MOST_WALKS):
            first = ""
            for number, body in self._pages():
                digest = hashlib.sha256(body).hexdigest()
                first = first or digest
                if digest not in seen:
                    seen.add(digest)
                    suffix = f"&walk={walk + 1}" if walk else ""
                    path = f"page-{number:06d}-{walk}{self._options.suffix}"
                    yield self._keep(f"{self.uri.public}?page={number}{suffix}", path, body, None)
            again = next(self._pages(), None)
            if again is None or hashlib.sha256(again[1]).hexdigest() == first:
                return

    def _pages(self) -> Iterator[tuple[int, bytes]]:
        options, url, query = self._options, self._url, dict(self._query)
        query[options.size_parameter] = str(options.size)
        number = options.first
        while True:
            if options.paging == "page":
                query[options.page_parameter] = str(number)
            elif options.paging == "offset":
                query[options.page_parameter] = str((number - options.first) * options.size)
            response = self._get(url, query)
            yield number, response.content
            number += 1
            if options.paging in ("page", "offset"):
                items = _at(self._json(response), options.items)
                if not isinstance(items, list):
                    raise Fatal(f"{self.uri.public}: no list at '{options.items}' in the answer; correct the mapping")
                if len(items) < options.size:
                    return
                continue
            following = (
                _at(self._json(response), options.next) if options.next else response.links.get("next", {}).get("url")
            )
            if not following:
                return
            if str(following).startswith(("http://", "https://", "/", "?")):
                url, query = urljoin(response.url, str(following)), {}
                if urlsplit(url).netloc != urlsplit(self._url).netloc:
                    raise Fatal(f"{self.uri.public}: its next page lies on another host; the login is not sent there")
            else:
                query[options.page_parameter] = str(following)

    def _json(self, response: requests.Response) -> Any:
        try:
            return json.loads(response.content)
        except ValueError as error:
            raise Retriable(f"{self.uri.public}: the answer is no JSON ({error}); the next run asks again") from error

    def _get(self, url: str, query: dict[str, str]) -> requests.Response:
        attempt = 0
        while True:
            attempt += 1
            pause = self._settings.backoff_s * 2 ** (attempt - 1)
            try:
                response = self._session.get(url, params=query, timeout=self._settings.timeout_s)
            except requests.exceptions.SSLError as error:
                raise Fatal(
                    f"{self.uri.public}: its certificate cannot be trusted; name the CA in IOC_EXTRACT_TLS_CA"
                ) from error
            except requests.RequestException as error:
                problem = f"does not answer ({type(error).__name__})"
            else:
                if response.ok:
                    return response
                problem = f"answers {response.status_code} {response.reason}"
                if response.status_code in (401, 403):
                    raise Fatal(f"{self.uri.public} {problem}; check the user, password or token of the source URI")
                if response.status_code not in _RETRY:
                    raise Fatal(f"{self.uri.public} {problem}; check the path and parameters of the source")
                pause = max(pause, retry_after(response.headers.get("Retry-After")))
            if attempt >= self._settings.attempts or pause > _LONGEST_PAUSE_S:
                raise Retriable(f"{self.uri.public} {problem}; the next run asks again", max(pause, 60))
            time.sleep(pause)

    def _keep(self, uri: str, path: str, body: bytes, mtime: datetime | None) -> RemoteFile:
        spool = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 (closed when fetched)
        spool.write(body)
        self._bodies[uri] = spool
        return RemoteFile(uri, path, len(body) if mtime else None, mtime)

    def connect(self) -> HttpTransport:
        """See :class:`~extractors.core.transports.Transport`."""
        return self

    def fetch_many(self, files: Sequence[RemoteFile]) -> Iterator[tuple[RemoteFile, bytes | Skippable]]:
        """See :class:`~extractors.core.transports.Connection`."""
        for file in files:
            with self._bodies.pop(file.uri) as spool:
                spool.seek(0)
                yield file, too_large(file, self._settings.max_file_bytes) or spool.read()

    def close(self) -> None:
        """Forget bodies that nobody fetched."""
        for spool in self._bodies.values():
            spool.close()
        self._bodies.clear()


def retry_after(header: str | None) -> float:
    """Seconds that a ``Retry-After`` header asks for, given as seconds or as a date; 0 without one."""
    if not header:
        return 0.0
    if header.strip().isdigit():
        return float(header)
    try:
        return max(0.0, (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0


def _at(body: Any, path: str) -> Any:
    for key in filter(None, path.split(".")):
        body = body.get(key) if isinstance(body, dict) else None
    return body
