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
        ([], "not a template"),
        ({"code": "x"}, "lacks chain, legal_basis, reason"),
        (template() | {"colour": "red"}, "unknown colour"),
        (template(), "no steps"),
        (template(a={"depends_on": ["b"]}), "depends on 'b', which is not a step"),
        (template(a={"depends_on": ["c"]}, b={"depends_on": ["a"]}, c={"depends_on": ["b"]}), "in a circle: "),
        (template(a={"depends_on": ["a"]}), "in a circle: a → a"),
        (template(a={"condition": "outcome('b') == 'x'"}, b={}), "'b', which does not come before it"),
        (template(a={}, b={"depends_on": ["a"], "condition": "outcome('a') == 'y'"}), "a has no outcome 'y'"),
        (template(a={"condition": "wind > 3"}), "unknown name 'wind'"),
        (template(a={"sla": "soon"}), "write for example '30 minutes'"),
        (template(a={"sla": "0 hours"}), "write for example"),
        (template(a={"sla": "40 hours", "calendar": "hanh_chinh"}), "written in days"),
        (template(a={"outcomes": []}), "at least one outcome"),
        (template(a={"outcomes": ["x"]}), "{code, vi, en}"),
        (template(a={"depends_on": [{}]}), "depends_on is a list of steps"),
        (template(a={}) | {"incident_kinds": [{}]}, "incident_kinds"),
        (template(a={}) | {"steps": ["x"]}, "is not a mapping"),
        (template(A={}), "small letters"),
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
