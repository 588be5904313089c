"""SFTP with verified host keys. Files are asked for in a row without waiting, so latency is paid once per group."""

from __future__ import annotations

import socket
import stat
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import paramiko
from paramiko.sftp import CMD_CLOSE, CMD_DATA, CMD_HANDLE, CMD_OPEN, CMD_READ, CMD_STATUS, SFTP_EOF, int64

from extractors.core.errors import Fatal, Retriable, Skippable
from extractors.core.transports import Entry, RemoteFile, SourceUri, too_large, walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence, Set

    from paramiko.message import Message

    from extractors.core.settings import ExtractSettings

_READ_FLAG = 1
_BLOCK = 1 << 15
# Answers on their way must fit into paramiko's receive window of 2 MiB, or both sides wait for each other.
_OPEN_AHEAD = 32
_READ_AHEAD = 32
_LOST = (paramiko.SSHException, OSError, EOFError)


class SftpTransport:
    """``sftp://user:password@host:port/folder``; without password the key of ``IOC_EXTRACT_SFTP_KEY``."""

    parallel = True
    # One connection has 32 files under way; a handshake costs about as much as a hundred small files.
    files_per_connection = 200

    def __init__(self, uri: SourceUri, settings: ExtractSettings) -> None:
        self.uri = uri
        self.skipped: dict[str, str] = {}
        self._settings = settings
        self._root = uri.path.rstrip("/")
        self._spare: _SftpConnection | None = None

    def list(self, wanted: Callable[[str], bool], folders: Set[str] | None = None) -> Iterator[RemoteFile]:
        """See :class:`~extractors.core.transports.Transport`."""
        connection = self.connect()
        try:
            yield from walk(self, connection.entries, wanted, folders)
        except _LOST as error:
            connection.close()
            raise _lost(self.uri, error) from error
        self._spare = connection

    def connect(self) -> _SftpConnection:
        """See :class:`~extractors.core.transports.Transport`."""
        if self._spare is not None:
            connection, self._spare = self._spare, None
            return connection
        return _SftpConnection(self.uri, self._settings, self._root)

    def close(self) -> None:
        """Close the connection that listing opened."""
        if self._spare is not None:
            self._spare.close()
            self._spare = None


class _Download:
    """One file under way: handle asked for, then blocks, then closed."""

    def __init__(self, file: RemoteFile, pipeline: _Pipeline) -> None:
        self.file = file
        self.problem: Skippable | None = None
        self._pipeline = pipeline
        self._size = file.size
        self._handle = b""
        self._next = 0
        self._pending: dict[int, tuple[int, int]] = {}
        self._blocks: dict[int, bytes] = {}
        self.done = False

    def content(self) -> bytes | Skippable:
        return self.problem or b"".join(self._blocks[offset] for offset in sorted(self._blocks))

    def read_more(self) -> bool:
        """Ask for one more block; False when there is nothing to ask for now."""
        if not self._handle or self.done:
            return False
        if self._size is None:
            if self._pending:
                return False
            length = _BLOCK
        elif self._next >= self._size:
            return False
        else:
            length = min(_BLOCK, self._size - self._next)
        self._ask(self._next, length)
        self._next += length
        return True

    def _ask(self, offset: int, length: int) -> None:
        number = self._pipeline.request(self, CMD_READ, self._handle, int64(offset), length)
        self._pending[number] = (offset, length)

    def _async_response(self, kind: int, message: Message, number: int) -> None:
        """Called by paramiko for every answer to a request of this file."""
        if kind == CMD_HANDLE:
            self._handle = message.get_binary()
            self._pipeline.opening -= 1
            if self._size == 0:
                self._finish()
            else:
                self._pipeline.reading.append(self)
            return
        if number not in self._pending:
            self._pipeline.opening -= 1
            self._fail(message)
            return
        offset, length = self._pending.pop(number)
        self._pipeline.blocks -= 1
        if kind == CMD_DATA:
            data = message.get_binary()
            self._blocks[offset] = data
            if len(data) < length and data:
                # A server may send less than asked for; what is missing is asked for again.
                self._ask(offset + len(data), length - len(data))
                self._pipeline.blocks += 1
        elif kind == CMD_STATUS and message.get_int() == SFTP_EOF:
            self._size = min(offset, self._next if self._size is None else self._size)
        else:
            self.problem = Skippable(f"{self.file.uri}: the server broke off reading it", "unreadable_file")
            self._size = 0
        if not self._pending and self._size is not None and self._next >= self._size:
            self._finish()

    def _fail(self, message: Message) -> None:
        message.get_int()
        self.problem = Skippable(f"{self.file.uri}: {message.get_text()}", "unreadable_file")
        self.done = True

    def _finish(self) -> None:
        self._pipeline.request(_IGNORED, CMD_CLOSE, self._handle)
        self.done = True


class _Ignored:
    """Takes the answers that nobody waits for."""

    def _async_response(self, kind: int, message: Message, number: int) -> None:
        """Nothing to do."""


_IGNORED = _Ignored()


class _Pipeline:
    """Requests of many files on one channel, answers in any order.

    paramiko has the parts for this (its prefetch uses them) but offers them for one file at a time only.
    """

    def __init__(self, sftp: paramiko.SFTPClient) -> None:
        self._sftp: Any = sftp
        self.opening = 0
        self.blocks = 0
        self.reading: deque[_Download] = deque()

    def request(self, receiver: _Download | _Ignored, kind: int, *arguments: object) -> int:
        number: int = self._sftp._async_request(receiver, kind, *arguments)
        return number

    def fetch(
        self, files: Sequence[RemoteFile], root: str, limit: int
    ) -> Iterator[tuple[RemoteFile, bytes | Skippable]]:
        waiting = deque(files)
        running: deque[_Download] = deque()
        while waiting or running:
            while waiting and self.opening + len(self.reading) < _OPEN_AHEAD and len(running) < 2 * _OPEN_AHEAD:
                file = waiting.popleft()
                download = _Download(file, self)
                running.append(download)
                download.problem = too_large(file, limit)
                if download.problem:
                    download.done = True
                    continue
                path = f"{root}/{file.path}".encode("utf-8", "surrogateescape")
                self.request(download, CMD_OPEN, path, _READ_FLAG, paramiko.SFTPAttributes())
                self.opening += 1
            while self.reading and self.blocks < _READ_AHEAD:
                if self.reading[0].read_more():
                    self.blocks += 1
                else:
                    self.reading.popleft()
            while running and running[0].done:
                download = running.popleft()
                yield download.file, download.content()
            if running and not running[0].done:
                self._sftp._read_response()
                unsized = (d for d in running if d.file.size is None and d not in self.reading)
                self.reading.extend(d for d in unsized if not d.done)


class _SftpConnection:
    def __init__(self, uri: SourceUri, settings: ExtractSettings, root: str) -> None:
        self._uri = uri
        self._root = root
        self._limit = settings.max_file_bytes
        self._client = paramiko.SSHClient()
        self._client.set_missing_host_key_policy(paramiko.RejectPolicy())
        try:
            self.sftp = self._open(uri, settings)
        except BaseException:
            self._client.close()
            raise

    def _open(self, uri: SourceUri, settings: ExtractSettings) -> paramiko.SFTPClient:
        known_hosts, port = settings.known_hosts_file(), uri.port or 22
        trust = (
            f"fetch its key with 'ssh-keyscan -p {port} {uri.host}', compare the fingerprint with what its operator "
            f"says, and add the line to {known_hosts}"
        )
        try:
            if known_hosts.exists():
                self._client.load_host_keys(str(known_hosts))
            connection = socket.create_connection((uri.host, port), settings.timeout_s)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._client.connect(
                uri.host, port, username=uri.user, password=uri.password, sock=connection,
                key_filename=None if uri.password else str(settings.sftp_key) if settings.sftp_key else None,
                allow_agent=False, look_for_keys=False, timeout=settings.timeout_s,
                banner_timeout=settings.timeout_s, auth_timeout=settings.timeout_s,
            )  # fmt: skip
            sftp = self._client.open_sftp()
            channel = sftp.get_channel()
            assert channel is not None
            channel.settimeout(settings.timeout_s)
        except paramiko.BadHostKeyException as error:
            raise Fatal(
                f"{uri.public} shows another host key than the known one: somebody may be in between; {trust}"
            ) from error
        except paramiko.AuthenticationException as error:
            raise Fatal(f"{uri.public} refuses the login; check user, password or IOC_EXTRACT_SFTP_KEY") from error
        except _LOST as error:
            if "not found in known_hosts" in str(error):
                raise Fatal(f"{uri.public} shows a host key that nobody vouched for; {trust}") from error
            raise _lost(uri, error) from error
        return sftp

    def entries(self, below: str) -> Iterator[Entry]:
        """Everything in one folder below the root, for :func:`~extractors.core.transports.walk`."""
        folder = f"{self._root}/{below}"
        links = []
        try:
            for entry in self.sftp.listdir_iter(folder):
                if stat.S_ISLNK(entry.st_mode or 0):
                    links.append(entry.filename)
                else:
                    yield _entry(entry.filename, entry)
        except (FileNotFoundError, PermissionError) as error:
            raise Skippable(f"{self._uri.child(below)}: {error.strerror}", "unreadable_folder") from error
        # Only now: a question in between would take the answers of the listing that is under way.
        for name in links:
            with suppress(FileNotFoundError, PermissionError):
                yield _entry(name, self.sftp.stat(f"{folder}{name}"))

    def fetch_many(self, files: Sequence[RemoteFile]) -> Iterator[tuple[RemoteFile, bytes | Skippable]]:
        """See :class:`~extractors.core.transports.Connection`."""
        try:
            yield from _Pipeline(self.sftp).fetch(files, self._root, self._limit)
        except _LOST as error:
            raise _lost(self._uri, error) from error

    def close(self) -> None:
        """Close; whatever is under way is dropped."""
        with suppress(*_LOST):
            self._client.close()


def _entry(name: str, attributes: paramiko.SFTPAttributes) -> Entry:
    mode = attributes.st_mode or 0
    # A server that tells no mode lists files only.
    kind = "dir" if stat.S_ISDIR(mode) else "file" if stat.S_ISREG(mode) or not mode else "other"
    mtime = None if attributes.st_mtime is None else datetime.fromtimestamp(attributes.st_mtime, UTC)
    return kind, name, attributes.st_size, mtime


def _lost(uri: SourceUri, error: BaseException) -> Retriable:
    return Retriable(
        f"{uri.public} does not answer ({type(error).__name__}: {error}); the next run goes on where this ended"
    )
