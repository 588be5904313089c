"""Increments behind a short and behind a long history of one domain, taken in turns.

A PostgreSQL of its own for each history, built once; then one more step of news at a time is published and built. What
else the machine does falls on both alike, and the peer of the long history is the same code behind the short one.
"""

from __future__ import annotations

import statistics
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from bench.shared.domain import Build, build
from bench.shared.promises import at_most
from bench.shared.server import running
from extractors.core import schema
from ioc import warehouse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ioc.settings import Settings


@dataclass
class _History:
    settings: Settings
    months: int
    rows: int
    first_build_s: float
    timed: list[Build] = field(default_factory=list)

    def figures(self) -> dict[str, Any]:
        warm = self.timed[1:]  # the first increment finds cold caches
        return {
            "months": self.months,
            "rows": self.rows,
            "first_build_s": round(self.first_build_s, 1),
            "increment_s": round(statistics.median(one.wall_s for one in warm), 2),
            "sql_s": round(statistics.median(one.sql_s for one in warm), 2),
        }


def compare(
    domain: str,
    publish: Callable[[Settings, datetime, datetime], int],
    *,
    months: tuple[int, int],
    last: datetime,
    step: timedelta,
    increments: int,
    limit: float,
) -> dict[str, Any]:
    """Time increments behind both histories.

    Args:
        domain: Its name.
        publish: Publishes what the source would have sent from a first to a last moment; returns the number of rows.
        months: Lengths of the two histories, the shorter first; a month has thirty days.
        last: Their last moment.
        step: What one increment adds.
        increments: How many behind each; the median counts.
        limit: How many times the short history's time an increment behind the long one may take at most.

    Returns:
        Figures and the promise ``increment_ratio``, as a benchmark gives them.
    """
    with ExitStack() as stack:
        histories = [stack.enter_context(_history(domain, publish, length, last)) for length in months]
        for number in range(1, increments + 2):
            for history in histories:
                publish(history.settings, last + number * step, last + number * step)
                history.timed.append(build(domain, history.settings))
    short, long = (history.figures() for history in histories)
    return {
        "figures": {"short": short, "long": long, "sql_ratio": round(long["sql_s"] / short["sql_s"], 2)},
        "promises": {"increment_ratio": at_most(long["increment_s"] / short["increment_s"], limit)},
    }


@contextmanager
def _history(
    domain: str, publish: Callable[[Settings, datetime, datetime], int], months: int, last: datetime
) -> Iterator[_History]:
    with running() as settings:
        schema.ensure(domain, settings)
        rows = publish(settings, last - timedelta(days=30 * months), last)
        first = build(domain, settings)
        with warehouse.connect("owner", settings, autocommit=True) as connection:
            # What autovacuum does within minutes; waiting for it would only add noise.
            connection.execute("vacuum analyze")
        yield _History(settings, months, rows, first.wall_s)
