"""Message templates: versions, preview with a past incident, what an SMS costs, approval by a second person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from alerts.incidents import ActRefusedError
from alerts.notifying import message_templates, samples
from portal.web import Config, Engineer, NotFoundError, SignedIn, own_form, render

if TYPE_CHECKING:
    from alerts.notifying.message_templates import MessageTemplate
    from portal.users import User

router = APIRouter(include_in_schema=False)


@router.get("/mau-tin", response_class=HTMLResponse)
def list_of_templates(request: Request, settings: Config, user: SignedIn) -> HTMLResponse:
    """Every template: what is in force, and drafts that wait."""
    groups: dict[str, dict[str, list[MessageTemplate]]] = {code: {} for code in samples.CODES}
    for template in message_templates.list_templates(settings):
        groups.setdefault(template.code, {}).setdefault(template.channel, []).append(template)
    return render(
        request, "message_templates.html", groups=groups, names=samples.CODES,
        channels=message_templates.CHANNELS, may_edit=user.is_engineer,
    )  # fmt: skip


def _one(settings: Config, template_id: int) -> MessageTemplate:
    try:
        return message_templates.get(template_id, settings)
    except ActRefusedError as error:
        raise NotFoundError from error


def _page(
    request: Request, settings: Config, user: User, template_id: int, incident: str = "", *, problem: str | None = None
) -> HTMLResponse:
    template = _one(settings, template_id)
    try:
        chosen = UUID(incident) if incident else None
    except ValueError:
        chosen = None
    return render(
        request,
        "message_template.html",
        status=422 if problem else 200,
        shown=template,
        name=samples.CODES.get(template.code, template.code),
        preview=message_templates.preview(template_id, chosen, settings),
        versions=[
            one
            for one in message_templates.list_templates(settings)
            if (one.code, one.channel) == (template.code, template.channel)
        ],
        incidents=message_templates.recent_incidents(settings),
        incident=str(chosen or ""),
        may_edit=user.is_engineer,
        may_approve=user.is_engineer and template.status == "draft" and template.author != user.username,
        problem=problem,
    )


@router.get("/mau-tin/moi", response_class=HTMLResponse)
def new_template(request: Request, settings: Config, _user: Engineer, ma: str = "", kenh: str = "") -> HTMLResponse:
    """The form for a new version, filled with the newest one."""
    if ma not in samples.CODES or kenh not in message_templates.CHANNELS:
        raise NotFoundError
    newest = next(
        (one for one in message_templates.list_templates(settings) if (one.code, one.channel) == (ma, kenh)), None
    )
    return _form_page(request, ma, kenh, newest)


def _form_page(
    request: Request, code: str, channel: str, newest: object | None, *, problem: str | None = None
) -> HTMLResponse:
    return render(
        request, "message_template_form.html", status=422 if problem else 200, code=code, channel=channel,
        name=samples.CODES.get(code, code), newest=newest, problem=problem,
    )  # fmt: skip


@router.post("/mau-tin", dependencies=[Depends(own_form)])
def save_draft(
    request: Request,
    settings: Config,
    user: Engineer,
    *,
    code: Annotated[str, Form()] = "",
    channel: Annotated[str, Form()] = "",
    subject: Annotated[str, Form()] = "",
    body: Annotated[str, Form()] = "",
    body_html: Annotated[str, Form()] = "",
    registered_text: Annotated[str, Form()] = "",
    segment_limit: Annotated[int | None, Form()] = None,
) -> Response:
    """Keep a draft; the page that follows shows how it reads and what it costs."""
    given = {"subject": subject, "body": body, "body_html": body_html, "registered_text": registered_text,
             "segment_limit": segment_limit}  # fmt: skip
    try:
        draft = message_templates.save_draft(
            code, channel, body, user.username, subject=subject, body_html=body_html,
            registered_text=registered_text or None, segment_limit=segment_limit, settings=settings,
        )  # fmt: skip
    except ActRefusedError as refused:
        return _form_page(request, code, channel, given, problem=str(refused))
    return RedirectResponse(f"/mau-tin/{draft.template_id}", status_code=303)


@router.get("/mau-tin/{template_id}", response_class=HTMLResponse)
def template_page(
    request: Request, settings: Config, user: SignedIn, template_id: int, su_co: str = ""
) -> HTMLResponse:
    """One version: its text, the preview (``su_co`` = an incident of the past), the cost, the versions."""
    return _page(request, settings, user, template_id, su_co)


@router.post("/mau-tin/{template_id}/phe-duyet", dependencies=[Depends(own_form)])
def approve(request: Request, settings: Config, user: Engineer, template_id: int) -> Response:
    """Put a draft in force."""
    try:
        message_templates.approve(template_id, user.username, settings)
    except ActRefusedError as refused:
        return _page(request, settings, user, template_id, problem=str(refused))
    return RedirectResponse(f"/mau-tin/{template_id}", status_code=303)
