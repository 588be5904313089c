"""FTP and FTPS (explicit TLS) on one port: the client chooses with AUTH TLS."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import TLS_FTPHandler
from pyftpdlib.servers import FTPServer

if TYPE_CHECKING:
    from pathlib import Path

# Read, list and write; an ordinary data-logger account.
_RIGHTS = "elradfmwMT"


class FtpSource:
    """An FTP server over one folder, with one account.

    Args:
        folder: Root that clients see.
        address: Host and port to listen on; port 0 takes a free one.
        user: Account name.
        password: Its password.
        certificate: PEM with key and certificate.
    """

    def __init__(self, folder: Path, address: tuple[str, int], user: str, password: str, certificate: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        authorizer = DummyAuthorizer()
        authorizer.add_user(user, password, str(folder), perm=_RIGHTS)
        handler = type(
            "StationHandler",
            (TLS_FTPHandler,),
            {
                "authorizer": authorizer,
                "certfile": str(certificate),
                "banner": "stations",
                "auth_failed_timeout": 0.2,
                "log_prefix": "ftp %(remote_ip)s",
            },
        )
        self._server = FTPServer(address, handler)
        self._server.max_cons = 256
        self._server.max_cons_per_ip = 0
        self.port: int = self._server.address[1]
        self._thread = threading.Thread(target=self._serve, name="ftp", daemon=True)
        self._stopping = threading.Event()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(timeout=5)

    def _serve(self) -> None:
        # The loop belongs to this thread: it is closed here too, never from outside.
        while not self._stopping.is_set():
            self._server.ioloop.loop(0.2, blocking=False)
        self._server.close_all()
