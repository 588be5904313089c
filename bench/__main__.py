"""Runs the benchmarks: ``python -m bench [NAME…] [--json] [--quick]``.

A benchmark is a module in this folder with ``run(quick: bool) -> dict``. Its result holds ``figures`` (what was
measured) and ``promises`` (name → {"value", "limit", "holds"}). A new file is a new benchmark.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent
_RESULTS = _FOLDER / "results"


def names() -> list[str]:
    """Every benchmark, by file name."""
    return sorted(path.stem for path in _FOLDER.glob("[a-z]*.py"))


def run_one(name: str, *, quick: bool) -> dict[str, Any]:
    """Run one benchmark and keep its result in ``bench/results/<name>.json`` (not for quick runs)."""
    started = time.monotonic()
    result: dict[str, Any] = importlib.import_module(f"bench.{name}").run(quick=quick)
    result |= {
        "name": name,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "revision": subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=_FOLDER, capture_output=True, text=True, check=False
        ).stdout.strip(),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        "seconds": round(time.monotonic() - started, 1),
    }
    if not quick:
        _RESULTS.mkdir(exist_ok=True)
        (_RESULTS / f"{name}.json").write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    return result


def main() -> int:
    parser = argparse.ArgumentParser(prog="ioc bench", description=__doc__)
    parser.add_argument("name", nargs="*", help=f"one or more of: {', '.join(names())}")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--quick", action="store_true", help="small data: shows that it runs, proves nothing")
    arguments = parser.parse_args()
    unknown = set(arguments.name) - set(names())
    if unknown:
        print(f"no benchmark '{', '.join(sorted(unknown))}'; known: {', '.join(names())}", file=sys.stderr)
        return 64
    results = {}
    for name in arguments.name or names():
        print(f"{name} …", flush=True)
        results[name] = result = run_one(name, quick=arguments.quick)
        for promise, outcome in result["promises"].items():
            sign = "holds" if outcome["holds"] else "BROKEN"
            print(f"  {promise}: {outcome['value']} (limit {outcome['limit']}) {sign}", flush=True)
    if arguments.json:
        print(json.dumps(results, ensure_ascii=False))
    return 0 if all(o["holds"] for r in results.values() for o in r["promises"].values()) else 2


if __name__ == "__main__":
    sys.exit(main())
