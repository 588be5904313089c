"""The month through our own engine: real PostgreSQL, the public functions, a clock that the benchmark moves."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from alerts import suppressions
from alerts.judging import engine
from alerts.notifying.notice import incident_code
from alerts.sending import delivery
from alerts.suppressions import Actor, Scope
from bench.alerting.feed import SIGNALS, START, Feed, Signal
from bench.alerting.month import Belief, Beliefs
from bench.shared import server
from ioc import warehouse

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    import psycopg

    from bench.alerting.feed import Arrival
    from ioc.settings import Settings

# Notices carry a time only; who reads them for the score needs the code and the level of each item.
_TEMPLATE = "{% for item in items %}{{ item.code }}={{ item.level }};{% endfor %}"
_ITEM = re.compile(r"(SC-[0-9A-F]{8})=(\d)")
_UPSERT = """
insert into alerting.signal as kept (signal_code, entity_type, entity_id, unit_code, period_end, value, quality)
values (%s, 'probe', %s, %s, %s, %s, %s)
on conflict (signal_code, entity_type, entity_id, period_end) do update set value = excluded.value,
    quality = excluded.quality, revision = kept.revision + 1, change_id = nextval('alerting.signal_change')
where (kept.value, kept.quality) is distinct from (excluded.value, excluded.quality)
"""


def run(feed: Feed, tick: timedelta) -> Beliefs:
    """What the reader of the inbox comes to believe; our engine looks every ``tick``."""
    units = {signal.code: signal.unit for signal in SIGNALS}
    with server.running() as settings:
        with warehouse.connect("owner", settings) as connection:
            _prepare(connection)
        arrivals = iter(feed.arrivals)
        silences = sorted(feed.silences, key=lambda silence: silence.start)
        coming = next(arrivals, None)
        now = START
        while now <= feed.end:
            batch: list[Arrival] = []
            while coming and coming.at <= now:
                batch.append(coming)
                coming = next(arrivals, None)
            if batch:
                _load(settings, batch, units)
            while silences and silences[0].start <= now:
                silence = silences.pop(0)
                suppressions.suppress(
                    "maintenance" if silence.kind == "maintenance" else "silence", Actor("bench", "admin"), "Đo",
                    silence.end, max_level=4, settings=settings, at=now,
                    scope=Scope(rule_code_pattern=silence.signal, entity_pattern=silence.series),
                )  # fmt: skip
            is_down = feed.machine_down[0] <= now < feed.machine_down[1]
            is_blind = is_down or feed.evaluator_down[0] <= now < feed.evaluator_down[1]
            if not is_blind:
                engine.evaluate(at=now, settings=settings)
            if not is_down:
                delivery.drain("web", settings, now)
            now += tick
        return _beliefs(settings)


def _prepare(connection: psycopg.Connection) -> None:
    connection.execute(
        "insert into ref.contact (code, name_vi, unit_code, roles, user_name) "
        "values ('bench', 'Đo', 'TTDH', '{truc_ban}', 'bench')"
    )
    connection.execute("insert into ref.org_unit (code, name_vi, kind) values ('TTDH', 'Trung tâm', 'centre')")
    connection.execute(
        "insert into notify.route (code, name_vi, unit_mode, unit_code, roles, channels, group_by) "
        "values ('bench', 'Đo', 'fixed', 'TTDH', '{truc_ban}', '{web}', 'rule_unit')"
    )
    connection.execute(
        "insert into notify.template (code, channel, version, subject, body, status, author, approved_by) "
        "values ('notice', 'web', 1, 'x', %s, 'approved', 'a', 'b')",
        (_TEMPLATE,),
    )
    for signal in SIGNALS:
        _rule(connection, signal)


def _rule(connection: psycopg.Connection, signal: Signal) -> None:
    row = connection.execute(
        "insert into alert.rule (code, domain, signal_code, owner_unit, title_vi, title_en) "
        "values (%(code)s, %(code)s, %(code)s, %(unit)s, 'Đo', 'Bench') returning rule_id",
        {"code": signal.code, "unit": signal.unit},
    ).fetchone()
    assert row
    version = connection.execute(
        """
        insert into alert.rule_version (rule_id, version, effective, direction, max_gap, notify_max_age, message_vi,
            message_en, legal_basis, reason, author)
        values (%s, 1, tstzrange('2020-01-01', null), %s, %s, %s, 'x', 'x', '–', '–', 'a') returning rule_version_id
        """,
        (row[0], signal.direction, signal.max_gap, signal.max_age),
    ).fetchone()
    assert version
    for level, enter, leave in signal.levels:
        connection.execute(
            "insert into alert.threshold (rule_version_id, level, enter_value, exit_value, for_dur, keep_dur) "
            "values (%s, %s, %s, %s, %s, %s)",
            (version[0], level, enter, leave, signal.hold, signal.keep),
        )
    connection.execute(
        "update alert.rule_version set status = 'approved', approved_by = 'b' where rule_version_id = %s", version
    )


def _load(settings: Settings, batch: list[Arrival], units: dict[str, str]) -> None:
    with warehouse.connect("transformer", settings) as connection, connection.cursor() as cursor:
        cursor.executemany(
            _UPSERT,
            [(row.signal, row.series, units[row.signal], row.period_end, row.value, row.quality) for row in batch],
        )


def _beliefs(settings: Settings) -> Beliefs:
    """Every message of the inbox, item by item, in order."""
    found: Beliefs = defaultdict(list)
    with warehouse.connect("owner", settings) as connection:
        series = {
            incident_code(incident_id): entity
            for incident_id, entity in connection.execute("select incident_id, entity_id from alert.incident")
        }
        messages: list[tuple[datetime, str]] = connection.execute(
            "select m.created_at, m.body from notify.inbox m join ref.contact c using (contact_id) "
            "where c.code = 'bench' order by m.inbox_id"
        ).fetchall()
    for at, body in messages:
        for code, level in _ITEM.findall(body):
            found[series[code]].append(Belief(at, int(level)))
    return found
