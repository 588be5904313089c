"""A person's messages: what was told, newest first; opening one counts it as read."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from alerts import incidents
from portal.web import Config, Db, NotFoundError, SignedIn, own_form, render

router = APIRouter(include_in_schema=False)
_CASE = re.compile(r"VV-\d{4}-\d+")


@router.get("/hop-thu", response_class=HTMLResponse)
def inbox(request: Request, settings: Config, user: SignedIn, truoc: int | None = None) -> HTMLResponse:
    """The user's messages, newest first, fifty a page; ``truoc`` = older than this message."""
    messages = incidents.inbox(user.username, settings, limit=51, before=truoc)
    return render(
        request,
        "inbox.html",
        messages=messages[:50],
        older=messages[49].inbox_id if len(messages) > 50 else None,
    )


@router.post("/hop-thu/da-doc", dependencies=[Depends(own_form)])
def mark_read(settings: Config, user: SignedIn, inbox_id: Annotated[int | None, Form()] = None) -> Response:
    """Mark one message as read, or all of them."""
    incidents.mark_read(user.username, None if inbox_id is None else [inbox_id], settings)
    return RedirectResponse("/hop-thu", status_code=303)


@router.get("/hop-thu/{inbox_id}/mo")
def open_message(settings: Config, database: Db, user: SignedIn, inbox_id: int) -> Response:
    """Go to what a message is about, and count it as read."""
    row = database.row(
        """
        select incident_ids, body from notify.inbox join ref.contact using (contact_id)
        where inbox_id = %(inbox_id)s and user_name = %(username)s
        """,
        {"inbox_id": inbox_id, "username": user.username},
    )
    if row is None:
        raise NotFoundError
    incidents.mark_read(user.username, [inbox_id], settings)
    ids, cases = row["incident_ids"], sorted(set(_CASE.findall(row["body"])))
    if len(ids) == 1:
        place = f"/canh-bao/{ids[0]}"
    elif len(cases) == 1:
        place = f"/vu-viec/{cases[0]}"
    else:
        place = "/canh-bao"
    return RedirectResponse(place, status_code=303)
