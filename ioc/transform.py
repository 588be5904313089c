"""The transform step: one ``dbt build`` for the domains that are due, its results copied to ``ops.dbt_run_result``.

Two kinds of run share one code path. The first build of a domain, and the first after the project changed, lays out
everything: seeds, views, data tests, and, when rules or reference data changed, history anew. Every other run touches
the incremental models only, so that the five-minute increment costs little more than starting dbt.

Runs do not wait for each other here: each incremental model locks itself and carries its own cursor
(``macros/cursor.sql``), and each concurrent process gets a target folder of its own, so the fast lane passes a long
build of other domains.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from filelock import FileLock, Timeout

from ioc import warehouse
from ioc.domains import all_domains, get_domain
from ioc.settings import PROJECT_ROOT, Settings, get_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

PROJECT = PROJECT_ROOT / "dbt_project"
# Models of the platform itself, laid out with every domain: what domains share, pipeline health, alerts.
_PLATFORM = ("shared", "ops", "alerts")
_LAYERS = ("staging", "intermediate", "marts", "serving", "alerting")
_LANES = 8
_FAILED = ("error", "fail", "runtime error")
_INSERT_RESULT = """
    insert into ops.dbt_run_result (
        invocation_id, unique_id, resource_type, domain, status, execution_time_s, rows_affected, failure_count,
        message, airflow_run_id
    ) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
    on conflict do nothing
"""


class TransformError(Exception):
    """dbt refused, or some of its nodes failed; the message names them and says how to go on."""


@dataclass(frozen=True)
class TransformReport:
    """What one run did.

    Attributes:
        domains: Domains that were built.
        kind: ``increment`` (new data only), ``layout`` (seeds, views and tests too) or ``rebuild`` (history anew).
        succeeded: Nodes that ended well, warnings included.
        failed: Nodes in error, and data tests that failed at severity error.
        skipped: Nodes left out because something above them failed.
        warned: Data tests that failed at severity warn.
        rows_affected: Rows that incremental models inserted or changed.
        elapsed_s: Wall time of dbt, its start included, seconds.
        invocation_id: Key into ``ops.dbt_run_result``.
        messages: One line per failed or warned node.
    """

    domains: list[str]
    kind: str
    succeeded: int
    failed: int
    skipped: int
    warned: int
    rows_affected: int
    elapsed_s: float
    invocation_id: str
    messages: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def run(
    domains: list[str] | None = None,
    *,
    full_refresh: bool = False,
    airflow_run_id: str | None = None,
    settings: Settings | None = None,
) -> TransformReport:
    """Build what is due of ``domains`` and of everything that hangs on them.

    Args:
        domains: Domain names; ``None`` or empty means every domain that has models.
        full_refresh: Recompute history, also where nothing is new. Readers keep seeing the old rows until each model's
            new ones are complete.
        airflow_run_id: Kept with the results, so that the health dashboard leads back to the run.
        settings: Settings of the stack; default: this process's.

    Returns:
        Counts by outcome. Domains without models are left out silently: they are planned, not broken. So are, unless
        asked for by name, domains that never loaded anything.

    Raises:
        KeyError: no such domain.
        WarehouseUnreachable: no server answers.
        TransformError: a domain asked for never loaded anything, or a node failed; what succeeded stays, and the next
            run takes up what is missing.
    """
    settings = settings or get_settings()
    asked = [get_domain(name).name for name in domains] if domains else [domain.name for domain in all_domains()]
    built = [name for name in asked if any((PROJECT / "models" / layer / name).is_dir() for layer in _LAYERS)]
    prints = _fingerprints(built, settings)
    with warehouse.connect("transformer", settings, autocommit=True) as connection:
        empty = _never_loaded(connection, built)
        if domains and empty:
            raise TransformError(f"nothing was ever loaded for {', '.join(empty)}: run 'ioc load {empty[0]}' first")
        built = [name for name in built if name not in empty]
        if not built:
            return TransformReport(asked, "increment", 0, 0, 0, 0, 0, 0.0, "")
        known = _known_prints(connection, built)
        laid_out = all(known.get(name) == prints[name] for name in built)
        full_refresh = full_refresh or any(known[name]["rules"] != prints[name]["rules"] for name in known)
        kind = "rebuild" if full_refresh else "increment" if laid_out else "layout"
        # The layout replaces views: nobody else builds meanwhile. Increments only keep layouts away.
        shared = "_shared" if laid_out else ""
        connection.execute(f"select pg_advisory_lock{shared}(hashtext('dbt-layout'))")
        if not laid_out:
            _write_domains(connection)
        results = _build(built, settings, laid_out=laid_out, full_refresh=full_refresh)
        report = _report(built, kind, results)
        _record(connection, results, airflow_run_id)
        if report.failed:
            raise TransformError(_explain(report))
        if not laid_out:
            for name in built:
                _remember(connection, name, prints[name])
    return report


def _build(domains: list[str], settings: Settings, *, laid_out: bool, full_refresh: bool) -> dict[str, Any]:
    """Run dbt once and return its ``run_results.json``, each result with the ``folder`` its node lives in."""
    select = [f"path:models/*/{name}+" for name in domains]
    arguments = ["--exclude-resource-type", "unit_test"]
    if laid_out:
        # Invariants (tests/) hold every increment; what only a changed project can break is tested with the layout.
        layout_tests = [f"resource_type:test,path:{folder}" for folder in ("models", "seeds")]
        arguments += ["--indirect-selection", "empty", "--exclude-resource-type", "seed"]
        arguments += ["--exclude", "config.materialized:view", *layout_tests]
    else:
        select += [f"path:seeds/{name}" for name in ("shared", *domains) if (PROJECT / "seeds" / name).is_dir()]
        select += [f"path:models/*/{name}" for name in _PLATFORM]
        # A test that also looks at a table of another domain belongs to that domain, which may not be built yet.
        arguments += ["--indirect-selection", "buildable"]
    if full_refresh:
        arguments.append("--full-refresh")
    with _lane(settings) as target:
        results = target / "run_results.json"
        results.unlink(missing_ok=True)
        finished = subprocess.run(
            [
                str(Path(sys.executable).parent / "dbt"), "--quiet", "build", "--select", *select, *arguments,
                "--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT),
                "--target-path", str(target), "--log-path", str(settings.logs / "dbt"), "--log-level-file", "info",
            ],
            env=environment(settings), cwd=PROJECT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if not results.exists():
            said = (finished.stdout + finished.stderr).strip()[-2000:]
            raise TransformError(f"dbt stopped before it built anything (exit {finished.returncode}): {said}")
        outcome = dict(json.loads(results.read_text()))
        nodes = json.loads((target / "manifest.json").read_text())["nodes"]
        for node in outcome["results"]:
            node["folder"] = Path(nodes.get(node["unique_id"], {}).get("original_file_path", "")).parent.name
        return outcome


@contextmanager
def _lane(settings: Settings) -> Iterator[Path]:
    """A target folder that no other running build uses: partial parsing stays warm and results are never mixed."""
    root = settings.home / "dbt"
    root.mkdir(parents=True, exist_ok=True)
    for number in range(_LANES):
        lock = FileLock(root / f"lane-{number}.lock", timeout=0 if number < _LANES - 1 else 3600)
        try:
            lock.acquire()
        except Timeout:
            continue
        try:
            target = root / f"lane-{number}"
            target.mkdir(exist_ok=True)
            yield target
        finally:
            lock.release()
        return
    raise TransformError(f"{_LANES} builds have been running for an hour: look at 'ioc status' and the log of dbt")


def environment(settings: Settings) -> dict[str, str]:
    """What dbt finds its warehouse by (profiles.yml); the password travels in the environment only."""
    at = urlsplit(warehouse.url("transformer", settings))
    return {
        **os.environ,
        "IOC_DBT_HOST": at.hostname or "127.0.0.1",
        "IOC_DBT_PORT": str(at.port or 5432),
        "IOC_DBT_USER": unquote(at.username or ""),
        "IOC_DBT_PASSWORD": unquote(at.password or ""),
        "IOC_DBT_DBNAME": at.path.lstrip("/"),
        "IOC_PORTAL_URL": settings.portal_url(),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }


def _fingerprints(domains: list[str], settings: Settings) -> dict[str, dict[str, str]]:
    """Per domain: what lays it out (addresses are part of links), and the rules among it, whose change means that
    history is computed anew."""

    def digest(paths: list[Path]) -> str:
        found = hashlib.sha256()
        for path in sorted(paths):
            found.update(str(path.relative_to(PROJECT_ROOT)).encode() + b"\0" + path.read_bytes())
        return found.hexdigest()

    def files(*folders: Path, suffixes: tuple[str, ...] = (".sql", ".csv", ".yml")) -> list[Path]:
        return [path for folder in folders for path in folder.rglob("*") if path.suffix in suffixes]

    models, seeds = PROJECT / "models", PROJECT / "seeds"
    common = [PROJECT / "dbt_project.yml", *files(PROJECT / "macros")]
    titles = [*(PROJECT_ROOT / "extractors").glob("*/domain.toml")]
    prints = {}
    for name in domains:
        computing = [models / layer / name for layer in _LAYERS if layer != "serving"]
        rules = [*common, *files(*computing, seeds / "shared", seeds / name, suffixes=(".sql", ".csv"))]
        platform = (models / layer / part for layer in _LAYERS for part in _PLATFORM)
        rest = files(*(models / layer / name for layer in _LAYERS), *platform, seeds / name)
        prints[name] = {
            "rules": digest(rules),
            "all": digest([*rules, *rest, *titles]),
            "portal": settings.portal_url(),
            "items": os.environ.get(f"IOC_ITEM_URL_{name.upper()}", ""),
        }
    return prints


def _never_loaded(connection: psycopg.Connection, domains: list[str]) -> list[str]:
    return [
        name
        for name in domains
        if connection.execute("select 1 from pg_namespace where nspname = %s", (f"raw_{name}",)).fetchone() is None
    ]


def _known_prints(connection: psycopg.Connection, domains: list[str]) -> dict[str, dict[str, str]]:
    rows = connection.execute(
        "select domain, value from ops.cursor where name = 'dbt-layout' and domain = any(%s)", (domains,)
    ).fetchall()
    return dict(rows)


def _remember(connection: psycopg.Connection, domain: str, prints: dict[str, str]) -> None:
    connection.execute(
        "insert into ops.cursor (domain, name, value) values (%s, 'dbt-layout', %s) "
        "on conflict (domain, name) do update set value = excluded.value, updated_at = clock_timestamp()",
        (domain, json.dumps(prints)),
    )


def _write_domains(connection: psycopg.Connection) -> None:
    """``ref.domain`` and the numbering of runs: what the project expects to find before its first model."""
    with connection.transaction():
        connection.execute("create sequence if not exists intermediate.transform_run")
        connection.execute(
            "create table if not exists ref.domain (domain text primary key, number integer not null, "
            "title_vi text not null, title_en text not null, status text not null, schedule text not null, "
            "tier integer not null, owner text not null, lane text not null, stale_after_minutes integer not null)"
        )
        connection.execute("delete from ref.domain")
        for domain in all_domains():
            row = {**asdict(domain), "domain": domain.name}
            columns = [name for name in row if name != "name"]
            connection.execute(
                f"insert into ref.domain ({', '.join(columns)}) values ({', '.join(['%s'] * len(columns))})",
                [row[name] for name in columns],
            )


def _report(domains: list[str], kind: str, results: dict[str, Any]) -> TransformReport:
    nodes = results["results"]

    def count(*statuses: str) -> int:
        return sum(node["status"] in statuses for node in nodes)

    return TransformReport(
        domains=domains,
        kind=kind,
        succeeded=count("success", "pass", "warn"),
        failed=count(*_FAILED),
        skipped=count("skipped"),
        warned=count("warn"),
        rows_affected=sum(
            max(node["adapter_response"].get("rows_affected") or 0, 0)
            for node in nodes
            if node["unique_id"].startswith("model.")
        ),
        elapsed_s=round(results["elapsed_time"], 1),
        invocation_id=results["metadata"]["invocation_id"],
        messages=[
            f"{node['unique_id']}: {' '.join(str(node['message']).split())}"
            for node in nodes
            if node["status"] in (*_FAILED, "warn")
        ],
    )


def _explain(report: TransformReport) -> str:
    return (
        f"{report.failed} of the models or tests of {', '.join(report.domains)} failed, {report.skipped} were skipped: "
        + "; ".join(report.messages)
        + " — what succeeded is kept; mend the cause and run 'ioc transform' again, it takes up what is missing"
    )


def _record(connection: psycopg.Connection, results: dict[str, Any], airflow_run_id: str | None) -> None:
    """Copy one row per node to ``ops.dbt_run_result``; its domain is the folder that the node lives in."""
    names = {domain.name for domain in all_domains()}
    rows = [
        (
            results["metadata"]["invocation_id"],
            node["unique_id"],
            node["unique_id"].split(".", 1)[0],
            node["folder"] if node["folder"] in names else None,
            node["status"],
            node["execution_time"],
            node["adapter_response"].get("rows_affected"),
            node["failures"],
            node["message"],
            airflow_run_id,
        )
        for node in results["results"]
        if not node["unique_id"].startswith("exposure.")
    ]
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(_INSERT_RESULT, rows)
