"""How Superset runs: the environment and the commands of its processes, for the stack, the tests and the containers.

Platform side: standard library and ``ioc`` only. Superset lives in an interpreter of its own, so these are commands.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

from ioc import warehouse
from ioc.secrets import Secrets
from ioc.settings import Settings, get_settings

ROOM = Path(__file__).resolve().parent
ENVIRONMENT = ROOM / "env" / ".venv"


def home(settings: Settings) -> Path:
    """Folder of Superset's caches."""
    return settings.home / "superset"


def environment(settings: Settings | None = None, *, with_passwords: bool = False) -> dict[str, str]:
    """Environment variables of every Superset process of this stack; secrets included: never log it.

    Args:
        settings: Settings of the stack; default: this process's.
        with_passwords: Also the people's passwords, which only :func:`bootstrap_command` needs.
    """
    settings = settings or get_settings()
    secrets = Secrets.of(settings)
    variables = {
        "SUPERSET_CONFIG_PATH": str(ROOM / "superset_config.py"),
        "FLASK_APP": "superset.app:create_app()",
        "IOC_SUPERSET_DATABASE_URI": warehouse.service_url("superset", settings),
        "IOC_SUPERSET_SECRET_KEY": secrets.get("superset_secret_key"),
        "IOC_SUPERSET_GUEST_JWT": secrets.get("superset_guest_jwt"),
        "IOC_SUPERSET_HOME": str(home(settings)),
        "IOC_SUPERSET_PUBLIC_URL": settings.superset_url(),
        "IOC_SUPERSET_COOKIE": f"ioc_superset_{settings.port_superset}",
        "IOC_PORTAL_ORIGIN": settings.portal_url(),
        "IOC_SUPERSET_WAREHOUSE_DATABASE": urlsplit(warehouse.url("bi_reader", settings)).path.lstrip("/"),
    }
    if os.environ.get("IOC_SUPERSET_REDIS_URL"):
        variables["IOC_SUPERSET_REDIS_URL"] = os.environ["IOC_SUPERSET_REDIS_URL"]
    if with_passwords:
        variables["IOC_SUPERSET_ADMIN_PASSWORD"] = secrets.get("superset_admin")
        variables["IOC_SUPERSET_ANALYST_PASSWORD"] = secrets.get("superset_analyst")
    return variables


def bootstrap_command() -> list[str]:
    """Prepares the metadata database (needs ``environment(with_passwords=True)``); safe to run at every start."""
    return [str(ENVIRONMENT / "bin" / "python"), str(ROOM / "bootstrap.py")]


def web_command(settings: Settings | None = None, *, workers: int = 1) -> list[str]:
    """The web server in the foreground, for the process supervisor; answers 200 on ``/health``.

    Args:
        settings: Settings of the stack; default: this process's.
        workers: Processes. Requests mostly wait for the database, so threads serve them; another worker costs 250 MB.
    """
    settings = settings or get_settings()
    return [
        str(ENVIRONMENT / "bin" / "python"), "-m", "gunicorn",
        "--bind", f"{settings.bind_host}:{settings.port_superset}",
        "--workers", str(workers), "--worker-class", "gthread", "--threads", "12",
        "--timeout", "120", "--keep-alive", "5",
        # The workers share what the application has loaded: half the start-up work and memory.
        "--preload",
        # Its place is the home folder of the user: two stacks would share it.
        "--no-control-socket",
        "superset.app:create_app()",
    ]  # fmt: skip
