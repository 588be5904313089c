"""The stations' files: the same for a seed, without a seam, in each logger's handwriting, with the stories told."""

from __future__ import annotations

import hashlib
import unicodedata
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest

from ioc.settings import PROJECT_ROOT
from sandbox.air_quality.play import NETWORK
from sandbox.air_quality.stations import PARAMETERS, STATIONS, planted
from sandbox.air_quality.weather import observe
from sandbox.stations import feed
from sandbox.stations.model import HOUR_S, STEP_S, Story
from sandbox.stations.tt10 import stamp

if TYPE_CHECKING:
    from pathlib import Path

END = int(datetime(2026, 11, 22, 5, 0, tzinfo=UTC).timestamp())  # 12:00 in Thanh Hóa
NOW = END + 60
DAYS = 4
Feed = partial(feed.Feed, NETWORK)
station = NETWORK.station


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("history")
    assert Feed(folder, seed=36, days=DAYS).advance(NOW) > 0
    return folder


def fingerprint(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(
            f"{path.relative_to(folder)} {int(path.stat().st_mtime) if path.suffix == '.txt' else 0}".encode()
        )
        digest.update(path.read_bytes())
    return digest.hexdigest()


def lines(folder: Path, code: str) -> list[list[str]]:
    """Every line of the station, split into its five columns, from all its files."""
    one = station(code)
    found = []
    for path in sorted((folder / one.server / "air_quality" / code).rglob("*.txt")):
        text = unicodedata.normalize("NFC", path.read_bytes().decode(one.encoding))
        assert text.endswith("\r\n")
        found += [line.split(one.separator) for line in text.split("\r\n")[:-1]]
    return found


def series(code: str, parameter: str, start_h: float, end_h: float) -> np.ndarray:
    """Values with the planted stories from ``start_h`` to ``end_h`` hours around the anchor, one per hour (means)."""
    marks = np.arange(END + round(start_h * HOUR_S) + STEP_S, END + round(end_h * HOUR_S) + 1, STEP_S, dtype=np.int64)
    values = observe(station(code), marks, 36, planted(END))[parameter].values
    return values.reshape(-1, 12).mean(axis=1)


def test_same_seed_and_end_give_the_same_bytes_and_another_seed_does_not(laid_out: Path, tmp_path: Path) -> None:
    Feed(tmp_path / "again", seed=36, days=DAYS).advance(NOW)
    Feed(tmp_path / "other", seed=37, days=DAYS).advance(NOW)
    assert fingerprint(tmp_path / "again") == fingerprint(laid_out)
    assert fingerprint(tmp_path / "other") != fingerprint(laid_out)


def test_values_do_not_depend_on_when_they_are_asked() -> None:
    marks = np.arange(END - 6 * HOUR_S, END + 1, STEP_S, dtype=np.int64)
    for one in STATIONS:
        together = observe(one, marks, 36)
        for index in (0, 17, len(marks) - 1):
            alone = observe(one, marks[index : index + 1], 36)
            for name in PARAMETERS:
                assert f"{alone[name].values[0]:.1f}" == f"{together[name].values[index]:.1f}"


def test_missed_marks_are_caught_up_with_the_very_files_of_a_feed_that_never_stopped(tmp_path: Path) -> None:
    steady, restarted = tmp_path / "steady", tmp_path / "restarted"
    for folder in (steady, restarted):
        Feed(folder, seed=1, days=1).advance(NOW)
    running = Feed(steady, seed=1, days=1)
    for later in range(STEP_S, 2 * HOUR_S + 1, STEP_S):
        running.advance(NOW + later)
    Feed(restarted, seed=1, days=1).advance(NOW + 2 * HOUR_S)
    assert fingerprint(restarted) == fingerprint(steady)
    assert Feed(restarted, seed=1, days=1).advance(NOW + 2 * HOUR_S) == 0


def test_history_is_complete_and_the_last_day_comes_in_single_files(laid_out: Path) -> None:
    for one in STATIONS:
        days = min(DAYS, one.history_days or DAYS)
        times = {columns[3] for columns in lines(laid_out, one.code)}
        expected = {stamp(mark) for mark in range(END - days * 24 * HOUR_S + STEP_S, END + 1, STEP_S)}
        assert times == expected, one.code
        files = list((laid_out / one.server / "air_quality" / one.code).rglob("*.txt"))
        assert 288 <= len(files) <= 288 + days + 2
    nested = laid_out / "sftp/air_quality/TH_SAMSON_KK04/2026/11/22/TH_SAMSON_KK04_20261122120000.txt"
    flat = laid_out / "ftp/air_quality/TH_BIMSON_KK02/TH_BIMSON_KK02_20261122120000.txt"
    assert nested.exists()
    assert flat.exists()
    assert not list(laid_out.rglob("*.part"))


def test_each_logger_keeps_its_habits(laid_out: Path) -> None:
    def column(code: str, symbol: str, index: int) -> set[str]:
        return {columns[index] for columns in lines(laid_out, code) if columns[0] == symbol}

    assert all(len(columns) == 5 for one in STATIONS for columns in lines(laid_out, one.code))
    assert all("," in value for value in column("TH_BIMSON_KK02", "PM2,5", 1) - {"NaN"})
    assert column("TH_NGHISON_KK03", "CO", 2) == {"mg/Nm3"}
    assert all(float(value) < 5 for value in column("TH_NGHISON_KK03", "CO", 1) - {"---"})
    assert column("TH_LAMSON_KK05", "PM-2-5", 2) == {"mg/m3"}
    assert column("TH_TINHGIA_KK06", "Nhiệt độ", 2) == {"oC"}
    one_file = next((laid_out / "sftp/air_quality/TH_SAMSON_KK04").rglob("*.txt")).read_bytes()
    assert one_file.startswith(b"\xef\xbb\xbf")
    assert {""} & column("TH_SAMSON_KK04", "CO", 1), "blank values occur"


def test_the_air_is_quiet_where_no_story_is_told() -> None:
    year = np.arange(END - 365 * 24 * HOUR_S + STEP_S, END + 1, STEP_S, dtype=np.int64)
    # AQI 100 of QĐ 1459 for hours; the smaller of it and QCVN 05:2023's limit, µg/m³.
    limits = {"PM2.5": 45, "PM10": 100, "SO2": 125, "NO2": 100, "CO": 10_000, "O3": 120}
    for one in STATIONS:
        air = observe(one, year, 36)
        for name, limit in limits.items():
            hours = air[name].values.reshape(-1, 12).mean(axis=1)
            assert hours.max() < limit, (one.code, name)
            assert hours.min() > 0
            assert np.unique(air[name].values[:100].round(1)).size > 10, "a working sensor flickers"
        assert (air["PM10"].values > air["PM2.5"].values).all()
        assert 15 < air["Temp"].values.mean() < 32
        assert 30 < air["RH"].values.min() < air["RH"].values.max() < 100
        assert 0.0005 < air["CO"].missing.mean() < 0.005


def test_the_episodes_reach_the_levels_they_promise() -> None:
    bim_son = series("TH_BIMSON_KK02", "PM2.5", -54, -38)
    # QĐ 1459: AQI 200 at 150 µg/m³, 300 at 250; 150 at 80.
    assert (bim_son > 150).sum() >= 5
    assert bim_son.max() < 250
    assert (bim_son > 80).sum() >= 10
    assert series("TH_BIMSON_KK02", "PM2.5", -36, 0).max() < 50
    nghi_son = series("TH_NGHISON_KK03", "PM2.5", -4, 1)
    assert ((nghi_son > 50) & (nghi_son < 150)).all(), "AQI 101–200 now"
    assert series("TH_NGHISON_KK03", "PM2.5", 31, 48).max() < 50, "it ends by itself"


def test_the_broken_sensors_break_as_told(laid_out: Path) -> None:
    def told(code: str, symbol: str, after_h: float, until_h: float) -> list[list[str]]:
        begin, finish = stamp(END + round(after_h * HOUR_S)), stamp(END + round(until_h * HOUR_S))
        return [line for line in lines(laid_out, code) if line[0] == symbol and begin < line[3] <= finish]

    calibration = told("TH_HACTHANH_KK01", "PM10", -26, -24)
    assert len(calibration) == 24
    assert {line[4] for line in calibration} == {"01"}
    assert {line[1] for line in calibration} <= {"985.0", "-9999"}
    assert {line[4] for line in told("TH_HACTHANH_KK01", "PM2.5", -26, -24)} == {"00"}
    assert {line[1] for line in told("TH_SAMSON_KK04", "SO2", -20, -2)} <= {"17.3", ""}
    co = {line[1] for line in told("TH_TINHGIA_KK06", "CO", -34, -29)} - {"---"}
    assert co == {"172000"}
    fine = series("TH_SAMSON_KK04", "PM2.5", -16, -13)
    assert (fine > series("TH_SAMSON_KK04", "PM10", -16, -13)).all()


def test_the_outage_is_silence_first_and_one_late_file_then(laid_out: Path) -> None:
    folder = laid_out / "sftp/air_quality/TH_LAMSON_KK05"
    late = [path for path in folder.rglob("*.txt") if path.stem.endswith("07")]
    assert len(late) == 1
    times = {line.split("\t")[3] for line in late[0].read_text().splitlines()}
    assert len(times) == 72
    assert max(times) == stamp(END - 72 * HOUR_S)
    assert late[0].stat().st_mtime > END - 71 * HOUR_S, "sent after the outage"
    others = [path.read_text() for path in folder.rglob("*.txt") if path != late[0]]
    assert not any(time in text for text in others for time in times)


def test_a_story_told_now_happens_next_and_survives_a_restart(tmp_path: Path) -> None:
    feed = Feed(tmp_path, seed=1, days=1)
    feed.advance(NOW)
    feed.tell(Story("outage", "TH_SAMSON_KK04", END, END + HOUR_S, resend_at=END + HOUR_S + STEP_S))
    feed.tell(Story("fixed", "TH_BIMSON_KK02", END, END + HOUR_S, parameter="O3", value=222))
    again = Feed(tmp_path, seed=1, days=1)
    again.advance(NOW + HOUR_S)
    assert max(line[3] for line in lines(tmp_path, "TH_SAMSON_KK04")) == stamp(END)
    again.advance(NOW + HOUR_S + STEP_S)
    assert sum(line[3] > stamp(END) for line in lines(tmp_path, "TH_SAMSON_KK04")) == 13 * len(PARAMETERS)
    ozone = [line[1] for line in lines(tmp_path, "TH_BIMSON_KK02") if line[0] == "O3" and line[3] > stamp(END)]
    assert ozone[:12].count("222,0") >= 11
    assert ozone[12] != "222,0"


def test_the_stations_readme_lists_every_station_and_story() -> None:
    text = (PROJECT_ROOT / "sandbox/air_quality/README.md").read_text(encoding="utf-8")
    for story in planted(0):
        row = f"| {story.start // HOUR_S:+d} to {story.end // HOUR_S:+d} | `{story.station}` |".replace("-", "−")
        assert row in text
    assert all(one.code in text for one in STATIONS)
