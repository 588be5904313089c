"""How the parts of a stack are: one question to each, answered from the outside, the way its users meet it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg

from ioc import warehouse
from ioc.stack.postgres import EmbeddedPostgres

if TYPE_CHECKING:
    from collections.abc import Callable

    from ioc.settings import Settings

_TIMEOUT_S = 5


@dataclass(frozen=True)
class Health:
    """``ok``, and why not."""

    ok: bool
    detail: str = ""


def _get(url: str) -> tuple[int, str]:
    # Loopback only; a proxy from the environment must not come between.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=_TIMEOUT_S) as answer:
        return answer.status, answer.read(65536).decode(errors="replace")


def _http(url: str) -> Health:
    try:
        status, _ = _get(url)
    except urllib.error.HTTPError as error:
        return Health(False, f"{url} answers {error.code}")
    except OSError as error:
        return Health(False, f"{url} does not answer ({getattr(error, 'reason', None) or error})")
    return Health(status == 200, "" if status == 200 else f"{url} answers {status}")


def running(_: Settings) -> Health:
    """For a program without a door: the supervisor's word that it runs is all there is."""
    return Health(True)


def postgres(settings: Settings) -> Health:
    try:
        psycopg.connect(EmbeddedPostgres(settings).admin_url(), connect_timeout=_TIMEOUT_S).close()
    except psycopg.OperationalError as error:
        return Health(False, str(error).strip().splitlines()[-1])
    return Health(True)


def warehouse_answers(settings: Settings) -> Health:
    """The warehouse, wherever it stands."""
    try:
        with warehouse.connect("owner", settings):
            return Health(True)
    except warehouse.WarehouseUnreachable as error:
        return Health(False, str(error))


def sandbox(settings: Settings) -> Health:
    return _http(f"http://{settings.bind_host}:{settings.port_sandbox_http}/health")


def superset(settings: Settings) -> Health:
    return _http(f"http://{settings.bind_host}:{settings.port_superset}/health")


def portal(settings: Settings) -> Health:
    return _http(f"http://{settings.bind_host}:{settings.port_portal}/health")


def airflow_api(settings: Settings) -> Health:
    return _airflow(settings, "metadatabase")


def airflow_part(part: str) -> Callable[[Settings], Health]:
    """A part of Airflow that reports by heartbeats: ``scheduler``, ``dag_processor`` or ``triggerer``."""
    return lambda settings: _airflow(settings, part)


def _airflow(settings: Settings, part: str) -> Health:
    url = f"http://{settings.bind_host}:{settings.port_airflow}/api/v2/monitor/health"
    try:
        answer = json.loads(_get(url)[1])
    except (OSError, ValueError) as error:
        return Health(False, f"{url} does not answer ({getattr(error, 'reason', None) or error})")
    status = (answer.get(part) or {}).get("status")
    return Health(status == "healthy", "" if status == "healthy" else f"no heartbeat of the {part} yet")
