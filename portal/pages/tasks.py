"""Tasks: what waits for me and for my unit, and one task with its forms — take, begin, hand in evidence, finish.

What is refused comes back as a sentence on the same page; what is not the reader's does not exist (404).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, File, Form, Request, UploadFile
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from alerts import procedures
from alerts.incidents import ActRefusedError
from portal.web import Config, Db, NotFoundError, SignedIn, own_form, render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ioc.settings import Settings
    from portal.database import Database
    from portal.users import User

router = APIRouter(include_in_schema=False)
NOTE_LENGTH = 2000
# Engineers look on; a task that is assigned to one of them is theirs all the same.
ACTING_ROLES = ("officer", "leader", "admin")


def _found(task_id: int, user: User, settings: Settings) -> tuple[procedures.TaskView, Sequence[str] | None]:
    """A task that the user may see, and the units to act for: what is assigned to somebody is theirs in any unit.

    Raises:
        NotFoundError: no such task for this user.
    """
    units = user.visible_units
    try:
        return procedures.task(task_id, units, settings=settings), units
    except ActRefusedError as error:
        if units is None:
            raise NotFoundError from error
    try:
        task = procedures.task(task_id, None, settings=settings)
    except ActRefusedError as error:
        raise NotFoundError from error
    if task.assignee != user.username:
        raise NotFoundError
    return task, None


def may_act(task: procedures.TaskView, user: User) -> list[str]:
    """The acts that are worth offering; the act itself decides again."""
    is_mine, units = task.assignee == user.username, user.visible_units
    in_queue = units is None or task.unit_code in units
    if not is_mine and (user.role not in ACTING_ROLES or not in_queue):
        return []
    mine_only = {"start", "finish"}
    acts = [act for act in task.acts if act not in mine_only or is_mine]
    if task.assignee and not is_mine:
        acts = [act for act in acts if act not in ("accept", "reject")]
    return acts


@router.get("/cong-viec", response_class=HTMLResponse)
def my_tasks(request: Request, settings: Config, user: SignedIn, xem: str = "") -> HTMLResponse:
    """Open tasks, overdue ones first; ``xem=cua-toi`` only what is assigned to me, ``xem=da-xong`` finished ones."""
    units = user.visible_units
    # Who answers for every unit would drown in their queues: the own tasks first, all of them on demand.
    shows = xem if xem in ("cua-toi", "don-vi", "da-xong") else ("don-vi" if units is not None else "cua-toi")
    if shows == "da-xong":
        every = procedures.my_tasks(user.username, units, only_open=False, settings=settings, limit=300)
        tasks = [task for task in every if task.status in ("done", "skipped", "cancelled")][:100]
    else:
        tasks = procedures.my_tasks(user.username, units, only_mine=shows == "cua-toi", settings=settings)
    directives = procedures.directives(units, settings=settings) if shows == "don-vi" else []
    return render(
        request,
        "tasks.html",
        shows=shows,
        overdue=[task for task in tasks if task.is_overdue],
        mine=[task for task in tasks if not task.is_overdue and task.assignee == user.username],
        others=[task for task in tasks if not task.is_overdue and task.assignee != user.username],
        directives=directives,
    )


def _page(
    request: Request, database: Database, settings: Settings, user: User, task_id: int, *, problem: str | None = None
) -> HTMLResponse:
    task, units = _found(task_id, user, settings)
    file = procedures.case(task.case_code, units, settings=settings)
    acts = may_act(task, user)
    people = []
    if "assign" in acts:
        people = database.rows(
            "select user_name, name_vi from ref.contact where is_active and user_name is not null "
            "order by unit_code <> %(unit)s, name_vi",
            {"unit": task.unit_code or ""},
        )
    return render(
        request,
        "task.html",
        status=422 if problem else 200,
        task=task,
        case=file.case,
        before=[other for other in file.tasks if other.step_code in task.depends_on],
        comments=[comment for comment in file.comments if comment.task_id == task_id],
        attachments=[one for one in file.attachments if one.task_id == task_id],
        acts=acts,
        people=people,
        max_megabytes=procedures.MAX_BYTES // 2**20,
        problem=problem,
    )


@router.get("/cong-viec/{task_id}", response_class=HTMLResponse)
def task_page(request: Request, database: Db, settings: Config, user: SignedIn, task_id: int) -> HTMLResponse:
    """One task: what to do, until when, with which evidence."""
    return _page(request, database, settings, user, task_id)


@router.post("/cong-viec/{task_id}/tep", dependencies=[Depends(own_form)])
def add_file(
    request: Request,
    database: Db,
    settings: Config,
    user: SignedIn,
    task_id: int,
    *,
    file: Annotated[UploadFile | None, File()] = None,
) -> Response:
    """Hand in evidence: kept under its SHA-256."""
    task, units = _found(task_id, user, settings)
    try:
        if file is None or not file.filename:
            raise ActRefusedError("Hãy chọn tệp cần nộp.")
        # One byte more than is taken, so that what is too big is known to be.
        content = file.file.read(procedures.MAX_BYTES + 1)
        procedures.attach(
            task.case_code, file.filename, content, user.username, task_id=task_id, unit_codes=units, settings=settings
        )
    except ActRefusedError as refused:
        return _page(request, database, settings, user, task_id, problem=str(refused))
    return RedirectResponse(f"/cong-viec/{task_id}", status_code=303)


@router.post("/cong-viec/{task_id}/y-kien", dependencies=[Depends(own_form)])
def comment(
    request: Request,
    database: Db,
    settings: Config,
    user: SignedIn,
    task_id: int,
    *,
    body: Annotated[str, Form()] = "",
) -> Response:
    """Remark on the task; stays for good."""
    task, units = _found(task_id, user, settings)
    try:
        procedures.comment(task.case_code, body, user.username, task_id=task_id, unit_codes=units, settings=settings)
    except ActRefusedError as refused:
        return _page(request, database, settings, user, task_id, problem=str(refused))
    return RedirectResponse(f"/cong-viec/{task_id}", status_code=303)


@router.post("/cong-viec/{task_id}/{act}", dependencies=[Depends(own_form)])
def act_on(
    request: Request,
    database: Db,
    settings: Config,
    user: SignedIn,
    *,
    task_id: int,
    act: str,
    version: Annotated[int | None, Form()] = None,
    outcome: Annotated[str, Form()] = "",
    note: Annotated[str, Form()] = "",
    assignee: Annotated[str, Form()] = "",
) -> Response:
    """Take (``nhan``), begin (``bat-dau``), finish (``xong``), give back, assign, skip, cancel.

    Raises:
        NotFoundError: no such act, or no task of this user's.
    """
    task, units = _found(task_id, user, settings)
    names = {"nhan": "accept", "bat-dau": "start", "xong": "finish", "tu-choi": "reject", "giao": "assign",
             "bo-qua": "skip", "huy": "cancel"}  # fmt: skip
    if act not in names or (task.assignee != user.username and user.role not in ACTING_ROLES):
        raise NotFoundError
    name, note = names[act], note[:NOTE_LENGTH]
    try:
        if name == "accept":
            procedures.accept(task_id, user.username, version=version, unit_codes=units, settings=settings)
        elif name == "start":
            procedures.start(task_id, user.username, version=version, unit_codes=units, settings=settings)
        elif name == "finish":
            procedures.finish(
                task_id, outcome, user.username, note=note, version=version, unit_codes=units, settings=settings
            )
        elif name == "assign":
            procedures.assign(
                task_id, assignee, user.username, note=note, version=version, unit_codes=units, settings=settings
            )
        else:
            give_up = {"reject": procedures.reject, "skip": procedures.skip, "cancel": procedures.cancel}[name]
            give_up(task_id, note, user.username, version=version, unit_codes=units, settings=settings)
    except ActRefusedError as refused:
        return _page(request, database, settings, user, task_id, problem=str(refused))
    return RedirectResponse(f"/cong-viec/{task_id}", status_code=303)
