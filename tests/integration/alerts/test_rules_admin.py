"""A rule changes by two people, tests that pass and a dry run; and the database holds that too."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from alerts.incidents import ActRefusedError
from alerts.rulemaking import rule_admin, rule_files, rule_views
from ioc import warehouse

if TYPE_CHECKING:
    from alerts.rulemaking.rule_document import RuleDocument
    from tests.integration.alerts.conftest import Desk

AQI = "air_quality.aqi_h"
TESTS = (rule_files.FOLDER / "tests" / f"{AQI}.yaml").read_text(encoding="utf-8")
ONE_TEST = """
rule: air_quality.aqi_h
tests:
  - name: Từ 120 là cấp 1
    start: 2026-03-06T01:00:00+07:00
    interval: 1 hour
    series: [{values: "119 120 121"}]
    transitions: [{at: 1 hour, to: 1}]
"""


class Office:
    """An engineer who drafts and a leader who approves, at hours of the desk's day."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.settings = desk.settings

    def draft(self, hour: float = 1, code: str = AQI) -> int:
        return rule_admin.create_draft(code, "kysu", settings=self.settings, at=self.desk.at(hour))

    def document(self, version_id: int) -> RuleDocument:
        return next(
            v.document
            for summary in rule_views.list_rules(self.settings)
            for v in rule_views.rule(summary.code, self.settings).versions
            if v.rule_version_id == version_id
        )

    def save(self, version_id: int, hour: float = 1, tests: str = ONE_TEST, **changes: Any) -> None:
        document = replace(self.document(version_id), **({"reason": "Bớt báo động nhẹ"} | changes))
        is_backdated = "effective_from" in changes
        rule_admin.save_draft(
            version_id, document, tests, "kysu", is_backdated=is_backdated, settings=self.settings,
            at=self.desk.at(hour),
        )  # fmt: skip

    def prove(self, version_id: int, hour: float = 1) -> None:
        rule_admin.run_tests(version_id, "kysu", settings=self.settings, at=self.desk.at(hour))
        rule_admin.dry_run(version_id, "kysu", settings=self.settings, at=self.desk.at(hour))

    def submit(self, version_id: int, hour: float = 1) -> None:
        rule_admin.submit(version_id, "kysu", settings=self.settings, at=self.desk.at(hour))

    def approve(self, version_id: int, user: str = "lanhdao", hour: float = 2) -> datetime:
        return rule_admin.approve(version_id, user, settings=self.settings, at=self.desk.at(hour))

    def raised(self, document: RuleDocument, level_one: int = 120) -> tuple[Any, ...]:
        """The thresholds with level 1 from ``level_one`` on."""
        return tuple(
            replace(t, enter_value=Decimal(level_one), exit_value=Decimal(level_one - 5)) if t.level == 1 else t
            for t in document.thresholds
        )

    def ready(self, hour: float = 1, **changes: Any) -> int:
        """A submitted draft in which level 1 begins at 120."""
        version_id = self.draft(hour)
        self.save(version_id, hour, thresholds=self.raised(self.document(version_id)), **changes)
        self.prove(version_id, hour)
        self.submit(version_id, hour)
        return version_id


@pytest.fixture
def office(desk: Desk) -> Office:
    return Office(desk)


def test_a_new_version_goes_from_draft_to_force_and_judges_only_what_comes_after(office: Office, desk: Desk) -> None:
    desk.signal({0.5: 110})
    desk.evaluate(0.6)
    version_id = office.ready()
    assert office.approve(version_id, hour=2) == desk.at(2)
    detail = rule_views.rule(AQI, office.settings, desk.at(2.5))
    assert [(v.version, v.status, v.is_current) for v in detail.versions] == [
        (2, "approved", True), (1, "approved", False),
    ]  # fmt: skip
    assert detail.versions[1].ends == detail.versions[0].starts == desk.at(2)
    desk.signal({1.5: 112}, station="TH-02")
    desk.signal({3: 112}, station="TH-03")
    desk.evaluate(3.1)
    assert desk.transitions() == [(0.5, 1)], "what was told stays told"
    assert desk.transitions(station="TH-02") == [(1.5, 1)], "judged by the version of its time, whenever it came"
    assert desk.transitions(station="TH-03") == []
    acts = [(act["action"], act["actor"]) for act in reversed(detail.acts)][1:]
    assert acts == [
        ("rule.draft_created", "kysu"), ("rule.draft_saved", "kysu"), ("rule.tests_run", "kysu"),
        ("rule.dry_run", "kysu"), ("rule.submitted", "kysu"), ("rule.approved", "lanhdao"),
    ]  # fmt: skip
    assert desk.one("select audit.first_broken_event()") is None


def test_who_drafted_does_not_approve_and_neither_does_who_edited_or_submitted(office: Office, desk: Desk) -> None:
    version_id = office.draft()
    office.save(version_id, thresholds=office.raised(office.document(version_id)))
    rule_admin.save_draft(
        version_id, office.document(version_id), ONE_TEST, "quantri", settings=office.settings, at=desk.at(1)
    )
    office.prove(version_id)
    rule_admin.submit(version_id, "truc", settings=office.settings, at=desk.at(1))
    for user in ("kysu", "quantri", "truc"):
        with pytest.raises(ActRefusedError, match="Người soạn không tự phê duyệt"):
            office.approve(version_id, user)
    for user in ("kysu", "quantri"):
        with pytest.raises(psycopg.errors.CheckViolation, match=r"two_people|no_editor_approves"):
            desk.run(
                "update alert.rule_version set status = 'approved', approved_by = %s where rule_version_id = %s",
                user, version_id,
            )  # fmt: skip
    office.approve(version_id, "lanhdao")


@pytest.mark.parametrize(
    ("tests", "what"),
    [
        ("", "Chưa có bài thử nào"),
        (ONE_TEST.replace("at: 1 hour, to: 1", "at: 2 hours, to: 1"), "Bài thử chưa chạy hoặc chưa đạt"),
    ],
    ids=["none", "failing"],
)
def test_without_tests_that_pass_there_is_no_approval(office: Office, desk: Desk, tests: str, what: str) -> None:
    version_id = office.draft()
    office.save(version_id, tests=tests, thresholds=office.raised(office.document(version_id)))
    rule_admin.dry_run(version_id, "kysu", settings=office.settings, at=desk.at(1))
    if tests:
        report = rule_admin.run_tests(version_id, "kysu", settings=office.settings, at=desk.at(1))
        (failure,) = report.failures
        assert (failure.expected, failure.got) == ("+2 hours to 1", "+1 hour to 1")
        with pytest.raises(rule_admin.RuleRefusedError, match=what):
            office.submit(version_id)
    else:
        with pytest.raises(rule_admin.RuleRefusedError, match=what):
            rule_admin.run_tests(version_id, "kysu", settings=office.settings, at=desk.at(1))
        with pytest.raises(rule_admin.RuleRefusedError, match="Bài thử chưa chạy"):
            office.submit(version_id)
    with pytest.raises(ActRefusedError, match="không còn chờ phê duyệt"):
        office.approve(version_id)


def test_an_edit_after_the_proof_asks_for_a_new_one(office: Office) -> None:
    version_id = office.draft()
    office.save(version_id, thresholds=office.raised(office.document(version_id)))
    office.prove(version_id)
    office.save(version_id, 1.5, legal_basis="QĐ khác")
    with pytest.raises(rule_admin.RuleRefusedError) as refused:
        office.submit(version_id, 1.6)
    assert len(refused.value.problems) == 2
    office.prove(version_id, 1.7)
    office.submit(version_id, 1.8)


def test_the_portals_own_role_cannot_go_round_the_proof(office: Office, desk: Desk) -> None:
    """Whatever the portal's code did: its role approves nothing that was not submitted, submits nothing unproven."""
    version_id = office.draft()
    statements = {
        "update alert.rule_version set status = 'approved', approved_by = 'x' where rule_version_id = %s":
            psycopg.errors.RestrictViolation,
        "update alert.rule_version set status = 'submitted', submitted_by = 'x' where rule_version_id = %s":
            psycopg.errors.CheckViolation,
        "update alert.rule_version set reason = 'y' where status = 'approved' and %s > 0":
            psycopg.errors.RestrictViolation,
        "update alert.rule set signal_code = 'y' where %s > 0": psycopg.errors.InsufficientPrivilege,
        "delete from alert.rule where %s > 0": psycopg.errors.InsufficientPrivilege,
    }  # fmt: skip
    for statement, error in statements.items():
        with warehouse.connect("portal", desk.settings) as connection, pytest.raises(error):
            connection.execute(statement, (version_id,))  # type: ignore[call-overload]
            connection.commit()


def test_what_was_submitted_or_approved_can_no_longer_be_edited(office: Office, desk: Desk) -> None:
    version_id = office.ready()
    for hour, status in ((1.5, "submitted"), (2.5, "approved")):
        assert desk.one("select status from alert.rule_version where rule_version_id = %s", version_id) == status
        with pytest.raises(ActRefusedError, match="không còn ở trạng thái soạn thảo"):
            office.save(version_id, hour)
        for statement in (
            "update alert.rule_version set message_vi = 'khác' where rule_version_id = %s",
            "update alert.rule_version set tests = null where rule_version_id = %s",
            "update alert.threshold set enter_value = 1 where rule_version_id = %s",
            "delete from alert.threshold where rule_version_id = %s",
            "delete from alert.rule_version where rule_version_id = %s",
        ):
            with pytest.raises(psycopg.errors.RestrictViolation):
                desk.run(statement, version_id)
        if status == "submitted":
            office.approve(version_id)


def test_two_versions_never_overlap(office: Office, desk: Desk) -> None:
    office.approve(office.ready(), hour=3)
    early = office.ready(3.5, effective_from=desk.at(2))
    with pytest.raises(ActRefusedError, match="không được chồng nhau"):
        office.approve(early, hour=4)
    with pytest.raises(psycopg.errors.ExclusionViolation, match="one_version_at_a_time"):
        desk.run(
            "update alert.rule_version set status = 'approved', approved_by = 'x' where rule_version_id = %s", early
        )


@pytest.mark.parametrize(("asked", "is_backdated", "starts"), [(0.5, False, 2), (0.5, True, 0.5), (6, True, 6)])
def test_a_version_reaches_back_only_when_it_says_so(
    office: Office, desk: Desk, asked: float, is_backdated: bool, starts: float
) -> None:
    version_id = office.draft()
    document = replace(
        office.document(version_id), effective_from=desk.at(asked), reason="Theo văn bản mới",
        thresholds=office.raised(office.document(version_id)),
    )  # fmt: skip
    rule_admin.save_draft(
        version_id, document, ONE_TEST, "kysu", is_backdated=is_backdated, settings=office.settings, at=desk.at(1)
    )
    office.prove(version_id)
    office.submit(version_id)
    assert office.approve(version_id, hour=2) == desk.at(starts)


def test_a_rejected_version_stays_as_it_was_and_a_new_draft_may_begin(office: Office, desk: Desk) -> None:
    version_id = office.ready()
    with pytest.raises(ActRefusedError, match="lý do từ chối"):
        rule_admin.reject(version_id, "lanhdao", " ", settings=office.settings, at=desk.at(2))
    rule_admin.reject(version_id, "lanhdao", "Chưa đủ căn cứ", settings=office.settings, at=desk.at(2))
    detail = rule_views.rule(AQI, office.settings, desk.at(3))
    assert (detail.versions[0].status, detail.versions[0].reject_reason) == ("rejected", "Chưa đủ căn cứ")
    assert detail.current and detail.current.version == 1
    with pytest.raises(psycopg.errors.RestrictViolation):
        desk.run("update alert.rule_version set reject_reason = 'x' where rule_version_id = %s", version_id)
    second = office.draft(3)
    assert office.document(second).thresholds == detail.current.document.thresholds
    rule_admin.discard_draft(second, "kysu", settings=office.settings, at=desk.at(3))
    assert [v.version for v in rule_views.rule(AQI, office.settings).versions] == [2, 1]
    again = rule_admin.create_draft(AQI, "kysu", copy_of=2, settings=office.settings, at=desk.at(4))
    assert office.document(again).thresholds == detail.versions[0].document.thresholds
    assert detail.versions[0].document.thresholds != detail.current.document.thresholds


def test_one_draft_of_a_rule_at_a_time(office: Office) -> None:
    office.draft()
    with pytest.raises(ActRefusedError, match="đã có một bản nháp đang mở"):
        office.draft(2)
    office.draft(2, "industrial_discharge.limit_ratio")
    with pytest.raises(ActRefusedError, match="Không có quy tắc hoặc phiên bản này"):
        office.draft(2, "nothing")


def test_a_wrong_draft_is_not_saved_and_says_what_is_wrong(office: Office, desk: Desk) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"reason": " "}, "Thiếu lý do."),
        ({"legal_basis": ""}, "Thiếu căn cứ pháp lý."),
        ({"owner_unit": "XYZ"}, "Không có đơn vị “XYZ” để phụ trách quy tắc."),
        ({"calendar_code": "xyz"}, "Không có lịch làm việc “xyz”."),
        ({"sop_template_code": "xyz"}, "Không có quy trình “xyz”."),
        ({"message_vi": "{{ nothing }}"}, "Câu thông báo không dùng được"),
        ({"nodata_after": (timedelta(hours=3), timedelta(hours=2))}, "Các mốc mất số liệu phải tăng dần."),
        ({"direction": "down"}, "ngưỡng ra không được thấp hơn ngưỡng vào"),
        ({"thresholds": ()}, "Cần ít nhất một ngưỡng."),
    ]
    version_id = office.draft()
    before = office.document(version_id)
    for changes, problem in wrong:
        with pytest.raises(rule_admin.RuleRefusedError, match=problem):
            office.save(version_id, **changes)
    assert office.document(version_id) == before
    assert desk.one("select count(*) from audit.event where action = 'rule.draft_saved'") == 0


def _scoped(document: RuleDocument, kind: str, value: str) -> tuple[Any, ...]:
    """The thresholds, and level 4 from 150 on in a scope."""
    special = replace(
        document.thresholds[0], scope_kind=kind, scope_value=value, level=4, enter_value=Decimal(150),
        exit_value=Decimal(140),
    )  # fmt: skip
    return (*document.thresholds, special)


def test_a_scope_must_exist(office: Office, desk: Desk) -> None:
    desk.signal({0: 50})
    version_id = office.draft()
    document = office.document(version_id)
    for kind, value, problem in (
        ("unit", "99999", "Phạm vi: không có đơn vị “99999”."),
        ("entity", "TH-99", "chưa từng có số liệu của đối tượng “TH-99”"),
        ("pattern", "X-%", "mẫu mã “X-%” không khớp đối tượng nào"),
    ):
        with pytest.raises(rule_admin.RuleRefusedError, match=problem):
            office.save(version_id, tests=TESTS, thresholds=_scoped(document, kind, value))


@pytest.mark.parametrize("scope", [("entity", "TH-01"), ("pattern", "TH-%"), ("unit", "14797")])
def test_the_most_specific_scope_wins(office: Office, desk: Desk, scope: tuple[str, str]) -> None:
    desk.signal({0: 50, 0.5: 160})
    desk.signal({0: 50, 0.5: 160}, station="YY-01", unit_code="14845")
    version_id = office.draft()
    # A station without a unit: the department's leader is told in the place of the commune's.
    tests = TESTS.replace("TH-01", "ZZ-01").replace('unit: "14797", ', "").replace("lanh_dao 14797", "lanh_dao SNNMT")
    thresholds = _scoped(office.document(version_id), *scope)
    office.save(version_id, tests=tests, thresholds=thresholds, effective_from=desk.at(-24))
    office.prove(version_id)
    office.submit(version_id)
    office.approve(version_id)
    desk.evaluate(3)
    assert desk.transitions() == [(0.5, 4)]
    assert desk.transitions(station="YY-01") == [(0.5, 2)]


def test_a_dry_run_finds_what_a_replay_finds_and_writes_no_state(office: Office, desk: Desk) -> None:
    random.seed(7)
    for n, unit in enumerate(("14797", "14797", "14845", None)):
        value, series = 100.0, {}
        for hour in range(-720, 1):
            value = min(320.0, max(20.0, value + random.uniform(-25, 25)))
            series[float(hour)] = None if random.random() < 0.05 else round(value, 1)
        desk.signal(series, station=f"R-{n}", unit_code=unit)
    desk.signal({float(hour): 40 for hour in range(-720, 1)}, station="CALM")
    version_id = office.draft()
    thresholds = office.raised(office.document(version_id), 130)
    office.save(version_id, tests=ONE_TEST.replace("119 120 121", "129 130 131"), thresholds=thresholds,
                effective_from=desk.at(-3000))  # fmt: skip
    before = desk.counts()
    found = rule_admin.dry_run(version_id, "kysu", settings=office.settings, at=desk.at(1))
    assert desk.counts() == before
    assert (found.series, found.rows) == (5, 5 * 721)
    assert found.in_force and found.in_force.episodes != found.draft.episodes > 10

    office.prove(version_id)
    office.submit(version_id)
    for expected, approved in ((found.in_force, False), (found.draft, True)):
        if approved:
            office.approve(version_id)
        desk.evaluate(2.5, mode="replay")
        run = desk.one("select max(eval_run_id) from alert.shadow_transition")
        of_rule = "from alert.shadow_transition join alert.rule using (rule_id) where eval_run_id = %s and code = %s"
        assert desk.one(f"select count(*) {of_rule} and from_level = 0", run, AQI) == expected.episodes
        assert desk.one(f"select count(distinct entity_id) {of_rule}", run, AQI) == expected.entities
        assert desk.one(f"select count(*) {of_rule} and to_level = 0", run, AQI) == (
            expected.episodes - expected.still_open
        )
    assert found.draft.units == 3
    kept = rule_views.rule(AQI, office.settings).versions[0].dry_run
    assert kept and kept["draft"]["episodes"] == found.draft.episodes
    assert len(kept["listed"]) == found.draft.episodes


def test_a_dry_run_counts_silences_and_falling_rules(office: Office, desk: Desk) -> None:
    desk.signal({-50: 60, -49: 60, -40: 60, -39: 20, -38: 20, -30: 60, 0: 60})
    version_id = office.draft()
    document = office.document(version_id)
    level = replace(document.thresholds[0], enter_value=Decimal(30), exit_value=Decimal(50), keep_dur=timedelta(0))
    office.save(version_id, tests="", direction="down", thresholds=(level,), nodata_after=(timedelta(hours=8),))
    found = rule_admin.dry_run(version_id, "kysu", settings=office.settings, at=desk.at(1))
    assert (found.draft.episodes, found.draft.silences) == (1, 3)
    assert found.in_force and (found.in_force.episodes, found.in_force.silences) == (0, 3)
    (episode,) = found.listed
    assert (episode.opened_at, episode.closed_at) == (desk.at(-39).astimezone(UTC), desk.at(-30).astimezone(UTC))
    assert (episode.peak_level, episode.peak_value) == (1, 20)


def test_ninety_days_of_real_volumes_are_dry_run_in_seconds(office: Office, desk: Desk) -> None:
    """Forty stations by the hour would be 86,400 rows; here are twice as many and more."""
    desk.run(
        """
        insert into alerting.signal (signal_code, entity_type, entity_id, unit_code, period_end, value, quality)
        select 'air_quality.aqi_h', 'station', 'S-' || s, '14797', %s - n * interval '1 hour',
            60 + 60 * sin(n / 12.0) + s %% 40, 'ok'
        from generate_series(1, 100) s, generate_series(0, 2159) n
        """,
        desk.at(1),
    )
    version_id = office.draft()
    began = time.monotonic()
    found = rule_admin.dry_run(version_id, "kysu", settings=office.settings, at=desk.at(1))
    assert found.rows == 100 * 2160
    assert found.draft.episodes > 500
    assert time.monotonic() - began < 30


def test_a_rule_that_is_switched_off_says_why_and_opens_nothing(office: Office, desk: Desk) -> None:
    desk.signal({0.5: 200})
    desk.evaluate(0.6)
    with pytest.raises(ActRefusedError, match="Cần nêu lý do"):
        rule_admin.set_enabled(AQI, False, "kysu", "", settings=office.settings, at=desk.at(1))
    rule_admin.set_enabled(AQI, False, "kysu", "Thay cảm biến", settings=office.settings, at=desk.at(1))
    with pytest.raises(ActRefusedError, match="đã ở trạng thái đó"):
        rule_admin.set_enabled(AQI, False, "kysu", "Lần nữa", settings=office.settings, at=desk.at(1))
    desk.evaluate(1.05)
    assert desk.rows("select status, close_reason from alert.incident") == [("closed", "rule_disabled")]
    desk.signal({1: 200})
    desk.evaluate(1.1)
    assert desk.one("select count(*) from alert.incident") == 1
    rule_admin.set_enabled(AQI, True, "kysu", "Đã thay xong", settings=office.settings, at=desk.at(2))
    desk.signal({2: 200})
    desk.evaluate(2.1)
    assert desk.one("select count(*) from alert.incident where status = 'open'") == 1
    summary = next(rule for rule in rule_views.list_rules(office.settings, desk.at(2.2)) if rule.code == AQI)
    assert (summary.is_enabled, summary.open_count, summary.version) == (True, 1, 1)
    acts = rule_views.rule(AQI, office.settings).acts
    assert [(act["action"], act["detail"]["reason"]) for act in acts[:2]] == [
        ("rule.enabled", "Đã thay xong"), ("rule.disabled", "Thay cảm biến"),
    ]  # fmt: skip
