"""Generated secrets of a stack: made once, kept in ``IOC_HOME/secrets.env`` (0600), never in repository or log."""

from __future__ import annotations

import os
import secrets as _secrets
from typing import TYPE_CHECKING

from filelock import FileLock

if TYPE_CHECKING:
    from pathlib import Path

    from ioc.settings import Settings

_FILE = "secrets.env"


class Secrets:
    """Name → secret, created on first use.

    A variable ``IOC_SECRET_<NAME>`` in the environment wins over the file, which is how a deployment hands secrets in.
    """

    def __init__(self, home: Path) -> None:
        self._path = home / _FILE

    @classmethod
    def of(cls, settings: Settings) -> Secrets:
        return cls(settings.home)

    def get(self, name: str) -> str:
        """Return the secret called ``name`` (lower snake case), creating 32 URL-safe characters when it is new."""
        key = name.upper()
        from_environment = os.environ.get(f"IOC_SECRET_{key}")
        if from_environment:
            return from_environment
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(str(self._path) + ".lock"):
            known = self._read()
            if key not in known:
                known[key] = _secrets.token_urlsafe(24)
                self._write(known)
            return known[key]

    def _read(self) -> dict[str, str]:
        if not self._path.exists():
            return {}
        lines = self._path.read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def _write(self, known: dict[str, str]) -> None:
        temporary = self._path.with_suffix(".new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.writelines(f"{key}={value}\n" for key, value in sorted(known.items()))
        temporary.replace(self._path)
