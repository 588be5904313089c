"""Cases: the list that a leader reads, one case with everything in it, opening by hand, closing, directives, files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, File, Form, Request, UploadFile
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from alerts import procedures
from alerts.incidents import ActRefusedError, history
from portal.web import Config, Db, NotFoundError, SignedIn, local_moment, own_form, render

if TYPE_CHECKING:
    from collections.abc import Callable

    from ioc.settings import Settings
    from portal.database import Database, Row
    from portal.users import User

router = APIRouter(include_in_schema=False)
_STATUSES = ("open", "closed")
# Engineers look on.
ACTING_ROLES = ("officer", "leader", "admin")
# Where on the page the forms of a case stand.
_PLACES = {"comment": "#y-kien", "file": "#tep", "directive": "#chi-dao", "report": "#chi-dao", "close": ""}


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


def _may_act(user: User) -> None:
    if user.role not in ACTING_ROLES:
        raise NotFoundError


@router.get("/vu-viec/mo", response_class=HTMLResponse)
def opening_form(request: Request, database: Db, settings: Config, user: SignedIn, su_co: str = "") -> HTMLResponse:
    """The form for a case by hand, perhaps about an incident (``su_co``)."""
    _may_act(user)
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
    _may_act(user)
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


@dataclass(frozen=True)
class _Visit:
    """Somebody before a case."""

    request: Request
    database: Database
    settings: Settings
    user: User

    def page(self, code: str, *, problem: str | None = None, form: str = "", typed: str = "") -> HTMLResponse:
        """The case; after a refusal with the reason, and with what was typed into ``form``."""
        file = _file(code, self.user, self.settings)
        units = self.user.visible_units
        is_open, acts = file.case.status == "open", self.user.role in ACTING_ROLES
        coordinates = units is None or file.case.owner_unit in units
        numbers = {task.task_id: task for task in file.tasks}
        return render(
            self.request,
            "case.html",
            status=422 if problem else 200,
            file=file,
            case=file.case,
            task_of=numbers,
            clocks=[timer for timer in file.timers if timer.status == "armed"],
            may_add=is_open and acts,
            may_comment=acts or self.user.role == "engineer",
            may_direct=is_open and acts and coordinates,
            may_close=is_open and acts and coordinates,
            reports_for=[unit for unit in (units or []) if is_open],
            units=_units(self.database) if is_open and acts and coordinates else [],
            close_reasons=[
                reason
                for reason in procedures.close_reasons(self.settings)
                if file.case.incident_status != "open" or reason.while_firing
            ],
            suggestions=[task for task in file.tasks if task.directive_vi and task.status not in ("done", "skipped")],
            max_megabytes=procedures.MAX_BYTES // 2**20,
            problem=problem,
            form=form,
            typed=typed,
        )

    def act(self, code: str, form: str, act: Callable[[], object], typed: str = "") -> Response:
        """Do what ``form`` asks for: back to its place on the page, or the page with the reason of the refusal."""
        try:
            act()
        except ActRefusedError as refused:
            return self.page(code, problem=str(refused), form=form, typed=typed)
        return RedirectResponse(f"/vu-viec/{code}{_PLACES[form]}", status_code=303)


def _visit(request: Request, database: Db, settings: Config, user: SignedIn) -> _Visit:
    return _Visit(request, database, settings, user)


Visit = Annotated[_Visit, Depends(_visit)]


@router.get("/vu-viec/{code}", response_class=HTMLResponse)
def case_page(visit: Visit, code: str) -> HTMLResponse:
    """One case: progress, deadlines, directives, comments, files, closing, history."""
    return visit.page(code)


@router.post("/vu-viec/{code}/y-kien", dependencies=[Depends(own_form)])
def comment(visit: Visit, code: str, *, body: Annotated[str, Form()] = "") -> Response:
    """Remark on the case; stays for good."""
    user, settings = visit.user, visit.settings
    _file(code, user, settings)

    def act() -> None:
        procedures.comment(code, body, user.username, unit_codes=user.visible_units, settings=settings)

    return visit.act(code, "comment", act, body)


@router.post("/vu-viec/{code}/tep", dependencies=[Depends(own_form)])
def add_file(visit: Visit, code: str, *, file: Annotated[UploadFile | None, File()] = None) -> Response:
    """Add a file to the case."""
    user, settings = visit.user, visit.settings
    _file(code, user, settings)
    _may_act(user)

    def act() -> None:
        if file is None or not file.filename:
            raise ActRefusedError("Hãy chọn tệp cần nộp.")
        content = file.file.read(procedures.MAX_BYTES + 1)
        procedures.attach(code, file.filename, content, user.username, unit_codes=user.visible_units, settings=settings)

    return visit.act(code, "file", act)


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
    visit: Visit,
    code: str,
    *,
    body: Annotated[str, Form()] = "",
    to_unit: Annotated[list[str] | None, Form()] = None,
    due_at: Annotated[str, Form()] = "",
) -> Response:
    """Issue a written directive to units: leaders, and the unit that coordinates the case."""
    user, settings = visit.user, visit.settings
    case, units = _file(code, user, settings).case, user.visible_units
    _may_act(user)
    if units is not None and case.owner_unit not in units:
        raise NotFoundError

    def act() -> None:
        due = local_moment(due_at)
        if due is None:
            raise ActRefusedError("Hãy ghi thời hạn thực hiện.")
        procedures.directive_send(
            code, body[:5000], to_unit or [], due, user.username, unit_codes=units, settings=settings
        )

    return visit.act(code, "directive", act, body)


@router.post("/vu-viec/{code}/chi-dao/{directive_id}/bao-cao", dependencies=[Depends(own_form)])
def report(
    visit: Visit,
    code: str,
    directive_id: int,
    *,
    unit: Annotated[str, Form()] = "",
    body: Annotated[str, Form()] = "",
    percent: Annotated[int, Form()] = -1,
) -> Response:
    """Report on a directive for a unit."""
    user, settings = visit.user, visit.settings
    file = _file(code, user, settings)
    _may_act(user)
    if directive_id not in [one.directive_id for one in file.directives]:
        raise NotFoundError

    def act() -> None:
        procedures.directive_progress(
            directive_id, unit, body[:5000], percent, user.username, unit_codes=user.visible_units, settings=settings
        )

    return visit.act(code, "report", act, body)


@router.post("/vu-viec/{code}/dong", dependencies=[Depends(own_form)])
def close(
    visit: Visit,
    code: str,
    *,
    reason: Annotated[str, Form()] = "",
    note: Annotated[str, Form()] = "",
    cancel_open_tasks: Annotated[str, Form()] = "",
) -> Response:
    """Close the case with a reason; an incident that goes on needs a reason for that and a note."""
    user, settings = visit.user, visit.settings
    _file(code, user, settings)
    _may_act(user)

    def act() -> None:
        procedures.close_case(
            code,
            reason,
            user.username,
            note=note[:2000],
            cancel_open_tasks=bool(cancel_open_tasks),
            unit_codes=user.visible_units,
            settings=settings,
        )

    return visit.act(code, "close", act, note)
