"""What the code of the project offers to a deployment: commands, ports, paths, variables, secrets, roles."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ioc import domains, warehouse
from ioc.settings import PROJECT_ROOT, Settings
from ioc.stack.airflow_setup import PEOPLE
from ioc.stack.programs import PROGRAMS

SUPERSET_SITE = PROJECT_ROOT / "superset_assets/env/.venv/lib/python3.11/site-packages"
# As in the containers: no IOC_PORT_BASE there.
SETTINGS = Settings(_env_file=None, home=Path("/var/lib/ioc"), bind_host="0.0.0.0", port_base=18000)
FOREIGN_PORTS = {"postgres": 5432, "redis": 6379}


def load(name: str, path: Path) -> Any:
    """A module that lies outside every package."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


run = load("deployment_run", PROJECT_ROOT / "docker/run.py")


def listens_on(name: str) -> set[int]:
    """Ports of a service, from the stack's own table of programs."""
    ports = {program.name: {int(getattr(SETTINGS, port)) for port in program.ports} for program in PROGRAMS}
    return {FOREIGN_PORTS[name]} if name in FOREIGN_PORTS else ports.get(name, set())


@cache
def paths_of(server: str) -> frozenset[str]:
    """Paths that a service answers, from the application itself."""
    if server == "portal":
        from portal.app import app

        return frozenset(_paths(app.routes))
    if server == "sandbox":
        from sandbox.control import build

        return frozenset(_paths(build(None, {}, {}).routes))
    if server == "superset":
        tree = ast.parse((SUPERSET_SITE / "superset/views/health.py").read_text())
        texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
        return frozenset(text for text in texts if isinstance(text, str) and text.startswith("/"))
    return frozenset(airflow_facts()["paths"]) if server == "airflow-api-server" else frozenset()


def _paths(routes: Any) -> list[str]:
    return [route.path for route in routes if hasattr(route, "path")]


def _sources(*rooms: str) -> list[Path]:
    return [path for room in rooms for path in (PROJECT_ROOT / room).rglob("*.py") if ".venv" not in path.parts]


@cache
def variables_read_by_code() -> frozenset[str]:
    """Names of variables that Python code of the project looks up, and the sources of the domains."""
    found = {f"IOC_SOURCE_{domain.name.upper()}" for domain in domains.all_domains()}
    for path in _sources("ioc", "superset_assets", "docker", "portal", "alerts", "extractors", "expectations"):
        found |= set(re.findall(r"(?:environ(?:\.get)?[\[(]|_required\(|_secret\()\"(IOC_[A-Z_]+)\"", path.read_text()))
    return frozenset(found)


def required_by_superset() -> set[str]:
    text = (PROJECT_ROOT / "superset_assets/superset_config.py").read_text()
    return set(re.findall(r"(?:_required|_secret)\(\"(IOC_[A-Z_]+)\"\)", text))


def secrets_of_people() -> set[str]:
    from portal.users import INITIAL_USERS

    return {f"airflow_{login}" for login in PEOPLE} | {f"portal_{user}" for user in INITIAL_USERS}


_BEGINNINGS = "postgres|airflow|superset|portal|sandbox|sms|receipt|push|webhook"


@cache
def secrets_of_code() -> frozenset[str]:
    """Names of all secrets that the code asks for."""
    found = secrets_of_people() | {f"postgres_{account}" for account in (*warehouse.ROLES, *warehouse.SERVICES)}
    for path in _sources("ioc", "portal", "superset_assets", "sandbox", "alerts"):
        text = path.read_text()
        if "ecrets" in text:
            found |= set(re.findall(rf"\.get\(\"((?:{_BEGINNINGS})_[a-z_]+)\"\)", text))
    return frozenset(found)


def roles_of(room: str) -> set[str]:
    """Database roles as which a room connects."""
    pattern = re.compile(r"warehouse\.(?:connect|url)\(\s*\"([a-z_]+)\"")
    return {role for path in _sources(room) for role in pattern.findall(path.read_text())}


_ASK_AIRFLOW = """
import json, sys, io, contextlib
from airflow.cli import cli_parser
parser = cli_parser.get_parser()
refused = {}
for line in json.loads(sys.argv[1]):
    words = io.StringIO()
    try:
        with contextlib.redirect_stderr(words):
            parser.parse_args(line)
        refused[json.dumps(line)] = []
    except SystemExit:
        refused[json.dumps(line)] = [f"airflow does not understand {' '.join(line)}"]
from airflow.api_fastapi.core_api.datamodels.monitor import HealthInfoResponse
from airflow.api_fastapi.core_api.routes.public import public_router
paths = [route.path for route in public_router.routes if hasattr(route, "path")]
try:
    import airflow.providers.celery.executors.celery_executor_utils
    worker = ""
except ImportError as error:
    worker = str(error)
facts = {"refused": refused, "paths": paths, "parts": list(HealthInfoResponse.model_fields), "worker": worker}
print("\\n" + json.dumps(facts))
"""


def _facts(lines: list[list[str]]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            [sys.executable, "-c", _ASK_AIRFLOW, json.dumps(lines)],
            env={**os.environ, "AIRFLOW_HOME": home}, capture_output=True, text=True, check=True,
        )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


@cache
def airflow_facts() -> dict[str, Any]:
    """What Airflow says of command lines, its health report and its Celery worker; asked once, in a process apart."""
    compose = yaml.safe_load((PROJECT_ROOT / "docker-compose.yml").read_text())
    # The test's planted line is asked along, because every question costs a start of Airflow.
    lines = [["celery", "worker", "--threads", "8"]]
    for service in compose["services"].values():
        name, *options = service.get("command") or [""]
        if name.startswith("airflow-"):
            lines.append([*run.command(name, SETTINGS)[3:], *options])
    return _facts(lines)


def refused_by_airflow(line: list[str]) -> list[str]:
    known = airflow_facts()["refused"].get(json.dumps(line))
    return _facts([line])["refused"][json.dumps(line)] if known is None else known
