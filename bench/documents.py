"""Two hours' news of the document system through its state history, beside the same history built anew.

An embedded PostgreSQL of its own; 120 days of the stand-in's documents (about 13,000) are read over HTTP, judged and
built by the very code that the DAG runs. Then the office's clock moves on by two hours, the news are read, and the SQL
of the domain's incremental models (dbt's own start left out) is timed beside a rebuild of everything.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import FastAPI

from bench.shared.domain import build, load
from bench.shared.promises import at_most
from bench.shared.server import running
from sandbox.api import serve
from sandbox.documents.play import Office
from sandbox.store import Clock

_DOMAIN = "documents"
# An increment touches the documents that changed and the days they stood in: at most this share of everything.
_SHARE_OF_REBUILD = 0.5
_MODELS = r"\.(int|fct|dim)_.*documents"


def run(*, quick: bool = False) -> dict[str, Any]:
    """Measure 120 days (quick: 3)."""
    with running(seeded=True) as settings:
        clock = Clock(datetime.now(UTC) - timedelta(hours=3))
        office = Office(settings.home / "bench", 36, 3 if quick else 120, "bench", clock)
        office.advance(0)
        application = FastAPI()
        application.include_router(office.router)
        with serve(application) as url:
            uris = [url.replace("://", "://ioc:bench@") + f"#{kind}" for kind in office.lists]
            started = time.perf_counter()
            history = load(_DOMAIN, uris, settings)
            load_s = time.perf_counter() - started
            build(_DOMAIN, settings)
            clock.move(2 * 3600)
            office.advance(0)
            news = load(_DOMAIN, uris, settings)
            increment = build(_DOMAIN, settings, models=_MODELS)
            rebuild = build(_DOMAIN, settings, full_refresh=True, models=_MODELS)
    return {
        "figures": {
            "rows of history": history, "load_s": round(load_s, 2), "rows of two hours": news,
            "increment_sql_s": round(increment.sql_s, 3), "rebuild_sql_s": round(rebuild.sql_s, 3),
        },
        "promises": {
            "two hours' news: share of the SQL time of a rebuild": at_most(
                increment.sql_s / rebuild.sql_s, _SHARE_OF_REBUILD
            )
        },
    }  # fmt: skip
