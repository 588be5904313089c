"""The DAGs are all there, obey the rules of the house and parse without the libraries; each gate can fail."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import gates
import pytest

from ioc.domains import all_domains
from ioc.settings import PROJECT_ROOT

DAGS = PROJECT_ROOT / "dags"
LIVE = [domain for domain in all_domains() if domain.status == "live"]
DAG_IDS = {domain.name for domain in LIVE} | set(gates.PLATFORM_DAGS)


@pytest.fixture(scope="module")
def inventory(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    (found,) = gates.read([DAGS], tmp_path_factory.mktemp("airflow"))
    return found


def test_every_file_gives_its_dag_and_no_other(inventory: dict[str, Any]) -> None:
    assert LIVE
    assert {path.name for path in DAGS.glob("*.py")} == {f"{dag_id}.py" for dag_id in DAG_IDS}
    assert set(inventory["dags"]) == DAG_IDS
    assert inventory["errors"] == {}
    assert len(inventory["dags"]) == len(LIVE) + 4


def test_the_dags_obey_the_rules_of_the_house(inventory: dict[str, Any]) -> None:
    assert gates.problems(inventory) == []


def test_every_live_domain_takes_the_corridor(inventory: dict[str, Any]) -> None:
    assert gates.domain_problems(inventory, LIVE) == []


def test_the_platform_s_own_dags_have_their_tasks(inventory: dict[str, Any]) -> None:
    for dag_id, tasks in gates.PLATFORM_DAGS.items():
        dag = inventory["dags"][dag_id]
        assert {task_id: task["downstream"] for task_id, task in dag["tasks"].items()} == tasks
        assert "platform" in dag["tags"]


def test_alerts_are_evaluated_on_every_live_domain_and_sent_per_channel(inventory: dict[str, Any]) -> None:
    dag = inventory["dags"]["evaluate_alerts"]
    assert dag["schedule"]["assets"] == sorted(f"ioc://{domain.name}/" for domain in LIVE)
    assert dag["tasks"]["notify"]["is_mapped"]


def test_a_changed_schedule_shows_as_a_diff(inventory: dict[str, Any]) -> None:
    snapshot = json.loads(Path(__file__).with_name("schedules.json").read_text())
    snapshot["evaluate_alerts"] += "".join(sorted(f" or ioc://{domain.name}/" for domain in LIVE))
    assert gates.schedules(inventory) == snapshot


def test_every_pool_in_use_is_declared_and_leaves_slots_to_the_fast_lane(inventory: dict[str, Any]) -> None:
    declared = json.loads((DAGS / "pools.json").read_text())
    used = {task["pool"] for dag in inventory["dags"].values() for task in dag["tasks"].values()}
    assert used == {"default_pool", *declared}
    from ioc.stack.environment import AIRFLOW_PARALLELISM

    assert sum(pool["slots"] for pool in declared.values()) <= AIRFLOW_PARALLELISM / 2


def test_no_file_on_the_dag_path_can_be_taken_for_a_dbt_plugin() -> None:
    names = [path.name for path in DAGS.rglob("*.py")]
    assert len(names) > 5
    assert not [name for name in names if name.startswith("dbt_")]


# A fault → (text of air_quality.py to replace, replacement, what the gates must say).
_HEAD = "from ioc_dags.domain_dag import domain_dag\n"
_CALL = 'dag = domain_dag("air_quality", __doc__)'
FAULTS: dict[str, tuple[str, str, str]] = {
    "heavy import": (_HEAD, f"import pandas\n{_HEAD}", "parsing imports pandas"),
    "syntax": (_CALL, "dag = (", "air_quality.py does not import"),
    "another id": (_CALL, f'{_CALL}\ndag.dag_id = "khong_khi"', "air_quality: no DAG"),
    "unknown tag": (_CALL, f'{_CALL}\ndag.tags.add("misc")', "unknown tags ['misc']"),
    "no tier": (_CALL, f'{_CALL}\ndag.tags.discard("tier-1")', "exactly one tier"),
    "no lane": (_CALL, f'{_CALL}\ndag.tags.discard("fast")', "exactly one lane"),
    "no page": (_CALL, f"{_CALL}\ndag.doc_md = None", "its page lacks"),
    "no owner": (_CALL, f'{_CALL}\nfor t in dag.tasks: t.owner = "airflow"', "extract has no owner"),
    "runs pile up": (_CALL, f"{_CALL}\ndag.max_active_runs = 16", "runs must not pile up"),
    "retries every error": (_CALL, f"{_CALL}\nfor t in dag.tasks: t.retry_policy = None", "retries every error"),
    "no time limit": (_CALL, f"{_CALL}\nfor t in dag.tasks: t.execution_timeout = None", "extract may hang for ever"),
    "slow lane's pool": (_CALL, f'{_CALL}\nfor t in dag.tasks: t.pool = "batch"', "extract is in the wrong pool"),
    "a task more": (
        _CALL,
        f"{_CALL}\nfrom airflow.sdk import task\nwith dag:\n    task(lambda: 1, task_id='more')()",
        "air_quality: tasks",
    ),
    "no asset": (_CALL, f"{_CALL}\ndag.get_task('transform').outlets = []", "air_quality: emits {}"),
    "another schedule": (
        _CALL,
        "import dataclasses, ioc_dags.domain_dag as builder\nreal = builder.get_domain\n"
        'builder.get_domain = lambda name: dataclasses.replace(real(name), schedule="0 * * * *")\n' + _CALL,
        "declared */5 * * * *",
    ),
    "steps at once": (
        _CALL,
        f"{_CALL}\ndag.get_task('transform').max_active_tis_per_dag = None",
        "two runs could do the same step at once",
    ),
}


def test_each_gate_can_fail(tmp_path: Path) -> None:
    folders = []
    for number, (old, new, _) in enumerate(FAULTS.values()):
        folders.append(tmp_path / f"fault-{number}")
        shutil.copytree(DAGS, folders[-1], ignore=shutil.ignore_patterns("__pycache__"))
        file = folders[-1] / "air_quality.py"
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))
    inventories = gates.read(folders, tmp_path / "airflow")
    missed = {}
    for (fault, (_, _, complaint)), inventory in zip(FAULTS.items(), inventories, strict=True):
        said = gates.problems(inventory) + gates.domain_problems(inventory, LIVE)
        if not any(complaint in sentence for sentence in said):
            missed[fault] = said
    assert missed == {}
