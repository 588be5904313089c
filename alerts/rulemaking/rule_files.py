"""Rules as YAML files: the first load, drafts for review, export, and what differs between files and tables.

A file ``rules/<domain>.yaml`` holds the rules of a domain, ``rules/tests/<rule code>.yaml`` the tests of one rule.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import yaml

from alerts import audit
from alerts.rulemaking import rule_checks, rule_document, rule_store, rule_tests
from alerts.rulemaking.rule_document import RuleFileError
from ioc import warehouse

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

    from alerts.rulemaking.rule_document import RuleDocument
    from ioc.settings import Settings

FOLDER = Path(__file__).resolve().parent.parent / "rules"
AUTHOR, APPROVER = "khoi-tao", "ban-giao"


class Difference(NamedTuple):
    """One field of one rule that differs; ``field`` empty = the rule exists on one side only."""

    code: str
    field: str
    in_file: str
    in_tables: str


def read(path: Path) -> list[RuleDocument]:
    """The rules of one file.

    Raises:
        RuleFileError: the file is not YAML, a rule cannot be read, or is wrong in itself; the message names them.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
        if not isinstance(raw, list):
            raise RuleFileError("a rule file is a list of rules")
        documents = [rule_document.parse(item) for item in raw]
    except (yaml.YAMLError, RuleFileError, UnicodeDecodeError) as error:
        raise RuleFileError(f"{path.name}: {error}") from error
    for document in documents:
        found = rule_checks.problems(document)
        if found:
            raise RuleFileError(f"{path.name}: rule {document.code}: {' '.join(found)}")
    return documents


def tests_of(code: str, folder: Path = FOLDER) -> str | None:
    """The tests that lie beside the rule files of a folder for one of their rules, if there are any."""
    file = folder / "tests" / f"{code}.yaml"
    return file.read_text(encoding="utf-8") if file.is_file() else None


def load_first(connection: psycopg.Connection, path: Path) -> int:
    """Load the rules of a file that the tables do not know yet, as approved: the first load of an installation.

    A rule that is known is left alone, whatever the file says: changes come as drafts (:func:`import_drafts`).

    Returns:
        The number of rules added.

    Raises:
        RuleFileError: a rule is wrong, or its tests do not hold.
    """
    known = {row[0] for row in connection.execute("select code from alert.rule")}
    added = 0
    for document in read(path):
        if document.code in known:
            continue
        at = datetime.now(UTC)
        tests = tests_of(document.code, path.parent)
        if tests is not None:
            report = _run_tests(path, document, tests)
            if not report.is_passed:
                raise RuleFileError(f"{path.name}: rule {document.code}: {report.failures[0].text}")
        rule_id = rule_store.ensure_rule(connection, document)
        version_id = rule_store.add_draft(connection, rule_id, document, author=AUTHOR, at=at, tests=tests)
        if tests is not None:
            rule_store.keep_tests(connection, version_id, report, at)
        rule_store.put_in_force(
            connection, version_id, document, approver=APPROVER, at=at, starts=document.effective_from
        )
        audit.record(
            connection, at, AUTHOR, "rule.version_loaded", about=("rule", document.code), detail={"version": 1}
        )
        added += 1
    return added


def _run_tests(path: Path, document: RuleDocument, tests: str) -> rule_tests.Report:
    try:
        return rule_tests.run(document, tests)
    except rule_tests.RuleTestError as error:
        raise RuleFileError(f"{path.name}: rule {document.code}: {error}") from error


def import_drafts(
    path: Path, author: str, settings: Settings | None = None, at: datetime | None = None
) -> dict[str, str]:
    """Make drafts of the rules in a file that differ from what is in force, for people to test, dry-run and approve.

    Args:
        path: The rule file; tests beside it come along.
        author: Who stands behind the drafts.
        settings: Settings of the stack; default: this process's.
        at: The clock; default: now.

    Returns:
        By rule code: ``draft``, ``unchanged``, or ``open draft`` when one waits already and this one was left out.

    Raises:
        RuleFileError: a rule is wrong, or is another rule than the one of its code.
    """
    at = at or datetime.now(UTC)
    documents = read(path)
    outcome = {}
    with warehouse.connect("alerts", settings) as connection:
        in_force = rule_store.newest_approved(connection)
        open_ones = {
            row[0]
            for row in connection.execute(
                "select r.code from alert.rule r join alert.rule_version v using (rule_id) "
                "where v.status in ('draft', 'submitted')"
            )
        }
        for document in documents:
            now = in_force.get(document.code)
            changes = [change for change in (now.differences(document) if now else ()) if change[0] != "effective_from"]
            if any(change[0] in ("domain", "signal_code", "entity_type") for change in changes):
                raise RuleFileError(
                    f"{path.name}: rule {document.code}: domain, signal and entity type cannot change; a new code can"
                )
            if now and not changes:
                outcome[document.code] = "unchanged"
            elif document.code in open_ones:
                outcome[document.code] = "open draft"
            else:
                tests = tests_of(document.code, path.parent)
                rule_id = rule_store.ensure_rule(connection, document)
                rule_store.add_draft(connection, rule_id, document, author=author, at=at, tests=tests)
                audit.record(
                    connection,
                    at,
                    author,
                    "rule.draft_imported",
                    about=("rule", document.code),
                    detail={"file": path.name},
                )
                outcome[document.code] = "draft"
    return outcome


def export(domain: str, settings: Settings | None = None) -> str:
    """The rules of a domain as they stand in the tables (newest approved version), as YAML that loads again."""
    with warehouse.connect("alerts", settings) as connection:
        return rule_document.dump(domain, rule_store.newest_approved(connection, domain).values())


def check(paths: Sequence[Path] | None = None, settings: Settings | None = None) -> list[Difference]:
    """What differs between rule files and tables, in the order of rule codes; empty when they say the same.

    Args:
        paths: Rule files; default: all that are shipped, and then rules of the tables in no file count too.
        settings: Settings of the stack; default: this process's.
    """
    files = {d.code: d for path in paths or sorted(FOLDER.glob("*.yaml")) for d in read(path)}
    with warehouse.connect("alerts", settings) as connection:
        tables = rule_store.newest_approved(connection)
    found = []
    for code in sorted(files.keys() | (tables.keys() if not paths else set())):
        if code not in files or code not in tables:
            found.append(Difference(code, "", "yes" if code in files else "–", "yes" if code in tables else "–"))
        else:
            found += [Difference(code, *change) for change in files[code].differences(tables[code])]
    return found
