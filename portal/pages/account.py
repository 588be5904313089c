"""Login, logout, change of password, language."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from portal import language, sessions, users
from portal.web import (
    Config,
    Db,
    NotFoundError,
    Reader,
    SignedIn,
    cookie_flags,
    form_cookie,
    local_path,
    own_form,
    render,
    session_cookie,
)

if TYPE_CHECKING:
    from portal.database import Database

router = APIRouter(include_in_schema=False)


@router.get("/dang-nhap", response_class=HTMLResponse)
def login_page(request: Request, who: Reader, next: str = "/") -> Response:
    """The login form."""
    if who.user:
        return RedirectResponse(local_path(next), status_code=303)
    return render(request, "login.html", next=local_path(next), username="", problem=None)


@router.post("/dang-nhap", dependencies=[Depends(own_form)])
def login(
    request: Request,
    database: Db,
    settings: Config,
    *,
    username: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",
) -> Response:
    """Check name and password; a new session on success, the form with one sentence otherwise."""
    address = request.client.host if request.client else "unknown"
    try:
        user = users.authenticate(database, username, password, address)
    except users.LoginLockedError:
        problem = "Nhập sai quá nhiều lần. Hãy đợi 15 phút rồi thử lại, hoặc liên hệ quản trị hệ thống."
        return render(request, "login.html", status=429, next=local_path(next), username=username, problem=problem)
    if user is None:
        problem = "Tên đăng nhập hoặc mật khẩu không đúng."
        return render(request, "login.html", status=401, next=local_path(next), username=username, problem=problem)
    response = RedirectResponse(local_path(next), status_code=303)
    token = sessions.begin(database, user)
    response.set_cookie(
        session_cookie(settings), token, max_age=sessions.ABSOLUTE_DAYS * 86400, **cookie_flags(settings)
    )
    response.delete_cookie(form_cookie(settings), path="/")
    return response


@router.post("/dang-xuat", dependencies=[Depends(own_form)])
def logout(database: Db, settings: Config, who: Reader) -> Response:
    """Close the session."""
    if who.user and who.token:
        sessions.end(database, who.token)
    response = RedirectResponse("/dang-nhap", status_code=303)
    response.delete_cookie(session_cookie(settings), path="/")
    return response


@router.get("/tai-khoan", response_class=HTMLResponse)
def account_page(request: Request, database: Db, user: SignedIn) -> Response:
    """Who I am, and the form for a new password."""
    return _account(request, database, user)


def _account(
    request: Request, database: Database, user: users.User, *, problem: str | None = None, done: bool = False
) -> HTMLResponse:
    unit = database.row(
        "select name_vi from ref.org_unit where code = %(code)s order by valid desc limit 1", {"code": user.unit_code}
    )
    return render(
        request, "account.html", status=422 if problem else 200, problem=problem, done=done,
        unit_name=unit["name_vi"] if unit else user.unit_code,
    )  # fmt: skip


@router.post("/tai-khoan", dependencies=[Depends(own_form)])
def change_password(
    request: Request,
    database: Db,
    who: Reader,
    user: SignedIn,
    *,
    current: Annotated[str, Form()] = "",
    new: Annotated[str, Form()] = "",
    again: Annotated[str, Form()] = "",
) -> Response:
    """Take a new password; every other session of this user ends."""
    if new != again:
        return _account(request, database, user, problem="Hai lần nhập mật khẩu mới không giống nhau.")
    try:
        users.change_password(database, user, current, new, keep_session=sessions.token_hash(who.token or ""))
    except users.PasswordRefusedError as refused:
        return _account(request, database, user, problem=str(refused))
    return _account(request, database, user, done=True)


@router.get("/ngon-ngu/{code}")
def choose_language(code: str, next: str = "/") -> Response:
    """Keep the language in a cookie for a year and go back."""
    if code not in language.CODES:
        raise NotFoundError
    response = RedirectResponse(local_path(next), status_code=303)
    response.set_cookie(language.COOKIE, code, max_age=365 * 86400, samesite="lax", httponly=True, path="/")
    return response
