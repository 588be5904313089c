"""What rule tests say people would be told is what the engine and the reconciler tell them, message by message."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import pytest

from alerts.judging import engine
from alerts.rulemaking import rule_files, rule_tests
from alerts.rulemaking.rule_messages import Sent, Telling
from alerts.rulemaking.rule_test_text import parsed, read_test

if TYPE_CHECKING:
    from alerts.judging.fold import Point
    from alerts.rulemaking.rule_document import RuleDocument
    from alerts.rulemaking.rule_test_text import RuleTest
    from tests.integration.alerts.conftest import Desk

# Beyond so many ticks the real thing takes long and shows nothing more.
_MOST_TICKS = 16
# Everybody of the first load has an address there.
_CHANNELS = ("email", "sms")


@lru_cache(maxsize=1)
def shipped() -> dict[str, tuple[RuleDocument, RuleTest]]:
    """Every short test of a shipped rule that says something about messages, by name."""
    documents = {d.code: d for path in rule_files.FOLDER.glob("*.yaml") for d in rule_files.read(path)}
    found = {}
    for path in sorted((rule_files.FOLDER / "tests").glob("*.yaml")):
        code, text = rule_tests.read_file(path)
        for number, item in enumerate(parsed(text)["tests"], 1):
            test = read_test(item, number)
            if test.messages and len(test.clock()) <= _MOST_TICKS:
                found[f"{code}: {test.name}"] = documents[code], test
    return found


def write(desk: Desk, document: RuleDocument, entity: str, point: Point) -> None:
    """A row as the transformation writes it; a second one for the same period corrects it."""
    desk.run(
        """
        insert into alerting.signal as kept (signal_code, entity_type, entity_id, unit_code, period_end, value, quality)
        values (%s, %s, %s, %s, %s, %s, %s)
        on conflict (signal_code, entity_type, entity_id, period_end) do update set value = excluded.value,
            quality = excluded.quality, revision = kept.revision + 1, change_id = nextval('alerting.signal_change')
        """,
        document.signal_code, document.entity_type, entity, point.unit_code, point.at, point.value, point.quality,
    )  # fmt: skip


def told(desk: Desk, document: RuleDocument) -> set[Sent]:
    return {
        Sent(*row)
        for row in desk.rows(
            """
            select o.created_at, o.channel, ro.roles[1] || ' ' || c.unit_code, o.level
            from notify.outbox o join notify.route ro using (route_id) join ref.contact c using (contact_id)
            where o.incident_ids && array(
                select incident_id from alert.incident join alert.rule using (rule_id) where code = %s)
            """,
            document.code,
        )
    }


@pytest.mark.parametrize("name", shipped())
def test_the_simulated_messages_are_the_real_ones(desk: Desk, name: str) -> None:
    document, test = shipped()[name]
    simulation, telling = rule_tests.simulated(document), Telling(document)
    for now, batch in test.ticks():
        simulation.tick(now, batch)
        telling.tick(now, simulation.standing())
        for entity, points in batch.items():
            for point in points:
                write(desk, document, entity, point)
        engine.evaluate(at=now, settings=desk.settings)
    real = {sent for sent in told(desk, document) if sent.channel in _CHANNELS}
    assert real == {sent for sent in telling.sent if sent.channel in _CHANNELS}
