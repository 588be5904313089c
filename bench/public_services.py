"""An hour's news of the one-stop system through the status history and the closed days, beside a full rebuild.

An embedded PostgreSQL of its own, the stand-in's dossiers loaded and built once by the very code that the DAG runs;
then an hour of changes is loaded and ``ioc.transform.run`` is timed, dbt's start included, beside a rebuild of history
in the same warehouse. Promise: the SQL of an hour costs at most ``_LIMIT`` of the rebuild's, and the figures of closed
days stay.
"""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI

from bench.ingest import server
from expectations import runner
from extractors.core import pipeline
from ioc import transform, warehouse
from sandbox.api import serve
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
    with tempfile.TemporaryDirectory(prefix="ioc-bench-") as place, server(Path(place)) as settings:
        clock = Clock(datetime.now(UTC) - timedelta(hours=3))
        play = PublicServices(clock.now(), 36, 5 if quick else 60, "bench", clock)
        application = FastAPI()
        application.include_router(play.router)
        with serve(application) as url:
            loaded = _load(settings, url)
            _timed(settings)
            before = _closed(settings)
            clock.move(3600)
            play.advance(0)
            news = _load(settings, url)
            hour_s, hour_sql_s = _timed(settings)
            after = _closed(settings)
            rebuild_s, rebuild_sql_s = _timed(settings, full_refresh=True)
    ratio = hour_sql_s / rebuild_sql_s
    return {
        "figures": {
            "rows": loaded, "rows of the hour": news, "hour_s": hour_s, "rebuild_s": rebuild_s,
            "hour_sql_s": hour_sql_s, "rebuild_sql_s": rebuild_sql_s,
        },
        "promises": {
            "SQL of an hour against a rebuild": {"value": round(ratio, 3), "limit": _LIMIT, "holds": ratio <= _LIMIT},
            "closed days that drift": {"value": int(before != after), "limit": 0, "holds": before == after},
        },
    }  # fmt: skip


def _load(settings: Settings, url: str) -> int:
    base = url.replace("://", "://ioc:bench@")
    uris = [f"{base}/mot-cua#dossiers", f"{base}/danh-muc#units", f"{base}/bao-cao#totals"]
    report = pipeline.extract(_DOMAIN, source_uris=uris, settings=settings)
    runner.validate(_DOMAIN, settings)
    pipeline.publish(_DOMAIN, settings=settings)
    return report.loaded


def _timed(settings: Settings, *, full_refresh: bool = False) -> tuple[float, float]:
    """Wall time of a build, and the time of its models alone, seconds."""
    begun = time.perf_counter()
    report = transform.run([_DOMAIN], full_refresh=full_refresh, settings=settings)
    took = time.perf_counter() - begun
    with warehouse.connect("owner", settings) as connection:
        row = connection.execute(
            "select sum(execution_time_s) from ops.dbt_run_result where invocation_id = %s and resource_type = 'model'",
            (report.invocation_id,),
        ).fetchone()
    return round(took, 2), round(float(row[0]), 3) if row else 0.0


def _closed(settings: Settings) -> Any:
    with warehouse.connect("owner", settings) as connection:
        row = connection.execute(_CLOSED, (datetime.now(UTC).date() - timedelta(days=1),)).fetchone()
    return row[0] if row else None
