"""One rule played through in memory, with the engine's own fold and absence check: for rule tests and dry runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alerts.judging import absence, store
from alerts.judging.fold import Point, SeriesState, Transition, fold_series
from alerts.judging.store import Changes, Incident, Series, SeriesKey

if TYPE_CHECKING:
    import uuid
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from alerts.rulemaking.rulebook import Rule


class Simulation:
    """What one rule does with rows that arrive; nothing is written.

    Attributes:
        history: ``(entity id, kind, transition)``, in the order of event time within a tick.
    """

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._states: dict[SeriesKey, Series] = {}
        self._open: dict[uuid.UUID, Incident] = {}
        self._every: dict[uuid.UUID, Incident] = {}
        self.history: list[tuple[str, str, Transition]] = []

    def tick(self, at: datetime, arrived: Mapping[str, Sequence[Point]]) -> None:
        """One evaluation at the clock ``at``, with the rows that arrived since the one before, by entity."""
        changes = Changes()
        for entity, points in arrived.items():
            self._fold(self._key(entity), points, changes)
        absence.check({self._rule.rule_id: self._rule}, self._states, self._open, at, changes)
        self._every |= changes.incidents
        for incident in changes.incidents.values():
            if incident.closed_at:
                self._open.pop(incident.incident_id, None)
            else:
                self._open[incident.incident_id] = incident
        found = [(incident.key.entity_id, incident.kind, transition) for incident, transition in changes.transitions]
        self.history += sorted(found, key=lambda row: row[2].event_time)

    def look(self, entity: str) -> dict[str, Any]:
        """How a series stands: ``level``, ``state``, ``data``, ``value`` and the level of silence ``nodata``."""
        key = self._key(entity)
        state = self._states[key].state if key in self._states else SeriesState()
        silent = [i.level for i in self._open.values() if i.key == key and i.kind != "value"]
        return {
            "level": state.level,
            "state": state.phase,
            "data": state.data_state,
            "value": state.last_value,
            "nodata": max(silent, default=0),
        }

    def standing(self) -> list[tuple[Incident, datetime | None]]:
        """Every incident so far, and when its series last had a value."""
        return [
            (incident, series.state.last_ok_at if (series := self._states.get(incident.key)) else None)
            for incident in self._every.values()
        ]

    def _key(self, entity: str) -> SeriesKey:
        return SeriesKey(self._rule.rule_id, self._rule.entity_type or "entity", entity)

    def _fold(self, key: SeriesKey, points: Sequence[Point], changes: Changes) -> None:
        newest = max(points, key=lambda point: point.at)
        if self._rule.watches == "source":
            # What was published is heard, whatever it says.
            self._states[key] = Series(SeriesState(watermark=newest.at, heard_at=newest.at, last_ok_at=newest.at))
            return
        newest_unit = newest.unit_code
        versions = self._rule.for_series(key.entity_id, newest_unit)
        if not versions:
            return
        series = self._states.get(key) or Series(SeriesState())
        state, transitions = fold_series(series.state, points, versions)
        incident = self._open.get(series.incident_id) if series.incident_id else None
        for transition in transitions:
            if incident is None or incident.closed_at:
                incident = Incident(
                    store.incident_id(self._rule.code, key, "value", transition.event_time), key, "value",
                    transition.rule_version_id, transition.unit_code, transition.event_time, 0, 0,
                )  # fmt: skip
            incident.move(transition)
            changes.touch(incident)
            changes.transitions.append((incident, transition))
        open_id = incident.incident_id if incident and not incident.closed_at else None
        self._states[key] = Series(state, newest_unit, open_id)
