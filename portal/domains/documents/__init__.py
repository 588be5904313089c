"""Documents in the portal: overview tile, counts by list and unit, the three lists, the embedded dashboard."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, LiteralString

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from ioc.domains import get_domain
from ioc.embed import RowFilter
from portal.domains import DomainPage, Tile
from portal.web import Db, SignedIn, render

if TYPE_CHECKING:
    from portal.database import Database, Row
    from portal.language import Language
    from portal.users import User

router = APIRouter()
# Rows of a list on the page; the dashboard below has all of them.
_SHOWN = 20
_CALM, _BUSY, _LATE = "#2E7D4F", "#E0A100", "#C2231B"
_COUNTS: LiteralString = """
    count(*) as total,
    count(*) filter (where is_overdue) as overdue,
    count(*) filter (where is_near_due) as near_due,
    count(*) filter (where is_overdue_finished) as overdue_finished,
    count(*) filter (where is_in_time_open or is_finished_in_time or is_without_due) as rest
"""
_MINE: LiteralString = "(%(units)s::text[] is null or unit_code = any(%(units)s))"
_LISTS: dict[str, tuple[str, LiteralString]] = {
    "overdue": ("Đang quá hạn", "is_overdue order by urgency_level desc nulls last, due_at"),
    "near_due": ("Sắp đến hạn trong 24 giờ", "is_near_due order by due_at"),
    "overdue_finished": ("Đã xử lý nhưng quá hạn", "is_overdue_finished order by finished_at desc"),
}


def tile(database: Database, language: Language) -> Tile:
    """How many documents of the province are overdue now, and how many will be tomorrow."""
    rows = database.rows_if_built(f"select {_COUNTS} from serving.rpt_documents_document")
    if not rows or not rows[0]["total"]:
        return Tile(None, label=language.text("Chưa có số liệu"))
    newest_at, is_stale = _read_at(database)
    row = rows[0]
    return Tile(
        value=language.number(row["overdue"]),
        unit=language.text("quá hạn"),
        label=language.text("văn bản quá hạn xử lý"),
        colour=_LATE if row["overdue"] else _BUSY if row["near_due"] else _CALM,
        facts=(
            language.text("{n} văn bản đến hạn trong 24 giờ tới", n=language.number(row["near_due"])),
            language.text("Tổng số {n} văn bản", n=language.number(row["total"])),
        ),
        newest_at=newest_at,
        is_stale=is_stale,
    )


def _read_at(database: Database) -> tuple[datetime | None, bool]:
    """Until when the lists were read, and whether that is too long ago."""
    rows = database.rows_if_built(
        "select newest_data_at from serving.rpt_ops_pipeline_health where domain = 'documents'"
    )
    newest_at = rows[0]["newest_data_at"] if rows else None
    allowed = timedelta(minutes=get_domain("documents").stale_after_minutes)
    return newest_at, newest_at is None or newest_at < datetime.now(UTC) - allowed


def _counts(database: Database, columns: LiteralString, order: LiteralString, user: User) -> list[Row] | None:
    return database.rows_if_built(
        f"select {columns}, {_COUNTS} from serving.rpt_documents_document where {_MINE} "
        f"group by {columns} order by {order}",
        {"units": user.visible_units},
    )


def _lists(database: Database, user: User) -> list[dict[str, Any]]:
    return [
        {
            "code": code,
            "title": title,
            "rows": database.rows(
                f"select * from serving.rpt_documents_document where {_MINE} and {condition} limit %(most)s",
                {"units": user.visible_units, "most": _SHOWN},
            ),
        }
        for code, (title, condition) in _LISTS.items()
    ]


@router.get("/linh-vuc/documents", response_class=HTMLResponse, include_in_schema=False)
def page_of_domain(request: Request, database: Db, user: SignedIn) -> HTMLResponse:
    """Counts by list and by unit, the three lists, then the embedded dashboard; officers: their unit's."""
    kinds = _counts(database, "kind, kind_label", "kind", user)
    values: dict[str, Any] = {"kinds": kinds, "shown": _SHOWN}
    if kinds:
        newest_at, is_stale = _read_at(database)
        order: LiteralString = "count(*) filter (where is_overdue) desc, count(*) filter (where is_near_due) desc, 1"
        values |= {
            "total": {name: sum(row[name] for row in kinds) for name in ("total", "overdue", "near_due", "rest")}
            | {"overdue_finished": sum(row["overdue_finished"] for row in kinds)},
            "units": _counts(database, "unit_name, unit_code", order, user),
            "lists": _lists(database, user),
            "read_at": newest_at,
            "is_stale": is_stale,
        }
        values["colour"] = _LATE if values["total"]["overdue"] else _BUSY if values["total"]["near_due"] else _CALM
    number = get_domain("documents").number
    return render(request, "documents/templates/page.html", number=number, **values)


def row_filters(user: User) -> list[RowFilter]:
    """Officers see the rows of their own unit in the dashboard."""
    units = user.visible_units
    return [] if units is None else [RowFilter("unit_code", units)]


page = DomainPage(name="documents", router=router, tile=tile, row_filters=row_filters)
