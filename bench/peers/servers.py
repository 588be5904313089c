"""FTP and SFTP over ``<place>/files`` behind a delay line.

Started as ``python -m bench.peers.servers <place> <round trip in ms>``.

Prints one JSON object with the ports, then serves until its standard input ends.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import threading
from contextlib import suppress
from pathlib import Path

from sandbox import keys
from sandbox.ftp import FtpSource
from sandbox.sftp import SftpSource


async def _delayed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    """Pass bytes on, each so much later, as a line does: what is sent in a row arrives in a row."""
    loop = asyncio.get_running_loop()
    with suppress(ConnectionError):
        while data := await reader.read(1 << 16):
            loop.call_later(seconds, writer.write, data)
    loop.call_later(seconds, writer.close)


async def _line(target: int, seconds: float) -> int:
    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target)
        await asyncio.gather(_delayed(reader, far_writer, seconds), _delayed(far_reader, writer, seconds))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    return port


async def _serve(place: Path, one_way_s: float) -> None:
    key = keys.host_key(place)
    ftp = FtpSource(place / "files", ("127.0.0.1", 0), "stations", "secret", keys.certificate(place))
    sftp = SftpSource(place / "files", ("127.0.0.1", 0), "stations", "secret", key)
    ftp.start()
    sftp.start()
    ports = {"ftp": ftp.port, "sftp": sftp.port}
    if one_way_s:
        ports = {scheme: await _line(port, one_way_s) for scheme, port in ports.items()}
    known_hosts = place / "known_hosts"
    keys.publish_host_key(known_hosts, ports["sftp"], key)
    print(json.dumps({**ports, "known_hosts": str(known_hosts)}), flush=True)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    threading.Thread(target=lambda: (sys.stdin.read(), loop.call_soon_threadsafe(ended.set)), daemon=True).start()
    await ended.wait()
    ftp.stop()
    sftp.stop()


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)
    logging.getLogger("pyftpdlib").setLevel(logging.ERROR)
    asyncio.run(_serve(Path(sys.argv[1]), float(sys.argv[2]) / 2000))
