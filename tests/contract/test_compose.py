"""The deployment files keep their promises, and every check that says so can fail."""

from __future__ import annotations

import copy
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import compose_checks as checks
import compose_code as code
import psycopg
import pytest
import yaml

from ioc import warehouse
from ioc.secrets import Secrets
from ioc.settings import PROJECT_ROOT, Settings
from ioc.stack.postgres import EmbeddedPostgres

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TEXT = (PROJECT_ROOT / "docker-compose.yml").read_text(encoding="utf-8")
EXAMPLE = (PROJECT_ROOT / ".env.example").read_text(encoding="utf-8")


def compose() -> checks.Compose:
    # A copy without shared anchors: a planted fault must hit one service only.
    return copy.deepcopy(yaml.safe_load(TEXT))


def own(service: dict[str, Any], key: str) -> dict[str, Any]:
    service[key] = copy.deepcopy(service[key])
    return service[key]


CHECKS = (
    checks.completeness, checks.builds, checks.commands, checks.health, checks.ports, checks.needs, checks.wiring,
)  # fmt: skip


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_compose_file_holds(check: Callable[[checks.Compose], list[str]]) -> None:
    assert check(compose()) == []


def test_every_variable_means_something_and_no_secret_has_a_value() -> None:
    assert checks.variables(compose(), TEXT, EXAMPLE) == []


def test_the_celery_worker_of_airflow_can_be_imported() -> None:
    assert code.airflow_facts()["worker"] == ""


Services = dict[str, dict[str, Any]]


def set_command(name: str, *words: str) -> Callable[[Services], None]:
    return lambda services: services[name].update(command=list(words))


def set_variable(name: str, variable: str, value: str | None) -> Callable[[Services], None]:
    def act(services: Services) -> None:
        environment = own(services[name], "environment")
        if value is None:
            del environment[variable]
        else:
            environment[variable] = value

    return act


def set_check(name: str, *words: str) -> Callable[[Services], None]:
    return lambda services: own(services[name], "healthcheck").update(test=["CMD", *words])


def ask(path: str) -> tuple[str, ...]:
    return ("python", "/app/docker/healthcheck.py", "http", path)


FAULTS: dict[str, tuple[Callable[[checks.Compose], list[str]], Callable[[Services], None], str]] = {
    "service left out": (checks.completeness, lambda s: s.pop("superset-beat"), "superset-beat is missing"),
    "no such Dockerfile": (
        checks.builds,
        lambda s: own(s["portal"], "build").update(dockerfile="docker/portal.Dockerfile"),
        "no docker/portal",
    ),
    "argument the Dockerfile does not know": (
        checks.builds,
        lambda s: own(s["portal"], "build").update(args={"BASE": "x"}),
        "no ARG BASE",
    ),
    "image without an argument": (
        checks.builds,
        lambda s: s["redis"].update(image="redis:latest"),
        "not an argument",
    ),
    "service the image does not know": (checks.commands, set_command("portal", "portall"), "no service 'portall'"),
    "option Airflow does not know": (
        checks.commands,
        set_command("airflow-worker", "airflow-worker", "--threads", "8"),
        "does not understand",
    ),
    "module that is not installed": (
        checks.commands,
        set_command("superset-worker", "python", "-m", "celeri", "--app=superset.tasks.celery_app:app"),
        "no module celeri",
    ),
    "application that does not exist": (
        checks.commands,
        set_command("superset-worker", "python", "-m", "celery", "--app=superset.tasks.app:app"),
        "no --app=superset.tasks.app:app",
    ),
    "script that does not exist": (
        checks.commands,
        set_command("superset-migrate", "python", "/app/superset_assets/init.py"),
        "no /app/superset",
    ),
    "Superset started in another way": (
        checks.commands,
        set_command("superset", "python", "-m", "gunicorn", "--bind=0.0.0.0:8088", "superset.app:create_app()"),
        "not how the stack starts",
    ),
    "no health check": (checks.health, lambda s: s["portal"].pop("healthcheck"), "portal: no health check"),
    "path nobody serves": (
        checks.health,
        set_check("portal", *ask("http://127.0.0.1:18000/healthz")),
        "does not serve /healthz",
    ),
    "path Superset does not serve": (
        checks.health,
        set_check("superset", *ask("http://127.0.0.1:18088/ready")),
        "does not serve /ready",
    ),
    "path Airflow does not serve": (
        checks.health,
        set_check("airflow-api-server", *ask("http://127.0.0.1:18080/health")),
        "does not serve /health",
    ),
    "path the sandbox does not serve": (
        checks.health,
        set_check("sandbox", *ask("http://127.0.0.1:18026/up")),
        "does not serve /up",
    ),
    "port nobody listens on": (
        checks.health,
        set_check("portal", *ask("http://127.0.0.1:8000/ready")),
        "does not listen on 8000",
    ),
    "part Airflow does not report": (
        checks.health,
        set_check(
            "airflow-scheduler",
            "python",
            "/app/docker/healthcheck.py",
            "airflow",
            "http://airflow-api-server:18080/api/v2/monitor/health",
            "dagprocessor",
        ),
        "reports no dagprocessor",
    ),
    "health script that does not exist": (
        checks.health,
        set_check("portal", "python", "/app/docker/health.py", "http"),
        "no /app/docker/health.py",
    ),
    "published port nobody listens on": (
        checks.ports,
        lambda s: s["portal"].update(ports=["${PUBLISH_HOST:-127.0.0.1}:18000:8000"]),
        "listen on 8000",
    ),
    "port open to every network": (
        checks.ports,
        lambda s: s["portal"].update(ports=["0.0.0.0:18000:18000"]),
        "open to every network",
    ),
    "port published twice": (
        checks.ports,
        lambda s: s["portal"].update(ports=["${PUBLISH_HOST:-127.0.0.1}:${PUBLISH_PORT_AIRFLOW:-18080}:18000"]),
        "is taken",
    ),
    "secret not handed over": (
        checks.needs,
        set_variable("portal", "IOC_SECRET_PORTAL_SESSION", None),
        "lacks IOC_SECRET_PORTAL_SESSION",
    ),
    "key of a message gateway not handed over": (
        checks.needs,
        set_variable("notifier", "IOC_SECRET_SMS_ESMS_API_KEY", None),
        "notifier: lacks IOC_SECRET_SMS_ESMS_API_KEY",
    ),
    "key of receipts not handed over": (
        checks.needs,
        set_variable("portal", "IOC_SECRET_RECEIPT_SIGNING", None),
        "portal: lacks IOC_SECRET_RECEIPT_SIGNING",
    ),
    "database role not handed over": (
        checks.needs,
        set_variable("airflow-worker", "IOC_SECRET_POSTGRES_LOADER", None),
        "lacks IOC_SECRET_POSTGRES_LOADER",
    ),
    "the owner's password in the portal": (
        checks.needs,
        set_variable(
            "portal", "IOC_WAREHOUSE_URL", "postgresql://ioc_owner:${IOC_SECRET_POSTGRES_OWNER:?}@postgres:5432/w"
        ),
        "portal: must not hold owner",
    ),
    "what Superset requires left out": (
        checks.needs,
        set_variable("superset", "IOC_PORTAL_ORIGIN", None),
        "superset: lacks IOC_PORTAL_ORIGIN",
    ),
    "volume not declared": (
        checks.wiring,
        lambda s: s["redis"].update(volumes=["cache:/data"]),
        "cache is not declared",
    ),
    "volume where nothing lives": (
        checks.wiring,
        lambda s: s["postgres"].update(volumes=["postgres_data:/var/lib/postgresql/data"]),
        "nothing lives",
    ),
    "waits for nobody": (
        checks.wiring,
        lambda s: own(s["portal"], "depends_on").update(db={"condition": "service_healthy"}),
        "waits for db",
    ),
    "waits for the health of what has none": (
        checks.wiring,
        lambda s: own(s["portal"], "depends_on").update(migrate={"condition": "service_healthy"}),
        "never becomes healthy",
    ),
    "address of nobody": (
        checks.wiring,
        set_variable("portal", "IOC_WAREHOUSE_URL", "postgresql://postgres:5433/warehouse"),
        "nobody is",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(name: str) -> None:
    check, plant, words = FAULTS[name]
    planted = compose()
    plant(checks.services(planted))
    assert any(words in problem for problem in check(planted)), check(planted)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text.replace("IOC_MAIL_FROM:", "IOC_MAIL_SENDER:"), "no code reads IOC_MAIL_SENDER"),
        (
            lambda text: text.replace("IOC_SECRET_AIRFLOW_JWT:", "IOC_SECRET_AIRFLOW_JVT:"),
            "no code asks for the secret",
        ),
        (lambda text: text.replace("${REDIS_PASSWORD:?}", "${REDIS_PASSWORD:-redis}"), "must be asked for with :?"),
        (lambda text: text.replace(":${REDIS_PASSWORD:?}@", ":redis@"), "holds a password"),
        (lambda text: text.replace("${IOC_VERSION:-local}", "${RELEASE:-local}"), "RELEASE is not in .env.example"),
    ],
)
def test_a_planted_fault_in_the_variables_is_found(change: Callable[[str], str], words: str) -> None:
    text = change(TEXT)
    assert text != TEXT
    assert any(words in problem for problem in checks.variables(yaml.safe_load(text), text, EXAMPLE))


def test_a_default_password_or_a_dead_line_in_the_example_is_found() -> None:
    wrong = EXAMPLE.replace("REDIS_PASSWORD=", "REDIS_PASSWORD=changeme") + "IOC_FORGOTTEN=1\n"
    problems = checks.variables(compose(), TEXT, wrong)
    assert "REDIS_PASSWORD has a value in .env.example" in problems
    assert "IOC_FORGOTTEN of .env.example is used nowhere" in problems


def test_make_env_fills_every_secret_once_and_keeps_an_existing_file(tmp_path: Path) -> None:
    make_env = code.load("make_env", PROJECT_ROOT / "docker/make_env.py")
    target = tmp_path / ".env"
    assert make_env.main(target) == 0
    given = dict(line.split("=", 1) for line in target.read_text().splitlines() if line and line[0] != "#")
    secrets = {name: value for name, value in given.items() if checks.is_secret(name)}
    assert len(secrets) > 20
    assert all(len(value) >= 32 for value in secrets.values())
    assert len(set(secrets.values())) == len(secrets)
    assert target.stat().st_mode & 0o077 == 0
    assert given["IOC_PUBLIC_URL"] == ""
    before = target.read_bytes()
    assert make_env.main(target) == 1
    assert target.read_bytes() == before


def test_airflow_in_containers_runs_its_tasks_in_celery(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("IOC_REDIS_URL", "redis://:geheim@redis:6379/0")
    settings = code.SETTINGS.model_copy(
        update={"home": tmp_path, "warehouse_url": "postgresql://ioc_owner:x@postgres:5432/warehouse"}
    )
    given = code.run.environment_of("airflow-worker", settings)
    assert given["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"
    assert given["AIRFLOW__CELERY__BROKER_URL"] == "redis://:geheim@redis:6379/0"
    assert given["AIRFLOW__CELERY__RESULT_BACKEND"].startswith("db+postgresql+psycopg2://ioc_airflow:")
    assert given["AIRFLOW__CELERY__RESULT_BACKEND"].endswith("@postgres:5432/airflow")
    assert given["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://airflow-api-server:18080/execution/"
    assert not [name for name in code.run.environment_of("portal", settings) if name.startswith("AIRFLOW")]


def test_the_one_shot_service_brings_an_empty_server_to_this_version_and_may_run_again(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        base = probe.getsockname()[1] - 32
    own = EmbeddedPostgres(Settings(_env_file=None, home=tmp_path, port_base=base, warehouse_url=None))
    own.start_detached()
    try:
        server = f"127.0.0.1:{own.settings.port_postgres}"
        owner = Secrets.of(own.settings).get("postgres_owner")
        environment = {
            **os.environ,
            "IOC_HOME": str(tmp_path),
            "IOC_WAREHOUSE_URL": f"postgresql://ioc_owner:{owner}@{server}/warehouse",
            "IOC_POSTGRES_ADMIN_URL": own.admin_url("warehouse"),
            "IOC_REDIS_URL": "redis://redis:6379/0",
            "PYTHONPATH": str(PROJECT_ROOT),
        }
        for _ in range(2):
            done = subprocess.run(
                [sys.executable, PROJECT_ROOT / "docker/run.py", "migrate"],
                env=environment, cwd=tmp_path, capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
        with psycopg.connect(own.admin_url("warehouse")) as connection:
            assert connection.execute("select count(*) from alert.rule").fetchone() > (0,)
            assert connection.execute("select count(*) from portal.account").fetchone() == (4,)
        with psycopg.connect(own.admin_url("airflow")) as connection:
            logins = connection.execute("select username from ab_user order by 1").fetchall()
        assert logins == [("admin",), ("engineer",), ("viewer",)]
        assert done.stdout.startswith("warehouse: the schema is current")
        assert owner not in done.stdout + done.stderr
    finally:
        own.stop()


def test_the_notifier_is_well_while_its_heartbeat_is_fresh(settings: Settings) -> None:
    assert not code.run.has_heartbeat(settings)
    with warehouse.connect("alerts", settings) as connection:
        connection.execute("insert into alert.heartbeat (service, beat_at, detail) values ('notifier', now(), '{}')")
    assert code.run.has_heartbeat(settings)
    with warehouse.connect("alerts", settings) as connection:
        connection.execute("update alert.heartbeat set beat_at = now() - interval '2 minutes'")
    assert not code.run.has_heartbeat(settings)


def test_superset_in_containers_has_the_projects_configuration_and_celery(tmp_path: Path) -> None:
    script = (
        "import superset.config as c; "
        "print(c.CELERY_CONFIG.broker_url, type(c.RESULTS_BACKEND).__name__, c.BABEL_DEFAULT_LOCALE); "
        "import ast, pathlib, superset; "
        "text = (pathlib.Path(superset.__file__).parent / 'tasks/scheduler.py').read_text(); "
        'assert all(f\'name="{job["task"]}"\' in text for job in c.CELERY_CONFIG.beat_schedule.values())'
    )
    environment = {
        "PATH": "/usr/bin:/bin", "PYTHONPATH": str(PROJECT_ROOT), "IOC_SUPERSET_HOME": str(tmp_path),
        "SUPERSET_CONFIG_PATH": str(PROJECT_ROOT / "docker/superset_config.py"),
        "IOC_SUPERSET_DATABASE_URI": "postgresql://ioc_superset:x@postgres:5432/superset",
        "IOC_SUPERSET_REDIS_URL": "redis://:geheim@redis:6379/1",
        "IOC_SUPERSET_SECRET_KEY": "k" * 32, "IOC_SUPERSET_GUEST_JWT": "g" * 32,
        "IOC_PORTAL_ORIGIN": "https://ioc.example",
    }  # fmt: skip
    python = PROJECT_ROOT / "superset_assets/env/.venv/bin/python"
    done = subprocess.run([python, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].split() == ["redis://:geheim@redis:6379/1", "RedisCache", "vi"]


@pytest.mark.parametrize(
    ("kind", "target", "well"), [("fresh", "schedule", 0), ("fresh", "nothing", 1), ("flat", "x", 1)]
)
def test_the_health_script_says_yes_and_no(tmp_path: Path, kind: str, target: str, well: int) -> None:
    (tmp_path / "schedule.db").write_text("x")
    command = [sys.executable, PROJECT_ROOT / "docker/healthcheck.py", kind, tmp_path / target, "60"]
    assert subprocess.run(command, check=False, capture_output=True).returncode == well
