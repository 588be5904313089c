"""The language of rule tests: what is shipped passes, what is wrong shows as a readable difference."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from alerts.rulemaking import rule_checks, rule_files, rule_tests
from alerts.rulemaking.rule_document import Threshold, duration, duration_text
from alerts.rulemaking.rule_tests import RuleTestError
from ioc.commands import rules
from ioc.commands.data import alerts_app

if TYPE_CHECKING:
    from pathlib import Path

    from alerts.rulemaking.rule_document import RuleDocument

HEAD = "rule: air_quality.aqi_h\ntests:\n"


@lru_cache(maxsize=1)
def shipped() -> dict[str, RuleDocument]:
    return {d.code: d for path in sorted(rule_files.FOLDER.glob("*.yaml")) for d in rule_files.read(path)}


def one(text: str, document: RuleDocument | None = None) -> rule_tests.Report:
    """Run one test, given from its ``series`` on."""
    start = "  - name: thử\n    start: 2026-03-06T00:00:00+07:00\n    interval: 1 hour\n"
    return rule_tests.run(document or shipped()["air_quality.aqi_h"], HEAD + start + text)


def test_every_shipped_rule_has_tests_of_its_own_and_they_pass() -> None:
    files = {path.stem: path for path in (rule_files.FOLDER / "tests").glob("*.yaml")}
    assert set(files) == set(shipped()), "a rule without tests, or tests without a rule"
    for code, path in files.items():
        named, text = rule_tests.read_file(path)
        assert named == code
        report = rule_tests.run(shipped()[code], text)
        assert report.is_passed, "\n".join(failure.text for failure in report.failures)
        assert report.tests


def _mutants(document: RuleDocument) -> dict[str, RuleDocument]:
    """The rule, wrong in one thing each."""

    def with_level(t: Threshold, **changes: object) -> RuleDocument:
        thresholds = tuple(replace(t, **changes) if one == t else one for one in document.thresholds)  # type: ignore[arg-type]
        return replace(document, thresholds=thresholds)

    found = {"silence": replace(document, nodata_after=tuple(after * 2 for after in document.nodata_after))}
    if not document.nodata_after:
        found = {"silence": replace(document, nodata_after=(timedelta(hours=2),))}
    for t in document.thresholds:
        found[f"enter {t.level}"] = with_level(t, enter_value=t.enter_value * Decimal("1.01"))
        found[f"strict {t.level}"] = with_level(t, enter_strict=not t.enter_strict)
        if t.for_dur:
            found[f"for {t.level}"] = with_level(t, for_dur=t.for_dur * 2)
            found[f"no for {t.level}"] = with_level(t, for_dur=timedelta(0))
    lowest = document.thresholds[0]
    found["exit"] = with_level(lowest, exit_value=lowest.exit_value - 1)
    if lowest.keep_dur:
        found["keep"] = with_level(lowest, keep_dur=timedelta(0))
    return found


@pytest.mark.parametrize("code", sorted(shipped()))
def test_the_tests_of_a_shipped_rule_notice_when_it_is_wrong(code: str) -> None:
    text = (rule_files.FOLDER / "tests" / f"{code}.yaml").read_text(encoding="utf-8")
    survivors = [name for name, rule in _mutants(shipped()[code]).items() if rule_tests.run(rule, text).is_passed]
    assert survivors == []


def test_a_wrong_expectation_shows_what_was_wanted_and_what_came() -> None:
    report = one(
        """
    series: [{entity: TH-01, values: "95 105x2 160"}]
    expect:
      - {at: 2 hours, level: 2, state: firing}
      - {at: 3 hours, level: 2}
    transitions:
      - {at: 1 hour, to: 1}
      - {at: 2 hours, to: 2, reason: raised}
    incidents: {value: 2, nodata: 0}
"""
    )
    assert not report.is_passed
    assert [failure.text for failure in report.failures] == [
        "thử · +2 hours (02:00 06/03/2026) · TH-01 · level\n    mong đợi: 2\n    thực tế:  1  (firing, giá trị 105.0)",
        "thử · cả bài thử · transitions\n"
        "    mong đợi: +1 hour to 1\n"
        "              +2 hours to 2 reason raised\n"
        "    thực tế:  +1 hour to 1 reason entered\n"
        "              +3 hours to 2 reason raised",
        "thử · cả bài thử · incidents (value)\n    mong đợi: 2\n    thực tế:  1",
    ]


def test_the_example_of_the_language_holds() -> None:
    lines = (rule_tests.__doc__ or "").splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("    rule:"))
    end = next(n for n, line in enumerate(lines) if line.startswith("Values:"))
    report = rule_tests.run(shipped()["air_quality.aqi_h"], "\n".join(lines[first:end]))
    assert report.is_passed, "\n".join(failure.text for failure in report.failures)


def test_a_message_too_many_and_one_that_does_not_come_are_shown_by_channel() -> None:
    report = one(
        """
    series: [{entity: TH-01, unit: "14797", values: "95 105 160 90 90"}]
    messages:
      sms:
        - {at: 2 hours, level: 2, to: [truc_ban SNNMT]}
      email:
        - {at: 1 hour, level: 1, to: [truc_ban SNNMT]}
        - {at: 2 hours, level: 2, to: [lanh_dao 14797, truc_ban IOC, truc_ban SNNMT]}
        - {at: 4 hours, level: 0, to: [lanh_dao 14797, truc_ban IOC, truc_ban SNNMT]}
      webhook: []
"""
    )
    assert [failure.text for failure in report.failures] == [
        "thử · cả bài thử · messages (sms)\n"
        "    mong đợi: +2 hours level 2 to truc_ban SNNMT\n"
        "    thực tế:  +2 hours level 2 to truc_ban IOC, truc_ban SNNMT\n"
        "              +4 hours level 0 to truc_ban IOC, truc_ban SNNMT",
        "thử · cả bài thử · messages (webhook)\n"
        "    mong đợi: không có tin nào\n"
        "    thực tế:  +1 hour level 1 to truc_ban SNNMT\n"
        "              +2 hours level 2 to truc_ban IOC, truc_ban SNNMT\n"
        "              +4 hours level 0 to truc_ban IOC, truc_ban SNNMT",
    ]


def test_old_data_tell_nobody_and_stations_of_one_rule_share_a_message() -> None:
    report = one(
        """
    series:
      - {entity: A, values: "_ _ _ _ _ 160"}
      - {entity: B, values: "_ _ _ _ _ 105"}
      - {entity: OLD, values: "160", delay: 5 hours}
    expect: [{at: 5 hours, entity: OLD, level: 2}]
    messages: {sms: [{at: 5 hours, level: 2, to: [truc_ban IOC, truc_ban SNNMT]}]}
"""
    )
    assert report.is_passed, report.failures


@pytest.mark.parametrize("fault", ["owner", "level"])
def test_the_shipped_expectations_of_messages_notice_who_and_when(fault: str) -> None:
    document = shipped()["industrial_discharge.limit_ratio"]
    lowest, second, *graver = document.thresholds
    wrong = {
        "owner": replace(document, owner_unit="CAT"),
        "level": replace(document, thresholds=(lowest, replace(second, level=3), *graver[1:])),
    }[fault]
    report = rule_tests.run(
        wrong, (rule_files.FOLDER / "tests" / "industrial_discharge.limit_ratio.yaml").read_text(encoding="utf-8")
    )
    assert any(failure.what.startswith("messages") for failure in report.failures)


@pytest.mark.parametrize(
    ("notation", "level", "data"),
    [
        ("0 160", 2, "ok"),
        ("100+50x3", 2, "ok"),
        ("310-5x3", 4, "ok"),
        ("160 _", 2, "ok"),
        ("160 cal", 2, "unusable"),
        ("160 err", 2, "unusable"),
        ("160 few", 2, "unusable"),
        ("160x1 20.5 20.5", 0, "ok"),
        ("-5 -1.5", 0, "ok"),
        ("calx3", 0, "unusable"),
    ],
)
def test_values_are_written_short(notation: str, level: int, data: str) -> None:
    report = one(f'    series: [{{values: "{notation}"}}]\n    expect: [{{at: 2 hours, level: {level}, data: {data}}}]')
    assert report.is_passed, report.failures


def test_rows_count_from_their_arrival_not_from_their_period() -> None:
    report = one(
        """
    series:
      - {entity: SLOW, values: "160 160", delay: 30 minutes}
      - {entity: LATE, values: "50 _ 50", late: [{period: 1 hour, seen: 4 hours, value: 200}]}
      - {entity: FIXED, values: "50 160", late: [{period: 1 hour, seen: 90 minutes, value: 50, revision: 2},
                                                 {period: 2 hours, seen: 2 hours, value: 50}]}
    expect:
      - {at: 0, entity: SLOW, level: 0}
      - {at: 30 minutes, entity: SLOW, level: 2}
      - {at: 4 hours, entity: LATE, level: 0}
      - {at: 1 hour, entity: FIXED, level: 2}
      - {at: 3 hours, entity: FIXED, level: 0}
    incidents: 2
"""
    )
    assert report.is_passed, report.failures


def test_scopes_decide_as_in_the_engine() -> None:
    base = shipped()["air_quality.aqi_h"]
    special = replace(base.thresholds[3], scope_kind="unit", scope_value="14797", level=3, enter_value=Decimal(60),
                      exit_value=Decimal(50))  # fmt: skip
    report = one(
        """
    series: [{entity: A, unit: "14797", values: "70"}, {entity: B, values: "70"}]
    expect: [{at: 0, entity: A, level: 3}, {at: 0, entity: B, level: 0}]
""",
        replace(base, thresholds=(*base.thresholds, special)),
    )
    assert report.is_passed, report.failures


def test_a_source_rule_is_tested_by_what_was_published() -> None:
    rule = replace(
        shipped()["air_quality.aqi_h"], signal_code="air_quality.source", thresholds=(),
        nodata_after=(timedelta(hours=2),),
    )  # fmt: skip
    assert rule_checks.problems(rule) == []
    report = one(
        """
    series: [{entity: air_quality, values: "1 1 _ _ _ 1"}]
    expect: [{at: 2 hours, nodata: 0}, {at: 3 hours, nodata: 1}, {at: 5 hours, nodata: 0}]
    transitions: [{at: 3 hours, kind: source, to: 1}, {at: 5 hours, kind: source, to: 0}]
    incidents: {source: 1}
""",
        rule,
    )
    assert report.is_passed, report.failures


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("rule: [", r"không phải YAML hợp lệ ở dòng 1"),
        ("nothing", "một khối YAML"),
        ("rule: other\ntests: []", "ghi quy tắc “other”, không phải “air_quality.aqi_h”"),
        (HEAD + "  - 5", "Bài thử “số 1” phải là một khối"),
        (HEAD + "  - {name: A}", "Bài thử “A”: thiếu khóa 'start'"),
        (HEAD + "  - {name: A, strat: 1}", "Bài thử “A”: không có khóa “strat”"),
        (HEAD + "  - {name: A, start: 2026-03-06, interval: 1 hour, series: [{values: 1 2y}]}",
         "không hiểu giá trị “2y”"),
        (HEAD + "  - {name: A, start: x, interval: 1 hour, series: [{values: 1}]}", "Bài thử “A”: "),
        (HEAD + "  - {name: A, start: 2026-03-06, interval: 0, series: [{values: 1}]}", "interval phải lớn hơn 0"),
        (HEAD + "  - {name: A, start: 2026-03-06, interval: 1 hour, series: []}", "cần ít nhất một chuỗi"),
        (HEAD + "  - {name: A, start: 2026-03-06, interval: 1 hour, series: [{values: 1}]}", "không mong đợi điều gì"),
        (HEAD + "  - {name: A, start: 2026-03-06, interval: 1 hour, series: [{values: 1x99999999}], incidents: 0}",
         "số lần lặp"),
        (HEAD + "  - {name: A, start: 2026-03-06, interval: 1 second, series: [{values: 1}], "
         "expect: [{at: 9d, level: 0}]}", "dài quá 20000 bước"),
        (HEAD + "  - {name: A, start: 2026-03-06, interval: 1 hour, series: [{values: 1}], expect: [{at: 0, lvl: 1}]}",
         "không có khóa “lvl”"),
        (HEAD + "  - {name: A, start: 2026-03-06, interval: 1 hour, series: [{values: 1}], "
         "expect: [{at: 0, entity: Z, level: 1}]}", "không có chuỗi nào tên đó"),
        (HEAD + "  - {name: A, start: 2026-03-06, interval: 1 hour, series: 5, incidents: 0}", "Bài thử “A”: "),
        (HEAD + "  - {name: A, start: 2026-03-06, interval: 1 hour, series: [{values: 1}], incidents: {all: 1}}",
         "incidents là một số"),
        (HEAD + "  - {name: A, start: 2026-03-06, interval: 1 hour, series: [{values: 1}], messages: {fax: []}}",
         "không có kênh “fax”; các kênh: email"),
        (HEAD + "  - {name: A, start: 2026-03-06, interval: 1 hour, series: [{values: 1}], "
         "messages: {sms: [{at: 0, level: 1, to: truc_ban}]}}", r"một tin trong messages viết"),
        (HEAD + "  - {name: A, start: 2026-03-06, interval: 1 hour, series: [{values: 1}], "
         "messages: {sms: [{at: 0, to: []}]}}", r"thiếu khóa 'level'"),
        (HEAD + "  - &a {name: A}\n  - *a", "ký hiệu tham chiếu"),
        (HEAD + "  - {name: A, start: 2026-03-06, interval: 1 hour, series: [{values: 1x9000 1x9000 1x9000}], "
         "incidents: 0}",
         "nhiều nhất 20000 giá trị"),
        (HEAD + "  - {name: A, start: 0001-01-01, interval: 1 hour, series: [{values: 1}], incidents: 0}", "năm 1 "),
        (HEAD + ("  - {name: A, start: 2026-03-06, interval: 1 hour, series: [{values: 1}], incidents: 0}\n" * 2),
         "không được trùng tên"),
    ],
)  # fmt: skip
def test_tests_that_cannot_be_understood_say_where(text: str, what: str) -> None:
    with pytest.raises(RuleTestError, match=what):
        rule_tests.run(shipped()["air_quality.aqi_h"], text)


def test_an_empty_file_of_tests_is_no_passed_test() -> None:
    assert not rule_tests.run(shipped()["air_quality.aqi_h"], "rule: air_quality.aqi_h\ntests: []").is_passed


@pytest.mark.parametrize(
    ("text", "seconds", "back"),
    [
        ("15 minutes", 900, "15 minutes"), ("15 phút", 900, "15 minutes"), ("1h 30m", 5400, "90 minutes"),
        ("26 hours", 93600, "26 hours"), ("2 ngày", 172800, "2 days"), ("0", 0, "0"), ("90s", 90, "90 seconds"),
    ],
)  # fmt: skip
def test_durations(text: str, seconds: int, back: str) -> None:
    assert duration(text) == timedelta(seconds=seconds)
    assert duration_text(duration(text)) == back


@pytest.mark.parametrize("text", ["soon", "5", "5 parsecs", "-1 hour", "1 hour or so", "900 days"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"duration|longer"):
        duration(text)


def test_the_command_prints_the_difference_and_fails(tmp_path: Path) -> None:
    if "test" not in {command.name for command in alerts_app.registered_commands}:
        rules.register(alerts_app)
    good = rule_files.FOLDER / "tests" / "air_quality.aqi_h.yaml"
    run = CliRunner()
    passed = run.invoke(alerts_app, ["test", str(good), "--json"])
    assert (passed.exit_code, passed.stdout.splitlines()[0]) == (0, "✓ air_quality.aqi_h: 7 tests")
    bad = tmp_path / "tests" / "planted.yaml"
    bad.parent.mkdir()
    bad.write_text(
        good.read_text(encoding="utf-8").replace("level: 1, state: firing", "level: 3, state: firing"), "utf-8"
    )
    failed = run.invoke(alerts_app, ["test", str(bad)])
    assert failed.exit_code == 2
    assert "✗ air_quality.aqi_h: 7 tests, 1 failed" in failed.stdout
    assert "mong đợi: 3" in failed.stdout
    assert "thực tế:  1  (firing, giá trị 95.0)" in failed.stdout
