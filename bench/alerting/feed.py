"""A month of signals as they really come: gaps, late files, corrections, outages, silences, a backfill.

Everything follows from the seed. A point has a period end (the data's time) and an arrival (the world's time); both
engines get it at its arrival.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

START = datetime(2026, 3, 1, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True)
class Signal:
    """What is measured, and the rule on it: ``levels`` are ``(level, enter, exit)``, ascending."""

    code: str
    unit: str
    cadence: timedelta
    direction: str
    levels: tuple[tuple[int, float, float], ...]
    hold: timedelta
    keep: timedelta
    max_gap: timedelta
    max_age: timedelta
    calm: float
    noise: float
    series: int


SIGNALS = (
    Signal("air", "SNNMT", HOUR, "up", ((1, 101, 91), (2, 151, 141), (3, 201, 191), (4, 301, 291)), 0 * HOUR, HOUR,
           3 * HOUR, 3 * HOUR, 60, 12, 6),
    Signal("discharge", "BQL", 15 * MINUTE, "up", ((1, 100, 95), (2, 130, 123)), 15 * MINUTE, 15 * MINUTE, 45 * MINUTE,
           2 * HOUR, 60, 10, 5),
    Signal("vessel", "BDBP", HOUR, "down", ((2, 0, 0.5),), 0 * HOUR, 0 * HOUR, 3 * HOUR, 6 * HOUR, 12, 2, 6),
    Signal("dossier", "VPUB", 6 * HOUR, "up", ((1, 50, 45), (2, 100, 90)), 0 * HOUR, 0 * HOUR, 18 * HOUR, 24 * HOUR,
           20, 6, 4),
)  # fmt: skip


@dataclass(frozen=True, order=True)
class Arrival:
    """One row as it reaches the warehouse."""

    at: datetime
    signal: str
    series: str
    period_end: datetime
    value: float
    quality: str = "ok"
    is_backfill: bool = False


@dataclass(frozen=True)
class Silence:
    """Messages about ``series`` are held back from ``start`` to ``end``."""

    kind: str
    signal: str
    series: str
    start: datetime
    end: datetime


@dataclass
class Feed:
    """The month.

    Attributes:
        arrivals: In order of arrival.
        silences: Silences and maintenance windows.
        machine_down: Nothing runs and nothing arrives: what would have, comes at the end.
        evaluator_down: Data come, nobody evaluates; the sender of messages lives.
        backfills: ``(signal, series) → (start, end)`` of loads of history.
        end: When it is over.
        counts: How much of each mishap there is.
    """

    arrivals: list[Arrival]
    silences: list[Silence]
    machine_down: tuple[datetime, datetime]
    evaluator_down: tuple[datetime, datetime]
    backfills: dict[tuple[str, str], tuple[datetime, datetime]]
    end: datetime
    counts: dict[str, int] = field(default_factory=dict)


def build(seed: int, days: int) -> Feed:
    """The feed of ``seed``; with fewer days the same mishaps lie closer together."""
    scale = days / 30
    end = START + days * DAY

    def day(number: float) -> datetime:
        return START + number * scale * DAY

    machine = (day(8), day(8) + 26 * HOUR * scale)
    evaluator = (day(15), day(15) + 3 * HOUR)
    source_down = (day(11.3), day(11.3) + 8 * HOUR * scale)
    counts: dict[str, int] = {}
    found: list[Arrival] = []
    silences: list[Silence] = []
    backfills = {}
    for signal in SIGNALS:
        for number in range(1, signal.series + 1):
            name = f"{signal.code}-{number}"
            chance = random.Random(f"{seed}|{name}")
            found += _series(
                chance,
                signal,
                name,
                days=days,
                counts=counts,
                source_down=source_down if signal.code == "air" else None,
            )
            silences += _silences(chance, signal, name, day)
            if signal.code == "air" and number <= 3:
                begins = day(20) + number * HOUR
                rows = _history(chance, signal, name, begins)
                backfills[signal.code, name] = (begins, max(row.at for row in rows))
                found += rows
    counts["backfilled"] = sum(arrival.is_backfill for arrival in found)
    counts["silences"] = len(silences)
    arrivals = sorted(_after(arrival, machine) for arrival in found)
    return Feed(
        [arrival for arrival in arrivals if arrival.at < end], silences, machine, evaluator, backfills, end, counts
    )


def _after(arrival: Arrival, down: tuple[datetime, datetime]) -> Arrival:
    if not down[0] <= arrival.at < down[1]:
        return arrival
    return Arrival(down[1], *_rest(arrival))


def _rest(arrival: Arrival) -> tuple[str, str, datetime, float, str, bool]:
    return arrival.signal, arrival.series, arrival.period_end, arrival.value, arrival.quality, arrival.is_backfill


def _values(chance: random.Random, signal: Signal, count: int) -> list[float]:
    """Calm noise with episodes of every level in it, some of them trembling around the threshold."""
    values = [signal.calm + chance.gauss(0, signal.noise / 2) for _ in range(count)]
    at = chance.randrange(5, 30)
    while at < count - 10:
        _, enter, leave = chance.choice(signal.levels)
        length = chance.randrange(3, 16)
        gap = abs(enter - leave) or 1.0
        trembling = chance.random() < 0.3
        for step in range(at, min(at + length, count)):
            # Trembling stays between exit and enter, crossing the latter; a firm episode is well beyond it.
            off = chance.uniform(-0.9, 0.6) if trembling else chance.uniform(0.2, 2.0)
            values[step] = enter + off * gap if signal.direction == "up" else enter - off * gap
        at += length + chance.randrange(20, 90)
    return [round(value, 1) for value in values]


def _series(
    chance: random.Random,
    signal: Signal,
    name: str,
    *,
    days: int,
    counts: dict[str, int],
    source_down: tuple[datetime, datetime] | None,
) -> list[Arrival]:
    count = int(days * DAY / signal.cadence)
    values = _values(chance, signal, count)
    delays = [chance.uniform(2, 9) * MINUTE for _ in range(count)]
    qualities = ["ok"] * count
    lost: set[int] = set()

    def blocks(kind: str, share: float, longest: int) -> list[range]:
        made = []
        for first in range(4, count):
            if chance.random() < share:
                made.append(range(first, min(first + chance.randint(1, longest), count)))
        counts[kind] = counts.get(kind, 0) + len(made)
        return made

    for block in blocks("gaps", 0.006, 5):
        lost.update(block)
    for block in blocks("calibrations", 0.003, 3):
        for step in block:
            qualities[step], values[step] = "calibrating", round(signal.levels[-1][1] * 3 + 40, 1)
    for block in blocks("late files", 0.006, 6):
        # The file holds the whole block and comes after its last period.
        for step in block:
            delays[step] = (block[-1] - step) * signal.cadence + chance.uniform(10, 50) * MINUTE
    for block in blocks("pieces behind newer ones", 0.003, 3):
        for step in block:
            delays[step] = chance.randint(4, 9) * signal.cadence
    rows = []
    for step, value in enumerate(values):
        if step in lost:
            continue
        period_end = START + (step + 1) * signal.cadence
        at = period_end + delays[step]
        if source_down and source_down[0] <= at < source_down[1]:
            at = source_down[1]
        rows.append(Arrival(at, signal.code, name, period_end, value, qualities[step]))
        if chance.random() < 0.01 and qualities[step] == "ok":
            corrected = round(value + chance.choice((-1, 1)) * signal.noise * chance.uniform(0.5, 4), 1)
            later = at + chance.choice((10 * MINUTE, 5 * HOUR, 40 * HOUR)) * chance.uniform(0.5, 1.5)
            rows.append(Arrival(later, signal.code, name, period_end, corrected))
            counts["corrections"] = counts.get("corrections", 0) + 1
    return rows


def _silences(chance: random.Random, signal: Signal, name: str, day: Callable[[float], datetime]) -> list[Silence]:
    """Some windows per series, long enough for episodes to begin, end, or both, inside."""
    windows = []
    for number in range(3):
        start = day(chance.uniform(1 + number * 9, 9 + number * 9))
        length = max(4 * signal.cadence, 5 * HOUR) * chance.uniform(0.6, 2.5)
        windows.append(Silence("maintenance" if number == 1 else "silence", signal.code, name, start, start + length))
    return windows


def _history(chance: random.Random, signal: Signal, name: str, begins: datetime) -> list[Arrival]:
    """Sixty days from before the month, one day of it every ten minutes."""
    values = _values(chance, signal, int(60 * DAY / signal.cadence))
    per_day = int(DAY / signal.cadence)
    return [
        Arrival(
            begins + (step // per_day) * 10 * MINUTE, signal.code, name, START - 60 * DAY + (step + 1) * signal.cadence,
            value, "ok", True,
        )
        for step, value in enumerate(values)
    ]  # fmt: skip
