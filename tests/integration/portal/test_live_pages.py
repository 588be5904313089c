"""Open pages are told what is new: over real sockets, from real rows, and only to whom it concerns."""

from __future__ import annotations

import json
import socket
import threading
import time
import uuid
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import uvicorn

from ioc import warehouse
from portal import live, web
from portal.app import create_app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ioc.settings import Settings
    from tests.integration.portal.conftest import Person


@pytest.fixture(scope="module")
def address(installation: Settings) -> Iterator[str]:
    """A portal on a real socket that looks more often than usual."""
    with pytest.MonkeyPatch.context() as patch, socket.socket() as listener:
        patch.setattr(live, "POLL_S", 0.2)
        patch.setattr(live, "BEAT_S", 0.5)
        patch.setattr(live, "RECONNECT_S", 0.2)
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(create_app(installation), log_level="warning", timeout_graceful_shutdown=2)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + 20
        while not server.started:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join(timeout=15)
        assert not thread.is_alive(), "open pages do not hold up a stop"


class Stream:
    """One open page: reads the events of its stream, one after the other."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines

    def next(self, name: str) -> dict[str, Any]:
        """The next event of this name; what comes before it is passed over."""
        event: dict[str, str] = {}
        for line in self._lines:
            if line:
                field, _, value = line.partition(": ")
                event[field] = value
            elif event.get("event") == name:
                data: dict[str, Any] = json.loads(event["data"])
                return data | ({"event_id": event["id"]} if "id" in event else {})
            else:
                event = {}
        pytest.fail(f"the stream ended before “{name}”")

    def is_over(self) -> bool:
        """Whether nothing more comes but what was on its way."""
        return all(not line.startswith("event:") for line in self._lines)


@pytest.fixture
def open_page(address: str, settings: Settings) -> Callable[..., Any]:
    """Open a stream as a signed-in person."""

    @contextmanager
    def opened(person: Person, **options: Any) -> Iterator[Stream]:
        cookie = {web.session_cookie(settings): person.browser.cookies[web.session_cookie(settings)]}
        timeout = httpx.Timeout(10, read=10)
        with (
            httpx.Client(base_url=address, cookies=cookie, timeout=timeout) as browser,
            browser.stream("GET", "/api/live", **options) as answer,
        ):
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/event-stream")
            assert "connect-src 'self'" in answer.headers["content-security-policy"]
            yield Stream(answer.iter_lines())

    return opened


def post_message(settings: Settings, user: str, subject: str, level: int = 3) -> int:
    """A message in somebody's inbox, as the web channel writes it."""
    outbox_id = uuid.uuid4()
    with warehouse.connect("owner", settings) as connection:
        row = connection.execute(
            """
            with sent as (
                insert into notify.outbox (outbox_id, dedupe_key, contact_id, channel, address, level, subject, body,
                    status, not_before, created_at, finished_at)
                select %(id)s, %(id)s::text, contact_id, 'web', %(user)s, %(level)s, %(subject)s, 'text', 'delivered',
                    now(), now(), now()
                from ref.contact where user_name = %(user)s returning outbox_id, contact_id
            )
            insert into notify.inbox (outbox_id, contact_id, level, subject, body, created_at)
            select outbox_id, contact_id, %(level)s, %(subject)s, 'text', now() from sent returning inbox_id, contact_id
            """,
            {"id": outbox_id, "user": user, "level": level, "subject": subject},
        ).fetchone()
        assert row is not None
        connection.execute("select pg_notify('ioc_inbox', %s)", (str(row[1]),))
        return int(row[0])


def act(settings: Settings) -> None:
    """Something that somebody did, as the audit chain keeps it."""
    with warehouse.connect("portal", settings) as connection:
        connection.execute(
            "insert into audit.event (occurred_at, actor, action, object_type, object_id) "
            "values (now(), 'truc', 'incident.acknowledged', 'incident', 'x')"
        )


def listeners(settings: Settings) -> int:
    with warehouse.connect("owner", settings) as connection:
        row = connection.execute(
            "select count(*) from pg_stat_activity "
            "where application_name = 'ioc-portal-live' and datname = current_database()"
        ).fetchone()
    assert row is not None
    return int(row[0])


def newest(settings: Settings) -> int:
    with warehouse.connect("owner", settings) as connection:
        row = connection.execute("select coalesce(max(inbox_id), 0) from notify.inbox").fetchone()
    assert row is not None
    return int(row[0])


def test_a_message_reaches_its_reader_at_once_and_nobody_else(
    signed_in: Callable[[str], Person], open_page: Callable[..., Any], settings: Settings
) -> None:
    known = {"after": newest(settings)}
    with open_page(signed_in("truc"), params=known) as officer, open_page(signed_in("lanhdao"), params=known) as leader:
        officer.next("changed")
        leader.next("changed")
        number = post_message(settings, "truc", "Nguồn thải vượt giới hạn 2,1 lần")
        told = officer.next("message")
        assert told["subject"] == "Nguồn thải vượt giới hạn 2,1 lần"
        assert (told["inbox_id"], told["level"], told["event_id"]) == (number, 3, str(number))
        assert told["unread"] >= 1
        post_message(settings, "lanhdao", "Cho lãnh đạo")
        assert leader.next("message")["subject"] == "Cho lãnh đạo", "the officer's message came to the officer alone"


def test_a_change_is_told_without_content(
    signed_in: Callable[[str], Person], open_page: Callable[..., Any], settings: Settings
) -> None:
    leader = signed_in("lanhdao")
    page = leader.text("/canh-bao")
    with open_page(leader) as stream:
        first = stream.next("changed")
        assert f'data-live-state="{first["state"]}"' in page, "a page knows how things stood when it was made"
        act(settings)
        second = stream.next("changed")
    assert set(second) == {"state"}
    assert second != first


def test_a_page_that_comes_back_hears_what_it_missed(
    signed_in: Callable[[str], Person], open_page: Callable[..., Any], settings: Settings
) -> None:
    seen = post_message(settings, "truc", "đã biết")
    missed = post_message(settings, "truc", "bị lỡ")
    with open_page(signed_in("truc"), params={"after": 0}, headers={"Last-Event-ID": str(seen)}) as officer:
        assert officer.next("message")["inbox_id"] == missed


def test_all_pages_share_one_connection_and_the_last_one_takes_it_along(
    signed_in: Callable[[str], Person], open_page: Callable[..., Any], settings: Settings
) -> None:
    people = [signed_in(name) for name in ("truc", "lanhdao", "kysu", "quantri")]
    with ExitStack() as pages:
        opened = [pages.enter_context(open_page(person)) for person in people for _ in range(3)]
        for stream in opened:
            stream.next("beat")
        assert listeners(settings) == 1
    deadline = time.monotonic() + 10
    while listeners(settings):
        assert time.monotonic() < deadline, "nobody looks on, yet a connection stays"
        time.sleep(0.1)


def test_the_stream_ends_with_the_session(
    signed_in: Callable[[str], Person], open_page: Callable[..., Any], address: str, settings: Settings
) -> None:
    officer = signed_in("truc")
    token = officer.browser.cookies[web.session_cookie(settings)]
    with open_page(officer) as stream:
        stream.next("beat")
        officer.post("/dang-xuat", "/tai-khoan")
        assert stream.next("bye") == {"why": "session"}
        assert stream.is_over()
    again = httpx.get(f"{address}/api/live", cookies={web.session_cookie(settings): token})
    assert again.status_code == 401
    assert httpx.get(f"{address}/api/live").status_code == 401


def test_a_closed_account_stops_listening(
    signed_in: Callable[[str], Person], open_page: Callable[..., Any], settings: Settings
) -> None:
    with open_page(signed_in("truc")) as stream:
        stream.next("beat")
        with warehouse.connect("owner", settings) as connection:
            connection.execute("update portal.account set is_active = false where username = 'truc'")
        assert stream.next("bye") == {"why": "session"}


def test_one_person_cannot_take_all_the_room(
    signed_in: Callable[[str], Person], open_page: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    officer = signed_in("truc")
    with ExitStack() as pages:
        opened = [pages.enter_context(open_page(officer)) for _ in range(live.STREAMS_PER_USER)]
        opened[-1].next("beat")
        pages.enter_context(open_page(officer)).next("beat")
        assert opened[0].next("bye") == {"why": "replaced"}
        opened[1].next("beat")
        monkeypatch.setattr(live, "STREAMS", 1)
        with pytest.raises(AssertionError, match="503"), open_page(signed_in("lanhdao")):
            pass


def test_a_lost_connection_is_found_again(
    signed_in: Callable[[str], Person], open_page: Callable[..., Any], settings: Settings
) -> None:
    with open_page(signed_in("truc"), params={"after": newest(settings)}) as stream:
        stream.next("beat")
        with warehouse.connect("owner", settings) as connection:
            killed = connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'ioc-portal-live' "
                "and datname = current_database()"
            ).rowcount
        assert killed == 1
        post_message(settings, "truc", "sau khi mất kết nối")
        assert stream.next("message")["subject"] == "sau khi mất kết nối"


def test_looking_on_does_not_keep_a_session_alive(signed_in: Callable[[str], Person], settings: Settings) -> None:
    officer = signed_in("truc")

    def idle_minutes() -> float:
        with warehouse.connect("owner", settings) as connection:
            row = connection.execute(
                "select extract(epoch from clock_timestamp() - max(last_seen_at)) / 60 from portal.session"
            ).fetchone()
        assert row is not None
        return float(row[0])

    with warehouse.connect("owner", settings) as connection:
        connection.execute("update portal.session set last_seen_at = clock_timestamp() - interval '30 minutes'")
    assert officer.get("/canh-bao", **{"X-Live": "1"}).status_code == 200
    assert idle_minutes() > 29
    officer.get("/canh-bao")
    assert idle_minutes() < 1
