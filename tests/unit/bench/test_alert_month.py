"""The comparison's instruments: the peer keeps its rules, the truth is the definition's, the score sees each fault."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta

from bench.alerting import feed, month, truth
from bench.alerting.feed import HOUR, MINUTE, START, Arrival, Feed, Silence
from bench.alerting.month import Belief, Score, score
from bench.peers.evaluation_clock import Alertmanager, Evaluator, Rule, Samples, Told

AIR = feed.SIGNALS[0]
NEVER = (START - 2 * HOUR, START - HOUR)


def peer(
    values: dict[int, float], *, until: int, silent: tuple[int, int] | None = None, **changes: object
) -> list[str]:
    """Minutes and words of what the peer says about one series; ``values`` by minute."""
    rule = Rule("r", "r", 1, 100, 90, False, 0 * HOUR, 0 * HOUR, 5 * MINUTE)
    samples = Samples()
    evaluator = Evaluator({"s": [Rule(**{**asdict(rule), **changes})]}, samples)
    manager = Alertmanager(MINUTE / 2, 5 * MINUTE, 4 * HOUR)
    if silent:
        manager.silences = [("s", START + silent[0] * MINUTE, START + silent[1] * MINUTE)]
    told: list[Told] = []
    for minute in range(until):
        now = START + minute * MINUTE
        if minute in values:
            samples.write("s", now, values[minute])
        evaluator.evaluate(now, manager)
        told += manager.look(now)
    words = {(True, False): "firing", (False, False): "resolved", (True, True): "repeat"}
    return [f"{(item.at - START) // MINUTE} {words[item.is_firing, item.is_repeat]}" for item in told]


def every_minute(value: float, start: int, end: int) -> dict[int, float]:
    return dict.fromkeys(range(start, end), value)


def test_the_peer_waits_for_its_duration_and_keeps_firing() -> None:
    values = every_minute(60, 0, 10) | every_minute(120, 10, 30) | every_minute(60, 30, 60)
    assert peer(values, until=60) == ["11 firing", "31 resolved"]
    assert peer(values, until=60, hold=10 * MINUTE) == ["20 firing", "30 resolved"]
    assert peer(values, until=60, keep=10 * MINUTE) == ["11 firing", "41 resolved"]
    assert peer(values | every_minute(95, 30, 50), until=60) == ["11 firing", "51 resolved"], "down to the exit value"


def test_the_peer_takes_missing_data_for_an_end_and_repeats_itself() -> None:
    assert peer(every_minute(120, 0, 10), until=40) == ["1 firing", "16 resolved"]
    assert peer(every_minute(120, 0, 400), until=400) == ["1 firing", "241 repeat"]


def test_the_peer_forgets_an_end_inside_a_silence() -> None:
    values = every_minute(120, 0, 30) | every_minute(60, 30, 100)
    assert peer(values, until=100, silent=(20, 50)) == ["1 firing"]
    assert peer(every_minute(120, 0, 100), until=100, silent=(0, 50)) == ["51 firing"]


def of_air(
    values: list[float], silences: list[Silence] | None = None
) -> tuple[Feed, dict[tuple[str, str], truth.Timeline]]:
    """A feed of hourly values that arrive at once, and its truth."""
    arrivals = [Arrival(START + n * HOUR, "air", "air-1", START + n * HOUR, value) for n, value in enumerate(values)]
    made = Feed(arrivals, silences or [], NEVER, NEVER, {}, START + len(values) * HOUR)
    return made, truth.timelines(made)


def beliefs(*told: tuple[float, int]) -> month.Beliefs:
    return {"air-1": [Belief(START + hour * HOUR, level) for hour, level in told]}


def test_the_truth_follows_enter_exit_and_keep() -> None:
    _, true = of_air([60, 120, 95, 160, 145, 120, 120, 95, 80, 80])
    assert true["air", "air-1"].levels == [0, 1, 1, 2, 2, 2, 1, 1, 1, 0]


def test_the_score_is_zero_for_who_says_what_is_so_and_sees_every_fault() -> None:
    made, true = of_air([60, 120, 120, 80, 80, 80, 80, 80])

    def faults(*told: tuple[float, int]) -> dict[str, int]:
        counted = asdict(score(made, beliefs(*told), true))
        return {name: count for name, count in counted.items() if count and name != "messages"}

    assert faults((1, 1), (4, 0)) == {}
    assert faults((4, 0)) == {"missed": 1, "doubled": 1}
    assert faults((1, 1)) == {"missed": 1}, "the end"
    assert faults((1, 2), (4, 0)) == {"false": 1, "missed": 1}
    assert faults((1, 1), (2, 1), (4, 0)) == {"doubled": 1}
    assert faults((1, 1), (2, 0), (2.5, 1), (4, 0)) == {"false": 1, "doubled": 1}


def test_the_score_sees_what_is_forgotten_after_a_silence_and_what_a_backfill_says() -> None:
    silence = Silence("silence", "air", "air-1", START + HOUR / 2, START + 3 * HOUR)
    made, true = of_air([60, 120, 120, 120, 120, 120], [silence])
    assert score(made, beliefs((3, 1)), true) == Score(messages=1)
    assert score(made, {}, true).silent_after_maintenance == 1
    made, true = of_air([60, 60, 60, 60])
    made.backfills["air", "air-1"] = (START, START + 2 * HOUR)
    assert score(made, beliefs((1, 1)), true).backfill_caused == 1


def test_the_feed_follows_from_its_seed() -> None:
    one, same, other = feed.build(7, 2), feed.build(7, 2), feed.build(8, 2)
    assert one.arrivals == same.arrivals
    assert one.arrivals != other.arrivals
    assert one.arrivals == sorted(one.arrivals)
    assert all(arrival.at - arrival.period_end > timedelta(0) for arrival in one.arrivals)
    assert not any(one.machine_down[0] <= arrival.at < one.machine_down[1] for arrival in one.arrivals)
