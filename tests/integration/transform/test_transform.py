"""``ioc.transform.run`` and what people read behind it: stations, signals, labels, failures, two runs at once."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import yaml

from ioc import transform, warehouse
from tests.integration.transform.raw_readings import VIETNAM, Reading, five_minutes, publish, vn

if TYPE_CHECKING:
    from ioc.settings import Settings

NOON = vn("2026-03-10 12:00")
HOUR = timedelta(hours=1)


def _ask(settings: Settings, question: str, *values: Any, role: warehouse.Role = "owner") -> list[tuple[Any, ...]]:
    with warehouse.connect(role, settings) as connection:
        return connection.execute(question, values).fetchall()


@pytest.fixture(scope="module")
def built(air: Settings) -> transform.TransformReport:
    """One build over a day of stories."""
    rows: list[Reading] = []
    for step in range(12):
        hour = NOON - step * HOUR
        # Its header says mg/m3, its values are micrograms; its CO comes in mg/Nm3.
        rows += five_minutes("TH_LAMSON_KK05", "PM2.5", hour, 40, unit="mg/m3")
        rows += five_minutes("TH_NGHISON_KK03", "CO", hour, Decimal("1.5"), unit="mg/Nm3")
        rows += five_minutes("TH_NGHISON_KK03", "PM10", hour, 55)
        rows += five_minutes("TH_LUUDONG_KK99", "PM10", hour, 160)
        status = "01" if step < 4 else "00"
        rows += five_minutes("TH_HACTHANH_KK01", "PM2.5", hour, 80, status=status)
        rows += five_minutes("TH_BIMSON_KK02", "PM2.5", hour, 30, status="02" if step < 4 else "00")
        rows += five_minutes("TH_SAMSON_KK04", "O3", hour, 90)
    publish(air, rows)
    return transform.run(["air_quality"], airflow_run_id="manual__1", settings=air)


def test_the_first_run_lays_everything_out(air: Settings, built: transform.TransformReport) -> None:
    assert (built.kind, built.failed, built.skipped) == ("layout", 0, 0)
    schemas = {row[0] for row in _ask(air, "select nspname from pg_namespace where nspname !~ '^(pg_|information)'")}
    assert not {name for name in schemas if name.startswith("staging_")}, "schemas must carry no prefix"
    for table in ("ref.air_limit", "staging.stg_air_quality__reading", "serving.rpt_air_quality_current"):
        assert _ask(air, "select to_regclass(%s)", table) != [(None,)], table
    blind = "select relname from pg_stat_user_tables where schemaname = %s and last_analyze is null"
    for schema in ("intermediate", "marts"):
        assert _ask(air, blind, schema) == [], "the planner would know nothing of the tables just filled"


def test_results_are_kept_with_the_run_that_asked(air: Settings, built: transform.TransformReport) -> None:
    rows = _ask(
        air,
        "select unique_id, domain, status from ops.dbt_run_result where invocation_id = %s and airflow_run_id = %s",
        built.invocation_id,
        "manual__1",
    )
    assert ("model.ioc.fct_air_aqi_hourly", "air_quality", "success") in rows
    assert len(rows) == built.succeeded


def test_current_values_by_station(air: Settings, built: transform.TransformReport) -> None:
    assert built.failed == 0
    rows = {
        row[0]: row[1:]
        for row in _ask(
            air,
            "select station_code, aqi, aqi_category, aqi_color, pm25_ug_m3, co_ug_m3, quality, is_registered, "
            "unit_code from serving.rpt_air_quality_current",
            role="bi_reader",
        )
    }
    assert rows["TH_LAMSON_KK05"] == (80, "Trung bình", "#FFFF00", 40, None, "ok", True, "15544")
    assert rows["TH_NGHISON_KK03"] == (53, "Trung bình", "#FFFF00", None, 1500, "ok", True, "16654")
    assert rows["TH_LUUDONG_KK99"] == (105, "Kém", "#FF7E00", None, None, "ok", False, "SNNMT")
    assert rows["TH_HACTHANH_KK01"][0] is None
    assert rows["TH_HACTHANH_KK01"][5] == "calibrating"
    assert rows["TH_BIMSON_KK02"][5] == "device_error"
    assert rows["TH_SAMSON_KK04"][:2] == (None, None), "no index without PM10 or PM2.5"


def test_signals_say_why_a_value_is_missing(air: Settings, built: transform.TransformReport) -> None:
    assert built.failed == 0
    rows = _ask(
        air,
        "select entity_id, value, quality, unit_code, revision from alerting.signal "
        "where signal_code = 'air_quality.aqi_h' and period_end = %s order by 1",
        NOON,
        role="alerts",
    )
    assert rows == [
        ("TH_BIMSON_KK02", None, "device_error", "14812", 1),
        ("TH_HACTHANH_KK01", None, "calibrating", "14797", 1),
        ("TH_LAMSON_KK05", 80, "ok", "15544", 1),
        ("TH_LUUDONG_KK99", 105, "ok", "SNNMT", 1),
        ("TH_NGHISON_KK03", 53, "ok", "16654", 1),
        ("TH_SAMSON_KK04", None, "insufficient", "16531", 1),
    ]


def test_an_hour_that_rests_on_earlier_hours_carries_no_signal_value(
    air: Settings, built: transform.TransformReport
) -> None:
    """The regulation gives it an AQI, but missing data must never end an alert."""
    assert built.failed == 0
    after = NOON + HOUR
    (aqi,) = _ask(
        air,
        "select aqi from marts.fct_air_aqi_hourly where station_code = 'TH_LAMSON_KK05' and hour_ending = %s",
        after,
    )[0]
    signal = _ask(
        air,
        "select value, quality from alerting.signal where signal_code = 'air_quality.aqi_h' "
        "and entity_id = 'TH_LAMSON_KK05' and period_end = %s",
        after,
    )
    assert aqi is not None
    assert signal == [(None, "insufficient")]


def test_pipeline_health_knows_every_domain(air: Settings, built: transform.TransformReport) -> None:
    assert built.failed == 0
    rows = _ask(
        air,
        "select domain, title_vi, newest_data_at, loaded_24h, is_stale from serving.rpt_ops_pipeline_health",
        role="portal",
    )
    health = {row[0]: row[1:] for row in rows}
    assert len(health) >= 12
    title, newest, loaded, is_stale = health["air_quality"]
    assert (title, newest, is_stale) == ("Môi trường không khí", NOON, True)
    assert loaded > 800


def test_periods_of_limits_are_words(air: Settings, built: transform.TransformReport) -> None:
    assert built.failed == 0
    with warehouse.connect("owner", air) as connection:
        connection.execute(
            """
            insert into marts.fct_air_exceedance (station_code, parameter, averaging_period, period_end, value_ug_m3,
                limit_ug_m3, is_exceeded, citation)
            select distinct 'TH_LAMSON_KK05', 'SO2', averaging_period, now(), 2, 1, true, 'x' from ref.air_limit
            """
        )
        shown = connection.execute(
            "select distinct averaging_period_label from serving.rpt_air_quality_exceedance order by 1"
        ).fetchall()
        connection.rollback()
    assert shown == [("1 giờ",), ("24 giờ",), ("8 giờ",), ("Năm",)]


def test_every_serving_column_has_a_vietnamese_label() -> None:
    files = list((transform.PROJECT / "models" / "serving").rglob("*.yml"))
    models = [model for file in files for model in yaml.safe_load(file.read_text()).get("models", [])]
    assert len(models) >= 7
    for model in models:
        for thing in (model, *model["columns"]):
            assert thing["description"], (model["name"], thing["name"])
            assert thing["config"]["meta"]["label_vi"], (model["name"], thing["name"])
            assert thing["config"]["meta"]["label_en"], (model["name"], thing["name"])


def test_descriptions_reach_the_database(air: Settings, built: transform.TransformReport) -> None:
    assert built.failed == 0
    comment = "select col_description('serving.rpt_air_quality_current'::regclass, attnum) from pg_attribute "
    rows = _ask(air, comment + "where attrelid = 'serving.rpt_air_quality_current'::regclass and attname = 'aqi'")
    assert "QĐ 1459" in rows[0][0]


def test_two_runs_at_once_do_no_harm(air: Settings, built: transform.TransformReport) -> None:
    """The fast lane and a build of everything meet on the same models: both end well, nothing is lost or doubled."""
    assert built.failed == 0
    # Close to now, so that the running hour is there too; the clock of the test is the machine's.
    newest = datetime.now(UTC).astimezone(VIETNAM).replace(minute=0, second=0, microsecond=0)
    rows = [row for step in range(30) for row in five_minutes("TH_TINHGIA_KK06", "PM2.5", newest - step * HOUR, step)]
    running = [Reading("TH_TINHGIA_KK06", "PM2.5", newest + timedelta(minutes=5), 400)]
    publish(air, rows + running)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(transform.run, ["air_quality"], settings=air)
        second = pool.submit(transform.run, None, full_refresh=True, settings=air)
        reports = [first.result(), second.result()]
    assert [report.failed for report in reports] == [0, 0]
    assert sorted(report.kind for report in reports) == ["increment", "rebuild"]
    hours = _ask(
        air,
        "select hour_ending, pm25_ug_m3 from marts.fct_air_aqi_hourly where station_code = 'TH_TINHGIA_KK06' "
        "order by hour_ending desc",
    )
    assert hours == [(newest - step * HOUR, step) for step in range(30)], "the running hour has no row yet"


def test_a_failing_test_stops_the_run_with_its_name_and_the_next_run_recovers(
    air: Settings, built: transform.TransformReport
) -> None:
    """The planted fault: an index that no rule can give."""
    assert built.failed == 0
    with warehouse.connect("owner", air) as connection:
        connection.execute(
            "insert into marts.fct_air_aqi_hourly (station_code, hour_ending, aqi, aqi_category, run_seq) "
            "values ('TH_LAMSON_KK05', date_trunc('hour', now()), 777, 'Nguy hại', 0)"
        )
    with pytest.raises(transform.TransformError, match="air_aqi_is_consistent") as caught:
        transform.run(["air_quality"], settings=air)
    assert "ioc transform" in str(caught.value)
    assert (
        _ask(air, "select failed_dbt_24h from serving.rpt_ops_pipeline_health where domain = 'air_quality'")[0][0] > 0
    )
    with warehouse.connect("owner", air) as connection:
        connection.execute("delete from marts.fct_air_aqi_hourly where aqi = 777")
    assert transform.run(["air_quality"], settings=air).failed == 0


def test_killed_in_the_middle_the_next_run_takes_up_what_is_missing(
    air: Settings, built: transform.TransformReport
) -> None:
    assert built.failed == 0
    hours = [vn("2026-03-12 01:00") + step * HOUR for step in range(12)]
    publish(air, [row for hour in hours for row in five_minutes("TH_SAMSON_KK04", "PM10", hour, 75)])
    cursor = "select value ->> 'published' from ops.cursor where name = 'dbt:int_air_quality__reading'"
    before = _ask(air, cursor)
    place = {
        "IOC_HOME": str(air.home),
        "IOC_PORT_BASE": str(air.port_base),
        "IOC_WAREHOUSE_URL": str(air.warehouse_url),
    }
    run = "from ioc import transform; transform.run(['air_quality'])"
    process = subprocess.Popen([sys.executable, "-c", run], env={**os.environ, **place}, start_new_session=True)
    try:
        deadline = time.monotonic() + 240
        while _ask(air, cursor) == before:
            assert time.monotonic() < deadline, "the first model never came to an end"
            time.sleep(0.05)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    indexed = "select hour_ending, aqi from marts.fct_air_aqi_hourly where hour_ending = any(%s) and aqi is not null"
    assert _ask(air, indexed, hours) == [], "killed before the marts were reached"
    assert transform.run(["air_quality"], settings=air).failed == 0
    # AQI of 75 µg/m³ PM10: the first hour has c1 alone and stays without.
    assert sorted(_ask(air, indexed, hours))[-8:] == [(hour, 63) for hour in hours[-8:]]


def test_every_rule_of_the_regulation_by_dbt_unit_tests(
    air: Settings, built: transform.TransformReport, tmp_path: Path
) -> None:
    assert built.failed == 0
    finished = subprocess.run(
        [
            str(Path(sys.executable).parent / "dbt"), "test", "--select", "test_type:unit,path:models/*/air_quality",
            "--project-dir", str(transform.PROJECT), "--profiles-dir", str(transform.PROJECT),
            "--target-path", str(tmp_path), "--log-path", str(tmp_path),
        ],
        env=transform.environment(air), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stdout[-4000:]
    assert "every_segment_and_boundary" in finished.stdout
    assert finished.stdout.count("PASS") >= 25


def test_unknown_domain_and_never_loaded_domain_are_refused(settings: Settings) -> None:
    with pytest.raises(KeyError, match="no domain 'weather'"):
        transform.run(["weather"], settings=settings)
    with pytest.raises(transform.TransformError, match="ioc load air_quality"):
        transform.run(["air_quality"], settings=settings)
    assert transform.run(settings=settings).succeeded == 0


def test_unreachable_warehouse_is_one_clear_sentence(settings: Settings) -> None:
    gone = settings.model_copy(update={"warehouse_url": "postgresql://ioc_owner:x@127.0.0.1:9/none"})
    with pytest.raises(warehouse.WarehouseUnreachable, match="does not answer"):
        transform.run(["air_quality"], settings=gone)


def test_readers_of_serving_cannot_reach_behind_it(air: Settings, built: transform.TransformReport) -> None:
    assert built.failed == 0
    for role in ("bi_reader", "portal"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            _ask(air, "select 1 from marts.fct_air_aqi_hourly", role=role)


def test_an_hour_can_be_followed_to_the_lines_of_its_files(air: Settings, built: transform.TransformReport) -> None:
    assert built.failed == 0
    rows = _ask(
        air,
        "select value_sent, unit_sent, value, is_valid, flags_vi, source_uri, source_row "
        "from serving.rpt_air_quality_reading "
        "where station_code = 'TH_BIMSON_KK02' and measured_at > %s and measured_at <= %s",
        NOON - HOUR,
        NOON,
        role="portal",
    )
    assert len(rows) == 12
    assert {row[:6] for row in rows} == {(30, "ug/m3", 30, False, "thiết bị báo lỗi", "test://batch")}
    assert len({row[6] for row in rows}) == 12, "every value has a line of its own"


def test_the_engine_learns_where_a_station_stands_and_whether_the_public_may_know(
    air: Settings, built: transform.TransformReport
) -> None:
    assert built.failed == 0
    known = "select longitude, latitude, is_public from alerting.entity where entity_id = %s"
    assert _ask(air, known, "TH_HACTHANH_KK01") == [(105.78661, 19.80408, True)]
    assert _ask(air, known, "TH_LUUDONG_KK99") == [(None, None, False)], "nobody knows this one"


def test_alerts_and_procedures_are_shown_live_without_people_addresses_and_texts(
    air: Settings, built: transform.TransformReport
) -> None:
    assert built.failed == 0
    with warehouse.connect("owner", air) as connection:
        connection.execute((Path(__file__).parent / "alert_story.sql").read_text(encoding="utf-8"))
    incident = "select incident_code, status_label, peak_level_label, duration_minutes, minutes_to_ack, case_code, "
    incident += "entity_name, ack_label from serving.rpt_alert_incident"
    assert _ask(air, incident, role="bi_reader") == [
        ("SC-1A2B3C4D", "Đang diễn ra", "Cấp 3", 90, 30, "VV-1", "Trạm Hạc Thành", "Đã nhận")
    ]
    # A rule without a unit of measure watches a state: its number is nobody's to read.
    value = "select open_value, peak_value, value_unit, peak_value_label from serving.rpt_alert_incident"
    assert _ask(air, value, role="bi_reader") == [(1, 2.5, "lần", "2,5 lần")]
    with warehouse.connect("owner", air) as connection:
        connection.execute("update alert.rule set unit_vi = null where code = 'thu'")
    assert _ask(air, value, role="bi_reader") == [(None, None, "", "Vượt ranh giới")]
    message = "select channel_label, status_label, unit_code, seconds_to_accept::int, is_sent "
    message += "from serving.rpt_alert_notification"
    assert _ask(air, message, role="bi_reader") == [("Thư điện tử", "Cổng đã nhận", "14797", 10, True)]
    case = "select procedure_title, status_label, task_count, finished_count, overdue_count "
    case += "from serving.rpt_procedure_case"
    assert _ask(air, case, role="bi_reader") == [("Xử lý AQI xấu", "Đang xử lý", 1, 0, 1)]
    task = "select step_title, status_label, is_overdue, is_finished from serving.rpt_procedure_task"
    assert _ask(air, task, role="bi_reader") == [("Kiểm tra hiện trường", "Sẵn sàng", True, False)]
    for reason in ("resolved", "data_back", "retired", "rule_ended", "rule_disabled"):
        with warehouse.connect("owner", air) as connection:
            closing = "update alert.incident set status = 'closed', level = 0, closed_at = now(), close_reason = %s"
            connection.execute(closing, (reason,))
        said = _ask(air, "select close_reason from serving.rpt_alert_incident", role="bi_reader")[0][0]
        assert re.search("[à-ỹ]", said), f"{reason} is shown as “{said}”"
    everything = ""
    for table in ("rpt_alert_incident", "rpt_alert_notification", "rpt_procedure_case", "rpt_procedure_task"):
        everything += str(_ask(air, f"select t.* from serving.{table} t", role="bi_reader"))
    assert f'<a href="{air.portal_url()}/canh-bao/1a2b3c4d-0000-0000-0000-000000000000"' in everything
    assert f'<a href="{air.portal_url()}/vu-viec/VV-1"' in everything
    for word in ("Nguyễn", "example.vn", "Kính gửi", "nội dung", "Ông A", "ông A"):
        assert word not in everything, word
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        _ask(air, "select address from notify.outbox", role="transformer")
