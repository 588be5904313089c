"""What every DAG must satisfy, as functions over an inventory: they serve the project's DAGs and the planted faults."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from ioc.domains import Domain, all_domains
from ioc.settings import PROJECT_ROOT

TASKS = {"extract": ["validate", "watch"], "validate": ["publish", "watch"], "publish": ["transform", "watch"],
         "transform": ["watch"], "watch": []}  # fmt: skip
PLATFORM_DAGS: dict[str, dict[str, list[str]]] = {
    "backup_warehouse": {"dump": []},
    "evaluate_alerts": {
        "evaluate": ["reconcile"],
        "reconcile": ["notify", "procedures"],
        "notify": [],
        "procedures": [],
    },
    "maintain_warehouse": {
        "audit": [],
        "files": [],
        "history": [],
        "partitions": [],
        "reachability": [],
        "retention": [],
        "statistics": [],
    },
    "publish_superset": {"push": []},
}
# The whole vocabulary, written down a second time: a new word must be wanted twice.
TAGS = {domain.name for domain in all_domains()} | {"fast", "batch", "tier-1", "tier-2", "tier-3", "platform"}
# A DAG file that reaches one of these does not parse in a fraction of a second.
HEAVY = {"pandas", "numpy", "great_expectations", "dbt", "alerts", "extractors", "expectations", "superset_assets",
         "psycopg", "paramiko", "requests", "pydantic_settings", "scipy"}  # fmt: skip
# Modules that the five DAG files and their helpers bring in beyond what a parse of nothing has loaded: 55 today.
MOST_MODULES = 75


def read(folders: list[Path], airflow_home: Path) -> list[dict[str, Any]]:
    """Inventory of each folder of DAG files, read in a process of its own."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
        "AIRFLOW_HOME": str(airflow_home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "PYTHONPATH": str(PROJECT_ROOT),
    }
    script = Path(__file__).with_name("inventory.py")
    done = subprocess.run(
        [sys.executable, str(script), *map(str, folders)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def problems(inventory: dict[str, Any]) -> list[str]:
    """Everything that is wrong with the DAGs themselves, one sentence each."""
    found = [f"{name} does not import: {error}" for name, error in inventory["errors"].items()]
    heavy = {name.split(".")[0] for name in inventory["imported"]} & HEAVY
    found += [f"parsing imports {name}" for name in sorted(heavy)]
    if len(inventory["imported"]) > MOST_MODULES:
        found.append(f"parsing imports {len(inventory['imported'])} modules")
    for dag_id, dag in inventory["dags"].items():
        found += [f"{dag_id}: {problem}" for problem in (*_of_dag(dag_id, dag), *_of_tasks(dag))]
    return found


def _of_dag(dag_id: str, dag: dict[str, Any]) -> list[str]:
    found = []
    tags = set(dag["tags"])
    if dag["file"] != f"{dag_id}.py":
        found.append(f"its file is {dag['file']}")
    if dag["file"].startswith("dbt_"):
        found.append("dbt would import a file of that name")
    if tags - TAGS:
        found.append(f"unknown tags {sorted(tags - TAGS)}")
    if len([tag for tag in tags if tag.startswith("tier-")]) != 1:
        found.append("it needs exactly one tier")
    if len(tags & {"fast", "batch"}) != 1:
        found.append("it needs exactly one lane")
    if dag["catchup"] or dag["max_active_runs"] != 1:
        found.append("runs must not pile up: catchup off, one active run")
    missing = [word for word in ("Triage", "Clear", "Re-trigger") if word not in dag["doc"]]
    if missing or len(dag["doc"].split("\n")[0]) < 10:
        found.append(f"its page lacks {missing or 'a title'}")
    if dag["schedule"]["time_zone"] != "Asia/Ho_Chi_Minh":
        found.append("its schedule is not in Vietnam's civil time")
    return found


def _of_tasks(dag: dict[str, Any]) -> list[str]:
    found = []
    for task_id, task in dag["tasks"].items():
        if task["owner"] in ("", "airflow"):
            found.append(f"{task_id} has no owner")
        if task["retries"] and task["retry_policy"] != "ByRecovery":
            found.append(f"{task_id} retries every error")
        if not task["timeout_s"]:
            found.append(f"{task_id} may hang for ever")
        if ("batch" in dag["tags"]) != (task["pool"] == "batch"):
            found.append(f"{task_id} is in the wrong pool for its lane")
    return found


def domain_problems(inventory: dict[str, Any], domains: list[Domain]) -> list[str]:
    """What the DAGs of these domains lack of the corridor."""
    found = []
    for domain in domains:
        dag = inventory["dags"].get(domain.name)
        if dag is None:
            found.append(f"{domain.name}: no DAG")
            continue
        tasks = {task_id: task["downstream"] for task_id, task in dag["tasks"].items()}
        if tasks != TASKS:
            found.append(f"{domain.name}: tasks {tasks}")
            continue
        emitted = {task_id: task["outlets"] for task_id, task in dag["tasks"].items() if task["outlets"]}
        if emitted != {"transform": [f"ioc://{domain.name}/"]}:
            found.append(f"{domain.name}: emits {emitted}")
        if dag["schedule"]["cron"] != domain.schedule:
            found.append(f"{domain.name}: runs at {dag['schedule']['cron']}, declared {domain.schedule}")
        if not {domain.name, domain.lane, f"tier-{domain.tier}"} <= set(dag["tags"]):
            found.append(f"{domain.name}: tags {dag['tags']}")
        if {task["owner"] for task in dag["tasks"].values()} != {domain.owner}:
            found.append(f"{domain.name}: another owner than {domain.owner}")
        if any(dag["tasks"][name]["at_once"] != 1 for name in ("extract", "validate", "publish", "transform")):
            found.append(f"{domain.name}: two runs could do the same step at once")
    return found


def schedules(inventory: dict[str, Any]) -> dict[str, str]:
    """One line per DAG: when it runs."""
    lines = {}
    for dag_id, dag in inventory["dags"].items():
        schedule = dag["schedule"]
        assets = " or ".join(["", *schedule.get("assets", [])])
        lines[dag_id] = f"{schedule['kind']} {schedule['cron']}{assets}"
    return lines
