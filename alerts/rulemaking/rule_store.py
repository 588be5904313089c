"""SQL of rule documents: read a version as a document, write one, and what rules may refer to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, LiteralString

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from alerts.rulemaking.rule_checks import Known
from alerts.rulemaking.rule_document import HEAD_FIELDS, RuleDocument, Threshold

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import psycopg

    from alerts.rulemaking.rule_tests import Report

RULE_FIELDS = ("code", "domain", "signal_code", "entity_type", *HEAD_FIELDS)
VERSION_FIELDS = (
    "direction", "max_gap", "nodata_after", "retire_after", "notify_max_age", "calendar_code", "message_vi",
    "message_en", "legal_basis", "reason",
)  # fmt: skip
_THRESHOLD = (
    "scope_kind", "scope_value", "level", "enter_value", "exit_value", "enter_strict", "for_dur", "keep_dur",
    "label_vi", "label_en",
)  # fmt: skip


def read_documents(connection: psycopg.Connection, version_ids: Sequence[int]) -> dict[int, RuleDocument]:
    """The versions as documents, by id: the newest approved one with the rule as it stands in the tables, every other
    with the rule as it was, or would be, under that version."""
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(
            f"""
            select v.rule_version_id, lower(v.effective) as effective_from,
                case when v.status <> 'approved' or exists (
                    select from alert.rule_version later where later.rule_id = v.rule_id
                        and later.status = 'approved' and later.effective >> v.effective) then v.head end as head,
                {", ".join("r." + name for name in RULE_FIELDS)}, {", ".join("v." + name for name in VERSION_FIELDS)}
            from alert.rule r join alert.rule_version v using (rule_id) where v.rule_version_id = any(%s)
            """,
            (list(version_ids),),
        )
        rows = cursor.fetchall()
        cursor.execute(
            f"select rule_version_id, {', '.join(_THRESHOLD)} from alert.threshold where rule_version_id = any(%s)",
            (list(version_ids),),
        )
        thresholds: dict[int, list[Threshold]] = {}
        for row in cursor:
            thresholds.setdefault(row.pop("rule_version_id"), []).append(Threshold(**row))
    found = {}
    for row in rows:
        version_id, head = row.pop("rule_version_id"), row.pop("head") or {}
        row["nodata_after"] = tuple(row["nodata_after"])
        found[version_id] = RuleDocument(**(row | head), thresholds=tuple(thresholds.get(version_id, ())))
    return found


def read_document(connection: psycopg.Connection, version_id: int) -> RuleDocument:
    """One version as a document."""
    return read_documents(connection, [version_id])[version_id]


def newest_approved(connection: psycopg.Connection, domain: str | None = None) -> dict[str, RuleDocument]:
    """The newest approved version of every rule on signals (of a domain), by code."""
    rows = connection.execute(
        """
        select distinct on (r.rule_id) v.rule_version_id from alert.rule r join alert.rule_version v using (rule_id)
        where v.status = 'approved' and r.watches = 'signal' and (%s::text is null or r.domain = %s)
        order by r.rule_id, lower(v.effective) desc
        """,
        (domain, domain),
    ).fetchall()
    return {d.code: d for d in read_documents(connection, [row[0] for row in rows]).values()}


def ensure_rule(connection: psycopg.Connection, document: RuleDocument) -> int:
    """The id of the rule of this code, made when there is none."""
    connection.execute(
        f"insert into alert.rule ({', '.join(RULE_FIELDS)}) values ({', '.join(['%s'] * len(RULE_FIELDS))}) "
        "on conflict do nothing",
        [getattr(document, name) for name in RULE_FIELDS],
    )
    row = connection.execute("select rule_id from alert.rule where code = %s", (document.code,)).fetchone()
    assert row is not None
    return int(row[0])


def add_draft(
    connection: psycopg.Connection,
    rule_id: int,
    document: RuleDocument,
    *,
    author: str,
    at: datetime,
    tests: str | None,
    is_backdated: bool = False,
) -> int:
    """A new draft version of a rule; its id."""
    row = connection.execute(
        """
        insert into alert.rule_version (rule_id, version, effective, author, editors, max_gap, notify_max_age,
            message_vi, message_en, legal_basis, reason, edited_at, created_at)
        select %(rule)s, coalesce(max(version), 0) + 1, tstzrange(%(starts)s, null), %(author)s, '{}', '1 s', '1 s', '',
            '', '', '', %(at)s, %(at)s
        from alert.rule_version where rule_id = %(rule)s returning rule_version_id
        """,
        {"rule": rule_id, "starts": document.effective_from, "author": author, "at": at},
    ).fetchone()
    assert row is not None
    write_draft(connection, row[0], document, author=author, at=at, tests=tests, is_backdated=is_backdated)
    return int(row[0])


def write_draft(
    connection: psycopg.Connection,
    version_id: int,
    document: RuleDocument,
    *,
    author: str,
    at: datetime,
    tests: str | None,
    is_backdated: bool = False,
) -> None:
    """Make a draft say what ``document`` says. What was tested and dry-run before no longer counts."""
    values: dict[str, Any] = {name: getattr(document, name) for name in VERSION_FIELDS}
    values["nodata_after"] = list(document.nodata_after)
    values |= {
        "author": author, "edited_at": at, "tests": tests, "is_backdated": is_backdated, "head": Jsonb(document.head),
        "test_report": None, "tests_passed_at": None, "dry_run": None, "dry_run_at": None,
    }  # fmt: skip
    connection.execute(
        f"""
        update alert.rule_version set {", ".join(f"{name} = %({name})s" for name in values)},
            effective = tstzrange(%(starts)s, null),
            editors = array(select distinct unnest(editors || %(author)s::text))
        where rule_version_id = %(id)s
        """,
        values | {"starts": document.effective_from, "id": version_id},
    )
    # A rule that never was in force is called what its draft calls it.
    connection.execute(
        f"update alert.rule r set {', '.join(f'{name} = %({name})s' for name in HEAD_FIELDS)} where code = %(code)s "
        "and not exists (select from alert.rule_version v where v.rule_id = r.rule_id and v.status = 'approved')",
        document.head | {"code": document.code},
    )
    connection.execute("delete from alert.threshold where rule_version_id = %s", (version_id,))
    with connection.cursor() as cursor:
        cursor.executemany(
            f"insert into alert.threshold (rule_version_id, {', '.join(_THRESHOLD)}) "
            f"values ({', '.join(['%s'] * (len(_THRESHOLD) + 1))})",
            [(version_id, *(getattr(t, name) for name in _THRESHOLD)) for t in document.thresholds],
        )


def keep_tests(connection: psycopg.Connection, version_id: int, report: Report, at: datetime) -> None:
    """Keep what the tests of a draft said."""
    connection.execute(
        "update alert.rule_version set test_report = %s, tests_passed_at = %s where rule_version_id = %s",
        (Jsonb(report.as_dict()), at if report.is_passed else None, version_id),
    )


def put_in_force(
    connection: psycopg.Connection,
    version_id: int,
    document: RuleDocument,
    *,
    approver: str,
    at: datetime,
    starts: datetime,
) -> None:
    """Approve a version from ``starts`` on in event time; the one that was open until then ends there.

    Raises:
        psycopg.errors.ExclusionViolation, psycopg.errors.CheckViolation: another version is in force from there on, or
            the approver had a hand in it.
    """
    connection.execute(
        """
        update alert.rule_version v set effective = tstzrange(lower(v.effective), %(starts)s)
        from alert.rule_version mine
        where mine.rule_version_id = %(id)s and v.rule_id = mine.rule_id and v.status = 'approved'
            and v.effective @> %(starts)s::timestamptz and lower(v.effective) < %(starts)s
        """,
        {"starts": starts, "id": version_id},
    )
    connection.execute(
        "update alert.rule_version set status = 'approved', approved_by = %s, approved_at = %s, "
        "effective = tstzrange(%s, null) where rule_version_id = %s",
        (approver, at, starts, version_id),
    )
    connection.execute(
        f"update alert.rule set {', '.join(f'{name} = %({name})s' for name in HEAD_FIELDS)} where code = %(code)s",
        document.head | {"code": document.code},
    )


_ENTITIES = """
with recursive seen as (
    (select s.entity_type, s.entity_id from alerting.signal s where s.signal_code = %(signal)s
    order by s.entity_type, s.entity_id limit 1)
    union all
    select following.* from seen cross join lateral (
        select s.entity_type, s.entity_id from alerting.signal s
        where s.signal_code = %(signal)s and (s.entity_type, s.entity_id) > (seen.entity_type, seen.entity_id)
        order by s.entity_type, s.entity_id limit 1) following
)
select entity_id from seen where %(type)s::text is null or entity_type = %(type)s
"""


def known(connection: psycopg.Connection, document: RuleDocument) -> Known:
    """What the rule may refer to: units, calendars, approved procedures, entities seen for its signal."""
    about = {"signal": document.signal_code, "type": document.entity_type}

    def column(query: LiteralString) -> frozenset[str]:
        return frozenset(row[0] for row in connection.execute(query, about))

    return Known(
        units=column("select code from ref.org_unit"),
        calendars=column("select calendar_code from ref.calendar"),
        procedures=column("select code from sop.template where status = 'approved'"),
        entities=column(_ENTITIES),
    )
