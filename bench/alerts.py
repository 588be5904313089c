"""The alert engine: scale, the outbox, and a month beside an engine on the evaluation clock.

scale    a tick over 20,000 series < 5 s; the catch-up of 500,000 points < 10 s; a minute's tick of 10,000 rules on
         20 series each < 10 s (bench/alerting/scale.py)
outbox   500 messages per second without gateway latency (bench/alerting/outbox.py)
month    30 days with gaps, late files, corrections, outages, silences and a backfill through our engine and through
         Prometheus' and Alertmanager's semantics (bench/peers/evaluation_clock.py): ours misses nothing, says
         nothing twice, forgets nothing after a silence and tells no backfill (bench/alerting/month.py)
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from bench.alerting import feed, month, ours, outbox, scale, truth

SEED = 36


def run(quick: bool = False) -> dict[str, Any]:
    """Everything; ``quick`` on little data (seconds: shows that it runs, proves nothing about speed)."""
    parts = [scale.one_rule(quick), scale.many_rules(quick), outbox.run(quick), compare(quick)]
    return {
        "figures": {name: value for part in parts for name, value in part["figures"].items()},
        "promises": {name: value for part in parts for name, value in part["promises"].items()},
    }


def compare(quick: bool, seed: int = SEED) -> dict[str, Any]:
    """The same feed through four engines: ours, and three ways to run one on the evaluation clock."""
    days, tick = (3, timedelta(minutes=30)) if quick else (30, timedelta(minutes=15))
    coming = feed.build(seed, days)
    true = truth.timelines(coming)
    beliefs = {
        "ours": ours.run(coming, tick),
        "evaluation clock, look-back as long as data may be old": month.evaluation_clock(coming, lookback=None),
        "evaluation clock, scraped gauge": month.evaluation_clock(coming, lookback=5 * feed.MINUTE, scraped=True),
        "evaluation clock, 5-minute look-back": month.evaluation_clock(coming, lookback=5 * feed.MINUTE),
    }
    scores = {name: asdict(month.score(coming, said, true)) for name, said in beliefs.items()}
    mine = scores["ours"]
    return {
        "figures": {
            "month": {
                "seed": seed, "days": days, "rows": len(coming.arrivals), "series": len(true), **coming.counts,
            },
            "month_scores": scores,
        },
        "promises": {
            f"month: {what}": {"value": mine[name], "limit": 0, "holds": mine[name] == 0}
            for what, name in (
                ("missed", "missed"),
                ("doubled", "doubled"),
                ("silent after maintenance", "silent_after_maintenance"),
                ("caused by backfill", "backfill_caused"),
            )
        },
    }  # fmt: skip
