"""What the clock says, unlike the fold: silence, the end of rules, and series that nobody hears of any more.

A series without a word for too long opens an incident of its own kind (``nodata``; ``source`` for the pipeline of a
whole domain), told to whoever owns the data. Missing data never say that an alarm is over. Only when a series has been
silent for the rule's ``retire_after`` (30 days) does its alarm leave the list, as ``retired``: people are told that its
state is unknown and that nobody watches it any more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from alerts.judging.fold import STOPPED, Transition
from alerts.judging.store import Changes, Incident, Series, SeriesKey, incident_id

if TYPE_CHECKING:
    import uuid
    from datetime import datetime, timedelta

    from alerts.rulemaking.rulebook import Rule

# Ends of which the data themselves said nothing.
LEFT = ("retired", "rule_disabled", "rule_ended")
# Of changes that no row of data caused: they may fall on the moment of one that does.
_NO_REVISION = 0


@dataclass(frozen=True)
class Silent:
    """Silent series, and silent sources, with an open incident."""

    series: int = 0
    sources: int = 0


def end_without_rule(
    rules: dict[int, Rule],
    states: dict[SeriesKey, Series],
    open_incidents: dict[uuid.UUID, Incident],
    at: datetime,
    changes: Changes,
) -> None:
    """Close what is open of rules that were switched off (``rule_disabled``, now) or ended (``rule_ended``, then)."""
    for incident in list({**open_incidents, **changes.incidents}.values()):
        rule = rules.get(incident.key.rule_id)
        ended_at = rule.ended_at if rule else at
        if incident.closed_at or ended_at is None or ended_at > at:
            continue
        _leave(incident, max(ended_at, incident.opened_at), "rule_ended" if rule else "rule_disabled", changes)
        series = states.get(incident.key)
        if incident.kind == "value" and series:
            # What comes later from before a rule's end is late: it must not tell the same episode again.
            states[incident.key] = changes.states[incident.key] = _calm(series, ended_at if rule else None)


def silences(rules: dict[int, Rule], at: datetime) -> dict[int, tuple[datetime, datetime]]:
    """By rule, between which moments a series must have been heard last for ``check`` to find it silent at ``at``."""
    versions = ((rule_id, rule.in_force(at)) for rule_id, rule in rules.items())
    return {
        rule_id: (at - version.retire_after, at - version.nodata_after[0])
        for rule_id, version in versions
        if version and version.nodata_after
    }


def check(
    rules: dict[int, Rule],
    states: dict[SeriesKey, Series],
    open_incidents: dict[uuid.UUID, Incident],
    at: datetime,
    changes: Changes,
) -> Silent:
    """Open, raise and close incidents of silence for the clock ``at``; puts what changed into ``changes``.

    An incident begins at the newest period heard + ``nodata_after[0]``, whenever that was noticed, and ends at ``at``,
    when data were seen to be back. A series silent for longer than ``retire_after`` opens none: that is history.
    ``states`` holds at least the series with news or an open incident, and those within ``silences``.
    """
    silent_now = {i.key: i for i in open_incidents.values() if i.kind != "value"}
    for key, before in list(states.items()):
        series = before
        rule = rules.get(key.rule_id)
        version = rule.in_force(at) if rule else None
        heard_at = series.state.heard_at
        if rule is None or version is None or heard_at is None:
            continue
        silent_for = at - heard_at
        if series.state.level and silent_for > version.retire_after:
            alarm = series.incident_id and (
                changes.incidents.get(series.incident_id) or open_incidents.get(series.incident_id)
            )
            if alarm:
                _leave(alarm, heard_at + version.retire_after, "retired", changes)
            series = states[key] = changes.states[key] = _calm(series)
        level = sum(silent_for >= after for after in version.nodata_after)
        incident = silent_now.get(key)
        if incident is None and level and silent_for <= version.retire_after:
            incident = _begin(rule, version.rule_version_id, key, series, heard_at + version.nodata_after[0])
            silent_now[key] = incident
        if incident is None or incident.closed_at or at < incident.opened_at:
            continue
        if level != incident.level:
            _move(incident, _steps(incident.level, level, heard_at, version.nodata_after, at), changes)
        data_state = "nodata" if level else "ok" if series.state.last_ok_at == series.state.watermark else "unusable"
        if data_state != series.state.data_state:
            state = replace(series.state, data_state=data_state)
            states[key] = changes.states[key] = replace(series, state=state)
    still = [incident.kind for incident in silent_now.values() if incident.closed_at is None]
    return Silent(still.count("nodata"), still.count("source"))


def _leave(incident: Incident, event_time: datetime, reason: str, changes: Changes) -> None:
    transition = Transition(
        event_time, incident.level, 0, None, reason, incident.rule_version_id, peak_value=incident.peak_value,
        revision=_NO_REVISION,
    )  # fmt: skip
    incident.move(transition)
    changes.touch(incident)
    changes.transitions.append((incident, transition))


def _calm(series: Series, until: datetime | None = None) -> Series:
    state = replace(series.state, level=0, up_since=STOPPED, down_since=STOPPED, peak_value=None)
    if until and (state.watermark is None or state.watermark < until):
        state.watermark, state.watermark_revision = until, 0
    return replace(series, state=state, incident_id=None)


def _begin(rule: Rule, rule_version_id: int, key: SeriesKey, series: Series, opened_at: datetime) -> Incident:
    kind = "source" if rule.watches == "source" else "nodata"
    return Incident(
        incident_id=incident_id(rule.code, key, kind, opened_at),
        key=key,
        kind=kind,
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
