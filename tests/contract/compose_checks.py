"""What docker-compose.yml promises, checked against what the code offers. Every check returns the problems it sees."""

from __future__ import annotations

import importlib
import importlib.util
import re
import shlex
from typing import Any
from urllib.parse import urlsplit

import compose_code as code
from compose_code import SETTINGS, SUPERSET_SITE

from ioc.settings import PROJECT_ROOT, Settings

Compose = dict[str, Any]
PLATFORM, SUPERSET = "docker/platform.Dockerfile", "docker/superset.Dockerfile"
REQUIRED = {
    "postgres", "redis", "migrate", "airflow-api-server", "airflow-scheduler", "airflow-dag-processor",
    "airflow-triggerer", "airflow-worker", "superset", "superset-worker", "superset-beat", "portal", "notifier",
    "sandbox",
}  # fmt: skip
# Rooms whose code runs in a service, and roles that it must not hold: only migrations are done as owner, and the portal
# itself calls nearly all that `alerts` does as `portal`.
ROOMS: dict[str, tuple[tuple[str, ...], set[str]]] = {
    "portal": (("portal",), {"owner"}),
    "notifier": (("alerts",), {"owner", "portal"}),
    "airflow-worker": (("extractors", "expectations", "alerts", "superset_assets"), set()),
}
# Beginnings of the secrets with which messages leave.
GATEWAYS = ("sms_", "receipt_", "push_", "webhook_")
_VARIABLE = re.compile(r"(?<!\$)\$\{([A-Z0-9_]+)(?::?([-?])([^}]*))?\}")


def services(compose: Compose) -> dict[str, dict[str, Any]]:
    return compose["services"]


def dockerfile(service: dict[str, Any]) -> str:
    return service.get("build", {}).get("dockerfile", "")


def is_one_shot(service: dict[str, Any]) -> bool:
    return service.get("restart") == "no"


def completeness(compose: Compose) -> list[str]:
    return [f"service {name} is missing" for name in sorted(REQUIRED - set(services(compose)))]


def builds(compose: Compose) -> list[str]:
    """Dockerfiles exist, know their arguments, take base images by argument, copy what exists and is not ignored."""
    problems = []
    let_in = {line[1:] for line in (PROJECT_ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for name, service in services(compose).items():
        if "build" not in service:
            if not re.match(r"\$\{[A-Z]+_IMAGE:-[^}]+:[^}]+\}$", service.get("image", "")):
                problems.append(f"{name}: the image is not an argument with a pinned default: {service.get('image')}")
            continue
        path = PROJECT_ROOT / dockerfile(service)
        if not path.is_file():
            problems.append(f"{name}: no {dockerfile(service)}")
            continue
        lines = [line.split() for line in path.read_text().replace("\\\n", " ").splitlines() if line.strip()]
        declared = {words[1].split("=")[0] for words in lines if words[0] == "ARG"}
        stages = {words[3] for words in lines if words[0] == "FROM" and "AS" in words}
        problems += [f"{name}: {path.name} has no ARG {arg}" for arg in service["build"]["args"] if arg not in declared]
        for words in lines:
            if words[0] == "FROM" and not words[1].startswith("${") and words[1] not in stages:
                problems.append(f"{path.name}: FROM {words[1]} is not an argument")
            if words[0] == "COPY" and not words[1].startswith("--from"):
                for source in words[1:-1]:
                    if not (PROJECT_ROOT / source).exists():
                        problems.append(f"{path.name}: COPY {source} does not exist")
                    if source.split("/")[0] not in let_in:
                        problems.append(f"{path.name}: COPY {source} is kept out by .dockerignore")
    return problems


def commands(compose: Compose) -> list[str]:
    """Every command leads to a module, script or application that exists, with options that it takes."""
    problems = []
    for name, service in services(compose).items():
        if dockerfile(service) == PLATFORM:
            problems += [f"{name}: {problem}" for problem in _platform_command(service.get("command") or [])]
        elif dockerfile(service) == SUPERSET:
            problems += [f"{name}: {problem}" for problem in _superset_command(service.get("command") or [])]
    return problems


def _platform_command(given: list[str]) -> list[str]:
    service, *options = given or [""]
    if service == "migrate":
        return []
    try:
        line = [*code.run.command(service, SETTINGS), *options]
    except ValueError as error:
        return [str(error)]
    module, *rest = line[2:]
    if importlib.util.find_spec(module) is None:
        return [f"no module {module}"]
    if module == "uvicorn":
        target, _, attribute = rest[0].partition(":")
        application = importlib.import_module(target) if importlib.util.find_spec(target) else None
        return [] if hasattr(application, attribute) else [f"no application {rest[0]}"]
    if module == "airflow":
        return code.refused_by_airflow(rest)
    return []


def _superset_command(given: list[str]) -> list[str]:
    problems = []
    if given[0] != "python":
        problems.append(f"starts with {given[0]}")
    if given[1] != "-m":
        path = PROJECT_ROOT / given[1].removeprefix("/app/")
        return problems if given[1].startswith("/app/") and path.is_file() else [*problems, f"no {given[1]}"]
    if not any((SUPERSET_SITE / f"{given[2]}{end}").exists() for end in (".py", "/__main__.py")):
        problems.append(f"no module {given[2]} in Superset's environment")
    for word in given[3:]:
        if word.startswith("--app="):
            module = word.removeprefix("--app=").split(":")[0].replace(".", "/")
            if not (SUPERSET_SITE / f"{module}.py").exists():
                problems.append(f"no {word}")
    if given[2] == "gunicorn":
        problems += _gunicorn_differences(given)
    return problems


def _gunicorn_differences(given: list[str]) -> list[str]:
    """The deployment may have more workers and no --preload; everything else is the stack's own command."""
    from superset_assets import process

    own = process.web_command(SETTINGS)
    pairs = {own[i].lstrip("-"): own[i + 1] for i in range(3, len(own) - 1) if own[i].startswith("--")}
    problems = [] if given[-1] == own[-1] else [f"application {given[-1]} instead of {own[-1]}"]
    for word in given[3:-1]:
        option, _, value = word.lstrip("-").partition("=")
        if option not in pairs or (option != "workers" and pairs[option] != value):
            problems.append(f"--{option} {value} is not how the stack starts Superset ({pairs.get(option)})")
    return problems


def health(compose: Compose) -> list[str]:
    """Every service that stays has a check, and the check asks an address that somebody serves."""
    problems = []
    for name, service in services(compose).items():
        check = service.get("healthcheck")
        if check is None:
            if not is_one_shot(service):
                problems.append(f"{name}: no health check")
            continue
        words = shlex.split(check["test"][1]) if check["test"][0] == "CMD-SHELL" else check["test"][1:]
        for script in (word for word in words if word.startswith("/app/")):
            if not (PROJECT_ROOT / script.removeprefix("/app/")).is_file():
                problems.append(f"{name}: no {script}")
        if "airflow-worker-ping" in " ".join(words) and name != "airflow-worker":
            problems.append(f"{name}: pings a Celery worker")
        for word in words:
            if word.startswith("http://"):
                problems += _address_problems(name, word, services(compose))
        if "airflow" in words and words[-1] not in code.airflow_facts()["parts"]:
            problems.append(f"{name}: Airflow reports no {words[-1]}")
    return problems


def _address_problems(name: str, url: str, known: dict[str, Any]) -> list[str]:
    parts = urlsplit(url)
    server = name if parts.hostname == "127.0.0.1" else parts.hostname or ""
    if server not in known:
        return [f"{name}: no service {server} in {url}"]
    if parts.port not in code.listens_on(server):
        return [f"{name}: {server} does not listen on {parts.port}"]
    if parts.path not in code.paths_of(server):
        return [f"{name}: {server} does not serve {parts.path}"]
    return []


def ports(compose: Compose) -> list[str]:
    """Published ports exist inside, are taken once, and are bound to a host of the operator's choice."""
    problems, seen = [], set()
    for name, service in services(compose).items():
        for published in service.get("ports", []):
            host, outside, inside = re.sub(r":-", "\0", published).split(":")
            if int(inside) not in code.listens_on(name):
                problems.append(f"{name}: does not listen on {inside}")
            if not host.startswith("${PUBLISH_HOST"):
                problems.append(f"{name}: {published} is open to every network")
            if outside in seen:
                problems.append(f"{name}: {published} is taken")
            seen.add(outside)
    return problems


def variables(compose: Compose, text: str, example: str) -> list[str]:
    """Every variable means something to the code, stands in .env.example, and no secret has a value of its own."""
    problems = []
    fields = {f"IOC_{name.upper()}" for name in Settings.model_fields}
    read = code.variables_read_by_code()
    secrets = {f"IOC_SECRET_{name.upper()}" for name in code.secrets_of_code()}
    for name, service in services(compose).items():
        for variable, value in service.get("environment", {}).items():
            if variable.startswith("IOC_SECRET_"):
                if variable not in secrets:
                    problems.append(f"{name}: no code asks for the secret {variable}")
            elif variable.startswith("IOC_") and variable not in fields | read:
                problems.append(f"{name}: no code reads {variable}")
            if re.search(r"://[^/@:]*:[^/@]+@", _VARIABLE.sub("", str(value))):
                problems.append(f"{name}: {variable} holds a password")
    named = {match[1]: (match[2], match[3]) for match in _VARIABLE.finditer(text)}
    given = dict(line.split("=", 1) for line in example.splitlines() if "=" in line and not line.startswith("#"))
    problems += [f"{variable} is not in .env.example" for variable in sorted(set(named) - set(given))]
    problems += [f"{variable} of .env.example is used nowhere" for variable in sorted(set(given) - set(named))]
    for match in _VARIABLE.finditer(text):
        if is_secret(match[1]) and match[2] != "?":
            problems.append(f"{match[1]} must be asked for with :?")
    filled = [variable for variable, value in given.items() if is_secret(variable) and value]
    problems += [f"{variable} has a value in .env.example" for variable in filled]
    return problems


def is_secret(variable: str) -> bool:
    return variable.startswith("IOC_SECRET_") or "PASSWORD" in variable


def needs(compose: Compose) -> list[str]:
    """Every service is handed what its code cannot do without."""
    problems = []
    for name, service in services(compose).items():
        given = set(service.get("environment", {}))
        wanted: set[str] = set()
        rooms, denied = ROOMS.get(name, ((), set()))
        for room in rooms:
            wanted |= {f"IOC_SECRET_POSTGRES_{role.upper()}" for role in code.roles_of(room) - denied}
        held = {role for role in denied if f"IOC_SECRET_POSTGRES_{role.upper()}" in str(service.get("environment"))}
        problems += [f"{name}: must not hold {role}" for role in held]
        if dockerfile(service) == SUPERSET:
            wanted |= code.required_by_superset() | {"IOC_SUPERSET_REDIS_URL"}
        if name.startswith("airflow-"):
            wanted |= {"IOC_REDIS_URL", "IOC_SECRET_POSTGRES_AIRFLOW"}
            wanted |= {"IOC_SECRET_AIRFLOW_FERNET", "IOC_SECRET_AIRFLOW_JWT", "IOC_SECRET_AIRFLOW_API_SECRET"}
        if name == "migrate":
            accounts = {secret for secret in code.secrets_of_code() if secret.startswith("postgres_")}
            wanted |= {f"IOC_SECRET_{secret.upper()}" for secret in accounts | code.secrets_of_people()}
            wanted |= {"IOC_POSTGRES_ADMIN_URL"}
            wanted -= {"IOC_SECRET_POSTGRES_SUPERUSER"}
        if name == "portal":
            # Codes that verify an address, and messages sent again, are written as `alerts`.
            wanted |= {"IOC_SECRET_PORTAL_SESSION", "IOC_SECRET_SUPERSET_GUEST_JWT", "IOC_SECRET_POSTGRES_ALERTS"}
            wanted |= {"IOC_SECRET_RECEIPT_SIGNING", "IOC_SECRET_PUSH_VAPID", "IOC_SECRET_WEBHOOK_SIGNING"}
        if "alerts" in rooms:
            wanted |= {
                f"IOC_SECRET_{secret.upper()}" for secret in code.secrets_of_code() if secret.startswith(GATEWAYS)
            }
        if name == "superset-migrate":
            wanted |= {"IOC_SUPERSET_ADMIN_PASSWORD", "IOC_SUPERSET_ANALYST_PASSWORD"}
        if name == "sandbox":
            wanted |= {"IOC_SECRET_SANDBOX_FTP", "IOC_SECRET_SANDBOX_SFTP"}
            wanted |= {f"IOC_SECRET_{one.upper()}" for one in code.secrets_of_code() if one.startswith("sms_")}
        problems += [f"{name}: lacks {variable}" for variable in sorted(wanted - given)]
    return problems


def wiring(compose: Compose) -> list[str]:
    """Volumes are declared and lie where the code looks; what is waited for exists; addresses lead to services."""
    problems = []
    folders = {"postgres": "/var/lib/postgresql", "redis": "/data"}
    used = set()
    for name, service in services(compose).items():
        given = service.get("environment", {})
        expected = given.get("IOC_HOME") or given.get("IOC_SUPERSET_HOME") or folders.get(name)
        for mount in service.get("volumes", []):
            volume, target = mount.split(":")[:2]
            used.add(volume)
            if volume not in compose["volumes"]:
                problems.append(f"{name}: volume {volume} is not declared")
            if target != expected:
                problems.append(f"{name}: nothing lives in {target}")
        for other, how in service.get("depends_on", {}).items():
            if other not in services(compose):
                problems.append(f"{name}: waits for {other}, which does not exist")
                continue
            if how["condition"] == "service_healthy" and "healthcheck" not in services(compose)[other]:
                problems.append(f"{name}: {other} never becomes healthy")
            if (how["condition"] == "service_completed_successfully") != is_one_shot(services(compose)[other]):
                problems.append(f"{name}: {other} is waited for in the wrong way")
        for variable, value in service.get("environment", {}).items():
            for host, port in re.findall(r"^\w+://(?:[^@/]*@)?([a-z][a-z-]*):(\d+)", _VARIABLE.sub("x", str(value))):
                if host not in services(compose) or int(port) not in code.listens_on(host):
                    problems.append(f"{name}: {variable} leads to {host}:{port}, where nobody is")
    return problems + [f"volume {volume} is used by nobody" for volume in set(compose["volumes"]) - used]
