"""A form that is sent twice is one act: the second of a double click goes where the first one went.

Every page gives its forms a number (``form_id``). Number, path and content together are the key of a sending; whoever
sends a key first acts, whoever sends it again waits for the first and is led to the same page. Other content under the
same number (somebody went back and wrote something else) is another act, and so is a second try after a refusal.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, UploadFile

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fastapi import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from portal.database import Database

_WAITS_S, _LOOKS_EVERY_S = 10.0, 0.1
_SEE_OTHER = 303


class RepeatedFormError(Exception):
    """This very form was sent before; ``location`` is where its first sender went."""

    def __init__(self, location: str) -> None:
        super().__init__(location)
        self.location = location


@dataclass(frozen=True)
class Claim:
    """The right to act on a form; settled when the answer is known."""

    database: Database
    account_id: int
    key: bytes

    def settle(self, location: str | None) -> None:
        """Say where the sender went; None = nothing was done, whoever sends it again acts."""
        mine = {"account": self.account_id, "key": self.key, "location": location}
        with self.database.transaction() as connection:
            if location is None:
                connection.execute(
                    "delete from portal.form_use where account_id = %(account)s and form_key = %(key)s", mine
                )
            else:
                connection.execute(
                    "update portal.form_use set location = %(location)s "
                    "where account_id = %(account)s and form_key = %(key)s",
                    mine,
                )


def claim(
    database: Database, account_id: int, request: Request, form_id: str, fields: Iterable[tuple[str, object]]
) -> Claim:
    """Be the first to send this form.

    Args:
        database: The portal's database.
        account_id: Who sends it.
        request: The request, for its path and where it came from.
        form_id: The number that the page gave its forms.
        fields: Everything in the form.

    Raises:
        RepeatedFormError: somebody (the same person, a moment ago) was first.
    """
    key = _key(form_id, request.url.path, fields)
    mine = {"account": account_id, "key": key}
    until = time.monotonic() + _WAITS_S
    while True:
        with database.transaction() as connection:
            is_first = connection.execute(
                "insert into portal.form_use (account_id, form_key) values (%(account)s, %(key)s) "
                "on conflict do nothing",
                mine,
            ).rowcount
            if is_first:
                connection.execute(
                    "delete from portal.form_use where claimed_at < clock_timestamp() - interval '1 day'"
                )
                return Claim(database, account_id, key)
            row = connection.execute(
                "select location from portal.form_use where account_id = %(account)s and form_key = %(key)s", mine
            ).fetchone()
        if row is not None and row["location"] is not None:
            raise RepeatedFormError(row["location"])
        if row is not None and time.monotonic() > until:
            # The first is still at it, or died; the page they came from shows what became of it.
            raise RepeatedFormError(urlsplit(request.headers.get("referer", "")).path or "/")
        if row is not None:
            time.sleep(_LOOKS_EVERY_S)


def _key(form_id: str, path: str, fields: Iterable[tuple[str, object]]) -> bytes:
    digest = hashlib.sha256()
    for name, value in [("form_id", form_id), ("path", path), *fields]:
        if name == "form_token":
            continue
        for part in (name, _content(value) if isinstance(value, UploadFile) else str(value)):
            digest.update(f"{len(part)}:{part}".encode("utf-8", "surrogatepass"))
    return digest.digest()


def _content(upload: UploadFile) -> str:
    digest = hashlib.file_digest(upload.file, "sha256").hexdigest()  # type: ignore[arg-type]
    upload.file.seek(0)
    return f"{upload.filename}\n{digest}"


class SettleForms:
    """ASGI middleware: when the answer is known, so is what became of the form."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def settling(message: Message) -> None:
            if message["type"] == "http.response.start" and "form_claim" in scope.get("state", {}):
                held: Claim = scope["state"].pop("form_claim")
                location = Headers(raw=message["headers"]).get("location")
                await run_in_threadpool(held.settle, location if message["status"] == _SEE_OTHER else None)
            await send(message)

        await self._app(scope, receive, settling)
