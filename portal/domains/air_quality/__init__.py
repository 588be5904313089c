"""Air quality in the portal: overview tile, page for leaders, the way of each number, citizens' part and API."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel, Field

from ioc.domains import get_domain
from portal.domains import DomainPage, Tile
from portal.domains.air_quality import stations as air
from portal.language import ZONE, Language
from portal.web import Db, NotFoundError, SignedIn, render

if TYPE_CHECKING:
    from portal.database import Database, Row

router = APIRouter()


def tile(database: Database, language: Language) -> Tile:
    """The worst air of the province now, and how many stations say so."""
    every = air.load(database)
    if every is None:
        return Tile(None, label=language.text("Chưa có số liệu"))
    ours = air.of_province(every)
    speaking = [station for station in ours if station.has_aqi]
    worst = air.worst(every)
    newest_at = max((s.row["last_reading_at"] for s in ours if s.row["last_reading_at"]), default=None)
    count = language.text("{n}/{total} trạm có số liệu", n=len(speaking), total=len(ours))
    if worst is None:
        return Tile(
            None, label=language.text("Không có số liệu mới"), facts=(count,), newest_at=newest_at, is_stale=True
        )
    return Tile(
        value=str(worst.row["aqi"]),
        unit="AQI",
        label=language.text(worst.row["aqi_category"]),
        colour=worst.colour,
        facts=(language.text("Cao nhất: {name}", name=worst.name), count),
        newest_at=newest_at,
        history=tuple(air.worst_of_hours(every)),
        history_label=language.text("AQI cao nhất tỉnh, 24 giờ qua"),
    )


def _summary(every: list[air.Station] | None) -> dict[str, Any]:
    if every is None:
        return {"stations": None}
    ours = air.of_province(every)
    return {
        "stations": ours,
        "elsewhere": [station for station in every if station.row["in_province"] is False],
        "speaking": [station for station in ours if station.has_aqi],
        "worst": air.worst(every),
        "map": air.on_map(every),
        "scale": air.SCALE,
        "hour": max((s.row["hour_ending"] for s in ours if s.has_aqi), default=None),
    }


@router.get("/linh-vuc/air_quality", response_class=HTMLResponse, include_in_schema=False)
def page_of_domain(request: Request, database: Db, _user: SignedIn) -> HTMLResponse:
    """Stations now, on the map and as cards; then the embedded dashboard."""
    number = get_domain("air_quality").number
    return render(request, "air_quality/templates/page.html", number=number, air=_summary(air.load(database)))


@router.get("/truy-vet/air_quality/{station_code}/{hour}", response_class=HTMLResponse, include_in_schema=False)
def trace(request: Request, database: Db, _user: SignedIn, station_code: str, hour: str) -> HTMLResponse:
    """Where an hour's AQI comes from: the hour's means, the twelve hours of Nowcast, the sub-indices.

    Args:
        request: The request.
        database: The portal's database.
        station_code: Station as in the registry.
        hour: End of the hour in Vietnam time, ``2026-11-22T19:00``.
    """
    try:
        hour_ending = datetime.strptime(hour, "%Y-%m-%dT%H:%M").replace(tzinfo=ZONE)
    except ValueError as error:
        raise NotFoundError from error
    hours = database.rows_if_built(
        """
        select * from serving.rpt_air_quality_hourly
        where station_code = %(station_code)s and hour_ending > %(since)s and hour_ending <= %(until)s
        order by hour_ending desc
        """,
        {"station_code": station_code, "since": hour_ending - timedelta(hours=12), "until": hour_ending},
    )
    if not hours or hours[0]["hour_ending"] != hour_ending:
        raise NotFoundError
    readings = database.rows_if_built(
        """
        select * from serving.rpt_air_quality_reading
        where station_code = %(station_code)s and measured_at > %(since)s and measured_at <= %(until)s
        order by parameter, measured_at
        """,
        {"station_code": station_code, "since": hour_ending - timedelta(hours=1), "until": hour_ending},
    )
    return render(
        request,
        "air_quality/templates/trace.html",
        hour=hours[0],
        parameters=_parameters(hours[0]),
        twelve=_twelve(hours, hour_ending),
        readings=readings or [],
        sources=_sources(readings or []),
    )


def trace_path(station_code: str, hour_ending: datetime) -> str:
    """Path of the page that :func:`trace` answers."""
    return f"/truy-vet/air_quality/{quote(station_code)}/{Language('vi').path_hour(hour_ending)}"


def _sources(readings: list[Row]) -> list[dict[str, Any]]:
    """File (and batch) → how many of the hour's readings it brought, how many of them count, the last one's time."""
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for row in readings:
        uri = row["source_uri"] or "?"
        source = found.setdefault(
            (uri, row["batch_id"]),
            {
                "uri": uri,
                "file": uri.rsplit("/", 1)[-1],
                "batch_id": row["batch_id"],
                "read": 0,
                "used": 0,
                "last": None,
            },
        )
        source["read"] += 1
        source["used"] += bool(row["is_valid"])
        source["last"] = max(source["last"] or row["measured_at"], row["measured_at"])
    return sorted(found.values(), key=lambda source: (source["last"], source["file"]))


def _parameters(row: Row) -> list[dict[str, Any]]:
    """Mean, Nowcast and sub-index per parameter; µg/m³."""
    return [
        {
            "symbol": symbol,
            "mean": row.get(f"{stem}_ug_m3"),
            "nowcast": row.get(f"nowcast_{stem}"),
            "aqi": row.get(f"aqi_{stem}"),
        }
        for stem, symbol in air.PARAMETERS.items()
    ]


def _twelve(hours: list[Row], hour_ending: datetime) -> list[dict[str, Any]]:
    by_hour = {row["hour_ending"]: row for row in hours}
    twelve = []
    for back in range(12):
        row = by_hour.get(hour_ending - timedelta(hours=back), {})
        twelve.append(
            {
                "hour_ending": hour_ending - timedelta(hours=back),
                "pm25": row.get("pm25_ug_m3"),
                "pm10": row.get("pm10_ug_m3"),
                "completeness_pct": row.get("completeness_pct"),
            }
        )
    return twelve


def public_context(database: Database, _language: Language) -> dict[str, Any]:
    """The public stations for the citizens' page."""
    return {"air": _summary(air.load(database, only_public=True))}


class PublicStation(BaseModel):
    """A public station and its newest hour. Concentrations are means of that hour in µg/m³."""

    station_code: str
    station_name: str
    commune_name: str | None
    latitude: float | None = Field(description="WGS 84, độ")
    longitude: float | None = Field(description="WGS 84, độ")
    hour_ending: datetime | None = Field(description="Thời điểm kết thúc giờ đo, có múi giờ")
    is_current: bool = Field(description="Số liệu còn mới hay trạm đang im lặng")
    aqi: int | None = Field(description="VN_AQI giờ theo QĐ 1459/QĐ-TCMT, 0 đến 500")
    aqi_category: str | None
    aqi_color: str | None = Field(description="Màu theo QĐ 1459/QĐ-TCMT, #RRGGBB")
    dominant_parameter: str | None
    health_advice_vi: str | None
    pm25_ug_m3: float | None
    pm10_ug_m3: float | None
    o3_ug_m3: float | None
    no2_ug_m3: float | None
    so2_ug_m3: float | None
    co_ug_m3: float | None


class PublicAirQuality(BaseModel):
    """The answer of the public API."""

    source: str = Field(description="Cơ quan và văn bản")
    stations: list[PublicStation]


@router.get(
    "/api/public/air_quality",
    response_model=PublicAirQuality,
    summary="Chất lượng không khí hiện tại của các trạm công khai",
    tags=["air_quality"],
    responses={304: {"description": "Không đổi so với ETag đã gửi"}},
)
def public_api(database: Db, if_none_match: Annotated[str | None, Header()] = None) -> Response:
    """Newest hour of every public station; cached for a minute, answers 304 to an unchanged ETag."""
    answer = PublicAirQuality(
        source="Trung tâm điều hành thông minh tỉnh Thanh Hóa; VN_AQI theo QĐ 1459/QĐ-TCMT",
        stations=[
            PublicStation.model_validate(
                {**station.row, "station_name": station.name, "is_current": station.is_current}
            )
            for station in air.load(database, only_public=True) or []
        ],
    )
    body = answer.model_dump(mode="json")
    tag = f'"{hashlib.sha256(answer.model_dump_json().encode()).hexdigest()[:24]}"'
    headers = {"Cache-Control": "public, max-age=60", "ETag": tag, "Access-Control-Allow-Origin": "*"}
    if if_none_match == tag:
        return Response(status_code=304, headers=headers)
    return JSONResponse(body, headers=headers)


page = DomainPage(
    name="air_quality",
    router=router,
    tile=tile,
    public_template="air_quality/templates/public.html",
    public_context=public_context,
    trace=trace_path,
)
