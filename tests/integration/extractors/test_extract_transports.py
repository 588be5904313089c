"""FTP, FTPS and SFTP against real servers: what they list and fetch, and what happens when they misbehave."""

from __future__ import annotations

import os
import socket
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from extractors.air_quality.source import format_for
from extractors.core.errors import Fatal, Retriable, Skippable
from extractors.core.fetch import fetch_all
from extractors.core.pipeline import extract
from extractors.core.settings import ExtractSettings
from extractors.core.transports import RemoteFile, is_temporary, open_transport
from extractors.core.transports.ftp import _FtpConnection
from ioc import warehouse
from sandbox import keys
from sandbox.ftp import FtpSource
from sandbox.sftp import SftpSource
from tests.fixtures.relay import Relay

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ioc.settings import Settings

PASSWORD = "p@ss/w:rd#1"


class Servers:
    """All three protocols over one folder."""

    def __init__(self, folder: Path, root: Path) -> None:
        self.root = root
        self.known_hosts = folder / "known_hosts"
        key = keys.host_key(folder)
        certificate = keys.certificate(folder)
        self.ca = folder / "ftps.crt"
        self.ftp = FtpSource(root, ("127.0.0.1", 0), "stations", PASSWORD, certificate)
        self.sftp = SftpSource(root, ("127.0.0.1", 0), "stations", PASSWORD, key)
        self.ftp.start()
        self.sftp.start()
        keys.publish_host_key(self.known_hosts, self.sftp.port, key)

    def uri(self, scheme: str, path: str = "air", user: str = "stations", password: str = PASSWORD) -> str:
        port = self.sftp.port if scheme == "sftp" else self.ftp.port
        return f"{scheme}://{user}:{quote(password, safe='')}@127.0.0.1:{port}/{path}"

    def close(self) -> None:
        self.ftp.stop()
        self.sftp.stop()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    folder = tmp_path_factory.mktemp("servers")
    servers = Servers(folder, folder / "files")
    yield servers
    servers.close()


@pytest.fixture
def servers(running: Servers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Servers:
    """The servers with an empty folder ``air``, trusted by the settings in force."""
    air = running.root / "air"
    if air.exists():
        air.rename(tmp_path / "previous")
    air.mkdir(parents=True)
    monkeypatch.setenv("IOC_KNOWN_HOSTS", str(running.known_hosts))
    monkeypatch.setenv("IOC_EXTRACT_TLS_CA", str(running.ca))
    monkeypatch.setenv("IOC_EXTRACT_BACKOFF_S", "0.01")
    return running


def lay_out(root: Path, count: int, lines: int = 2) -> dict[str, bytes]:
    """Station files in folders of different depth, aged; returns path → content."""
    files = {}
    for number in range(count):
        at = datetime(2026, 3, 1) + timedelta(minutes=5 * number)
        station = f"TH-{number % 3}"
        name = f"{station}_{at:%Y%m%d%H%M%S}.txt"
        path = (f"{at:%Y/%m/%d}/" if number % 3 else "trạm một/") + name
        body = "".join(f"O{line}\t{number}.5\tug/m3\t{at:%Y%m%d%H%M%S}\t00\r\n" for line in range(lines))
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(body.encode())
        moment = 1_780_000_000 + number
        os.utime(root / path, (moment, moment))
        files[path] = body.encode()
    return files


def fetch(uri: str) -> dict[str, bytes | Skippable]:
    """Everything at ``uri``, by path."""
    settings = ExtractSettings()
    transport = open_transport(uri, format_for(None), settings)
    try:
        listing = sorted(transport.list(lambda path: not is_temporary(path)), key=lambda file: file.path)
        fetched = list(fetch_all(transport, listing, settings))
    finally:
        transport.close()
    assert [file for file, _ in fetched] == listing
    return {file.path: content for file, content in fetched}


SCHEMES = ("ftp", "ftps", "sftp")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_lists_nested_folders_and_fetches_in_order(servers: Servers, scheme: str) -> None:
    files = lay_out(servers.root / "air", 150)
    large = os.urandom(3_000_001)
    (servers.root / "air" / "large.bin").write_bytes(large)
    (servers.root / "air" / "empty.txt").write_bytes(b"")
    assert fetch(servers.uri(scheme)) == {**files, "large.bin": large, "empty.txt": b""}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_listing_tells_size_and_time(servers: Servers, scheme: str) -> None:
    lay_out(servers.root / "air", 1)
    transport = open_transport(servers.uri(scheme), format_for(None), ExtractSettings())
    with closing(transport):
        (file,) = transport.list(lambda _: True)
    size = 2 * len("O0\t0.5\tug/m3\t20260301000000\t00\r\n")
    assert (file.size, file.mtime) == (size, datetime.fromtimestamp(1_780_000_000, UTC))
    assert file.uri.endswith("/air/tr%E1%BA%A1m%20m%E1%BB%99t/TH-0_20260301000000.txt")
    assert "stations" not in file.uri


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_file_that_vanished_is_skipped_and_the_rest_comes(servers: Servers, scheme: str) -> None:
    files = lay_out(servers.root / "air", 9)
    settings = ExtractSettings()
    transport = open_transport(servers.uri(scheme), format_for(None), settings)
    with closing(transport):
        listing = sorted(transport.list(lambda _: True), key=lambda file: file.path)
        gone = listing[4]
        (servers.root / "air" / gone.path).unlink()
        fetched = {file.path: content for file, content in fetch_all(transport, listing, settings)}
    assert isinstance(fetched.pop(gone.path), Skippable)
    assert fetched == {path: body for path, body in files.items() if path != gone.path}


def test_sftp_reads_a_file_whose_size_the_listing_does_not_tell(servers: Servers) -> None:
    body = os.urandom(100_000)
    (servers.root / "air" / "x.bin").write_bytes(body)
    settings = ExtractSettings()
    transport = open_transport(servers.uri("sftp"), format_for(None), settings)
    with closing(transport):
        unsized = [RemoteFile("sftp://x", "x.bin", None, None)] * 3
        assert [content for _, content in fetch_all(transport, unsized, settings)] == [body] * 3


@pytest.mark.parametrize("scheme", SCHEMES)
def test_extract_takes_each_file_once_and_never_asks_for_it_again(
    servers: Servers, settings: Settings, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_out(servers.root / "air", 40)
    first = extract("air_quality", source_uris=[servers.uri(scheme)])
    assert (first.files, first.loaded) == (40, 80)
    monkeypatch.setattr("extractors.core.pipeline.fetch_all", forbid_fetching)
    second = extract("air_quality", source_uris=[servers.uri(scheme)])
    assert (second.files, second.batches) == (0, 0)
    assert PASSWORD not in str(settings.landing)


def forbid_fetching(_transport: object, files: list[RemoteFile], _settings: object) -> list[object]:
    assert files == []
    return []


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize("scheme", SCHEMES)
def test_files_under_temporary_names_are_left(servers: Servers, scheme: str) -> None:
    lay_out(servers.root / "air", 3)
    for name in (".hidden.txt", "a.txt.part", "b.tmp", "c.txt.filepart"):
        (servers.root / "air" / name).write_text("x")
    assert extract("air_quality", source_uris=[servers.uri(scheme)]).files == 3


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize("scheme", [*SCHEMES, "file"])
def test_fresh_files_are_taken_once_a_second_look_shows_them_unchanged(
    servers: Servers, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    air = servers.root / "air"
    lay_out(air, 6)
    fresh = sorted(path for path in air.rglob("*.txt"))[::2]
    (air / "TH-9_20260301000000.txt").write_bytes(fresh[0].read_bytes())
    for path in fresh:
        os.utime(path)
    growing = fresh[1]
    whole = growing.read_bytes()
    growing.write_bytes(whole[:-20])
    # While the second look waits, the station finishes the file: its size changes, so it is left.
    monkeypatch.setattr("extractors.core.pipeline.time.sleep", lambda _: growing.write_bytes(whole))
    uri = f"file://{air}" if scheme == "file" else servers.uri(scheme)
    report = extract("air_quality", source_uris=[uri])
    assert (report.files, report.left_for_next_run, report.rejected) == (6, 1, 0)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_wrong_password_is_fatal_and_not_shown(servers: Servers, scheme: str) -> None:
    with pytest.raises(Fatal, match="refuses the login") as caught:
        fetch(servers.uri(scheme, password="wrong-secret"))
    assert "wrong-secret" not in str(caught.value)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_missing_folder_is_fatal(servers: Servers, scheme: str) -> None:
    with pytest.raises(Fatal, match="check the path"):
        fetch(servers.uri(scheme, "no/such"))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_folder_that_refuses_itself_does_not_hold_up_the_others(
    servers: Servers, settings: Settings, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_out(servers.root / "air", 6)
    (servers.root / "air" / "private").mkdir()
    scandir = os.scandir

    def refusing(path: str = ".") -> object:
        if str(path).rstrip("/").endswith("private"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    # The server's own view: it may not read the folder (a test that runs as root cannot take its own rights away).
    monkeypatch.setattr(os, "scandir", refusing)
    monkeypatch.setattr(os, "listdir", lambda path=".": [entry.name for entry in refusing(path)])  # type: ignore[attr-defined]
    report = extract("air_quality", source_uris=[servers.uri(scheme)])
    assert (report.files, report.failed_folders) == (6, 1)
    with warehouse.connect("loader", settings) as connection:
        failed = connection.execute("select source_uri from ops.landed_file where outcome = 'failed'").fetchall()
    assert [uri.rsplit("/air/", 1)[1] for (uri,) in failed] == ["private/"]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_links_to_folders_and_files_are_followed_and_circles_end(servers: Servers, scheme: str) -> None:
    air = servers.root / "air"
    files = lay_out(air, 3)
    path = next(iter(files))
    (air / "linked.txt").symlink_to(air / path)
    (air / "circle").symlink_to(air)
    found = fetch(servers.uri(scheme))
    assert found["linked.txt"] == files[path]
    assert set(files) <= set(found)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_server_that_is_not_there_is_retriable(scheme: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(Retriable, match="does not answer"):
        fetch(f"{scheme}://u:p@127.0.0.1:{port}/x")


def test_an_unknown_sftp_host_key_is_refused_with_the_way_on(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IOC_KNOWN_HOSTS", str(tmp_path / "none"))
    with pytest.raises(Fatal, match=r"nobody vouched for; fetch its key with 'ssh-keyscan -p"):
        fetch(servers.uri("sftp"))


def test_a_changed_sftp_host_key_is_refused(servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = tmp_path / "known_hosts"
    keys.publish_host_key(known, servers.sftp.port, keys.host_key(tmp_path / "another"))
    monkeypatch.setenv("IOC_KNOWN_HOSTS", str(known))
    with pytest.raises(Fatal, match="another host key"):
        fetch(servers.uri("sftp"))


def test_an_untrusted_ftps_certificate_is_refused(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IOC_EXTRACT_TLS_CA")
    with pytest.raises(Fatal, match="IOC_EXTRACT_TLS_CA"):
        fetch(servers.uri("ftps"))


def test_a_server_without_mlsd_is_listed_the_old_way(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    files = lay_out(servers.root / "air", 5)
    monkeypatch.setattr(_FtpConnection, "_has_mlsd", False, raising=False)
    opened = _FtpConnection.__init__

    def without_mlsd(self: _FtpConnection, *arguments: object) -> None:
        opened(self, *arguments)  # type: ignore[arg-type]
        self._has_mlsd = False

    monkeypatch.setattr(_FtpConnection, "__init__", without_mlsd)
    assert fetch(servers.uri("ftp")) == files


@pytest.mark.parametrize("scheme", ["ftp", "sftp"])
def test_goes_on_after_sudden_hang_ups(servers: Servers, scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    files = lay_out(servers.root / "air", 60, lines=400)
    port = servers.sftp.port if scheme == "sftp" else servers.ftp.port
    # The control connection of FTP carries little; the listing passes in both cases before the first hang-up.
    with closing(Relay(port, after=900 if scheme == "ftp" else 200_000, times=3)) as relay:
        known = servers.known_hosts.read_text()
        monkeypatch.setenv("IOC_EXTRACT_CONNECTIONS", "2")
        if scheme == "sftp":
            trusted = servers.root.parent / "known_relay"
            trusted.write_text(known.replace(f":{port} ", f":{relay.port} "))
            monkeypatch.setenv("IOC_KNOWN_HOSTS", str(trusted))
        fetched = fetch(servers.uri(scheme).replace(f":{port}/", f":{relay.port}/"))
        assert fetched == files
        assert (relay.left, relay.sessions > 3) == (0, True)


def test_what_came_before_the_line_broke_for_good_is_loaded(
    servers: Servers, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_out(servers.root / "air", 400, lines=40)
    monkeypatch.setenv("IOC_EXTRACT_CONNECTIONS", "1")
    with closing(Relay(servers.sftp.port, after=300_000, times=1)) as relay:
        trusted = servers.root.parent / "known_relay"
        trusted.write_text(servers.known_hosts.read_text().replace(f":{servers.sftp.port} ", f":{relay.port} "))
        monkeypatch.setenv("IOC_KNOWN_HOSTS", str(trusted))
        monkeypatch.setenv("IOC_EXTRACT_ATTEMPTS", "1")
        uri = servers.uri("sftp").replace(f":{servers.sftp.port}/", f":{relay.port}/")
        with pytest.raises(Retriable, match="goes on where this ended"):
            extract("air_quality", source_uris=[uri])
        with warehouse.connect("loader", settings) as connection:
            ((before,),) = connection.execute("select count(*) from ops.source_file").fetchall()
        assert 0 < before < 400
        assert extract("air_quality", source_uris=[uri]).files == 400 - before


def test_a_source_that_allows_few_connections_is_served_with_those(servers: Servers) -> None:
    files = lay_out(servers.root / "air", 60)
    settings = ExtractSettings()
    transport = open_transport(servers.uri("ftp"), format_for(None), settings)
    opened: Counter[str] = Counter()
    connect = transport.connect

    def at_most_two() -> object:
        opened["asked"] += 1
        if opened["open"] >= 2:
            raise Retriable("421 Too many connections")
        opened["open"] += 1
        return connect()

    with closing(transport):
        listing = list(transport.list(lambda _: True))
        transport.connect = at_most_two  # type: ignore[method-assign, assignment]
        fetched = {file.path: content for file, content in fetch_all(transport, listing, settings)}
    assert fetched == files
    assert opened["open"] == 2
    assert opened["asked"] > 2


@pytest.mark.usefixtures("settings")
def test_a_file_above_the_limit_is_refused(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    lay_out(servers.root / "air", 2, lines=5)
    lay_out(servers.root / "air", 1, lines=50)
    monkeypatch.setenv("IOC_EXTRACT_MAX_FILE_BYTES", "1000")
    report = extract("air_quality", source_uris=[servers.uri("sftp")])
    assert (report.files, report.failed_files, report.loaded) == (2, 1, 5)
