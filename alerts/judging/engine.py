"""Evaluates every rule against ``alerting.signal``: folds what is new, watches for silence, reconciles what was told.

One run = one read in one snapshot, one fold in memory, one transaction for state, told levels and outbox together.
Runs exclude each other by an advisory lock; a killed run leaves nothing behind and the next one does its work.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, get_args

import psycopg
from psycopg.types.json import Jsonb

from alerts.judging import absence, restatement, sources, store
from alerts.judging.fold import Point, SeriesState, Transition, fold_series
from alerts.judging.store import Changes, Incident, Series, SeriesKey
from alerts.notifying import telling
from alerts.notifying.reconcile import ReconcileReport
from alerts.rulemaking import rulebook
from ioc import warehouse

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable

    from alerts.rulemaking.rulebook import Rule
    from ioc.settings import Settings

    Teller = Callable[[psycopg.Connection], ReconcileReport]

Mode = Literal["live", "backfill", "replay", "dry_run"]
# Clocks of two machines differ by less; a live run further ahead would find every series silent.
_AHEAD = timedelta(minutes=2)


class ClockError(ValueError):
    """The time that a run was given cannot be its clock."""

    exit_code = 64


@dataclass(frozen=True)
class EvaluationReport:
    """What a run found.

    Attributes:
        evaluated: Observations folded in this run.
        pending: Series that hold a level not yet long enough, after the run.
        firing: Series at level 1 or higher, after the run.
        resolved: Value incidents whose data said, in this run, that they are over.
        left: Incidents that ended in this run for another reason: their rule ended or was switched off, or nothing was
            heard of the series for ``retire_after``.
        nodata: Series silent for too long, after the run.
        sources: Sources silent for too long, after the run.
        notifications: Messages put into the outbox by this run.
        opened: Value incidents opened by this run.
        late: Rows found behind the watermark of their series, recorded and not folded.
        contradicted: Open incidents found to be contradicted by such rows.
        unreachable: Incidents that nobody could be told about, the fallback included; tried again at every run.
        mode: live, backfill, replay or dry_run.
    """

    evaluated: int = 0
    pending: int = 0
    firing: int = 0
    resolved: int = 0
    left: int = 0
    nodata: int = 0
    sources: int = 0
    notifications: int = 0
    opened: int = 0
    late: int = 0
    contradicted: int = 0
    unreachable: int = 0
    mode: str = "live"

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def evaluate(
    at: datetime | None = None,
    mode: Mode = "live",
    airflow_run_id: str | None = None,
    settings: Settings | None = None,
    *,
    tell: bool = True,
) -> EvaluationReport:
    """Evaluate everything that is due at ``at``.

    Args:
        at: The clock, with a time zone; default: now. Periods that end later are left for later.
        mode: ``live`` changes state and notifies. ``dry_run`` computes the same and writes nothing. ``backfill`` folds
            what is new, ``replay`` everything from the beginning: both write to ``alert.shadow_transition`` only.
        airflow_run_id: Kept with the run.
        settings: Settings of the stack; default: this process's.
        tell: Fill the outbox in the same transaction; else it is left to ``telling.drain`` (the DAG has a task for it).

    Raises:
        ClockError: ``at`` without a time zone, or in the future of a live run.
        ValueError: an unknown mode.
        WarehouseUnreachable: no warehouse.
    """
    if mode not in get_args(Mode):
        raise ValueError(f"mode '{mode}' is not one of {', '.join(get_args(Mode))}")
    if at is not None and at.tzinfo is None:
        raise ClockError(f"the time {at.isoformat()} has no time zone; write for example {at.isoformat()}+07:00")
    now = datetime.now(UTC)
    at = at or now
    if mode == "live" and at > now + _AHEAD:
        raise ClockError(
            f"the time {at.isoformat()} lies in the future: a live run would find every series silent; use --dry-run"
        )
    with warehouse.connect("alerts", settings, autocommit=True) as connection:
        connection.execute("set jit = off")
        # Held by the session, released with it: also by a kill.
        connection.execute("select pg_advisory_lock(hashtext('alerts:evaluate'))")
        found = _read(connection, at, mode)
        with connection.transaction(force_rollback=mode == "dry_run"):
            if mode in ("backfill", "replay"):
                return _write_aside(connection, found, at, airflow_run_id)
            return _write(connection, found, at, airflow_run_id, _teller(at, settings) if tell else _tell_nobody)


def _teller(at: datetime, settings: Settings | None) -> Teller:
    return lambda connection: telling.tell_in(connection, at, settings)


def _tell_nobody(_connection: psycopg.Connection) -> ReconcileReport:
    return ReconcileReport()


@dataclass
class _Found:
    """What one snapshot showed, folded."""

    mode: Mode
    rules: dict[int, Rule]
    snapshot: str
    change_id: int
    states: dict[SeriesKey, Series]
    open_incidents: dict[uuid.UUID, Incident]
    alive: list[sources.Alive]
    changes: Changes = field(default_factory=Changes)
    shadow: list[tuple[SeriesKey, Transition]] = field(default_factory=list)
    evaluated: int = 0


def _read(connection: psycopg.Connection, at: datetime, mode: Mode) -> _Found:
    # Rows, states and the snapshot that says which rows were there belong together. Writing comes after, read
    # committed: an acknowledgement made meanwhile must not turn the run away.
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    try:
        with connection.transaction():
            row = connection.execute(
                "select pg_current_snapshot()::text, coalesce((select max(change_id) from alerting.signal), 0)"
            ).fetchone()
            assert row is not None
            rules = rulebook.load(connection)
            incidents, alive = store.read_open_incidents(connection), sources.read_alive(connection)
            due = store.read_due(connection, list(rules), at, from_scratch=mode == "replay")
            keys = {*due, *(incident.key for incident in incidents.values()), *sources.keys(rules)}
            states = {} if mode == "replay" else store.read_states(connection, keys, absence.silences(rules, at))
            found = _Found(mode, rules, row[0], row[1], states, incidents, alive)
            for key, points in due.items():
                _fold(found, key, points)
    finally:
        connection.isolation_level = None
    return found


def _fold(found: _Found, key: SeriesKey, points: list[Point]) -> None:
    rule = found.rules[key.rule_id]
    newest_unit = max(points, key=lambda point: point.at).unit_code
    versions = rule.for_series(key.entity_id, newest_unit)
    if not versions:
        return
    series = found.states.get(key) or Series(SeriesState())
    state, transitions = fold_series(series.state, points, versions)
    found.evaluated += len(points)
    found.shadow.extend((key, transition) for transition in transitions)
    incident = found.open_incidents.get(series.incident_id) if series.incident_id else None
    for transition in transitions:
        incident = _apply(found, rule, key, incident, transition)
    if incident and not incident.closed_at and state.peak_value != incident.peak_value:
        incident.peak_value = state.peak_value
        found.changes.touch(incident)
    series = Series(state, newest_unit, incident.incident_id if incident and not incident.closed_at else None)
    found.states[key] = found.changes.states[key] = series


def _apply(found: _Found, rule: Rule, key: SeriesKey, incident: Incident | None, t: Transition) -> Incident:
    if incident is None or incident.closed_at:
        incident = Incident(
            incident_id=store.incident_id(rule.code, key, "value", t.event_time),
            key=key,
            kind="value",
            rule_version_id=t.rule_version_id,
            unit_code=t.unit_code,
            opened_at=t.event_time,
            level=0,
            peak_level=0,
            open_value=t.value,
            is_new=True,
        )
    incident.move(t)
    found.changes.touch(incident)
    found.changes.transitions.append((incident, t))
    return incident


def _write(
    connection: psycopg.Connection, found: _Found, at: datetime, airflow_run_id: str | None, teller: Teller
) -> EvaluationReport:
    changes = found.changes
    sources.hear(found.rules, found.alive, found.states, changes)
    absence.end_without_rule(found.rules, found.states, found.open_incidents, at, changes)
    silent = absence.check(found.rules, found.states, found.open_incidents, at, changes)
    late = store.record_late(connection, at)
    run_id = _record(connection, found, at, airflow_run_id)
    store.write(connection, changes, run_id, at)
    sources.make_rules(connection, found.rules, found.alive)
    sources.inhibit(connection, at)
    contradicted = restatement.judge(connection, found.rules, at)
    told = teller(connection)
    pending, firing = store.count_states(connection)
    touched = [incident for incident in changes.incidents.values() if incident.kind == "value"]
    report = EvaluationReport(
        evaluated=found.evaluated,
        pending=pending,
        firing=firing,
        resolved=sum(incident.close_reason == "resolved" for incident in touched),
        left=sum(incident.close_reason in absence.LEFT for incident in changes.incidents.values()),
        nodata=silent.series,
        sources=silent.sources,
        notifications=told.notifications,
        opened=sum(incident.is_new for incident in touched),
        late=late,
        contradicted=contradicted,
        unreachable=told.unreachable,
        mode=found.mode,
    )
    _close_record(connection, run_id, report)
    return report


def _write_aside(
    connection: psycopg.Connection, found: _Found, at: datetime, airflow_run_id: str | None
) -> EvaluationReport:
    run_id = _record(connection, found, at, airflow_run_id)
    store.write_shadow(connection, run_id, found.shadow)
    report = EvaluationReport(evaluated=found.evaluated, mode=found.mode)
    _close_record(connection, run_id, report)
    return report


def _record(connection: psycopg.Connection, found: _Found, at: datetime, airflow_run_id: str | None) -> int:
    row = connection.execute(
        "insert into alert.eval_run (mode, evaluated_at, airflow_run_id, snapshot, change_id) "
        "values (%s, %s, %s, %s::pg_snapshot, %s) returning eval_run_id",
        (found.mode, at, airflow_run_id, found.snapshot, found.change_id),
    ).fetchone()
    assert row is not None
    return int(row[0])


def _close_record(connection: psycopg.Connection, run_id: int, report: EvaluationReport) -> None:
    connection.execute(
        "update alert.eval_run set report = %s where eval_run_id = %s", (Jsonb(report.as_dict()), run_id)
    )
