"""Rules as YAML: what is shipped is what is in force, both ways and byte for byte; changes come as drafts."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import yaml
from typer.testing import CliRunner

from alerts import seed
from alerts.rulemaking import rule_checks, rule_files, rule_store, rule_views
from alerts.rulemaking.rule_document import RuleFileError
from ioc import warehouse
from ioc.commands import rules
from ioc.console import CommandError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.alerts.conftest import Desk

SHIPPED = sorted(rule_files.FOLDER.glob("*.yaml"))
AIR = rule_files.FOLDER / "air_quality.yaml"


def _copy(tmp_path: Path, change: dict[str, object], *, with_tests: bool = True) -> Path:
    """The first air-quality rule in a file of its own, changed, with its tests beside it."""
    rule = yaml.safe_load(AIR.read_text(encoding="utf-8"))[0] | change
    path = tmp_path / "changed.yaml"
    path.write_text(yaml.safe_dump([rule], allow_unicode=True, sort_keys=False), encoding="utf-8")
    if with_tests:
        (tmp_path / "tests").mkdir(exist_ok=True)
        tests = (AIR.parent / "tests" / "air_quality.aqi_h.yaml").read_text(encoding="utf-8")
        (tmp_path / "tests" / f"{rule['code']}.yaml").write_text(tests, encoding="utf-8")
    return path


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_what_is_exported_is_the_shipped_file_byte_for_byte(desk: Desk, path: Path) -> None:
    assert rule_files.export(path.stem, desk.settings) == path.read_text(encoding="utf-8")


def test_an_exported_file_loads_into_the_same_tables(desk: Desk, tmp_path: Path) -> None:
    thresholds = (
        "select level, enter_value, exit_value, enter_strict, for_dur, keep_dur, label_vi, label_en, scope_kind, "
        "scope_value from alert.threshold join alert.rule_version using (rule_version_id) join alert.rule "
        "using (rule_id) where code = %s order by scope_kind, scope_value, level"
    )
    versions = (
        "select lower(effective), direction, max_gap, nodata_after, retire_after, notify_max_age, calendar_code, "
        "message_vi, legal_basis, sop_template_code, sop_min_level from alert.rule_version join alert.rule "
        "using (rule_id) where code = %s"
    )
    for path in SHIPPED:
        rules = yaml.safe_load(rule_files.export(path.stem, desk.settings))
        again = tmp_path / path.name
        codes = [rule["code"] for rule in rules]
        for rule in rules:
            rule["code"] += ".again"
        again.write_text(yaml.safe_dump(rules, allow_unicode=True), encoding="utf-8")
        with warehouse.connect("owner", desk.settings) as connection:
            assert rule_files.load_first(connection, again) == len(rules)
        for code in codes:
            for query in (thresholds, versions):
                assert desk.rows(query, code) == desk.rows(query, f"{code}.again")


def test_files_and_tables_say_the_same_until_one_of_them_changes(desk: Desk, tmp_path: Path) -> None:
    assert rule_files.check(settings=desk.settings) == []
    thresholds = yaml.safe_load(AIR.read_text(encoding="utf-8"))[0]["thresholds"]
    thresholds[1]["enter"] = 160
    path = _copy(tmp_path, {"notify_max_age": "5 hours", "thresholds": thresholds})
    found = {difference.field: (difference.in_file, difference.in_tables) for difference in
             rule_files.check([path], desk.settings)}  # fmt: skip
    assert found["notify_max_age"] == ("5 hours", "3 hours")
    assert list(found) == ["notify_max_age", "threshold province 2"]
    assert "'enter': 160" in found["threshold province 2"][0]
    desk.run("update alert.rule set title_vi = 'Khác' where code = %s",
             "industrial_discharge.limit_ratio")  # fmt: skip
    (difference,) = rule_files.check(settings=desk.settings)
    assert difference == ("industrial_discharge.limit_ratio", "title_vi", "Xả thải vượt giới hạn cho phép", "Khác")


def test_a_changed_file_becomes_a_draft_and_nothing_more(desk: Desk, tmp_path: Path) -> None:
    path = _copy(tmp_path, {"notify_max_age": "5 hours"})
    with warehouse.connect("owner", desk.settings) as connection:
        assert rule_files.load_first(connection, path) == 0
    assert rule_files.import_drafts(AIR, "kysu", desk.settings) == dict.fromkeys(
        ["air_quality.aqi_h", "air_quality.pm25_ratio_24h", "air_quality.quarantined_batches"], "unchanged"
    )
    assert rule_files.import_drafts(path, "kysu", desk.settings) == {"air_quality.aqi_h": "draft"}
    assert rule_files.import_drafts(path, "kysu", desk.settings) == {"air_quality.aqi_h": "open draft"}
    detail = rule_views.rule("air_quality.aqi_h", desk.settings)
    assert detail.draft and detail.current
    assert (detail.draft.status, detail.draft.author, detail.draft.version) == ("draft", "kysu", 2)
    assert detail.draft.document.notify_max_age == timedelta(hours=5)
    assert detail.draft.tests
    assert detail.current.version == 1
    assert set(seed.seed(desk.settings).values()) == {0}


def test_a_rule_that_is_new_to_the_tables_comes_as_a_draft_too(desk: Desk, tmp_path: Path) -> None:
    path = _copy(tmp_path, {"code": "air_quality.second"}, with_tests=False)
    assert rule_files.import_drafts(path, "kysu", desk.settings) == {"air_quality.second": "draft"}
    desk.signal({0: 170})
    desk.evaluate(0.1)
    assert desk.rows("select distinct r.code from alert.incident join alert.rule r using (rule_id)") == [
        ("air_quality.aqi_h",)
    ]


def test_a_shipped_rule_whose_tests_fail_is_not_loaded(desk: Desk, tmp_path: Path) -> None:
    thresholds = yaml.safe_load(AIR.read_text(encoding="utf-8"))[0]["thresholds"]
    thresholds[0] |= {"enter": 102}
    path = _copy(tmp_path, {"code": "air_quality.second", "thresholds": thresholds})
    tests = tmp_path / "tests" / "air_quality.second.yaml"
    tests.write_text(tests.read_text(encoding="utf-8").replace("air_quality.aqi_h", "air_quality.second"), "utf-8")
    with (
        pytest.raises(RuleFileError, match=r"(?s)changed\.yaml: rule air_quality\.second: Mỗi khoảng .*mong đợi"),
        warehouse.connect("owner", desk.settings) as connection,
    ):
        rule_files.load_first(connection, path)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("- {code: x.y, domain: air_quality}", r"bad\.yaml: rule x\.y lacks the field 'signal_code'"),
        ("code: x", "a rule file is a list of rules"),
        ("- nothing", "a rule is a mapping"),
        ("- [", r"bad\.yaml: "),
    ],
)
def test_a_rule_file_that_cannot_be_read_is_named_with_what_is_wrong(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RuleFileError, match=what):
        rule_files.read(path)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"max_gap": "soon"}, "rule air_quality.aqi_h: 'soon' is not a duration"),
        ({"tresholds": []}, "has an unknown field 'tresholds'"),
        ({"direction": "down"}, "quy tắc chiều giảm có ngưỡng ra không được thấp hơn ngưỡng vào"),
    ],
)
def test_a_wrong_rule_is_refused_with_its_fault(tmp_path: Path, change: dict[str, object], what: str) -> None:
    with pytest.raises(RuleFileError, match=what):
        rule_files.read(_copy(tmp_path, change))


def test_a_rule_never_turns_into_another_one(desk: Desk, tmp_path: Path) -> None:
    path = _copy(tmp_path, {"signal_code": "air_quality.other"})
    with pytest.raises(RuleFileError, match="domain, signal and entity type cannot change"):
        rule_files.import_drafts(path, "kysu", desk.settings)


def test_everything_that_a_shipped_rule_refers_to_exists(desk: Desk) -> None:
    for path in SHIPPED:
        for document in rule_files.read(path):
            with warehouse.connect("portal", desk.settings) as connection:
                assert rule_checks.problems(document, rule_store.known(connection, document)) == []


def test_the_commands_say_what_differs_and_leave_drafts(desk: Desk, tmp_path: Path) -> None:
    path = _copy(tmp_path, {"notify_max_age": "5 hours"})
    run = CliRunner()
    assert run.invoke(rules.app, ["check"]).exit_code == 0
    differs = run.invoke(rules.app, ["check", str(path), "--json"])
    assert differs.exit_code == 2
    assert "air_quality.aqi_h notify_max_age\n    file:   5 hours\n    tables: 3 hours" in differs.stdout
    assert '"same": false' in differs.stdout.splitlines()[-1]
    exported = run.invoke(rules.app, ["export", "air_quality"])
    assert exported.stdout == AIR.read_text(encoding="utf-8")
    imported = run.invoke(rules.app, ["import", str(path), "--author", "kysu"])
    assert imported.stdout.startswith("air_quality.aqi_h: draft made")
    assert desk.one("select author from alert.rule_version where status = 'draft'") == "kysu"
    assert isinstance(run.invoke(rules.app, ["import", str(tmp_path / "tests" / "air_quality.aqi_h.yaml")]).exception,
                      CommandError)  # fmt: skip
