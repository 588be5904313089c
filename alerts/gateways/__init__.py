"""Gateways of SMS providers: one module each, found by name, chosen by ``IOC_SMS_GATEWAY``."""

from __future__ import annotations

import importlib
import pkgutil
from functools import lru_cache
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from urllib.parse import SplitResult

    from alerts.gateways.base import Adapter, Gateway
    from ioc.settings import Settings


@lru_cache(maxsize=1)
def adapters() -> dict[str, Adapter]:
    """Every adapter of this folder, by name: the modules with ``build`` and ``parse_receipt``."""
    found = {}
    for module in pkgutil.iter_modules(__path__):
        loaded = importlib.import_module(f"{__name__}.{module.name}")
        if hasattr(loaded, "parse_receipt"):
            found[module.name] = cast("Adapter", loaded)
    return found


def configured(settings: Settings) -> list[tuple[str, SplitResult]]:
    """Adapter and address of each entry of ``IOC_SMS_GATEWAY``, in its order; builds nothing.

    An entry is ``<adapter>+https://host/path?brandname=…``; several are separated by white space, the preferred first.
    Unset = the sandbox's two when it runs, none otherwise.

    Raises:
        ValueError: an entry names no adapter, or would send a password in clear.
    """
    given = settings.sms_gateway or ""
    if not given and settings.with_sandbox:
        base = f"http://127.0.0.1:{settings.port_sandbox_http}"
        given = f"esms+{base}/esms?brandname=IOC-THUNGHIEM viettel+{base}/viettel?brandname=IOC-THUNGHIEM&cp_code=IOC"
    found = []
    for entry in given.split():
        name, _, url = entry.partition("+")
        if name not in adapters() or urlsplit(url).scheme not in ("http", "https"):
            raise ValueError(f"IOC_SMS_GATEWAY: '{name}+…' is none of {', '.join(sorted(adapters()))} with http(s)://")
        parts = urlsplit(url)
        if parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "localhost", "sandbox"):
            raise ValueError(f"IOC_SMS_GATEWAY: {name} would send a password in clear: use https://")
        found.append((name, parts))
    return found


def sms_gateways(settings: Settings) -> list[Gateway]:
    """The gateways of ``IOC_SMS_GATEWAY``; see :func:`configured`.

    Raises:
        ValueError: an entry is wrong, or lacks what its adapter needs.
    """
    return [adapters()[name].build(parts, settings) for name, parts in configured(settings)]
