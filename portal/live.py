"""What browsers are told while a page is open: new messages, and that something they look at has changed.

One connection of the portal process listens for all of them (``LISTEN ioc_inbox``, and a look every two seconds); it
opens with the first browser and closes with the last. A change is told as a hint without content: the page then asks
for itself again and gets what its reader may see. Only messages carry words, and only to their reader.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
from psycopg.rows import dict_row

from ioc import warehouse
from portal.sessions import IDLE_HOURS

if TYPE_CHECKING:
    from ioc.settings import Settings

_log = logging.getLogger("portal.live")
_Connection = psycopg.AsyncConnection[dict[str, Any]]

# A browser opens at most six connections to one server: a fifth window would starve the pages themselves.
STREAMS_PER_USER = 4
STREAMS = 400
POLL_S, BEAT_S, RECONNECT_S = 2.0, 15.0, 3.0
_LOOK_BACK = 200

# One text for "where things stand"; every page carries the one that it was made from.
STATE = """
select coalesce((select max(transition_id) from alert.transition), 0)::text || '-'
    || coalesce((select max(event_id) from audit.event), 0)::text as state
"""

# Unread ones among the newest: numbers are given out before they are committed, so one may become visible late.
_MESSAGES = """
select m.inbox_id, m.level, m.subject, c.user_name
from notify.inbox m join ref.contact c using (contact_id)
where m.inbox_id > coalesce((select max(inbox_id) from notify.inbox), 0) - %(look_back)s
    and c.user_name = any(%(users)s) and m.read_at is null
order by m.inbox_id
"""

_UNREAD = """
select c.user_name, count(*) as unread from notify.inbox m join ref.contact c using (contact_id)
where c.user_name = any(%(users)s) and m.read_at is null group by c.user_name
"""

# Looking on is no use of the page: a window left open must not keep its session alive.
_ALIVE = """
select token_hash from portal.session join portal.account using (account_id)
where token_hash = any(%(tokens)s) and is_active and expires_at > clock_timestamp()
    and last_seen_at > clock_timestamp() - make_interval(hours => %(idle_hours)s)
"""


class TooManyError(Exception):
    """The process has no room for another open page."""


@dataclass(frozen=True)
class Event:
    """One event of the stream.

    Attributes:
        name: ``message``, ``changed``, ``beat`` or ``bye``.
        data: What the page needs to know.
        number: Number of the message, for the browser's ``Last-Event-ID``.
    """

    name: str
    data: dict[str, Any]
    number: int | None = None


@dataclass(eq=False)
class Client:
    """One open page: who reads it, in which session, and the events that it has not taken yet.

    Attributes:
        username: Login name.
        token_hash: The session, as the database knows it.
        after: The newest message that the page knows.
        queue: What to send next.
        known: Messages that the page has been told; None = it has not been looked after yet.
        state: Where things stood when it was last told.
    """

    username: str
    token_hash: bytes
    after: int
    queue: asyncio.Queue[Event] = field(default_factory=lambda: asyncio.Queue(maxsize=50))
    known: set[int] | None = None
    state: str | None = None

    def tell(self, event: Event) -> None:
        """Queue an event; a page that takes none loses the oldest ones, never the newest."""
        while self.queue.full():
            self.queue.get_nowait()
        self.queue.put_nowait(event)


class Hub:
    """All open pages of this process and the one connection that listens for them; lives in the event loop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._clients: dict[Client, None] = {}  # in order of arrival
        self._task: asyncio.Task[None] | None = None

    def join(self, username: str, token_hash: bytes, after: int) -> Client:
        """Take in a page; when one user has too many, the oldest of them goes.

        Args:
            username: Who reads the page.
            token_hash: The reader's session.
            after: The newest message that the page knows.

        Raises:
            TooManyError: the process has no room.
        """
        if len(self._clients) >= STREAMS:
            raise TooManyError
        own = [client for client in self._clients if client.username == username]
        for oldest in own[: max(0, len(own) - STREAMS_PER_USER + 1)]:
            self._dismiss(oldest, "replaced")
        client = Client(username, token_hash, after)
        self._clients[client] = None
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._serve())
        return client

    def leave(self, client: Client) -> None:
        """A page is gone."""
        self._clients.pop(client, None)

    async def close(self) -> None:
        """Say good-bye to every page and let the connection go."""
        for client in list(self._clients):
            self._dismiss(client, "closing")
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def _dismiss(self, client: Client, why: str) -> None:
        self.leave(client)
        client.tell(Event("bye", {"why": why}))

    async def _serve(self) -> None:
        """Listen while anybody is there; begin again when the warehouse goes away."""
        while self._clients:
            try:
                connection = await psycopg.AsyncConnection.connect(
                    warehouse.url("portal", self._settings),
                    autocommit=True,
                    connect_timeout=5,
                    application_name="ioc-portal-live",
                    options="-c statement_timeout=10s",
                    row_factory=dict_row,
                )
                async with connection:
                    await self._listen(connection)
            except psycopg.Error as error:
                _log.warning("live pages wait for the warehouse: %s", error)
                await asyncio.sleep(RECONNECT_S)

    async def _listen(self, connection: _Connection) -> None:
        await connection.execute("listen ioc_inbox")
        last_beat = 0.0
        while self._clients:
            await self._end_sessions(connection)
            await self._tell_messages(connection)
            state = (await _rows(connection, STATE))[0]["state"]
            for client in self._clients:
                if client.state != state:
                    client.state = state
                    client.tell(Event("changed", {"state": state}))
            if time.monotonic() - last_beat >= BEAT_S:
                last_beat = time.monotonic()
                unread = await self._unread(connection)
                for client in self._clients:
                    client.tell(Event("beat", {"unread": unread.get(client.username, 0)}))
            async for _ in connection.notifies(timeout=POLL_S, stop_after=1):
                pass

    async def _end_sessions(self, connection: _Connection) -> None:
        """Dismiss the pages whose session has ended, run out, or whose account was closed."""
        tokens = list({client.token_hash for client in self._clients})
        rows = await _rows(connection, _ALIVE, {"tokens": tokens, "idle_hours": IDLE_HOURS})
        alive = {bytes(row["token_hash"]) for row in rows}
        for client in list(self._clients):
            if client.token_hash not in alive and client.token_hash in tokens:
                self._dismiss(client, "session")

    async def _tell_messages(self, connection: _Connection) -> None:
        rows = await _rows(connection, _MESSAGES, {"look_back": _LOOK_BACK, "users": self._users()})
        unread: dict[str, int] | None = None
        for client in list(self._clients):
            own = [row for row in rows if row["user_name"] == client.username]
            if client.known is None:
                client.known = {row["inbox_id"] for row in own if row["inbox_id"] <= client.after}
            for row in own:
                if row["inbox_id"] in client.known:
                    continue
                client.known.add(row["inbox_id"])
                if unread is None:
                    unread = await self._unread(connection)
                words = {"inbox_id": row["inbox_id"], "level": row["level"], "subject": row["subject"]}
                client.tell(
                    Event("message", {**words, "unread": unread.get(client.username, 0)}, number=row["inbox_id"])
                )

    async def _unread(self, connection: _Connection) -> dict[str, int]:
        return {row["user_name"]: row["unread"] for row in await _rows(connection, _UNREAD, {"users": self._users()})}

    def _users(self) -> list[str]:
        return list({client.username for client in self._clients})


async def _rows(
    connection: _Connection, query: LiteralString, values: dict[str, object] | None = None
) -> list[dict[str, Any]]:
    return await (await connection.execute(query, values)).fetchall()
