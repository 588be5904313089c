"""The history of notifications: the rendered text, every attempt, and what needs a person."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from alerts.channels import all_channels
from alerts.incidents import ActRefusedError
from alerts.recipients import sent
from portal.web import Config, Engineer, NotFoundError, SignedIn, own_form, paging_moment, render

if TYPE_CHECKING:
    from portal.users import User

router = APIRouter(include_in_schema=False)
_A_PAGE = 40


@router.get("/thong-bao", response_class=HTMLResponse)
def history(
    request: Request,
    settings: Config,
    user: SignedIn,
    *,
    kenh: str = "",
    trang_thai: str = "",
    su_co: str = "",
    truoc: str = "",
) -> HTMLResponse:
    """The newest messages; ``kenh`` channel, ``trang_thai`` status, ``su_co`` incident code, ``truoc`` older than."""
    chosen = {"kenh": kenh, "trang_thai": trang_thai, "su_co": su_co.strip()[:40]}
    found = sent.messages(
        user.visible_units,
        settings,
        channel=kenh or None,
        status=trang_thai or None,
        incident=chosen["su_co"],
        before=paging_moment(truoc),
        limit=_A_PAGE + 1,
    )
    return render(
        request,
        "notifications.html",
        messages=found[:_A_PAGE],
        older=found[_A_PAGE - 1].created_at.isoformat() if len(found) > _A_PAGE else None,
        chosen=chosen,
        channels=sorted(all_channels()),
        statuses=sent.STATUSES,
        counts=sent.counts(settings) if user.is_engineer else None,
        mask=sent.mask,
        sees_addresses=user.is_engineer,
    )


def _file_page(
    request: Request, settings: Config, user: User, outbox_id: str, *, problem: str | None = None
) -> HTMLResponse:
    try:
        found = sent.message(UUID(outbox_id), user.visible_units, settings)
    except ValueError as error:  # no UUID, or ActRefusedError: not this user's
        raise NotFoundError from error
    return render(
        request,
        "notification.html",
        status=422 if problem else 200,
        file=found,
        message=found.message,
        mask=sent.mask,
        sees_addresses=user.is_engineer,
        problem=problem,
    )


@router.get("/thong-bao/{outbox_id}", response_class=HTMLResponse)
def one_message(request: Request, settings: Config, user: SignedIn, outbox_id: str) -> HTMLResponse:
    """One message: the text as it was sent, attempts, receipts."""
    return _file_page(request, settings, user, outbox_id)


@router.post("/thong-bao/{outbox_id}/gui-lai", dependencies=[Depends(own_form)])
def send_again(request: Request, settings: Config, user: Engineer, outbox_id: str) -> Response:
    """Send a message again that failed or whose fate is unknown."""
    try:
        sent.send_again(UUID(outbox_id), user.username, settings)
    except ActRefusedError as refused:
        return _file_page(request, settings, user, outbox_id, problem=str(refused))
    except ValueError as error:
        raise NotFoundError from error
    return RedirectResponse(f"/thong-bao/{outbox_id}", status_code=303)
