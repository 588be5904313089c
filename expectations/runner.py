"""Judges the loaded batches of a domain: nothing reaches dbt without a verdict from here.

Idempotent: a batch is judged once, in one transaction that carries its results and its verdict; killed anywhere, the
next run judges it again.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

from expectations import data_docs
from expectations.suite import ROOT, Suite, load
from ioc import warehouse
from ioc.settings import Settings, get_settings

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

    from expectations.engine import Outcome


@dataclass(frozen=True)
class Verdict:
    """Judgement on one batch.

    Attributes:
        batch_id: The batch.
        verdict: ``passed`` (may be published) or ``stopped`` (will be quarantined).
        expectations: How many were evaluated; 0 for a batch without rows, which passes.
        stops: Descriptions of the failed ``stop`` expectations.
        warnings: Descriptions of the failed ``warn`` expectations.
        duration_s: Seconds it took.
    """

    batch_id: int
    verdict: str
    expectations: int
    stops: tuple[str, ...]
    warnings: tuple[str, ...]
    duration_s: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def validate(domain: str, settings: Settings | None = None, *, suites_root: Path = ROOT) -> list[Verdict]:
    """Judge every batch of ``domain`` that is loaded and has no verdict yet, oldest first.

    Args:
        domain: Name of the domain.
        settings: Settings of the stack; default: this process's.
        suites_root: Folder of the suites.

    Raises:
        SuiteError: the domain has no suite or it cannot be evaluated; the batches stay unpublished.
        warehouse.WarehouseUnreachable: no server.
    """
    settings = settings or get_settings()
    suites = load(domain, suites_root)
    verdicts: list[Verdict] = []
    while verdict := _judge_next(domain, suites, settings):
        verdicts.append(verdict)
    if verdicts:
        data_docs.build(domain, [verdict.batch_id for verdict in verdicts], settings)
    return verdicts


def _judge_next(domain: str, suites: tuple[Suite, ...], settings: Settings) -> Verdict | None:
    began = time.monotonic()
    with warehouse.connect("loader", settings) as connection:
        # The lock is held until the verdict is written: a second runner takes the next batch instead.
        batch = connection.cursor(row_factory=dict_row).execute(
            "select * from ops.load_batch where domain = %s and status = 'loaded' and verdict is null "
            "order by batch_id limit 1 for update skip locked",
            (domain,),
        ).fetchone()  # fmt: skip
        if batch is None:
            return None
        outcomes = _evaluate(suites, batch, settings) if batch["loaded_count"] else []
        failed = [one for one in outcomes if not one.success]
        stops = tuple(one.expectation.description_vi for one in failed if one.expectation.severity == "stop")
        warnings = tuple(one.expectation.description_vi for one in failed if one.expectation.severity == "warn")
        _record(connection, batch, outcomes)
        verdict = "stopped" if stops else "passed"
        connection.execute(
            "update ops.load_batch set verdict = %s, validated_at = clock_timestamp(), "
            "message = coalesce(%s, message) where batch_id = %s",
            (verdict, "; ".join(stops) or None, batch["batch_id"]),
        )
    return Verdict(batch["batch_id"], verdict, len(outcomes), stops, warnings, round(time.monotonic() - began, 3))


def _evaluate(suites: tuple[Suite, ...], batch: dict[str, Any], settings: Settings) -> list[Outcome]:
    from expectations.engine import evaluate

    return [outcome for suite in suites for outcome in evaluate(suite, batch, settings)]


def _record(connection: psycopg.Connection, batch: dict[str, Any], outcomes: list[Outcome]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into ops.validation_result (batch_id, domain, suite, expectation, column_name, severity, success, "
            "element_count, unexpected_count, observed, description_vi) values (%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s)",
            [
                (
                    batch["batch_id"], batch["domain"], one.suite, one.expectation.type,
                    ", ".join(one.expectation.columns) or None, one.expectation.severity, one.success,
                    one.element_count, one.unexpected_count, json.dumps(one.observed, default=str, ensure_ascii=False),
                    one.expectation.description_vi,
                )
                for one in outcomes
            ],
        )  # fmt: skip
