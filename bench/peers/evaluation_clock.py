"""An alert engine on the evaluation clock, as Prometheus and Alertmanager define it, written for the comparison.

Followed from their documentation and behaviour (Prometheus 2.42 or newer, for ``keep_firing_for``; Alertmanager 0.27):

- Rules are evaluated at the wall clock, every ``interval``. An instant vector holds the newest sample of each series
  not older than the look-back. ``for`` and ``keep_firing_for`` count from the evaluation that first saw, or missed, the
  element. A sample whose timestamp is already there is refused; older ones are let in (out-of-order window).
- A firing alert is sent again every minute with an end four intervals ahead; a resolved one with its end. After a
  restart the state of ``for`` is restored if the outage was shorter than an hour (``for-outage-tolerance``); firing
  alerts and ``keep_firing_for`` are not.
- Alertmanager groups, waits ``group_wait`` before the first and ``group_interval`` between later looks, drops
  what is silenced, and sends when its log differs: a new firing alert, a newly resolved one, or ``repeat_interval``
  over. Resolved alerts leave the group after the look, sent or silenced. An alert that nobody renews ends by itself:
  Prometheus sets the end, so ``resolve_timeout`` (for senders that set none) never comes into play. Log and silences
  survive a restart, alerts do not.

In its favour: each level is an alert of its own and keeps firing down to its exit value (the usual ``or ALERTS``
expression); no inhibition rule swallows an end; the look-back is a parameter; rows of bad quality never become samples;
a reader takes what a message lists for all that is so in its group.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

MINUTE = timedelta(minutes=1)
FOR_OUTAGE_TOLERANCE = timedelta(hours=1)
RESEND_DELAY = MINUTE


@dataclass(frozen=True)
class Rule:
    """``name`` is the alert's name; alerts of one ``group`` are told together."""

    name: str
    group: str
    level: int
    enter: float
    exit: float
    is_falling: bool
    hold: timedelta
    keep: timedelta
    lookback: timedelta

    def holds(self, value: float, is_firing: bool) -> bool:
        """``value >= enter or (value >= exit and ALERTS == firing)``; mirrored for a falling rule."""
        if self.is_falling:
            return value <= self.enter or (is_firing and value <= self.exit)
        return value >= self.enter or (is_firing and value >= self.exit)


class AlertKey(NamedTuple):
    """Labels of an alert."""

    group: str
    series: str
    level: int


class Told(NamedTuple):
    """One item of a message: what somebody reads about one alert. ``is_repeat``: it stood in the last one, too."""

    at: datetime
    alert: AlertKey
    is_firing: bool
    is_repeat: bool


class Samples:
    """The time series database: samples with the timestamps they were written with."""

    def __init__(self) -> None:
        self._times: dict[str, list[datetime]] = {}
        self._values: dict[str, dict[datetime, float]] = {}

    def write(self, series: str, at: datetime, value: float) -> None:
        values = self._values.setdefault(series, {})
        if at not in values:
            values[at] = value
            insort(self._times.setdefault(series, []), at)

    def newest(self, series: str, now: datetime, lookback: timedelta) -> float | None:
        times = self._times.get(series, [])
        index = bisect_right(times, now) - 1
        if index < 0 or times[index] <= now - lookback:
            return None
        return self._values[series][times[index]]


@dataclass
class _Active:
    """An alert of a rule that is pending, firing or lately resolved."""

    active_at: datetime
    is_firing: bool = False
    keep_since: datetime | None = None
    resolved_at: datetime | None = None
    sent_at: datetime | None = None


@dataclass
class _Received:
    """An alert as Alertmanager holds it."""

    starts_at: datetime
    ends_at: datetime


@dataclass
class _Group:
    next_look: datetime
    members: dict[AlertKey, _Received] = field(default_factory=dict)


@dataclass
class _Logged:
    firing: set[AlertKey]
    resolved: set[AlertKey]
    at: datetime


class Alertmanager:
    """Groups, silences, notification log."""

    def __init__(self, group_wait: timedelta, group_interval: timedelta, repeat_interval: timedelta) -> None:
        self._wait, self._interval, self._repeat = group_wait, group_interval, repeat_interval
        self._groups: dict[str, _Group] = {}
        self._log: dict[str, _Logged] = {}
        self.silences: list[tuple[str, datetime, datetime]] = []

    def receive(self, key: AlertKey, starts_at: datetime, ends_at: datetime, now: datetime) -> None:
        """An alert sent by the evaluator; one that is resolved and unknown is taken too, as Alertmanager does."""
        group = self._groups.get(key.group)
        if group is None:
            waits = starts_at + self._wait >= now
            group = self._groups[key.group] = _Group(now + self._wait if waits else now)
        known = group.members.get(key)
        group.members[key] = _Received(min(known.starts_at, starts_at) if known else starts_at, ends_at)

    def look(self, now: datetime) -> list[Told]:
        """Flush every group whose time has come."""
        told: list[Told] = []
        for name, group in list(self._groups.items()):
            if now < group.next_look:
                continue
            group.next_look = now + self._interval
            told += self._flush(name, group, now)
            for key in [key for key, alert in group.members.items() if alert.ends_at <= now]:
                del group.members[key]
            if not group.members:
                del self._groups[name]
        return told

    def _flush(self, name: str, group: _Group, now: datetime) -> list[Told]:
        muted = {series for series, start, end in self.silences if start <= now < end}
        heard = {key: alert for key, alert in group.members.items() if key.series not in muted}
        if not heard:
            return []
        firing = {key for key, alert in heard.items() if alert.ends_at > now}
        resolved = set(heard) - firing
        logged = self._log.get(name)
        is_repeat = False
        if logged is None:
            if not firing:
                return []
        elif not firing - logged.firing:
            if not firing:
                if not logged.firing:
                    return []
            elif not resolved - logged.resolved:
                if now - logged.at < self._repeat:
                    return []
                is_repeat = True
        before = logged or _Logged(set(), set(), now)
        self._log[name] = _Logged(firing, resolved, now)
        if is_repeat:
            return [Told(now, key, True, True) for key in sorted(firing)]
        # The message lists all that is firing; what is new in it are alerts that were not in the last one.
        told = [Told(now, key, True, key in before.firing) for key in sorted(firing)]
        return told + [Told(now, key, False, False) for key in sorted(resolved - before.resolved)]

    def restart(self) -> None:
        """Log and silences are on disk; alerts were in memory."""
        self._groups.clear()


class Evaluator:
    """Prometheus' rule manager over ``samples``."""

    def __init__(self, rules: dict[str, list[Rule]], samples: Samples, interval: timedelta = MINUTE) -> None:
        self._rules, self._samples, self._interval = rules, samples, interval
        self._active: dict[AlertKey, _Active] = {}
        self._last_at: datetime | None = None

    def evaluate(self, now: datetime, alertmanager: Alertmanager) -> None:
        """One evaluation of every rule, and what it sends."""
        for series, rules in self._rules.items():
            for rule in rules:
                self._one(rule, series, now)
        valid_until = now + 4 * max(self._interval, RESEND_DELAY)
        for key, alert in self._active.items():
            if not alert.is_firing and alert.resolved_at is None:
                continue
            is_news = alert.sent_at is None or (alert.resolved_at is not None and alert.resolved_at > alert.sent_at)
            if is_news or alert.sent_at is None or now - alert.sent_at >= RESEND_DELAY:
                alert.sent_at = now
                alertmanager.receive(key, alert.active_at, alert.resolved_at or valid_until, now)
        self._last_at = now

    def _one(self, rule: Rule, series: str, now: datetime) -> None:
        key = AlertKey(rule.group, series, rule.level)
        alert = self._active.get(key)
        is_firing = alert is not None and alert.is_firing
        value = self._samples.newest(series, now, rule.lookback)
        if value is not None and rule.holds(value, is_firing):
            if alert is None or alert.resolved_at is not None:
                alert = self._active[key] = _Active(now)
            alert.keep_since = None
            if not alert.is_firing and now - alert.active_at >= rule.hold:
                alert.is_firing = True
            return
        if alert is None:
            return
        if alert.is_firing and rule.keep:
            alert.keep_since = alert.keep_since or now
            if now - alert.keep_since < rule.keep:
                return
        if alert.resolved_at is None and not alert.is_firing:
            del self._active[key]
        elif alert.resolved_at is None:
            alert.is_firing, alert.resolved_at = False, now
        elif now - alert.resolved_at > 15 * MINUTE:
            del self._active[key]

    def restart(self, now: datetime) -> None:
        """Only the pending state of ``for`` comes back, and only after a short outage."""
        outage = now - self._last_at if self._last_at else timedelta.max
        self._active = {
            key: _Active(alert.active_at)
            for key, alert in self._active.items()
            if outage <= FOR_OUTAGE_TOLERANCE and alert.resolved_at is None
        }
