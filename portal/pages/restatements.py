"""Late and corrected data, day by day: what came behind the newest, and what it would have changed."""

from __future__ import annotations

from datetime import date

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from alerts.judging import restatement
from portal.web import Config, NotFoundError, SignedIn, render

router = APIRouter(include_in_schema=False)


@router.get("/so-lieu-sua", response_class=HTMLResponse)
def restatements(request: Request, settings: Config, user: SignedIn, ngay: str = "") -> HTMLResponse:
    """The report of one day (default: the newest that has any) and the list of days; officers: their own unit's."""
    days = restatement.days(user.visible_units, settings)
    try:
        chosen = date.fromisoformat(ngay) if ngay else days[0]["day"] if days else None
    except ValueError as error:
        raise NotFoundError from error
    rows = restatement.report(chosen, user.visible_units, settings) if chosen else []
    return render(request, "restatements.html", days=days, chosen=chosen, rows=rows)
