"""Cases: the list that a leader reads, one case with everything in it, opening by hand, closing, directives, files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, File, Form, Request, UploadFile
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from alerts import procedures
from alerts.incidents import ActRefusedError, history
from portal.web import Config, Db, NotFoundError, SignedIn, local_moment, own_form, render

if TYPE_CHECKING:
    from ioc.settings import Settings
    from portal.database import Database, Row
    from portal.users import User

router = APIRouter(include_in_schema=False)
_STATUSES = ("open", "closed")
# Engineers look on.
ACTING_ROLES = ("officer", "leader", "admin")


@router.get("/vu-viec", response_class=HTMLResponse)
def list_of_cases(
    request: Request,
    settings: Config,
    user: SignedIn,
    *,
    tinh_trang: str = "open",
    cap: str = "",
    don_vi: str = "",
    tre: str = "",
    tim: str = "",
) -> HTMLResponse:
    """Cases with their progress: ``tinh_trang`` standing, ``cap`` lowest level, ``don_vi`` unit, ``tre`` late ones."""
    status = tinh_trang if tinh_trang in _STATUSES else None
    cases = procedures.list_cases(user.visible_units, status=status, settings=settings, limit=500)
    units = {case.owner_unit: case.owner_unit_name for case in cases if case.owner_unit}
    lowest, words = int(cap) if cap in ("1", "2", "3", "4") else 1, tim.strip().lower()[:100]
    fitting = [
        case
        for case in cases
        if case.level >= lowest
        and (not don_vi or don_vi in (case.owner_unit, case.unit_code))
        and (not tre or case.overdue_count)
        and words in f"{case.code} {case.title_vi} {case.unit_name}".lower()
    ]
    return render(
        request,
        "cases.html",
        cases=fitting,
        late_count=sum(1 for case in cases if case.status == "open" and case.overdue_count),
        open_count=sum(1 for case in cases if case.status == "open"),
        unacked_count=sum(1 for case in cases if case.incident_status == "open" and not case.is_acked),
        unit_choices=sorted(units.items(), key=lambda item: item[1]),
        chosen={"tinh_trang": tinh_trang, "cap": cap, "don_vi": don_vi, "tre": tre, "tim": tim[:100]},
        is_filtered=bool(tinh_trang != "open" or cap or don_vi or tre or words),
        may_open=user.role in ACTING_ROLES,
    )


def _units(database: Database) -> list[Row]:
    """Units of today: offices first, then wards and communes."""
    return database.rows(
        "select code, name_vi from ref.org_unit where valid @> current_date "
        "order by kind in ('ward', 'commune'), kind <> 'province', name_vi"
    )


def _opening(
    request: Request,
    database: Database,
    settings: Settings,
    user: User,
    *,
    given: dict[str, Any],
    problem: str | None = None,
) -> HTMLResponse:
    incident = None
    if given["su_co"]:
        try:
            incident = history(UUID(given["su_co"]), user.visible_units, settings).incident
        except ValueError as error:
            raise NotFoundError from error
    return render(
        request,
        "case_new.html",
        status=422 if problem else 200,
        templates=[one for one in procedures.list_templates(settings=settings) if one.status == "approved"],
        units=_units(database),
        incident=incident,
        given=given,
        problem=problem,
    )


def _may_open(user: User) -> None:
    if user.role not in ACTING_ROLES:
        raise NotFoundError


@router.get("/vu-viec/mo", response_class=HTMLResponse)
def opening_form(request: Request, database: Db, settings: Config, user: SignedIn, su_co: str = "") -> HTMLResponse:
    """The form for a case by hand, perhaps about an incident (``su_co``)."""
    _may_open(user)
    blank = {"template": "", "title": "", "level": "2", "unit": "", "su_co": su_co}
    return _opening(request, database, settings, user, given=blank)


@router.post("/vu-viec/mo", dependencies=[Depends(own_form)])
def open_by_hand(
    request: Request,
    database: Db,
    settings: Config,
    user: SignedIn,
    *,
    template: Annotated[str, Form()] = "",
    title: Annotated[str, Form()] = "",
    level: Annotated[str, Form()] = "2",
    unit: Annotated[str, Form()] = "",
    su_co: Annotated[str, Form()] = "",
) -> Response:
    """Open a case for something that no rule saw, or for an incident below its rule's level."""
    _may_open(user)
    given = {"template": template, "title": title[:200], "level": level, "unit": unit, "su_co": su_co}
    try:
        if not template:
            raise ActRefusedError("Hãy chọn quy trình.")
        if not title.strip() and not su_co:
            raise ActRefusedError("Hãy ghi tên vụ việc.")
        case = procedures.open_case(
            template,
            user.username,
            title=title[:200],
            level=int(level) if level.isdigit() else 0,
            unit_code=unit or None,
            incident_id=UUID(su_co) if su_co else None,
            unit_codes=user.visible_units,
            settings=settings,
        )
    except ActRefusedError as refused:
        return _opening(request, database, settings, user, given=given, problem=str(refused))
    except ValueError as error:
        raise NotFoundError from error
    return RedirectResponse(f"/vu-viec/{case.code}", status_code=303)


def _file(code: str, user: User, settings: Settings) -> procedures.CaseFile:
    try:
        return procedures.case(code, user.visible_units, settings=settings)
    except ActRefusedError as error:
        raise NotFoundError from error


def _page(
    request: Request,
    database: Database,
    settings: Settings,
    user: User,
    code: str,
    *,
    problem: str | None = None,
    form: str = "",
    typed: str = "",
) -> HTMLResponse:
    file = _file(code, user, settings)
    units = user.visible_units
    is_open, acts = file.case.status == "open", user.role in ACTING_ROLES
    coordinates = units is None or file.case.owner_unit in units
    numbers = {task.task_id: task for task in file.tasks}
    return render(
        request,
        "case.html",
        status=422 if problem else 200,
        file=file,
        case=file.case,
        task_of=numbers,
        clocks=[timer for timer in file.timers if timer.status == "armed"],
        may_add=is_open and acts,
        may_comment=acts or user.role == "engineer",
        may_direct=is_open and acts and coordinates,
        may_close=is_open and acts and coordinates,
        reports_for=[unit for unit in (units or []) if is_open],
        units=_units(database) if is_open and acts and coordinates else [],
        close_reasons=[
            reason
            for reason in procedures.close_reasons(settings)
            if file.case.incident_status != "open" or reason.while_firing
        ],
        suggestions=[task for task in file.tasks if task.directive_vi and task.status not in ("done", "skipped")],
        max_megabytes=procedures.MAX_BYTES // 2**20,
        problem=problem,
        form=form,
        typed=typed,
    )


@router.get("/vu-viec/{code}", response_class=HTMLResponse)
def case_page(request: Request, database: Db, settings: Config, user: SignedIn, code: str) -> HTMLResponse:
    """One case: progress, deadlines, directives, comments, files, closing, history."""
    return _page(request, database, settings, user, code)


@router.post("/vu-viec/{code}/y-kien", dependencies=[Depends(own_form)])
def comment(
    request: Request, database: Db, settings: Config, user: SignedIn, code: str, *, body: Annotated[str, Form()] = ""
) -> Response:
    """Remark on the case; stays for good."""
    _file(code, user, settings)
    try:
        procedures.comment(code, body, user.username, unit_codes=user.visible_units, settings=settings)
    except ActRefusedError as refused:
        return _page(request, database, settings, user, code, problem=str(refused), form="comment", typed=body)
    return RedirectResponse(f"/vu-viec/{code}#y-kien", status_code=303)


@router.post("/vu-viec/{code}/tep", dependencies=[Depends(own_form)])
def add_file(
    request: Request,
    database: Db,
    settings: Config,
    user: SignedIn,
    code: str,
    *,
    file: Annotated[UploadFile | None, File()] = None,
) -> Response:
    """Add a file to the case."""
    _file(code, user, settings)
    if user.role not in ACTING_ROLES:
        raise NotFoundError
    try:
        if file is None or not file.filename:
            raise ActRefusedError("Hãy chọn tệp cần nộp.")
        content = file.file.read(procedures.MAX_BYTES + 1)
        procedures.attach(code, file.filename, content, user.username, unit_codes=user.visible_units, settings=settings)
    except ActRefusedError as refused:
        return _page(request, database, settings, user, code, problem=str(refused), form="file")
    return RedirectResponse(f"/vu-viec/{code}#tep", status_code=303)


@router.get("/tep/{attachment_id}")
def download(settings: Config, user: SignedIn, attachment_id: int) -> Response:
    """A file, for those who may see its case; always saved, never shown by the browser."""
    try:
        found = procedures.read_attachment(attachment_id, user.visible_units, settings=settings)
    except ActRefusedError as error:
        raise NotFoundError from error
    return Response(
        found.content,
        media_type=found.attachment.media_type,
        headers={"Content-Disposition": found.content_disposition, "Content-Security-Policy": "sandbox"},
    )


@router.post("/vu-viec/{code}/chi-dao", dependencies=[Depends(own_form)])
def direct(
    request: Request,
    database: Db,
    settings: Config,
    user: SignedIn,
    code: str,
    *,
    body: Annotated[str, Form()] = "",
    to_unit: Annotated[list[str] | None, Form()] = None,
    due_at: Annotated[str, Form()] = "",
) -> Response:
    """Issue a written directive to units: leaders, and the unit that coordinates the case."""
    case = _file(code, user, settings).case
    units = user.visible_units
    if user.role not in ACTING_ROLES or (units is not None and case.owner_unit not in units):
        raise NotFoundError
    try:
        due = local_moment(due_at)
        if due is None:
            raise ActRefusedError("Hãy ghi thời hạn thực hiện.")
        procedures.directive_send(
            code, body[:5000], to_unit or [], due, user.username, unit_codes=units, settings=settings
        )
    except ActRefusedError as refused:
        return _page(request, database, settings, user, code, problem=str(refused), form="directive", typed=body)
    return RedirectResponse(f"/vu-viec/{code}#chi-dao", status_code=303)


@router.post("/vu-viec/{code}/chi-dao/{directive_id}/bao-cao", dependencies=[Depends(own_form)])
def report(
    request: Request,
    database: Db,
    settings: Config,
    user: SignedIn,
    *,
    code: str,
    directive_id: int,
    unit: Annotated[str, Form()] = "",
    body: Annotated[str, Form()] = "",
    percent: Annotated[int, Form()] = -1,
) -> Response:
    """Report on a directive for a unit."""
    file = _file(code, user, settings)
    if user.role not in ACTING_ROLES or directive_id not in [one.directive_id for one in file.directives]:
        raise NotFoundError
    try:
        procedures.directive_progress(
            directive_id, unit, body[:5000], percent, user.username, unit_codes=user.visible_units, settings=settings
        )
    except ActRefusedError as refused:
        return _page(request, database, settings, user, code, problem=str(refused), form="report", typed=body)
    return RedirectResponse(f"/vu-viec/{code}#chi-dao", status_code=303)


@router.post("/vu-viec/{code}/dong", dependencies=[Depends(own_form)])
def close(
    request: Request,
    database: Db,
    settings: Config,
    user: SignedIn,
    code: str,
    *,
    reason: Annotated[str, Form()] = "",
    note: Annotated[str, Form()] = "",
    cancel_open_tasks: Annotated[str, Form()] = "",
) -> Response:
    """Close the case with a reason; an incident that goes on needs a reason for that and a note."""
    _file(code, user, settings)
    if user.role not in ACTING_ROLES:
        raise NotFoundError
    try:
        procedures.close_case(
            code,
            reason,
            user.username,
            note=note[:2000],
            cancel_open_tasks=bool(cancel_open_tasks),
            unit_codes=user.visible_units,
            settings=settings,
        )
    except ActRefusedError as refused:
        return _page(request, database, settings, user, code, problem=str(refused), form="close", typed=note)
    return RedirectResponse(f"/vu-viec/{code}", status_code=303)
