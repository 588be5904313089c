"""The environment of every process of a stack, computed in one place.

A process of the stack never guesses a port, a folder or a password: it finds them in its environment, and this module
is the only one that fills it in. ``ioc load`` and the other commands use the same functions, so a command on the
terminal sees the same sources and the same databases as the task that Airflow runs.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from ioc import domains, warehouse
from ioc.secrets import Secrets
from ioc.settings import PROJECT_ROOT, TIME_ZONE, Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

# Marks every process of a stack, whatever becomes of its parent: `ioc up` finds the orphans of a killed stack by it. It
# is not IOC_HOME, because a person's own shell may export that.
MARKER = "IOC_STACK"
# Two cores: two DAG files at a time, eight task slots of which the pools keep some for the five-minute lane.
AIRFLOW_PARALLELISM = 8


def of_settings(settings: Settings) -> dict[str, str]:
    """The settings as ``IOC_*`` variables, so that a child process reads exactly these and no ``.env`` of its own."""
    prefix = str(Settings.model_config.get("env_prefix", ""))
    given = settings.model_dump(mode="json", exclude_none=True)
    return {f"{prefix}{name.upper()}": _text(value) for name, value in given.items()}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def sources(settings: Settings, sandbox: Path = PROJECT_ROOT / "sandbox") -> dict[str, str]:
    """``IOC_SOURCE_<DOMAIN>`` of every domain whose source is configured, or stands in the sandbox.

    What the environment says wins. Otherwise, when the sandbox runs, the URIs are those of ``uris`` in
    ``sandbox/<domain>/source.toml``, in which ``{secret:NAME}``, ``{home}`` and ports (``{port_ftp}``) are filled in;
    and ``item_url``, if it has one, becomes ``IOC_ITEM_URL_<DOMAIN>``, the page of one item (``{id}``) there.

    Raises:
        ValueError: a ``source.toml`` cannot be read, or asks for an unknown name; the message names the file.
    """
    found = {}
    for domain in domains.all_domains():
        variable = f"IOC_SOURCE_{domain.name.upper()}"
        if os.environ.get(variable):
            found[variable] = os.environ[variable]
            continue
        path = sandbox / domain.name / "source.toml"
        if settings.with_sandbox and path.exists():
            try:
                declared = tomllib.loads(path.read_text(encoding="utf-8"))
                found[variable] = " ".join(_filled_in(uri, settings) for uri in declared["uris"])
                if page := declared.get("item_url"):
                    item_url = f"IOC_ITEM_URL_{domain.name.upper()}"
                    found[item_url] = os.environ.get(item_url) or _filled_in(page, settings)
            except (tomllib.TOMLDecodeError, KeyError, AttributeError) as error:
                raise ValueError(f"{path}: {error!r}; it needs a list 'uris'") from error
    return found


def _filled_in(template: str, settings: Settings) -> str:
    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name.startswith("secret:"):
            return quote(Secrets.of(settings).get(name.removeprefix("secret:")), safe="")
        if name == "id":
            return "{id}"
        if name in ("home", "bind_host") or name.startswith("port_"):
            # A folder name with a space must not become two sources.
            return quote(str(getattr(settings, name)))
        raise AttributeError(name)

    return re.sub(r"\{([a-z_:]+)\}", value, template)


def apply(settings: Settings) -> None:
    """Put settings and sources into this process's own environment, where the platform's code looks."""
    os.environ.update(of_settings(settings))
    os.environ.update(sources(settings))


def platform(settings: Settings) -> dict[str, str]:
    """Environment of every process of the platform: the caller's own, settings, sources, the marker of the stack."""
    environment = {name: value for name, value in os.environ.items() if _is_welcome(name)}
    environment |= {
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath))),
        "PYTHONPATH": str(PROJECT_ROOT),
        "PYTHONUNBUFFERED": "1",
        "LANG": "C.UTF-8",
        "TZ": TIME_ZONE,
        MARKER: str(settings.home),
        # setproctitle (Airflow, Gunicorn) would overwrite the memory that holds the marker.
        "SPT_NOENV": "1",
    }
    return environment | of_settings(settings) | sources(settings)


def _is_welcome(name: str) -> bool:
    # Settings of an Airflow, Superset or dbt outside this project would silently win over ours.
    return not name.startswith(("AIRFLOW", "SUPERSET_", "DBT_", "FLASK_", "PYTHON", "SUPERVISOR_"))


def airflow(settings: Settings) -> dict[str, str]:
    """Environment of Airflow's processes: LocalExecutor on the database ``airflow``, real logins, two cores in mind."""
    secrets = Secrets.of(settings)
    home = settings.home / "airflow"
    prefix = urlsplit(settings.airflow_url()).path.rstrip("/")
    jwt_secret = hashlib.sha512(secrets.get("airflow_jwt").encode()).hexdigest()
    options: dict[str, dict[str, object]] = {
        "core": {
            "dags_folder": PROJECT_ROOT / "dags",
            "plugins_folder": home / "plugins",
            "executor": "LocalExecutor",
            "auth_manager": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
            "fernet_key": _fernet_key(secrets.get("airflow_fernet")),
            "parallelism": AIRFLOW_PARALLELISM,
            "max_active_tasks_per_dag": AIRFLOW_PARALLELISM,
            "load_examples": False,
            "dags_are_paused_at_creation": False,
            "default_timezone": TIME_ZONE,
            "execution_api_server_url": f"http://127.0.0.1:{settings.port_airflow}{prefix}/execution/",
            "mp_start_method": "fork",
            "dagbag_import_timeout": 60,
            "test_connection": "Disabled",
        },
        "database": {
            "sql_alchemy_conn": warehouse.service_url("airflow", settings).replace(
                "postgresql://", "postgresql+psycopg2://", 1
            ),
            "sql_alchemy_pool_size": 5,
            "check_migrations": False,
        },
        "logging": {
            "base_log_folder": home / "logs",
            "dag_processor_child_process_log_directory": home / "logs" / "dag_processor",
            "worker_log_server_port": settings.port_airflow_worker_logs,
            "colored_console_log": False,
        },
        "api": {
            "base_url": settings.airflow_url(),
            "host": settings.bind_host,
            "port": settings.port_airflow,
            "workers": 1,
            "secret_key": secrets.get("airflow_api_secret"),
            "expose_config": False,
            "instance_name": "IOC Thanh Hóa",
        },
        "api_auth": {"jwt_secret": jwt_secret, "jwt_issuer": f"ioc-{settings.port_airflow}"},
        "fab": {
            "config_file": PROJECT_ROOT / "ioc" / "stack" / "airflow_webserver_config.py",
            "update_fab_perms": False,
        },
        "workers": {"execution_api_timeout": 30, "execution_api_retries": 8},
        "scheduler": {
            "scheduler_health_check_threshold": 60,
            "orphaned_tasks_check_interval": 60,
            "catchup_by_default": False,
        },
        "dag_processor": {
            "refresh_interval": 30,
            "min_file_process_interval": 120,
            "health_check_threshold": 90,
            "dag_file_processor_timeout": 90,
        },
        "triggerer": {"triggerer_health_check_threshold": 90},
    }
    environment = platform(settings) | {
        "AIRFLOW_HOME": str(home),
        "IOC_AIRFLOW_COOKIE": f"airflow_{settings.port_airflow}",
    }
    for section, values in options.items():
        for option, value in values.items():
            environment[f"AIRFLOW__{section.upper()}__{option.upper()}"] = str(value)
    return environment


def _fernet_key(secret: str) -> str:
    # Fernet wants exactly 32 bytes in URL-safe base 64, whatever the length of the secret.
    return base64.urlsafe_b64encode(hashlib.sha256(secret.encode()).digest()).decode()


def superset(settings: Settings, *, with_passwords: bool = False) -> dict[str, str]:
    """Environment of Superset's processes, which run in an interpreter of their own.

    Args:
        settings: Settings of the stack.
        with_passwords: Also the people's passwords, which only the preparation of its database needs.
    """
    from superset_assets import process

    own = process.environment(settings, with_passwords=with_passwords)
    search = (str(process.ENVIRONMENT / "bin"), os.environ.get("PATH", os.defpath))
    return platform(settings) | own | {"PATH": os.pathsep.join(search), "VIRTUAL_ENV": str(process.ENVIRONMENT)}


def fingerprint(environment: Mapping[str, str]) -> str:
    """Digest of the settings in an environment: tells whether a running stack still has the settings of now."""
    ours = {name: value for name, value in environment.items() if name.startswith(("IOC_", "AIRFLOW__", "SUPERSET_"))}
    return hashlib.sha256(json.dumps(ours, sort_keys=True).encode()).hexdigest()
