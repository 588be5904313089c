"""Silence: a series without a word for too long opens an incident of its own kind, told to whoever owns the data.

Clock-driven, unlike the fold. Missing data never resolve a firing value incident; only when a series has been silent
for the rule's ``retire_after`` (30 days) does it leave the list of open ones, as ``retired`` and without a message.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from alerts.fold import STOPPED, Transition
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
) -> int:
    """Open, raise and close ``nodata`` incidents for the clock ``at``; puts what changed into ``changes``.

    An incident begins at the newest period heard + ``nodata_after[0]``, whenever that was noticed, and ends at ``at``,
    when data were seen to be back. A series silent for longer than ``retire_after`` opens none: that is history.

    Returns:
        The number of silent series with an open incident.
    """
    silent_now = {i.key: i for i in open_incidents.values() if i.kind == "nodata"}
    for key, before in list(states.items()):
        series = before
        rule = rules.get(key.rule_id)
        version = rule.in_force(at) if rule else None
        heard_at = series.state.heard_at
        if rule is None or version is None or heard_at is None:
            continue
        silent_for = at - heard_at
        if series.state.level and silent_for > version.retire_after:
            series = _retire(series, open_incidents, heard_at + version.retire_after, changes)
            states[key] = changes.states[key] = series
        level = sum(silent_for >= after for after in version.nodata_after)
        incident = silent_now.get(key)
        if incident is None and level and silent_for <= version.retire_after:
            incident = _begin(rule, version.rule_version_id, key, series, heard_at + version.nodata_after[0])
            silent_now[key] = incident
        if incident is None or at < incident.opened_at:
            continue
        if level != incident.level:
            _move(incident, _steps(incident.level, level, heard_at, version.nodata_after, at), changes)
        data_state = "nodata" if level else "ok" if series.state.last_ok_at == series.state.watermark else "unusable"
        if data_state != series.state.data_state:
            state = replace(series.state, data_state=data_state)
            states[key] = changes.states[key] = replace(series, state=state)
    return sum(incident.closed_at is None for incident in silent_now.values())


def _retire(
    series: Series, open_incidents: dict[uuid.UUID, Incident], event_time: datetime, changes: Changes
) -> Series:
    incident = None
    if series.incident_id:
        incident = changes.incidents.get(series.incident_id) or open_incidents.get(series.incident_id)
    if incident:
        transition = Transition(
            event_time, incident.level, 0, None, "retired", incident.rule_version_id, peak_value=incident.peak_value
        )
        incident.move(transition)
        changes.touch(incident)
        changes.transitions.append((incident, transition))
    state = replace(series.state, level=0, up_since=STOPPED, down_since=STOPPED, peak_value=None)
    return replace(series, state=state, incident_id=None)


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
    level: int, to_level: int, heard_at: datetime, after: list[timedelta], at: datetime
) -> list[tuple[datetime, int]]:
    """Times and levels from ``level`` to ``to_level``: up at the moment each silence was long enough, down at once."""
    if to_level > level:
        return [(heard_at + after[n - 1], n) for n in range(level + 1, to_level + 1)]
    return [(at, to_level)]


def _move(incident: Incident, steps: list[tuple[datetime, int]], changes: Changes) -> None:
    for event_time, to_level in steps:
        reason = "silent" if to_level > incident.level else ("lowered" if to_level else "data_back")
        transition = Transition(event_time, incident.level, to_level, None, reason, incident.rule_version_id)
        incident.move(transition)
        changes.touch(incident)
        changes.transitions.append((incident, transition))
