"""The rules that every DAG obeys: a closed vocabulary of tags, an owner, a tier, retries only where they can help."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import RetryDecision, RetryPolicy

from ioc.domains import all_domains

if TYPE_CHECKING:
    from airflow.sdk import Context

TIERS = (1, 2, 3)
LANES = ("fast", "batch")
PLATFORM = "platform"
# Every tag in use: a domain, a lane, a tier, or the platform's own. A new word is added here or not used.
TAGS = frozenset([*(domain.name for domain in all_domains()), *LANES, *(f"tier-{tier}" for tier in TIERS), PLATFORM])
# Nightly work waits for one of the few slots of this pool (pools.json), so it can never take the last slot of the
# machine from a domain that delivers every five minutes.
BATCH_POOL = "batch"
PLATFORM_OWNER = "IOC"

CLEAR_OR_TRIGGER = """
### Khi hỏng · When it fails

- **Clear** the failed task when its log names a passing cause (source or warehouse did not answer) and you cannot wait
  for the next run. Every task takes up what the ledger says is due, so clearing never loads anything twice.
- **Re-trigger** is needed only for another window or a re-read of files (*Trigger* with `since`, `until`, `replay`).
- A failure that says *fatal* does not go away by itself: do what its message asks for, then clear.
"""


class ByRecovery(RetryPolicy):
    """Retry what another attempt can mend, after the pause that the error asks for; fail at once on everything else.

    Args:
        longest: Upper bound of the pause.
    """

    def __init__(self, longest: timedelta) -> None:
        self.longest = longest

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,  # noqa: ARG002 — the interface
        max_tries: int,  # noqa: ARG002
        context: Context | None = None,  # noqa: ARG002
    ) -> RetryDecision:
        # Imported here: a DAG file must parse without the libraries.
        import psycopg

        from extractors.core.errors import Retriable
        from ioc.warehouse import WarehouseUnreachable
        from superset_assets.client import SupersetUnreachableError

        unreachable = (WarehouseUnreachable, SupersetUnreachableError, psycopg.OperationalError)
        passing = (Retriable, *unreachable, ConnectionError, TimeoutError)
        if isinstance(exception, passing):
            delay = timedelta(seconds=float(getattr(exception, "delay_s", 30)))
            return RetryDecision.retry(min(delay, self.longest), f"can pass by itself: {type(exception).__name__}")
        return RetryDecision.fail(f"trying again cannot help: {type(exception).__name__}")

    def serialize(self) -> dict[str, Any]:
        return {"longest_s": self.longest.total_seconds()}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> ByRecovery:
        return cls(timedelta(seconds=data["longest_s"]))


def task_defaults(owner: str, lane: str) -> dict[str, Any]:
    """Default arguments of every task: owner, retries by kind of error, a limit in time, and the lane's pool.

    A fast domain is tried again once and soon, because its next run comes in minutes and is a retry itself; a nightly
    one has hours.
    """
    fast = lane == "fast"
    return {
        "owner": owner,
        "retries": 1 if fast else 3,
        "retry_policy": ByRecovery(timedelta(seconds=30) if fast else timedelta(minutes=15)),
        "execution_timeout": timedelta(hours=2),
        **({} if fast else {"pool": BATCH_POOL}),
    }
