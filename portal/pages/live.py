"""The stream of server-sent events that keeps open pages fresh; without it they are plain pages."""

from __future__ import annotations

from collections.abc import AsyncIterator  # noqa: TC003  evaluated by FastAPI, as are the two of portal.web
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.exceptions import HTTPException

from portal import live, sessions
from portal.web import Reader, SignedIn  # noqa: TC001

router = APIRouter(include_in_schema=False)
_RECONNECT_MS = 3000


async def _client(
    request: Request,
    who: Reader,
    user: SignedIn,
    after: int = 0,
    last_event_id: Annotated[int | None, Header()] = None,
) -> AsyncIterator[live.Client]:
    """The page as a member of the hub, for as long as its stream is open."""
    hub: live.Hub = request.app.state.live
    try:
        client = hub.join(user.username, sessions.token_hash(who.token or ""), last_event_id or after)
    except live.TooManyError as error:
        raise HTTPException(503) from error
    try:
        yield client
    finally:
        hub.leave(client)


@router.get("/api/live", response_class=EventSourceResponse)
async def stream(client: Annotated[live.Client, Depends(_client)]) -> AsyncIterator[ServerSentEvent]:
    """Events of one open page until it is closed, its session ends or the portal stops; 401 without a session."""
    yield ServerSentEvent(comment="live", retry=_RECONNECT_MS)
    while True:
        event = await client.queue.get()
        number = None if event.number is None else str(event.number)
        yield ServerSentEvent(event=event.name, data=event.data, id=number)
        if event.name == "bye":
            return
