"""A wholly new rule: checked without keeping anything, then kept as the first draft. Called by the portal.

Nothing watches a new rule before its first version was tested, dry-run, submitted and approved by somebody else; from
the draft on it is like any other (:mod:`alerts.rulemaking.rule_admin`).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psycopg

from alerts import audit
from alerts.rulemaking import rule_store
from alerts.rulemaking.rule_admin import RuleRefusedError, refuse_problems, tested
from ioc import warehouse
from ioc.domains import all_domains

if TYPE_CHECKING:
    from alerts.rulemaking import rule_tests
    from alerts.rulemaking.rule_document import RuleDocument
    from ioc.settings import Settings


def check(
    document: RuleDocument, tests: str, *, is_new: bool, settings: Settings | None = None
) -> rule_tests.Report | None:
    """Look at a rule without keeping anything: its faults, and what its tests say (None = it has none yet).

    Raises:
        RuleRefusedError: the rule or its tests are wrong.
    """
    with warehouse.connect("portal", settings) as connection:
        if is_new:
            _refuse_unfit_for_new(connection, document)
        refuse_problems(connection, document)
    return tested(document, tests) if tests.strip() else None


def create_rule(
    document: RuleDocument,
    tests: str,
    user: str,
    *,
    is_backdated: bool = False,
    settings: Settings | None = None,
    at: datetime | None = None,
) -> int:
    """A wholly new rule, as a draft: nothing watches it before somebody else has approved it.

    Args:
        document: The rule.
        tests: Its tests, YAML; may still be empty.
        user: Who begins it.
        is_backdated: As in :func:`save_draft`.
        settings: Settings of the stack; default: this process's.
        at: The clock; default: now.

    Returns:
        The id of its first version.

    Raises:
        RuleRefusedError: the rule or its tests are wrong, its code is taken, or nothing is known of its signal.
    """
    at = at or datetime.now(UTC)
    try:
        with warehouse.connect("portal", settings) as connection:
            _refuse_unfit_for_new(connection, document)
            refuse_problems(connection, document)
            if tests.strip():
                tested(document, tests)
            rule_id = rule_store.ensure_rule(connection, document)
            kept = tests.strip() and tests
            version_id = rule_store.add_draft(
                connection, rule_id, document, author=user, at=at, tests=kept, is_backdated=is_backdated
            )
            detail = {"version_id": version_id, "signal": document.signal_code}
            audit.record(connection, at, user, "rule.created", about=("rule", document.code), detail=detail)
    except psycopg.errors.UniqueViolation:
        raise RuleRefusedError([f"Đã có quy tắc “{document.code}”."]) from None
    return version_id


def _refuse_unfit_for_new(connection: psycopg.Connection, document: RuleDocument) -> None:
    found = []
    if document.domain not in {domain.name for domain in all_domains()}:
        found.append(f"Không có lĩnh vực “{document.domain}”.")
    elif not document.code.startswith(f"{document.domain}.") or len(document.code) > 80:
        found.append(f"Mã quy tắc phải bắt đầu bằng “{document.domain}.” và không dài quá 80 ký tự.")
    if connection.execute("select 1 from alert.rule where code = %s", (document.code,)).fetchone():
        found.append(f"Đã có quy tắc “{document.code}”.")
    if document.watches == "source":
        found.append("Quy tắc về nguồn dữ liệu do hệ thống tự lập, không soạn ở đây.")
    elif not connection.execute(
        "select 1 from alerting.signal where signal_code = %s and (%s::text is null or entity_type = %s) limit 1",
        (document.signal_code, document.entity_type, document.entity_type),
    ).fetchone():
        kind = f" cho loại đối tượng “{document.entity_type}”" if document.entity_type else ""
        found.append(f"Chưa từng có số liệu của tín hiệu “{document.signal_code}”{kind}.")
    if found:
        raise RuleRefusedError(found)
