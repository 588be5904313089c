"""Indicators: how soon units accept and finish, what is overdue, which rules were often wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from alerts import procedures
from portal.web import Config, SignedIn, render

router = APIRouter(include_in_schema=False)
PERIODS = (7, 30, 90)


@router.get("/chi-so", response_class=HTMLResponse)
def indicators(request: Request, settings: Config, user: SignedIn, ngay: str = "30") -> HTMLResponse:
    """Figures per unit and per rule over the last 7, 30 or 90 days; officers: their own unit's."""
    days = int(ngay) if ngay in map(str, PERIODS) else 30
    now = datetime.now(UTC)
    figures = procedures.indicators(now - timedelta(days=days), now, user.visible_units, settings=settings, at=now)
    return render(
        request,
        "indicators.html",
        figures=figures,
        days=days,
        periods=PERIODS,
        units=sorted(figures.units, key=lambda unit: (-(unit.overdue_share or 0), unit.unit_name)),
        rules=sorted(figures.rules, key=lambda rule: (-rule.false_share, rule.title_vi)),
    )
