"""Pages of the portal that belong to no single domain; each module here with a ``router`` is one, found by looking."""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import APIRouter


def routers() -> list[APIRouter]:
    """The routers of all pages, in the order of their modules' names."""
    modules = (importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__))
    return [module.router for module in modules if hasattr(module, "router")]
