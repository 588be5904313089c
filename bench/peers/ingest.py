"""The same folder of station files into PostgreSQL, four ways: ``python -m bench.peers.ingest <way> <folder> <url>``.

The work: read every file, take lines apart, keep lineage (file, line, hash), write rows. The platform's own way does
more: it also lands the files, checks for duplicates, and writes the ledger. Prints one JSON object.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_Result = TypeVar("_Result")
_ZONE = timezone(timedelta(hours=7))


def read_rows(folder: Path) -> Iterator[dict[str, Any]]:
    """Rows of all files as a reasonable script takes them apart: clean files only, no quirks."""
    now = datetime.now(UTC)
    for path in sorted(folder.rglob("*.txt")):
        station = path.stem.rsplit("_", 1)[0]
        uri = path.as_uri()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            name, value, unit, at, status = line.split("\t")
            digest = hashlib.md5("\x1f".join((station, name, at, value, unit, status)).encode(), usedforsecurity=False)
            yield {
                "station_code": station,
                "parameter": name,
                "value": float(value),
                "value_raw": value,
                "unit_raw": unit,
                "measured_at": datetime(
                    int(at[:4]), int(at[4:6]), int(at[6:8]), int(at[8:10]), int(at[10:12]), int(at[12:]), tzinfo=_ZONE
                ),
                "device_status": status,
                "source_uri": uri,
                "source_row": number,
                "row_hash": digest.hexdigest(),
                "extracted_at": now,
            }


def own(folder: Path, _url: str) -> int:
    """The platform: from files to raw rows, ledger and landing included."""
    from extractors.core.pipeline import extract
    from extractors.core.schema import ensure

    ensure("air_quality")
    return _timed(lambda: extract("air_quality", source_uris=[f"file://{folder}"]).loaded)


def dlt(folder: Path, url: str) -> int:
    """dlt, append (its merge, which would also find duplicates, is slower), three workers for each of its steps."""
    import dlt as library

    pipeline = library.pipeline(
        pipeline_name=f"bench_{os.getpid()}",
        destination=library.destinations.postgres(url),
        dataset_name="bench_dlt",
        pipelines_dir=str(folder.parent / f"dlt-{os.getpid()}"),
    )

    import psycopg

    with psycopg.connect(url) as connection:
        connection.execute("drop schema if exists bench_dlt cascade")
        connection.execute("drop schema if exists bench_dlt_staging cascade")

    def load() -> None:
        @library.resource(name="reading", write_disposition="append")
        def reading() -> Iterator[list[dict[str, Any]]]:
            batch = []
            for row in read_rows(folder):
                batch.append(row)
                if len(batch) == 5_000:
                    yield batch
                    batch = []
            yield batch

        pipeline.run(reading(), loader_file_format="csv")

    _timed(load)
    with pipeline.sql_client() as client:
        counted = client.execute_sql("select count(*) from reading")
    return int((counted or [(0,)])[0][0])


def pandas(folder: Path, url: str) -> int:
    """pandas.to_sql over psycopg2, whose executemany SQLAlchemy turns into multi-row statements."""
    import pandas as library
    import sqlalchemy

    engine = sqlalchemy.create_engine(url.replace("postgresql://", "postgresql+psycopg2://"))

    def load() -> int:
        frame = library.DataFrame(read_rows(folder))
        frame.to_sql("bench_pandas", engine, if_exists="replace", index=False, chunksize=50_000)
        return len(frame)

    return _timed(load)


def copy(folder: Path, url: str) -> int:
    """Bare COPY of the rows as already parsed (``rows.copy`` beside the folder) into a table without any index."""
    import psycopg

    with psycopg.connect(url) as connection:
        connection.execute("drop table if exists bench_copy")
        connection.execute("create table bench_copy (like raw_air_quality.reading)")

    def load() -> int:
        with (
            psycopg.connect(url) as connection,
            (folder.parent / "rows.copy").open("rb") as rows,
            connection.cursor() as cursor,
        ):
            with cursor.copy("copy bench_copy from stdin") as stream:
                while block := rows.read(1 << 18):
                    stream.write(block)
            return cursor.rowcount

    return _timed(load)


_elapsed: list[float] = []


def _timed(work: Callable[[], _Result]) -> _Result:
    started = time.perf_counter()
    result = work()
    _elapsed.append(time.perf_counter() - started)
    return result


def main() -> None:
    way, folder, url = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    rows = {"own": own, "dlt": dlt, "pandas": pandas, "copy": copy}[way](folder, url)
    # Not getrusage: its peak is inherited from the process that started this one.
    peak = int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024  # type: ignore[index]
    print(json.dumps({"rows": rows, "seconds": round(_elapsed[0], 3), "peak_mib": round(peak, 1)}))


if __name__ == "__main__":
    main()
