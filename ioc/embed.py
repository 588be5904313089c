"""Guest tokens for dashboards embedded in the portal.

Tokens are signed here with the secret that Superset shares, so the portal needs no account in Superset. Which UUID a
dashboard is embedded under is decided by Superset at publication; ``superset_assets.sync.push`` leaves it in
``IOC_HOME/superset/embedded.json``.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jwt

from ioc.secrets import Secrets
from ioc.settings import Settings, get_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

EMBEDDED_FILE = Path("superset") / "embedded.json"
# The same in superset_assets/security.py, which runs in an interpreter that cannot import this module.
AUDIENCE = "ioc-superset"
LIFETIME_S = 300
_COLUMN = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_VALUE = re.compile(r"[\w .\-]{1,100}")


class DashboardNotPublished(Exception):  # noqa: N818 - it names the state, as its siblings in ioc do
    """No such dashboard is published; the message says how to go on."""


@dataclass(frozen=True)
class RowFilter:
    """Rows that a guest may see: those whose ``column`` holds one of ``values``; none when there are no values.

    Attributes:
        column: Column of the dataset.
        values: Whole numbers, or codes of letters, digits, space, ``_``, ``.`` and ``-``.
        dataset: Table in ``serving`` that it is for; ``None`` = every dataset, all of which must have the column.
    """

    column: str
    values: Sequence[str | int]
    dataset: str | None = None

    def clause(self) -> str:
        """The filter as SQL.

        Raises:
            ValueError: the column or a value has a character that is not let through: the clause goes into a query.
        """
        if not _COLUMN.fullmatch(self.column):
            raise ValueError(f"not a column name: {self.column!r}")
        literals = []
        for value in self.values:
            if isinstance(value, bool) or not isinstance(value, int | str):
                raise ValueError(f"not a code or a whole number: {value!r}")
            if isinstance(value, str) and not _VALUE.fullmatch(value):
                raise ValueError(f"not a code: {value!r}")
            literals.append(str(value) if isinstance(value, int) else f"'{value}'")
        return f"{self.column} in ({', '.join(literals)})" if literals else "1 = 0"


@dataclass(frozen=True)
class GuestToken:
    """What a page needs to embed a dashboard.

    Attributes:
        token: Signed token, valid for ``LIFETIME_S`` seconds; the SDK asks for another in time.
        embedded_uuid: What the SDK calls ``id``.
        superset_domain: What the SDK calls ``supersetDomain``.
    """

    token: str
    embedded_uuid: str
    superset_domain: str

    def as_dict(self) -> dict[str, str]:
        return {"token": self.token, "embedded_uuid": self.embedded_uuid, "superset_domain": self.superset_domain}


def published(settings: Settings | None = None) -> dict[str, str]:
    """Slug → embedded UUID of the published dashboards; empty before the first publication."""
    return dict(_told(settings or get_settings()).get("dashboards", {}))


def guest_token(
    dashboard: str,
    username: str,
    *,
    rows: Sequence[RowFilter] = (),
    phone: bool = False,
    settings: Settings | None = None,
    lifetime_s: int = LIFETIME_S,
) -> GuestToken:
    """Mint a token that opens one dashboard, and of its data only the rows that pass every filter.

    Args:
        dashboard: Slug, such as ``air_quality``.
        username: Who looks, for Superset's log; grants nothing.
        rows: Row filters, all of which apply.
        phone: The version for small screens, one chart below the other (below about 768 px).
        settings: Settings of the stack; default: this process's.
        lifetime_s: Seconds until the token expires.

    Raises:
        DashboardNotPublished: no dashboard or dataset of that name is published.
        ValueError: a row filter is not safe to put into a query.
    """
    settings = settings or get_settings()
    told = _told(settings)
    try:
        embedded_uuid = told["dashboards"][f"{dashboard}_phone" if phone else dashboard]
        rules = [_rule(row, told["datasets"]) for row in rows]
    except KeyError as error:
        raise DashboardNotPublished(
            f"nothing called {error} is published in Superset: run 'ioc superset push'"
        ) from error
    now = int(time.time())
    claims = {
        "user": {"username": username, "first_name": username, "last_name": ""},
        "resources": [{"type": "dashboard", "id": embedded_uuid}],
        "rls_rules": rules,
        "iat": now,
        "exp": now + lifetime_s,
        "aud": AUDIENCE,
        "type": "guest",
    }
    token = jwt.encode(claims, Secrets.of(settings).get("superset_guest_jwt"), algorithm="HS256")
    return GuestToken(token, embedded_uuid, settings.superset_url())


def _rule(row: RowFilter, datasets: dict[str, int]) -> dict[str, Any]:
    rule: dict[str, Any] = {"clause": row.clause()}
    if row.dataset is not None:
        rule["dataset"] = datasets[row.dataset]
    return rule


def _told(settings: Settings) -> dict[str, Any]:
    try:
        return dict(json.loads((settings.home / EMBEDDED_FILE).read_text()))
    except FileNotFoundError:
        return {"dashboards": {}, "datasets": {}}
