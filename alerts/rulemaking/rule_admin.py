"""What people do with rules: draft, test, dry-run, submit, approve, reject, switch off and on. Called by the portal.

A version is made by one person and put in force by another; in between it is tested and dry-run, and after that it can
no longer be edited. Every act leaves an event in the audit chain, in the same transaction. Who may do what by role is
the caller's to decide; that two different people are involved is decided here and by the database.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psycopg
from psycopg.types.json import Jsonb

from alerts import audit
from alerts.incidents import ActRefusedError
from alerts.rulemaking import rule_checks, rule_dry_run, rule_files, rule_store, rule_tests
from ioc import warehouse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alerts.rulemaking.rule_document import RuleDocument
    from ioc.settings import Settings


class RuleRefusedError(ActRefusedError):
    """The rule itself is wrong; ``problems`` holds one Vietnamese sentence per fault."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems


# ---------------------------------------------------------------------------------------------------------------------
# Drafts
# ---------------------------------------------------------------------------------------------------------------------


def create_draft(
    code: str,
    user: str,
    *,
    copy_of: int | None = None,
    settings: Settings | None = None,
    at: datetime | None = None,
) -> int:
    """A draft that begins as a copy of another version, with a reason still to be given.

    Args:
        code: The rule.
        user: Who begins it.
        copy_of: Number of the version to begin from, for example one to go back to, or one that was rejected; default:
            the newest approved one.
        settings: Settings of the stack; default: this process's.
        at: The clock; default: now.

    Returns:
        The id of the new version.

    Raises:
        ActRefusedError: no such rule or version, or somebody's draft of it is open.
    """
    at = at or datetime.now(UTC)
    try:
        with warehouse.connect("portal", settings) as connection:
            row = connection.execute(
                """
                select r.rule_id, v.rule_version_id, v.tests from alert.rule r join alert.rule_version v using (rule_id)
                where r.code = %s and (%s::int is null or v.version = %s)
                order by v.status = 'approved' desc, lower(v.effective) desc limit 1
                """,
                (code, copy_of, copy_of),
            ).fetchone()
            if row is None:
                raise ActRefusedError("Không có quy tắc hoặc phiên bản này.")
            document = rule_store.read_document(connection, row[1])
            document = replace(document, effective_from=at, reason="")
            tests = row[2] or rule_files.tests_of(code)
            version_id = rule_store.add_draft(connection, row[0], document, author=user, at=at, tests=tests)
            detail = {"version_id": version_id, "copy_of": copy_of}
            audit.record(connection, at, user, "rule.draft_created", about=("rule", code), detail=detail)
    except psycopg.errors.UniqueViolation:
        raise ActRefusedError(
            "Quy tắc này đã có một bản nháp đang mở; hãy hoàn tất hoặc bỏ bản nháp đó trước."
        ) from None
    return version_id


def save_draft(
    version_id: int,
    document: RuleDocument,
    tests: str,
    user: str,
    *,
    is_backdated: bool = False,
    settings: Settings | None = None,
    at: datetime | None = None,
) -> None:
    """Replace what a draft says. Its tests and dry run have to be run again afterwards.

    Args:
        version_id: The draft.
        document: The rule as it shall be; code, domain, signal and entity type stay as they are.
        tests: Its tests, YAML.
        user: Who edits it.
        is_backdated: Let it take effect from ``document.effective_from`` even when that is past at its approval;
            otherwise it never reaches back before the approval.
        settings: Settings of the stack; default: this process's.
        at: The clock; default: now.

    Raises:
        RuleRefusedError: the rule or its tests are wrong; nothing is saved.
        ActRefusedError: no such draft.
    """
    at = at or datetime.now(UTC)
    with _locked(version_id, "draft", settings) as (connection, before):
        document = replace(
            document, code=before.code, domain=before.domain, signal_code=before.signal_code,
            entity_type=before.entity_type,
        )  # fmt: skip
        refuse_problems(connection, document)
        if tests.strip():
            tested(document, tests)
        rule_store.write_draft(
            connection, version_id, document, author=user, at=at, tests=tests.strip() and tests,
            is_backdated=is_backdated,
        )  # fmt: skip
        changes = [list(change) for change in before.differences(document)]
        detail = {"version_id": version_id, "changes": changes}
        audit.record(connection, at, user, "rule.draft_saved", about=("rule", document.code), detail=detail)


def discard_draft(version_id: int, user: str, *, settings: Settings | None = None, at: datetime | None = None) -> None:
    """Throw a draft away; a rule that never had another version goes with it.

    Raises:
        ActRefusedError: no such draft.
    """
    with _locked(version_id, "draft", settings) as (connection, document):
        connection.execute("delete from alert.threshold where rule_version_id = %s", (version_id,))
        connection.execute("delete from alert.rule_version where rule_version_id = %s", (version_id,))
        connection.execute("select alert.forget_rule(%s)", (document.code,))
        audit.record(
            connection, at or datetime.now(UTC), user, "rule.draft_discarded", about=("rule", document.code),
            detail={"version_id": version_id},
        )  # fmt: skip


def run_tests(
    version_id: int, user: str, *, settings: Settings | None = None, at: datetime | None = None
) -> rule_tests.Report:
    """Run the tests of a draft and keep what they say.

    Raises:
        RuleRefusedError: there are none, or they cannot be understood.
        ActRefusedError: no such draft.
    """
    at = at or datetime.now(UTC)
    with _locked(version_id, "draft", settings) as (connection, document):
        report = tested(document, _tests_of(connection, version_id))
        rule_store.keep_tests(connection, version_id, report, at)
        detail = {"version_id": version_id, "tests": len(report.tests), "failures": len(report.failures)}
        audit.record(connection, at, user, "rule.tests_run", about=("rule", document.code), detail=detail)
    return report


def dry_run(
    version_id: int, user: str, *, settings: Settings | None = None, at: datetime | None = None
) -> rule_dry_run.DryRun:
    """Play the last 90 days of signals through a draft and keep what would have happened; no state changes.

    Raises:
        ActRefusedError: no such draft.
    """
    at = at or datetime.now(UTC)
    with _locked(version_id, "draft", settings) as (connection, document):
        found = rule_dry_run.dry_run(connection, version_id, at)
        connection.execute(
            "update alert.rule_version set dry_run = %s, dry_run_at = %s where rule_version_id = %s",
            (Jsonb(found.as_dict()), at, version_id),
        )
        detail = {"version_id": version_id, "episodes": found.draft.episodes, "units": found.draft.units}
        audit.record(connection, at, user, "rule.dry_run", about=("rule", document.code), detail=detail)
    return found


def submit(version_id: int, user: str, *, settings: Settings | None = None, at: datetime | None = None) -> None:
    """Hand a draft to whoever approves; from here on nobody edits it.

    Raises:
        RuleRefusedError: the rule is wrong, its tests do not pass, or it lacks a dry run since the last edit.
        ActRefusedError: no such draft.
    """
    at = at or datetime.now(UTC)
    with _locked(version_id, "draft", settings) as (connection, document):
        refuse_problems(connection, document)
        _refuse_unproven(connection, version_id)
        connection.execute(
            "update alert.rule_version set status = 'submitted', submitted_by = %s, submitted_at = %s "
            "where rule_version_id = %s",
            (user, at, version_id),
        )
        audit.record(
            connection, at, user, "rule.submitted", about=("rule", document.code), detail={"version_id": version_id}
        )


# ---------------------------------------------------------------------------------------------------------------------
# Decisions
# ---------------------------------------------------------------------------------------------------------------------


def approve(version_id: int, user: str, *, settings: Settings | None = None, at: datetime | None = None) -> datetime:
    """Put a submitted version in force; the one in force until then ends where it begins.

    Returns:
        From when on, in event time: the date asked for, but not before now unless the version says it reaches back.

    Raises:
        RuleRefusedError: its tests no longer pass.
        ActRefusedError: nothing submitted under this id, ``user`` had a hand in it, or a version of the rule is in
            force from a later date.
    """
    at = at or datetime.now(UTC)
    with _locked(version_id, "submitted", settings) as (connection, document):
        row = connection.execute(
            "select author, submitted_by, editors, is_backdated, tests from alert.rule_version "
            "where rule_version_id = %s",
            (version_id,),
        ).fetchone()
        assert row is not None
        author, submitted_by, editors, is_backdated, tests = row
        if user in {author, submitted_by, *editors}:
            raise ActRefusedError("Người soạn không tự phê duyệt: cần một người khác phê duyệt phiên bản này.")
        refuse_problems(connection, document)
        if not tested(document, tests or "").is_passed:
            raise RuleRefusedError(["Bài thử không còn đạt; hãy trả lại bản này cho người soạn."])
        starts = document.effective_from if is_backdated else max(document.effective_from, at)
        newest = connection.execute(
            "select max(lower(effective)) from alert.rule_version join alert.rule using (rule_id) "
            "where code = %s and status = 'approved'",
            (document.code,),
        ).fetchone()
        if newest and newest[0] and newest[0] >= starts:
            raise ActRefusedError(
                "Đã có phiên bản khác hiệu lực từ ngày muộn hơn: hai phiên bản không được chồng nhau."
            )
        rule_store.put_in_force(connection, version_id, document, approver=user, at=at, starts=starts)
        detail = {"version_id": version_id, "effective_from": starts.isoformat(), "reason": document.reason}
        audit.record(connection, at, user, "rule.approved", about=("rule", document.code), detail=detail)
    return starts


def reject(
    version_id: int, user: str, reason: str, *, settings: Settings | None = None, at: datetime | None = None
) -> None:
    """Turn a submitted version down.

    Raises:
        ActRefusedError: nothing submitted under this id, or no reason given.
    """
    at = at or datetime.now(UTC)
    if not reason.strip():
        raise ActRefusedError("Cần nêu lý do từ chối.")
    with _locked(version_id, "submitted", settings) as (connection, document):
        connection.execute(
            "update alert.rule_version set status = 'rejected', rejected_by = %s, rejected_at = %s, reject_reason = %s "
            "where rule_version_id = %s",
            (user, at, reason.strip(), version_id),
        )
        detail = {"version_id": version_id, "reason": reason.strip()}
        audit.record(connection, at, user, "rule.rejected", about=("rule", document.code), detail=detail)


def set_enabled(
    code: str, is_enabled: bool, user: str, reason: str, *, settings: Settings | None = None, at: datetime | None = None
) -> None:
    """Switch a rule off or on. The engine closes the open incidents of a rule that is off.

    Raises:
        ActRefusedError: no such rule, no reason, or it is as asked already.
    """
    at = at or datetime.now(UTC)
    if not reason.strip():
        raise ActRefusedError("Cần nêu lý do bật hoặc tắt quy tắc.")
    with warehouse.connect("portal", settings) as connection:
        is_done = connection.execute(
            "update alert.rule set is_enabled = %s where code = %s and is_enabled <> %s", (is_enabled, code, is_enabled)
        ).rowcount
        if not is_done:
            raise ActRefusedError("Quy tắc không có, hoặc đã ở trạng thái đó.")
        action = "rule.enabled" if is_enabled else "rule.disabled"
        audit.record(connection, at, user, action, about=("rule", code), detail={"reason": reason.strip()})


# ---------------------------------------------------------------------------------------------------------------------


@contextmanager
def _locked(
    version_id: int, status: str, settings: Settings | None
) -> Iterator[tuple[psycopg.Connection, RuleDocument]]:
    """A version of this status, held against others until the end of the transaction."""
    with warehouse.connect("portal", settings) as connection:
        row = connection.execute(
            "select status from alert.rule_version where rule_version_id = %s for update", (version_id,)
        ).fetchone()
        if row is None or row[0] != status:
            raise ActRefusedError(
                "Bản nháp không còn ở trạng thái soạn thảo."
                if status == "draft"
                else "Phiên bản này không còn chờ phê duyệt."
            )
        yield connection, rule_store.read_document(connection, version_id)


def refuse_problems(connection: psycopg.Connection, document: RuleDocument) -> None:
    """Refuse a document with faults.

    Raises:
        RuleRefusedError: it has some; all of them are named.
    """
    found = rule_checks.problems(document, rule_store.known(connection, document))
    if found:
        raise RuleRefusedError(found)


def _tests_of(connection: psycopg.Connection, version_id: int) -> str:
    row = connection.execute(
        "select tests from alert.rule_version where rule_version_id = %s", (version_id,)
    ).fetchone()
    return (row and row[0]) or ""


def tested(document: RuleDocument, tests: str) -> rule_tests.Report:
    """What the tests say of a document.

    Raises:
        RuleRefusedError: there are none, or they cannot be understood.
    """
    if not tests.strip():
        raise RuleRefusedError(["Chưa có bài thử nào cho quy tắc này."])
    try:
        return rule_tests.run(document, tests)
    except rule_tests.RuleTestError as error:
        raise RuleRefusedError([str(error)]) from error


def _refuse_unproven(connection: psycopg.Connection, version_id: int) -> None:
    row = connection.execute(
        "select coalesce(tests_passed_at >= edited_at, false), coalesce(dry_run_at >= edited_at, false) "
        "from alert.rule_version where rule_version_id = %s",
        (version_id,),
    ).fetchone()
    assert row is not None
    missing = []
    if not row[0]:
        missing.append("Bài thử chưa chạy hoặc chưa đạt kể từ lần sửa cuối.")
    if not row[1]:
        missing.append("Chưa chạy thử trên số liệu 90 ngày kể từ lần sửa cuối.")
    if missing:
        raise RuleRefusedError(missing)
