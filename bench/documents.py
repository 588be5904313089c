"""Two hours' news of the document system through its state history, beside the same history built anew.

An embedded PostgreSQL of its own; 120 days of the stand-in's documents (about 13,000) are read over HTTP, judged and
built by the very code that the DAG runs. Then the office's clock moves on by two hours, the news are read, and the SQL
of the domain's incremental models (dbt's own start left out) is timed beside a rebuild of everything.
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
from sandbox.documents.play import Office
from sandbox.store import Clock

if TYPE_CHECKING:
    from ioc.settings import Settings

# An increment touches the documents that changed and the days they stood in: at most this share of everything.
_SHARE_OF_REBUILD = 0.5
_SQL = (
    "select coalesce(sum(execution_time_s), 0) from ops.dbt_run_result where invocation_id = %s "
    "and unique_id like 'model.%%documents%%' and unique_id not like 'model.%%.rpt_%%' "
    "and unique_id not like 'model.%%.stg_%%'"
)


def run(*, quick: bool = False) -> dict[str, Any]:
    """Measure 120 days (quick: 3)."""
    with tempfile.TemporaryDirectory(prefix="ioc-bench-") as place, server(Path(place)) as settings:
        clock = Clock(datetime.now(UTC) - timedelta(hours=3))
        office = Office(Path(place), 36, 3 if quick else 120, "bench", clock)
        office.advance(0)
        application = FastAPI()
        application.include_router(office.router)
        with serve(application) as url:
            uris = [url.replace("://", "://ioc:bench@") + f"#{kind}" for kind in office.lists]
            history, load_s = _load(settings, uris)
            _build(settings)
            clock.move(2 * 3600)
            office.advance(0)
            news, _ = _load(settings, uris)
            increment_s = _build(settings)
            rebuild_s = _build(settings, full_refresh=True)
    share = increment_s / rebuild_s
    return {
        "figures": {
            "rows of history": history, "load_s": load_s, "rows of two hours": news, "increment_sql_s": increment_s,
            "rebuild_sql_s": rebuild_s,
        },
        "promises": {
            "two hours' news: share of the SQL time of a rebuild": {
                "value": round(share, 3), "limit": _SHARE_OF_REBUILD, "holds": share <= _SHARE_OF_REBUILD,
            }
        },
    }  # fmt: skip


def _load(settings: Settings, uris: list[str]) -> tuple[int, float]:
    begin = time.perf_counter()
    report = pipeline.extract("documents", source_uris=uris, settings=settings)
    runner.validate("documents", settings)
    pipeline.publish("documents", settings=settings)
    return report.loaded, round(time.perf_counter() - begin, 2)


def _build(settings: Settings, *, full_refresh: bool = False) -> float:
    """Build the domain; seconds that its incremental models took."""
    report = transform.run(["documents"], full_refresh=full_refresh, settings=settings)
    with warehouse.connect("owner", settings) as connection:
        row = connection.execute(_SQL, (report.invocation_id,)).fetchone()
    assert row is not None
    return round(float(row[0]), 3)
