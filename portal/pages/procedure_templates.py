"""Procedures: their versions, steps and escalation; drafts as text; approval by a leader who did not write them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from alerts import procedures
from alerts.incidents import ActRefusedError
from alerts.procedures import texts
from alerts.recipients.people import ROLES
from portal.pages.rules import Leader  # noqa: TC001  evaluated by FastAPI
from portal.web import Config, Db, Engineer, NotFoundError, SignedIn, own_form, render

if TYPE_CHECKING:
    from alerts.procedures import TemplateView
    from ioc.settings import Settings
    from portal.database import Database
    from portal.users import User

router = APIRouter(include_in_schema=False)
_LONGEST = 60_000


@router.get("/quy-trinh", response_class=HTMLResponse)
def list_of_procedures(request: Request, settings: Config, user: SignedIn) -> HTMLResponse:
    """Procedures in force, drafts that wait, escalation chains."""
    newest = procedures.list_templates(settings)
    return render(
        request,
        "procedures.html",
        in_force=[one for one in newest if one.status == "approved"],
        drafts=[one for one in procedures.list_templates(settings, only_newest=False) if one.status == "draft"],
        chains=procedures.list_chains(settings),
        may_write=user.is_engineer,
    )


def _names(database: Database) -> dict[str, str]:
    rows = database.rows("select distinct on (code) code, name_vi from ref.org_unit order by code, valid desc")
    return {row["code"]: row["name_vi"] for row in rows}


def _version(settings: Settings, code: str, number: int | None) -> TemplateView:
    try:
        return procedures.template(code, number, settings)
    except ActRefusedError as error:
        found = [one for one in procedures.list_templates(settings, only_newest=False) if one.code == code]
        if not found or number is not None:
            raise NotFoundError from error
        return found[0]  # nothing of it is in force yet


def _clean(text: str) -> str:
    return text.replace("\x00", "").replace("\r\n", "\n")[:_LONGEST]


def _text_form(
    request: Request, *, content: str, source: TemplateView | None, faults: list[str] | None = None,
    is_checked: bool = False, replaces: int | None = None,
) -> HTMLResponse:  # fmt: skip
    return render(
        request, "procedure_form.html", status=422 if faults else 200, content=content, source=source,
        faults=faults or [], is_checked=is_checked, replaces=replaces,
    )  # fmt: skip


@router.get("/quy-trinh/soan", response_class=HTMLResponse)
def form_page(
    request: Request, settings: Config, user: Engineer, ma: str = "", *, ban: int | None = None
) -> HTMLResponse:
    """The text of a version to write another from; ``ma`` = the procedure, ``ban`` = its version."""
    if not ma:
        example = procedures.list_templates(settings)
        content = texts.template_yaml(example[0]) if example else ""
        return _text_form(request, content=content, source=None)
    source = _version(settings, ma, ban)
    is_mine = source.status == "draft" and source.author == user.username
    return _text_form(
        request, content=texts.template_yaml(source), source=source, replaces=source.template_id if is_mine else None
    )


@router.post("/quy-trinh/soan", dependencies=[Depends(own_form)])
def save(
    request: Request,
    settings: Config,
    user: Engineer,
    *,
    content: Annotated[str, Form()] = "",
    act: Annotated[str, Form()] = "",
    replaces: Annotated[int | None, Form(ge=1, le=2**62)] = None,
) -> Response:
    """Look at the text only (``act`` = ``check``), or keep it as a draft."""
    content = _clean(content)
    try:
        if act == "check":
            procedures.check_template(content, settings)
            return _text_form(request, content=content, source=None, is_checked=True, replaces=replaces)
        draft = procedures.draft_template(content, user.username, settings, replaces=replaces)
    except procedures.ProcedureRefusedError as refused:
        return _text_form(request, content=content, source=None, faults=refused.faults, replaces=replaces)
    except ActRefusedError as refused:
        return _text_form(request, content=content, source=None, faults=[str(refused)], replaces=replaces)
    return RedirectResponse(f"/quy-trinh/{draft.code}?ban={draft.version}", status_code=303)


def _chain_page(
    request: Request, settings: Settings, user: User, code: str, *, content: str | None = None,
    faults: list[str] | None = None,
) -> HTMLResponse:  # fmt: skip
    chain = procedures.list_chains(settings).get(code)
    if chain is None:
        raise NotFoundError
    return render(
        request,
        "procedure_chain.html",
        status=422 if faults else 200,
        code=code,
        chain=chain,
        roles=ROLES,
        used_by=[
            one for one in procedures.list_templates(settings) if one.chain_code == code and one.status == "approved"
        ],
        content=texts.chain_yaml(chain) if content is None else content,
        faults=faults or [],
        may_write=user.is_engineer,
    )


@router.get("/quy-trinh/chuoi/{code}", response_class=HTMLResponse)
def chain_page(request: Request, settings: Config, user: SignedIn, code: str) -> HTMLResponse:
    """One escalation chain: who is told when nobody acts."""
    return _chain_page(request, settings, user, code)


@router.post("/quy-trinh/chuoi/{code}", dependencies=[Depends(own_form)])
def replace_chain(
    request: Request, settings: Config, user: Engineer, code: str, *, content: Annotated[str, Form()] = ""
) -> Response:
    """Replace its steps; open cases keep the chain that they were opened with."""
    content = _clean(content)
    if code not in procedures.list_chains(settings):
        raise NotFoundError
    try:
        procedures.replace_chain(code, texts.read_chain(content), user.username, settings)
    except ValueError as refused:
        faults = refused.faults if isinstance(refused, procedures.ProcedureRefusedError) else [str(refused)]
        return _chain_page(request, settings, user, code, content=content, faults=faults)
    return RedirectResponse(f"/quy-trinh/chuoi/{code}", status_code=303)


def _page(
    request: Request, database: Database, settings: Settings, user: User, shown: TemplateView,
    *, problem: str | None = None,
) -> HTMLResponse:  # fmt: skip
    versions = [one for one in procedures.list_templates(settings, only_newest=False) if one.code == shown.code]
    is_draft = shown.status == "draft"
    return render(
        request,
        "procedure.html",
        status=422 if problem else 200,
        shown=shown,
        versions=versions,
        step_titles={step.code: {"vi": step.title_vi, "en": step.title_en} for step in shown.steps},
        roles=ROLES,
        unit_names=_names(database),
        may_write=user.is_engineer,
        may_approve=is_draft and user.role == "leader" and shown.author != user.username,
        may_discard=is_draft and (shown.author == user.username or user.role == "leader"),
        problem=problem,
    )


@router.get("/quy-trinh/{code}", response_class=HTMLResponse)
def procedure_page(
    request: Request, database: Db, settings: Config, user: SignedIn, code: str, *, ban: int | None = None
) -> HTMLResponse:
    """A version (``ban``; default: the one in force) with its steps and its escalation."""
    return _page(request, database, settings, user, _version(settings, code, ban))


def _decided(
    request: Request, database: Database, settings: Settings, user: User, code: str, *, template_id: int,
    is_approval: bool,
) -> Response:  # fmt: skip
    found = [one for one in procedures.list_templates(settings, only_newest=False) if one.template_id == template_id]
    if not found or found[0].code != code:
        raise NotFoundError
    try:
        if is_approval:
            procedures.approve_template(template_id, user.username, settings)
        else:
            procedures.discard_template(template_id, user.username, settings)
    except ActRefusedError as refused:
        return _page(request, database, settings, user, found[0], problem=str(refused))
    still_there = any(one.code == code for one in procedures.list_templates(settings))
    return RedirectResponse(f"/quy-trinh/{code}" if still_there else "/quy-trinh", status_code=303)


TemplateId = Annotated[int, Form(ge=1, le=2**62)]


@router.post("/quy-trinh/{code}/duyet", dependencies=[Depends(own_form)])
def approve(
    request: Request, database: Db, settings: Config, user: Leader, code: str, *, template_id: TemplateId
) -> Response:
    """Put a draft in force for cases that are opened from now on."""
    return _decided(request, database, settings, user, code, template_id=template_id, is_approval=True)


@router.post("/quy-trinh/{code}/bo", dependencies=[Depends(own_form)])
def discard(
    request: Request, database: Db, settings: Config, user: SignedIn, code: str, *, template_id: TemplateId
) -> Response:
    """Throw a draft away: its author, or a leader."""
    found = [one for one in procedures.list_templates(settings, only_newest=False) if one.template_id == template_id]
    if not found or (found[0].author != user.username and user.role != "leader"):
        raise NotFoundError
    return _decided(request, database, settings, user, code, template_id=template_id, is_approval=False)
