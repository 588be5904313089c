"""One question to an HTTP source: retries, Retry-After, login, redirects, pace, bodies that break, trickle or burst."""

from __future__ import annotations

import base64
import gzip
import socket
import struct
import threading
import time
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from extractors.air_quality.source import format_for
from extractors.core.api.client import Client
from extractors.core.api.declaration import Auth
from extractors.core.errors import Fatal, Retriable
from extractors.core.fetch import fetch_all
from extractors.core.settings import ExtractSettings
from extractors.core.transports import SourceUri, open_transport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Answer = tuple[int, dict[str, str], bytes]


class Office:
    """A server whose answers a test scripts: a function of path, query and headers."""

    def __init__(self) -> None:
        self.answer: Callable[[str, dict[str, str], dict[str, str]], Answer] = lambda *_: (404, {}, b"")
        self.asked: list[str] = []
        self.reset = False
        self.trickle_s = 0.0
        office = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                office.asked.append(self.path)
                query = {key: values[0] for key, values in parse_qs(parts.query).items()}
                status, headers, body = office.answer(parts.path, query, dict(self.headers))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if "Transfer-Encoding" not in headers:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if office.reset:
                    office.reset = False
                    self.wfile.write(body[: len(body) // 2])
                    # Closed with unsent data and no time to linger: the client gets RST, not an orderly end.
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.connection.close()
                    return
                for piece in [body] if not office.trickle_s else [bytes([one]) for one in body]:
                    try:
                        self.wfile.write(piece)
                        self.wfile.flush()
                    except OSError:
                        return
                    time.sleep(office.trickle_s)

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.do_GET()

            def log_message(self, *_: object) -> None:
                """Silent."""

            def finish(self) -> None:
                try:
                    super().finish()
                except (OSError, ValueError):
                    """The test has broken the connection on purpose."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def office(monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    monkeypatch.setenv("IOC_EXTRACT_BACKOFF_S", "0.01")
    with closing(Office()) as served:
        yield served


def fetch(office: Office, login: str = "", path: str = "/api/table.csv") -> bytes:
    """A document, as the extraction takes it."""
    settings = ExtractSettings()
    uri = f"http://{login}127.0.0.1:{office.port}{path}?key=secret"
    with closing(open_transport(uri, format_for(None), settings)) as transport:
        ((file, content),) = fetch_all(transport, list(transport.list(lambda _: True)), settings)
    assert "secret" not in file.uri
    assert isinstance(content, bytes)
    return content


def client(office: Office, auth: Auth | None = None, login: str = "u:p@", **named: float) -> Client:
    uri = SourceUri.parse(f"http://{login}127.0.0.1:{office.port}")
    return Client(uri, ExtractSettings(), auth, **named)  # type: ignore[arg-type]


def test_a_document_with_basic_and_bearer_login(office: Office) -> None:
    seen: list[str] = []

    def answer(_path: str, query: dict[str, str], headers: dict[str, str]) -> Answer:
        seen.append(headers.get("Authorization", ""))
        return 200, {}, query["key"].encode()

    office.answer = answer
    assert fetch(office) == b"secret"
    fetch(office, login="us%40er:p%3Aw@")
    fetch(office, login=":token@")
    assert seen == ["", "Basic " + base64.b64encode(b"us@er:p:w").decode(), "Bearer token"]


def test_a_document_that_says_when_it_changed_is_known_by_it(office: Office) -> None:
    office.answer = lambda *_: (200, {"Last-Modified": "Sun, 01 Mar 2026 00:00:00 GMT"}, b"12345")
    uri = f"http://127.0.0.1:{office.port}/api/export"
    with closing(open_transport(uri, format_for(None), ExtractSettings())) as transport:
        (file,) = transport.list(lambda path: path.endswith(".txt"))
    assert (file.uri, file.path, file.size) == (uri, "export.txt", 5)
    assert file.mtime is not None
    assert file.mtime.isoformat() == "2026-03-01T00:00:00+00:00"


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_passing_trouble_is_waited_out(office: Office, status: int) -> None:
    office.answer = lambda *_: (200, {}, b"ok") if len(office.asked) > 2 else (status, {"Retry-After": "0"}, b"")
    assert fetch(office) == b"ok"
    assert len(office.asked) == 3


def test_retry_after_is_honoured(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("extractors.core.api.client.time.sleep", pauses.append)
    office.answer = lambda *_: (200, {}, b"ok") if len(office.asked) > 1 else (429, {"Retry-After": "7"}, b"")
    fetch(office)
    assert 7 in pauses


def test_a_long_wish_is_left_to_the_scheduler(office: Office) -> None:
    office.answer = lambda *_: (503, {"Retry-After": "900"}, b"")
    with pytest.raises(Retriable, match="answers 503") as caught:
        fetch(office)
    assert (caught.value.delay_s, len(office.asked)) == (900, 1)


def test_a_lasting_trouble_is_retriable(office: Office) -> None:
    office.answer = lambda *_: (500, {}, b"")
    with pytest.raises(Retriable, match="answers 500"):
        fetch(office)
    assert len(office.asked) == ExtractSettings().attempts


@pytest.mark.parametrize(("status", "times"), [(401, 2), (403, 1), (404, 1), (400, 1)])
def test_a_refusal_is_fatal_and_shows_no_secret(office: Office, status: int, times: int) -> None:
    office.answer = lambda *_: (status, {}, b"")
    with pytest.raises(Fatal, match=f"answers {status}") as caught:
        fetch(office, login="u:hidden@")
    # A 401 is asked once more: offices refuse a good login now and then.
    assert len(office.asked) == times
    assert "secret" not in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_a_connection_reset_within_the_body_is_asked_again(office: Office) -> None:
    office.answer = lambda *_: (200, {}, b"x" * 500_000)
    office.reset = True
    assert fetch(office) == b"x" * 500_000
    assert len(office.asked) == 2


def test_a_chunked_body_that_stops_is_asked_again(office: Office) -> None:
    whole, cut = b"5\r\nhello\r\n0\r\n\r\n", b"5\r\nhello\r\n5\r\nwor"
    office.answer = lambda *_: (200, {"Transfer-Encoding": "chunked"}, cut if len(office.asked) == 1 else whole)
    assert fetch(office) == b"hello"
    assert len(office.asked) == 2


def test_a_body_that_trickles_for_ever_ends_in_time(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IOC_EXTRACT_TIMEOUT_S", "0.2")
    monkeypatch.setenv("IOC_EXTRACT_ATTEMPTS", "1")
    office.answer = lambda *_: (200, {}, b"x" * 1000)
    office.trickle_s = 0.03
    began = time.monotonic()
    with pytest.raises(Retriable, match="no answer in time"):
        fetch(office)
    assert time.monotonic() - began < 5


def test_a_small_answer_that_bursts_is_refused(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IOC_EXTRACT_MAX_FILE_BYTES", "1000000")
    bomb = gzip.compress(b"\0" * 50_000_000)
    office.answer = lambda *_: (200, {"Content-Encoding": "gzip"}, bomb)
    with pytest.raises(Fatal, match="more than 1000000 bytes"):
        fetch(office)


def test_gzip_that_is_none_is_retriable(office: Office) -> None:
    office.answer = lambda *_: (200, {"Content-Encoding": "gzip"}, b"not gzip")
    with pytest.raises(Retriable, match="the next run asks again"):
        fetch(office)


def test_a_redirect_stays_on_the_host_and_never_takes_the_login_elsewhere(office: Office) -> None:
    seen: list[str] = []

    def answer(path: str, _query: dict[str, str], headers: dict[str, str]) -> Answer:
        seen.append(headers.get("X-API-Key", ""))
        target = {"/a": "/b", "/b": "/c", "/far": "http://elsewhere.example/x", "/round": "/round"}.get(path)
        return (302, {"Location": target}, b"") if target else (200, {}, b"here")

    office.answer = answer
    asking = client(office, Auth(kind="key", header="X-API-Key"), ":k3y@")
    assert asking.ask(asking.url("/a"), {}).body == b"here"
    assert seen == ["k3y"] * 3
    with pytest.raises(Fatal, match=r"sends on to http://elsewhere\.example; the login is not sent there"):
        asking.ask(asking.url("/far"), {})
    # A link as the source knows itself behind its proxy is asked for where the source is.
    assert asking.ask("https://127.0.0.1:8443/b?x=1", {}).body == b"here"
    assert office.asked[-2:] == ["/b?x=1", "/c"]
    with pytest.raises(Fatal, match="in a circle"):
        asking.ask(asking.url("/round"), {})
    with pytest.raises(Fatal, match="another host"):
        asking.ask("http://elsewhere.example/x", {})


def test_the_pace_is_kept(office: Office) -> None:
    office.answer = lambda *_: (200, {}, b"")
    asking = client(office, per_minute=600)
    began = time.monotonic()
    for _ in range(4):
        asking.ask(asking.url("/"), {})
    assert time.monotonic() - began >= 0.3


def test_a_key_in_the_query_is_sent_and_never_shown(office: Office) -> None:
    office.answer = lambda _path, query, _headers: (200 if query.get("api_key") == "k3y" else 403, {}, b"")
    asking = client(office, Auth(kind="key", parameter="api_key"), ":k3y@")
    assert asking.ask(asking.url("/"), {}).status == 200
    office.answer = lambda *_: (404, {}, b"")
    with pytest.raises(Fatal) as caught:
        asking.ask(asking.url("/"), {})
    assert "k3y" not in str(caught.value)


def test_a_token_that_the_endpoint_refuses_or_does_not_give(office: Office) -> None:
    auth = Auth(kind="token", path="/token")
    office.answer = lambda *_: (401, {}, b"")
    asking = client(office, auth)
    with pytest.raises(Fatal, match="token endpoint answers 401; check the user and password"):
        asking.ask(asking.url("/x"), {})
    office.answer = lambda *_: (200, {}, b'{"message": "ok"}')
    with pytest.raises(Retriable, match="has no 'access_token'"):
        asking.ask(asking.url("/x"), {})
    with pytest.raises(Fatal, match="login is missing"):
        client(office, auth, "")


def test_a_refresh_token_is_used_and_when_it_is_refused_the_password_is(office: Office) -> None:
    asked: list[str] = []

    def answer(path: str, _query: dict[str, str], headers: dict[str, str]) -> Answer:
        if path == "/token":
            asked.append(headers["Content-Type"])
            if len(asked) == 2:
                return 400, {}, b""
            return 200, {}, b'{"access_token": "t%d", "refresh_token": "r", "expires_in": 0}' % len(asked)
        return (200, {}, headers["Authorization"].encode())

    office.answer = answer
    asking = client(office, Auth(kind="token", path="/token", refresh="refresh_token", send="json"))
    assert asking.ask(asking.url("/x"), {}).body == b"Bearer t1"
    assert asking.ask(asking.url("/x"), {}).body == b"Bearer t3"
    assert asked == ["application/json"] * 3


def test_nobody_there_is_retriable(office: Office) -> None:
    office.close()
    with pytest.raises(Retriable, match="does not answer"):
        fetch(office)
