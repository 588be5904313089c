"""One interface to every kind of source: list what is there, fetch it over several connections at once.

A :class:`Transport` stands for one source URI. ``list`` gives what the source says of its files; ``connect`` opens one
connection, of which :func:`extractors.core.fetch.fetch_all` uses several. URIs in results and messages never carry
user, password, query or fragment.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote, unquote, urlsplit

from extractors.core.errors import Fatal, Skippable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence, Set

    from extractors.core.formats import Format
    from extractors.core.settings import ExtractSettings

# Names under which servers and upload programs keep a file that is still being written.
_TEMPORARY = re.compile(
    r"(?:^|/)[.~]|\.(?:tmp|temp|part|partial|filepart|crdownload|writing|uploading|swp|lock)$|~$", re.IGNORECASE
)


_DEEPEST = 24
# Kind ("dir", "file" or something else), name, size, time of last change.
Entry = tuple[str, str, int | None, datetime | None]


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file as a listing shows it.

    Attributes:
        uri: Where it is, without user or password; the key of ``ops.source_file``.
        path: Path below the source's root, with ``/``.
        size: Bytes; None when the source does not say.
        mtime: Time of last change; None when the source does not say.
    """

    uri: str
    path: str
    size: int | None
    mtime: datetime | None


@dataclass(frozen=True)
class SourceUri:
    """A source URI taken apart.

    Attributes:
        public: The URI without user, password, query and fragment, without a slash at the end.
        mapping: The fragment: name of a mapping file, or None.
    """

    scheme: str
    host: str
    port: int | None
    user: str | None
    password: str | None
    path: str
    query: str
    public: str
    mapping: str | None

    @classmethod
    def parse(cls, text: str) -> SourceUri:
        """Take ``text`` apart.

        Raises:
            Fatal: it is no URI; the message does not repeat it, for it may hold a password.
        """
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError as error:
            raise Fatal(
                f"a source URI cannot be read ({error}); write it as scheme://user:password@host:port/path"
            ) from None
        if not parts.scheme or (parts.scheme != "file" and not parts.hostname):
            raise Fatal("a source URI lacks its scheme or host; write it as scheme://user:password@host:port/path")
        host = parts.hostname or ""
        shown = f"[{host}]" if ":" in host else host
        place = f"{shown}:{port}" if port else shown
        path = unquote(parts.path)
        public = f"{parts.scheme}://{place}{quote(path.rstrip('/'))}"
        user = unquote(parts.username) if parts.username is not None else None
        password = unquote(parts.password) if parts.password is not None else None
        return cls(parts.scheme, host, port, user, password, path, parts.query, public, unquote(parts.fragment) or None)

    def child(self, path: str) -> str:
        """Public URI of a file below the root."""
        return f"{self.public}/{quote(path)}"


class Connection(Protocol):
    """One connection to a source; used by one thread."""

    def fetch_many(self, files: Sequence[RemoteFile]) -> Iterator[tuple[RemoteFile, bytes | Skippable]]:
        """Content of each file in order; a :class:`Skippable` for one that is gone or forbidden.

        Raises:
            Retriable: the connection is lost; what was yielded is good.
        """

    def close(self) -> None:
        """Close; never raises."""


class Transport(Protocol):
    """One source.

    Attributes:
        parallel: Whether several connections help.
        files_per_connection: Files from which one more connection pays.
        skipped: Folders that could not be listed, by URI, with the reason.
    """

    uri: SourceUri
    parallel: bool
    files_per_connection: int
    skipped: dict[str, str]

    def list(self, wanted: Callable[[str], bool], folders: Set[str] | None = None) -> Iterator[RemoteFile]:
        """Every file below the root, folders of any depth, whose path is ``wanted``.

        Args:
            wanted: Decides by the path.
            folders: Look only into these, not below them (paths as of the files, ``""`` for the root).

        Raises:
            Retriable: the source does not answer.
            Fatal: it refuses the user, or has no such folder.
        """

    def connect(self) -> Connection:
        """Open one more connection.

        Raises:
            Retriable: the source does not answer, or refuses one more connection.
            Fatal: it refuses the user.
        """

    def close(self) -> None:
        """Close what listing opened; never raises."""


def walk(
    transport: Transport,
    entries: Callable[[str], Iterator[Entry]],
    wanted: Callable[[str], bool],
    folders: Set[str] | None,
) -> Iterator[RemoteFile]:
    """The files below a transport's root, folder by folder. A folder that refuses itself does not hold up the others.

    Args:
        transport: Whose ``skipped`` takes the folders that were refused.
        entries: Lists one folder, given as ``""`` or ``a/b/``; raises Skippable when it is refused or gone.
        wanted: See :meth:`Transport.list`.
        folders: See :meth:`Transport.list`.

    Raises:
        Fatal: the root itself is refused or missing.
    """
    pending = [f"{folder}/" if folder else "" for folder in folders or [""]]
    while pending:
        below = pending.pop()
        try:
            for kind, name, size, mtime in entries(below):
                path = below + name
                if kind == "dir":
                    # Links can make a circle of folders.
                    if folders is None and path.count("/") < _DEEPEST:
                        pending.append(f"{path}/")
                elif kind == "file" and wanted(path):
                    yield RemoteFile(transport.uri.child(path), path, size, mtime)
        except Skippable as error:
            if not below:
                raise Fatal(f"{error}; check the path and the account's rights") from error
            transport.skipped[transport.uri.child(below)] = str(error)


def is_temporary(path: str) -> bool:
    """Whether the name says that the file is not complete yet, or is no data at all."""
    return bool(_TEMPORARY.search(path))


def too_large(file: RemoteFile, limit: int) -> Skippable | None:
    """The refusal of a file above the limit, which would not fit into memory."""
    if file.size is not None and file.size > limit:
        reason = f"{file.uri} has {file.size} bytes, more than {limit}; split it, or raise IOC_EXTRACT_MAX_FILE_BYTES"
        return Skippable(reason, "too_large")
    return None


def open_transport(text: str, parser: Format, settings: ExtractSettings) -> Transport:
    """The transport for a source URI.

    Raises:
        Fatal: nobody knows its scheme.
    """
    uri = SourceUri.parse(text)
    if uri.scheme == "file":
        from extractors.core.transports.folder import FolderTransport

        return FolderTransport(uri, settings)
    if uri.scheme in ("ftp", "ftps"):
        from extractors.core.transports.ftp import FtpTransport

        return FtpTransport(uri, settings)
    if uri.scheme == "sftp":
        from extractors.core.transports.sftp import SftpTransport

        return SftpTransport(uri, settings)
    if uri.scheme in ("http", "https"):
        from extractors.core.transports.http import HttpTransport

        return HttpTransport(uri, settings, parser)
    raise Fatal(f"{uri.public}: unknown scheme '{uri.scheme}'; known are ftp, ftps, sftp, file, http, https")
