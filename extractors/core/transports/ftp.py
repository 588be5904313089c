"""FTP and FTPS (explicit TLS), passive mode, MLSD with LIST as fallback."""

from __future__ import annotations

import ftplib
import re
import ssl
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from extractors.core.errors import Fatal, Retriable, Skippable
from extractors.core.transports import Entry, RemoteFile, SourceUri, too_large, walk

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Sequence, Set

    from extractors.core.settings import ExtractSettings

_UNIX = re.compile(
    r"(?P<kind>[-dl])\S+\s+\d+\s+\S+\s+\S+\s+(?P<size>\d+)\s+(?P<month>[A-Za-z]{3})\s+(?P<day>\d{1,2})\s+"
    r"(?P<year>[\d:]{4,5})\s(?P<name>.+)"
)
_DOS = re.compile(r"(?P<date>\d\d-\d\d-\d{2,4})\s+(?P<time>\d\d:\d\d[AP]M)\s+(?P<size><DIR>|\d+)\s+(?P<name>.+)")
_BLOCK = 1 << 16


class _Ftps(ftplib.FTP_TLS):
    """FTPS whose data connections resume the control connection's TLS session: many servers refuse them otherwise."""

    def ntransfercmd(self, cmd: str, rest: int | str | None = None) -> tuple[socket.socket, int | None]:
        connection, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
        session = self.sock.session if isinstance(self.sock, ssl.SSLSocket) else None
        return self.context.wrap_socket(connection, server_hostname=self.host, session=session), size


class FtpTransport:
    """``ftp://`` or ``ftps://user:password@host:port/folder``; the path begins at the server's root."""

    parallel = True
    # One file costs several round trips, so a connection of its own pays soon.
    files_per_connection = 4

    def __init__(self, uri: SourceUri, settings: ExtractSettings) -> None:
        self.uri = uri
        self.skipped: dict[str, str] = {}
        self._settings = settings
        self._root = uri.path.rstrip("/")
        self._spare: _FtpConnection | None = None

    def list(self, wanted: Callable[[str], bool], folders: Set[str] | None = None) -> Iterator[RemoteFile]:
        """See :class:`~extractors.core.transports.Transport`."""
        connection = self.connect()
        try:
            yield from walk(self, connection.entries, wanted, folders)
        except ftplib.all_errors as error:
            connection.close()
            raise _lost(self.uri, error) from error
        self._spare = connection

    def connect(self) -> _FtpConnection:
        """See :class:`~extractors.core.transports.Transport`."""
        if self._spare is not None:
            connection, self._spare = self._spare, None
            return connection
        return _FtpConnection(self.uri, self._settings, self._root)

    def close(self) -> None:
        """Close the connection that listing opened."""
        if self._spare is not None:
            self._spare.close()
            self._spare = None


class _FtpConnection:
    def __init__(self, uri: SourceUri, settings: ExtractSettings, root: str) -> None:
        self._uri = uri
        self._root = root
        self._limit = settings.max_file_bytes
        self._has_mlsd = True
        try:
            self._ftp = self._open(uri, settings)
        except ftplib.error_perm as error:
            raise Fatal(
                f"{uri.public} refuses the login ({error}); check user and password of the source URI"
            ) from error
        except ssl.SSLCertVerificationError as error:
            raise Fatal(
                f"{uri.public}: the server's certificate cannot be trusted ({error.verify_message}); "
                "name its CA in IOC_EXTRACT_TLS_CA"
            ) from error
        except ftplib.all_errors as error:
            raise _lost(uri, error) from error

    @staticmethod
    def _open(uri: SourceUri, settings: ExtractSettings) -> ftplib.FTP:
        ftp: ftplib.FTP
        if uri.scheme == "ftps":
            context = ssl.create_default_context(cafile=str(settings.tls_ca) if settings.tls_ca else None)
            ftp = _Ftps(context=context, timeout=settings.timeout_s)
        else:
            ftp = ftplib.FTP(timeout=settings.timeout_s)
        # Byte for byte: names in any encoding survive the way there and back.
        ftp.encoding = "latin-1"
        try:
            ftp.connect(uri.host, uri.port or 21)
            ftp.login(_wire(uri.user or ""), _wire(uri.password or ""))
            if isinstance(ftp, ftplib.FTP_TLS):
                ftp.prot_p()
            # Once, where ftplib would send it before every file.
            ftp.voidcmd("TYPE I")
        except BaseException:
            ftp.close()
            raise
        return ftp

    def entries(self, below: str) -> Iterator[Entry]:
        """Everything in one folder below the root, for :func:`~extractors.core.transports.walk`."""
        try:
            yield from self._entries(f"{self._root}/{below}".rstrip("/") or "/")
        except ftplib.error_perm as error:
            raise Skippable(f"{self._uri.child(below)}: {error}", "unreadable_folder") from error

    def _entries(self, folder: str) -> Iterator[Entry]:
        if self._has_mlsd:
            lines: list[str] = []
            try:
                self._ftp.retrlines(f"MLSD {_wire(folder)}", lines.append)
            except ftplib.error_perm as error:
                if not str(error).startswith(("500", "501", "502", "504")):
                    raise
                self._has_mlsd = False
            else:
                yield from filter(None, map(_mlsd_entry, lines))
                return
        lines = []
        self._ftp.cwd(_wire(folder))
        self._ftp.retrlines("LIST", lines.append)
        yield from filter(None, map(_list_entry, lines))

    def fetch_many(self, files: Sequence[RemoteFile]) -> Iterator[tuple[RemoteFile, bytes | Skippable]]:
        """See :class:`~extractors.core.transports.Connection`."""
        for file in files:
            refusal = too_large(file, self._limit)
            try:
                yield file, refusal or self._fetch(file)
            except Skippable as skipped:
                yield file, skipped
            except ftplib.error_perm as error:
                yield file, Skippable(f"{file.uri}: {error}", "unreadable_file")
            except ftplib.all_errors as error:
                raise _lost(self._uri, error) from error

    def _fetch(self, file: RemoteFile) -> bytes:
        content = bytearray()
        data = self._ftp.transfercmd(f"RETR {_wire(f'{self._root}/{file.path}')}")
        try:
            while block := data.recv(_BLOCK):
                content += block
            if isinstance(data, ssl.SSLSocket):
                with suppress(OSError):
                    data.unwrap()
        finally:
            data.close()
        self._ftp.voidresp()
        return bytes(content)

    def close(self) -> None:
        """Close without waiting for a farewell."""
        with suppress(*ftplib.all_errors):
            self._ftp.close()


def _wire(text: str) -> str:
    if "\r" in text or "\n" in text:
        raise Skippable("a name with a line break cannot be asked for over FTP", "unreadable_file")
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


def _unwire(text: str) -> str:
    return text.encode("latin-1").decode("utf-8", "surrogateescape")


def _lost(uri: SourceUri, error: BaseException) -> Retriable:
    return Retriable(
        f"{uri.public} does not answer ({type(error).__name__}: {error}); the next run goes on where this ended"
    )


def _mlsd_entry(line: str) -> Entry | None:
    facts_text, _, name = line.partition(" ")
    facts = dict(fact.lower().split("=", 1) for fact in facts_text.split(";") if "=" in fact)
    if not name or facts.get("type") in ("cdir", "pdir"):
        return None
    size = facts.get("size", facts.get("sizd", ""))
    mtime = None
    with suppress(ValueError):
        mtime = datetime.strptime(facts.get("modify", "")[:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    return facts.get("type", ""), _unwire(name), int(size) if size.isdigit() else None, mtime


def _list_entry(line: str) -> Entry | None:
    """An entry of a UNIX or DOS listing. Its clock is the server's, to the minute; good enough to see a change."""
    mtime = None
    if unix := _UNIX.fullmatch(line.strip("\r\n")):
        if unix["name"] in (".", "..") or unix["kind"] == "l":
            return None
        now = datetime.now(UTC)
        with suppress(ValueError):
            if ":" in unix["year"]:
                text = f"{now.year} {unix['month']} {unix['day']} {unix['year']}"
                mtime = datetime.strptime(text, "%Y %b %d %H:%M").replace(tzinfo=UTC)
                # Without a year the entry is of the last twelve months.
                if mtime > now + timedelta(days=1):
                    mtime = mtime.replace(year=now.year - 1)
            else:
                text = f"{unix['year']} {unix['month']} {unix['day']}"
                mtime = datetime.strptime(text, "%Y %b %d").replace(tzinfo=UTC)
        return "dir" if unix["kind"] == "d" else "file", _unwire(unix["name"]), int(unix["size"]), mtime
    if dos := _DOS.fullmatch(line.strip("\r\n")):
        with suppress(ValueError):
            layout = "%m-%d-%y %I:%M%p" if len(dos["date"]) == 8 else "%m-%d-%Y %I:%M%p"
            mtime = datetime.strptime(f"{dos['date']} {dos['time']}", layout).replace(tzinfo=UTC)
        is_folder = dos["size"] == "<DIR>"
        return "dir" if is_folder else "file", _unwire(dos["name"]), None if is_folder else int(dos["size"]), mtime
    return None
