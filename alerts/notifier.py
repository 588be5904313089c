"""The always-on service: ``python -m alerts.notifier``.

Drains the queues that the alert DAG drains, at once when the outbox gets a row (LISTEN) and every few seconds anyway.
When no evaluation has been recorded for a while it evaluates too, so that with Airflow down alarms still leave.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import psycopg
from psycopg.types.json import Jsonb

from alerts import procedures
from alerts.channels import all_channels
from alerts.judging import engine
from alerts.notifying import telling
from alerts.sending import delivery
from ioc import warehouse
from ioc.settings import get_settings

if TYPE_CHECKING:
    from ioc.settings import Settings

_log = logging.getLogger("alerts.notifier")
POLL_S = 5.0
EVALUATE_AFTER = timedelta(seconds=90)
_RECONNECT_S = 3.0


def run_once(settings: Settings, at: datetime | None = None) -> None:
    """One round: evaluate if nobody else does, reconcile, drive procedures, drain every channel, leave a heartbeat.

    Each part is tried whatever became of the others.
    """
    now = at or datetime.now(UTC)
    trouble = []
    try:
        with warehouse.connect("alerts", settings) as connection:
            row = connection.execute("select max(evaluated_at) from alert.eval_run where mode = 'live'").fetchone()
            is_overdue = row is None or row[0] is None or now - row[0] >= EVALUATE_AFTER
            if not is_overdue:
                telling.tell_in(connection, now, settings)
        if is_overdue:
            engine.evaluate(at=now, settings=settings)
    except (warehouse.WarehouseUnreachable, psycopg.OperationalError):
        raise
    except Exception as error:
        _log.exception("evaluation")
        trouble.append(f"evaluate: {error}")
    try:
        trouble += [f"procedures: {error}" for error in procedures.drain(now, settings).errors]
    except (warehouse.WarehouseUnreachable, psycopg.OperationalError):
        raise
    except Exception as error:
        _log.exception("procedures")
        trouble.append(f"procedures: {error}")
    # Side by side: a mail server that dawdles must not hold the inbox or the phones up.
    with ThreadPoolExecutor(max_workers=len(all_channels())) as pool:
        drains = {channel: pool.submit(delivery.drain, channel, settings, at) for channel in all_channels()}
    for channel, drain in drains.items():
        try:
            report = drain.result()
        except (warehouse.WarehouseUnreachable, psycopg.OperationalError):
            raise
        except Exception as error:
            _log.exception("channel %s", channel)
            trouble.append(f"{channel}: {error}")
            continue
        trouble.extend(f"{channel}: {reason}" for reason in report.errors)
        if report.sent or report.retried or report.failed or report.unknown:
            _log.info("%s", report.as_dict())
    with warehouse.connect("alerts", settings) as connection:
        connection.execute(
            "insert into alert.heartbeat (service, beat_at, detail) values ('notifier', %s, %s) "
            "on conflict (service) do update set beat_at = excluded.beat_at, detail = excluded.detail",
            (now, Jsonb({"trouble": trouble})),
        )


def serve(settings: Settings, stopped: threading.Event) -> None:
    """Run until ``stopped`` is set; waits and begins again when the warehouse goes away."""
    while not stopped.is_set():
        try:
            with warehouse.connect("alerts", settings, autocommit=True) as connection:
                connection.execute("listen ioc_outbox")
                while not stopped.is_set():
                    run_once(settings)
                    _wait(connection, stopped)
        except (warehouse.WarehouseUnreachable, psycopg.OperationalError) as error:
            _log.warning("%s", error)
            stopped.wait(_RECONNECT_S)


def _wait(connection: psycopg.Connection, stopped: threading.Event) -> None:
    """Until the outbox gets a row, the poll time is over or the service is stopped."""
    end = time.monotonic() + POLL_S
    while not stopped.is_set() and time.monotonic() < end:
        # In short looks, so that a stop does not wait for the poll.
        if any(True for _ in connection.notifies(timeout=0.5, stop_after=1)):
            return


def main() -> None:
    """Entry point of the service; ends cleanly on SIGTERM and SIGINT."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    _log.info("notifier runs; channels: %s", ", ".join(all_channels()))
    serve(get_settings(), stopped)
    _log.info("notifier ends")


if __name__ == "__main__":
    main()
