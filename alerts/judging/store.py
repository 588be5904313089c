"""Reads signals and series states in one snapshot; writes what a run found in one go.

State is folded in memory and written once per run: updating it row by row per point bloats the table a hundredfold.
"""

from __future__ import annotations

import hashlib
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from psycopg import sql

from alerts.judging.fold import Point, SeriesState, Transition

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    import psycopg


class SeriesKey(NamedTuple):
    """One rule on one entity."""

    rule_id: int
    entity_type: str
    entity_id: str


@dataclass
class Incident:
    """A row of ``alert.incident`` as far as the engine changes it; ``raised_to`` at ``raised_at`` in this run."""

    incident_id: uuid.UUID
    key: SeriesKey
    kind: str
    rule_version_id: int
    unit_code: str | None
    opened_at: datetime
    level: int
    peak_level: int
    open_value: float | None = None
    peak_value: float | None = None
    closed_at: datetime | None = None
    close_reason: str | None = None
    raised_to: int | None = None
    raised_at: datetime | None = None
    is_new: bool = False

    def move(self, transition: Transition) -> None:
        """Follow a change of level; level 0 closes."""
        if transition.to_level > max(self.level, self.raised_to or 0):
            self.raised_to, self.raised_at = transition.to_level, transition.event_time
        self.level = transition.to_level
        self.peak_level = max(self.peak_level, transition.to_level)
        self.peak_value = transition.peak_value
        if transition.to_level == 0:
            self.closed_at, self.close_reason = transition.event_time, transition.reason


@dataclass
class Series:
    """A series state together with the facts the fold does not need."""

    state: SeriesState
    unit_code: str | None = None
    incident_id: uuid.UUID | None = None


@dataclass
class Changes:
    """What a run writes."""

    states: dict[SeriesKey, Series] = field(default_factory=dict)
    incidents: dict[uuid.UUID, Incident] = field(default_factory=dict)
    transitions: list[tuple[Incident, Transition]] = field(default_factory=list)

    def touch(self, incident: Incident) -> None:
        self.incidents[incident.incident_id] = incident


def incident_id(rule_code: str, key: SeriesKey, kind: str, opened_at: datetime) -> uuid.UUID:
    """The identity of an incident, the same however often its beginning is computed."""
    moment = opened_at.astimezone(UTC).isoformat(timespec="microseconds")
    text = f"{rule_code}|{key.entity_type}:{key.entity_id}|{kind}|{moment}"
    return uuid.UUID(hashlib.md5(text.encode(), usedforsecurity=False).hexdigest())


_STATES = """
select st.rule_id, st.entity_type, st.entity_id, st.unit_code, st.incident_id, st.level, st.up_since, st.down_since,
    st.watermark, st.watermark_revision, st.heard_at, st.last_ok_at, st.last_value::float8, st.peak_value::float8,
    st.data_state
from alert.series_state st
left join unnest(%(rules)s::bigint[], %(since)s::timestamptz[], %(until)s::timestamptz[])
    as clock (rule_id, since, until) using (rule_id)
where st.incident_id is not null or st.heard_at between clock.since and clock.until
    or (st.rule_id, st.entity_type, st.entity_id) in (
        select * from unnest(%(rule_ids)s::bigint[], %(types)s::text[], %(ids)s::text[]))
"""


def read_states(
    connection: psycopg.Connection,
    keys: Collection[SeriesKey],
    silences: Mapping[int, tuple[datetime, datetime]] = MappingProxyType({}),
) -> dict[SeriesKey, Series]:
    """The states of ``keys``, and those that the clock alone may change: most series have neither news nor silence.

    Args:
        connection: A connection of the role alerts.
        keys: Series with something new to fold, or to look at.
        silences: By rule, between which moments a series must have been heard last to be silent now and not history.
    """
    cursor = connection.cursor(binary=True)
    cursor.execute(
        _STATES,
        {
            "rules": list(silences), "since": [since for since, _ in silences.values()],
            "until": [until for _, until in silences.values()], "rule_ids": [key.rule_id for key in keys],
            "types": [key.entity_type for key in keys], "ids": [key.entity_id for key in keys],
        },
    )  # fmt: skip
    return {
        SeriesKey(*row[:3]): Series(SeriesState(row[5], tuple(row[6]), tuple(row[7]), *row[8:]), row[3], row[4])
        for row in cursor
    }


def count_states(connection: psycopg.Connection) -> tuple[int, int]:
    """How many series wait for a level to last long enough, and how many are at level 1 or higher."""
    row = connection.execute(
        """
        select count(*) filter (where level = 0 and array_remove(up_since, null) <> '{}'),
            count(*) filter (where level > 0)
        from alert.series_state
        """
    ).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


def read_open_incidents(connection: psycopg.Connection) -> dict[uuid.UUID, Incident]:
    """Every open incident, by id."""
    cursor = connection.execute(
        """
        select incident_id, rule_id, entity_type, entity_id, kind, rule_version_id, unit_code, opened_at, level,
            peak_level, open_value::float8, peak_value::float8
        from alert.incident where status = 'open'
        """
    )
    return {row[0]: Incident(row[0], SeriesKey(*row[1:4]), *row[4:]) for row in cursor}


# Finds the distinct series of the signals by walking the primary key (one probe per series, not one per row), then
# probes for the rows above each watermark. Being stateless, it cannot miss a row that was committed late, and a period
# that ends in the future waits until its time has come.
_DUE = """
with recursive wanted as (
    select rule_id, signal_code, entity_type from alert.rule where rule_id = any(%(rules)s)
),
entity as (
    select first.* from (select distinct signal_code from wanted) w cross join lateral (
        select s.signal_code, s.entity_type, s.entity_id from alerting.signal s
        where s.signal_code = w.signal_code order by s.entity_type, s.entity_id limit 1) first
    union all
    select following.* from entity e cross join lateral (
        select s.signal_code, s.entity_type, s.entity_id from alerting.signal s
        where s.signal_code = e.signal_code and (s.entity_type, s.entity_id) > (e.entity_type, e.entity_id)
        order by s.entity_type, s.entity_id limit 1) following
)
select w.rule_id, e.entity_type, e.entity_id, s.period_end, s.value::float8, s.quality, s.revision, s.unit_code
from entity e
join wanted w on w.signal_code = e.signal_code and (w.entity_type is null or w.entity_type = e.entity_type)
left join alert.series_state st
    on not %(from_scratch)s and (st.rule_id, st.entity_type, st.entity_id) = (w.rule_id, e.entity_type, e.entity_id)
cross join lateral (
    select s.unit_code, s.period_end, s.revision, s.value, s.quality from alerting.signal s
    where (s.signal_code, s.entity_type, s.entity_id) = (e.signal_code, e.entity_type, e.entity_id)
        and s.period_end >= coalesce(st.watermark, '-infinity') and s.period_end <= %(at)s
        and (s.period_end > coalesce(st.watermark, '-infinity') or s.revision > st.watermark_revision)
) s
"""


def read_due(
    connection: psycopg.Connection, rules: Sequence[int], at: datetime, *, from_scratch: bool = False
) -> dict[SeriesKey, list[Point]]:
    """The points that each series has not folded yet, up to ``at``, in no particular order.

    Args:
        connection: In a repeatable-read transaction.
        rules: Rule ids.
        at: Periods that end later are left for later.
        from_scratch: Ignore the watermarks (replay).
    """
    cursor = connection.cursor(binary=True)
    cursor.execute(_DUE, {"rules": list(rules), "at": at, "from_scratch": from_scratch})
    # Grouped here: sorting half a million rows in the server takes longer than folding them.
    found: defaultdict[tuple[Any, ...], list[Point]] = defaultdict(list)
    for row in cursor.fetchall():
        found[row[:3]].append(Point._make(row[3:]))
    return {SeriesKey._make(key): points for key, points in found.items()}


# A row is new when its writer was not visible to the previous run. The bound on change_id only saves reading: it is
# the newest id that a run saw whose transactions had all ended before the previous run looked.
_LATE = """
with previous as (
    select snapshot, pg_snapshot_xmin(snapshot) as xmin from alert.eval_run
    where mode = 'live' order by eval_run_id desc limit 1
),
floor as (
    select coalesce((
        select r.change_id from alert.eval_run r, previous p
        where r.mode = 'live' and pg_snapshot_xmax(r.snapshot) <= p.xmin order by r.eval_run_id desc limit 1
    ), 0) as change_id
),
-- First the cheap question, for a load of history puts hundreds of thousands of rows above the floor.
behind as materialized (
    select st.rule_id, s.entity_type, s.entity_id, s.period_end, s.revision, s.value, s.quality, st.watermark,
        st.incident_id, s.xmin as writer
    from alerting.signal s
    join alert.rule r on r.signal_code = s.signal_code and (r.entity_type is null or r.entity_type = s.entity_type)
    join alert.series_state st
        on (st.rule_id, st.entity_type, st.entity_id) = (r.rule_id, s.entity_type, s.entity_id)
    where s.change_id > (select change_id from floor) and s.period_end < st.watermark
)
insert into alert.late_observation (rule_id, entity_type, entity_id, period_end, revision, value, quality, watermark,
    recorded_at, is_judged)
select b.rule_id, b.entity_type, b.entity_id, b.period_end, b.revision, b.value, b.quality, b.watermark, %(at)s,
    i.incident_id is null or b.period_end < i.opened_at - %(warm_up)s
from behind b
left join alert.incident i on i.incident_id = b.incident_id and i.status = 'open'
where not pg_visible_in_snapshot(alert.row_xid(b.writer), (select snapshot from previous))
on conflict do nothing
"""


# A fold that begins so long before an incident knows everything that its durations rest on.
WARM_UP = timedelta(days=31)


def record_late(connection: psycopg.Connection, at: datetime) -> int:
    """Record rows that came behind the watermark of their series since the previous live run.

    Those that may contradict an open incident are left for ``restatement.judge``.
    """
    return connection.execute(_LATE, {"at": at, "warm_up": WARM_UP}).rowcount


def read_points(
    connection: psycopg.Connection, signal_code: str, entity: tuple[str, str], since: datetime, until: datetime
) -> list[Point]:
    """The points of one series as they stand now, from ``since`` to ``until``; ``entity`` = type and id."""
    rows = connection.execute(
        """
        select period_end, value::float8, quality, revision, unit_code from alerting.signal
        where (signal_code, entity_type, entity_id) = (%s, %s, %s) and period_end between %s and %s
        """,
        (signal_code, *entity, since, until),
    )
    return [Point._make(row) for row in rows]


def copy_rows(
    connection: psycopg.Connection, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """COPY ``rows`` into a fresh temporary table shaped like ``table``, named ``new_<table>``."""
    schema, name = table.split(".")
    target = sql.Identifier(f"new_{name}")
    fields = sql.SQL(", ").join(map(sql.Identifier, columns))
    connection.execute(sql.SQL("drop table if exists {}").format(sql.Identifier("pg_temp", f"new_{name}")))
    connection.execute(
        sql.SQL("create temporary table {} on commit drop as select {} from {} limit 0").format(
            target, fields, sql.Identifier(schema, name)
        )
    )
    with connection.cursor().copy(sql.SQL("copy {} ({}) from stdin").format(target, fields)) as copy:
        for row in rows:
            copy.write_row(row)


_STATE = (
    "rule_id", "entity_type", "entity_id", "unit_code", "level", "up_since", "down_since", "watermark",
    "watermark_revision", "heard_at", "last_ok_at", "last_value", "peak_value", "data_state",
    "incident_id",
)  # fmt: skip
_INCIDENT = (
    "incident_id", "rule_id", "rule_version_id", "entity_type", "entity_id", "kind", "unit_code", "status", "level",
    "peak_level", "opened_at", "closed_at", "close_reason", "open_value", "peak_value", "ack_level",
    "ack_void_at",
)  # fmt: skip
# The last two columns carry the highest level that the incident rose to in this run, and when.
_VOIDED = "i.ack_level < n.ack_level and i.ack_void_at is null"
_TRANSITION = (
    "incident_id", "rule_id", "rule_version_id", "entity_type", "entity_id", "kind", "event_time", "revision",
    "from_level", "to_level", "value", "reason",
)  # fmt: skip


def write(connection: psycopg.Connection, changes: Changes, run_id: int, at: datetime) -> None:
    """Write incidents, transitions and states: three statements, whatever their number."""
    if changes.incidents:
        copy_rows(connection, "alert.incident", _INCIDENT, map(_incident_row, changes.incidents.values()))
        # A rise voids an acknowledgement: who accepted level 2 has not accepted level 3.
        connection.execute(
            f"""
            insert into audit.event (occurred_at, actor, action, object_type, object_id, detail)
            select %s, 'hệ thống', 'incident.ack_voided', 'incident', i.incident_id::text, jsonb_build_object(
                'acknowledged_by', i.ack_by, 'accepted_level', i.ack_level, 'level', n.ack_level,
                'risen_at', n.ack_void_at)
            from alert.incident i join new_incident n using (incident_id) where {_VOIDED} for no key update of i
            """,
            (at,),
        )
        connection.execute(
            f"""
            update alert.incident i set status = n.status, level = n.level, peak_level = n.peak_level,
                closed_at = n.closed_at, close_reason = n.close_reason, peak_value = n.peak_value,
                closed_run = case when n.status = 'closed' then %s::bigint end,
                ack_void_at = case when {_VOIDED} then n.ack_void_at else i.ack_void_at end
            from new_incident n where n.incident_id = i.incident_id
            """,
            (run_id,),
        )
        fields = ", ".join(_INCIDENT[:-2])
        connection.execute(
            f"""
            insert into alert.incident ({fields}, opened_run, closed_run)
            select {fields}, %(run)s, case when status = 'closed' then %(run)s::bigint end from new_incident n
            where not exists (select 1 from alert.incident i where i.incident_id = n.incident_id)
            """,
            {"run": run_id},
        )
    if changes.transitions:
        rows = ((i.incident_id, *_transition_row(i.key, i.kind, t)) for i, t in changes.transitions)
        copy_rows(connection, "alert.transition", _TRANSITION, rows)
        fields = ", ".join(_TRANSITION)
        connection.execute(
            f"insert into alert.transition ({fields}, eval_run_id) select {fields}, %s from new_transition "
            "order by event_time",
            (run_id,),
        )
    if changes.states:
        copy_rows(connection, "alert.series_state", _STATE, (_state_row(k, s) for k, s in changes.states.items()))
        fields = ", ".join(_STATE)
        updates = ", ".join(f"{name} = excluded.{name}" for name in _STATE[3:])
        connection.execute(
            f"insert into alert.series_state ({fields}) select {fields} from new_series_state "
            f"on conflict (rule_id, entity_type, entity_id) do update set {updates}"
        )
    # Fresh tables without statistics turn the next run's plan into a crawl.
    if len(changes.states) > 1000:
        connection.execute("analyze alert.series_state, alert.incident")


def _incident_row(i: Incident) -> tuple[Any, ...]:
    status = "closed" if i.closed_at else "open"
    return (
        i.incident_id, i.key.rule_id, i.rule_version_id, i.key.entity_type, i.key.entity_id, i.kind, i.unit_code,
        status, i.level, i.peak_level, i.opened_at, i.closed_at, i.close_reason, i.open_value, i.peak_value,
        i.raised_to, i.raised_at,
    )  # fmt: skip


def _transition_row(key: SeriesKey, kind: str, t: Transition) -> tuple[Any, ...]:
    return (
        key.rule_id, t.rule_version_id, key.entity_type, key.entity_id, kind, t.event_time, t.revision, t.from_level,
        t.to_level, t.value, t.reason,
    )  # fmt: skip


def _state_row(key: SeriesKey, series: Series) -> tuple[Any, ...]:
    s = series.state
    return (
        *key, series.unit_code, s.level, list(s.up_since), list(s.down_since), s.watermark, s.watermark_revision,
        s.heard_at, s.last_ok_at, s.last_value, s.peak_value, s.data_state, series.incident_id,
    )  # fmt: skip


def write_shadow(connection: psycopg.Connection, run_id: int, found: Iterable[tuple[SeriesKey, Transition]]) -> None:
    """Write what a backfill or replay would have said; the reconciler never reads it."""
    rows = [(run_id, *_transition_row(key, "value", transition)) for key, transition in found]
    if rows:
        columns = ("eval_run_id", *_TRANSITION[1:])
        copy_rows(connection, "alert.shadow_transition", columns, rows)
        connection.execute(
            f"insert into alert.shadow_transition ({', '.join(columns)}) select * from new_shadow_transition"
        )
