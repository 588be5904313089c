"""10,000 small files over SFTP and FTP, beside one sequential paramiko or ftplib session that does it one by one.

The servers run in a process of their own, behind a line with 5 ms round trip: a delay line for the SFTP connection and
for FTP's control connection; FTP's data connections are not delayed, which favours the sequential session. That session
fetches a part of the files, and its time per file counts: it does not depend on how many there are. The same
without delay, on bare loopback, is shown without a promise: there the only cost left is Python's own on two cores.
"""

from __future__ import annotations

import ftplib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import paramiko

from extractors.air_quality.source import format_for
from extractors.core.fetch import fetch_all
from extractors.core.settings import ExtractSettings
from extractors.core.transports import open_transport
from ioc.settings import PROJECT_ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

_FILES, _SEQUENTIAL = 10_000, 1_000
_ROUND_TRIP_MS = 5.0
_TIMES = 5.0


def run(*, quick: bool = False) -> dict[str, Any]:
    """Measure SFTP and FTP, with and without the delay."""
    files, part = (200, 50) if quick else (_FILES, _SEQUENTIAL)
    figures: dict[str, Any] = {"files": files, "files fetched one by one": part, "round trip, ms": _ROUND_TRIP_MS}
    promises: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="ioc-bench-") as place:
        names = _lay_out(Path(place) / "files" / "air", files)
        for round_trip in (_ROUND_TRIP_MS, 0.0):
            with _Servers(Path(place), round_trip) as servers:
                for scheme, sequential in (("sftp", _sequential_sftp), ("ftp", _sequential_ftp)):
                    own = _own(servers, scheme, files) / files
                    peer = sequential(servers, names[:part]) / part
                    where = f"{scheme}, {round_trip:g} ms"
                    figures[where] = {
                        "own, ms per file": round(own * 1000, 3), "one by one, ms per file": round(peer * 1000, 3),
                        "times as fast": round(peer / own, 2),
                    }  # fmt: skip
                    print(f"    {where}: {figures[where]}", flush=True)
                    if round_trip:
                        promises[f"{where}: times as fast as one by one"] = {
                            "value": round(peer / own, 2), "limit": _TIMES, "holds": peer / own >= _TIMES,
                        }  # fmt: skip
    return {"figures": figures, "promises": promises}


def _lay_out(folder: Path, count: int) -> list[str]:
    folder.mkdir(parents=True)
    names = []
    for number in range(count):
        name = f"TH-{number % 10:02d}_20260101{number:06d}.txt"
        at = 1_780_000_000 + number
        lines = [
            f"{parameter}\t{number % 90}.5\tug/m3\t20260101000000\t00\r\n" for parameter in ("PM2.5", "O3", "CO")
        ] * 4
        (folder / name).write_text("".join(lines), newline="")
        os.utime(folder / name, (at, at))
        names.append(name)
    return names


class _Servers:
    """FTP and SFTP in another process, so that client and server do not share one interpreter."""

    def __init__(self, place: Path, round_trip_ms: float) -> None:
        self._command = [sys.executable, "-m", "bench.peers.servers", str(place), str(round_trip_ms)]

    def __enter__(self) -> _Servers:
        self._process = subprocess.Popen(
            self._command, cwd=PROJECT_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.ports: dict[str, Any] = json.loads(self._process.stdout.readline())
        return self

    def __exit__(self, *_: object) -> None:
        # The servers end with their standard input.
        self._process.communicate()

    def uri(self, scheme: str) -> str:
        return f"{scheme}://stations:secret@127.0.0.1:{self.ports[scheme]}/air"


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _own(servers: _Servers, scheme: str, expected: int) -> float:
    os.environ["IOC_KNOWN_HOSTS"] = servers.ports["known_hosts"]
    settings = ExtractSettings()

    def work() -> None:
        transport = open_transport(servers.uri(scheme), format_for(None), settings)
        listing = list(transport.list(lambda _: True))
        fetched = sum(isinstance(content, bytes) for _, content in fetch_all(transport, listing, settings))
        transport.close()
        if fetched != expected:
            raise RuntimeError(f"{fetched} of {expected} files came: the comparison would be worth nothing")

    return _timed(work)


def _sequential_sftp(servers: _Servers, names: list[str]) -> float:
    def work() -> None:
        with tempfile.TemporaryDirectory() as folder, paramiko.SSHClient() as client:
            client.load_host_keys(servers.ports["known_hosts"])
            client.connect(
                "127.0.0.1", servers.ports["sftp"], "stations", "secret", allow_agent=False, look_for_keys=False
            )
            session = client.open_sftp()
            session.listdir_attr("/air")
            for name in names:
                session.get(f"/air/{name}", str(Path(folder) / name))

    return _timed(work)


def _sequential_ftp(servers: _Servers, names: list[str]) -> float:
    def work() -> None:
        with tempfile.TemporaryDirectory() as folder, ftplib.FTP() as session:
            session.connect("127.0.0.1", servers.ports["ftp"])
            session.login("stations", "secret")
            session.cwd("/air")
            list(session.mlsd())
            for name in names:
                with (Path(folder) / name).open("wb") as file:
                    session.retrbinary(f"RETR {name}", file.write)

    return _timed(work)
