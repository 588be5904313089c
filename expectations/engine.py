"""Great Expectations on the rows of one batch, inside PostgreSQL.

The batch is put into a temporary table once and every expectation becomes SQL on it, so memory does not grow with the
batch (600,000 rows: 3 s; a five-minute batch: 0.1 s). Importing Great Expectations takes seconds: nothing does it at
module level.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import sys
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from expectations.suite import Expectation, Suite, SuiteError
from ioc import warehouse

if TYPE_CHECKING:
    from ioc.settings import Settings

EXAMPLES = 10
# Great Expectations' words for our two severities; its reports sort by them.
_SEVERITY: dict[str, Any] = {"stop": "critical", "warn": "warning"}


@dataclass(frozen=True)
class Outcome:
    """What one expectation found in one batch.

    Attributes:
        suite: ``<domain>.<entity>``.
        expectation: The promise.
        success: It holds.
        element_count: Rows looked at; None for a check of the whole table.
        unexpected_count: Rows that break it; None for a check of the whole table.
        observed: JSON-ready detail: the observed value, the share, some offending values where the suite allows them.
    """

    suite: str
    expectation: Expectation
    success: bool
    element_count: int | None
    unexpected_count: int | None
    observed: dict[str, Any]


class _Later(ModuleType):
    """Stands for a module that is imported when somebody asks for something in it.

    ``importlib.util.LazyLoader`` would not do: Great Expectations calls ``inspect.stack()``, which looks at the
    ``__file__`` of every module and so loads them all.
    """

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
            importlib.import_module(self.__name__)
        return getattr(sys.modules[self.__name__], name)


@cache
def _great_expectations() -> ModuleType:
    # The statistics package takes a third of the import and serves distribution tests only.
    if "scipy.stats" not in sys.modules and (spec := importlib.util.find_spec("scipy.stats")):
        later = _Later("scipy.stats")
        later.__file__ = spec.origin
        sys.modules["scipy.stats"] = sys.modules["scipy"].__dict__["stats"] = later
    # No usage statistics leave the province's network, and a line per function does not fill the log.
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    import great_expectations

    return great_expectations


def evaluate(suite: Suite, batch: dict[str, Any], settings: Settings) -> list[Outcome]:
    """Evaluate every expectation of ``suite`` on the rows of one batch, as the role ``loader``.

    Args:
        suite: What must hold.
        batch: Row of ``ops.load_batch`` by column; its figures are the suite's parameters.
        settings: Settings of the stack.

    Returns:
        One outcome per expectation. When the table or a column that the suite reads is missing, one failed ``stop``
        that names it, because then nothing else can be evaluated.

    Raises:
        SuiteError: an expectation cannot be evaluated although the columns are there.
        warehouse.WarehouseUnreachable: no server.
    """
    drift = _drift(suite, int(batch["batch_id"]), settings)
    if drift:
        return [drift]
    gx = _great_expectations()
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    url = warehouse.url("loader", settings).replace("postgresql://", "postgresql+psycopg://", 1)
    source = context.data_sources.add_postgres("warehouse", connection_string=url, create_temp_table=True)
    try:
        asset = source.add_query_asset(suite.entity, query=suite.query(int(batch["batch_id"])))
        rows = asset.add_batch_definition_whole_table("batch").get_batch()
        declared = gx.ExpectationSuite(suite.name)
        for expectation in suite.expectations:
            declared.add_expectation(_declare(expectation))
        report = rows.validate(
            declared,
            result_format={"result_format": "SUMMARY", "partial_unexpected_count": EXAMPLES},
            expectation_parameters={name: value for name, value in batch.items() if name.endswith("_count")},
        )
    finally:
        # Ends the session, and with it the temporary table.
        source.get_execution_engine().engine.dispose()
    return _outcomes(suite, report.results)


def _declare(expectation: Expectation) -> Any:
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    return ExpectationConfiguration(
        type=expectation.type,
        kwargs=expectation.kwargs,
        severity=_SEVERITY[expectation.severity],
        description=expectation.description_vi,
    ).to_domain_obj()


def _drift(suite: Suite, batch_id: int, settings: Settings) -> Outcome | None:
    """A failed outcome when the suite's query does not run or lacks a column; None when all are there."""
    promise = Expectation("expect_table_columns_to_match_set", "stop", "Bảng thô phải có mọi cột mà bộ kiểm tra cần")
    try:
        with warehouse.connect("loader", settings) as connection:
            query = sql.SQL("select * from ({}) q limit 0").format(sql.SQL(suite.query(batch_id)))
            present = {column.name for column in connection.execute(query).description or ()}
    except (psycopg.errors.UndefinedColumn, psycopg.errors.UndefinedTable, psycopg.errors.UndefinedFunction) as error:
        return Outcome(suite.name, promise, False, None, None, {"error": str(error).split("\n", maxsplit=1)[0]})
    missing = sorted({column for one in suite.expectations for column in one.columns} - present)
    return Outcome(suite.name, promise, False, None, None, {"missing": missing}) if missing else None


def _outcomes(suite: Suite, results: list[Any]) -> list[Outcome]:
    # Great Expectations groups its answers by column; ours keep the order of the file.
    found = {result.expectation_config.description: result for result in results}
    return [_outcome(suite, one, found[one.description_vi]) for one in suite.expectations]


def _outcome(suite: Suite, expectation: Expectation, result: Any) -> Outcome:
    raised = _raised(result.exception_info)
    if raised:
        raise SuiteError(f"{suite.name}: {expectation.type} on {expectation.columns or 'the table'} failed: {raised}")
    detail = result.result
    observed: dict[str, Any] = {
        name: detail[name] for name in ("observed_value", "unexpected_percent") if detail.get(name) is not None
    }
    if expectation.show_examples and detail.get("partial_unexpected_list"):
        observed["examples"] = list(dict.fromkeys(map(str, detail["partial_unexpected_list"])))
    return Outcome(
        suite.name,
        expectation,
        bool(result.success),
        detail.get("element_count"),
        detail.get("unexpected_count"),
        observed,
    )


def _raised(info: dict[str, Any] | None) -> str | None:
    """Message of the exception that an expectation met; Great Expectations nests it by metric or gives it flat."""
    if not info:
        return None
    details = [info] if "raised_exception" in info else list(info.values())
    return next((str(one.get("exception_message")) for one in details if one.get("raised_exception")), None)
