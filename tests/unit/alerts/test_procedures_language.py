"""Templates as text: the language of conditions, faults that are named, and steps that can be reached."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import yaml

from alerts.procedures import catalogue, checks, expressions

FILES = sorted((catalogue._ROOM / "templates").glob("*.yaml"))
NAMES = {"level": 2, "kind": "value", "incident_open": True, "unit": "14797"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("level >= 2", True),
        ("level > 2 or outcome('a') == 'x'", True),
        ("not (outcome('a') == 'x')", False),
        ("outcome('a') in ('x', 'y') and incident_open", True),
        ("outcome('skipped') == 'x'", False),
        ("outcome('skipped') != 'x'", True),
        ("kind not in ('nodata', 'source')", True),
        ("unit == '14797' and level < 3", True),
    ],
)
def test_conditions_hold_or_not(text: str, expected: bool) -> None:
    assert expressions.parse(text).holds(NAMES, {"a": "x"}) is expected


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')", "().__class__", "open('/etc/passwd')", "lambda: 1", "[x for x in (1,)]",
        "level", "outcome('a')", "1 + 1 == 2", "level == 'x'", "outcome(level) == 'x'", "outcome('a', 'b') == 'x'",
        "wind > 3", "1 < level < 3", "kind < 'x'", "level in 3", "level >=", "", "f'{level}' == '2'",
        "level if level else level", "level ** 9 > 1", "outcome.__call__('a') == 'x'", "(" * 400, "level > 1 " * 100,
    ],
)  # fmt: skip
def test_what_is_not_of_the_language_is_refused(text: str) -> None:
    with pytest.raises(expressions.ConditionRefusedError):
        expressions.parse(text)


def template(**steps: dict[str, Any]) -> dict[str, Any]:
    one = {"title_vi": "a", "title_en": "a", "unit": "rule_owner", "role": "truc_ban", "sla": "1 hour"}
    outcomes = [{"code": "x", "vi": "X", "en": "X"}]
    return {
        "code": "thu", "version": 1, "title_vi": "a", "title_en": "a", "legal_basis": "a", "reason": "a",
        "chain": "khan-cap",
        "steps": [{"code": code, "outcomes": outcomes, **one, **more} for code, more in steps.items()],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ([], "không phải quy trình"),
        ({"code": "x"}, "thiếu chain, legal_basis, reason"),
        (template() | {"colour": "red"}, "không có khóa colour"),
        (template(), "chưa có bước nào"),
        (template(a={"depends_on": ["b"]}), "depends_on có “b”, không phải một bước"),
        (template(a={"depends_on": ["c"]}, b={"depends_on": ["a"]}, c={"depends_on": ["b"]}), "thành vòng: "),
        (template(a={"depends_on": ["a"]}), "thành vòng: a → a"),
        (template(a={"condition": "outcome('b') == 'x'"}, b={}), "“b”, bước không đứng trước nó"),
        (template(a={}, b={"depends_on": ["a"], "condition": "outcome('a') == 'y'"}), "a không có kết quả “y”"),
        (template(a={"condition": "wind > 3"}), "không có tên “wind”"),
        (template(a={"sla": "soon"}), "hãy viết như '30 minutes'"),
        (template(a={"sla": "0 hours"}), "hãy viết như"),
        (template(a={"sla": "40 hours", "calendar": "hanh_chinh"}), "viết bằng ngày"),
        (template(a={"outcomes": []}), "ít nhất một kết quả"),
        (template(a={"outcomes": ["x"]}), "{code, vi, en}"),
        (template(a={"depends_on": [{}]}), "depends_on là danh sách"),
        (template(a={}) | {"incident_kinds": [{}]}, "incident_kinds"),
        (template(a={}) | {"steps": ["x"]}, "phải là một khối"),
        (template(A={}), "chữ thường"),
        (template(a={"evidence_required": "maybe"}), "evidence_required là true hoặc false"),
        (template(a={"condition": 5}), "condition không phải văn bản"),
        (template(a={}) | {"title_vi": ["a"]}, "title_vi trống hoặc không phải văn bản"),
    ],
)
def test_faults_are_named(content: Any, fault: str) -> None:
    assert any(fault in found for found in checks.check(content)), checks.check(content)


def test_a_template_without_faults_has_none() -> None:
    assert checks.check(template(a={}, b={"depends_on": ["a"], "condition": "outcome('a') == 'x'"})) == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_step_of_a_seeded_procedure_can_be_reached_and_left_out(file: Any) -> None:
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert checks.check(content) == []
    steps = content["steps"]
    asked = {name for step in steps for name in _asked(step)}
    seen: dict[str, set[bool]] = {step["code"]: set() for step in steps}
    choices = [[one["code"] for one in step["outcomes"]] if step["code"] in asked else ["-"] for step in steps]
    for level, picked in itertools.product((1, 2, 3, 4), itertools.product(*choices)):
        outcomes: dict[str, str] = {}
        for step, outcome in zip(steps, picked, strict=True):
            condition = step.get("condition")
            is_needed = not condition or expressions.parse(condition).holds(NAMES | {"level": level}, outcomes)
            seen[step["code"]].add(is_needed)
            if is_needed:
                outcomes[step["code"]] = outcome
    assert {code for code, found in seen.items() if True not in found} == set(), "steps that nothing leads to"
    conditional = {step["code"] for step in steps if step.get("condition")}
    assert {code for code in conditional if False not in seen[code]} == set(), "conditions that always hold"


def _asked(step: dict[str, Any]) -> set[str]:
    return set(expressions.parse(step["condition"]).outcomes) if step.get("condition") else set()
