"""The address book, routes and the reachability check. Addresses in full for those who run the system only."""

from __future__ import annotations

import math
from datetime import time, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from alerts.channels import all_channels
from alerts.incidents import ActRefusedError
from alerts.recipients import people, reachability, routes, sent, working_time
from portal.web import Config, Engineer, NotFoundError, SignedIn, own_form, render

router = APIRouter(include_in_schema=False)
_MEDIA: tuple[people.Medium, ...] = ("email", "phone")


def _time(text: str) -> time | None:
    try:
        return time.fromisoformat(text.strip()) if text.strip() else None
    except ValueError:
        return None


@router.get("/danh-ba", response_class=HTMLResponse)
def address_book(request: Request, settings: Config, user: SignedIn, tim: str = "", don_vi: str = "") -> HTMLResponse:
    """Everybody whom messages can reach; ``tim`` searches names, ``don_vi`` is a unit."""
    cards = people.contacts(settings)
    words = tim.strip().lower()[:100]
    shown = [
        card
        for card in cards
        if (not words or words in f"{card.name_vi} {card.code} {card.unit_name}".lower())
        and (not don_vi or card.unit_code == don_vi)
    ]
    return render(
        request,
        "contacts.html",
        cards=shown,
        total=len(cards),
        roles=people.ROLES,
        units=sorted({(card.unit_code, card.unit_name or card.unit_code) for card in cards}, key=lambda one: one[1]),
        chosen={"tim": tim[:100], "don_vi": don_vi},
        mask=sent.mask,
        may_edit=user.is_engineer,
    )


def _edit_page(
    request: Request, settings: Config, code: str | None, *, problem: str | None = None, done: str | None = None
) -> HTMLResponse:
    try:
        card = people.contact(code, settings) if code else None
    except ActRefusedError as error:
        raise NotFoundError from error
    return render(
        request,
        "contact.html",
        status=422 if problem else 200,
        card=card,
        roles=people.ROLES,
        units=people.units(settings),
        problem=problem,
        done=done,
    )


@router.get("/danh-ba/moi", response_class=HTMLResponse)
def new_contact(request: Request, settings: Config, _user: Engineer) -> HTMLResponse:
    """The form for a new contact."""
    return _edit_page(request, settings, None)


@router.get("/danh-ba/kiem-tra", response_class=HTMLResponse)
def reachability_page(request: Request, settings: Config, _user: SignedIn) -> HTMLResponse:
    """Which rules would reach too few people, where and why."""
    return render(request, "reachability.html", shortfalls=reachability.check(settings), enough=reachability.ENOUGH)


@router.get("/danh-ba/tuyen", response_class=HTMLResponse)
def list_of_routes(request: Request, settings: Config, user: SignedIn) -> HTMLResponse:
    """Which messages go to whom."""
    return _routes_page(request, settings, may_edit=user.is_engineer)


def _routes_page(request: Request, settings: Config, *, may_edit: bool, problem: str | None = None) -> HTMLResponse:
    names = dict(people.units(settings))
    return render(
        request,
        "routes.html",
        status=422 if problem else 200,
        routes=routes.routes(settings),
        roles=people.ROLES,
        channels=sorted(all_channels()),
        calendars=working_time.calendars(settings),
        unit_names=names,
        may_edit=may_edit,
        problem=problem,
    )


@router.post("/danh-ba/tuyen/{code}", dependencies=[Depends(own_form)])
def change_route(
    request: Request,
    settings: Config,
    user: Engineer,
    code: str,
    *,
    role: Annotated[list[str] | None, Form()] = None,
    channel: Annotated[list[str] | None, Form()] = None,
    min_level: Annotated[int, Form()] = 0,
    wait_minutes: Annotated[float, Form()] = 0,
    interval_minutes: Annotated[float, Form()] = 0,
    calendar: Annotated[str, Form()] = "",
    enabled: Annotated[str, Form()] = "",
) -> Response:
    """Change a route."""
    try:
        routes.change_route(
            code, user.username, roles=role or [], channels=channel or [], min_level=min_level,
            group_wait=_minutes(wait_minutes), group_interval=_minutes(interval_minutes),
            calendar_code=calendar or None, is_enabled=bool(enabled), settings=settings,
        )  # fmt: skip
    except ActRefusedError as refused:
        return _routes_page(request, settings, may_edit=True, problem=str(refused))
    return RedirectResponse(f"/danh-ba/tuyen#{code}", status_code=303)


def _minutes(number: float) -> timedelta:
    # Beyond a day it is refused anyway; a timedelta would overflow first.
    return timedelta(minutes=-1.0 if math.isnan(number) else min(max(number, -1.0), 10_000.0))


@router.get("/danh-ba/{code}", response_class=HTMLResponse)
def edit_contact(request: Request, settings: Config, _user: Engineer, code: str, xong: str = "") -> HTMLResponse:
    """One contact: the form, and the verification of the addresses."""
    done = {
        "luu": "Đã lưu liên hệ.",
        "gui": "Đã gửi mã tới địa chỉ. Nhập mã mà người nhận đọc lại.",
        "xac-minh": "Địa chỉ đã được xác minh.",
    }.get(xong)
    return _edit_page(request, settings, code, done=done)


@router.post("/danh-ba", dependencies=[Depends(own_form)])
def save_contact(
    request: Request,
    settings: Config,
    user: Engineer,
    *,
    code: Annotated[str, Form()] = "",
    name_vi: Annotated[str, Form()] = "",
    unit_code: Annotated[str, Form()] = "",
    role: Annotated[list[str] | None, Form()] = None,
    user_name: Annotated[str, Form()] = "",
    email: Annotated[str, Form()] = "",
    phone: Annotated[str, Form()] = "",
    quiet_from: Annotated[str, Form()] = "",
    quiet_to: Annotated[str, Form()] = "",
    active: Annotated[str, Form()] = "",
) -> Response:
    """Write a contact; a changed address has to be verified again."""
    form = people.ContactForm(
        name_vi=name_vi, unit_code=unit_code, roles=role or [], user_name=user_name, email=email, phone=phone,
        quiet_from=_time(quiet_from), quiet_to=_time(quiet_to), is_active=bool(active),
    )  # fmt: skip
    try:
        card = people.save_contact(code or None, form, user.username, settings)
    except ActRefusedError as refused:
        return _edit_page(request, settings, code or None, problem=str(refused))
    return RedirectResponse(f"/danh-ba/{card.code}?xong=luu", status_code=303)


@router.post("/danh-ba/{code}/gui-ma", dependencies=[Depends(own_form)])
def send_code(
    request: Request, settings: Config, user: Engineer, code: str, medium: Annotated[str, Form()] = ""
) -> Response:
    """Send a code to an address."""
    chosen = next((one for one in _MEDIA if one == medium), None)
    if chosen is None:
        raise NotFoundError
    try:
        people.send_code(code, chosen, user.username, settings)
    except ActRefusedError as refused:
        return _edit_page(request, settings, code, problem=str(refused))
    return RedirectResponse(f"/danh-ba/{code}?xong=gui", status_code=303)


@router.post("/danh-ba/{code}/xac-minh", dependencies=[Depends(own_form)])
def verify(
    request: Request,
    settings: Config,
    user: Engineer,
    code: str,
    *,
    medium: Annotated[str, Form()] = "",
    digits: Annotated[str, Form()] = "",
) -> Response:
    """Take the code that the person read back."""
    chosen = next((one for one in _MEDIA if one == medium), None)
    if chosen is None:
        raise NotFoundError
    try:
        people.verify(code, chosen, digits, user.username, settings=settings)
    except ActRefusedError as refused:
        return _edit_page(request, settings, code, problem=str(refused))
    return RedirectResponse(f"/danh-ba/{code}?xong=xac-minh", status_code=303)
