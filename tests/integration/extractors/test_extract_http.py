"""HTTP sources: retries, Retry-After, login, paging in four manners, pages that shift while they are read."""

from __future__ import annotations

import base64
import json
import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from extractors.core.errors import Fatal, Retriable
from extractors.core.fetch import fetch_all
from extractors.core.settings import ExtractSettings
from extractors.core.transports import SourceUri
from extractors.core.transports.http import HttpOptions, HttpTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Answer = tuple[int, dict[str, str], bytes]


class Office:
    """A server whose answers a test scripts: a function of path, query and headers."""

    def __init__(self) -> None:
        self.answer: Callable[[str, dict[str, str], dict[str, str]], Answer] = lambda *_: (404, {}, b"")
        self.asked: list[str] = []
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
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
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


def fetch(office: Office, options: HttpOptions | None = None, login: str = "", path: str = "/api") -> dict[str, bytes]:
    settings = ExtractSettings()
    uri = SourceUri.parse(f"http://{login}127.0.0.1:{office.port}{path}?key=secret")
    transport = HttpTransport(uri, settings, options)
    with closing(transport):
        listing = list(transport.list(lambda _: True))
        fetched = list(fetch_all(transport, listing, settings))
    assert all("secret" not in file.uri for file, _ in fetched)
    contents: dict[str, bytes] = {}
    for file, content in fetched:
        assert isinstance(content, bytes)
        contents[file.uri.split("/api")[-1]] = content
    return contents


def page(items: list[Any], **more: Any) -> Answer:
    return 200, {}, json.dumps({"data": {"items": items}, **more}).encode()


def records(contents: dict[str, bytes]) -> list[Any]:
    return [item for body in contents.values() for item in json.loads(body)["data"]["items"]]


def test_a_document_with_basic_and_bearer_login(office: Office) -> None:
    seen: list[str] = []

    def answer(_path: str, query: dict[str, str], headers: dict[str, str]) -> Answer:
        seen.append(headers.get("Authorization", ""))
        return 200, {}, query["key"].encode()

    office.answer = answer
    assert fetch(office) == {"": b"secret"}
    fetch(office, login="us%40er:p%3Aw@")
    fetch(office, login=":token@")
    assert seen == ["", "Basic " + base64.b64encode(b"us@er:p:w").decode(), "Bearer token"]


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_passing_trouble_is_waited_out(office: Office, status: int) -> None:
    office.answer = lambda *_: (200, {}, b"ok") if len(office.asked) > 2 else (status, {"Retry-After": "0"}, b"")
    assert fetch(office) == {"": b"ok"}
    assert len(office.asked) == 3


def test_retry_after_is_honoured(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("extractors.core.transports.http.time.sleep", pauses.append)
    office.answer = lambda *_: (200, {}, b"ok") if len(office.asked) > 1 else (429, {"Retry-After": "7"}, b"")
    fetch(office)
    assert pauses == [7]


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


@pytest.mark.parametrize("status", [401, 403, 404, 400])
def test_a_refusal_is_fatal_at_once_and_shows_no_secret(office: Office, status: int) -> None:
    office.answer = lambda *_: (status, {}, b"")
    with pytest.raises(Fatal, match=f"answers {status}") as caught:
        fetch(office, login="u:hidden@")
    assert len(office.asked) == 1
    assert "secret" not in str(caught.value)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("manner", ["page", "offset", "next", "cursor", "link"])
def test_paging(office: Office, manner: str) -> None:
    everything = list(range(23))

    def answer(_path: str, query: dict[str, str], _headers: dict[str, str]) -> Answer:
        size = 10
        start = (int(query["page"]) - 1) * int(query["size"]) if manner == "page" else int(query.get("from", "0"))
        items = everything[start : start + size]
        more = start + size < len(everything)
        follow = f"/api?from={start + size}"
        if manner == "link":
            headers = {"Link": f'<{follow}>; rel="next"'} if more else {}
            return 200, headers, page(items)[2]
        if manner == "cursor":
            return page(items, next=str(start + size) if more else None)
        return page(items, next=follow if more else None)

    office.answer = answer
    kind = {"page": "page", "offset": "offset"}.get(manner, "next")
    options = HttpOptions(
        paging=kind,  # type: ignore[arg-type]
        items="data.items",
        size=10,
        page_parameter="page" if manner == "page" else "from",
        next="" if manner == "link" else "next",
    )
    contents = fetch(office, options)
    assert records(contents) == everything
    assert list(contents) == ["?page=1", "?page=2", "?page=3"]


def test_records_that_slip_to_another_page_while_it_is_read_are_not_lost(office: Office) -> None:
    everything = [f"r{number}" for number in range(30)]

    def answer(_path: str, query: dict[str, str], _headers: dict[str, str]) -> Answer:
        number = int(query["page"])
        if number == 2 and len(office.asked) == 2:
            # Somebody deletes the first record: what was first on page 2 is now last on page 1.
            everything.pop(0)
        return page(everything[(number - 1) * 10 : number * 10])

    office.answer = answer
    got = records(fetch(office, HttpOptions(paging="page", items="data.items", size=10)))
    assert set(got) == {f"r{number}" for number in range(30)}


def test_a_next_page_on_another_host_is_refused(office: Office) -> None:
    office.answer = lambda *_: page([1], next="http://elsewhere.example/api")
    with pytest.raises(Fatal, match="another host"):
        fetch(office, HttpOptions(paging="next", next="next"), login="u:p@")


def test_an_answer_that_is_no_json_is_retriable(office: Office) -> None:
    office.answer = lambda *_: (200, {}, b"<html>maintenance</html>")
    with pytest.raises(Retriable, match="no JSON"):
        fetch(office, HttpOptions(paging="page", items="data.items"))


def test_nobody_there_is_retriable(office: Office) -> None:
    office.close()
    with pytest.raises(Retriable, match="does not answer"):
        fetch(office)
