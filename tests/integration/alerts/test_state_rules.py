"""A rule that watches a state: people read what it is called wherever they would read a value, and never its number."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from alerts import incidents
from alerts.incidents import ActRefusedError
from alerts.notifying import reconcile, routing
from alerts.notifying.notice import Teller
from alerts.rulemaking import public_rules, rule_checks, rule_files
from ioc import warehouse

if TYPE_CHECKING:
    from tests.integration.alerts.conftest import Desk

LINE, VESSEL = "fishing_vessels.line_state", "TH-90001-TS"


def sail(desk: Desk, values: dict[float, float | None], vessel: str = VESSEL) -> None:
    desk.signal(values, station=vessel, signal_code=LINE, unit_code="16654", entity_type="vessel")


def said(desk: Desk) -> list[tuple[str, str]]:
    """Channel and text of everything that was written to people, oldest first; codes, times and links left out."""
    rows = desk.rows(
        "select channel, subject || ' ' || body || ' ' || body_html from notify.outbox order by created_at"
    )
    return [
        (
            channel,
            re.sub(r"https?://\S+|SC-[0-9A-F]{8}(\.\d+)?|\d\d:\d\d|\d\d/\d\d/\d{4}|[Cc][aấ]p \d|TH-\d+-TS", "", text),
        )
        for channel, text in rows
    ]


def test_messages_say_what_the_state_is_called_in_every_channel(desk: Desk) -> None:
    for hour, value in ((1.0, 1.0), (2.0, 2.0), (3.0, 0.0)):
        sail(desk, {hour: value})
        desk.tick(hour)
    texts = said(desk)
    assert {channel for channel, _ in texts} >= {"web", "email", "sms"}
    plain = {channel: [text for name, text in texts if name == channel] for channel, _ in texts}
    assert any("Tàu : Gần ranh giới, đang đi ra" in text for text in plain["web"])
    assert any("Tàu : Vượt ranh giới" in text for text in plain["email"])
    assert any("Vuot ranh gioi" in text for text in plain["sms"])
    assert "Tàu : bình thường" in plain["web"][-1]
    assert "Tau : binh thuong" in plain["sms"][-1]
    for channel, text in texts:
        assert not re.search(r"(?<![\w.])[012](?![\w.])", re.sub(r"\b\d+\. \[", "", text)), (channel, text)


def test_an_incident_carries_the_words_of_its_values(desk: Desk) -> None:
    sail(desk, {1: 1, 2: 2, 3: 1})
    desk.tick(3)
    (view,) = incidents.list_open(settings=desk.settings, at=desk.at(3))
    assert (view.unit_vi, view.state_vi, view.peak_state_vi) == (None, "Gần ranh giới, đang đi ra", "Vượt ranh giới")
    assert (view.state_en, view.peak_state_en) == ("Near the line, heading out", "Across the line")
    told = incidents.history(view.incident_id, settings=desk.settings).transitions
    assert [row["state_en"] for row in told] == [
        "Near the line, heading out", "Across the line", "Near the line, heading out",
    ]  # fmt: skip
    sail(desk, {4: 0})
    desk.tick(4)
    over = incidents.history(view.incident_id, settings=desk.settings)
    assert (over.incident.state_vi, over.incident.state_en) == ("bình thường", "normal")
    assert over.transitions[-1]["state_vi"] == "bình thường"
    desk.signal({4: 168})
    desk.tick(4)
    (measured,) = incidents.list_open(settings=desk.settings, at=desk.at(4))
    assert (measured.unit_vi, measured.value, measured.state_vi, measured.peak_state_en) == ("", 168, None, None)


def test_what_templates_get_has_the_words_beside_the_code(desk: Desk) -> None:
    """A webhook's template may pass both on."""
    sail(desk, {1: 2})
    desk.tick(1)
    (view,) = incidents.list_open(settings=desk.settings, at=desk.at(1))
    with warehouse.connect("owner", desk.settings) as connection:
        row = reconcile.facts(connection, view.incident_id, desk.at(1))
        assert row is not None
        teller = Teller(connection, routing.load(connection, desk.at(1)), desk.at(1), desk.settings)
        item = teller.item(row)
        assert (item["value"], item["amount"]) == (2, "Vượt ranh giới")
        connection.execute("alter table alert.rule_version disable trigger user")
        connection.execute("update alert.rule_version set message_vi = '{{ no_such }}'")
        row = reconcile.facts(connection, view.incident_id, desk.at(1))
        assert row is not None
        assert teller.item(row)["text"].endswith(f"{VESSEL} = Vượt ranh giới"), "the plain text too"
        connection.rollback()


def test_the_most_specific_scope_names_the_state(desk: Desk) -> None:
    version = desk.one(
        "select rule_version_id from alert.rule_version join alert.rule using (rule_id) where code = %s", LINE
    )
    with warehouse.connect("owner", desk.settings) as connection:
        connection.execute("alter table alert.threshold disable trigger user")
        for kind, value, name in (
            ("pattern", "TH-9%", "theo mẫu"),
            ("unit", "16654", "theo xã"),
            ("entity", "TH-91", "riêng"),
        ):
            connection.execute(
                "insert into alert.threshold (rule_version_id, scope_kind, scope_value, level, enter_value, "
                "exit_value, enter_strict, for_dur, keep_dur, label_vi, label_en) "
                "values (%s, %s, %s, 1, 1, 1, %s, '0', '0', %s, 'x')",
                (version, kind, value, kind == "unit", name),
            )

        def called(entity: str, unit: str | None, value: float | None) -> str | None:
            row = connection.execute(
                "select label_vi from alert.state_of(%s, %s, %s, %s::numeric)", (version, entity, unit, value)
            ).fetchone()
            return row[0] if row else None

        assert [called("TH-91", "16654", 1), called("TH-92", "16654", 1), called("QN-1", "16654", 2)] == [
            "riêng", "theo mẫu", "theo xã",
        ]  # fmt: skip
        assert called("QN-1", "16654", 1) == "bình thường", "strictly above"
        assert called("QN-1", None, 2) == "Vượt ranh giới"
        assert called("QN-1", None, None) is None
        connection.rollback()


def test_a_correction_names_states(desk: Desk) -> None:
    sail(desk, {1: 2})
    desk.tick(1)
    sail(desk, {2: 2})
    desk.tick(2)
    sail(desk, {1: 0, 1.5: 1})
    desk.tick(3)
    text = desk.one("select max(body) from notify.outbox where subject like 'Đính chính%%' and channel = 'email'")
    assert "01:00 06/03/2026: bình thường" in text
    assert "Gần ranh giới, đang đi ra" in text
    assert "giá trị đã báo: Vượt ranh giới" in text


def test_a_rule_on_a_state_names_every_level_and_says_no_number() -> None:
    (path,) = (one for one in rule_files.FOLDER.glob("fishing_vessels.yaml"))
    text = path.read_text(encoding="utf-8")
    wrong = text.replace("Tàu {{ entity }}: {{ label }}", "Tàu {{ entity }}: {{ value | number }}").replace(
        "label_en: Across the line", 'label_en: ""'
    )
    for content, expected in ((text, 0), (wrong, 4)):
        documents = [rule_files.rule_document.parse(one) for one in rule_files.yaml.safe_load(content)]
        found = [problem for document in documents for problem in rule_checks.problems(document)]
        assert len(found) == expected, found
    assert sum("câu thông báo nêu tên cấp" in problem for problem in found) == 3
    assert "cần tên cấp bằng hai thứ tiếng" in " ".join(found)


def test_citizens_are_not_shown_the_number_either(desk: Desk) -> None:
    rule = public_rules.PublicRule(
        3, "Safety", "Tàu cá", "Fishing vessel", "{{ entity }}: {{ value }}", "{{ entity }}: {{ label }}", 10, True,
        (public_rules.Advice(3, "Monitor", "Theo dõi", "Watch"),),
    )  # fmt: skip
    with pytest.raises(ActRefusedError, match="câu tiêu đề nêu tên cấp"):
        public_rules.propose(LINE, rule, "thử", "kysu", settings=desk.settings)
    # Put in force behind the check, a headline that cannot be rendered names the state as well.
    sail(desk, {1: 2})
    desk.run("insert into alerting.entity values ('vessel', %s, %s, '16654')", VESSEL, VESSEL)
    desk.run("update alerting.entity set is_public = true where entity_id = %s", VESSEL)
    desk.run(
        "insert into alert.public_rule (rule_code, min_level, category, event_vi, event_en, headline_vi, headline_en, "
        "reason) values (%s, 1, 'Safety', 'Tàu cá', 'Vessel', '{{ no_such }}', '{{ entity }}: {{ label }}', 'thử')",
        LINE,
    )
    desk.tick(1)
    ((content, cap),) = desk.rows("select content, cap from alert.public_message")
    assert content["headline_vi"] == f"{VESSEL}: Vượt ranh giới"
    assert content["headline_en"] == f"{VESSEL}: Across the line"
    assert "2.0" not in cap
    assert json.dumps(content)
