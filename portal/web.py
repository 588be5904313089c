"""What every page shares: who asks, in which language, the walls around pages, and the rendering of templates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Annotated, Any, cast
from urllib.parse import quote

from fastapi import Depends, Form, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.datastructures import FormData

from ioc.domains import all_domains
from ioc.secrets import Secrets
from ioc.settings import Settings
from portal import colours, language, once, sessions, standing
from portal.database import Database
from portal.users import User

_ROOM = Path(__file__).resolve().parent
templates = Environment(
    # A domain's templates lie in its own folder: "<domain>/templates/name.html".
    loader=FileSystemLoader([_ROOM / "templates", _ROOM / "domains"]),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
templates.globals["ink_on"] = colours.ink_on
templates.filters["colour"] = colours.checked


class NotSignedInError(Exception):
    """The page needs a login."""


class ForbiddenError(Exception):
    """Signed in, but the page is for another role."""


class NotFoundError(Exception):
    """No such thing, or none that this user may know of."""


class BadFormError(Exception):
    """The form token is missing or not ours: an old page, or a post from elsewhere."""


def database_of(request: Request) -> Database:
    """The portal's database."""
    return cast("Database", request.app.state.database)


def settings_of(request: Request) -> Settings:
    """Settings of the stack."""
    return cast("Settings", request.app.state.settings)


@dataclass
class Visitor:
    """Who asks for a page: perhaps signed in, always with a language.

    Attributes:
        user: The user, or None.
        language: Language of this reader.
        token: Content of the session cookie, or of the form cookie before login.
    """

    user: User | None
    language: language.Language
    token: str | None


def session_cookie(settings: Settings) -> str:
    """Name of the session cookie; browsers share cookies across ports, so each stack has a name of its own."""
    return f"ioc_session_{settings.port_portal}"


def form_cookie(settings: Settings) -> str:
    """Name of the cookie that stands in for the session before login."""
    return f"ioc_form_{settings.port_portal}"


def cookie_flags(settings: Settings) -> dict[str, Any]:
    """Flags of every cookie that carries a secret."""
    return {
        "httponly": True,
        "samesite": "lax",
        "secure": settings.portal_url().startswith("https://"),
        "path": "/",
    }


def visitor(request: Request) -> Visitor:
    """Who asks, once per request."""
    known = getattr(request.state, "visitor", None)
    if known is not None:
        return cast("Visitor", known)
    settings = settings_of(request)
    token = request.cookies.get(session_cookie(settings))
    # A page that refreshes itself is no sign of somebody being there.
    is_used = "x-live" not in request.headers
    user = sessions.find(database_of(request), token, is_used=is_used) if token else None
    if user is None:
        token = request.cookies.get(form_cookie(settings))
    found = Visitor(user, language.Language(language.code_of(request.cookies.get(language.COOKIE))), token)
    request.state.visitor = found
    return found


def signed_in(who: Annotated[Visitor, Depends(visitor)]) -> User:
    """The signed-in user.

    Raises:
        NotSignedInError: nobody is; pages send to the login, the API answers 401.
    """
    if who.user is None:
        raise NotSignedInError
    return who.user


def engineer(user: Annotated[User, Depends(signed_in)]) -> User:
    """The signed-in engineer or administrator.

    Raises:
        ForbiddenError: another role.
    """
    if not user.is_engineer:
        raise ForbiddenError
    return user


async def _sent(request: Request) -> FormData:
    return await request.form()


Sent = Annotated[FormData, Depends(_sent)]


def own_form(
    request: Request,
    who: Annotated[Visitor, Depends(visitor)],
    sent: Sent,
    form_token: Annotated[str, Form()] = "",
    form_id: Annotated[str, Form()] = "",
) -> None:
    """Refuse posts that do not come from a page of ours, and the second of a double click.

    Scripts send the token in ``X-Form-Token``, and no ``form_id``.

    Raises:
        BadFormError: the token does not fit the cookie.
        RepeatedFormError: the same form with the same content was sent before.
    """
    secret = Secrets.of(settings_of(request)).get("portal_session")
    if not sessions.is_form_token(secret, who.token, form_token or request.headers.get("x-form-token")):
        raise BadFormError
    if form_id and who.user is not None:
        request.state.form_claim = once.claim(
            database_of(request), who.user.account_id, request, form_id[:64], sent.multi_items()
        )


Reader = Annotated[Visitor, Depends(visitor)]
SignedIn = Annotated[User, Depends(signed_in)]
Engineer = Annotated[User, Depends(engineer)]
Db = Annotated[Database, Depends(database_of)]
Config = Annotated[Settings, Depends(settings_of)]


def local_path(path: str | None) -> str:
    """A path on this site to go back to; anything that could lead elsewhere becomes ``/``."""
    if not path or not path.startswith("/") or path.startswith("//") or "\\" in path or any(ord(c) < 32 for c in path):
        return "/"
    return path


def local_moment(text: str) -> datetime | None:
    """What a form's date and time mean (``2026-11-22T14:00``, Vietnam time); None = nothing that one could read."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=language.ZONE)


def paging_moment(text: str) -> datetime | None:
    """The moment in a link to older entries (with its offset, whose ``+`` a browser may send as a blank), or None."""
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def render(request: Request, template: str, *, status: int = 200, **values: object) -> HTMLResponse:
    """Render a template for the visitor of this request."""
    settings = settings_of(request)
    who = visitor(request)
    cookie = who.token
    fresh_cookie = None
    if cookie is None:
        cookie = fresh_cookie = sessions.new_token()
    secret = Secrets.of(settings).get("portal_session")
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    html = templates.get_template(template).render(
        t=who.language.text,
        lang=who.language,
        user=who.user,
        path=request.url.path,
        here=quote(here, safe="/"),
        form_token=sessions.form_token(secret, cookie),
        form_id=token_hex(8),
        domains=all_domains(),
        static_version=request.app.state.static_version,
        standing=standing.of(database_of(request), who.user),
        now=datetime.now(UTC),
        **values,
    )
    response = HTMLResponse(html, status_code=status)
    if fresh_cookie:
        response.set_cookie(form_cookie(settings), fresh_cookie, **cookie_flags(settings))
    return response
