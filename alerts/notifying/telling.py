"""Everything that people are due to be told, whoever drains it: the alert DAG, the notifier, an evaluation.

Public messages, beginnings and ends of windows, what became true or ceased to be, corrections: in one transaction with
the record that it was told, so that a repetition adds nothing.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

import psycopg

from alerts.judging import restatement
from alerts.notifying import public, reconcile, routing, windows
from alerts.notifying.notice import Teller
from ioc import warehouse

if TYPE_CHECKING:
    from alerts.notifying.reconcile import ReconcileReport
    from ioc.settings import Settings

_log = logging.getLogger(__name__)


def drain(at: datetime | None = None, settings: Settings | None = None) -> ReconcileReport:
    """Put into the outbox what is due at ``at`` (default: now).

    Raises:
        WarehouseUnreachable: no warehouse.
    """
    with warehouse.connect("alerts", settings) as connection:
        return tell_in(connection, at or datetime.now(UTC), settings)


def tell_in(connection: psycopg.Connection, at: datetime, settings: Settings | None = None) -> ReconcileReport:
    """The same in the transaction of ``connection``; two of them wait for each other."""
    connection.execute("select pg_advisory_xact_lock(hashtext('alerts:reconcile'))")

    @cache
    def open_teller() -> Teller:
        return Teller(connection, routing.load(connection, at), at, settings)

    _tell_citizens(connection, at, settings)
    about_windows = windows.tell(connection, open_teller, at)
    report = reconcile.reconcile_in(connection, at, settings)
    more = about_windows + restatement.tell(connection, open_teller, at)
    if more:
        connection.execute("select pg_notify('ioc_outbox', '')")
    return replace(report, notifications=report.notifications + more)


def _tell_citizens(connection: psycopg.Connection, at: datetime, settings: Settings | None) -> None:
    """Publish; what is wrong with a public message must not hold up those to the people on duty."""
    try:
        with connection.transaction():
            public.publish_in(connection, at, settings)
    except psycopg.OperationalError:
        raise
    except Exception:
        _log.exception("public alerts")
