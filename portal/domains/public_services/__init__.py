"""Public services in the portal: overview tile, page for leaders and officers, citizens' look-up by the exact code."""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel, Field

from ioc.domains import get_domain
from ioc.embed import RowFilter
from portal.domains import DomainPage, Tile
from portal.web import Db, SignedIn, render

if TYPE_CHECKING:
    from portal.database import Database, Row
    from portal.language import Language
    from portal.users import User

NAME = "public_services"
router = APIRouter()

# TT 01/2018/TT-VPCP; whatever else is asked for is not looked up.
_CODE = re.compile(r"[A-Z0-9.]{3,40}-\d{6}-\d{4,10}")
_SUMS = (
    "in_process_count", "in_process_overdue_count", "near_due_count", "supplement_count", "received_today_count",
    "processed_today_count", "received_30d_count", "processed_30d_count", "processed_overdue_30d_count",
)  # fmt: skip
_RED, _AMBER, _GREEN = "#97170f", "#8a5f12", "#1f6b3a"
# What somebody has to act on first, and its colour.
_URGENT = {"Quá hạn": _RED, "Đến hạn hôm nay": _AMBER, "Sắp đến hạn": _AMBER}


class Turnstile:
    """How often one address may ask: a code can be guessed, a thousand of them must not be.

    Args:
        most: Questions within ``seconds``.
        seconds: Length of the window.
    """

    def __init__(self, most: int = 20, seconds: float = 60) -> None:
        self._most, self._seconds = most, seconds
        self._asked: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def lets_pass(self, address: str, now: float | None = None) -> bool:
        """Whether this question is still within the limit; counts it if so."""
        now = time.monotonic() if now is None else now
        with self._lock:
            if len(self._asked) > 10_000:
                self._asked = {who: at for who, at in self._asked.items() if at and now - at[-1] < self._seconds}
            times = self._asked.setdefault(address, deque())
            while times and now - times[0] >= self._seconds:
                times.popleft()
            if len(times) >= self._most:
                return False
            times.append(now)
            return True


turnstile = Turnstile()


class TooOftenError(Exception):
    """This address has asked too often."""


def _units(database: Database, user: User | None = None) -> list[Row] | None:
    units = user.visible_units if user else None
    return database.rows_if_built(
        "select * from serving.rpt_public_services_unit "
        "where %(units)s::text[] is null or unit_code = any(%(units)s::text[]) "
        "order by in_process_overdue_count desc, near_due_count desc, unit_name",
        {"units": units},
    )


def _totals(units: list[Row]) -> dict[str, int]:
    # The shares of a divided unit add up to whole dossiers again.
    return {name: round(sum(row[name] for row in units)) for name in _SUMS}


def _newest(database: Database) -> datetime | None:
    rows = database.rows_if_built("select max(changed_at) as newest_at from serving.rpt_public_services_lookup")
    return rows[0]["newest_at"] if rows else None


def tile(database: Database, language: Language) -> Tile:
    """Overdue dossiers of the province, and who has most of them."""
    units = _units(database)
    if not units:
        return Tile(None, label=language.text("Chưa có số liệu"))
    totals, worst = _totals(units), units[0]
    overdue = totals["in_process_overdue_count"]
    newest_at = _newest(database)
    limit = timedelta(minutes=get_domain(NAME).stale_after_minutes)
    facts = [
        language.text(
            "{n} đang xử lý, {m} sắp đến hạn",
            n=language.number(totals["in_process_count"]), m=language.number(totals["near_due_count"]),
        )
    ]  # fmt: skip
    if overdue:
        facts.append(
            language.text("Nhiều nhất: {name} ({n})", name=worst["unit_name"], n=worst["in_process_overdue_count"])
        )
    return Tile(
        value=language.number(overdue),
        unit=language.text("hồ sơ"),
        label=language.text("quá hạn"),
        colour=_RED if overdue else _GREEN,
        facts=tuple(facts),
        newest_at=newest_at,
        is_stale=newest_at is not None and datetime.now(UTC) - newest_at > limit + timedelta(days=3),
    )


def _page(database: Database, user: User) -> dict[str, Any]:
    units = _units(database, user)
    if not units:
        return {"units": units}
    totals = _totals(units)
    done = totals["processed_30d_count"]
    dossiers = database.rows_if_built(
        "select dossier_code, dossier_link, unit_name, procedure_name, deadline_vi, due_at, overdue_work_days "
        "from serving.rpt_public_services_dossier "
        "where deadline_vi = any(%(urgent)s) and (%(units)s::text[] is null or unit_code = any(%(units)s::text[])) "
        "order by due_at limit 30",
        {"units": user.visible_units, "urgent": list(_URGENT)},
    )
    return {
        "units": units,
        "shown": [row for row in units if row["in_process_overdue_count"] or row["near_due_count"]][:15],
        "totals": totals,
        "on_time_pct": 100 * (done - totals["processed_overdue_30d_count"]) / done if done else None,
        "dossiers": dossiers or [],
        "newest_at": _newest(database),
        "colours": _URGENT,
    }


@router.get("/linh-vuc/public_services", response_class=HTMLResponse, include_in_schema=False)
def page_of_domain(request: Request, database: Db, user: SignedIn) -> HTMLResponse:
    """What is overdue and falls due, by unit; then the embedded dashboard. Officers see their own unit."""
    number = get_domain(NAME).number
    return render(request, "public_services/templates/page.html", number=number, service=_page(database, user))


class PublicDossier(BaseModel):
    """What somebody who knows the code of a dossier may know of it. No name, no content."""

    dossier_code: str
    unit_name: str = Field(description="Đơn vị xử lý")
    group_name_vi: str = Field(description="Nhóm trạng thái: đang xử lý, chờ bổ sung, đã xử lý…")
    received_at: datetime | None
    due_at: datetime | None = Field(description="Ngày hẹn trả kết quả, có múi giờ")
    changed_at: datetime | None = Field(description="Lần thay đổi mới nhất do nguồn ghi")


def _look_up(request: Request, database: Database, code: str) -> Row | None:
    """The dossier called ``code``; None when there is none that may be shown.

    Raises:
        TooOftenError: this address has asked too often.
    """
    if not turnstile.lets_pass(request.client.host if request.client else ""):
        raise TooOftenError
    code = code.strip().upper()
    if not _CODE.fullmatch(code):
        return None
    rows = database.rows_if_built(
        "select dossier_code, unit_name, group_name_vi, received_at, due_at, changed_at "
        "from serving.rpt_public_services_lookup where dossier_code = %(code)s",
        {"code": code},
    )
    return rows[0] if rows else None


@router.get("/cong-dan/ho-so", response_class=HTMLResponse, include_in_schema=False)
def look_up_page(request: Request, database: Db, ma: str = "") -> HTMLResponse:
    """The citizens' look-up, for people."""
    asked = ma.strip()[:80]
    too_often, found = False, None
    if asked:
        try:
            found = _look_up(request, database, asked)
        except TooOftenError:
            too_often = True
    answer = render(
        request, "public_services/templates/lookup.html", asked=asked, found=found, too_often=too_often
    )  # fmt: skip
    answer.headers["Cache-Control"] = "no-store"
    answer.status_code = 429 if too_often else 200 if found or not asked else 404
    return answer


@router.get(
    "/api/public/public_services/{dossier_code}",
    response_model=PublicDossier,
    summary="Tình trạng của một hồ sơ thủ tục hành chính theo đúng mã hồ sơ",
    tags=[NAME],
    responses={404: {"description": "Không có hồ sơ này"}, 429: {"description": "Đã hỏi quá nhiều lần"}},
)
def look_up(request: Request, database: Db, dossier_code: str) -> Response:
    """The citizens' look-up, for machines."""
    headers = {"Cache-Control": "no-store"}
    try:
        found = _look_up(request, database, dossier_code)
    except TooOftenError:
        sentence = "Đã tra cứu quá nhiều lần. Hãy thử lại sau một phút."
        return JSONResponse({"error": sentence}, status_code=429, headers={**headers, "Retry-After": "60"})
    if found is None:
        return JSONResponse({"error": "Không có hồ sơ này"}, status_code=404, headers=headers)
    return JSONResponse(PublicDossier.model_validate(found).model_dump(mode="json"), headers=headers)


def _row_filters(user: User) -> list[RowFilter]:
    return [] if user.visible_units is None else [RowFilter("unit_code", user.visible_units)]


page = DomainPage(
    name=NAME,
    router=router,
    tile=tile,
    public_template="public_services/templates/public.html",
    row_filters=_row_filters,
)
