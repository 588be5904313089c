"""What is held back and until when: silences, maintenance, mute times, inhibitions, the register of dead series."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from alerts import suppressions
from alerts.incidents import ActRefusedError
from portal.language import ZONE
from portal.web import Config, Db, SignedIn, local_moment, own_form, render, visitor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ioc.settings import Settings
    from portal.database import Database
    from portal.users import User

router = APIRouter(include_in_schema=False)
_PAST = 40
_FIELDS = ("kind", "reason", "since", "until", "max_level", "rule", "unit", "entity", "incident_kind", "daily_from",
           "daily_to", "outside_calendar")  # fmt: skip
_BLANK: dict[str, Any] = dict.fromkeys(_FIELDS, "") | {"weekday": []}
# The picture: some days back, two weeks ahead.
_BACK, _AHEAD = timedelta(days=2), timedelta(days=14)


def _actor(user: User) -> suppressions.Actor:
    return suppressions.Actor(user.username, user.role, user.visible_units)


def _page(
    request: Request,
    database: Database,
    settings: Settings,
    user: User,
    *,
    problem: str | None = None,
    form: str = "",
    given: dict[str, Any] | None = None,
) -> HTMLResponse:
    """The calendar; after a refusal with what was typed still in its form."""
    now = datetime.now(UTC)
    units = user.visible_units
    listing = suppressions.listing
    present = [s for s in listing("now", units, settings, now) if not s.is_known_dead]
    planned = listing("planned", units, settings, now)
    dead = suppressions.known_dead(settings, now)
    rules = database.rows("select code, title_vi, title_en from alert.rule where is_enabled order by domain, code")
    return render(
        request,
        "suppressions.html",
        status=422 if problem else 200,
        present=present,
        planned=planned,
        past=listing("past", units, settings, now, limit=_PAST),
        dead=[s for s in dead if units is None or s.unit_code in units],
        picture=picture([*present, *planned], now),
        ceiling=suppressions.CEILINGS.get(user.role, 0),
        may_touch=_may_touch(user),
        rules=rules,
        rule_titles={
            rule["code"]: rule["title_vi"] if visitor(request).language.code == "vi" else rule["title_en"]
            for rule in rules
        },
        units=database.rows(
            "select code, name_vi from ref.org_unit where valid @> current_date and kind not in ('ward', 'commune') "
            "order by kind <> 'province', name_vi"
        ),
        calendars=database.rows("select calendar_code, name_vi, name_en from ref.calendar order by name_vi"),
        problem=problem,
        form=form,
        given=_BLANK | (given or {}),
    )


def _may_touch(user: User) -> Callable[[suppressions.Suppression], bool]:
    """Whether the forms of an entry are worth showing; the act itself decides again."""
    units = user.visible_units
    return lambda entry: units is None or entry.created_by == user.username or entry.unit_code in units


@dataclass(frozen=True)
class Bar:
    """One suppression in the picture, in its units; cut off at the edges."""

    entry: suppressions.Suppression
    x: float
    width: float
    y: int


def picture(entries: Sequence[suppressions.Suppression], now: datetime) -> dict[str, Any]:
    """The next two weeks as bars: 60 units a day, 30 a row."""
    first = now - _BACK
    day = 60.0

    def x(at: datetime) -> float:
        return round(min(max((at - first) / timedelta(days=1), 0), (_BACK + _AHEAD) / timedelta(days=1)) * day, 1)

    bars = [Bar(e, x(e.since), max(4.0, round(x(e.until) - x(e.since), 1)), 24 + 30 * n) for n, e in enumerate(entries)]
    start = first.astimezone(ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
    days = [start + timedelta(days=n) for n in range((_BACK + _AHEAD).days + 1)]
    return {
        "width": int((_BACK + _AHEAD).days * day),
        "height": 30 + 30 * len(bars),
        "bars": bars,
        "now_x": x(now),
        "days": [{"at": at, "x": x(at)} for at in days if at >= first],
    }


@router.get("/tam-dung", response_class=HTMLResponse)
def calendar(request: Request, database: Db, settings: Config, user: SignedIn) -> HTMLResponse:
    """What is held back now, what will be, what was, and the register of series known to be dead."""
    return _page(request, database, settings, user)


@router.post("/tam-dung", dependencies=[Depends(own_form)])
def make(
    request: Request,
    database: Db,
    settings: Config,
    user: SignedIn,
    *,
    kind: Annotated[str, Form()] = "",
    reason: Annotated[str, Form()] = "",
    since: Annotated[str, Form()] = "",
    until: Annotated[str, Form()] = "",
    max_level: Annotated[str, Form()] = "",
    rule: Annotated[str, Form()] = "",
    unit: Annotated[str, Form()] = "",
    entity: Annotated[str, Form()] = "",
    incident_kind: Annotated[str, Form()] = "",
    weekday: Annotated[list[int] | None, Form()] = None,
    daily_from: Annotated[str, Form()] = "",
    daily_to: Annotated[str, Form()] = "",
    outside_calendar: Annotated[str, Form()] = "",
) -> Response:
    """Make a silence, a maintenance window, a mute time, or an entry in the register of dead series."""
    given = {"kind": kind, "reason": reason, "since": since, "until": until, "max_level": max_level, "rule": rule,
             "unit": unit, "entity": entity, "incident_kind": incident_kind, "weekday": weekday or [],
             "daily_from": daily_from, "daily_to": daily_to, "outside_calendar": outside_calendar}  # fmt: skip
    try:
        scope = suppressions.Scope(
            suppressions.exactly(rule) if rule else "%",
            # People type the id of a thing, or a beginning with a star; patterns are not their concern.
            suppressions.exactly(entity.strip()).replace("*", "%") if entity.strip() else "%",
            unit or None,
            cast("Any", incident_kind if incident_kind in ("value", "nodata", "source") else None),
        )
        end = _needed(until)
        if kind == "dead":
            suppressions.register_dead(_actor(user), reason, end, scope=scope, settings=settings)
        elif kind in ("silence", "maintenance", "mute_timing"):
            hours = None
            if kind == "mute_timing":
                daily = (_hour(daily_from), _hour(daily_to)) if daily_from or daily_to else None
                hours = suppressions.Hours(weekday or None, daily, outside_calendar or None)
            suppressions.suppress(
                cast("Literal['silence', 'maintenance', 'mute_timing']", kind),
                _actor(user),
                reason,
                end,
                max_level=int(max_level) if max_level.isdigit() else 0,
                since=_needed(since) if since else None,
                scope=scope,
                hours=hours,
                settings=settings,
            )
        else:
            raise ActRefusedError("Hãy chọn loại tạm dừng.")
    except ActRefusedError as refused:
        form = kind if kind in ("mute_timing", "dead") else "silence"
        return _page(request, database, settings, user, problem=str(refused), form=form, given=given)
    return RedirectResponse("/tam-dung", status_code=303)


def _needed(text: str) -> datetime:
    moment = local_moment(text)
    if moment is None:
        raise ActRefusedError("Hãy ghi ngày giờ bắt đầu và kết thúc theo mẫu ngày/tháng/năm giờ:phút.")
    return moment


def _hour(text: str) -> time:
    try:
        return time.fromisoformat(text)
    except ValueError as error:
        raise ActRefusedError("Hãy ghi cả giờ bắt đầu và giờ kết thúc trong ngày.") from error


@router.post("/tam-dung/{suppression_id}/go", dependencies=[Depends(own_form)])
def lift(request: Request, database: Db, settings: Config, user: SignedIn, suppression_id: int) -> Response:
    """End it now."""
    return _act(request, database, settings, user, lambda by: suppressions.lift(suppression_id, by, settings))


@router.post("/tam-dung/{suppression_id}/gia-han", dependencies=[Depends(own_form)])
def change_end(
    request: Request,
    database: Db,
    settings: Config,
    user: SignedIn,
    suppression_id: int,
    *,
    until: Annotated[str, Form()] = "",
) -> Response:
    """Another end."""
    return _act(
        request, database, settings, user,
        lambda by: suppressions.change_end(suppression_id, _needed(until), by, settings),
    )  # fmt: skip


@router.post("/tam-dung/{suppression_id}/xem-lai", dependencies=[Depends(own_form)])
def review(
    request: Request,
    database: Db,
    settings: Config,
    user: SignedIn,
    suppression_id: int,
    *,
    note: Annotated[str, Form()] = "",
) -> Response:
    """Still dead: confirmed for another month."""
    return _act(
        request, database, settings, user, lambda by: suppressions.review(suppression_id, by, note[:500], settings)
    )


def _act(
    request: Request,
    database: Database,
    settings: Settings,
    user: User,
    act: Callable[[suppressions.Actor], None],
) -> Response:
    try:
        act(_actor(user))
    except ActRefusedError as refused:
        return _page(request, database, settings, user, problem=str(refused))
    return RedirectResponse("/tam-dung", status_code=303)
