"""Health of a container, with the standard library only: exit code 0 well, 1 not.

healthcheck.py http URL            answers 200
healthcheck.py airflow URL PART    Airflow's health report calls PART (scheduler, dag_processor, triggerer) healthy
healthcheck.py fresh FILE SECONDS  FILE, or one whose name begins so, was written within SECONDS
"""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from pathlib import Path


def _answer(url: str) -> tuple[int, bytes]:
    # A proxy from the environment must not come between.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=5) as response:
        return response.status, response.read(1 << 16)


def is_well(kind: str, target: str, *more: str) -> bool:
    """Whether the check passes.

    Raises:
        OSError: nobody answers.
        ValueError: no such kind of check.
    """
    if kind == "http":
        return _answer(target)[0] == 200
    if kind == "airflow":
        report = json.loads(_answer(target)[1])
        return (report.get(more[0]) or {}).get("status") == "healthy"
    if kind == "fresh":
        # Celery's beat leaves the suffix of its schedule to the dbm library that it finds.
        files = Path(target).parent.glob(Path(target).name + "*")
        return any(time.time() - file.stat().st_mtime < float(more[0]) for file in files)
    raise ValueError(f"no check '{kind}'")


if __name__ == "__main__":
    try:
        well = is_well(*sys.argv[1:])
    except (OSError, ValueError) as error:
        print(error)
        well = False
    sys.exit(0 if well else 1)
