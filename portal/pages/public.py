"""Pages without login: citizens, the description of the public API, liveness and readiness."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse

from alerts.notifying import public
from ioc.warehouse import WarehouseUnreachable
from portal import domains
from portal.web import Config, Db, Reader, render

router = APIRouter(include_in_schema=False)


@router.get("/cong-dan", response_class=HTMLResponse)
def citizens(request: Request, database: Db, settings: Config, who: Reader) -> HTMLResponse:
    """Public alerts in force, and the public part of every domain that has one."""
    blocks = [
        {"template": page.public_template, **page.public_context(database, who.language)}
        for page in domains.pages().values()
        if page.public_template
    ]
    return render(request, "citizens.html", blocks=blocks, alerts=public.active(settings))


@router.get("/api/public", response_class=HTMLResponse)
def api_description(request: Request) -> HTMLResponse:
    """The public API, described for people from its own OpenAPI document."""
    return render(request, "api.html", api=request.app.openapi())


@router.get("/favicon.ico")
def icon() -> Response:
    """Pages that name no icon of their own."""
    return RedirectResponse("/static/star.svg", status_code=301)


@router.get("/health")
def health() -> Response:
    """The process answers."""
    return JSONResponse({"status": "ok"})


@router.get("/ready")
def ready(database: Db) -> Response:
    """The process and its database answer."""
    try:
        database.row("select 1 as one from portal.account limit 1")
    except WarehouseUnreachable:
        return JSONResponse({"status": "database unreachable"}, status_code=503)
    return JSONResponse({"status": "ok"})
