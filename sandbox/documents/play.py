"""The stand-in of the document system: three lists of one office, and the page of every document."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter

from ioc.secrets import Secrets
from sandbox.api import Interface
from sandbox.documents.letters import KINDS, VIETNAM, Kind, Letter
from sandbox.documents.plan import letters_of
from sandbox.documents.stories import planted
from sandbox.store import Clock, Store, kept_anchor

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from starlette.responses import HTMLResponse

    from ioc.settings import Settings

PATHS: dict[Kind, str] = {"incoming": "/van-ban-den", "outgoing": "/van-ban-di", "internal": "/van-ban-noi-bo"}
_STOCK_DAYS, _AHEAD = 30, timedelta(days=4)


class Office:
    """The stand-in; see :class:`sandbox.stand_in.StandIn`.

    Args:
        folder: ``IOC_HOME/sandbox``; the anchor, the end of the first history, survives there.
        seed: Of the sandbox.
        days: Days of history.
        password: Of the login ``ioc``.
        clock: The office's clock.
    """

    def __init__(self, folder: Path, seed: int, days: int, password: str, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        hour = self.clock.now().astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        self.anchor = kept_anchor(folder / "documents.json", hour)
        self._seed = seed
        history: dict[Kind, list[Letter]] = {kind: [] for kind in KINDS}
        first = self.anchor.astimezone(VIETNAM).date() - timedelta(days=days)
        for number in range(1, _STOCK_DAYS + 1):
            for letter in letters_of(first - timedelta(days=number), seed, stock=True):
                history[letter.kind].append(letter)
        self._planned_to = max(self.anchor, self.clock.now()).astimezone(VIETNAM).date() + _AHEAD
        for number in range((self._planned_to - first).days + 1):
            for letter in letters_of(first + timedelta(days=number), seed):
                history[letter.kind].append(letter)
        for letter in planted(self.anchor):
            history[letter.kind].append(letter)
        tokens: dict[str, datetime] = {}
        self.lists = {
            kind: Interface(
                Store(self.clock, [change for letter in history[kind] for change in letter.changes]),
                path="", password=password, paging="offset", most=200, tokens=tokens,
            )
            for kind in KINDS
        }  # fmt: skip
        self.router = APIRouter()
        # One login for all three; the orders of each stand below its own list.
        self.router.add_api_route("/token", self.lists["incoming"].token, methods=["POST"])
        self.router.add_api_route("/xem/{key}", self._item, methods=["GET"])
        for kind, one in self.lists.items():
            self.router.include_router(one.router, prefix=PATHS[kind])

    def advance(self, now: int) -> int:
        del now
        while self._planned_to < self.clock.now().astimezone(VIETNAM).date() + timedelta(days=3):
            self._planned_to += timedelta(days=1)
            self._plan(self._planned_to)
        return sum(one.store.advance() for one in self.lists.values())

    def health(self) -> dict[str, Any]:
        return {kind: len(one.store.records()) for kind, one in self.lists.items()}

    def _plan(self, day: date) -> None:
        for letter in letters_of(day, self._seed):
            for change in letter.changes:
                self.lists[letter.kind].store.plan(change)

    def _item(self, key: str) -> HTMLResponse:
        """The page of a document, whatever list it stands in."""
        one = next((one for one in self.lists.values() if key in one.store.records()), self.lists["incoming"])
        return one.item(key)


def stand_in(settings: Settings) -> Office:
    secret = Secrets.of(settings).get("sandbox_documents")
    return Office(settings.home / "sandbox", settings.sandbox_seed, settings.sandbox_days, secret)
