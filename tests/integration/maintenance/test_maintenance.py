"""The nightly chores remove exactly what is due and can be repeated."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from ioc import maintenance, warehouse
from ioc.maintenance import KeepSettings

if TYPE_CHECKING:
    from pathlib import Path

    from ioc.settings import Settings

_RAW = """
create schema raw_probe authorization ioc_loader;
set role ioc_loader;
create table raw_probe.reading (measured_at timestamptz, _batch_id bigint) partition by range (measured_at);
create table raw_probe.reading_old partition of raw_probe.reading for values from ('2020-01-01') to ('2020-02-01');
create table raw_probe.reading_recent partition of raw_probe.reading
    for values from ('{recent}') to ('{next}');
insert into raw_probe.reading values ('2020-01-15', 1), ('{recent}', 2);
reset role;
"""


@pytest.fixture
def own_home(settings: Settings, tmp_path: Path) -> Settings:
    """The test's warehouse with a state folder of its own."""
    (tmp_path / "secrets.env").write_text((settings.home / "secrets.env").read_text())
    return settings.model_copy(update={"home": tmp_path})


def _raw_tables(settings: Settings) -> None:
    with warehouse.connect("owner", settings) as connection:
        recent, following = connection.execute(
            "select (date_trunc('month', now()) - interval '2 months')::text, "
            "(date_trunc('month', now()) - interval '1 month')::text"
        ).fetchone() or ("", "")
        connection.execute(_RAW.format(recent=recent, next=following).encode())


def test_raw_rows_are_kept_for_ever_unless_configured_otherwise(settings: Settings) -> None:
    _raw_tables(settings)
    maintenance.retention(settings, KeepSettings())
    with warehouse.connect("owner", settings) as connection:
        assert connection.execute("select count(*) from raw_probe.reading").fetchone() == (2,)
    report = maintenance.retention(settings, KeepSettings(raw_months=3))
    assert "raw_probe.reading_old" in report.done
    assert "raw_probe.reading_recent" not in report.done
    with warehouse.connect("owner", settings) as connection:
        assert connection.execute("select _batch_id from raw_probe.reading").fetchall() == [(2,)]
    assert "raw_probe.reading_old" not in maintenance.retention(settings, KeepSettings(raw_months=3)).done


def test_old_outcomes_go_but_not_those_of_a_quarantined_batch(settings: Settings) -> None:
    with warehouse.connect("loader", settings) as connection:
        settled, held = (
            batch
            for (batch,) in connection.execute(
                "insert into ops.load_batch (domain, status, verdict, publish_seq) values "
                "('air_quality', 'published', 'passed', 1), ('air_quality', 'quarantined', 'stopped', null) "
                "returning batch_id"
            ).fetchall()
        )
        connection.execute(
            "insert into ops.validation_result "
            "(batch_id, domain, suite, expectation, severity, success, validated_at) "
            "select batch_id, domain, 's', 'e', 'warn', true, now() - age::interval "
            "from ops.load_batch, unnest(array['2 days', '2 years']) age"
        )
        connection.execute(
            "insert into ops.rejected_row "
            "(batch_id, domain, entity, source_uri, raw_text, reason_code, reason, rejected_at) "
            "select batch_id, domain, 'reading', 'u', 'x', 'c', 'r', now() - age::interval "
            "from ops.load_batch, unnest(array['2 days', '2 years']) age"
        )
    report = maintenance.retention(settings, KeepSettings())
    assert (report.done["ops.validation_result"], report.done["ops.rejected_row"]) == (1, 1)
    with warehouse.connect("loader", settings) as connection:
        for table in ("validation_result", "rejected_row"):
            left = connection.execute(
                f"select batch_id, count(*) from ops.{table} group by 1 order by 1".encode()
            ).fetchall()
            assert left == [(settled, 1), (held, 2)]


def _aged(path: Path, days: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    moment = time.time() - days * 86400
    os.utime(path, (moment, moment))
    return path


def test_old_files_go_and_the_ledger_knows_it_first(own_home: Settings) -> None:
    landing = own_home.landing / "air_quality" / "2024-01"
    gone, held, fresh = (_aged(landing / name, days) for name, days in (("a.zip", 500), ("b.zip", 500), ("c.zip", 5)))
    with warehouse.connect("loader", own_home) as connection:
        for pack, status in (("a", "failed"), ("b", "quarantined"), ("c", "failed")):
            connection.execute(
                "with batch as "
                "(insert into ops.load_batch (domain, status) values ('air_quality', %s) returning batch_id) "
                "insert into ops.landed_file (domain, batch_id, source_uri, outcome, landed_path) "
                "select 'air_quality', batch_id, %s, 'loaded', %s from batch",
                (status, pack, f"air_quality/2024-01/{pack}.zip#abc"),
            )
    dumps = [_aged(own_home.home / "backups" / f"warehouse-2026010{day}T010000.dump", 1) for day in range(1, 4)]
    _aged(dumps[0].with_name(dumps[0].name + ".json"), 1)
    log = _aged(own_home.home / "airflow" / "logs" / "dag_id=x" / "run_id=y" / "attempt=1.log", 30)
    recent_log = _aged(own_home.home / "airflow" / "logs" / "dag_id=x" / "attempt=2.log", 3)

    report = maintenance.files(own_home, KeepSettings(backups=2))
    assert report.done == {"landing": 1, "backups": 1, "logs": 1}
    assert [path.exists() for path in (gone, held, fresh)] == [False, True, True]
    assert [path.exists() for path in dumps] == [False, True, True]
    assert not dumps[0].with_name(dumps[0].name + ".json").exists()
    assert not log.parent.exists()
    assert recent_log.exists()
    with warehouse.connect("loader", own_home) as connection:
        paths = connection.execute("select source_uri, landed_path is null from ops.landed_file order by 1").fetchall()
    assert paths == [("a", True), ("b", False), ("c", False)]
    assert maintenance.files(own_home, KeepSettings(backups=2)).done == {"landing": 0, "backups": 0, "logs": 0}


def test_statistics_reach_changed_tables_and_partitioned_parents(settings: Settings) -> None:
    _raw_tables(settings)
    with warehouse.connect("owner", settings) as connection:
        connection.execute("insert into raw_probe.reading select '2020-01-15', 3 from generate_series(1, 2000)")
        connection.execute("select pg_stat_force_next_flush()")
    report = maintenance.statistics(settings)
    assert {"raw_probe.reading", "raw_probe.reading_old"} <= set(report.done)
    with warehouse.connect("owner", settings) as connection:
        estimate = connection.execute("select reltuples::int from pg_class where relname = 'reading_old'").fetchone()
        assert estimate == (2001,)
        parent = connection.execute("select count(*) from pg_stats where tablename = 'reading'").fetchone()
        assert parent == (2,)
