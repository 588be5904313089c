"""An hour's news of the one-stop system through the status history and the closed days, beside a full rebuild.

An embedded PostgreSQL of its own, the stand-in's dossiers loaded and built once by the very code that the DAG runs;
then an hour of changes is loaded and ``ioc.transform.run`` is timed, dbt's start included, beside a rebuild of history
in the same warehouse. Promise: the SQL of an hour costs at most ``_LIMIT`` of the rebuild's, and the figures of closed
days stay.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI

from bench.shared.domain import build, load
from bench.shared.promises import at_most
from bench.shared.server import running
from ioc import warehouse
from sandbox.api import VIETNAM, serve
from sandbox.public_services.play import PublicServices
from sandbox.store import Clock

if TYPE_CHECKING:
    from ioc.settings import Settings

_DOMAIN = "public_services"
_LIMIT = 0.8
_CLOSED = (
    "select md5(string_agg(t::text, '|' order by t::text)) from (select as_of_day, unit_code, in_process_count, "
    "processed_count from serving.rpt_public_services_daily where as_of_day < %s) t"
)


def run(*, quick: bool = False) -> dict[str, Any]:
    """Measure 60 days of dossiers and an hour's news (quick: 5 days)."""
    with running(seeded=True) as settings:
        clock = Clock(_working_hour())
        play = PublicServices(clock.now(), 36, 5 if quick else 60, "bench", clock)
        application = FastAPI()
        application.include_router(play.router)
        with serve(application) as url:
            base = url.replace("://", "://ioc:bench@")
            uris = [f"{base}/mot-cua#dossiers", f"{base}/danh-muc#units", f"{base}/bao-cao#totals"]
            loaded = load(_DOMAIN, uris, settings)
            build(_DOMAIN, settings)
            before = _closed(settings, clock)
            clock.move(3600)
            play.advance(0)
            news = load(_DOMAIN, uris, settings)
            hour = build(_DOMAIN, settings)
            after = _closed(settings, clock)
            rebuild = build(_DOMAIN, settings, full_refresh=True)
    return {
        "figures": {
            "rows": loaded, "rows of the hour": news,
            "hour_s": round(hour.wall_s, 2), "rebuild_s": round(rebuild.wall_s, 2),
            "hour_sql_s": round(hour.sql_s, 3), "rebuild_sql_s": round(rebuild.sql_s, 3),
        },
        "promises": {
            "SQL of an hour against a rebuild": at_most(hour.sql_s / rebuild.sql_s, _LIMIT),
            "closed days that drift": at_most(before != after, 0),
        },
    }  # fmt: skip


def _working_hour() -> datetime:
    """Nine in the morning of the last weekday: an hour of the night brings no news."""
    at = datetime.now(VIETNAM).replace(hour=9, minute=0, second=0, microsecond=0) - timedelta(days=1)
    while at.weekday() > 4:
        at -= timedelta(days=1)
    return at.astimezone(UTC)


def _closed(settings: Settings, clock: Clock) -> Any:
    with warehouse.connect("owner", settings) as connection:
        row = connection.execute(_CLOSED, (clock.now().astimezone(VIETNAM).date(),)).fetchone()
    return row[0] if row else None
