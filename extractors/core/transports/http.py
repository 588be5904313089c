"""HTTP(S): one document, such as a table that an office puts on its site. Paged interfaces: ``extractors/core/api``.

``https://user:password@host/path`` sends Basic, ``https://:token@host/path`` sends a Bearer token. The query, which may
hold a key, is kept out of URIs and messages.
"""

from __future__ import annotations

from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from extractors.core.api.client import Client
from extractors.core.transports import RemoteFile, SourceUri, too_large

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence, Set

    from extractors.core.errors import Skippable
    from extractors.core.formats import Format
    from extractors.core.settings import ExtractSettings


class HttpTransport:
    """One document."""

    parallel = False
    files_per_connection = 1

    def __init__(self, uri: SourceUri, settings: ExtractSettings, parser: Format) -> None:
        self.uri = uri
        self.skipped: dict[str, str] = {}
        self._settings = settings
        self._suffix = parser.suffixes[0]
        self._client = Client(uri, settings)
        self._body = b""

    def list(self, wanted: Callable[[str], bool], folders: Set[str] | None = None) -> Iterator[RemoteFile]:  # noqa: ARG002 (there are none)
        """Ask for the document; its body is kept for :meth:`fetch_many`."""
        name = self.uri.public.rpartition("/")[2]
        path = name if "." in name and name != self.uri.host else f"{name}{self._suffix}"
        if wanted(path):
            answer = self._client.ask(self._client.url(""), {})
            modified = answer.headers.get("Last-Modified")
            mtime = None
            if modified:
                with suppress(ValueError):
                    mtime = parsedate_to_datetime(modified)
            self._body = answer.body
            yield RemoteFile(self.uri.public, path, len(answer.body) if mtime else None, mtime)

    def connect(self) -> HttpTransport:
        """See :class:`~extractors.core.transports.Transport`."""
        return self

    def fetch_many(self, files: Sequence[RemoteFile]) -> Iterator[tuple[RemoteFile, bytes | Skippable]]:
        """See :class:`~extractors.core.transports.Connection`."""
        for file in files:
            yield file, too_large(file, self._settings.max_file_bytes) or self._body

    def close(self) -> None:
        """Close; never raises."""
        self._client.close()
