"""Guest tokens for embedded dashboards: minted here, for signed-in users only."""

from __future__ import annotations

import logging

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse

from ioc import embed
from portal import domains
from portal.web import Config, NotFoundError, SignedIn, own_form

router = APIRouter(include_in_schema=False)
_log = logging.getLogger("portal.embed")


@router.post("/api/embed/{slug}", dependencies=[Depends(own_form)])
def guest_token(slug: str, user: SignedIn, settings: Config, *, narrow: bool = False) -> JSONResponse:
    """Token, id and address for the embedding script of the browser; ``narrow`` asks for the phone's version.

    Answers 503 with one sentence while the dashboard is not published: the page's own tables go on without it.
    """
    page = domains.pages().get(slug)
    if page is None:
        raise NotFoundError
    phone = f"{slug}_phone"
    dashboard = phone if narrow and phone in embed.published(settings) else slug
    try:
        token = embed.guest_token(dashboard, user.username, rows=page.row_filters(user), settings=settings)
    except embed.DashboardNotPublished as error:
        _log.warning("%s", error)
        return JSONResponse({"error": "Bảng phân tích chưa được xuất bản."}, status_code=503)
    return JSONResponse(token.as_dict())
