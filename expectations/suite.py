"""Suites as data: ``expectations/<domain>/suite.toml`` says what a batch must satisfy before dbt may see it.

A suite has one block per raw table. Great Expectations evaluates the expectations; this module only reads the
declaration, so it imports in a millisecond and a DAG, a test or a page can list what a domain promises.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast, get_args

ROOT = Path(__file__).resolve().parent
Severity = Literal["stop", "warn"]


class SuiteError(Exception):
    """A suite is missing, malformed or cannot be evaluated; the message says which file and what to change."""


@dataclass(frozen=True)
class Expectation:
    """One promise about the rows of a batch.

    Attributes:
        type: Great Expectations' snake-case name, such as ``expect_column_values_to_not_be_null``.
        severity: ``stop`` quarantines the batch, ``warn`` publishes and records.
        description_vi: What it means to the person who reads the report.
        kwargs: Arguments of the expectation; ``{"$PARAMETER" = "loaded_count"}`` takes a figure of the ledger.
        show_examples: Keep some offending values in the ledger. Off by default: values may be personal data.
    """

    type: str
    severity: Severity
    description_vi: str
    kwargs: dict[str, Any] = field(default_factory=dict)
    show_examples: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that the expectation reads."""
        named = self.kwargs.get("column")
        return (named,) if named else tuple(self.kwargs.get("column_list", ()))


@dataclass(frozen=True)
class Suite:
    """What the rows of one raw table must satisfy.

    Attributes:
        domain: Domain of the table.
        entity: Name of the table in ``raw_<domain>``.
        expectations: In the order of the file.
        derived: SQL expressions ``… as name`` over the row ``r`` and its batch's ledger row ``b``, evaluated once.
    """

    domain: str
    entity: str
    expectations: tuple[Expectation, ...]
    derived: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.domain}.{self.entity}"

    def query(self, batch_id: int) -> str:
        """The rows of one batch, with the derived columns."""
        columns = ", ".join(("r.*", *self.derived))
        return (
            f'select {columns} from "raw_{self.domain}"."{self.entity}" r '
            f"join ops.load_batch b on b.batch_id = r._batch_id where r._batch_id = {batch_id:d}"
        )


def load(domain: str, root: Path = ROOT) -> tuple[Suite, ...]:
    """Read the suites of a domain.

    Raises:
        SuiteError: there is no suite (the gate stays shut), or its file is malformed.
    """
    path = root / domain / "suite.toml"
    if not path.exists():
        raise SuiteError(f"domain '{domain}' has no suite, so nothing of it may be published: write {path}")
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))["table"]
        suites = tuple(_suite(domain, table) for table in tables)
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise SuiteError(f"{path}: {error!r}") from error
    if not suites or any(not suite.expectations for suite in suites):
        raise SuiteError(f"{path}: a suite without expectations would let everything pass")
    for suite in suites:
        descriptions = [one.description_vi for one in suite.expectations]
        if len(set(descriptions)) < len(descriptions):
            raise SuiteError(f"{path}: two expectations of '{suite.entity}' have the same description")
    return suites


def _suite(domain: str, table: dict[str, Any]) -> Suite:
    return Suite(
        domain=domain,
        entity=table["entity"],
        derived=tuple(table.get("derived", ())),
        expectations=tuple(_expectation(given) for given in table["expectation"]),
    )


def _expectation(given: dict[str, Any]) -> Expectation:
    rest = dict(given)
    severity = rest.pop("severity")
    if severity not in get_args(Severity):
        raise ValueError(f"severity '{severity}' is neither stop nor warn")
    return Expectation(
        type=rest.pop("type"),
        severity=cast("Severity", severity),
        description_vi=rest.pop("vi"),
        show_examples=rest.pop("show_examples", False),
        kwargs=rest,
    )
