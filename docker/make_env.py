"""Writes ``.env`` from ``.env.example`` with a random value for every secret: ``python3 docker/make_env.py``.

Standard library only (Python 3.8 or newer): it runs on a host that has nothing but Docker.
"""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def filled_in(example: str) -> str:
    """``example`` with 32 URL-safe characters behind every secret that has no value."""
    lines = []
    for line in example.splitlines():
        name, separator, value = line.partition("=")
        secret = name == "REDIS_PASSWORD" or name.startswith("IOC_SECRET_")
        lines.append(name + "=" + secrets.token_urlsafe(24) if separator and secret and not value else line)
    return "\n".join(lines) + "\n"


def main(target: Path = ROOT / ".env") -> int:
    """Write the file, for its owner only; an existing one stays as it is."""
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        print(f"{target} exists and stays as it is; remove it first to begin anew", file=sys.stderr)
        return 1
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(filled_in((ROOT / ".env.example").read_text(encoding="utf-8")))
    print(f"{target} written: now fill in the addresses and the mail server at its top")
    return 0


if __name__ == "__main__":
    sys.exit(main())
