"""The served tables of discharge against what plain Python counts from the stations' files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from discharge_reference import (
    VIETNAM,
    band,
    day_of,
    days,
    hour_of,
    hours,
    limit,
    load_kg,
    moments,
    ratio,
    silence,
)

if TYPE_CHECKING:
    from datetime import date

    from conftest import Corridor
    from discharge_reference import Day

DOMAIN = "industrial_discharge"
Readings = dict[tuple[str, str, datetime], tuple[float | None, str]]


def agrees(corridor: Corridor, readings: Readings) -> None:
    """Every figure of hours and days, and what the dashboard makes of them, against the files."""
    expected = hours(readings)
    closed = datetime.now(UTC)
    rows = {
        (code, parameter, hour_ending): row
        for code, parameter, hour_ending, *row in corridor.query(
            "select outlet_code, parameter, hour_ending, mean_value, mean_ratio, band_vi, is_exceeded, exceeded_count, "
            "load_kg "
            "from serving.rpt_industrial_discharge_hourly"
        )
    }
    assert rows.keys() == {key for key in expected if key[2] <= closed}
    for key, (mean, mean_ratio, band_vi, is_exceeded, exceeded_count, load) in rows.items():
        hour = expected[key]
        bounds = limit(key[0], key[1], day_of(key[2]))
        assert (mean is None) == (hour.mean is None), key
        if hour.mean is not None:
            assert float(mean) == pytest.approx(hour.mean, rel=1e-5, abs=1e-4), key
            if bounds:
                assert float(mean_ratio) == pytest.approx(ratio(hour.mean, bounds), abs=2e-6), key
                assert is_exceeded == (ratio(hour.mean, bounds) > 1), key
                assert band_vi == band(float(mean_ratio)), key
        assert exceeded_count == hour.exceeded, key
        kilograms = load_kg(expected, key)
        assert (load is None) == (kilograms is None), key
        if kilograms is not None:
            assert float(load) == pytest.approx(kilograms, rel=1e-5, abs=1e-4), key
    over = {
        key for key, hour in expected.items()
        if key[2] <= closed and hour.mean is not None and (bounds := limit(key[0], key[1], day_of(key[2])))
        and ratio(hour.mean, bounds) > 1
    }  # fmt: skip
    assert corridor.figure(f"{DOMAIN}/rpt_{DOMAIN}_exceedance", "hour_count") == len(over)
    complete = {day_of(key[2]) for key in expected} - {day_of(hour_of(closed.astimezone(VIETNAM)))}
    cod = [load_kg(expected, key) for key in expected if key[1] == "COD" and day_of(key[2]) in complete]
    shown = corridor.figure(f"{DOMAIN}/rpt_{DOMAIN}_daily", "load_sum", "parameter = 'COD'")
    assert float(shown) == pytest.approx(sum(kg for kg in cod if kg is not None), rel=1e-5)
    days_agree(corridor, days(expected), closed)


def days_agree(corridor: Corridor, expected: dict[tuple[str, str, date], Day], now: datetime) -> None:
    """The 24-hour means on which an exceedance is proven, flow and load, against the files; closed days only."""
    # The last day may be closed any moment in the minutes after midnight.
    closed = day_of(hour_of((now - timedelta(minutes=30)).astimezone(VIETNAM)))
    rows = {
        (code, parameter, day): row
        for code, parameter, day, *row in corridor.query(
            "select outlet_code, parameter, day, hour_count, exceeded_count, exceeded_hour_count, load_hour_count, "
            "is_exceeded, mean_value, mean_ratio, flow_m3, load_kg from serving.rpt_industrial_discharge_daily "
            "where day < %s", closed,
        )
    }  # fmt: skip
    assert rows.keys() == {key for key in expected if key[2] < closed}
    assert corridor.query("select count(*) from serving.rpt_industrial_discharge_daily where day > %s", closed) == [
        (0,)
    ]
    for key, (*counts, is_exceeded, mean, mean_ratio, flow, load) in rows.items():
        day, bounds = expected[key], limit(*key)
        assert counts == [day.hour_count, day.exceeded, day.exceeded_hours, day.load_hours], key
        expected_ratio = None if day.mean is None or bounds is None else ratio(day.mean, bounds)
        assert is_exceeded == (expected_ratio is not None and expected_ratio > 1), key
        for shown, counted in (
            (mean, day.mean), (mean_ratio, expected_ratio), (flow, day.flow_m3), (load, day.load_kg),
        ):  # fmt: skip
            assert (shown is None) == (counted is None), key
            if shown is not None:
                assert float(shown) == pytest.approx(counted, rel=1e-5, abs=1e-3), key


def connections_agree(corridor: Corridor, readings: Readings) -> set[str]:
    """Availability per outlet and day and the gaps that are over, against the files; how the gaps are called."""
    heard = moments(readings)
    today = datetime.now(VIETNAM).date()
    days = corridor.query(
        "select outlet_code, day, expected_count, received_count, availability_pct "
        "from serving.rpt_industrial_discharge_availability"
    )
    assert {code for code, *_ in days} == heard.keys()
    for code, day, expected, received, share in days:
        count = sum(day_of(hour_of(at)) == day for at in heard[code])
        assert received == count, (code, day)
        if day_of(hour_of(heard[code][0])) < day < today:
            assert (expected, float(share)) == (288, pytest.approx(100 * count / 288, abs=0.051)), (code, day)
    gaps = corridor.query(
        "select outlet_code, last_heard_at, resumed_at, gap_minutes, gap_class_vi "
        "from serving.rpt_industrial_discharge_gap where not is_open"
    )
    assert {gap[:3] for gap in gaps} == {
        (code, before, after) for code, at in heard.items() for before, after in pairwise(at)
        if after - before > timedelta(minutes=15)
    }  # fmt: skip
    for code, before, after, minutes, words in gaps:
        assert (minutes, words) == ((after - before) / timedelta(minutes=1), silence(minutes)), (code, before)
    return {words for *_, words in gaps}
