"""Silence: a series without any row for too long opens an incident of its own kind, told to whoever owns the data.

Clock-driven, unlike the fold. A firing value incident is never resolved by missing data.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from alerts.fold import Transition
from alerts.store import Changes, Incident, Series, SeriesKey, incident_id

if TYPE_CHECKING:
    import uuid
    from datetime import datetime, timedelta

    from alerts.rulebook import Rule


def check(
    rules: dict[int, Rule],
    states: dict[SeriesKey, Series],
    open_incidents: dict[uuid.UUID, Incident],
    at: datetime,
    changes: Changes,
) -> None:
    """Open, raise and close ``nodata`` incidents for the clock ``at``; puts what changed into ``changes``.

    An incident begins at newest period + ``nodata_after[0]``, whenever that was noticed, and ends at ``at``, when data
    were seen to be back. A series silent for longer than ``retire_after`` opens none: it is history, not an outage.
    """
    silent_now = {i.key: i for i in open_incidents.values() if i.kind == "nodata"}
    for key, series in list(states.items()):
        rule = rules.get(key.rule_id)
        version = rule.in_force(at) if rule else None
        watermark = series.state.watermark
        if rule is None or version is None or watermark is None:
            continue
        silent_for = at - watermark
        level = sum(silent_for >= after for after in version.nodata_after)
        incident = silent_now.get(key)
        if incident is None:
            if level == 0 or silent_for > version.retire_after:
                continue
            incident = _begin(rule, version.rule_version_id, key, series, watermark + version.nodata_after[0])
        elif at <= incident.opened_at or level == incident.level:
            continue
        _move(incident, _steps(incident.level, level, watermark, version.nodata_after, at), changes)
        state = replace(series.state, data_state="nodata" if level else _seen(series))
        states[key] = changes.states[key] = replace(series, state=state)


def _seen(series: Series) -> str:
    return "ok" if series.state.last_ok_at == series.state.watermark else "unusable"


def _begin(rule: Rule, rule_version_id: int, key: SeriesKey, series: Series, opened_at: datetime) -> Incident:
    return Incident(
        incident_id=incident_id(rule.code, key, "nodata", opened_at),
        key=key,
        kind="nodata",
        rule_version_id=rule_version_id,
        unit_code=series.unit_code,
        opened_at=opened_at,
        level=0,
        peak_level=0,
        is_new=True,
    )


def _steps(
    level: int, to_level: int, watermark: datetime, after: list[timedelta], at: datetime
) -> list[tuple[datetime, int]]:
    """Times and levels from ``level`` to ``to_level``: up at the moment each silence was long enough, down at once."""
    if to_level > level:
        return [(watermark + after[n - 1], n) for n in range(level + 1, to_level + 1)]
    return [(at, to_level)]


def _move(incident: Incident, steps: list[tuple[datetime, int]], changes: Changes) -> None:
    for event_time, to_level in steps:
        reason = "silent" if to_level > incident.level else ("lowered" if to_level else "data_back")
        transition = Transition(event_time, incident.level, to_level, None, reason, incident.rule_version_id)
        incident.move(transition)
        changes.touch(incident)
        changes.transitions.append((incident, transition))
