"""Industrial discharge in the portal: overview tile, and the page with outlets on the map, as cards, as dashboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from ioc.domains import get_domain
from ioc.embed import RowFilter
from portal.domains import DomainPage, Tile
from portal.domains.industrial_discharge import outlets as discharge
from portal.web import Db, SignedIn, render

if TYPE_CHECKING:
    from portal.database import Database
    from portal.language import Language
    from portal.users import User

NAME = "industrial_discharge"
router = APIRouter()


def units_of(user: User) -> list[str] | None:
    """Units whose outlets a user sees; None = all. Officers of the department that answers for discharge see all."""
    units = user.visible_units
    return None if units is None or get_domain(NAME).owner in units else units


def row_filters(user: User) -> list[RowFilter]:
    """The same for the embedded dashboard."""
    units = units_of(user)
    return [] if units is None else [RowFilter("unit_code", units)]


def tile(database: Database, language: Language) -> Tile:
    """How many outlets are over a limit now, and which one most."""
    now = discharge.summary(discharge.load(database))
    if not now["outlets"]:
        return Tile(None, label=language.text("Chưa có số liệu"))
    silent = language.text("{n}/{total} cửa xả mất kết nối", n=len(now["silent"]), total=len(now["outlets"]))
    worst = now["worst"]
    if worst is None:
        return Tile(
            None,
            label=language.text("Không có số liệu mới"),
            facts=(silent,),
            newest_at=now["newest_at"],
            is_stale=True,
        )
    return Tile(
        value=str(len(now["over"])),
        unit=language.text("cửa xả vượt"),
        label=language.text(worst.worst["band_vi"]),
        colour=worst.colour,
        facts=(
            language.text(
                "Cao nhất: {name}, {parameter} bằng {ratio} lần giới hạn",
                name=worst.name,
                parameter=worst.worst["parameter_name_vi"],
                ratio=language.number(worst.worst["ratio"], 2),
            ),
            silent,
        ),
        newest_at=now["newest_at"],
        history=tuple(discharge.highest_of_hours(now["outlets"])),
        history_label=language.text("Trung bình giờ cao nhất so với giới hạn (%), 24 giờ qua"),
    )


@router.get(f"/linh-vuc/{NAME}", response_class=HTMLResponse, include_in_schema=False)
def page_of_domain(request: Request, database: Db, user: SignedIn) -> HTMLResponse:
    """Outlets now, on the map and as cards; then the embedded dashboard."""
    now = discharge.summary(discharge.load(database, units_of(user)))
    return render(request, f"{NAME}/templates/page.html", number=get_domain(NAME).number, discharge=now)


page = DomainPage(name=NAME, router=router, tile=tile, row_filters=row_filters)
