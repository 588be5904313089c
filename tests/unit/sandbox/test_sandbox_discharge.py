"""The outlets' files: quiet where no story is told, and each story as its README tells it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from ioc.settings import PROJECT_ROOT
from sandbox.industrial_discharge.outlets import STATIONS, planted
from sandbox.industrial_discharge.play import NETWORK
from sandbox.industrial_discharge.process import observe
from sandbox.stations.feed import Feed
from sandbox.stations.model import DAY_S, HOUR_S, STEP_S

if TYPE_CHECKING:
    from pathlib import Path

END = int(datetime(2026, 11, 22, 5, 0, tzinfo=UTC).timestamp())
# Limits as the registry has them, at the reference oxygen of the permit; the strictest that ever counts.
LIMITS = {
    "TH_NGHISON_NT01": {"COD": 175.5, "TSS": 117, "NH4": 11.7, "Temp": 40},
    "TH_LEMON_NT02": {"COD": 75, "TSS": 50, "NH4": 5, "Temp": 40},
    "TH_HOANGLONG_NT03": {"COD": 90, "TSS": 45, "NH4": 8, "Temp": 40},
    "TH_LAMSON_NT04": {"COD": 148.5, "TSS": 99, "NH4": 9.9, "Temp": 40},
    "TH_NGHISON_KT05": {"PM": 50, "SO2": 200, "NOx": 300, "CO": 250},
    "TH_BIMSON_KT06": {"PM": 50, "SO2": 300, "NOx": 800, "CO": 500},
    "TH_LAMSON_KT07": {"PM": 180, "SO2": 450, "NOx": 765, "CO": 900},
}
O2_REFERENCE = {"TH_NGHISON_KT05": 6.0, "TH_BIMSON_KT06": 10.0}


def test_outlets_keep_their_limits_where_no_story_is_told() -> None:
    year = np.arange(END - 365 * DAY_S + STEP_S, END + 1, STEP_S, dtype=np.int64)
    for outlet in STATIONS:
        read = {name: series.values for name, series in observe(outlet, year, 36).items()}
        factor = 1.0
        if outlet.code in O2_REFERENCE:
            factor = (20.9 - O2_REFERENCE[outlet.code]) / (20.9 - read["O2"])
        for name, limit in LIMITS.get(outlet.code, {}).items():
            assert (read[name] * (factor if name != "Temp" else 1)).max() < 0.95 * limit, (outlet.code, name)
            assert read[name].min() > 0
        if "pH" in read:
            assert 6.2 < read["pH"].min() < read["pH"].max() < 8.8


def test_the_stories_are_told_in_the_files(tmp_path: Path) -> None:
    assert Feed(NETWORK, tmp_path, 36, 6).advance(END + 60) > 0

    def lines(code: str) -> list[list[str]]:
        outlet = NETWORK.station(code)
        files = (tmp_path / outlet.server / "industrial_discharge" / code).rglob("*.txt")
        text = "".join(path.read_bytes().decode(outlet.encoding) for path in files)
        return [line.split(outlet.separator) for line in text.split("\r\n") if line]

    calibration = [line for line in lines("TH_NGHISON_KT05") if line[4] == "01"]
    assert len(calibration) == 24
    assert {line[0] for line in calibration} == {"SO2"}
    assert {line[1] for line in calibration} <= {"2000.0", "-9999"}
    errors = [line for line in lines("TH_BIMSON_KT06") if line[4] == "02"]
    assert len(errors) == 48
    assert {line[0] for line in errors} == {"Bụi"}
    air = [line for line in lines("TH_NGHISON_KT05") if line[0] == "O2" and line[1] == "20.95"]
    assert len(air) in range(68, 73), "a few values are always missing"
    assert max(line[3] for line in lines("TH_HOANGLONG_NT03")) == "20261122103000", "silent for an hour and a half"
    burst = [line for line in lines("TH_LEMON_NT02") if line[0] == "TSS" and line[1] == "90,0"]
    assert len(burst) == 2


def test_the_readme_lists_every_outlet_and_story() -> None:
    text = (PROJECT_ROOT / "sandbox/industrial_discharge/README.md").read_text(encoding="utf-8")
    assert all(outlet.code in text for outlet in STATIONS)
    for story in planted(0):
        if abs(story.start) < 1000 * HOUR_S:
            begins = f"{story.start / HOUR_S:g}".replace("-", "−")
            assert any(line.startswith(f"| {begins}") and story.station in line for line in text.splitlines()), story
