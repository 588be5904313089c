"""SFTP over one folder, a thread per session."""

from __future__ import annotations

import contextlib
import errno
import hmac
import logging
import os
import socket
import threading
from typing import TYPE_CHECKING, TypeVar

import paramiko

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_T = TypeVar("_T")
_log = logging.getLogger("sandbox.sftp")


class _Account(paramiko.ServerInterface):
    def __init__(self, user: str, password: str) -> None:
        self._user = user
        self._password = password

    def check_auth_password(self, username: str, password: str) -> int:
        right = username == self._user and hmac.compare_digest(password.encode(), self._password.encode())
        return paramiko.AUTH_SUCCESSFUL if right else paramiko.AUTH_FAILED

    def get_allowed_auths(self, username: str) -> str:  # noqa: ARG002 (paramiko's signature)
        return "password"

    def check_channel_request(self, kind: str, chanid: int) -> int:  # noqa: ARG002 (paramiko's signature)
        return paramiko.OPEN_SUCCEEDED if kind == "session" else paramiko.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED


class _Handle(paramiko.SFTPHandle):
    """An open file, read and written by position: no seek, no shared state."""

    def __init__(self, descriptor: int, flags: int) -> None:
        super().__init__(flags)
        self._descriptor = descriptor

    def read(self, offset: int, length: int) -> bytes | int:
        return _or_code(lambda: os.pread(self._descriptor, length, offset))

    def write(self, offset: int, data: bytes) -> int:
        return _or_code(lambda: (os.pwrite(self._descriptor, data, offset), paramiko.SFTP_OK)[1])

    def stat(self) -> paramiko.SFTPAttributes | int:
        return _or_code(lambda: paramiko.SFTPAttributes.from_stat(os.fstat(self._descriptor)))

    def chattr(self, attr: paramiko.SFTPAttributes) -> int:
        return _or_code(lambda: _change(self._descriptor, attr))

    def close(self) -> None:
        os.close(self._descriptor)


class _Files(paramiko.SFTPServerInterface):
    """File operations below ``root``; a path can never leave it."""

    def __init__(self, server: paramiko.ServerInterface, root: Path) -> None:
        super().__init__(server)
        self._root = os.path.realpath(root)

    def _local(self, path: str) -> str:
        local = os.path.realpath(self._root + self.canonicalize(path))
        if local != self._root and not local.startswith(self._root + os.sep):
            raise PermissionError(errno.EACCES, "outside the root", path)
        return local

    def list_folder(self, path: str) -> list[paramiko.SFTPAttributes] | int:
        def listing() -> list[paramiko.SFTPAttributes]:
            found = []
            with os.scandir(self._local(path)) as entries:
                for entry in entries:
                    # A temporary name can vanish between the listing and the stat.
                    with contextlib.suppress(FileNotFoundError):
                        found.append(paramiko.SFTPAttributes.from_stat(entry.stat(), entry.name))
            return found

        return _or_code(listing)

    def stat(self, path: str) -> paramiko.SFTPAttributes | int:
        return _or_code(lambda: paramiko.SFTPAttributes.from_stat(os.stat(self._local(path))))  # noqa: PTH116

    def lstat(self, path: str) -> paramiko.SFTPAttributes | int:
        return self.stat(path)

    def open(self, path: str, flags: int, attr: paramiko.SFTPAttributes) -> _Handle | int:  # noqa: ARG002
        return _or_code(lambda: _Handle(os.open(self._local(path), flags, 0o644), flags))

    def remove(self, path: str) -> int:
        return _or_code(lambda: _done(os.remove, self._local(path)))

    def rename(self, oldpath: str, newpath: str) -> int:
        # SFTP's plain rename refuses an existing target, posix_rename replaces it.
        if os.path.lexists(self._local(newpath)):
            return paramiko.SFTP_FAILURE
        return self.posix_rename(oldpath, newpath)

    def posix_rename(self, oldpath: str, newpath: str) -> int:
        return _or_code(lambda: _done(os.replace, self._local(oldpath), self._local(newpath)))

    def mkdir(self, path: str, attr: paramiko.SFTPAttributes) -> int:  # noqa: ARG002 (paramiko's signature)
        return _or_code(lambda: _done(os.mkdir, self._local(path)))

    def rmdir(self, path: str) -> int:
        return _or_code(lambda: _done(os.rmdir, self._local(path)))

    def chattr(self, path: str, attr: paramiko.SFTPAttributes) -> int:
        return _or_code(lambda: _change(self._local(path), attr))


def _or_code(act: Callable[[], _T]) -> _T | int:
    """The result of ``act``, or the SFTP status code of the error it met."""
    try:
        return act()
    except OSError as error:
        return paramiko.SFTPServer.convert_errno(error.errno or errno.EIO)


def _done(act: Callable[..., object], *arguments: str) -> int:
    act(*arguments)
    return paramiko.SFTP_OK


def _change(target: str | int, attr: paramiko.SFTPAttributes) -> int:
    if attr._flags & attr.FLAG_AMTIME:
        os.utime(target, (attr.st_atime or 0, attr.st_mtime or 0))
    if attr._flags & attr.FLAG_SIZE:
        os.truncate(target, attr.st_size or 0)
    return paramiko.SFTP_OK


class SftpSource:
    """An SFTP server over one folder, with one account.

    Args:
        folder: Root that clients see.
        address: Host and port to listen on; port 0 takes a free one.
        user: Account name.
        password: Its password.
        key: Host key.
    """

    def __init__(self, folder: Path, address: tuple[str, int], user: str, password: str, key: paramiko.PKey) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._account = (user, password)
        self._key = key
        self._listener = socket.create_server(address, backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._stopping = False
        self._sessions: set[paramiko.Transport] = set()
        self._thread = threading.Thread(target=self._serve, name="sftp", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping = True
        # Closing alone does not wake a thread that sits in accept().
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(timeout=5)
        for session in list(self._sessions):
            session.close()

    def _serve(self) -> None:
        while not self._stopping:
            try:
                connection, peer = self._listener.accept()
            except OSError:
                if self._stopping:
                    return
                raise
            threading.Thread(target=self._session, args=(connection, peer), name="sftp-session", daemon=True).start()

    def _session(self, connection: socket.socket, peer: tuple[str, int]) -> None:
        # Small answers must leave at once: with Nagle's algorithm every small file would wait for an acknowledgement.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport = paramiko.Transport(connection)
        transport.add_server_key(self._key)
        transport.set_subsystem_handler("sftp", paramiko.SFTPServer, _Files, self._folder)
        self._sessions = {session for session in self._sessions if session.is_active()} | {transport}
        try:
            transport.start_server(server=_Account(*self._account))
        except (paramiko.SSHException, EOFError, OSError) as error:
            _log.info("%s:%s left during the handshake: %s", *peer[:2], error)
            transport.close()
