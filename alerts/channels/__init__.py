"""Channels: one module each, found by name. Adding a channel is adding a file (see :mod:`alerts.channels.base`)."""

from __future__ import annotations

import importlib
import pkgutil
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alerts.channels.base import Channel


@lru_cache(maxsize=1)
def all_channels() -> dict[str, Channel]:
    """Every channel of this folder, by name."""
    found = {}
    for module in pkgutil.iter_modules(__path__):
        if module.name != "base":
            found[module.name] = importlib.import_module(f"{__name__}.{module.name}").CHANNEL
    return found


def get_channel(name: str) -> Channel:
    """The channel called ``name``.

    Raises:
        KeyError: no such channel; the message lists the known ones.
    """
    try:
        return all_channels()[name]
    except KeyError:
        raise KeyError(f"no channel '{name}'; known: {', '.join(all_channels())}") from None
