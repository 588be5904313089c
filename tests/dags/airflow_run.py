"""Runs DAGs in one process, tasks, metadata database and all, and prints what became of them as a line of JSON.

``airflow_run.py run DAG_ID CONF`` · ``airflow_run.py backfill DAG_ID FROM TO`` (what ``airflow backfill create`` makes,
and then the scheduler's part of it).
"""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import Any

from airflow import settings
from airflow.models.backfill import BackfillDagRun, ReprocessBehavior, _create_backfill
from airflow.models.dagrun import DagRun
from airflow.sdk.definitions.dag import DAG, _run_task
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState, TaskInstanceState
from sqlalchemy import select
from sqlalchemy.orm import Session


def _dag(dag_id: str) -> DAG:
    """The DAG as a worker sees it, after a sync of the whole folder into the metadata database."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db

    manager = DagBundlesManager()
    with create_session() as session:
        manager.sync_bundles_to_db(session=session)
    (bundle,) = manager.get_all_dag_bundles()
    bundle.initialize()
    bag = BundleDagBag(dag_folder=bundle.path, bundle_path=bundle.path, bundle_name=bundle.name)
    sync_bag_to_db(bag, bundle.name, bundle.version)
    dag: DAG = bag.dags[dag_id]
    return dag


def _run(dag_id: str, conf: str) -> list[dict[str, Any]]:
    run = _dag(dag_id).test(run_conf=json.loads(conf))
    return [_outcome(run)]


def _backfill(dag_id: str, since: str, until: str) -> list[dict[str, Any]]:
    from airflow.serialization.serialized_objects import DagSerialization

    dag = _dag(dag_id)
    backfill = _create_backfill(
        dag_id=dag_id,
        from_date=datetime.fromisoformat(since),
        to_date=datetime.fromisoformat(until),
        max_active_runs=1,
        reverse=False,
        dag_run_conf={},
        triggering_user_name="test",
        reprocess_behavior=ReprocessBehavior.NONE,
    )
    # A session of our own: the tasks close Airflow's shared one.
    with Session(settings.engine, expire_on_commit=False) as session:
        created = select(BackfillDagRun.dag_run_id).where(BackfillDagRun.backfill_id == backfill.id)
        runs = session.scalars(select(DagRun).where(DagRun.id.in_(created)).order_by(DagRun.logical_date)).all()
        for run in runs:
            run.dag = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))
            run.state = DagRunState.RUNNING
            session.commit()
            while run.state == DagRunState.RUNNING:
                session.expire_all()
                due, _ = run.update_state(session=session)
                for instance in due:
                    instance.try_number += 1
                    instance.state = TaskInstanceState.SCHEDULED
                session.commit()
                for instance in due:
                    _run_task(ti=instance, task=dag.task_dict[instance.task_id])
        return [_outcome(run) for run in runs]


def _outcome(run: DagRun) -> dict[str, Any]:
    with Session(settings.engine) as session:
        tasks = {task.task_id: str(task.state) for task in run.get_task_instances(session=session)}
    return {"run_id": run.run_id, "run_type": str(run.run_type), "state": str(run.state), "tasks": tasks}


if __name__ == "__main__":
    act = {"run": _run, "backfill": _backfill}[sys.argv[1]]
    print("\n" + json.dumps(act(*sys.argv[2:])))
