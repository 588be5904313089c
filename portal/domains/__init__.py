"""Pages of the domains, one folder each, found by looking: a thirteenth domain needs no edit here.

A domain's package defines ``page = DomainPage(…)``; its templates are called ``<domain>/templates/name.html``.
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from fastapi import APIRouter

    from ioc.embed import RowFilter
    from portal.database import Database
    from portal.language import Language
    from portal.users import User


@dataclass(frozen=True)
class Bar:
    """One hour of a small history picture.

    Attributes:
        hour_ending: End of the hour.
        value: The value; None = nothing for that hour.
        colour: ``#rrggbb``.
        category: The value in words.
    """

    hour_ending: datetime
    value: int | None
    colour: str
    category: str | None


@dataclass(frozen=True)
class Tile:
    """What the province overview shows of a domain.

    Attributes:
        value: The one number, already written for people; None when there is nothing to show.
        unit: What the number is.
        label: What the number means, in words (colour is never the only signal).
        colour: ``#rrggbb`` of the label, or None.
        facts: One or two short lines below.
        newest_at: Age of the data.
        is_stale: Whether the newest data are older than the domain allows.
        history: The last hours, oldest first.
        history_label: What the history shows.
    """

    value: str | None
    unit: str = ""
    label: str = ""
    colour: str | None = None
    facts: tuple[str, ...] = ()
    newest_at: datetime | None = None
    is_stale: bool = False
    history: tuple[Bar, ...] = ()
    history_label: str = ""


@dataclass(frozen=True)
class DomainPage:
    """A domain's share of the portal.

    Attributes:
        name: Domain name, the folder's name.
        router: Pages and public API of the domain; includes ``/linh-vuc/<name>``.
        tile: Makes the overview tile.
        public_template: Template of the domain's part of the citizens' page, or None.
        public_context: Values for that template.
        row_filters: Rows of the embedded dashboard that a user may see; none = all of them.
        trace: Path of the page that tells where the value of an entity (by id) at a moment comes from, or None.
    """

    name: str
    router: APIRouter
    tile: Callable[[Database, Language], Tile]
    public_template: str | None = None
    public_context: Callable[[Database, Language], dict[str, Any]] = field(default=lambda _database, _language: {})
    row_filters: Callable[[User], list[RowFilter]] = field(default=lambda _user: [])
    trace: Callable[[str, datetime], str] | None = None


@lru_cache(maxsize=1)
def pages() -> dict[str, DomainPage]:
    """Domain name → its pages, for every package in this folder."""
    found = {}
    for module in pkgutil.iter_modules(__path__):
        page: DomainPage = importlib.import_module(f"portal.domains.{module.name}").page
        found[page.name] = page
    return found
