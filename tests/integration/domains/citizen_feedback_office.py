"""The sandbox's office of citizens' feedback behind a real port, with a clock that a test moves.

Its reports are told a second time here, from the office's own book of changes, by nothing of ours.
"""

from __future__ import annotations

import re
import unicodedata
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sandbox.api import VIETNAM, Interface, serve
from sandbox.citizen_feedback import play, reports, words
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


# -- what the reports amount to ----------------------------------------------------------------------------------------

_CLOSED = ("Đã trả lời", "Đã công khai", "Từ chối", "Trùng")
_RATINGS = {"Rất hài lòng": 5, "Hài lòng": 4, "Bình thường": 3}
_BUCKETS = {1: "Trong 1 ngày", 3: "1 đến 3 ngày", 5: "3 đến 5 ngày", 7: "5 đến 7 ngày", 10: "7 đến 10 ngày",
            17: "10 đến 17 ngày"}  # fmt: skip
# What came of the communes of before 1/7/2025 that the stories name.
_FORMER = {"xa hoang luu": "15976", "thi tran but son": "15865", "phuong dong tho": None}


def plain(name: str) -> str:
    """A unit's name without marks, capitals and titles: what is left of it tells the place."""
    letters = "".join(c for c in unicodedata.normalize("NFD", name.lower()) if not unicodedata.combining(c))
    letters = re.sub(r"\bx\.", "xa ", re.sub(r"\bp\.", "phuong ", letters.replace("đ", "d")))
    return " ".join(re.sub(r"\b(ubnd|uy ban nhan dan)\b", " ", letters).split())


_PLACES = {plain(one.name): one.code for one in reports.communes()} | _FORMER
_UNITS = {plain(name): code for code, names in words.DEPARTMENTS.items() for name in names} | _PLACES
_COMMUNES = {one.code: one.name for one in reports.communes()}
assert len(_PLACES) == 166 + len(_FORMER), "no two communes are the same without marks"


def unit_of(record: dict[str, Any]) -> str | None:
    """Our code of the handling unit; of one that nobody knows, the name as it is; None while there is none."""
    unit = record.get("donViXuLy") or {}
    if not unit.get("ten"):
        return None
    return str(unit["ma"] or _UNITS.get(plain(unit["ten"])) or unit["ten"])


def known(unit: str | None) -> str | None:
    return unit if unit in {*words.DEPARTMENTS, *_COMMUNES} else None


@dataclass(frozen=True)
class Report:
    """One report, by the office's book."""

    key: str
    field: str
    channel: str
    status: str
    unit: str | None
    commune: str | None
    begun: datetime
    due: datetime
    answered: datetime | None
    published: datetime | None
    is_time_wrong: bool
    rating: int | None
    events: tuple[tuple[datetime, str, str | None], ...]
    open_spans: tuple[tuple[datetime, datetime], ...]

    @property
    def is_open(self) -> bool:
        return self.status not in _CLOSED

    @property
    def is_in_time(self) -> bool | None:
        return self.answered <= self.due if self.answered else None

    @property
    def response_days(self) -> float | None:
        fits = self.answered and not self.is_time_wrong and self.answered >= self.begun
        return (self.answered - self.begun).total_seconds() / 86400 if self.answered and fits else None

    @property
    def bucket(self) -> str | None:
        days = self.response_days
        return None if days is None else next((name for to, name in _BUCKETS.items() if days < to), "Quá 17 ngày")

    def happened(self, what: str) -> int:
        return sum(name == what for _, name, _ in self.events)

    def is_overdue(self, now: datetime) -> bool:
        return self.is_open and self.due < now

    def is_near(self, now: datetime) -> bool:
        left = self.due - now
        return self.is_open and left >= timedelta() and (
            left <= timedelta(days=2) or left <= 0.2 * (self.due - self.begun)
        )  # fmt: skip


def read(office: Office) -> list[Report]:
    """Every report that the office holds."""
    lives: dict[str, list[tuple[datetime, dict[str, Any]]]] = {}
    for change in office.store.happened:
        life = lives.setdefault(change.key, [])
        life.append((change.at, {**(life[-1][1] if life else {}), **(change.fields or {})}))
    return [_report(key, life) for key, life in lives.items()]


def _report(key: str, life: list[tuple[datetime, dict[str, Any]]]) -> Report:
    changed, record = life[-1]
    sent, received, finished, published = (
        moment(record.get(name)) for name in ("thoiGianGui", "thoiGianTiepNhan", "thoiGianXuLyXong", "thoiGianCongKhai")
    )
    # From receipt on; what claims to begin later than it was changed last has a wrong clock.
    begun = min(received or sent or changed, changed)
    due = moment(record.get("hanXuLy"))
    if due is None:
        due = begun.astimezone(VIETNAM).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=18)
    elif (due.hour, due.minute) == (0, 0):
        due += timedelta(days=1)
    said = [at for at in (sent, received, finished, published) if at]
    wrong = max(said) > datetime.now(UTC) or bool(
        (finished and received and finished < received) or (received and sent and received < sent)
    )
    answered = finished if record["trangThai"] in ("Đã trả lời", "Đã công khai") else None
    events, spans = _events(life, begun)
    place = record.get("maDvhc")
    if place not in _COMMUNES:
        place = _PLACES.get(plain(record.get("tenDvhc") or ""))
    rating = record.get("danhGia")
    return Report(
        key, record["linhVuc"], record["kenh"], record["trangThai"], unit_of(record), place, begun, due, answered,
        published, wrong, (_RATINGS.get(rating) or int(rating)) if rating else None, tuple(events), tuple(spans),
    )  # fmt: skip


def _events(
    life: list[tuple[datetime, dict[str, Any]]], begun: datetime
) -> tuple[list[tuple[datetime, str, str | None]], list[tuple[datetime, datetime]]]:
    """What happened to a report, with the unit that it happened to, and from when until when it was open."""
    first_unit = next((unit for _, one in life if (unit := unit_of(one))), None)
    events: list[tuple[datetime, str, str | None]] = [(begun, "received", first_unit)]
    spans, open_since, unit = [], begun, None
    is_open = True
    for at, one in life:
        if (now := unit_of(one)) and unit and now != unit:
            events.append((at, "transferred", now))
        unit = now or unit
        was_open, is_open = is_open, one["trangThai"] not in _CLOSED
        if was_open and not is_open:
            name = {"Từ chối": "rejected", "Trùng": "duplicate"}.get(one["trangThai"], "answered")
            events.append((at, name, unit))
            spans.append((open_since, at))
        if is_open and not was_open:
            events.append((at, "reopened", unit))
            open_since = at
    if is_open:
        spans.append((open_since, datetime.max.replace(tzinfo=UTC)))
    return events, spans


def day_of(at: datetime) -> date:
    return at.astimezone(VIETNAM).date()


def percentile(values: list[float], share: float) -> float | None:
    """Linear between the two nearest, as statisticians' type 7."""
    if not values:
        return None
    ordered, place = sorted(values), share * (len(values) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)
