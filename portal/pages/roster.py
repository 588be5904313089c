"""The duty roster, a week at a time, with the hours that nobody has taken."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated, NamedTuple

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from alerts.incidents import ActRefusedError
from alerts.recipients import people, rosters
from portal.language import ZONE
from portal.web import Config, ForbiddenError, SignedIn, local_moment, own_form, render

if TYPE_CHECKING:
    from portal.users import User

router = APIRouter(include_in_schema=False)
_TIMES = "Cần đủ giờ bắt đầu và giờ kết thúc của ca trực."


@dataclass(frozen=True)
class Entry:
    """What a day shows: a shift, or a gap (``shift`` None), as far as it lies in that day."""

    since: datetime
    until: datetime
    shift: rosters.Shift | None
    is_now: bool


def _may_edit(user: User, unit: str) -> bool:
    """Those who run the system everywhere, an officer the roster of the own unit."""
    return user.is_engineer or (user.role == "officer" and user.unit_code == unit)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), ZONE)


def _monday(text: str, now: datetime) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = now.astimezone(ZONE).date()
    # The calendar of Python ends; a week must lie in it.
    day = min(max(day, date(2020, 1, 6)), date(2100, 1, 4))
    return day - timedelta(days=day.weekday())


class Where(NamedTuple):
    """Which roster, and a day of the week that is shown."""

    unit: str
    role: str
    week: str


def _page(request: Request, settings: Config, user: User, where: Where, *, problem: str | None = None) -> HTMLResponse:
    unit, role, week = where
    now = datetime.now(UTC)
    known = rosters.rosters(settings)
    if not unit:
        own = next((one for one in known if one.unit_code == user.unit_code), None)
        first = own or next((one for one in known if one.unit_code == "IOC"), None) or (known[0] if known else None)
        unit, role = (first.unit_code, first.role) if first else (user.unit_code or "IOC", "truc_ban")
    role = role if role in people.ROLES else "truc_ban"
    monday = _monday(week, now)
    since, until = _midnight(monday), _midnight(monday + timedelta(days=7))
    shifts = rosters.shifts(unit, role, since, until, settings)
    gaps = rosters.gaps(unit, role, max(since, now), until, settings) if until > now else []
    taken: list[rosters.Shift | rosters.Gap] = [*shifts, *gaps]
    days = []
    for number in range(7):
        day = monday + timedelta(days=number)
        begin, end = _midnight(day), _midnight(day + timedelta(days=1))
        entries = [
            Entry(max(one.since, begin), min(one.until, end), one if isinstance(one, rosters.Shift) else None,
                  one.since <= now < one.until)
            for one in taken
            if one.since < end and one.until > begin
        ]  # fmt: skip
        days.append((day, sorted(entries, key=lambda entry: (entry.since, entry.shift is None))))
    names = dict(people.units(settings))
    return render(
        request,
        "roster.html",
        status=422 if problem else 200,
        problem=problem,
        rosters=known,
        unit=unit,
        unit_name=names.get(unit, unit),
        role=role,
        roles=people.ROLES,
        units=people.units(settings),
        days=days,
        today=now.astimezone(ZONE).date(),
        monday=monday,
        week_before=monday - timedelta(days=7),
        week_after=monday + timedelta(days=7),
        gap_hours=sum(((gap.until - gap.since) / timedelta(hours=1) for gap in gaps), 0.0),
        has_roster=any((one.unit_code, one.role) == (unit, role) for one in known),
        staff=[card for card in people.contacts(settings) if card.is_active],
        may_edit=_may_edit(user, unit),
    )


@router.get("/lich-truc", response_class=HTMLResponse)
def roster_page(
    request: Request, settings: Config, user: SignedIn, *, don_vi: str = "", vai_tro: str = "truc_ban", tuan: str = ""
) -> HTMLResponse:
    """A week of the roster of one role of one unit; ``tuan`` is a day of the week."""
    return _page(request, settings, user, Where(don_vi, vai_tro, tuan))


def _editor(user: User, unit: str) -> None:
    if not _may_edit(user, unit):
        raise ForbiddenError


def _back(unit: str, role: str, week: str) -> RedirectResponse:
    return RedirectResponse(f"/lich-truc?don_vi={unit}&vai_tro={role}&tuan={week}", status_code=303)


@router.post("/lich-truc", dependencies=[Depends(own_form)])
def add_shift(
    request: Request,
    settings: Config,
    user: SignedIn,
    *,
    unit: Annotated[str, Form()] = "",
    role: Annotated[str, Form()] = "",
    week: Annotated[str, Form()] = "",
    contact: Annotated[str, Form()] = "",
    since: Annotated[str, Form()] = "",
    until: Annotated[str, Form()] = "",
    note: Annotated[str, Form()] = "",
) -> Response:
    """Put somebody on duty."""
    _editor(user, unit)
    begins, ends = local_moment(since), local_moment(until)
    try:
        if begins is None or ends is None:
            raise ActRefusedError(_TIMES)
        rosters.add_shift(unit, role, contact, (begins, ends), user.username, note=note, settings=settings)
    except ActRefusedError as refused:
        return _page(request, settings, user, Where(unit, role, week), problem=str(refused))
    return _back(unit, role, begins.astimezone(ZONE).date().isoformat())


@router.post("/lich-truc/{number}/doi", dependencies=[Depends(own_form)])
def move_shift(
    request: Request,
    settings: Config,
    user: SignedIn,
    number: int,
    *,
    since: Annotated[str, Form()] = "",
    until: Annotated[str, Form()] = "",
    week: Annotated[str, Form()] = "",
) -> Response:
    """Give a shift other times."""
    unit, role = _roster_of(number, settings)
    _editor(user, unit)
    begins, ends = local_moment(since), local_moment(until)
    try:
        if begins is None or ends is None:
            raise ActRefusedError(_TIMES)
        rosters.move_shift(number, begins, ends, user.username, settings=settings)
    except ActRefusedError as refused:
        return _page(request, settings, user, Where(unit, role, week), problem=str(refused))
    return _back(unit, role, week)


@router.post("/lich-truc/{number}/xoa", dependencies=[Depends(own_form)])
def remove_shift(
    request: Request, settings: Config, user: SignedIn, number: int, week: Annotated[str, Form()] = ""
) -> Response:
    """Take a shift out."""
    unit, role = _roster_of(number, settings)
    _editor(user, unit)
    try:
        rosters.remove_shift(number, user.username, settings)
    except ActRefusedError as refused:
        return _page(request, settings, user, Where(unit, role, week), problem=str(refused))
    return _back(unit, role, week)


def _roster_of(number: int, settings: Config) -> tuple[str, str]:
    try:
        shift = rosters.shift(number, settings)
    except ActRefusedError:
        # Whose it was is not known any more; nobody but those who may do everything gets past.
        return "", "truc_ban"
    return shift.unit_code, shift.role
