"""Guest tokens for embedded dashboards: minted here, for signed-in users only."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, JSONResponse

from ioc import embed
from portal import domains
from portal.web import Config, ForbiddenError, NotFoundError, SignedIn, own_form, render

if TYPE_CHECKING:
    from portal.users import User

router = APIRouter(include_in_schema=False)
_log = logging.getLogger("portal.embed")
# Belongs to no domain and shows every unit: for those who may see every unit.
ALERTS = "alerts"


def _sees_all(user: User) -> None:
    if user.visible_units is not None:
        raise ForbiddenError


@router.get("/bang-tin", response_class=HTMLResponse)
def dashboard(request: Request, user: SignedIn) -> HTMLResponse:
    """The dashboard of alerts, messages and procedures.

    Raises:
        ForbiddenError: an officer, who is bound to one unit.
    """
    _sees_all(user)
    return render(request, "dashboard.html", slug=ALERTS)


@router.post("/api/embed/{slug}", dependencies=[Depends(own_form)])
def guest_token(slug: str, user: SignedIn, settings: Config, *, narrow: bool = False) -> JSONResponse:
    """Token, id and address for the embedding script of the browser; ``narrow`` asks for the phone's version.

    Answers 503 with one sentence while the dashboard is not published: the page's own tables go on without it.
    """
    page = domains.pages().get(slug)
    if slug == ALERTS:
        _sees_all(user)
    elif page is None:
        raise NotFoundError
    phone = f"{slug}_phone"
    dashboard = phone if narrow and phone in embed.published(settings) else slug
    try:
        token = embed.guest_token(
            dashboard, user.username, rows=page.row_filters(user) if page else [], settings=settings
        )
    except embed.DashboardNotPublished as error:
        _log.warning("%s", error)
        return JSONResponse({"error": "Bảng phân tích chưa được xuất bản."}, status_code=503)
    return JSONResponse(token.as_dict())
