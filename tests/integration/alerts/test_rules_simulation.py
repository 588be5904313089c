"""What a rule test says is what the engine does: the same rows, arriving at the same times, give the same history."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from alerts.judging import engine
from alerts.judging.fold import Point
from alerts.rulemaking import rule_files
from alerts.rulemaking.rule_document import as_rule
from alerts.rulemaking.rule_simulation import Simulation

if TYPE_CHECKING:
    from tests.integration.alerts.conftest import Desk

AQI = next(d for d in rule_files.read(rule_files.FOLDER / "air_quality.yaml") if d.code == "air_quality.aqi_h")
_HOURS = 36


def _rows(seed: int) -> list[tuple[float, float, float | None, str]]:
    """``(arrival, period end, value, quality)``: gaps, calibrations, delays and rows far behind, in no tidy order."""
    chance = random.Random(seed)
    rows, value = [], 120.0
    for hour in range(_HOURS):
        value = min(330.0, max(40.0, value + chance.uniform(-60, 60)))
        kind = chance.random()
        if kind < 0.2:
            continue
        quality = "calibrating" if kind < 0.3 else "ok"
        arrival = hour + (chance.choice([0, 0, 0, 0.5, 2, 7]) if kind > 0.6 else 0)
        rows.append((arrival, float(hour), None if quality != "ok" else round(value, 1), quality))
    return rows


def test_the_simulation_tells_the_engines_history(desk: Desk) -> None:
    stations = {f"S-{n}": _rows(n) for n in range(5)}
    simulation = Simulation(as_rule(AQI))
    ticks = sorted(
        {arrival for rows in stations.values() for arrival, *_ in rows} | set(map(float, range(_HOURS + 13)))
    )
    for tick in ticks:
        batch = {}
        for station, rows in stations.items():
            due = [row for row in rows if row[0] == tick]
            for _, hour, value, quality in due:
                desk.signal({hour: value}, station=station, quality=quality)
            if due:
                batch[station] = [Point(desk.at(hour), value, quality, 1, "14797") for _, hour, value, quality in due]
        engine.evaluate(at=desk.at(tick), settings=desk.settings, tell=False)
        simulation.tick(desk.at(tick), batch)
    for station in stations:
        for kind in ("value", "nodata"):
            simulated = [
                ((t.event_time - desk.at(0)).total_seconds() / 3600, t.to_level)
                for entity, of, t in simulation.history if (entity, of) == (station, kind)
            ]  # fmt: skip
            assert simulated == desk.transitions(kind, station), (station, kind)
    kinds = {kind for _, kind, _ in simulation.history}
    assert kinds == {"value", "nodata"}, "the rows must be rough enough to prove something"
    assert len(simulation.history) > 30
