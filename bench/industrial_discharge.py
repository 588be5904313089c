"""The hourly table of discharge from the same readings: the warehouse's own model, and pandas as an analyst would.

The sandbox's outlets are laid out, loaded through extractor and gate, and built once. Then the two ways take turns:
``fct_discharge_hourly`` recomputed by dbt's compiled SQL (full refresh, models' time only), and pandas reading the
published readings over the same connection, correcting oxygen and averaging. The ratio of the two is a figure
(the model also counts, adds up loads, writes); the promises are that both give the same means, and that an increment
costs at most a tenth of what the whole cost (models' time; needs the thirty days of the full run).
"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Any

import pandas as pd

from bench.shared.domain import build, load
from bench.shared.promises import at_most
from bench.shared.server import running
from ioc import warehouse
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
    with running() as settings:
        # Some hours back, so that later marks are no future.
        folder, now = settings.home / "bench", int(time.time()) - 3 * HOUR_S
        feed = Feed(NETWORK, folder, 36, days)
        feed.advance(now)
        uris = [f"file://{folder}/{server}/{_DOMAIN}" for server in ("ftp", "sftp")]
        rows = load(_DOMAIN, uris, settings)
        whole, increments, ours, theirs = build(_DOMAIN, settings).sql_s, [], [], []
        for turn in range(turns):
            now += STEP_S
            feed.advance(now)
            load(_DOMAIN, uris, settings)
            increments.append(build(_DOMAIN, settings).sql_s)
            with warehouse.connect("owner", settings) as connection:
                started = time.monotonic()
                table = _pandas(connection)
                theirs.append(time.monotonic() - started)
                if turn == 0:
                    different = _differences(connection, table)
        for _ in range(turns):
            ours.append(build(_DOMAIN, settings, full_refresh=True, models="fct_discharge_hourly$").sql_s)
    ratio = round(statistics.median(ours) / statistics.median(theirs), 2)
    return {
        "figures": {
            "days": days, "raw_rows": rows, "hourly_model_s": round(statistics.median(ours), 2),
            "pandas_s": round(statistics.median(theirs), 2), "first_build_models_s": round(whole, 2),
            "increment_models_s": round(statistics.median(increments), 2), "hourly_model_to_pandas": ratio,
        },
        "promises": {
            "increment_share_of_first_build": at_most(statistics.median(increments) / whole, 0.1),
            "means_that_differ": at_most(different, 0),
        },
    }  # fmt: skip


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
