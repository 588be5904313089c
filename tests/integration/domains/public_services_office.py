"""The one-stop stand-in behind real HTTP, the corridor that reads it, and its figures counted a second time.

Nothing here knows our SQL: figures come from the office's own book of changes, by the definitions of the one-stop
system and of QĐ 766/QĐ-TTg.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from sandbox.api import VIETNAM
from sandbox.public_services.catalogue import PROCEDURES

if TYPE_CHECKING:
    from sandbox.public_services.play import PublicServices
    from tests.integration.domains.conftest import Corridor

DOMAIN = "public_services"
CHANNELS = {1: "Trực tiếp", 2: "Trực tuyến", 3: "Bưu chính công ích"}
OPEN, RUNNING, SUPPLEMENT, STOPPED, RETURNED, FINISHED = (2, 4, 5, 6, 8), (2, 4), (5, 6), (8,), (7,), (9, 10)
# What the dashboard's charts call it, or the column where none does → what :meth:`Office.closed_day` calls it.
DAILY = {
    "received_sum": "received", "sum(received_late_count)": "received late", "sum(carried_over_count)": "carried over",
    "processed_sum": "processed", "before_due_sum": "before due", "on_due_sum": "on due",
    "processed_overdue_sum": "processed late", "returned_sum": "returned", "in_process_sum": "in process",
    "sum(in_process_on_time_count)": "in time", "in_process_overdue_sum": "overdue", "sum(near_due_count)": "near due",
    "supplement_sum": "supplement", "sum(stopped_count)": "stopped",
}  # fmt: skip

Record = dict[str, Any]
Life = list[tuple[datetime, Record]]


def said(text: str) -> datetime | None:
    """A moment as the system writes it."""
    return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=VIETNAM) if text else None


def day_of(text: str) -> date | None:
    moment = said(text)
    return moment.date() if moment else None


def begins(day: date) -> datetime:
    return datetime.combine(day, time(), VIETNAM)


def counts(record: Record | None) -> bool:
    """Neither deleted nor refused nor still waiting to be received."""
    return record is not None and not record["DaXoa"] and record["TrangThaiHoSo"] not in (1, 3)


@dataclass
class Office:
    """The stand-in, an evening of three days ago by its clock.

    Attributes:
        entered_late: Change of the book (key, moment) → when it was so.
    """

    corridor: Corridor
    play: PublicServices
    url: str
    entered_late: dict[tuple[str, datetime], datetime] = field(default_factory=dict)

    def load(self) -> None:
        self.play.advance(0)
        self.corridor.load(
            DOMAIN, f"{self.url}/mot-cua#dossiers", f"{self.url}/danh-muc#units", f"{self.url}/bao-cao#totals"
        )

    def units(self) -> dict[str, str]:
        """The source's code of a unit → ours."""
        return dict(self.corridor.query("select source_unit_code, unit_code from marts.dim_public_service_unit"))

    def records(self) -> list[Record]:
        return [{"MaHoSo": key, **record} for key, record in self.play.store.records().items()]

    def lives(self) -> dict[str, Life]:
        """Every record of the store at each of its changes: what was true when, by the office's own book."""
        lives: dict[str, Life] = {}
        for change in self.play.store.happened:
            life = lives.setdefault(change.key, [])
            moment = self.entered_late.get((change.key, change.at), change.at)
            life.append((moment, {**(life[-1][1] if life else {}), **(change.fields or {})}))
        return lives

    # -- closed days ---------------------------------------------------------------------------------------------------

    def closed_days(self) -> dict[tuple[date, str, str, str], Counter[str]]:
        """Day, our unit, field, channel → figures, from the first of all days to yesterday."""
        lives, units = self.lives(), self.units()
        last = datetime.now(VIETNAM).date() - timedelta(days=1)
        day = min(life[0][0] for life in lives.values()).astimezone(VIETNAM).date()
        figures: dict[tuple[date, str, str, str], Counter[str]] = defaultdict(Counter)
        while day <= last:
            starts, ends = begins(day), begins(day + timedelta(days=1))
            for key, life in list(lives.items()):
                before, after = at(life, starts), at(life, ends)
                for name in figures_of(before, after, day):
                    shown = after or before or {}
                    channel = CHANNELS[shown["KenhThucHien"] or 1]
                    figures[day, units[shown["DonViXuLy"]], shown["TenLinhVuc"], channel][name] += 1
                if before is life[-1][1] and not (counts(before) and before["TrangThaiHoSo"] in OPEN):
                    # Nothing will come of it any more.
                    del lives[key]
            day += timedelta(days=1)
        return figures

    # -- QĐ 766 --------------------------------------------------------------------------------------------------------

    def on_time_766(self, month: date) -> dict[str, Counter[str]]:
        """Our unit → ``base``, ``on time`` and ``unjudged`` dossiers of a month, up to now in the running one."""
        units, days_off = self.units(), self.days_off()
        following = (month + timedelta(days=32)).replace(day=1)
        starts, ends = begins(month), min(begins(following), datetime.now(VIETNAM))
        found: dict[str, Counter[str]] = defaultdict(Counter)
        for whole in self.lives().values():
            life = [(moment, record) for moment, record in whole if moment < ends]
            if not life or not counts(life[-1][1]):
                continue
            record = life[-1][1]
            received = said(record["NgayTiepNhan"])
            assert received is not None
            spans = statuses(life, ends)
            finished = [begun for begun, _, status, before in spans if status in FINISHED and before not in FINISHED]
            if not (starts <= received < ends or any(starts <= moment < ends for moment in finished)):
                continue
            asked = [(begun, ended) for begun, ended, status, _ in spans if status == 5]
            due = next((moment for _, one in life if (moment := said(one["NgayHenTra"]))), None)
            due = due or longest(record["MaTTHC"], received, days_off)
            waiting = spans[-1][2] == 5
            if record["TrangThaiHoSo"] in (*FINISHED, *RETURNED):
                groups = FINISHED if record["TrangThaiHoSo"] in FINISHED else RETURNED
                measured = [begun for begun, _, status, before in spans if status in groups and before not in groups][
                    -1
                ]
            else:
                measured = asked[-1][0] if waiting else ends
            if not waiting:
                measured -= sum((ended - begun for begun, ended in asked), timedelta())
            counter = found[units[record["DonViXuLy"]]]
            if len(asked) <= 1 and due is None:
                counter["unjudged"] += 1
            else:
                counter["base"] += 1
                counter["on time"] += len(asked) <= 1 and due is not None and measured <= due
        return found

    def days_off(self) -> dict[date, str]:
        """The editable calendar's special days."""
        return dict(self.corridor.query("select day, kind from ref.holiday where calendar_code = 'hanh_chinh'"))


def at(life: Life, moment: datetime) -> Record | None:
    """What was true just before a moment."""
    found = None
    for changed, record in life:
        if changed >= moment:
            break
        found = record
    return found


def figures_of(before: Record | None, after: Record | None, day: date) -> list[str]:
    """In which figures of a day a dossier counts, by what it was when the day began and when it ended."""
    was = before["TrangThaiHoSo"] if before and counts(before) else None
    names = ["carried over"] if was in OPEN else []
    if after is None or not counts(after):
        return names
    status, due_at = after["TrangThaiHoSo"], said(after["NgayHenTra"])
    due = due_at.date() if due_at else None
    if day_of(after["NgayTiepNhan"]) == day and was is None:
        names += ["received"] + ["received late"] * (after["NgayTiepNhan"] > after["HanTiepNhan"])
    if status in FINISHED and was not in FINISHED:
        names += [
            "processed",
            "processed late" if due and due < day else "before due" if due and due > day else "on due",
        ]
    if status in RETURNED and was not in RETURNED:
        names.append("returned")
    if status in RUNNING:
        names += ["in process", "overdue" if due and due < day else "in time"]
        ends = begins(day + timedelta(days=1))
        names += ["near due"] * bool(due_at and due and due > day and due_at - timedelta(hours=24) <= ends)
    return names + ["supplement"] * (status in SUPPLEMENT) + ["stopped"] * (status in STOPPED)


def statuses(life: Life, ends: datetime) -> list[tuple[datetime, datetime, int, int | None]]:
    """Runs of one status: from, until, which, the one before."""
    runs: list[tuple[datetime, int]] = []
    for moment, record in life:
        if not runs or runs[-1][1] != record["TrangThaiHoSo"]:
            runs.append((moment, record["TrangThaiHoSo"]))
    until = [moment for moment, _ in runs[1:]] + [ends]
    before = [None, *(status for _, status in runs[:-1])]
    return [(begun, end, status, was) for (begun, status), end, was in zip(runs, until, before, strict=True)]


def work_days_between(since: date, upto: date, days_off: dict[date, str]) -> int:
    """Working days after ``since``, up to and with ``upto``."""
    return sum(is_work_day(since + timedelta(days=number), days_off) for number in range(1, (upto - since).days + 1))


def is_work_day(day: date, days_off: dict[date, str]) -> bool:
    return days_off.get(day, "off" if day.weekday() >= 5 else "make_up") == "make_up"


def longest(procedure: str, received: datetime, days_off: dict[date, str]) -> datetime | None:
    """End of the procedure's longest time; what comes after 15:00 or on a day off counts from the next working day."""
    left = next((one.work_days for one in PROCEDURES if one.code == procedure), None)
    if left is None:
        return None
    civil = received.astimezone(VIETNAM)
    day = civil.date()
    left += civil.time() >= time(15) or not is_work_day(day, days_off)
    while left:
        day += timedelta(days=1)
        left -= is_work_day(day, days_off)
    return begins(day) + timedelta(hours=17)
