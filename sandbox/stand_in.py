"""What a domain's stand-in offers, and how the stand-ins are found: a folder with ``source.toml`` and ``play.py``."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from fastapi import APIRouter

    from ioc.settings import Settings

_HERE = Path(__file__).resolve().parent


class StandIn(Protocol):
    """The part of a domain that the sandbox plays."""

    @property
    def router(self) -> APIRouter:
        """Routes that tell the stand-in what to do; served below ``/<domain>``."""
        ...

    def advance(self, now: int) -> int:
        """Write what is due up to ``now`` (epoch seconds): all history on the first call. Returns files written."""
        ...

    def health(self) -> dict[str, Any]:
        """A few words for ``GET /health``."""
        ...


def discover(settings: Settings, root: Path = _HERE, package: str = "sandbox") -> dict[str, StandIn]:
    """The stand-ins of all domains that have one, by domain.

    Each ``<root>/<domain>/play.py`` offers ``stand_in(settings) -> StandIn``.
    """
    found: dict[str, StandIn] = {}
    for path in sorted(root.glob("*/play.py")):
        domain = path.parent.name
        found[domain] = import_module(f"{package}.{domain}.play").stand_in(settings)
    return found
