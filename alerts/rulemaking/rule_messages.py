"""Who would be told what by one rule, played through in memory: the reconciler's comparison without people or database.

By the routes of the first load (``seeds/route.yaml``), whom they name by role and unit. What an installation adds
(people's addresses and rosters, quiet hours, silences, limits) is not the rule's and stays aside;
``tests/integration/alerts/test_rules_messages.py`` holds this against the reconciler itself.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from alerts.judging.absence import LEFT
from alerts.notifying import reconcile
from alerts.notifying.told import is_news
from alerts.rulemaking.rule_document import duration

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterable
    from datetime import datetime

    from alerts.judging.store import Incident
    from alerts.rulemaking.rule_document import RuleDocument

_ROUTES = Path(__file__).resolve().parent.parent / "seeds" / "route.yaml"


@dataclass(frozen=True)
class Route:
    """A route of the first load; columns of ``notify.route``, but no working hours: a route with them is refused."""

    code: str
    unit_mode: str
    roles: list[str]
    channels: list[str]
    name_vi: str = ""
    domain: str | None = None
    rule_code_pattern: str = "%"
    kinds: list[str] = field(default_factory=lambda: ["value"])
    min_level: int = 1
    unit_code: str | None = None
    group_by: str = "rule_unit"
    group_wait: timedelta = timedelta(0)
    group_interval: timedelta = timedelta(minutes=5)
    is_fallback: bool = False

    def is_about(self, document: RuleDocument) -> bool:
        """Whether it speaks of a rule at all."""
        pattern = re.escape(self.rule_code_pattern).replace("%", ".*").replace("_", ".")
        return self.domain in (None, document.domain) and re.fullmatch(pattern, document.code) is not None

    def people(self, document: RuleDocument, unit_code: str | None) -> list[str]:
        """Whom it names, each as ``role unit``."""
        unit = {"fixed": self.unit_code, "rule_owner": document.owner_unit}.get(self.unit_mode, unit_code)
        return [f"{role} {unit or document.owner_unit}" for role in self.roles]


@cache
def shipped_routes() -> tuple[Route, ...]:
    """The routes of the first load."""
    rows: list[dict[str, Any]] = yaml.safe_load(_ROUTES.read_text(encoding="utf-8"))
    times = ("group_wait", "group_interval")
    return tuple(Route(**(row | {key: duration(row[key]) for key in times if key in row})) for row in rows)


@dataclass(frozen=True)
class Sent:
    """One message: when, by which channel, to whom (``role unit``), and the gravest level in it (0 = over)."""

    at: datetime
    channel: str
    to: str
    level: int


@dataclass
class _Group:
    first_seen: datetime | None = None
    last_flush: datetime | None = None


class Telling:
    """What people would have been told of one rule's incidents.

    Attributes:
        sent: The messages, in the order in which they leave.
    """

    def __init__(self, document: RuleDocument) -> None:
        self._document = document
        self._routes = [route for route in shipped_routes() if route.is_about(document)]
        self._route_knows: dict[tuple[uuid.UUID, str], int] = {}
        self._person_knows: dict[tuple[uuid.UUID, str, str], int] = {}
        self._groups: dict[tuple[str, str], _Group] = defaultdict(_Group)
        self.sent: list[Sent] = []

    def tick(self, at: datetime, standing: Iterable[tuple[Incident, datetime | None]]) -> None:
        """Compare and tell at the clock ``at``; ``standing``: every incident and when its series last had a value."""
        waiting: dict[tuple[str, str], tuple[Route, list[dict[str, Any]]]] = {}
        for incident, last_ok_at in standing:
            for route in self._routes:
                row = self._difference(route, incident, last_ok_at, at)
                if row:
                    key = (route.code, reconcile.group_key(route.group_by, row))
                    waiting.setdefault(key, (route, []))[1].append(row)
        for key in self._groups.keys() - waiting.keys():
            # A flap inside the waiting time starts afresh when it comes again.
            self._groups[key].first_seen = None
        # Routes that still see the incident speak first, as the reconciler's do.
        for key, (route, rows) in sorted(waiting.items(), key=lambda one: -max(row["now_level"] for row in one[1][1])):
            group = self._groups[key]
            group.first_seen = group.first_seen or at
            rested = group.last_flush is None or at >= group.last_flush + route.group_interval
            if rested and at >= group.first_seen + route.group_wait:
                self._tell(route, rows, at)
                group.first_seen, group.last_flush = None, at

    def _difference(
        self, route: Route, incident: Incident, last_ok_at: datetime | None, at: datetime
    ) -> dict[str, Any] | None:
        if incident.kind not in route.kinds:
            return None
        now = incident.level if incident.level >= route.min_level else 0
        if self._route_knows.get((incident.incident_id, route.code), 0) == now:
            return None
        is_fresh = last_ok_at is not None and at - last_ok_at <= self._document.notify_max_age
        if incident.kind == "value" and not is_fresh and incident.close_reason not in LEFT:
            return None
        return {
            "incident_id": incident.incident_id, "rule_code": self._document.code, "domain": self._document.domain,
            "unit_code": incident.unit_code, "now_level": now, "true_level": incident.level,
        }  # fmt: skip

    def _tell(self, route: Route, rows: list[dict[str, Any]], at: datetime) -> None:
        letters: dict[tuple[str, str], list[int]] = defaultdict(list)
        for row in rows:
            self._route_knows[row["incident_id"], route.code] = row["now_level"]
            for to in route.people(self._document, row["unit_code"]):
                for channel in route.channels:
                    person = (row["incident_id"], to, channel)
                    if is_news(self._person_knows.get(person), row):
                        self._person_knows[person] = row["now_level"]
                        letters[to, channel].append(row["now_level"])
        self.sent += [Sent(at, channel, to, max(levels)) for (to, channel), levels in letters.items()]
