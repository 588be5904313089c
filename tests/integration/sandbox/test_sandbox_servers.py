"""``python -m sandbox`` as its clients meet it: FTP, FTPS, SFTP, SMTP and the orders over HTTP."""

from __future__ import annotations

import ftplib
import io
import os
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import paramiko
import pytest
import requests

from ioc.secrets import Secrets
from ioc.settings import PROJECT_ROOT, Settings
from sandbox.keys import host_key

if TYPE_CHECKING:
    from collections.abc import Iterator


def free_base() -> int:
    for base in range(41000, 60000, 50):
        try:
            for offset in (21, 22, 25, 26):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", base + offset))
        except OSError:
            continue
        return base
    raise RuntimeError("no free ports")


class Running:
    """One sandbox process and how to reach it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.folder = settings.home / "sandbox"
        self.http = f"http://127.0.0.1:{settings.port_sandbox_http}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        environment = {
            **os.environ,
            "IOC_HOME": str(self.settings.home),
            "IOC_PORT_BASE": str(self.settings.port_base),
            "IOC_SANDBOX_DAYS": "1",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sandbox"], cwd=PROJECT_ROOT, env=environment,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        deadline = time.monotonic() + 60
        while True:
            try:
                assert requests.get(f"{self.http}/health", timeout=2).json()["status"] == "ok"
                return
            except requests.ConnectionError:
                assert self.process.poll() is None, self.process.communicate()[1].decode()
                assert time.monotonic() < deadline
                time.sleep(0.1)

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=20)
        self.process.communicate()
        return code

    def secret(self, name: str) -> str:
        return Secrets.of(self.settings).get(name)

    def sftp(self) -> paramiko.SFTPClient:
        client = paramiko.SSHClient()
        client.load_host_keys(str(self.settings.home / "known_hosts"))
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        client.connect(
            "127.0.0.1", self.settings.port_sftp, "stations", self.secret("sandbox_sftp"),
            allow_agent=False, look_for_keys=False,
        )  # fmt: skip
        return client.open_sftp()

    def ftp(self, client: ftplib.FTP) -> ftplib.FTP:
        client.connect("127.0.0.1", self.settings.port_ftp, timeout=10)
        client.login("stations", self.secret("sandbox_ftp"))
        return client

    def smtp(self) -> smtplib.SMTP:
        return smtplib.SMTP("127.0.0.1", self.settings.port_smtp, timeout=10)

    def fault(self, kind: str, count: int = 1, recipient: str = "") -> None:
        order = {"kind": kind, "count": count, "recipient": recipient}
        requests.post(f"{self.http}/smtp/fault", json=order, timeout=5).raise_for_status()

    def mailbox(self) -> list[dict[str, object]]:
        return requests.get(f"{self.http}/mailbox", timeout=5).json()


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(Settings(home=tmp_path_factory.mktemp("ioc"), port_base=free_base()))
    other = host_key(tmp_path_factory.mktemp("other"))
    (running.settings.home / "known_hosts").write_text(f"sftp.example {other.get_name()} {other.get_base64()}\n")
    running.start()
    yield running
    assert running.process is not None
    if running.process.poll() is None:
        running.stop()


@pytest.fixture(autouse=True)
def _empty_mailbox(sandbox: Running) -> None:
    sandbox.fault("451", count=0)
    requests.delete(f"{sandbox.http}/mailbox", timeout=5)


def mail(subject: str = "Cảnh báo không khí", to: str = "lanhdao@ioc.example") -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = subject
    message["From"] = "canhbao@ioc.example"
    message["To"] = to
    message["Message-ID"] = "<outbox-1@ioc.example>"
    message["Date"] = "Sun, 22 Nov 2026 12:00:00 +0700"
    message.set_content("Trạm Nghi Sơn: AQI 164 (Xấu)")
    return message


def test_every_source_uri_leads_to_files(sandbox: Running) -> None:
    text = (PROJECT_ROOT / "sandbox/air_quality/source.toml").read_text(encoding="utf-8")
    uris = [
        uri.replace("{home}", str(sandbox.settings.home))
        .replace("{port_ftp}", str(sandbox.settings.port_ftp))
        .replace("{port_sftp}", str(sandbox.settings.port_sftp))
        .replace("{secret:sandbox_ftp}", sandbox.secret("sandbox_ftp"))
        .replace("{secret:sandbox_sftp}", sandbox.secret("sandbox_sftp"))
        for uri in tomllib.loads(text)["uris"]
    ]
    assert [urlsplit(uri).scheme for uri in uris] == ["ftp", "sftp", "file"]
    assert not any("{" in uri for uri in uris)
    over_ftp, over_sftp, folder = (urlsplit(uri) for uri in uris)
    client = ftplib.FTP()
    client.connect(over_ftp.hostname or "", over_ftp.port or 0)
    client.login(over_ftp.username or "", unquote(over_ftp.password or ""))
    assert len(client.nlst(over_ftp.path)) == 3
    assert len(sandbox.sftp().listdir(over_sftp.path)) == 4
    series = Path(folder.path) / "hanoi_us_embassy_pm25_2017.csv"
    assert series.read_bytes().count(b"\n") > 2000


def test_ftp_lists_with_times_and_reads_writes_and_renames(sandbox: Running) -> None:
    client = sandbox.ftp(ftplib.FTP())
    listed = dict(client.mlsd("/air_quality/TH_BIMSON_KK02", facts=["size", "modify"]))
    name = max(name for name in listed if name.endswith(".txt"))
    received = io.BytesIO()
    client.retrbinary(f"RETR /air_quality/TH_BIMSON_KK02/{name}", received.write)
    assert len(received.getvalue()) == int(listed[name]["size"])
    assert received.getvalue().startswith(b"PM2,5\t")
    client.storbinary("STOR /air_quality/TH_BIMSON_KK02/x.part", io.BytesIO(b"PM10\t"))
    client.rename("/air_quality/TH_BIMSON_KK02/x.part", "/air_quality/TH_BIMSON_KK02/x.txt")
    assert (sandbox.folder / "ftp/air_quality/TH_BIMSON_KK02/x.txt").read_bytes() == b"PM10\t"
    client.delete("/air_quality/TH_BIMSON_KK02/x.txt")
    client.quit()


def test_ftps_is_verified_against_the_published_certificate(sandbox: Running) -> None:
    trusting = ssl.create_default_context(cafile=str(sandbox.folder / "ftps.crt"))
    client = ftplib.FTP_TLS(context=trusting)
    sandbox.ftp(client)
    client.prot_p()
    received = io.BytesIO()
    name = min(client.nlst("/air_quality/TH_NGHISON_KK03"))
    client.retrbinary(
        f"RETR {name if name.startswith('/') else '/air_quality/TH_NGHISON_KK03/' + name}", received.write
    )
    assert b"mg/Nm3" in received.getvalue()
    client.quit()
    strangers = ftplib.FTP_TLS(context=ssl.create_default_context())
    with pytest.raises(ssl.SSLCertVerificationError):
        sandbox.ftp(strangers)


def test_wrong_passwords_are_refused(sandbox: Running) -> None:
    client = ftplib.FTP()
    client.connect("127.0.0.1", sandbox.settings.port_ftp)
    with pytest.raises(ftplib.error_perm, match="530"):
        client.login("stations", "guess")
    transport = paramiko.Transport(("127.0.0.1", sandbox.settings.port_sftp))
    with pytest.raises(paramiko.AuthenticationException):
        transport.connect(username="stations", password="guess")
    transport.close()


def test_the_host_key_is_published_beside_the_ones_already_known(sandbox: Running) -> None:
    known = (sandbox.settings.home / "known_hosts").read_text()
    assert known.startswith("sftp.example ssh-ed25519 ")
    assert f"[127.0.0.1]:{sandbox.settings.port_sftp} ssh-ed25519 " in known


def test_sftp_reads_writes_and_renames_but_never_leaves_its_root(sandbox: Running) -> None:
    client = sandbox.sftp()
    client.mkdir("/drop")
    with client.open("/drop/a.txt.part", "w") as file:
        file.write("SO2;1;ug/Nm3;20261122120000;00\r\n")
    client.posix_rename("/drop/a.txt.part", "/drop/a.txt")
    client.utime("/drop/a.txt", (1_700_000_000, 1_700_000_000))
    entry = client.listdir_attr("/drop")[0]
    assert (entry.filename, entry.st_size, entry.st_mtime) == ("a.txt", 32, 1_700_000_000)
    with client.open("/drop/a.txt") as file:
        assert file.read().startswith(b"SO2;1")
    with client.open("/drop/b.txt", "w") as file:
        file.write("b")
    with pytest.raises(OSError, match="Failure"):
        client.rename("/drop/b.txt", "/drop/a.txt")
    (sandbox.folder / "sftp/drop/out").symlink_to(sandbox.settings.home)
    for path in ("/../../secrets.env", "/drop/out/secrets.env"):
        with pytest.raises(OSError):
            client.open(path)
    with pytest.raises(FileNotFoundError):
        client.listdir("/nowhere")
    assert client.listdir("/air_quality/TH_SAMSON_KK04")
    (sandbox.folder / "sftp/drop/out").unlink()
    client.remove("/drop/a.txt")
    client.remove("/drop/b.txt")
    client.rmdir("/drop")
    assert "drop" not in client.listdir("/")


def test_sftp_serves_ten_thousand_files_to_sixteen_sessions(sandbox: Running) -> None:
    many = sandbox.folder / "sftp/many"
    many.mkdir()
    for number in range(10_000):
        (many / f"{number:05d}.txt").write_bytes(b"%05d" % number)

    names = sorted(sandbox.sftp().listdir("/many"))
    assert len(names) == 10_000

    def read_share(share: int) -> int:
        client = sandbox.sftp()
        right = 0
        for name in names[share:320:16]:
            with client.open(f"/many/{name}") as file:
                right += file.read() == name[:5].encode()
        client.close()
        return right

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(read_share, range(16))) == [20] * 16


def test_mails_are_kept_and_shown(sandbox: Running) -> None:
    with sandbox.smtp() as client:
        client.send_message(mail(), to_addrs=["lanhdao@ioc.example", "truc@ioc.example"])
    (shown,) = sandbox.mailbox()
    assert shown["from"] == "canhbao@ioc.example"
    assert shown["to"] == ["lanhdao@ioc.example", "truc@ioc.example"]
    assert shown["subject"] == "Cảnh báo không khí"
    assert shown["message_id"] == "<outbox-1@ioc.example>"
    assert shown["date"] == "Sun, 22 Nov 2026 12:00:00 +0700"
    assert "AQI 164 (Xấu)" in str(shown["body"])
    assert len(list((sandbox.folder / "mail").glob("*.eml"))) == 1
    assert requests.delete(f"{sandbox.http}/mailbox", timeout=5).json() == {"deleted": 1}
    assert sandbox.mailbox() == []


def test_temporary_refusal_lasts_as_often_as_told(sandbox: Running) -> None:
    sandbox.fault("451", count=2)
    for _ in range(2):
        with sandbox.smtp() as client, pytest.raises(smtplib.SMTPDataError) as refusal:
            client.send_message(mail())
        assert refusal.value.smtp_code == 451
    with sandbox.smtp() as client:
        client.send_message(mail())
    assert len(sandbox.mailbox()) == 1


def test_one_recipient_can_be_refused_while_others_are_served(sandbox: Running) -> None:
    sandbox.fault("550", recipient="khongco@ioc.example")
    with sandbox.smtp() as client:
        refused = client.send_message(mail(), to_addrs=["khongco@ioc.example", "truc@ioc.example"])
    assert refused["khongco@ioc.example"][0] == 550
    assert [shown["to"] for shown in sandbox.mailbox()] == [["truc@ioc.example"]]


@pytest.mark.parametrize(("kind", "kept"), [("hang_up", 0), ("hang_up_after", 1)])
def test_the_server_can_hang_up_before_or_after_keeping_the_mail(sandbox: Running, kind: str, kept: int) -> None:
    sandbox.fault(kind)
    client = sandbox.smtp()
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionResetError)):
        client.send_message(mail())
    assert len(sandbox.mailbox()) == kept
    with sandbox.smtp() as healthy:
        healthy.send_message(mail())
    assert len(sandbox.mailbox()) == kept + 1


def test_a_reading_is_dropped_whole_with_the_values_chosen(sandbox: Running) -> None:
    order = {
        "station": "TH_BIMSON_KK02", "values": {"PM2.5": 180.3, "PM10": None}, "marks": 12,
        "measured_at": "2026-11-22T12:00:00+07:00", "status": "02",
    }  # fmt: skip
    answer = requests.post(f"{sandbox.http}/air_quality/reading", json=order, timeout=5)
    assert answer.status_code == 201
    path = sandbox.folder / "ftp" / answer.json()["path"]
    lines = path.read_text().splitlines()
    assert len(lines) == answer.json()["rows"] == 24
    assert lines[0] == "PM2,5\t180,3\tug/Nm3\t20261122110500\t02"
    assert lines[-1] == "PM10\tNaN\tug/Nm3\t20261122120000\t02"
    unknown = requests.post(f"{sandbox.http}/air_quality/reading", json={**order, "station": "X"}, timeout=5)
    assert unknown.status_code == 422
    assert "TH_BIMSON_KK02" in unknown.text


def test_a_reading_in_halves_stands_cut_first_and_complete_later(sandbox: Running) -> None:
    order = {"station": "TH_SAMSON_KK04", "values": {"PM2.5": 99}, "marks": 100, "write": "halves", "pause_s": 1}
    answer = requests.post(f"{sandbox.http}/air_quality/reading", json=order, timeout=5).json()
    path: Path = sandbox.folder / "sftp" / answer["path"]
    half = path.read_bytes()
    assert 0.4 < len(half) / answer["bytes"] < 0.6
    assert half.count(b"\n") < 50
    assert not half.endswith(b"\n")
    time.sleep(1.5)
    assert path.stat().st_size == answer["bytes"]
    assert len(path.read_text(encoding="utf-8-sig").splitlines()) == 100


def test_a_story_can_be_told_over_http(sandbox: Running) -> None:
    order = {"kind": "episode", "station": "TH_LAMSON_KK05", "hours": 2, "value": 240}
    answer = requests.post(f"{sandbox.http}/air_quality/story", json=order, timeout=5)
    assert answer.status_code == 201
    last_mark = requests.get(f"{sandbox.http}/health", timeout=5).json()["domains"]["air_quality"]["last_mark"]
    assert answer.json() == {
        "kind": "episode", "station": "TH_LAMSON_KK05", "start": last_mark, "end": last_mark + 7200,
    }  # fmt: skip
    wrong = requests.post(f"{sandbox.http}/air_quality/story", json={**order, "parameter": "Radon"}, timeout=5)
    assert wrong.status_code == 422


def test_it_ends_on_sigterm_and_starts_again_with_the_same_keys_and_data(sandbox: Running) -> None:
    known = (sandbox.settings.home / "known_hosts").read_text()
    files = {path: path.read_bytes() for path in (sandbox.folder / "ftp").rglob("*.txt")}
    assert sandbox.stop() == 0
    sandbox.start()
    assert (sandbox.settings.home / "known_hosts").read_text() == known
    assert {path: path.read_bytes() for path in files} == files
    assert sandbox.sftp().listdir("/air_quality")
    assert oct((sandbox.folder / "sftp_host_key").stat().st_mode)[-3:] == "600"
    assert oct((sandbox.folder / "ftps.pem").stat().st_mode)[-3:] == "600"
