"""The hourly table of discharge from the same readings: the warehouse's own model, and pandas as an analyst would.

The sandbox's outlets are laid out, loaded through extractor and gate, and built once. Then the two ways take turns:
``fct_discharge_hourly`` recomputed by dbt's compiled SQL (full refresh, models' time only), and pandas reading the
published readings over the same connection, correcting oxygen and averaging. The ratio of the two is a figure
(the model also counts, adds up loads, writes); the promises are that both give the same means, and that an increment
costs at most a tenth of what the whole cost (models' time; needs the thirty days of the full run).
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from expectations import runner
from extractors.core import pipeline
from ioc import transform, warehouse
from ioc.settings import Settings
from ioc.stack import programs
from ioc.stack.postgres import EmbeddedPostgres
from sandbox.industrial_discharge.play import NETWORK
from sandbox.stations.feed import Feed
from sandbox.stations.model import HOUR_S, STEP_S

if TYPE_CHECKING:
    import psycopg

_DOMAIN = "industrial_discharge"
_READINGS = """
    select r.station_code, r.parameter, r.measured_at, r.value, r.is_valid
    from intermediate.int_industrial_discharge__reading as r
"""
_LIMITS = "select distinct station_code, parameter, o2_reference_pct from staging.stg_industrial_discharge__limit"


def run(*, quick: bool = False) -> dict[str, Any]:
    """Build, compare, time.

    Args:
        quick: Two days instead of thirty: shows that it runs, proves nothing.
    """
    days, turns = (2, 1) if quick else (30, 5)
    with tempfile.TemporaryDirectory(prefix="ioc-bench-") as folder:
        wanted = Settings(home=Path(folder), port_base=40000, warehouse_url=None)
        settings = wanted.model_copy(update={"port_base": programs.free_port_base(wanted)})
        server = EmbeddedPostgres(settings)
        server.start_detached()
        try:
            server.prepare()
            warehouse.migrate(settings)
            return _measure(settings, Path(folder) / "stations", days, turns)
        finally:
            server.stop()


def _measure(settings: Settings, folder: Path, days: int, turns: int) -> dict[str, Any]:
    # Some hours back, so that later marks are no future.
    feed, now = Feed(NETWORK, folder, 36, days), int(time.time()) - 3 * HOUR_S
    feed.advance(now)
    uris = [f"file://{folder}/{server}/{_DOMAIN}" for server in ("ftp", "sftp")]
    rows = _load(settings, uris)
    first = transform.run([_DOMAIN], settings=settings)
    whole, increments, ours, theirs = _models(settings, first), [], [], []
    for turn in range(turns):
        now += STEP_S
        feed.advance(now)
        _load(settings, uris)
        increments.append(_models(settings, transform.run([_DOMAIN], settings=settings)))
        with warehouse.connect("owner", settings) as connection:
            started = time.monotonic()
            table = _pandas(connection)
            theirs.append(time.monotonic() - started)
            if turn == 0:
                different = _differences(connection, table)
    for _ in range(turns):
        report = transform.run([_DOMAIN], settings=settings, full_refresh=True)
        ours.append(_models(settings, report, "model.ioc.fct_discharge_hourly"))
    ratio = round(statistics.median(ours) / statistics.median(theirs), 2)
    share = round(statistics.median(increments) / whole, 3)
    return {
        "figures": {
            "days": days, "raw_rows": rows, "hourly_model_s": round(statistics.median(ours), 2),
            "pandas_s": round(statistics.median(theirs), 2), "first_build_models_s": round(whole, 2),
            "increment_models_s": round(statistics.median(increments), 2), "hourly_model_to_pandas": ratio,
        },
        "promises": {
            "increment_share_of_first_build": {"value": share, "limit": 0.1, "holds": share <= 0.1},
            "means_that_differ": {"value": different, "limit": 0, "holds": different == 0},
        },
    }  # fmt: skip


def _load(settings: Settings, uris: list[str]) -> int:
    report = pipeline.extract(_DOMAIN, source_uris=uris, settings=settings)
    runner.validate(_DOMAIN, settings)
    pipeline.publish(_DOMAIN, settings=settings)
    return report.loaded


def _models(settings: Settings, report: transform.TransformReport, one: str = "model.ioc.%") -> float:
    with warehouse.connect("owner", settings) as connection:
        row = connection.execute(
            "select sum(execution_time_s) from ops.dbt_run_result where invocation_id = %s and unique_id like %s",
            (report.invocation_id, one),
        ).fetchone()
    return float(row[0]) if row and row[0] is not None else 0.0


def _frame(connection: psycopg.Connection[Any], statement: str) -> pd.DataFrame:
    cursor = connection.execute(statement)
    return pd.DataFrame(cursor.fetchall(), columns=[column.name for column in cursor.description or []])


def _pandas(connection: psycopg.Connection[Any]) -> pd.DataFrame:
    """Hourly means of what may be compared, indexed by outlet, parameter and hour."""
    readings = _frame(connection, _READINGS)
    limits = _frame(connection, _LIMITS)
    readings = readings.loc[readings["is_valid"]].assign(value=lambda d: d["value"].astype(float))
    oxygen = readings.loc[readings["parameter"] == "O2"].set_index(["station_code", "measured_at"])["value"]
    known = limits.dropna(subset=["o2_reference_pct"]).drop_duplicates(["station_code", "parameter"])
    reference = known.set_index(["station_code", "parameter"])["o2_reference_pct"].astype(float).rename("reference")
    joined = readings.join(oxygen.rename("o2"), on=["station_code", "measured_at"]).join(
        reference, on=["station_code", "parameter"]
    )
    corrected = joined["value"] * (20.9 - joined["reference"]) / (20.9 - joined["o2"]).where(joined["o2"] < 20.9)
    joined["compared"] = joined["value"].where(joined["reference"].isna(), corrected)
    joined["hour_ending"] = pd.to_datetime(joined["measured_at"], utc=True).dt.ceil("h")
    keys = ["station_code", "parameter", "hour_ending"]
    grouped: pd.DataFrame = joined.groupby(keys)["compared"].agg(["mean", "count"])
    return grouped[grouped["count"] >= 9]


def _differences(connection: psycopg.Connection[Any], table: pd.DataFrame) -> int:
    ours = _frame(
        connection,
        "select station_code, parameter, hour_ending, mean_value from marts.fct_discharge_hourly "
        "where mean_value is not null",
    )
    ours["hour_ending"] = pd.to_datetime(ours["hour_ending"], utc=True)
    kept = ours.set_index(["station_code", "parameter", "hour_ending"])["mean_value"].astype(float)
    both = pd.concat([kept, table["mean"]], axis=1)
    return int(
        (both.isna().any(axis=1) | ((both["mean_value"] - both["mean"]).abs() > 1e-6 * both["mean"].abs())).sum()
    )
