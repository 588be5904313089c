"""Fishing vessels in the portal: overview tile, and the page with the fleet on a map and who needs attention."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from ioc.domains import get_domain
from ioc.embed import RowFilter
from portal import maps
from portal.colours import checked
from portal.domains import Bar, DomainPage, Tile
from portal.web import Db, SignedIn, render

if TYPE_CHECKING:
    from portal.database import Database, Row
    from portal.language import Language
    from portal.users import User

router = APIRouter()
NAME = "fishing_vessels"
_NEAREST_HOURS = 24
# States that people must look at come before these.
_CALM = 7
# What the map shows: from the coast to beyond the line, degrees (west, south, east, north).
_SEA = (105.45, 18.35, 108.55, 20.65)


def _units(user: User) -> list[str] | None:
    """Units whose vessels a user sees; None = all. The department answers for the whole fleet."""
    units = user.visible_units
    return None if units is None or get_domain(NAME).owner in units else units


def _vessels(database: Database, units: list[str] | None = None) -> list[Row] | None:
    return database.rows_if_built(
        """
        select * from serving.rpt_fishing_vessels_current
        where %(units)s::text[] is null or unit_code = any(%(units)s::text[])
        order by state_order, vessel_code
        """,
        {"units": units},
    )


def _figures(vessels: list[Row]) -> dict[str, int]:
    """How many vessels are at sea, and in each state that somebody has to look at."""
    flags = ("is_at_sea", "is_near_line", "is_across", "is_sos", "is_silent", "is_silent_long", "is_wrong_zone")
    return {flag: sum(bool(vessel[flag]) for vessel in vessels) for flag in flags}


def _newest(vessels: list[Row]) -> datetime | None:
    return max((vessel["as_of_at"] for vessel in vessels if vessel["as_of_at"]), default=None)


def _is_stale(newest: datetime | None) -> bool:
    after = timedelta(minutes=get_domain(NAME).stale_after_minutes)
    return newest is None or datetime.now(UTC) - newest > after


def tile(database: Database, language: Language) -> Tile:
    """How many vessels are at sea, and whether one is across the line, in distress or silent."""
    vessels = _vessels(database)
    if not vessels:
        return Tile(None, label=language.text("Chưa có số liệu"))
    count = _figures(vessels)
    worst = min((v["state_order"] for v in vessels if v["state_order"] is not None), default=_CALM)
    first = next((v for v in vessels if v["state_order"] == worst), None)
    newest = _newest(vessels)
    facts = (
        language.text("{n} mất kết nối từ 6 giờ, {m} vượt ranh giới", n=count["is_silent"], m=count["is_across"]),
        language.text("{n} gặp sự cố, {m} gần ranh giới", n=count["is_sos"], m=count["is_near_line"]),
    )
    return Tile(
        value=str(count["is_at_sea"]),
        unit=language.text("tàu"),
        label=language.text("trên biển"),
        colour=checked(first["state_color"]) if first and worst < _CALM else "#2E7D32",
        facts=facts,
        newest_at=newest,
        is_stale=_is_stale(newest),
        history=_history(database),
        history_label=language.text("Số tàu trên biển, 24 giờ qua"),
    )


def _history(database: Database) -> tuple[Bar, ...]:
    rows = database.rows_if_built(
        """
        select hour_at, sum(at_sea_count)::integer as at_sea from serving.rpt_fishing_vessels_hourly
        group by hour_at order by hour_at desc limit %(hours)s
        """,
        {"hours": _NEAREST_HOURS},
    )
    return tuple(Bar(row["hour_at"], row["at_sea"], "#2E7D32", None) for row in reversed(rows or []))


def _on_map(vessels: list[Row], lines: list[Row]) -> dict[str, Any]:
    """The sea as a picture: frame in the map's grid, stretches of the lines, a dot for every vessel with a place."""
    left, bottom = maps.project(_SEA[0], _SEA[1])
    right, top = maps.project(_SEA[2], _SEA[3])
    shown = [v for v in vessels if v["latitude"] is not None and _is_shown(v["longitude"], v["latitude"])]
    return {
        "x": left, "y": top, "width": right - left, "height": bottom - top,
        "image": (maps.WIDTH, maps.HEIGHT),
        "lines": [
            {
                "code": row["line_code"], "name": row["line_name"],
                "a": maps.project(row["longitude"], row["latitude"]),
                "b": maps.project(row["next_longitude"], row["next_latitude"]),
            }
            for row in lines
            if row["next_latitude"] is not None
        ],
        # The gravest last: nothing covers it.
        "dots": [
            {"row": v, "at": maps.project(v["longitude"], v["latitude"]), "colour": checked(v["state_color"])}
            for v in sorted(shown, key=lambda v: -(v["state_order"] or _CALM))
        ],
    }  # fmt: skip


def _is_shown(longitude: float, latitude: float) -> bool:
    return _SEA[0] < longitude < _SEA[2] and _SEA[1] < latitude < _SEA[3]


@router.get("/linh-vuc/fishing_vessels", response_class=HTMLResponse, include_in_schema=False)
def page_of_domain(request: Request, database: Db, user: SignedIn) -> HTMLResponse:
    """The fleet in figures and on the map, who needs attention, then the embedded dashboard."""
    vessels = _vessels(database, _units(user))
    lines = database.rows_if_built("select * from serving.rpt_fishing_vessels_line") or []
    newest = _newest(vessels or [])
    legend = {v["state_name"]: checked(v["state_color"]) for v in vessels or [] if v["state_name"]}
    return render(
        request,
        "fishing_vessels/templates/page.html",
        number=get_domain(NAME).number,
        vessels=vessels,
        count=_figures(vessels or []),
        attention=[v for v in vessels or [] if v["state_order"] is not None and v["state_order"] < _CALM],
        sea=_on_map(vessels or [], lines),
        legend=legend,
        newest=newest,
        is_stale=_is_stale(newest),
    )


def row_filters(user: User) -> list[RowFilter]:
    """An officer's dashboard holds the vessels of the own unit."""
    units = _units(user)
    return [] if units is None else [RowFilter("unit_code", units)]


page = DomainPage(name=NAME, router=router, tile=tile, row_filters=row_filters)
