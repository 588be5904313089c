"""Station files on local disk to visible raw rows, beside dlt, pandas.to_sql and a bare COPY of the parsed rows.

A PostgreSQL of its own, every way in a process of its own, one after the other; at 200,000 rows the best of three. A
quarter of the rows each lies in files of 10, 100, 1000 and 2000 lines; 10 stations, 10 parameters. A second set, all
in files of 10 lines as a station sends them every five minutes, is only the platform's own and is shown without a
promise.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg

from bench.shared.promises import at_least
from bench.shared.server import running
from ioc import warehouse
from ioc.settings import PROJECT_ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from ioc.settings import Settings

_PARAMETERS = ("PM2.5", "PM10", "O3", "NO2", "SO2", "CO", "NO", "NOx", "Temp", "RH")
_STATIONS = 10
_LINES = (10, 100, 1000, 2000)
_TIMES_DLT, _SHARE_OF_COPY, _PEAK_MIB = 6.0, 0.15, 400.0


def run(*, quick: bool = False) -> dict[str, Any]:
    """Measure 200,000 and 2,000,000 rows (quick: 20,000)."""
    figures: dict[str, Any] = {}
    promises: dict[str, Any] = {}
    with running() as settings:
        place = settings.home / "bench"
        for rows, rounds in ((16_000, 1),) if quick else ((200_000, 3), (2_000_000, 1)):
            found = _measure(place, settings, rows, rounds)
            figures[f"{rows} rows"] = found
            times_dlt = found["dlt"]["seconds"] / found["own"]["seconds"]
            share = found["copy"]["seconds"] / found["own"]["seconds"]
            times_pandas = found["pandas"]["seconds"] / found["own"]["seconds"]
            promises[f"{rows} rows: times as fast as dlt"] = at_least(times_dlt, _TIMES_DLT)
            promises[f"{rows} rows: times as fast as pandas.to_sql"] = at_least(times_pandas, 1.0)
            promises[f"{rows} rows: share of the speed of bare COPY"] = at_least(share, _SHARE_OF_COPY)
        peak = found["own"]["peak_mib"]
        promises[f"{rows} rows: peak memory, MiB"] = {"value": peak, "limit": _PEAK_MIB, "holds": peak < _PEAK_MIB}
        small = place / "small" / "files"
        write_files(small, 2_000 if quick else 100_000, (10,))
        figures["all files of 10 lines"] = _way("own", small, settings)
    return {"figures": figures, "promises": promises}


def _measure(place: Path, settings: Settings, rows: int, rounds: int) -> dict[str, Any]:
    """The best of some rounds of each way, taken in turn: what else the machine does must not decide."""
    folder = place / str(rows) / "files"
    count = write_files(folder, rows, _LINES)
    found: dict[str, Any] = {}
    for _ in range(rounds):
        for way in ("own", "copy", "dlt", "pandas"):
            result = _way(way, folder, settings)
            if way == "own" and not found:
                _dump_rows(settings, folder.parent / "rows.copy")
            found[way] = min(found.get(way, result), result, key=lambda one: float(one["seconds"]))
    for way, result in found.items():
        if result["rows"] != rows:
            raise RuntimeError(f"{way} wrote {result['rows']} of {rows} rows: the comparison would be worth nothing")
    found["files"] = {"count": count}
    return found


def write_files(folder: Path, rows: int, lines: tuple[int, ...]) -> int:
    """Lay out files with an equal share of ``rows`` for each number of lines; returns how many files."""
    folder.mkdir(parents=True)
    at = [datetime(2025, 1, 1)] * _STATIONS
    files = 0
    for size in lines:
        for _ in range(rows // len(lines) // size):
            station = files % _STATIONS
            text = []
            start = at[station]
            for step in range(size // len(_PARAMETERS)):
                moment = f"{start + timedelta(minutes=5 * step):%Y%m%d%H%M%S}"
                text += [
                    f"{name}\t{(files * 7 + step * 3 + index) % 90}.{index}\tug/m3\t{moment}\t00\r\n"
                    for index, name in enumerate(_PARAMETERS)
                ]
            path = folder / f"TH-{station:02d}_{start:%Y%m%d%H%M%S}.txt"
            path.write_text("".join(text), newline="")
            moment_s = 1_700_000_000 + files
            os.utime(path, (moment_s, moment_s))
            at[station] = start + timedelta(minutes=5 * (size // len(_PARAMETERS)))
            files += 1
    return files


def _way(way: str, folder: Path, settings: Settings) -> dict[str, Any]:
    if way == "own":
        _forget(settings)
    done = subprocess.run(
        [sys.executable, "-m", "bench.peers.ingest", way, str(folder), warehouse.url("owner", settings)],
        cwd=PROJECT_ROOT,
        env={
            **os.environ,
            "IOC_HOME": str(settings.home),
            "IOC_PORT_BASE": str(settings.port_base),
            "IOC_WAREHOUSE_URL": "",
            "RUNTIME__DLTHUB_TELEMETRY": "false",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{way} failed: {done.stderr[-2000:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(f"    {way}: {result['rows']} rows in {result['seconds']} s, peak {result['peak_mib']} MiB", flush=True)
    return result


def _forget(settings: Settings) -> None:
    with psycopg.connect(warehouse.url("owner", settings)) as connection:
        connection.execute("drop schema if exists raw_air_quality cascade")
        connection.execute("truncate ops.load_batch, ops.source_file, ops.landed_file, ops.cursor cascade")


def _dump_rows(settings: Settings, path: Path) -> None:
    with (
        psycopg.connect(warehouse.url("owner", settings)) as connection,
        connection.cursor() as cursor,
        path.open("wb") as file,
        cursor.copy("copy (select * from raw_air_quality.reading) to stdout") as copy,
    ):
        for block in copy:
            file.write(block)
