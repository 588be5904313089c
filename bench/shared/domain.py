"""A domain's way through the warehouse, by the very code that its DAG runs, with the clock beside it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from expectations import runner
from extractors.core import pipeline
from ioc import transform, warehouse

if TYPE_CHECKING:
    from ioc.settings import Settings

_MODELS = """
select coalesce(sum(execution_time_s), 0) from ops.dbt_run_result
where invocation_id = %s and resource_type = 'model' and unique_id ~ %s
"""


@dataclass(frozen=True, slots=True)
class Build:
    """One build: seconds of the whole with dbt's start, and of the models' SQL alone."""

    wall_s: float
    sql_s: float


def load(domain: str, uris: list[str], settings: Settings) -> int:
    """Extract, judge and publish what is new; returns how many rows were loaded."""
    report = pipeline.extract(domain, source_uris=uris, settings=settings)
    runner.validate(domain, settings)
    pipeline.publish(domain, settings=settings)
    return report.loaded


def build(domain: str, settings: Settings, *, full_refresh: bool = False, models: str = "") -> Build:
    """Build what is new of a domain.

    Args:
        domain: Its name.
        settings: The warehouse.
        full_refresh: Build everything anew.
        models: Regular expression over dbt's ``unique_id``: only these count for ``sql_s``.

    Raises:
        RuntimeError: nothing was built: the time would say nothing.
    """
    started = time.perf_counter()
    report = transform.run([domain], settings=settings, full_refresh=full_refresh)
    wall = time.perf_counter() - started
    if report.rows_affected == 0:
        raise RuntimeError(f"a build of {domain} changed nothing: {report}")
    with warehouse.connect("owner", settings) as connection:
        row = connection.execute(_MODELS, (report.invocation_id, models)).fetchone()
    return Build(wall, float(row[0]) if row else 0.0)
