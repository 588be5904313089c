"""Would anybody hear? Every enabled rule, in every unit, from level 2 on, has to reach two people.

Reckoned with the roster, the routes and the verified addresses of one moment, by the reconciler's own way of finding
people. A mailbox of the portal alone does not count: it reaches nobody who is not looking.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from psycopg.rows import dict_row

from alerts.notifying import notice, reconcile, routing
from ioc import warehouse
from ioc.settings import TIME_ZONE

if TYPE_CHECKING:
    import psycopg

    from alerts.notifying.routing import Directory
    from ioc.settings import Settings

ENOUGH = 2
_SILENT = frozenset({"web", "webhook"})


@dataclass(frozen=True)
class Shortfall:
    """A rule that reaches too few people at a level.

    Attributes:
        rule_code: The rule.
        title_vi: Its title.
        kind: ``value`` or ``nodata``.
        level: The level.
        unit_codes: The units where this is so.
        unit_names: Their names.
        reached: Names of those who would hear.
        missing: What is missing, in Vietnamese.
    """

    rule_code: str
    title_vi: str
    kind: str
    level: int
    unit_codes: list[str]
    unit_names: list[str]
    reached: list[str]
    missing: list[str]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


_RULES = """
select r.code as rule_code, r.title_vi, r.domain, r.owner_unit, array(
    select distinct t.level from alert.threshold t where t.rule_version_id = v.rule_version_id and t.level >= 2
    order by 1) as value, array(select generate_series(2, cardinality(v.nodata_after))) as nodata
from alert.rule r
join alert.rule_version v on v.rule_id = r.rule_id and v.status = 'approved' and v.effective @> %(at)s::timestamptz
where r.is_enabled order by r.code
"""


def check(settings: Settings | None = None, at: datetime | None = None) -> list[Shortfall]:
    """What is missing at ``at`` (default: now); empty when every rule reaches enough people everywhere."""
    at = at or datetime.now(UTC)
    # Reading is all it takes: the portal, which asks, has no other role where each service holds only its own.
    with warehouse.connect("portal", settings) as connection:
        return check_in(connection, at)


def check_in(connection: psycopg.Connection, at: datetime) -> list[Shortfall]:
    """As :func:`check`, on a connection of role alerts or portal."""
    directory = routing.load(connection, at)
    cursor = connection.cursor(row_factory=dict_row)
    routes = cursor.execute("select * from notify.route where is_enabled order by route_id").fetchall()
    rules = cursor.execute(_RULES, {"at": at}).fetchall()
    units = [
        code
        for (code,) in connection.execute(
            "select code from ref.org_unit where valid @> %s::date order by code", (at,)
        ).fetchall()
    ]
    reach = _Reach(directory, routes)
    found = []
    for rule in rules:
        for kind in ("value", "nodata"):
            for level in rule[kind]:
                found += _of_level(reach, rule, kind, level, units)
    return found


def report(settings: Settings | None = None, at: datetime | None = None) -> list[Shortfall]:
    """Check, and tell the operators of what is missing, once a day: the nightly run.

    Returns:
        What :func:`check` returns.
    """
    at = at or datetime.now(UTC)
    with warehouse.connect("alerts", settings) as connection:
        found = check_in(connection, at)
        if found:
            day = at.astimezone(ZoneInfo(TIME_ZONE)).date()
            rules = sorted({one.title_vi for one in found})
            teller = notice.Teller(connection, routing.load(connection, at), at, settings)
            queued = teller.tell_operators(
                f"reachability|{day}",
                f"{len(rules)} quy tắc chưa tới đủ người nhận",
                f"Từ cấp 2, các quy tắc sau tới được ít hơn {ENOUGH} người ở một số đơn vị: {'; '.join(rules[:10])}"
                f"{'…' if len(rules) > 10 else ''}. Xem trang Danh bạ, mục Kiểm tra người nhận.",
            )
            if queued:
                connection.execute("select pg_notify('ioc_outbox', '')")
    return found


class _Reach:
    """Whom the routes reach, found once per route and unit."""

    def __init__(self, directory: Directory, routes: list[dict[str, Any]]) -> None:
        self.directory = directory
        self._routes = routes
        self._fallback = next((route for route in routes if route["is_fallback"]), None)
        self._known: dict[tuple[int, str, str], tuple[frozenset[int], str | None]] = {}

    def routes_of(self, rule: dict[str, Any], kind: str, level: int) -> list[dict[str, Any]]:
        """The routes that speak of a rule at a level."""
        return [
            route
            for route in self._routes
            if kind in route["kinds"]
            and route["min_level"] <= level
            and route["domain"] in (None, rule["domain"])
            and _is_like(rule["rule_code"], route["rule_code_pattern"])
        ]

    def of(self, route: dict[str, Any], unit: str, owner: str) -> tuple[frozenset[int], str | None]:
        """The contacts that a route reaches, and what it lacks."""
        where = "" if route["unit_mode"] == "fixed" else owner if route["unit_mode"] == "rule_owner" else unit
        key = (route["route_id"], where, owner)
        if key not in self._known:
            self._known[key] = self._find(route, unit, owner)
        return self._known[key]

    def _find(self, route: dict[str, Any], unit: str, owner: str) -> tuple[frozenset[int], str | None]:
        row = {"unit_code": unit, "owner_unit": owner}
        found = {to.contact_id for to in reconcile.addresses(self.directory, route, row) if to.channel not in _SILENT}
        if found:
            return frozenset(found), None
        where = {
            "fixed": self.directory.name_of(route["unit_code"]),
            "rule_owner": self.directory.name_of(owner),
        }.get(route["unit_mode"], "nơi xảy ra")
        lack = (
            f"Tuyến “{route['name_vi']}”: không có ai ở {where} hoặc cấp trên giữ vai trò {', '.join(route['roles'])} "
            f"có địa chỉ đã xác minh ({', '.join(route['channels'])})."
        )
        if self._fallback is None or self._fallback is route:
            return frozenset(), lack
        fallback = reconcile.addresses(self.directory, self._fallback, row)
        return frozenset(to.contact_id for to in fallback if to.channel not in _SILENT), lack


def _of_level(reach: _Reach, rule: dict[str, Any], kind: str, level: int, units: list[str]) -> list[Shortfall]:
    routes = reach.routes_of(rule, kind, level)
    alike: dict[tuple[frozenset[int], tuple[str, ...]], list[str]] = defaultdict(list)
    for unit in units:
        people: set[int] = set()
        lacks = [] if routes else ["Không có tuyến thông báo nào cho quy tắc này ở cấp này."]
        for route in routes:
            found, lack = reach.of(route, unit, rule["owner_unit"])
            people |= found
            lacks += [lack] if lack else []
        if len(people) < ENOUGH:
            alike[frozenset(people), tuple(lacks)].append(unit)
    contacts = reach.directory.contacts
    return [
        Shortfall(
            rule["rule_code"], rule["title_vi"], kind, level, codes, [reach.directory.name_of(code) for code in codes],
            sorted(contacts[one].name_vi for one in people),
            [*lacks, f"Chỉ tới được {len(people)} người, cần ít nhất {ENOUGH}."],
        )
        for (people, lacks), codes in alike.items()
    ]  # fmt: skip


def _is_like(code: str, pattern: str) -> bool:
    """SQL's LIKE."""
    expression = "".join(
        ".*" if part == "%" else "." if part == "_" else re.escape(part.removeprefix("\\"))
        for part in re.findall(r"\\.|%|_|[^\\%_]+", pattern)
    )
    return re.fullmatch(expression, code) is not None
