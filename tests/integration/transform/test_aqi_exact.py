"""The warehouse against an independent, exact implementation of QĐ 1459, on thousands of random hours that arrive late,
out of order and corrected; and the promise that cost and change follow new data.
"""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest

from ioc import transform, warehouse
from tests.integration.transform.raw_readings import Reading, publish, vn
from tests.integration.transform.regulation import GASES, HOUR, PARTICLES, Station, label_of

if TYPE_CHECKING:
    from datetime import date, datetime

    from ioc.settings import Settings

HOURLY_STATION = "VN-HN-USEMB"  # registered with a cadence of 60 minutes
FIVE_MINUTE_STATIONS = ("TH_RANDOM_A", "TH_RANDOM_B")  # unknown to the registry: default cadence of 5 minutes
LEVELS = {"PM2.5": 620, "PM10": 720, "O3": 1400, "NO2": 4600, "SO2": 3000, "CO": 160000}
COLUMNS = {"PM2.5": "pm25", "PM10": "pm10", "O3": "o3", "NO2": "no2", "SO2": "so2", "CO": "co"}
TABLES = (
    "intermediate.int_air_quality__reading",
    "intermediate.int_air_quality__hourly_mean",
    "intermediate.int_air_quality__pollutant_hourly",
    "intermediate.int_air_quality__pollutant_daily",
    "intermediate.int_air_quality__station_seen",
    "marts.fct_air_aqi_hourly",
    "marts.fct_air_aqi_daily",
    "marts.fct_air_exceedance",
    "marts.fct_air_completeness_daily",
)


def _series(rng: random.Random, station: str, hours: int, per_hour: int) -> list[Reading]:
    """Hours of every kind: calm, extreme, exact halves, holes, calibration, device errors, negative values."""
    readings = []
    start = vn("2026-03-01 00:00")
    base = dict.fromkeys(LEVELS, 0.2)
    silent_until = 0
    for number in range(hours):
        if rng.random() < 0.02:
            silent_until = number + rng.choice((1, 1, 2, 3, 9))
        if number < silent_until:
            continue
        for parameter, level in LEVELS.items():
            # Carbon monoxide jumps every hour: above its limit for hours it would be a broken sensor, tested elsewhere.
            if parameter == "CO" or rng.random() < 0.3:
                base[parameter] = rng.random() ** 3
            if rng.random() < 0.05:
                continue
            for step in range(per_hour):
                at = start + number * HOUR + (step + 1) * HOUR / per_hour
                if per_hour > 1 and rng.random() < 0.15:
                    continue
                fine = Decimal(rng.choice(("0.05", "0.25", "0.1", "1")))
                value = (Decimal(base[parameter] * level * rng.uniform(0.95, 1.05)) / fine).quantize(Decimal(1)) * fine
                kind = rng.random()
                reading = Reading(station, parameter, at, value)
                if kind < 0.02:
                    reading = replace(reading, status=rng.choice(("01", "02")))
                elif kind < 0.04:
                    reading = replace(reading, value=None)
                elif kind < 0.05:
                    reading = replace(reading, value=-value - 1)
                readings.append(reading)
    return readings


@pytest.fixture(scope="module")
def arrived(air: Settings) -> dict[str, Station]:
    """Build everything from three batches in random order, a tenth of it corrected later; return the final truth."""
    rng = random.Random(1459)
    final = _series(rng, HOURLY_STATION, 24 * 90, 1)
    for name in FIVE_MINUTE_STATIONS:
        final += _series(rng, name, 24 * 9, 12)
    rng.shuffle(final)
    first, second = len(final) // 2, len(final) * 4 // 5
    wrong = [replace(reading, value=Decimal(rng.randrange(900))) for reading in final[first : first + first // 5]]
    for batch in ([*final[:first], *wrong], final[first:second], final[second:]):
        publish(air, batch)
        transform.run(["air_quality"], settings=air)
    truth = {name: Station(12) for name in FIVE_MINUTE_STATIONS} | {HOURLY_STATION: Station(1)}
    for reading in final:
        station = truth[reading.station]
        station.heard.add(label_of(reading.at))
        if reading.status == "00" and reading.value is not None and reading.value >= 0:
            station.readings[reading.parameter, reading.at] = Fraction(str(reading.value))
    return truth


def _rows(settings: Settings, table: str, period: str) -> dict[tuple[str, Any], dict[str, int | None]]:
    columns = ", ".join(f"aqi_{column}" for column in COLUMNS.values())
    with warehouse.connect("owner", settings) as connection:
        found = connection.execute(f"select station_code, {period}, {columns}, aqi from {table}").fetchall()
    return {(row[0], row[1]): dict(zip((*COLUMNS, "aqi"), row[2:], strict=True)) for row in found}


def _differences(
    expected: dict[tuple[str, Any], dict[str, int | None]], found: dict[tuple[str, Any], dict[str, int | None]]
) -> list[str]:
    return [
        f"{key}: expected {expected.get(key)}, found {found.get(key)}"
        for key in sorted(expected.keys() | found.keys())
        if expected.get(key) != found.get(key)
    ]


def test_every_hourly_index_is_the_regulation_s_integer(air: Settings, arrived: dict[str, Station]) -> None:
    expected = {(name, hour): row for name, station in arrived.items() for hour, row in station.hourly().items()}
    found = _rows(air, "marts.fct_air_aqi_hourly", "hour_ending")
    assert sum(row["aqi"] is not None for row in found.values()) > 2000
    assert {row[parameter] for row in found.values() for parameter in (*PARTICLES, *GASES)} >= {0, 50, 100, 500, None}
    assert _differences(expected, found) == []


def test_every_daily_index_is_the_regulation_s_integer(air: Settings, arrived: dict[str, Station]) -> None:
    expected: dict[tuple[str, date], dict[str, int | None]] = {
        (name, day): row for name, station in arrived.items() for day, row in station.daily().items()
    }
    found = _rows(air, "marts.fct_air_aqi_daily", "day")
    assert sum(row["aqi"] is not None for row in found.values()) > 60
    assert _differences(expected, found) == []


def test_the_comparison_would_notice_the_common_misreading(air: Settings, arrived: dict[str, Station]) -> None:
    """The planted fault: normalising the sum at w = 1/2, as several public implementations do."""
    expected = {
        (name, hour): row
        for name, station in arrived.items()
        for hour, row in station.hourly(normalise_half=True).items()
    }
    assert len(_differences(expected, _rows(air, "marts.fct_air_aqi_hourly", "hour_ending"))) > 5


def test_completeness_counts_what_arrived(air: Settings, arrived: dict[str, Station]) -> None:
    with warehouse.connect("owner", air) as connection:
        found = dict(
            connection.execute(
                "select station_code, sum(valid_count) from serving.rpt_air_quality_completeness group by station_code"
            ).fetchall()
        )
    assert found == {name: len(station.readings) for name, station in arrived.items()}


def _contents(settings: Settings) -> dict[str, list[str]]:
    with warehouse.connect("owner", settings) as connection:
        contents = {
            table: [
                row[0]
                for row in connection.execute(
                    f"select (to_jsonb(t) - 'run_seq')::text as row from {table} as t order by 1"
                ).fetchall()
            ]
            for table in TABLES
        }
        signals = connection.execute(
            "select signal_code, entity_id, unit_code, period_end, value, quality from alerting.signal order by 1, 2, 4"
        ).fetchall()
    return contents | {"alerting.signal": [str(row) for row in signals]}


def _changed(settings: Settings, table: str, key: str, since: int) -> set[Any]:
    with warehouse.connect("owner", settings) as connection:
        return {
            row[0] if len(row) == 1 else row
            for row in connection.execute(f"select {key} from {table} where run_seq > {since}").fetchall()
        }


def test_a_corrected_reading_touches_its_hour_the_eleven_after_it_and_its_days(
    air: Settings, arrived: dict[str, Station]
) -> None:
    at = vn("2026-03-05 22:30")
    with warehouse.connect("owner", air) as connection:
        (since,) = connection.execute("select last_value from intermediate.transform_run").fetchone() or (0,)
        (last_change,) = connection.execute("select max(change_id) from alerting.signal").fetchone() or (0,)
        value = connection.execute(
            "select value from intermediate.int_air_quality__reading where station_code = 'TH_RANDOM_A' "
            "and parameter = 'PM2.5' and measured_at = %s",
            (at,),
        ).fetchone()
    corrected = Decimal("499.5") if value and value[0] != Decimal("499.5") else Decimal("498.5")
    publish(air, [Reading("TH_RANDOM_A", "PM2.5", at, corrected)])
    report = transform.run(["air_quality"], settings=air)
    assert report.kind == "increment"
    arrived["TH_RANDOM_A"].readings["PM2.5", at] = Fraction(str(corrected))
    arrived["TH_RANDOM_A"].heard.add(label_of(at))

    hour = vn("2026-03-05 23:00")
    key = "station_code, hour_ending"
    means = _changed(air, "intermediate.int_air_quality__hourly_mean", "station_code, parameter, hour_ending", since)
    assert means <= {("TH_RANDOM_A", "PM2.5", hour)}
    hours = _changed(air, "marts.fct_air_aqi_hourly", key, since)
    assert ("TH_RANDOM_A", hour) in hours
    assert hours <= {("TH_RANDOM_A", hour + step * HOUR) for step in range(12)}
    days = _changed(air, "marts.fct_air_aqi_daily", "station_code, day::text", since)
    assert days <= {("TH_RANDOM_A", "2026-03-05")}
    with warehouse.connect("owner", air) as connection:
        touched: list[tuple[str, datetime, int]] = connection.execute(
            "select entity_id, period_end, revision from alerting.signal where change_id > %s "
            "and signal_code = 'air_quality.aqi_h'",
            (last_change,),
        ).fetchall()
    assert {(name, end) for name, end, _ in touched} <= hours
    assert all(revision > 1 for *_, revision in touched)
    expected = {(name, hour): row for name, station in arrived.items() for hour, row in station.hourly().items()}
    assert _differences(expected, _rows(air, "marts.fct_air_aqi_hourly", "hour_ending")) == []


def test_a_full_refresh_finds_what_the_increments_found(air: Settings, arrived: dict[str, Station]) -> None:
    assert arrived
    before = _contents(air)
    with warehouse.connect("owner", air) as connection:
        signals = connection.execute("select max(change_id), max(revision) from alerting.signal").fetchone()
    report = transform.run(["air_quality"], full_refresh=True, settings=air)
    assert report.kind == "rebuild"
    after = _contents(air)
    for table, rows in before.items():
        assert len(rows) > 0, table
        assert after[table] == rows, table
    with warehouse.connect("owner", air) as connection:
        assert connection.execute("select max(change_id), max(revision) from alerting.signal").fetchone() == signals


def test_a_run_without_news_changes_nothing(air: Settings, arrived: dict[str, Station]) -> None:
    assert arrived
    before = _contents(air)
    report = transform.run(["air_quality"], settings=air)
    assert (report.kind, report.rows_affected, report.failed) == ("increment", 0, 0)
    assert _contents(air) == before


def test_a_silent_station_s_last_hour_is_closed_by_the_clock(air: Settings, arrived: dict[str, Station]) -> None:
    """Its AQI stands although no later reading ever came, and the hour after it rests on c2 and c3."""
    station = arrived["TH_RANDOM_B"]
    last = max(station.heard)
    with warehouse.connect("owner", air) as connection:
        hours = connection.execute(
            "select hour_ending, received_count from marts.fct_air_aqi_hourly where station_code = 'TH_RANDOM_B' "
            "order by hour_ending desc limit 2"
        ).fetchall()
    assert [hour for hour, _ in hours] == [last + timedelta(hours=1), last]
    assert hours[0][1] == 0
