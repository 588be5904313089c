"""Reads folders of DAG files as Airflow does and prints what is in each, one line of JSON per folder.

``python inventory.py FOLDER…``: a process of its own, so that the tests import no Airflow, and a fork of it per folder,
so that what the files import can be counted.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import sys
import tempfile
from pathlib import Path
from typing import Any

from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG, AssetOrTimeSchedule


def main(folder: Path) -> dict[str, Any]:
    """Everything that the integrity tests look at."""
    # As the DAG processor does with a bundle.
    sys.path.insert(0, str(folder))
    before = set(sys.modules)
    bag = DagBag(dag_folder=str(folder))
    return {
        "errors": {Path(name).name: str(error).strip().splitlines()[-1] for name, error in bag.import_errors.items()},
        "imported": sorted(set(sys.modules) - before),
        "dags": {dag_id: _describe(dag) for dag_id, dag in sorted(bag.dags.items())},
    }


def _describe(dag: DAG) -> dict[str, Any]:
    return {
        "file": Path(dag.fileloc).name,
        "schedule": _schedule(dag.schedule),
        "catchup": dag.catchup,
        "max_active_runs": dag.max_active_runs,
        "tags": sorted(dag.tags),
        "doc": dag.doc_md or "",
        "params": sorted(dag.params),
        "tasks": {
            task.task_id: {
                "downstream": sorted(task.downstream_task_ids),
                "owner": task.owner,
                "retries": task.retries,
                "retry_policy": type(task.retry_policy).__name__ if task.retry_policy else None,
                "timeout_s": task.execution_timeout.total_seconds() if task.execution_timeout else None,
                "pool": task.pool,
                "trigger_rule": str(getattr(task.trigger_rule, "value", task.trigger_rule)),
                "outlets": sorted(outlet.uri for outlet in task.outlets),
                "at_once": task.max_active_tis_per_dag,
                "is_mapped": task.is_mapped,
            }
            for task in dag.tasks
        },
    }


def _schedule(schedule: Any) -> dict[str, Any]:
    timetable = schedule.timetable if isinstance(schedule, AssetOrTimeSchedule) else schedule
    found: dict[str, Any] = {
        "kind": type(schedule).__name__,
        "cron": getattr(timetable, "expression", None),
        "time_zone": str(getattr(timetable, "timezone", "")),
    }
    if isinstance(schedule, AssetOrTimeSchedule):
        found["assets"] = sorted(asset.uri for asset in schedule.asset_condition.objects)
    return found


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    # A first parse loads what parsing itself needs.
    with tempfile.TemporaryDirectory() as empty:
        DagBag(dag_folder=empty)
    with multiprocessing.get_context("fork").Pool(1, maxtasksperchild=1) as pool:
        for inventory in pool.imap(main, [Path(folder).resolve() for folder in sys.argv[1:]], chunksize=1):
            print(json.dumps(inventory, ensure_ascii=False))
