"""Quarantine: its owner learns of it, and the two ways out are a person's decision, release or discard, with a reason.

The decision is kept beside the verdict, in ``ops.validation_result`` under the suite ``quarantine``. How many batches
wait is the signal ``<domain>.quarantined_batches``, so that the alert engine tells the owner as of anything else.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from psycopg import sql
from psycopg.rows import dict_row

from expectations import data_docs
from ioc import warehouse
from ioc.domains import get_domain
from ioc.settings import Settings, get_settings

if TYPE_CHECKING:
    import psycopg

_TABLES = """
select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = '_batch_id'
where c.relnamespace = to_regnamespace(%s) and c.relkind in ('r', 'p') and not c.relispartition order by 1
"""
_DECIDED = {"release": "Lô được cho qua sau khi xem xét", "discard": "Lô bị loại bỏ sau khi xem xét"}


class QuarantineError(Exception):
    """The decision cannot be taken; the message says why."""


@dataclass(frozen=True)
class Decision:
    """What was decided about a batch.

    Attributes:
        batch_id: The batch.
        domain: Its domain.
        act: ``release`` or ``discard``.
        row_count: Rows that may now be published, or that were removed from raw.
    """

    batch_id: int
    domain: str
    act: str
    row_count: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def release(batch_id: int, *, by: str, reason: str, settings: Settings | None = None) -> Decision:
    """Let a stopped batch pass after review; the next ``publish`` gives it a ``publish_seq`` like any other batch.

    Args:
        batch_id: A quarantined batch, or a stopped one that is not quarantined yet.
        by: Who decides.
        reason: Why.
        settings: Settings of the stack; default: this process's.

    Raises:
        QuarantineError: the batch is not stopped, or ``by`` or ``reason`` is empty.
    """
    settings = settings or get_settings()
    with warehouse.connect("loader", settings) as connection:
        batch = _stopped(connection, batch_id, by, reason)
        connection.execute(
            "update ops.load_batch set status = 'loaded', verdict = 'passed', validated_at = clock_timestamp(), "
            "message = %s where batch_id = %s",
            (f"released by {by}: {reason}", batch_id),
        )
        _record(connection, batch, "release", {"by": by, "reason": reason})
    announce(batch["domain"], settings)
    data_docs.build(batch["domain"], [batch_id], settings)
    return Decision(batch_id, batch["domain"], "release", batch["loaded_count"])


def discard(batch_id: int, *, by: str, reason: str, settings: Settings | None = None) -> Decision:
    """Give a stopped batch up: its rows leave raw, so that a corrected resend is loaded and not taken for a duplicate.

    An interface sends nothing again by itself: its cursor goes back to where it was before the batch, and the next load
    asks anew for everything that changed since. The landed files and every count stay; the batch ends as ``failed``.

    Raises:
        QuarantineError: the batch is not stopped, or ``by`` or ``reason`` is empty.
    """
    settings = settings or get_settings()
    with warehouse.connect("loader", settings) as connection:
        batch = _stopped(connection, batch_id, by, reason)
        schema = f"raw_{batch['domain']}"
        removed = 0
        for (table,) in connection.execute(_TABLES, (schema,)).fetchall():
            query = sql.SQL("delete from {} where _batch_id = %s").format(sql.Identifier(schema, table))
            removed += connection.execute(query, (batch_id,)).rowcount
        for name, before in batch["cursors_before"].items():
            _ask_again(connection, batch, name, before)
        connection.execute(
            "update ops.load_batch set status = 'failed', message = %s where batch_id = %s",
            (f"discarded by {by}: {reason}", batch_id),
        )
        _record(connection, batch, "discard", {"by": by, "reason": reason})
    announce(batch["domain"], settings)
    data_docs.build(batch["domain"], [batch_id], settings)
    return Decision(batch_id, batch["domain"], "discard", removed)


def _ask_again(connection: psycopg.Connection, batch: dict[str, Any], name: str, before: dict[str, Any]) -> None:
    """Put the cursor of an interface back and forget what its pages held, for the same words may come again.

    Args:
        connection: In the transaction of the discard.
        batch: The batch, as stored.
        name: The cursor, ``source:<resource>#<declaration>``.
        before: Its value before the batch.
    """
    where = {
        "domain": batch["domain"], "name": name, "until": before.get("changed_until"),
        "resource": name.removeprefix("source:").rpartition("#")[0] + "?",
    }  # fmt: skip
    connection.execute(
        "update ops.cursor set updated_at = clock_timestamp(), value = case "
        "    when %(until)s::text is null then value - 'changed_until' "
        "    else jsonb_set(value, '{changed_until}', to_jsonb(%(until)s::text)) end "
        "where domain = %(domain)s and name = %(name)s and (%(until)s::text is null "
        "    or (value ->> 'changed_until')::timestamptz > %(until)s::timestamptz)",
        where,
    )
    connection.execute(
        "delete from ops.source_file where domain = %(domain)s and starts_with(source_uri, %(resource)s)", where
    )


def announce(domain: str, settings: Settings | None = None) -> int:
    """Write how many batches of ``domain`` wait in quarantine as a signal, when that number changed.

    Returns:
        The number.
    """
    code, of = f"{domain}.quarantined_batches", get_domain(domain)
    with warehouse.connect("transformer", settings) as connection:
        # The lock under which dbt writes signals: change_id must become visible in its own order.
        connection.execute("select pg_advisory_xact_lock(hashtext('alerting.signal'))")
        (waiting,) = connection.execute(
            "select count(*) from ops.load_batch where domain = %s and status = 'quarantined'", (domain,)
        ).fetchone() or (0,)
        (known,) = connection.execute(
            "select value from alerting.signal where signal_code = %s order by period_end desc limit 1", (code,)
        ).fetchone() or (0,)
        if waiting != known:
            connection.execute(
                "insert into alerting.entity (entity_type, entity_id, name_vi, unit_code) "
                "values ('domain', %s, %s, %s) "
                "on conflict (entity_type, entity_id) do update set name_vi = excluded.name_vi",
                (domain, of.title_vi, of.owner),
            )
            connection.execute(
                "insert into alerting.signal "
                "(signal_code, entity_type, entity_id, unit_code, period_end, value, quality) "
                "values (%s, 'domain', %s, %s, clock_timestamp(), %s, 'ok')",
                (code, domain, of.owner, waiting),
            )
    return int(waiting)


def _stopped(connection: psycopg.Connection, batch_id: int, by: str, reason: str) -> dict[str, Any]:
    if not by.strip() or not reason.strip():
        raise QuarantineError("a decision about a batch needs a name and a reason")
    batch = connection.cursor(row_factory=dict_row).execute(
        "select * from ops.load_batch where batch_id = %s for update", (batch_id,)
    ).fetchone()  # fmt: skip
    if batch is None:
        raise QuarantineError(f"there is no batch {batch_id}")
    if batch["status"] not in ("quarantined", "loaded") or batch["verdict"] != "stopped":
        raise QuarantineError(
            f"batch {batch_id} is {batch['status']} with verdict {batch['verdict'] or 'none'}: "
            "only a stopped batch can be released or discarded"
        )
    return batch


def _record(connection: psycopg.Connection, batch: dict[str, Any], act: str, grounds: dict[str, str]) -> None:
    connection.execute(
        "insert into ops.validation_result (batch_id, domain, suite, expectation, severity, success, observed, "
        "description_vi) values (%s, %s, 'quarantine', %s, 'warn', true, %s, %s)",
        (batch["batch_id"], batch["domain"], act, json.dumps(grounds, ensure_ascii=False), _DECIDED[act]),
    )
