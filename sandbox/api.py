"""A kit for stand-ins of HTTP interfaces: login, paging, changes since a moment, and every way to misbehave.

A domain brings its records as planned changes (:mod:`sandbox.store`), made from the seed; the kit plays the office
around them. What the store holds is what a dashboard must show: tests count figures in it.

    store = Store(clock, changes)
    office = Interface(store, user="ioc", password=…, path="/ho-so", paging="page")
    office.router               # below /<domain> of the sandbox; or serve(office.application()) in a test

Orders over HTTP, beside the interface: ``POST /clock``, ``POST /change``, ``POST /fault``, ``GET /questions``.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import secrets
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from html import escape
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlencode

import uvicorn
from fastapi import APIRouter, FastAPI, Request
from pydantic import BaseModel, Field
from starlette.responses import HTMLResponse, Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from starlette.types import Receive, Scope, Send

    from sandbox.store import Store

VIETNAM = timezone(timedelta(hours=7))
FaultKind = Literal[
    "status",  # value: the status, 503 by default; with ``retry_after`` in seconds or "date:<seconds>"
    "expired",  # every token is worth nothing from now on
    "slow",  # value: seconds of silence
    "broken",  # the connection ends within the body
    "truncated",  # half of the JSON, with its own length
    "html",  # a page for people with status 200
    "content_type",  # the right JSON, called text/html
    "said",  # status 200, and the body says that it failed
    "empty",  # a page without records
    "repeat",  # the first page, whatever is asked for
    "grown",  # value: fields that every record has besides
    "retyped",  # value: the field that becomes an object
    "garbled",  # value: what stands in place of the first record
    "contradiction",  # value: fields in which the last record of the page is repeated
    "encoding",  # value: cp1258 or utf-16
]
_ITEM = (
    "<!doctype html><html lang=vi><head><meta charset=utf-8><meta name=viewport content='width=device-width'>"
    "<title>{title}</title></head><body><p>Hệ thống nguồn (mô phỏng)</p><h1>{title}</h1><table>{rows}</table>"
    "</body></html>"
)
_PAGE_FOR_PEOPLE = "<!doctype html><html><head><title>Hệ thống đang bảo trì</title></head><body>…</body></html>"


@dataclass
class Fault:
    """What goes wrong with questions to come; see :data:`FaultKind` for ``value``.

    Attributes:
        count: With how many questions; 0 = none.
        after: Questions that are answered well before.
        where: ``records`` or ``token``.
        retry_after: With ``status``: header ``Retry-After`` in seconds, or ``date:<seconds>`` for a date.
    """

    kind: FaultKind
    value: Any = None
    count: int = 1
    after: int = 0
    where: Literal["records", "token"] = "records"
    retry_after: str = ""


@dataclass(frozen=True)
class Question:
    """One line of the log: what was asked, and what was answered."""

    path: str
    query: dict[str, str]
    status: int
    records: int = 0


class FaultOrder(BaseModel):
    """Body of ``POST /fault``; see :class:`Fault`."""

    kind: FaultKind
    value: Any = None
    count: int = Field(default=1, ge=0)
    after: int = Field(default=0, ge=0)
    where: Literal["records", "token"] = "records"
    retry_after: str = ""


class ChangeOrder(BaseModel):
    """Body of ``POST /change``: new fields of a record, or null to delete it."""

    key: str
    fields: dict[str, Any] | None = None


class ClockOrder(BaseModel):
    """Body of ``POST /clock``: how far to move, in seconds."""

    seconds: float


class Interface:
    """One interface over a store.

    Args:
        store: The records.
        path: Where they are asked for; the token endpoint is ``/token``.
        key_field: Field of the key, and ``changed_field`` of the time of change.
        login: ``none``, ``basic``, ``key`` (header ``X-API-Key``), or ``token`` for ``token_s`` seconds.
        user: Login.
        password: Login.
        paging: ``none``, ``page``, ``offset``, ``link``, ``cursor`` (in order of change), or ``keyset`` (by
            ``updatedSince`` alone).
        most: Records in a page at most, whatever is asked for.
        order: ``changed``, ``newest`` (first) or ``key``.
        token_s: Life of a token by the office's clock.
        counts: Whether an answer says how many records there are.
        per_minute: Questions per minute of real time before 429; 0 = no limit.
        tokens: Tokens in force, shared with other lists behind the same login.
    """

    def __init__(
        self,
        store: Store,
        *,
        path: str = "/records",
        key_field: str = "id",
        changed_field: str = "updatedAt",
        login: Literal["none", "basic", "key", "token"] = "token",
        user: str = "ioc",
        password: str = "secret",
        paging: Literal["none", "page", "offset", "link", "cursor", "keyset"] = "page",
        most: int = 100,
        order: Literal["changed", "newest", "key"] = "changed",
        token_s: float = 3600,
        counts: bool = True,
        per_minute: int = 0,
        tokens: dict[str, datetime] | None = None,
    ) -> None:
        self.store, self.path = store, path
        self.key_field, self.changed_field = key_field, changed_field
        self.login, self.user, self.password = login, user, password
        self.paging, self.most, self.order, self.counts = paging, most, order, counts
        self.token_s, self.per_minute = token_s, per_minute
        self.questions: list[Question] = []
        self._faults: list[Fault] = []
        self._meanwhile: list[tuple[int, Callable[[], None]]] = []
        self._tokens: dict[str, datetime] = {} if tokens is None else tokens
        self._asked_at: list[float] = []
        self.router = self._routes()

    # -- orders --------------------------------------------------------------------------------------------------------

    def misbehave(self, kind: FaultKind, value: Any = None, **named: Any) -> None:
        """Arm a fault beside those that are armed."""
        self._faults.append(Fault(kind, value, **named))

    def behave(self) -> None:
        """Disarm every fault."""
        self._faults.clear()

    def meanwhile(self, questions: int, act: Callable[[], None]) -> None:
        """Let something happen right after so many more questions for records were answered."""
        self._meanwhile.append((self._answered() + questions, act))

    def advance(self, now: int) -> int:
        """See :class:`sandbox.stand_in.StandIn`; the office's own clock says what is due."""
        del now
        return self.store.advance()

    def health(self) -> dict[str, Any]:
        """See :class:`sandbox.stand_in.StandIn`."""
        return {"records": len(self.store.records()), "now": self.store.clock.now().isoformat()}

    def application(self) -> FastAPI:
        """An application of its own, for a test."""
        application = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
        application.include_router(self.router)
        return application

    def _routes(self) -> APIRouter:
        router = APIRouter()
        router.add_api_route(self.path, self._records, methods=["GET", "POST"])
        router.add_api_route(f"{self.path}/{{key}}/xem", self.item, methods=["GET"])
        router.add_api_route("/token", self.token, methods=["POST"])
        router.add_api_route("/fault", self._order_fault, methods=["POST"])
        router.add_api_route("/change", self._order_change, methods=["POST"])
        router.add_api_route("/clock", self._order_clock, methods=["POST"])
        router.add_api_route("/questions", self._log, methods=["GET"])
        return router

    def item(self, key: str) -> HTMLResponse:
        """The page of one record, as the office's own system shows it to its people."""
        record = self.store.records().get(key)
        if record is None:
            return HTMLResponse(_ITEM.format(title=escape(key), rows="<tr><td>Không tìm thấy</td></tr>"), 404)
        said = {name: v if isinstance(v, str) else json.dumps(v, ensure_ascii=False) for name, v in record.items()}
        rows = (f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in said.items())
        return HTMLResponse(_ITEM.format(title=escape(key), rows="".join(rows)))

    def _order_fault(self, order: FaultOrder) -> FaultOrder:
        self._faults.append(Fault(**order.model_dump()))
        return order

    def _order_change(self, order: ChangeOrder) -> ChangeOrder:
        self.store.change(order.key, order.fields)
        return order

    def _order_clock(self, order: ClockOrder) -> dict[str, str]:
        self.store.clock.move(order.seconds)
        return {"now": self.store.clock.now().isoformat()}

    def _log(self) -> list[Question]:
        return self.questions

    # -- the office ----------------------------------------------------------------------------------------------------

    async def token(self, request: Request) -> Response:
        """Buys a token with user and password, or with a refresh token."""
        body = await request.body()
        given = json.loads(body) if "json" in request.headers.get("content-type", "") else dict(await request.form())
        if broken := await self._struck("token"):
            return broken
        renewed = given.get("grant_type") == "refresh_token" and given.get("refresh_token") in self._tokens
        if not renewed and (given.get("username"), given.get("password")) != (self.user, self.password):
            return self._answer({"error": "invalid_grant"}, 401, {})
        token, refresh = secrets.token_urlsafe(12), secrets.token_urlsafe(12)
        ends = self.store.clock.now() + timedelta(seconds=self.token_s)
        self._tokens |= {token: ends, refresh: ends + timedelta(days=1)}
        return self._answer({"access_token": token, "expires_in": self.token_s, "refresh_token": refresh}, 200, {})

    async def _records(self, request: Request) -> Response:
        query = {name: str(value) for name, value in request.query_params.items()}
        if request.method == "POST":
            query |= {name: str(value) for name, value in (await request.json()).items()}
        if self._too_fast():
            return self._logged(query, self._answer({"error": "slow down"}, 429, {"Retry-After": "1"}))
        if self._strike("expired") is not None:
            self._tokens.clear()
        if not self._knows(request, query):
            return self._logged(query, self._answer({"error": "unauthorized"}, 401, {}))
        if broken := await self._struck("records"):
            return self._logged(query, broken)
        return self._page(request, query)

    def _page(self, request: Request, query: Mapping[str, str]) -> Response:
        found = self._selected(query)
        if self.paging == "cursor" and "from" in query:
            # It stands for a record: what comes or goes before it moves nothing.
            moment, _, key = query["from"].partition("|")
            after = (datetime.fromisoformat(moment), key)
            found = [r for r in found if (datetime.fromisoformat(r[self.changed_field]), r[self.key_field]) > after]
        size = max(1, min(int(query.get("size", self.most)), self.most))
        start = self._start(query, size)
        if self._strike("repeat") is not None:
            start = 0
        shown = [] if self._strike("empty") is not None else found[start : start + size]
        if self.paging == "none":
            shown = found
        content: dict[str, Any] = {"items": self._spoilt(shown)}
        if self.counts:
            content["total"] = len(found)
        following = start + size
        if self.paging == "link" and following < len(found):
            asked = {name: value for name, value in query.items() if name not in ("from", "size")}
            content["next"] = f"{request.url.path}?{urlencode({**asked, 'size': size, 'from': following})}"
        elif self.paging == "cursor" and following < len(found):
            content["next"] = str(found[following - 1][self.changed_field]) + "|" + found[following - 1][self.key_field]
        now = self.store.clock.now()
        answer = {"code": 0, "data": content, "serverTime": now.astimezone(VIETNAM).isoformat()}
        if self._strike("said") is not None:
            answer = {"code": 500, "message": "Lỗi hệ thống", "data": None}
        response = self._spoilt_answer(answer, request)
        response = self._logged(query, response, len(shown))
        due = [act for after, act in self._meanwhile if after <= self._answered()]
        self._meanwhile = [(after, act) for after, act in self._meanwhile if after > self._answered()]
        for act in due:
            act()
        return response

    def _selected(self, query: Mapping[str, str]) -> list[dict[str, Any]]:
        since, until = (_moment(query.get(name)) for name in ("updatedSince", "updatedTo"))
        records = self.store.records()
        keys = self.store.changed(since, until)
        if self.order == "newest":
            keys.reverse()
        elif self.order == "key":
            keys.sort()
        return [
            {self.key_field: key, **records[key], self.changed_field: at.astimezone(VIETNAM).isoformat()}
            for key, at in keys
        ]

    def _start(self, query: Mapping[str, str], size: int) -> int:
        if self.paging == "page":
            return (int(query.get("page", "1")) - 1) * size
        name = {"offset": "offset", "link": "from"}.get(self.paging, "")
        return int(query.get(name, "0"))

    def _spoilt(self, shown: list[dict[str, Any]]) -> list[Any]:
        spoilt: list[Any] = [dict(record) for record in shown]
        if spoilt and (fault := self._strike("grown")):
            spoilt = [{**record, **fault.value} for record in spoilt]
        if spoilt and (fault := self._strike("retyped")):
            spoilt[0][fault.value] = {"value": spoilt[0].get(fault.value)}
        if spoilt and (fault := self._strike("contradiction")):
            spoilt.append({**spoilt[-1], **fault.value})
        if spoilt and (fault := self._strike("garbled")):
            spoilt[0] = fault.value
        return spoilt

    def _spoilt_answer(self, answer: dict[str, Any], request: Request) -> Response:
        text = json.dumps(answer, ensure_ascii=False)
        if not text.isprintable() and any("\ud800" <= character <= "\udfff" for character in text):
            # Half a character: JSON can only spell it.
            text = json.dumps(answer)
        if self._strike("truncated") is not None:
            return self._answer(text[: len(text) // 2], 200, {})
        if self._strike("broken") is not None:
            return _Broken(text.encode(), headers={"Content-Length": str(len(text.encode()))})
        if self._strike("content_type") is not None:
            return self._answer(text, 200, {"Content-Type": "text/html; charset=utf-8"})
        if fault := self._strike("encoding"):
            return self._answer(text.encode(fault.value, "replace"), 200, {})
        if "gzip" in request.headers.get("accept-encoding", ""):
            return self._answer(gzip.compress(text.encode()), 200, {"Content-Encoding": "gzip"})
        return self._answer(text, 200, {})

    async def _struck(self, where: str) -> Response | None:
        if fault := self._strike("slow", where):
            await asyncio.sleep(float(fault.value or 1))
        if fault := self._strike("status", where):
            headers = {}
            if fault.retry_after.startswith("date:"):
                wish = self.store.clock.now() + timedelta(seconds=float(fault.retry_after[5:]))
                headers["Retry-After"] = format_datetime(wish.astimezone(UTC), usegmt=True)
            elif fault.retry_after:
                headers["Retry-After"] = fault.retry_after
            return self._answer({"error": "trouble"}, int(fault.value or 503), headers)
        if self._strike("html", where) is not None:
            return self._answer(_PAGE_FOR_PEOPLE, 200, {"Content-Type": "text/html; charset=utf-8"})
        return None

    def _strike(self, kind: FaultKind, where: str = "records") -> Fault | None:
        for fault in self._faults:
            if fault.kind == kind and fault.where == where and fault.count > 0:
                if fault.after > 0:
                    fault.after -= 1
                    return None
                fault.count -= 1
                return fault
        return None

    def _knows(self, request: Request, query: Mapping[str, str]) -> bool:
        given = request.headers.get("authorization", "")
        if self.login == "none":
            return True
        if self.login == "key":
            return self.password in (request.headers.get("x-api-key"), query.get("key"))
        if self.login == "token":
            ends = self._tokens.get(given.removeprefix("Bearer "))
            return ends is not None and self.store.clock.now() < ends
        return given == "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()

    def _too_fast(self) -> bool:
        now = time.monotonic()
        self._asked_at = [at for at in self._asked_at if now - at < 60]
        if self.per_minute and len(self._asked_at) >= self.per_minute:
            return True
        self._asked_at.append(now)
        return False

    def _answered(self) -> int:
        return sum(question.path == self.path and question.status == 200 for question in self.questions)

    def _logged(self, query: Mapping[str, str], response: Response, records: int = 0) -> Response:
        self.questions.append(Question(self.path, dict(query), response.status_code, records))
        return response

    def _answer(self, content: Any, status: int, headers: dict[str, str]) -> Response:
        body = content if isinstance(content, str | bytes) else json.dumps(content, ensure_ascii=False)
        date = format_datetime(self.store.clock.now().astimezone(UTC), usegmt=True)
        return Response(body, status, {"Content-Type": "application/json", **headers, "Date": date})


class _Broken(Response):
    """Half of the body, then nothing: the server closes the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body[: len(self.body) // 2], "more_body": True})


@contextmanager
def serve(application: FastAPI, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve an application from a thread; gives its URL."""
    # The office's own Date header tells its own clock.
    config = uvicorn.Config(application, host=host, port=port, log_level="critical", date_header=False, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="office", daemon=True)
    thread.start()
    try:
        end = time.monotonic() + 10
        while not server.started and time.monotonic() < end:
            time.sleep(0.005)
        yield f"http://{host}:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


def _moment(text: str | None) -> datetime | None:
    if not text:
        return None
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=VIETNAM)
