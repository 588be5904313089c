"""The rules in force, read from the tables into what the fold needs."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

from alerts.judging.fold import Level, Version

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    import psycopg

_MOST_SPECIFIC_FIRST = ("entity", "pattern", "unit", "province")


@dataclass(frozen=True)
class Scope:
    """To which series a set of thresholds applies: the whole province, a unit, one entity, or a LIKE pattern."""

    kind: str
    value: str

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        parts = (re.escape(c) if c not in "%_" else {"%": ".*", "_": "."}[c] for c in self.value)
        return re.compile("".join(parts), re.DOTALL)

    def covers(self, entity_id: str, unit_code: str | None) -> bool:
        if self.kind == "entity":
            return self.value == entity_id
        if self.kind == "unit":
            return self.value == unit_code
        return self.kind == "province" or bool(self._pattern.fullmatch(entity_id))


@dataclass
class RuleVersion:
    """One approved version with its thresholds by scope."""

    rule_version_id: int
    starts: datetime
    ends: datetime | None
    direction: str
    max_gap: timedelta
    nodata_after: list[timedelta]
    retire_after: timedelta
    notify_max_age: timedelta
    levels: dict[Scope, tuple[Level, ...]] = field(default_factory=dict)

    def for_series(self, entity_id: str, unit_code: str | None) -> Version | None:
        """This version with the thresholds of the most specific scope that covers the series; None = out of scope."""
        for scope, levels in self.levels.items():
            if scope.covers(entity_id, unit_code):
                return Version(
                    self.rule_version_id, self.starts, self.ends, "up" if self.direction == "up" else "down",
                    self.max_gap, levels,
                )  # fmt: skip
        return None


@dataclass
class Rule:
    """One enabled rule and its approved versions, oldest first; it watches a ``signal``, or its domain's ``source``."""

    rule_id: int
    code: str
    domain: str
    signal_code: str
    entity_type: str | None
    watches: str = "signal"
    versions: list[RuleVersion] = field(default_factory=list)
    _cache: dict[Any, list[Version]] = field(default_factory=dict)

    def for_series(self, entity_id: str, unit_code: str | None) -> list[Version]:
        """The versions as they apply to one series; empty when the rule does not cover it."""
        by_series = any(scope.kind != "province" for version in self.versions for scope in version.levels)
        key = (entity_id, unit_code) if by_series else None
        if key not in self._cache:
            found = (version.for_series(entity_id, unit_code) for version in self.versions)
            self._cache[key] = [version for version in found if version is not None]
        return self._cache[key]

    def in_force(self, at: datetime) -> RuleVersion | None:
        """The version whose effective range holds ``at``."""
        for version in self.versions:
            if version.starts <= at and (version.ends is None or at < version.ends):
                return version
        return None

    @property
    def ended_at(self) -> datetime | None:
        """When the last version ceased to be in force; None = it has no end."""
        ends = [version.ends for version in self.versions]
        return None if None in ends else max(end for end in ends if end)


def load(connection: psycopg.Connection) -> dict[int, Rule]:
    """Every enabled rule with an approved version, by ``rule_id``."""
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(
            """
            select r.rule_id, r.code, r.domain, r.signal_code, r.entity_type, r.watches, v.rule_version_id, v.direction,
                lower(v.effective) as starts, upper(v.effective) as ends, v.max_gap, v.nodata_after, v.retire_after,
                v.notify_max_age
            from alert.rule r join alert.rule_version v using (rule_id)
            where r.is_enabled and v.status = 'approved' order by r.rule_id, lower(v.effective)
            """
        )
        rules: dict[int, Rule] = {}
        versions: dict[int, RuleVersion] = {}
        for row in cursor:
            head = [row.pop(name) for name in ("rule_id", "code", "domain", "signal_code", "entity_type", "watches")]
            version = RuleVersion(**row)
            rules.setdefault(head[0], Rule(*head)).versions.append(version)
            versions[version.rule_version_id] = version
        cursor.execute(
            "select rule_version_id, scope_kind, scope_value, level, enter_value::float8, exit_value::float8, for_dur, "
            "keep_dur, enter_strict from alert.threshold where rule_version_id = any(%s) "
            "order by array_position(%s, scope_kind), length(scope_value) desc, scope_value, level",
            (list(versions), list(_MOST_SPECIFIC_FIRST)),
        )
        for row in cursor:
            scope = Scope(row["scope_kind"], row["scope_value"])
            level = Level(
                row["level"],
                row["enter_value"],
                row["exit_value"],
                row["for_dur"],
                row["keep_dur"],
                row["enter_strict"],
            )
            levels = versions[row["rule_version_id"]].levels
            levels[scope] = (*levels.get(scope, ()), level)
    return rules
