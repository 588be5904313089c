"""``python -m sandbox``: every stand-in of a source system in one process, until SIGTERM."""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING

import uvicorn

from ioc.secrets import Secrets
from ioc.settings import get_settings
from sandbox import control, gateways, keys
from sandbox.ftp import FtpSource
from sandbox.mail import MailServer
from sandbox.sftp import SftpSource
from sandbox.stand_in import discover

if TYPE_CHECKING:
    from sandbox.stand_in import StandIn

USER = "stations"
_log = logging.getLogger("sandbox")


def main() -> None:
    """Lay out history, open the servers, keep the sources growing."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    for chatty in ("paramiko", "pyftpdlib", "mail.log"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # Uvicorn ends its own work first, then raises the signal again.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    settings = get_settings()
    secrets = Secrets.of(settings)
    folder = settings.home / "sandbox"
    host = settings.bind_host

    stand_ins = discover(settings)
    for domain, stand_in in stand_ins.items():
        begin = time.monotonic()
        files = stand_in.advance(int(time.time()))
        _log.info("%s: %d files laid out in %.1f s", domain, files, time.monotonic() - begin)

    key = keys.host_key(folder)
    servers = (
        FtpSource(
            folder / "ftp", (host, settings.port_ftp), USER, secrets.get("sandbox_ftp"), keys.certificate(folder)
        ),
        SftpSource(folder / "sftp", (host, settings.port_sftp), USER, secrets.get("sandbox_sftp"), key),
        mail := MailServer(folder / "mail", (host, settings.port_smtp)),
    )
    keys.publish_host_key(settings.home / "known_hosts", settings.port_sftp, key)
    for server in servers:
        server.start()
    threading.Thread(target=_keep_growing, args=(stand_ins,), name="stations", daemon=True).start()

    ports = {"ftp": settings.port_ftp, "sftp": settings.port_sftp, "smtp": settings.port_smtp}
    application = control.build(mail, stand_ins, ports, gateways.routes(settings))
    _log.info("sandbox ready: %s, http %d", ports, settings.port_sandbox_http)
    try:
        uvicorn.run(application, host=host, port=settings.port_sandbox_http, log_level="warning", date_header=False)
    finally:
        for server in servers:
            server.stop()


def _keep_growing(stand_ins: dict[str, StandIn]) -> None:
    while True:
        time.sleep(1)
        for domain, stand_in in stand_ins.items():
            try:
                if files := stand_in.advance(int(time.time())):
                    _log.info("%s: %d files", domain, files)
            except Exception:
                # One failing source must not stop the others; the next second tries again.
                _log.exception("%s: could not write what is due", domain)


if __name__ == "__main__":
    main()
