"""Units of government over time, and who takes over from whom. Everybody signed in reads, administrators write."""

from __future__ import annotations

from datetime import date
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from alerts.incidents import ActRefusedError
from alerts.recipients import units
from portal.users import User
from portal.web import Config, ForbiddenError, SignedIn, own_form, render

if TYPE_CHECKING:
    from collections.abc import Callable

    from ioc.settings import Settings

router = APIRouter(include_in_schema=False)


def administrator(user: SignedIn) -> User:
    """The signed-in administrator.

    Raises:
        ForbiddenError: another role.
    """
    if user.role != "admin":
        raise ForbiddenError
    return user


Administrator = Annotated[User, Depends(administrator)]
Text = Annotated[str, Form()]
_BLANK = dict.fromkeys(("old", "new", "day", "share", "citation", "code", "name", "kind", "parent"), "")


def _page(
    request: Request,
    settings: Settings,
    user: User,
    *,
    chosen: dict[str, str] | None = None,
    problem: str | None = None,
    form: str = "",
    given: dict[str, str] | None = None,
) -> HTMLResponse:
    chosen = chosen or {"tim": "", "loai": "", "cu": ""}
    everything, now = units.units(settings), units.today()
    wanted = chosen["tim"].strip().lower()
    in_force = [one for one in everything if one.starts <= now and (one.ends is None or one.ends > now)]
    names = {one.code: one.name_vi for one in reversed(everything)}
    return render(
        request,
        "units.html",
        status=422 if problem else 200,
        units=[
            one
            for one in (everything if chosen["cu"] else [u for u in everything if u.ends is None or u.ends > now])
            if wanted in f"{one.name_vi} {one.code}".lower() and chosen["loai"] in ("", one.kind)
        ],
        count=len(in_force),
        successions=units.successions(settings),
        names=names,
        choices=sorted(names.items(), key=lambda item: item[1]),
        kinds=units.KINDS,
        today=now,
        chosen=chosen,
        may_write=user.role == "admin",
        problem=problem,
        form=form,
        given=_BLANK | {"share": "100"} | (given or {}),
    )


@router.get("/don-vi", response_class=HTMLResponse)
def page(
    request: Request, settings: Config, user: SignedIn, *, tim: str = "", loai: str = "", cu: str = ""
) -> HTMLResponse:
    """Units and successions; ``tim`` searches names and codes, ``loai`` is a kind, ``cu`` shows former ones too."""
    chosen = {"tim": tim[:100], "loai": loai if loai in units.KINDS else "", "cu": "1" if cu else ""}
    return _page(request, settings, user, chosen=chosen)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text.strip())
    except ValueError as error:
        raise ActRefusedError("Hãy ghi ngày hiệu lực.") from error


def _after(
    request: Request, settings: Settings, user: User, act: Callable[[], None], *, form: str, given: dict[str, str]
) -> Response:
    try:
        act()
    except ActRefusedError as refused:
        return _page(request, settings, user, problem=str(refused), form=form, given=given)
    return RedirectResponse("/don-vi#ke-thua" if form == "succession" else "/don-vi", status_code=303)


@router.post("/don-vi", dependencies=[Depends(own_form)])
def save(
    request: Request,
    settings: Config,
    user: Administrator,
    *,
    code: Text = "",
    name: Text = "",
    kind: Text = "",
    parent: Text = "",
    day: Text = "",
    citation: Text = "",
) -> Response:
    """Make a unit, or change one from a day on."""
    given = {"code": code[:50], "name": name[:200], "kind": kind, "parent": parent, "day": day, "citation": citation}
    return _after(
        request, settings, user,
        lambda: units.save_unit(
            code.strip(), name, kind, parent or None, starts=_day(day), citation=citation, user=user.username,
            settings=settings,
        ),
        form="unit", given=given,
    )  # fmt: skip


def _share(text: str) -> Decimal:
    try:
        share = Decimal(text.strip().replace(",", "."))
    except InvalidOperation:
        share = Decimal(0)
    if not (share.is_finite() and 0 < share <= 100):
        raise ActRefusedError("Phần kế thừa phải là một số từ 1 đến 100.")
    return share / 100


@router.post("/don-vi/ke-thua", dependencies=[Depends(own_form)])
def add_succession(
    request: Request,
    settings: Config,
    user: Administrator,
    *,
    old: Text = "",
    new: Text = "",
    day: Text = "",
    share: Text = "100",
    citation: Text = "",
) -> Response:
    """Let a unit take over from another one."""
    given = {"old": old, "new": new, "day": day, "share": share[:10], "citation": citation}
    return _after(
        request, settings, user,
        lambda: units.add_succession(
            old, new, _day(day), citation, user.username, weight=_share(share), settings=settings
        ),
        form="succession", given=given,
    )  # fmt: skip


@router.post("/don-vi/ke-thua/rut", dependencies=[Depends(own_form)])
def withdraw(
    request: Request, settings: Config, user: Administrator, *, old: Text = "", new: Text = "", day: Text = ""
) -> Response:
    """Take a succession back that is still to come."""
    return _after(
        request, settings, user,
        lambda: units.withdraw_succession(old, new, _day(day), user.username, settings=settings),
        form="succession", given={},
    )  # fmt: skip
