"""What citizens are told: valid CAP 1.2, updates that refer to what was published, and nothing that is not theirs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from lxml import etree
from starlette.testclient import TestClient

from alerts import suppressions
from alerts.notifying import cap, public
from alerts.suppressions import Actor
from portal.app import create_app

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alerts.notifying.public import PublicMessage
    from tests.integration.alerts.conftest import Desk

NS = {"c": cap.CAP, "a": cap.ATOM}
SCHEMA = etree.XMLSchema(etree.parse(Path(__file__).parents[2] / "fixtures" / "cap_1_2.xsd"))


@pytest.fixture
def square(desk: Desk) -> Desk:
    """A desk with one public station in the ward of Hạc Thành."""
    desk.run(
        "insert into alerting.entity (entity_type, entity_id, name_vi, unit_code, longitude, latitude, is_public) "
        "values ('station', 'TH-01', 'Trạm <Hạc Thành> & chợ', '14797', 105.78661, 19.80408, true)"
    )
    return desk


def publish(desk: Desk, hour: float) -> list[PublicMessage]:
    """Evaluate at ``hour``, which publishes too; everything published so far, oldest first."""
    desk.evaluate(hour)
    return public.recent(desk.settings, desk.at(hour))[::-1]


def told(messages: list[PublicMessage]) -> list[tuple[str, int]]:
    return [(message.message_type, message.level) for message in messages]


def parsed(message: PublicMessage) -> etree._Element:
    document = etree.fromstring(message.cap.encode())
    SCHEMA.assertValid(document)
    return document


def values(document: etree._Element, path: str) -> list[str]:
    return [str(element.text) for element in document.findall(path, NS)]


def test_an_episode_is_alert_update_cancel_and_each_refers_to_those_before(square: Desk) -> None:
    square.signal({0: 60, 1: 170, 2: 250, 3: 170, 4: 160, 5: 80, 6: 80})
    for hour in range(7):
        messages = publish(square, hour + 0.1)
    assert told(messages) == [("Alert", 2), ("Update", 3), ("Update", 2), ("Cancel", 0)]
    alert, update, again, cancel = messages
    assert (alert.reference_ids, update.reference_ids) == ([], [alert.identifier])
    assert again.reference_ids == [alert.identifier, update.identifier]
    assert cancel.reference_ids == [alert.identifier, update.identifier, again.identifier]
    for message in messages:
        document = parsed(message)
        assert values(document, "c:identifier") == [message.identifier]
        assert values(document, "c:info/c:language") == ["vi-VN", "en-US"]
    triples = values(parsed(cancel), "c:references")[0].split(" ")
    assert [triple.split(",")[1] for triple in triples] == cancel.reference_ids
    assert [triple.split(",")[2] for triple in triples] == [
        values(parsed(message), "c:sent")[0] for message in (alert, update, again)
    ]


def test_a_document_says_what_where_how_grave_and_until_when(square: Desk) -> None:
    square.signal({0: 60, 1: 250})
    (alert,) = publish(square, 1.1)
    document = parsed(alert)
    assert values(document, "c:status") == ["Test"], "the sandbox's stations are invented"
    vietnamese, english = document.findall("c:info", NS)
    assert values(vietnamese, "c:headline") == ["Không khí mức Rất xấu tại Trạm <Hạc Thành> & chợ: AQI giờ 250"]
    assert values(english, "c:headline")[0].startswith("Very unhealthy air at ")
    for info in (vietnamese, english):
        facts = {name: values(info, f"c:{name}") for name in ("severity", "urgency", "certainty", "category")}
        assert facts == {
            "severity": ["Severe"], "urgency": ["Immediate"], "certainty": ["Observed"], "category": ["Env"],
        }  # fmt: skip
        assert values(info, "c:onset") == ["2026-03-06T01:00:00+07:00"]
        assert values(info, "c:expires") == ["2026-03-06T04:00:00+07:00"], "the hour's data are good for three hours"
        assert values(info, "c:area/c:areaDesc") == ["Phường Hạc Thành"]
        assert values(info, "c:area/c:geocode/c:value") == ["14797"]
        assert values(info, "c:area/c:circle") == ["19.80408,105.78661 2"]
        assert values(info, "c:instruction")[0]


def test_a_stack_without_the_sandbox_publishes_for_real(square: Desk) -> None:
    square.settings = square.settings.model_copy(update={"with_sandbox": False})
    square.signal({0: 170})
    (alert,) = publish(square, 0.1)
    assert values(parsed(alert), "c:status") == ["Actual"]


def test_publishing_twice_adds_nothing_and_a_long_episode_is_renewed_before_it_expires(square: Desk) -> None:
    square.signal(dict.fromkeys(range(6), 170))
    assert told(publish(square, 0.1)) == told(publish(square, 0.2)) == [("Alert", 2)]
    for hour in range(1, 6):
        messages = publish(square, hour + 0.1)
        assert public.active(square.settings, square.at(hour + 0.1))[-1].expires_at > square.at(hour + 0.9)
    assert told(messages) == [("Alert", 2), ("Update", 2), ("Update", 2)]


def test_without_fresh_data_an_alert_expires_and_a_comeback_is_a_new_alert(square: Desk) -> None:
    square.signal({0: 170})
    publish(square, 0.1)
    assert told(publish(square, 2.9)) == [("Alert", 2)]
    assert public.active(square.settings, square.at(2.9))
    before = public.changed_at(square.settings, square.at(2.9))
    assert told(publish(square, 3.1)) == [("Alert", 2)]
    assert public.active(square.settings, square.at(3.1)) == []
    after = public.changed_at(square.settings, square.at(3.1))
    assert before and after and before < after == square.at(3), "readers who ask by date learn that the list changed"
    square.signal({6: 170})
    assert told(publish(square, 6.1)) == [("Alert", 2), ("Alert", 2)]


def test_an_alert_that_expired_needs_no_cancel(square: Desk) -> None:
    square.signal({0: 170})
    publish(square, 0.1)
    square.signal({5: 60, 6: 60, 7: 60})
    assert told(publish(square, 7.1)) == [("Alert", 2)]


def test_old_data_and_closed_episodes_publish_nothing(square: Desk) -> None:
    square.signal(dict.fromkeys(range(-40, -30), 250) | dict.fromkeys(range(-30, 0), 60.0))
    assert publish(square, 0.1) == []
    square.signal({0: 60}, station="TH-02")
    square.signal({-9: 250}, station="TH-03")
    assert publish(square, 0.2) == []


def test_an_episode_whose_data_are_old_is_not_published_and_holds_up_no_other(square: Desk) -> None:
    """A first load of history: one station has stopped in a bad hour long ago, another is bad now."""
    square.run(
        "insert into alerting.entity (entity_type, entity_id, name_vi, unit_code, is_public) "
        "values ('station', 'TH-02', 'Trạm đã ngừng', '14797', true)"
    )
    square.signal({-9: 250}, station="TH-02")
    square.signal({0: 170})
    (alert,) = publish(square, 0.1)
    assert (alert.message_type, alert.level) == ("Alert", 2)
    assert alert.content["headline_vi"].startswith("Không khí mức Xấu tại Trạm <Hạc Thành> & chợ")
    assert square.one("select count(*) from alert.incident where entity_id = 'TH-02' and kind = 'value'") == 1


def test_only_public_rules_levels_and_stations_are_told(square: Desk) -> None:
    square.run("insert into alerting.entity (entity_type, entity_id, name_vi) values ('station', 'KIN', 'Trạm kín')")
    square.signal({0: 250}, station="KIN")
    square.signal({0: 250}, station="UNKNOWN")
    square.signal({0: 120})
    square.signal({0: 3}, signal_code="air_quality.pm25_ratio_24h")
    assert publish(square, 0.1) == []
    square.signal({1: 170})
    assert told(publish(square, 1.1)) == [("Alert", 2)]
    square.signal({2: 120, 3: 120})
    assert told(publish(square, 3.1))[-1] == ("Cancel", 0), "level 1 goes on, but is not public"
    square.run("update alert.public_rule set min_level = 1")
    assert told(publish(square, 3.2))[-1] == ("Alert", 1)
    square.run("update alert.public_rule set is_enabled = false")
    assert told(publish(square, 3.3))[-1] == ("Cancel", 0)


def test_a_maintenance_window_holds_alerts_and_a_silence_does_not(square: Desk) -> None:
    admin = Actor("quantri", "admin")

    def hold(kind: Any, hour: float) -> int:
        return suppressions.suppress(
            kind, admin, "Bảo trì", square.at(hour + 6), max_level=4, settings=square.settings, at=square.at(hour)
        )

    window = hold("maintenance", 0)
    square.signal({0: 170, 1: 170})
    assert publish(square, 1.1) == []
    suppressions.lift(window, admin, square.settings, square.at(1.2))
    assert told(publish(square, 1.3)) == [("Alert", 2)]
    hold("silence", 1.4)
    square.signal({2: 250})
    assert told(publish(square, 2.1))[-1] == ("Update", 3)
    hold("maintenance", 2.2)
    square.signal({3: 60, 4: 60})
    assert told(publish(square, 4.1))[-1] == ("Cancel", 0), "that it is over may always be said"


def test_what_was_published_stays(square: Desk) -> None:
    square.signal({0: 170})
    (alert,) = publish(square, 0.1)
    for act in ("delete from alert.public_message", "update alert.public_message set cap = ''"):
        with pytest.raises(psycopg.errors.RestrictViolation):
            square.run(act)
    square.run("update alerting.entity set name_vi = 'Tên mới'")
    assert public.find(alert.identifier, square.settings) == alert
    assert public.find("no-such-message", square.settings) is None


def test_a_broken_headline_and_odd_characters_still_make_a_valid_document(square: Desk) -> None:
    square.run("update alert.public_rule set headline_vi = '{{ nothing }}'")
    square.run("update alerting.entity set name_vi = %s", "Tr\u1ea1m \x07 ]]> \ufffe")
    square.signal({0: 170})
    (alert,) = publish(square, 0.1)
    assert "170" in values(parsed(alert), "c:info/c:headline")[0]


def test_a_public_message_that_cannot_be_written_holds_up_no_alarm(square: Desk) -> None:
    square.run("alter table alert.public_message add check (level = 0)")
    square.signal({0: 170})
    square.tick(0.1)
    assert square.subjects() == ["Cảnh báo cấp 2 – Xấu"]
    assert public.recent(square.settings, square.at(0.1)) == []


@pytest.mark.parametrize(
    ("change", "into"),
    [
        ("<msgType>Alert<", "<msgType>Alarm<"),
        ("<scope>Public</scope>", ""),
        ("<severity>Moderate<", "<severity>Bad<"),
        (r"\+07:00</sent>", "Z</sent>"),
        (r"<identifier>", "<identifier>a b"),
        (r"<circle>[^<]*<", "<circle>19.8 105.8<"),
        (r"(<urgency>.*?</urgency>)\s*(<severity>.*?</severity>)", r"\2\1"),
    ],
)
def test_the_schema_refuses_what_the_standard_forbids(square: Desk, change: str, into: str) -> None:
    square.signal({0: 170})
    (alert,) = publish(square, 0.1)
    broken, count = re.subn(change, into, alert.cap)
    assert count
    assert not SCHEMA.validate(etree.fromstring(broken.encode()))


@pytest.fixture
def visitor(square: Desk) -> Iterator[TestClient]:
    """Somebody without login, before a portal in which the clock is real."""
    with TestClient(create_app(square.settings), base_url="http://portal") as client:
        yield client


def live(desk: Desk, value: float) -> None:
    """A value for the hour that has just ended, evaluated and published now."""
    desk.run(
        "insert into alerting.signal (signal_code, entity_type, entity_id, unit_code, period_end, value, quality) "
        "values ('air_quality.aqi_h', 'station', 'TH-01', '14797', now() - interval '1 minute', %s, 'ok')",
        value,
    )
    at = desk.one("select now()")
    hour = (at - desk.at(0)).total_seconds() / 3600
    publish(desk, hour)


def test_the_open_api_gives_json_atom_and_cap_without_login(square: Desk, visitor: TestClient) -> None:
    assert visitor.get("/api/public/alerts").json()["alerts"] == []
    live(square, 170)
    answer = visitor.get("/api/public/alerts")
    (alert,) = answer.json()["alerts"]
    assert (alert["level"], alert["severity"], alert["area"]["commune_code"]) == (2, "Moderate", "14797")
    feed = visitor.get("/api/public/alerts.atom")
    assert feed.headers["content-type"].startswith("application/atom+xml")
    document = etree.fromstring(feed.content)
    assert values(document, "a:entry/a:title") == [alert["headline_vi"]]
    (link,) = document.findall("a:entry/a:link", NS)
    assert link.get("href") == alert["cap_url"]
    path = alert["cap_url"].removeprefix(square.settings.portal_url())
    message = visitor.get(path)
    assert message.headers["content-type"].startswith("application/cap+xml")
    SCHEMA.assertValid(etree.fromstring(message.content))
    assert visitor.get("/api/public/alerts/none.cap").status_code == 404
    paths = visitor.get("/api/public/openapi.json").json()["paths"]
    assert {"/api/public/alerts", "/api/public/alerts.atom", "/api/public/alerts/{identifier}.cap"} <= set(paths)
    for text in (answer.text, feed.text, message.text):
        assert not re.search(r"thanhhoa\.example\.vn|\+84|\btruc\b|lanhdao", text)


def test_unchanged_answers_are_not_sent_again(square: Desk, visitor: TestClient) -> None:
    live(square, 170)
    for path in ("/api/public/alerts", "/api/public/alerts.atom"):
        first = visitor.get(path)
        assert first.headers["last-modified"]
        for known in (
            {"If-None-Match": first.headers["etag"]},
            {"If-Modified-Since": first.headers["last-modified"]},
        ):
            again = visitor.get(path, headers=known)
            assert (again.status_code, again.content) == (304, b""), known
        for stale in (
            {"If-None-Match": '"x"'},
            {"If-Modified-Since": "Mon, 01 Jan 2001 00:00:00 GMT"},
            {"If-Modified-Since": "yesterday"},
        ):
            assert visitor.get(path, headers=stale).status_code == 200, stale


def test_citizens_read_it_in_words(square: Desk, visitor: TestClient) -> None:
    assert "Cảnh báo đang có hiệu lực" not in visitor.get("/cong-dan").text
    live(square, 250)
    page = visitor.get("/cong-dan").text
    assert "Không khí mức Rất xấu tại Trạm &lt;Hạc Thành&gt; &amp; chợ: AQI giờ 250" in page
    assert "Phường Hạc Thành" in page
    assert json.loads(visitor.get("/api/public/alerts").text)["alerts"][0]["level"] == 3
