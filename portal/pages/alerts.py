"""Alerts and inbox: what is open, what happened, who accepted it, what was told to whom.

Officers are held to their unit by ``alerts.incidents``: what is not theirs does not exist for them (404).
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from alerts import incidents
from portal import domains
from portal.web import Config, Db, NotFoundError, SignedIn, own_form, render

if TYPE_CHECKING:
    from ioc.settings import Settings
    from portal.users import User

router = APIRouter(include_in_schema=False)

# Hours that an acknowledgement may hold; level 3 and above only the short ones.
ACK_HOURS = (1, 2, 4, 8)
NOTE_LENGTH = 500


@router.get("/canh-bao", response_class=HTMLResponse)
def list_of_incidents(request: Request, settings: Config, user: SignedIn) -> HTMLResponse:
    """Open incidents, then those that ended lately."""
    open_ones = incidents.list_open(user.visible_units, settings)
    recent = incidents.list_recent(user.visible_units, settings, limit=60)
    return render(
        request, "incidents.html", open_ones=open_ones, ended=[i for i in recent if i.status == "closed"][:30]
    )


def _history(incident_id: str, user: User, settings: Settings) -> incidents.IncidentHistory:
    try:
        return incidents.history(UUID(incident_id), user.visible_units, settings)
    except ValueError as error:  # not a UUID, or ActRefusedError: not this user's
        raise NotFoundError from error


def _timeline(history: incidents.IncidentHistory) -> list[dict[str, Any]]:
    """Transitions, acts and notices in one order of time; a notice to several people is one entry."""
    entries: list[dict[str, Any]] = [
        {"at": row["event_time"], "kind": "transition", **row} for row in history.transitions
    ]
    entries += [{"at": row["occurred_at"], "kind": "act", **row} for row in history.acts]
    told: dict[tuple[Any, str], dict[str, Any]] = {}
    for row in history.notices:
        entry = told.setdefault(
            (row["created_at"], row["subject"]),
            {"at": row["created_at"], "kind": "notice", "subject": row["subject"], "people": []},
        )
        entry["people"].append({"name": row["contact_name"], "channel": row["channel"], "status": row["status"]})
    return sorted([*entries, *told.values()], key=lambda entry: entry["at"], reverse=True)


def _page(request: Request, history: incidents.IncidentHistory, *, problem: str | None = None) -> HTMLResponse:
    incident = history.incident
    level = incident.level
    page = domains.pages().get(incident.domain)
    trace = None
    if page and page.trace and incident.kind == "value" and incident.value_at:
        trace = page.trace(incident.entity_id, incident.value_at)
    return render(
        request,
        "incident.html",
        trace=trace,
        status=422 if problem else 200,
        incident=incident,
        timeline=_timeline(history),
        ack_hours=[hours for hours in ACK_HOURS if level <= 2 or hours <= 2],
        usual_hours=4 if level <= 2 else 1,
        problem=problem,
    )


@router.get("/canh-bao/{incident_id}", response_class=HTMLResponse)
def incident_page(request: Request, settings: Config, user: SignedIn, incident_id: str) -> HTMLResponse:
    """One incident: how it stands, the form to accept it, its history."""
    return _page(request, _history(incident_id, user, settings))


@router.post("/canh-bao/{incident_id}/nhan", dependencies=[Depends(own_form)])
def acknowledge(
    request: Request,
    settings: Config,
    user: SignedIn,
    incident_id: str,
    *,
    note: Annotated[str, Form()] = "",
    hours: Annotated[int, Form()] = 0,
) -> Response:
    """Accept an incident for some hours, with a note."""
    history = _history(incident_id, user, settings)
    level = history.incident.level
    if hours not in ACK_HOURS or (level > 2 and hours > 2):
        return _page(request, history, problem="Thời gian nhận xử lý không hợp lệ; hãy chọn lại.")
    if len(note) > NOTE_LENGTH:
        return _page(request, history, problem="Ghi chú dài quá 500 ký tự; hãy rút gọn.")
    try:
        incidents.acknowledge(
            history.incident.incident_id,
            user.username,
            note,
            lasts=timedelta(hours=hours),
            unit_codes=user.visible_units,
            settings=settings,
        )
    except incidents.ActRefusedError as refused:
        return _page(request, _history(incident_id, user, settings), problem=str(refused))
    return RedirectResponse(f"/canh-bao/{history.incident.incident_id}", status_code=303)


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
        select incident_ids from notify.inbox join ref.contact using (contact_id)
        where inbox_id = %(inbox_id)s and user_name = %(username)s
        """,
        {"inbox_id": inbox_id, "username": user.username},
    )
    if row is None:
        raise NotFoundError
    incidents.mark_read(user.username, [inbox_id], settings)
    ids = row["incident_ids"]
    return RedirectResponse(f"/canh-bao/{ids[0]}" if len(ids) == 1 else "/canh-bao", status_code=303)
