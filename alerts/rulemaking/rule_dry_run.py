"""What a draft would have done to the last 90 days of real signals, beside what the rule in force does to them.

The server finds the series that can fire at all (one that never reaches the lowest threshold cannot); only those are
read and folded, series by series, with the engine's own fold. Nothing is written here.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from alerts.judging.fold import Point, SeriesState, fold_series
from alerts.rulemaking import rule_store
from alerts.rulemaking.rule_document import as_rule

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

    from alerts.judging.fold import Transition
    from alerts.rulemaking.rule_document import RuleDocument
    from alerts.rulemaking.rulebook import Rule

WINDOW = timedelta(days=90)
_LISTED = 200


@dataclass(frozen=True)
class Episode:
    """From the first level taken to the last one left; ``closed_at`` None = still going on."""

    entity_id: str
    unit_code: str | None
    opened_at: datetime
    closed_at: datetime | None
    peak_level: int
    peak_value: float | None


@dataclass(frozen=True)
class Tally:
    """What one version would have done.

    Attributes:
        episodes: How often it would have fired.
        by_level: Episodes by the highest level they reached.
        by_unit: Episodes by unit; "" = no unit known.
        entities: Entities that would have fired.
        still_open: Episodes that had not ended.
        silences: Times that an entity was silent long enough for the first level of silence.
    """

    episodes: int = 0
    by_level: dict[int, int] = field(default_factory=dict)
    by_unit: dict[str, int] = field(default_factory=dict)
    entities: int = 0
    still_open: int = 0
    silences: int = 0

    @property
    def units(self) -> int:
        return len(self.by_unit)


@dataclass(frozen=True)
class DryRun:
    """A dry run as it is kept with its draft.

    Attributes:
        since: Beginning of the window in event time (period ends after it).
        until: Its end.
        rows: Signal rows in the window.
        series: Series in the window.
        draft: What the draft would have done.
        in_force: What the approved versions do; None when there is none.
        listed: The newest episodes of the draft, at most 200.
        seconds: How long it took.
    """

    since: datetime
    until: datetime
    rows: int
    series: int
    draft: Tally
    in_force: Tally | None
    listed: tuple[Episode, ...]
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; moments as ISO text."""
        listed = [
            asdict(e) | {"opened_at": e.opened_at.isoformat(), "closed_at": e.closed_at and e.closed_at.isoformat()}
            for e in self.listed
        ]
        tallies = {
            name: None if tally is None else asdict(tally) | {"units": tally.units}
            for name, tally in (("draft", self.draft), ("in_force", self.in_force))
        }
        window = {"since": self.since.isoformat(), "until": self.until.isoformat()}
        return asdict(replace(self, listed=())) | window | tallies | {"listed": listed}


def dry_run(connection: psycopg.Connection, version_id: int, at: datetime, *, window: timedelta = WINDOW) -> DryRun:
    """Fold the signals of the window with a draft, and with the versions in force.

    Args:
        connection: In a transaction.
        version_id: The draft.
        at: End of the window.
        window: Its length.
    """
    began = time.monotonic()
    document = rule_store.read_document(connection, version_id)
    draft = as_rule(document, rule_version_id=version_id, starts=at - window)
    in_force = _in_force(connection, document)
    rules = [draft] if in_force is None else [draft, in_force]
    about = {"signal": document.signal_code, "type": document.entity_type, "since": at - window, "until": at}
    overview = _overview(connection, about, rules)
    found: list[list[Episode]] = [[] for _ in rules]
    for (entity_type, entity_id), (_, can_fire) in overview.items():
        if can_fire:
            points = _points(connection, about, entity_type, entity_id)
            for rule, episodes in zip(rules, found, strict=True):
                episodes.extend(_episodes(rule, entity_id, points))
    silences = _silences(connection, about, rules)
    tallies = [_tally(episodes, count) for episodes, count in zip(found, silences, strict=True)]
    return DryRun(
        since=at - window,
        until=at,
        rows=sum(rows for rows, _ in overview.values()),
        series=len(overview),
        draft=tallies[0],
        in_force=tallies[1] if in_force else None,
        listed=tuple(sorted(found[0], key=lambda e: e.opened_at, reverse=True)[:_LISTED]),
        seconds=round(time.monotonic() - began, 2),
    )


def _in_force(connection: psycopg.Connection, document: RuleDocument) -> Rule | None:
    ranges = connection.execute(
        """
        select v.rule_version_id, lower(v.effective), upper(v.effective) from alert.rule_version v
        join alert.rule r using (rule_id) where r.code = %s and v.status = 'approved' order by lower(v.effective)
        """,
        (document.code,),
    ).fetchall()
    documents = rule_store.read_documents(connection, [row[0] for row in ranges])
    if not ranges:
        return None
    rules = [as_rule(documents[row[0]], rule_version_id=row[0], starts=row[1]) for row in ranges]
    for rule, (_, _, ends) in zip(rules, ranges, strict=True):
        rule.versions[0].ends = ends
    rules[0].versions = [rule.versions[0] for rule in rules]
    return rules[0]


_WINDOW = """
    s.signal_code = %(signal)s and (%(type)s::text is null or s.entity_type = %(type)s)
    and s.period_end > %(since)s and s.period_end <= %(until)s
"""


def _overview(
    connection: psycopg.Connection, about: dict[str, Any], rules: Sequence[Rule]
) -> dict[tuple[str, str], tuple[int, bool]]:
    """Rows of every series, and whether any value reaches the lowest threshold of any version."""
    enters: dict[str, list[float]] = {"up": [], "down": []}
    for version in (version for rule in rules for version in rule.versions):
        enters[version.direction] += [level.enter for levels in version.levels.values() for level in levels]
    about = about | {"low": min(enters["up"], default=None), "high": max(enters["down"], default=None)}
    rows = connection.execute(
        f"""
        select s.entity_type, s.entity_id, count(*),
            coalesce(bool_or(s.quality = 'ok' and (s.value >= %(low)s::float8 or s.value <= %(high)s::float8)), false)
        from alerting.signal s where {_WINDOW} group by 1, 2
        """,
        about,
    )
    return {(row[0], row[1]): (row[2], row[3]) for row in rows}


def _points(connection: psycopg.Connection, about: dict[str, Any], entity_type: str, entity_id: str) -> list[Point]:
    """The points of one series: memory holds one series at a time, however long the window."""
    cursor = connection.cursor(binary=True, row_factory=lambda _cursor: Point._make)
    return cursor.execute(
        f"""
        select s.period_end, s.value::float8, s.quality, s.revision, s.unit_code from alerting.signal s
        where {_WINDOW} and s.entity_type = %(of)s and s.entity_id = %(id)s order by s.period_end
        """,
        about | {"of": entity_type, "id": entity_id},
    ).fetchall()


def _episodes(rule: Rule, entity: str, points: list[Point]) -> list[Episode]:
    versions = rule.for_series(entity, points[-1].unit_code)
    if not versions:
        return []
    state, transitions = fold_series(SeriesState(), points, versions)
    episodes: list[Episode] = []
    opened: Transition | None = None
    peak = 0
    for t in transitions:
        opened = opened or t
        peak = max(peak, t.to_level)
        if t.to_level == 0:
            episodes.append(Episode(entity, opened.unit_code, opened.event_time, t.event_time, peak, t.peak_value))
            opened, peak = None, 0
    if opened:
        episodes.append(Episode(entity, opened.unit_code, opened.event_time, None, peak, state.peak_value))
    return episodes


def _tally(episodes: list[Episode], silences: int) -> Tally:
    return Tally(
        episodes=len(episodes),
        by_level=dict(sorted(Counter(e.peak_level for e in episodes).items())),
        by_unit=dict(Counter(e.unit_code or "" for e in episodes).most_common()),
        entities=len({e.entity_id for e in episodes}),
        still_open=sum(e.closed_at is None for e in episodes),
        silences=silences,
    )


def _silences(connection: psycopg.Connection, about: dict[str, Any], rules: Sequence[Rule]) -> list[int]:
    """For every rule, how often an entity was silent for as long as its newest version's first level of silence."""
    firsts = [next(iter(rule.versions[-1].nodata_after), None) for rule in rules]
    if not any(firsts):
        return [0 for _ in rules]
    counts = ", ".join(f"count(*) filter (where ended - heard >= %(after_{n})s)" for n in range(len(firsts)))
    row = connection.execute(
        f"""
        select {counts} from (
            select s.period_end as heard,
                coalesce(lead(s.period_end) over (partition by s.entity_type, s.entity_id order by s.period_end),
                    %(until)s) as ended
            from alerting.signal s where {_WINDOW} and s.quality <> 'insufficient') heard
        """,
        about | {f"after_{n}": first for n, first in enumerate(firsts)},
    ).fetchone()
    assert row is not None
    return list(row)
