"""Rules as pages show them: the list, one rule with its versions, and what people did with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row, dict_row

from alerts.incidents import ActRefusedError
from alerts.rulemaking import rule_store
from ioc import warehouse

if TYPE_CHECKING:
    import psycopg

    from alerts.rulemaking.rule_document import RuleDocument
    from ioc.settings import Settings


@dataclass(frozen=True)
class RuleSummary:
    """A rule in a list.

    Attributes:
        version: Number of the version in force; None = none is.
        since: From when on it is in force.
        draft: ``draft`` (being worked on), ``submitted`` (waits for approval) or None.
        open_count: Its open incidents.
        watches: ``signal``, or ``source``: a rule that the engine itself made for the source of a domain.
    """

    code: str
    domain: str
    title_vi: str
    title_en: str
    owner_unit: str
    owner_name: str | None
    is_enabled: bool
    version: int | None
    since: datetime | None
    draft: str | None
    open_count: int
    watches: str


@dataclass(frozen=True)
class VersionView:
    """A version with everything that led to its decision; ``is_current`` = in force at the clock."""

    rule_version_id: int
    version: int
    status: str
    starts: datetime
    ends: datetime | None
    is_current: bool
    is_backdated: bool
    author: str
    editors: list[str]
    created_at: datetime
    edited_at: datetime
    tests: str | None
    test_report: dict[str, Any] | None
    tests_passed_at: datetime | None
    dry_run: dict[str, Any] | None
    dry_run_at: datetime | None
    submitted_by: str | None
    submitted_at: datetime | None
    approved_by: str | None
    approved_at: datetime | None
    rejected_by: str | None
    rejected_at: datetime | None
    reject_reason: str | None
    document: RuleDocument

    def may_be_approved_by(self, user: str) -> bool:
        """Whether it waits for approval and ``user`` had no hand in it."""
        return self.status == "submitted" and user not in {self.author, self.submitted_by, *self.editors}


@dataclass(frozen=True)
class RuleDetail:
    """A rule, its versions (newest first) and what people did with it (newest first)."""

    rule: RuleSummary
    versions: list[VersionView]
    acts: list[dict[str, Any]]

    @property
    def draft(self) -> VersionView | None:
        """The version that is being worked on or waits for a decision."""
        return next((v for v in self.versions if v.status in ("draft", "submitted")), None)

    @property
    def current(self) -> VersionView | None:
        """The version in force."""
        return next((v for v in self.versions if v.is_current), None)


_SUMMARY = """
select r.code, r.domain, r.title_vi, r.title_en, r.owner_unit, r.is_enabled, r.watches, now.version, now.since,
    draft.draft,
    (select u.name_vi from ref.org_unit u where u.code = r.owner_unit order by u.valid desc limit 1) as owner_name,
    (select count(*) from alert.incident i where i.rule_id = r.rule_id and i.status = 'open')::int as open_count
from alert.rule r
left join lateral (
    select v.version, lower(v.effective) as since from alert.rule_version v
    where v.rule_id = r.rule_id and v.status = 'approved' and v.effective @> %(at)s::timestamptz
) now on true
left join lateral (
    select v.status as draft from alert.rule_version v
    where v.rule_id = r.rule_id and v.status in ('draft', 'submitted')
) draft on true
where %(code)s::text is null or r.code = %(code)s
order by r.domain, r.code
"""


def list_rules(settings: Settings | None = None, at: datetime | None = None) -> list[RuleSummary]:
    """Every rule, by domain and code."""
    with warehouse.connect("portal", settings) as connection:
        return _summaries(connection, None, at or datetime.now(UTC))


def _summaries(connection: psycopg.Connection, code: str | None, at: datetime) -> list[RuleSummary]:
    with connection.cursor(row_factory=class_row(RuleSummary)) as cursor:
        return cursor.execute(_SUMMARY, {"code": code, "at": at}).fetchall()


def rule(code: str, settings: Settings | None = None, at: datetime | None = None) -> RuleDetail:
    """One rule with its versions.

    Raises:
        ActRefusedError: no such rule.
    """
    at = at or datetime.now(UTC)
    with warehouse.connect("portal", settings) as connection:
        found = _summaries(connection, code, at)
        if not found:
            raise ActRefusedError("Không có quy tắc này.")
        with connection.cursor(row_factory=dict_row) as cursor:
            rows = cursor.execute(
                """
                select v.rule_version_id, v.version, v.status, lower(v.effective) as starts,
                    upper(v.effective) as ends, v.status = 'approved' and v.effective @> %s::timestamptz as is_current,
                    v.is_backdated, v.author, v.editors, v.created_at, v.edited_at, v.tests, v.test_report,
                    v.tests_passed_at, v.dry_run, v.dry_run_at, v.submitted_by, v.submitted_at, v.approved_by,
                    v.approved_at, v.rejected_by, v.rejected_at, v.reject_reason
                from alert.rule_version v join alert.rule r using (rule_id) where r.code = %s order by v.version desc
                """,
                (at, code),
            ).fetchall()
            acts = cursor.execute(
                "select occurred_at, actor, action, detail from audit.event "
                "where object_type = 'rule' and object_id = %s order by event_id desc limit 50",
                (code,),
            ).fetchall()
        documents = rule_store.read_documents(connection, [row["rule_version_id"] for row in rows])
    versions = [VersionView(**row, document=documents[row["rule_version_id"]]) for row in rows]
    return RuleDetail(found[0], versions, acts)
