"""Becomes one service of the deployment: ``python docker/run.py SERVICE [OPTIONS]``, the entry point of the image.

Commands and environments are those of the local stack (``ioc.stack``). What differs between one machine and a
deployment is stated here and nowhere else: Airflow's tasks run in Celery workers over Redis, and services find each
other by name.
"""

from __future__ import annotations

import os
import sys
from urllib.parse import urlsplit, urlunsplit

from ioc import warehouse
from ioc.console import Progress
from ioc.settings import Settings, get_settings
from ioc.stack import environment, preparation, programs

# Names of the services in docker-compose.yml that others call.
AIRFLOW_API = "airflow-api-server"
_WORKER = ["python", "-m", "airflow", "celery", "worker"]
_PING = ["python", "-m", "celery", "--app=airflow.providers.celery.executors.celery_executor.app", "inspect", "ping"]
_OF_THE_STACK = (
    "airflow-api-server", "airflow-scheduler", "airflow-dag-processor", "airflow-triggerer", "portal", "notifier",
    "sandbox",
)  # fmt: skip
# The last two are for people: docker compose exec airflow-scheduler python docker/run.py ioc load air_quality
SERVICES = (
    *_OF_THE_STACK, "airflow-worker", "airflow-worker-ping", "notifier-heartbeat", "migrate", "airflow", "ioc",
)  # fmt: skip


def command(service: str, settings: Settings) -> list[str]:
    """Command line of ``service``.

    Raises:
        ValueError: no such service; the message lists the known ones.
    """
    if service in _OF_THE_STACK:
        return next(program for program in programs.PROGRAMS if program.name == service).command(settings)
    known = {
        "airflow-worker": _WORKER,
        "airflow-worker-ping": _PING,
        "airflow": ["python", "-m", "airflow"],
        "ioc": ["python", "-m", "ioc.cli"],
    }
    if service not in known:
        raise ValueError(f"no service '{service}'; known: {', '.join(SERVICES)}")
    return known[service]


def environment_of(service: str, settings: Settings) -> dict[str, str]:
    """Environment of ``service``; secrets included: never log it.

    Raises:
        KeyError: ``IOC_REDIS_URL`` is not set.
    """
    if not service.startswith("airflow"):
        return environment.platform(settings)
    given = environment.airflow(settings)
    execution = urlsplit(given["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"])
    results = warehouse.service_url("airflow", settings).replace("postgresql://", "db+postgresql+psycopg2://", 1)
    return given | {
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "AIRFLOW__CORE__PARALLELISM": "64",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": urlunsplit(
            execution._replace(netloc=f"{AIRFLOW_API}:{settings.port_airflow}")
        ),
        "AIRFLOW__CELERY__BROKER_URL": os.environ["IOC_REDIS_URL"],
        "AIRFLOW__CELERY__RESULT_BACKEND": results,
        # A task that runs longer than this is given out a second time; nothing here takes a day.
        "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": "86400",
    }


def migrate(settings: Settings) -> None:
    """Bring every database to this version: roles, databases, schemas, first rules and logins. Idempotent.

    Raises:
        KeyError: ``IOC_POSTGRES_ADMIN_URL`` (a role that may create roles and databases) is not set.
    """
    admin = settings.model_copy(update={"warehouse_url": os.environ["IOC_POSTGRES_ADMIN_URL"]})
    warehouse.create_on_server(admin)
    settings.logs.mkdir(parents=True, exist_ok=True)
    applied = preparation.warehouse(settings, Progress())
    print(f"warehouse: {', '.join(applied) or 'the schema is current'}", flush=True)
    preparation.airflow(settings, Progress())


def has_heartbeat(settings: Settings) -> bool:
    """Whether the notifier finished a round within the last minute (it takes one every five seconds)."""
    with warehouse.connect("alerts", settings) as connection:
        row = connection.execute(
            "select now() - beat_at < interval '1 minute' from alert.heartbeat where service = 'notifier'"
        ).fetchone()
    return bool(row and row[0])


def main() -> None:
    """Run what the first argument names; the rest goes to it."""
    service, *options = sys.argv[1:] or ["ioc", "--help"]
    settings = get_settings()
    if service == "migrate":
        migrate(settings)
        return
    if service == "notifier-heartbeat":
        sys.exit(0 if has_heartbeat(settings) else 1)
    line = [*command(service, settings), *options]
    os.execvpe(line[0], line, environment_of(service, settings))


if __name__ == "__main__":
    main()
