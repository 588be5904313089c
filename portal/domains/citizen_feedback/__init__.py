"""Citizens' feedback in the portal: overview tile, page with search for officers, and the citizens' look-up by code."""

from __future__ import annotations

import re
from datetime import datetime  # noqa: TC003  (Pydantic reads it)
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field

from ioc.domains import get_domain
from ioc.embed import RowFilter
from ioc.plain_text import plain
from portal.domains import DomainPage, Tile
from portal.web import Db, NotFoundError, SignedIn, render

if TYPE_CHECKING:
    from portal.database import Database, Row
    from portal.language import Language
    from portal.users import User

router = APIRouter()

# Longest search, and most results of one.
_LONGEST, _MOST = 100, 50
_CODE = re.compile(r"[A-Za-z0-9._-]{3,40}")
_TROUBLED, _CALM = "#C2341D", "#2E7D32"


def _summary(database: Database, units: list[str] | None) -> Row | None:
    """Counts of what is open; None while nothing is built."""
    rows = database.rows_if_built(
        """
        select count(*) filter (where is_open) as open_count,
            count(*) filter (where is_overdue) as overdue_count,
            count(*) filter (where is_near_due) as near_due_count,
            count(*) filter (where begun_at > now() - interval '24 hours') as new_count,
            count(*) filter (where is_answered_in_time and finished_at > now() - interval '30 days') as in_time_count,
            count(is_answered_in_time) filter (where finished_at > now() - interval '30 days') as answered_count,
            avg(rating) filter (where begun_at > now() - interval '90 days') as rating_mean,
            count(rating) filter (where begun_at > now() - interval '90 days') as rating_count,
            max(changed_at) filter (where changed_at <= now()) as newest_at
        from serving.rpt_citizen_feedback_report
        where %(units)s::text[] is null or unit_code = any(%(units)s)
        """,
        {"units": units},
    )
    return rows[0] if rows and rows[0]["newest_at"] else None


def tile(database: Database, language: Language) -> Tile:
    """How many reports of the whole province are overdue."""
    row = _summary(database, None)
    if row is None:
        return Tile(None, label=language.text("Chưa có số liệu"))
    overdue = row["overdue_count"]
    facts = [
        language.text("{n} đang xử lý, {m} sắp hết hạn", n=row["open_count"], m=row["near_due_count"]),
        language.text("{n} phản ánh mới trong 24 giờ", n=row["new_count"]),
    ]
    return Tile(
        value=str(overdue),
        unit=language.text("quá hạn"),
        label=language.text("Có phản ánh quá hạn") if overdue else language.text("Không có phản ánh quá hạn"),
        colour=_TROUBLED if overdue else _CALM,
        facts=tuple(facts),
        newest_at=row["newest_at"],
    )


def search(database: Database, text: str, units: list[str] | None) -> list[Row]:
    """Reports whose masked title or content has all the words, marks or no marks, or whose code it is; newest first.

    Args:
        database: The portal's database.
        text: Words; ``"…"`` keeps them together, ``-word`` leaves one out.
        units: Only reports of these units; None = all.
    """
    return (
        database.rows_if_built(
            """
            select t.report_code, r.report_link, t.title, t.content, r.unit_name, r.field_name, r.status_name,
                r.deadline_state, r.begun_at
            from serving.rpt_citizen_feedback_text as t
            inner join serving.rpt_citizen_feedback_report as r using (report_code)
            where (%(units)s::text[] is null or t.unit_code = any(%(units)s))
                and t.report_code in (
                    -- By itself, so that the index over the words is used whatever else is asked.
                    select w.report_code from serving.rpt_citizen_feedback_text as w
                    where to_tsvector('simple'::regconfig, w.search_text) @@ websearch_to_tsquery('simple', %(text)s)
                    union all
                    select %(code)s
                )
            order by t.begun_at desc
            limit %(most)s
            """,
            {"units": units, "text": plain(text), "code": text.strip().upper(), "most": _MOST},
        )
        or []
    )


def _due(database: Database, units: list[str] | None) -> list[Row]:
    return (
        database.rows_if_built(
            """
            select report_link, title, unit_name, field_name, due_at, days_left, deadline_state
            from serving.rpt_citizen_feedback_report
            where (is_overdue or is_near_due) and (%(units)s::text[] is null or unit_code = any(%(units)s))
            order by due_at
            limit 20
            """,
            {"units": units},
        )
        or []
    )


@router.get("/linh-vuc/citizen_feedback", response_class=HTMLResponse, include_in_schema=False)
def page_of_domain(request: Request, database: Db, user: SignedIn, tim: str = "") -> HTMLResponse:
    """What is due, a search over the texts, then the embedded dashboard; officers see their unit's reports only."""
    units, wanted = user.visible_units, tim.strip()[:_LONGEST]
    return render(
        request,
        "citizen_feedback/templates/page.html",
        number=get_domain("citizen_feedback").number,
        summary=_summary(database, units),
        due=_due(database, units),
        wanted=wanted,
        found=search(database, wanted, units) if wanted else [],
        most=_MOST,
    )


class PublicReport(BaseModel):
    """What everybody may know of a report: no text, no sender."""

    report_code: str
    status_name: str = Field(description="Trạng thái")
    field_name: str = Field(description="Lĩnh vực")
    unit_name: str = Field(description="Đơn vị xử lý")
    received_at: datetime | None
    due_at: datetime | None
    finished_at: datetime | None
    published_at: datetime | None


def look_up(database: Database, code: str) -> Row | None:
    """The public part of the report with exactly this code, or None."""
    if not _CODE.fullmatch(code):
        return None
    rows = database.rows_if_built(
        """
        select report_code, status_name, field_name, unit_name, received_at, due_at, finished_at, published_at
        from serving.rpt_citizen_feedback_report where report_code = %(code)s
        """,
        {"code": code},
    )
    return rows[0] if rows else None


@router.get(
    "/api/public/citizen_feedback/{code}",
    response_model=PublicReport,
    summary="Tình trạng của một phản ánh theo mã",
    tags=["citizen_feedback"],
    responses={404: {"description": "Không có phản ánh mang mã này"}},
)
def public_api(database: Db, code: Annotated[str, Path(max_length=40)]) -> dict[str, Any]:
    """Status, unit and dates of one report."""
    row = look_up(database, code.strip().upper())
    if row is None:
        raise NotFoundError
    return row


@router.get("/cong-dan/phan-anh", response_class=HTMLResponse, include_in_schema=False)
def public_page(request: Request, database: Db, ma: str = "") -> HTMLResponse:
    """The citizens' look-up of a report by its code."""
    code = ma.strip().upper()[:40]
    return render(
        request, "citizen_feedback/templates/look_up.html", code=code, report=look_up(database, code) if code else None
    )


def row_filters(user: User) -> list[RowFilter]:
    """Officers see their unit's rows of the dashboard."""
    units = user.visible_units
    return [] if units is None else [RowFilter("unit_code", units)]


page = DomainPage(
    name="citizen_feedback",
    router=router,
    tile=tile,
    public_template="citizen_feedback/templates/public.html",
    row_filters=row_filters,
)
