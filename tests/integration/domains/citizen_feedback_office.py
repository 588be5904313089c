"""The sandbox's office of citizens' feedback behind a real port, with a clock that a test moves."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sandbox.api import VIETNAM, Interface, serve
from sandbox.citizen_feedback import play
from sandbox.store import Change, Clock, Store

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SEED = 36


class Office:
    """An interface with its address.

    Attributes:
        anchor: End of the first history.
        interface: The office.
        uri: Source URI of the list of reports.
    """

    def __init__(self, interface: Interface, url: str, anchor: datetime) -> None:
        self.interface, self.anchor = interface, anchor
        login = f"{interface.user}:{quote(interface.password, safe='')}@"
        self.uri = url.replace("://", f"://{login}") + "#reports"

    @property
    def store(self) -> Store:
        return self.interface.store

    def records(self) -> dict[str, dict[str, Any]]:
        return self.store.records()

    def at(self, moment: datetime) -> None:
        """Move the office's clock there."""
        self.store.clock.move((moment - self.store.clock.now()).total_seconds())


@contextmanager
def office(anchor: datetime, days: int = 30, changes: Iterable[Change] | None = None) -> Iterator[Office]:
    """The office as it stood at ``anchor``; its clock stands still until it is moved."""
    planned = play.changes(SEED, anchor, days) if changes is None else changes
    interface = play.interface(Store(Clock(anchor), planned), "mat-khau-thu")
    with serve(interface.application()) as url:
        yield Office(interface, url, anchor)


def recently(hours: float = 40) -> datetime:
    """So many hours ago, on the minute: a test can let days pass without reaching the future."""
    return (datetime.now(UTC) - timedelta(hours=hours)).replace(second=0, microsecond=0)


def moment(said: str | None) -> datetime | None:
    """A moment as the source writes it."""
    if not said:
        return None
    layout = "%d/%m/%Y %H:%M:%S" if ":" in said else "%d/%m/%Y"
    return datetime.strptime(said, layout).replace(tzinfo=VIETNAM)
