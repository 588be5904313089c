"""The working calendar: hours of the week, days off, days made up for. Deadlines and routes go by it."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Annotated, Literal, cast

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from alerts.incidents import ActRefusedError
from alerts.recipients import working_time
from portal.language import ZONE
from portal.web import Config, Engineer, NotFoundError, SignedIn, own_form, render

if TYPE_CHECKING:
    from portal.users import User

router = APIRouter(include_in_schema=False)


def _page(
    request: Request, settings: Config, user: User, code: str, year: int, *, problem: str | None = None
) -> HTMLResponse:
    known = working_time.calendars(settings)
    chosen = next((one for one in known if one.calendar_code == code), known[0] if known else None)
    now = datetime.now(UTC)
    return render(
        request,
        "work_calendar.html",
        status=422 if problem else 200,
        problem=problem,
        calendars=known,
        calendar=chosen,
        year=year,
        days=[one for one in chosen.holidays if one.day.year == year] if chosen else [],
        today=now.astimezone(ZONE).date(),
        is_working=working_time.is_working(chosen.calendar_code, now, settings) if chosen else False,
        may_edit=user.is_engineer,
    )


def _year(text: str) -> int:
    return int(text) if text.isdecimal() and 2020 <= int(text) <= 2100 else datetime.now(ZONE).year


@router.get("/lich-lam-viec", response_class=HTMLResponse)
def calendar_page(request: Request, settings: Config, user: SignedIn, *, lich: str = "", nam: str = "") -> HTMLResponse:
    """One calendar; ``nam`` is the year whose special days are shown."""
    return _page(request, settings, user, lich, _year(nam))


@router.post("/lich-lam-viec/{code}/gio", dependencies=[Depends(own_form)])
async def set_hours(request: Request, settings: Config, user: Engineer, code: str) -> Response:
    """Take other hours of the week: ``from-<weekday>-<n>`` and ``to-<weekday>-<n>``, empty = none."""
    form = await request.form()
    hours: dict[int, list[tuple[time, time]]] = {}
    try:
        for weekday in range(1, 8):
            for number in range(1, 4):
                starts, ends = (str(form.get(f"{name}-{weekday}-{number}", "")) for name in ("from", "to"))
                if starts or ends:
                    hours.setdefault(weekday, []).append((time.fromisoformat(starts), time.fromisoformat(ends)))
        working_time.set_hours(code, hours, user.username, settings)
    except ActRefusedError as refused:
        return _page(request, settings, user, code, _year(""), problem=str(refused))
    except ValueError:
        return _page(request, settings, user, code, _year(""), problem="Mỗi khoảng giờ cần đủ giờ bắt đầu và kết thúc.")
    return RedirectResponse(f"/lich-lam-viec?lich={code}", status_code=303)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


@router.post("/lich-lam-viec/{code}/ngay", dependencies=[Depends(own_form)])
def set_day(
    request: Request,
    settings: Config,
    user: Engineer,
    code: str,
    *,
    day: Annotated[str, Form()] = "",
    kind: Annotated[str, Form()] = "",
    name: Annotated[str, Form()] = "",
    citation: Annotated[str, Form()] = "",
) -> Response:
    """Make a day free, or a working day."""
    chosen = _day(day)
    try:
        if chosen is None:
            raise ActRefusedError("Ngày không hợp lệ.")
        working_time.set_day(
            code, chosen, cast("Literal['off', 'make_up']", kind), user.username, name_vi=name, citation=citation,
            settings=settings,
        )  # fmt: skip
    except ActRefusedError as refused:
        return _page(request, settings, user, code, chosen.year if chosen else _year(""), problem=str(refused))
    return RedirectResponse(f"/lich-lam-viec?lich={code}&nam={chosen.year}", status_code=303)


@router.post("/lich-lam-viec/{code}/ngay/{day}/bo", dependencies=[Depends(own_form)])
def remove_day(request: Request, settings: Config, user: Engineer, code: str, day: str) -> Response:
    """Let a day follow the week again."""
    chosen = _day(day)
    if chosen is None:
        raise NotFoundError
    try:
        working_time.remove_day(code, chosen, user.username, settings)
    except ActRefusedError as refused:
        return _page(request, settings, user, code, chosen.year, problem=str(refused))
    return RedirectResponse(f"/lich-lam-viec?lich={code}&nam={chosen.year}", status_code=303)
