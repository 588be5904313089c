"""The real air_quality DAG, its tasks and a real PostgreSQL: from station files to AQI, and a backfill of a range."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from ioc import warehouse
from ioc.settings import PROJECT_ROOT, TIME_ZONE

if TYPE_CHECKING:
    from collections.abc import Callable

    from ioc.settings import Settings

ZONE = ZoneInfo(TIME_ZONE)
SUCCESS = {
    "extract": "success",
    "validate": "success",
    "publish": "success",
    "transform": "success",
    "watch": "skipped",
}


@pytest.fixture(scope="session")
def metadata(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment of an Airflow whose metadata database is laid out."""
    home = tmp_path_factory.mktemp("airflow")
    environment = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT_ROOT / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "PYTHONPATH": str(PROJECT_ROOT),
    }
    _call([str(Path(sys.executable).parent / "airflow"), "db", "migrate"], environment)
    return environment


def _call(command: list[str], environment: dict[str, str]) -> str:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    done = subprocess.run(command, env=inherited | environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return done.stdout


@pytest.fixture
def airflow(settings: Settings, metadata: dict[str, str], tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    """Function that runs DAGs on this test's warehouse; its source is the folder ``tmp_path / 'files'``."""
    (tmp_path / "files").mkdir()
    home = tmp_path / "home"
    home.mkdir()
    # State of its own, the cluster's passwords: the folder of the session's cluster is shared by all tests.
    (home / "secrets.env").write_text((settings.home / "secrets.env").read_text())

    def run(*arguments: str, more_sources: str = "") -> list[dict[str, Any]]:
        sources = f"file://{tmp_path / 'files'} {more_sources}"
        environment = metadata | {"IOC_HOME": str(home), "IOC_SOURCE_AIR_QUALITY": sources}
        script = str(Path(__file__).with_name("airflow_run.py"))
        said = _call([sys.executable, script, *arguments], environment)
        found: list[dict[str, Any]] = json.loads(said.splitlines()[-1])
        return found

    return run


def _send(folder: Path, moment: datetime, pm25: float) -> None:
    """A station's file of one five-minute period, as TT 10/2021 has it, settled for a minute."""
    stamp = moment.strftime("%Y%m%d%H%M%S")
    path = folder / f"TH_KK_01_{stamp}.txt"
    path.write_text(f"PM2.5\t{pm25}\tug/Nm3\t{stamp}\t00\r\nPM10\t80\tug/Nm3\t{stamp}\t00\r\n")
    long_ago = datetime.now(ZONE).timestamp() - 60
    os.utime(path, (long_ago, long_ago))


@pytest.mark.timeout(900)
def test_from_station_files_to_aqi_past_a_dead_source_and_a_backfill_of_a_range(
    airflow: Callable[..., list[dict[str, Any]]], settings: Settings, tmp_path: Path
) -> None:
    """One warehouse for the three acts: laying it out is what takes time."""
    files = tmp_path / "files"
    end = datetime.now(ZONE).replace(minute=0, second=0, microsecond=0)
    for number in range(36):
        _send(files, end - timedelta(minutes=5 * number), 60.0)
    (run,) = airflow("run", "air_quality", "{}")
    assert run["tasks"] == SUCCESS
    assert run["state"] == "success"
    with warehouse.connect("owner", settings) as connection:
        batch = connection.execute(
            "select mode, status, verdict, read_count, loaded_count, airflow_run_id, publish_seq is not null "
            "from ops.load_batch"
        ).fetchall()
        newest = connection.execute(
            "select hour_ending, pm25_ug_m3, aqi_pm25, aqi from marts.fct_air_aqi_hourly order by 1 desc limit 1"
        ).fetchone()
    assert batch == [("live", "published", "passed", 72, 72, run["run_id"], True)]
    # 60 µg/m³ lies a third of the way from 50 (AQI 100) to 80 (AQI 150).
    assert newest == (end, 60, 117, 117)

    # A source that nobody can read makes the run red and holds back nothing of the other.
    _send(files, end - timedelta(minutes=57), 60.0)
    (run,) = airflow("run", "air_quality", "{}", more_sources="gopher://tram.example/files")
    assert run["tasks"] == SUCCESS | {"extract": "failed", "watch": "failed"}
    assert run["state"] == "failed"
    with warehouse.connect("owner", settings) as connection:
        states = connection.execute("select status, count(*) from ops.load_batch group by 1").fetchall()
    assert states == [("published", 2)]

    # A backfill of two intervals loads their files and leaves the one before and the one after alone.
    day = datetime(2026, 3, 5, 8, 0, tzinfo=ZONE)
    for minute in (-5, 0, 5, 10):
        _send(files, day + timedelta(minutes=minute), 30.0)
    runs = airflow("backfill", "air_quality", day.isoformat(), (day + timedelta(minutes=5)).isoformat())
    assert [(run["run_type"], run["state"], run["tasks"]) for run in runs] == [("backfill", "success", SUCCESS)] * 2
    with warehouse.connect("owner", settings) as connection:
        batches = connection.execute(
            "select status, airflow_run_id, loaded_count from ops.load_batch where mode = 'backfill' order by batch_id"
        ).fetchall()
        loaded = connection.execute(
            "select distinct measured_at from raw_air_quality.reading where measured_at < %s order by 1",
            (day + timedelta(days=1),),
        ).fetchall()
    assert batches == [("published", run["run_id"], 2) for run in runs]
    assert loaded == [(day,), (day + timedelta(minutes=5),)]
