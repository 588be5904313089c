"""Plants faults in the alert code, one at a time, and asks the tests: ``python -m tests.mutations [NAME…]``.

``mutants.yaml`` lists them: in ``file`` the text ``old`` becomes ``new``, and ``tests`` must turn red. Each runs in a
copy of the tree; nothing here is touched. Exit code 0: every fault was caught. 1: one survived. 2: a patch does not
fit, the tests fail without any fault, or a run ended in neither green nor red.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import local

import yaml

ROOT = Path(__file__).resolve().parents[2]
_LIST = Path(__file__).with_name("mutants.yaml")
_TIMEOUT_S = 300


@dataclass(frozen=True)
class Mutant:
    """One fault: ``says`` is what would go wrong if it went unnoticed."""

    name: str
    file: str
    old: str
    new: str
    says: str
    tests: tuple[str, ...]


def mutants() -> list[Mutant]:
    """Every fault of the list."""
    return [
        Mutant(**{**row, "tests": tuple(row["tests"])}) for row in yaml.safe_load(_LIST.read_text(encoding="utf-8"))
    ]


def problem(mutant: Mutant, root: Path = ROOT) -> str | None:
    """Why the patch does not fit the tree, or None."""
    path = root / mutant.file
    if not path.is_file():
        return f"{mutant.name}: no file {mutant.file}"
    found = path.read_text(encoding="utf-8").count(mutant.old)
    if found != 1 or mutant.old == mutant.new:
        return f"{mutant.name}: the old text is {found} times in {mutant.file}; it must be once, and change"
    missing = [test for test in mutant.tests if not _is_there(root, test)]
    return f"{mutant.name}: no test {', '.join(missing)}" if missing else None


def _is_there(root: Path, test: str) -> bool:
    path, _, name = test.partition("::")
    return (root / path).is_file() and f"def {name}" in (root / path).read_text(encoding="utf-8")


def _copy(folder: Path) -> Path:
    """The files that git knows or would add, without those it ignores."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=True,
    ).stdout.decode()  # fmt: skip
    for name in filter(None, listed.split("\0")):
        source, target = ROOT / name, folder / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    return folder


def _run(folder: Path, tests: tuple[str, ...], timeout_s: int = _TIMEOUT_S) -> tuple[int | None, str]:
    """pytest's exit code (None: it did not come to an end) and the last lines it said."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--no-header", *tests]
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired:
        return None, "no end"
    return done.returncode, (done.stdout + done.stderr).strip()[-1500:]


def _verdict(mutant: Mutant, folder: Path) -> tuple[str, str]:
    wrong = problem(mutant, folder)
    if wrong:
        return "does not fit", wrong
    path = folder / mutant.file
    kept = path.read_text(encoding="utf-8")
    path.write_text(kept.replace(mutant.old, mutant.new), encoding="utf-8")
    try:
        code, said = _run(folder, mutant.tests)
    finally:
        path.write_text(kept, encoding="utf-8")
    # Tests that hang because of a fault have noticed it; anything but red or green has noticed nothing.
    if code in (1, None):
        return "caught", said
    return ("SURVIVED" if code == 0 else "broken run"), said


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description=__doc__)
    parser.add_argument("name", nargs="*", help="only these faults")
    parser.add_argument("--jobs", type=int, default=2, help="how many run beside each other")
    parser.add_argument("--list", action="store_true", help="show the faults and end")
    arguments = parser.parse_args()
    chosen = [mutant for mutant in mutants() if not arguments.name or mutant.name in arguments.name]
    unknown = set(arguments.name) - {mutant.name for mutant in chosen}
    if unknown:
        print(f"no fault called {', '.join(sorted(unknown))}", file=sys.stderr)
        return 64
    if arguments.list:
        for mutant in chosen:
            print(f"{mutant.name:42} {mutant.says}")
        return 0
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ioc-mutations-") as folder:
        copies = [_copy(Path(folder) / str(number)) for number in range(arguments.jobs)]
        every = tuple(sorted({test for mutant in chosen for test in mutant.tests}))
        code, said = _run(copies[0], every, timeout_s=10 * _TIMEOUT_S)
        if code != 0:
            print(f"the tests are not green without any fault:\n{said}", file=sys.stderr)
            return 2
        print(f"{'without any fault':42} green ({time.monotonic() - started:.0f} s)", flush=True)
        verdicts = _all(chosen, copies)
    counts = {verdict: sum(found == verdict for found in verdicts) for verdict in sorted(set(verdicts))}
    print(f"{len(chosen)} faults in {time.monotonic() - started:.0f} s: {counts}")
    if set(verdicts) - {"caught", "SURVIVED"}:
        return 2
    return 1 if "SURVIVED" in verdicts else 0


def _all(chosen: list[Mutant], copies: list[Path]) -> list[str]:
    mine = local()
    free = list(copies)

    def one(mutant: Mutant) -> str:
        if not hasattr(mine, "copy"):
            mine.copy = free.pop()
        started = time.monotonic()
        verdict, said = _verdict(mutant, mine.copy)
        print(f"{mutant.name:42} {verdict} ({time.monotonic() - started:.0f} s)", flush=True)
        if verdict != "caught":
            print(f"    {mutant.says}\n    {said}", flush=True)
        return verdict

    with ThreadPoolExecutor(len(copies)) as pool:
        return list(pool.map(one, chosen))


if __name__ == "__main__":
    sys.exit(main())
