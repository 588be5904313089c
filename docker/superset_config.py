"""Superset's configuration in the deployment: the project's own, and Celery over Redis for what takes long."""

from __future__ import annotations

import os
from typing import Any

from cachelib.redis import RedisCache
from celery.schedules import crontab

from superset_assets.superset_config import *  # noqa: F403 (Superset reads the names of one module)

_redis = os.environ["IOC_SUPERSET_REDIS_URL"]


class CELERY_CONFIG:  # noqa: N801 (the name is Superset's)
    """Queries of SQL Lab run in the workers; beat removes old log lines."""

    broker_url = _redis
    result_backend = _redis
    imports = ("superset.sql_lab", "superset.tasks.scheduler", "superset.tasks.cache")
    worker_prefetch_multiplier = 1
    task_acks_late = False
    broker_connection_retry_on_startup = True
    beat_schedule: dict[str, dict[str, Any]] = {  # noqa: RUF012 (Celery reads a plain class)
        "prune_query": {
            "task": "prune_query",
            "schedule": crontab(minute=10, hour=1),
            "kwargs": {"retention_period_days": 180},
        },
        "prune_logs": {
            "task": "prune_logs",
            "schedule": crontab(minute=20, hour=1),
            "kwargs": {"retention_period_days": 180},
        },
    }


def _results() -> RedisCache:
    from urllib.parse import unquote, urlsplit

    parts = urlsplit(_redis)
    return RedisCache(
        host=parts.hostname or "", port=parts.port or 6379, password=unquote(parts.password or ""),
        db=int(parts.path.strip("/") or 0), key_prefix="ioc_results_",
    )  # fmt: skip


RESULTS_BACKEND = _results()
