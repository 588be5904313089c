"""The same month through both engines, told by what a reader of the messages believes, scored against the truth.

Ours runs as it is: real PostgreSQL, ``engine.evaluate`` and ``delivery.drain`` under a clock that the benchmark moves;
a message counts when it lies in the inbox. The peer is :mod:`bench.peers.evaluation_clock` three times: with its
5-minute look-back, with a look-back as long as the data may be old (the best we could make of it), and scraping a gauge
that shows what was loaded last, which is how batch data usually reach it.

What is counted, over series and levels:

    false         a message that says more than was true by what was known at that moment, or "over" while it was not
    missed        a level, or an end, was true and fresh, nothing was held back, and readers believed otherwise for the
                  grace time
    doubled       said again although nothing had changed: not in a repeat, or after a wrong message in between
    silent after  when a silence ends, a change that happened inside it is still so, and stays untold for the grace time
    backfill      a false message about a series while its history is loaded, or within an hour after
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from bench.alerting.feed import HOUR, MINUTE, SIGNALS, START, Feed
from bench.peers.evaluation_clock import Alertmanager, Evaluator, Rule, Samples, Told

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from bench.alerting.truth import Timeline

GRACE = 45 * MINUTE
STEP = 5 * MINUTE


class Belief(NamedTuple):
    """From ``at`` on the reader takes the level of a series to be ``level``.

    ``is_inferred``: no message said so; it follows from what a message about others lists, or it was only repeated.
    """

    at: datetime
    level: int
    is_inferred: bool = False


Beliefs = dict[str, list[Belief]]


@dataclass
class Score:
    """What the messages of one engine were worth."""

    messages: int = 0
    false: int = 0
    missed: int = 0
    doubled: int = 0
    silent_after_maintenance: int = 0
    backfill_caused: int = 0


def evaluation_clock(feed: Feed, *, lookback: timedelta | None, scraped: bool = False) -> Beliefs:
    """What readers of the peer come to believe.

    Args:
        feed: The month.
        lookback: Of every rule; None: as long as the rule's data may be old.
        scraped: Samples carry the time of the scrape and the value that was loaded last.
    """
    samples = Samples()
    rules = _rules(lookback)
    evaluator, manager = Evaluator(rules, samples), Alertmanager(MINUTE / 2, 5 * MINUTE, 24 * HOUR)
    manager.silences = [(silence.series, silence.start, silence.end) for silence in feed.silences]
    found: Beliefs = defaultdict(list)
    gauges: dict[str, float] = {}
    arrivals = iter(feed.arrivals)
    coming = next(arrivals, None)
    now, was_down, was_blind = START, False, False
    while now <= feed.end:
        while coming and coming.at <= now:
            if coming.quality == "ok":
                gauges[coming.series] = coming.value
                if not scraped:
                    samples.write(coming.series, coming.period_end, coming.value)
            coming = next(arrivals, None)
        is_down = feed.machine_down[0] <= now < feed.machine_down[1]
        is_blind = is_down or feed.evaluator_down[0] <= now < feed.evaluator_down[1]
        if was_down and not is_down:
            manager.restart()
        if was_blind and not is_blind:
            evaluator.restart(now)
        if not is_blind:
            if scraped:
                for series, value in gauges.items():
                    samples.write(series, now, value)
            evaluator.evaluate(now, manager)
        if not is_down:
            _read(found, manager.look(now), now)
        was_down, was_blind = is_down, is_blind
        now += MINUTE
    return found


def _rules(lookback: timedelta | None) -> dict[str, list[Rule]]:
    """An alert per level of every series."""
    return {
        f"{signal.code}-{number}": [
            Rule(
                signal.code, signal.code, level, enter, leave, signal.direction == "down", signal.hold, signal.keep,
                lookback or signal.max_age,
            )
            for level, enter, leave in signal.levels
        ]
        for signal in SIGNALS
        for number in range(1, signal.series + 1)
    }  # fmt: skip


def _read(found: Beliefs, told: list[Told], now: datetime) -> None:
    """A reader takes what a message lists for all that is so in its group."""
    for group in {item.alert.group for item in told}:
        of_group = [item for item in told if item.alert.group == group]
        listed: dict[str, int] = defaultdict(int)
        for item in of_group:
            listed[item.alert.series] = max(listed[item.alert.series], item.alert.level * item.is_firing)
        spoken_of = {item.alert.series for item in of_group if not item.is_repeat}
        # Groups are rules here, and series carry the name of theirs.
        for series in {name for name in found if name.startswith(f"{group}-")} | set(listed):
            level, known = listed[series], found[series][-1].level if found.get(series) else 0
            if series in spoken_of or level != known:
                found[series].append(Belief(now, level, series not in spoken_of))


def score(feed: Feed, beliefs: Beliefs, truth: dict[tuple[str, str], Timeline]) -> Score:
    """Compare what was believed with what was true."""
    total = Score()
    for (signal, series), timeline in truth.items():
        told = beliefs.get(series, [])
        total.messages += sum(not belief.is_inferred for belief in told)
        _score_messages(total, told, timeline, feed.backfills.get((signal, series)))
        silences = [(s.start, s.end) for s in feed.silences if s.series == series]
        _score_silence(total, feed, told, timeline, silences)
    return total


def _score_messages(
    total: Score,
    told: list[Belief],
    timeline: Timeline,
    backfill: tuple[datetime, datetime] | None,
) -> None:
    before = 0
    last_told: dict[int, datetime] = {}
    for belief in told:
        if belief.is_inferred:
            continue
        level, _ = timeline.at(belief.at)
        is_false = belief.level > level or (belief.level == 0 and level > 0)
        total.false += is_false
        if is_false and backfill and backfill[0] <= belief.at <= backfill[1] + HOUR:
            total.backfill_caused += 1
        again = last_told.get(belief.level)
        is_unmoved = again is not None and _stayed(timeline, belief.level, again, belief.at)
        total.doubled += belief.level == before or is_unmoved
        before = belief.level
        last_told[belief.level] = belief.at


def _stayed(timeline: Timeline, level: int, since: datetime, until: datetime) -> bool:
    """Whether the level was ``level`` all the time."""
    if timeline.at(since)[0] != level:
        return False
    return all(
        found == level for time, found in zip(timeline.times, timeline.levels, strict=True) if since <= time <= until
    )


def _score_silence(
    total: Score, feed: Feed, told: list[Belief], timeline: Timeline, silences: list[tuple[datetime, datetime]]
) -> None:
    """Walk the month: times in which a level is true, fresh and not held back, and readers believe another."""
    holds = [*silences, feed.machine_down, feed.evaluator_down]
    moments = iter(told)
    coming = next(moments, None)
    believed, run_level, run_since, follows_silence = 0, 0, START, False
    is_counted = True
    now = START
    while now <= feed.end:
        while coming and coming.at <= now:
            believed = coming.level
            coming = next(moments, None)
        level, is_fresh = timeline.at(now)
        is_held = any(start <= now < end for start, end in holds)
        if not is_fresh or is_held or level != run_level:
            follows_silence = is_held and any(start <= now < end for start, end in silences)
            run_level, run_since, is_counted = level, now, False
        elif believed == level:
            run_since, is_counted, follows_silence = now, False, False
        elif not is_counted and now - run_since >= GRACE:
            is_counted = True
            if follows_silence:
                total.silent_after_maintenance += 1
            else:
                total.missed += 1
        now += STEP
