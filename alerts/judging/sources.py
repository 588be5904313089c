"""Outages of a domain's whole source: one incident of kind ``source``, under which its silent series are grouped.

A source is alive when something of it passes the gate: its newest published live batch. Silent for too long, the
domain's source rule opens an incident, told once; while it is open an inhibition holds back the ``nodata`` incidents
of the domain, which stay open and visible. When the source is back, its series get a while to speak before their
silence is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from alerts.judging.fold import SeriesState
from alerts.judging.store import Series, SeriesKey
from ioc.domains import all_domains

if TYPE_CHECKING:
    import psycopg

    from alerts.judging.store import Changes
    from alerts.rulemaking.rulebook import Rule

ENTITY_TYPE = "domain"
_SHORTEST = timedelta(minutes=15)
# Level 2 when the source has been silent so many times as long as for level 1.
_SECOND_LEVEL = 4
# From the published batch to its signals lies a transformation.
_TIME_TO_SPEAK = timedelta(hours=1)
_FURTHEST = timedelta(days=366)
_AUTHOR, _APPROVER = "khoi-tao", "ban-giao"


@dataclass(frozen=True)
class Alive:
    """When something of a domain was last published."""

    domain: str
    published_at: datetime


def read_alive(connection: psycopg.Connection) -> list[Alive]:
    """The newest published live batch of every domain that has one."""
    rows = connection.execute(
        """
        select d.domain, newest.published_at from unnest(%s::text[]) as d(domain)
        cross join lateral (
            select b.published_at from ops.load_batch b
            where b.domain = d.domain and b.publish_seq is not null and b.mode = 'live'
            order by b.publish_seq desc limit 1
        ) newest
        where newest.published_at is not null
        """,
        ([domain.name for domain in all_domains()],),
    )
    return [Alive(*row) for row in rows]


def make_rules(connection: psycopg.Connection, rules: dict[int, Rule], alive: list[Alive]) -> int:
    """A source rule for each domain that has published something and is watched by other rules; how many were made.

    Its first level is the domain's ``stale_after_minutes``, or half the shortest silence that another of its rules
    tells, so that the outage is known before its consequences. From then on the tables are the truth.
    """
    made = 0
    have = {rule.domain for rule in rules.values() if rule.watches == "source"}
    silences = {
        name: [version.nodata_after[0] for rule in rules.values() if rule.domain == name
               for version in rule.versions[-1:] if version.nodata_after]
        for name in {rule.domain for rule in rules.values()}
    }  # fmt: skip
    for domain in all_domains():
        if domain.name in have or domain.name not in silences or domain.name not in {one.domain for one in alive}:
            continue
        first = max(_SHORTEST, timedelta(minutes=domain.stale_after_minutes))
        first = min([first, *(silence / 2 for silence in silences[domain.name])])
        made += connection.execute(
            """
            with rule as (
                insert into alert.rule (code, domain, signal_code, entity_type, owner_unit, title_vi, title_en, watches)
                values (%(domain)s || '.source', %(domain)s, %(domain)s || '.source', %(type)s, %(owner)s,
                    'Nguồn dữ liệu ' || %(title_vi)s, 'Source of ' || %(title_en)s, 'source')
                on conflict do nothing returning rule_id
            )
            insert into alert.rule_version (rule_id, version, status, effective, max_gap, nodata_after, notify_max_age,
                message_vi, message_en, legal_basis, reason, author, approved_by, approved_at)
            select rule_id, 1, 'approved', tstzrange('2020-01-01', null), %(first)s, %(after)s, %(first)s,
                'Nguồn dữ liệu {{ entity }} ngừng cung cấp', 'The source {{ entity }} delivers nothing',
                'Quy định nội bộ về chất lượng dữ liệu của trung tâm',
                'Không có lô dữ liệu nào được công bố trong thời gian mà lĩnh vực coi là mất nguồn',
                %(author)s, %(approver)s, clock_timestamp()
            from rule
            """,
            {
                "domain": domain.name, "type": ENTITY_TYPE, "owner": domain.owner, "title_vi": domain.title_vi,
                "title_en": domain.title_en.lower(), "first": first, "after": [first, first * _SECOND_LEVEL],
                "author": _AUTHOR, "approver": _APPROVER,
            },
        ).rowcount  # fmt: skip
    return made


def keys(rules: dict[int, Rule]) -> list[SeriesKey]:
    """The series of the source rules: one for each domain."""
    return [SeriesKey(rule.rule_id, ENTITY_TYPE, rule.domain) for rule in rules.values() if rule.watches == "source"]


def hear(rules: dict[int, Rule], alive: list[Alive], states: dict[SeriesKey, Series], changes: Changes) -> None:
    """Let the source rules know what was published: each source is a series, and silence is found as in any other."""
    published = {one.domain: one.published_at for one in alive}
    for key in keys(rules):
        heard_at = published.get(key.entity_id)
        if heard_at is None:
            continue
        known = states.get(key)
        if known is None or known.state.heard_at != heard_at:
            state = SeriesState(watermark=heard_at, heard_at=heard_at, last_ok_at=heard_at)
            states[key] = changes.states[key] = Series(state)


def inhibit(connection: psycopg.Connection, at: datetime) -> None:
    """One inhibition for each open source incident; the end of those whose incident has ended."""
    connection.execute(
        """
        insert into alert.suppression (kind, during, domain, incident_kind, max_level, reason, source_incident_id,
            created_by)
        select 'inhibit', tstzrange(%(at)s, %(at)s + %(furthest)s), r.domain, 'nodata', 4,
            'Nguồn dữ liệu của lĩnh vực ngừng cung cấp', i.incident_id, 'hệ thống'
        from alert.incident i join alert.rule r using (rule_id)
        where i.kind = 'source' and i.status = 'open' and not exists (
            select from alert.suppression s where s.source_incident_id = i.incident_id)
        """,
        {"at": at, "furthest": _FURTHEST},
    )
    connection.execute(
        """
        update alert.suppression s
        set during = tstzrange(lower(s.during), greatest(%(at)s, lower(s.during)) + %(speak)s)
        from alert.incident i
        where i.incident_id = s.source_incident_id and i.status = 'closed' and s.cancelled_at is null
            and upper(s.during) > greatest(%(at)s, lower(s.during)) + %(speak)s
        """,
        {"at": at, "speak": _TIME_TO_SPEAK},
    )
