"""Message templates: those that are shipped, those that are refused, and what leaves in the end."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

import psycopg
import pytest

from alerts.incidents import ActRefusedError
from alerts.notifying import message_templates, samples

if TYPE_CHECKING:
    from tests.integration.alerts.conftest import Desk

REGISTERED = "IOC: {noi_dung}. Ma {ma}"
GOOD = "IOC: {{ top.text | khong_dau | cut(100) }}. Ma {{ ref }}"


def draft(desk: Desk, body: str, registered: str | None = REGISTERED, **more: object) -> int:
    return message_templates.save_draft(
        "notice", "sms", body, "an", registered_text=registered, settings=desk.settings, at=desk.at(0), **more  # type: ignore[arg-type]
    ).template_id  # fmt: skip


def test_every_shipped_template_could_be_approved(desk: Desk) -> None:
    shipped = message_templates.list_templates(desk.settings)
    assert {template.code for template in shipped} == set(samples.CODES)
    for template in shipped:
        preview = message_templates.preview(template.template_id, settings=desk.settings, at=desk.at(0))
        assert preview.problems == [], (template.code, template.channel, preview.worst)
        assert preview.body, template.code
        if template.channel == "sms":
            assert preview.worst_size is not None
            assert preview.worst_size.segments <= (template.segment_limit or 2)
        else:
            assert re.search("[ạảấầậếệịọốộụứựđ]", preview.body), "texts to read have diacritics"


def test_every_occasion_has_a_mail_and_a_message_of_the_portal(desk: Desk) -> None:
    there = {(template.code, template.channel) for template in message_templates.list_templates(desk.settings)}
    lacking = {(code, channel) for code in samples.CODES for channel in ("email", "web")} - there
    assert lacking == {("verify", "web")}, "a code goes to the address that it verifies"


REFUSED = (
    ("IOC: {{ top.text }} {{ top.text }}. Ma {{ ref }}", REGISTERED, "chiếm 4 tin SMS"),
    ("IOC: {{ top.text | cut(50) }}. Ma 1", REGISTERED, "phải chứa mã riêng"),
    ("IOC: [{{ top.text | cut(50) }}]. Ma {{ ref }}", "IOC: ({noi_dung}). Ma {ma}", "không được chứa các ký tự"),
    ("Xin chao {{ top.text | cut(50) }}. Ma {{ ref }}", REGISTERED, "không khớp mẫu đã đăng ký"),
    (GOOD, None, "Thiếu mẫu đã đăng ký"),
    (GOOD, "IOC: {noi_dung}. Mã {ma}", "không khớp mẫu đã đăng ký"),
    ("IOC: {{ khong_co }}. Ma {{ ref }}", REGISTERED, "Mẫu tin có lỗi"),
    ("IOC: {{ top.text ", REGISTERED, "Mẫu tin có lỗi"),
    ("{{ ''.__class__.__mro__ }}. Ma {{ ref }}", REGISTERED, "Mẫu tin có lỗi"),
)


def test_what_a_network_or_a_reader_would_refuse_is_not_approved(desk: Desk) -> None:
    for body, registered, words in REFUSED:
        number = draft(desk, body, registered)
        with pytest.raises(ActRefusedError, match=words):
            message_templates.approve(number, "binh", desk.settings, desk.at(1))
        assert message_templates.get(number, desk.settings).status == "draft", body


def test_a_template_needs_two_people_and_never_changes_afterwards(desk: Desk) -> None:
    number = draft(desk, GOOD)
    with pytest.raises(ActRefusedError, match="không được tự phê duyệt"):
        message_templates.approve(number, "an", desk.settings)
    assert draft(desk, GOOD + " ") == number, "a draft is edited in place"
    approved = message_templates.approve(number, "binh", desk.settings, desk.at(1))
    assert (approved.status, approved.version, approved.approved_by) == ("approved", 2, "binh")
    with pytest.raises(ActRefusedError, match="không còn là bản nháp"):
        message_templates.approve(number, "binh", desk.settings)
    for statement in (
        "update notify.template set body = 'x' where template_id = %s",
        "update notify.template set status = 'draft' where template_id = %s",
        "delete from notify.template where template_id = %s",
    ):
        with pytest.raises(psycopg.errors.RestrictViolation):
            desk.run(statement, number)
    assert draft(desk, GOOD) != number
    acts = desk.rows("select action from audit.event where object_type = 'template' order by event_id")
    assert [act for (act,) in acts] == ["template.drafted", "template.drafted", "template.approved", "template.drafted"]


def test_the_new_version_is_what_leaves(desk: Desk) -> None:
    number = draft(desk, unicodedata.normalize("NFD", "IOC: Tại đây: {{ top.text | cut(60) }}. Ma {{ ref }}"),
                   "IOC: Tai day: {noi_dung}. Ma {ma}")  # fmt: skip
    message_templates.approve(number, "binh", desk.settings, desk.at(0))
    desk.signal({0: 170})
    desk.evaluate(0.1)
    bodies = {body for (body,) in desk.rows("select body from notify.outbox where channel = 'sms'")}
    assert {body.split(". Ma ")[0] for body in bodies} == {"IOC: Tai day: AQI gio tai TH-01 la 170"}
    assert desk.rows("select distinct template_id, segment_count from notify.outbox where channel = 'sms'") == [
        (number, 1)
    ]


def test_every_sms_of_one_person_has_a_code_of_its_own(desk: Desk) -> None:
    desk.run("update ref.contact set phone_verified_at = null where code <> 'truc-snnmt'")
    desk.signal({0: 170, 1: 250, 2: 170, 3: 250, 4: 60, 5: 60})
    for hour in range(6):
        desk.evaluate(hour + 0.1)
    codes = [
        re.search(r"Ma (SC-[0-9A-F]{8}\.\d+)", body)[1]  # type: ignore[index]
        for (body,) in desk.rows("select body from notify.outbox where channel = 'sms' order by created_at")
    ]
    assert len(codes) == len(set(codes)) >= 3
    assert [code.split(".")[1] for code in codes] == [str(n + 1) for n in range(len(codes))]


def test_an_incident_of_the_past_shows_how_a_template_reads(desk: Desk) -> None:
    desk.signal({0: 170, 1: 60, 2: 60}, station="TH-07")
    desk.evaluate(2.1)
    desk.evaluate(2.2)
    (incident,) = desk.rows("select incident_id from alert.incident")[0]
    for template in message_templates.list_templates(desk.settings):
        preview = message_templates.preview(template.template_id, incident, desk.settings, desk.at(3))
        assert preview.problems == []
        if template.code == "notice":
            assert "TH-07" in preview.body
    assert message_templates.recent_incidents(desk.settings)[0]["entity"] == "TH-07"


def test_wrong_drafts_are_refused_with_a_sentence(desk: Desk) -> None:
    for given, words in (
        ({"body": " "}, "phải có nội dung"),
        ({"body": "x" * 20_001}, "20.000"),
        ({"body": "x", "segment_limit": 9}, "từ 1 đến 4"),
    ):
        with pytest.raises(ActRefusedError, match=words):
            draft(desk, **given)  # type: ignore[arg-type]
    with pytest.raises(ActRefusedError, match="Không có loại thông báo"):
        message_templates.save_draft("khong", "sms", "x", "an", settings=desk.settings)
