"""What a template must be before it is kept: complete, in an order that ends, with conditions that can be answered."""

from __future__ import annotations

import re
from datetime import timedelta
from graphlib import CycleError, TopologicalSorter
from typing import Any

from alerts.procedures import expressions

CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_TIME = re.compile(r"(\d+) (minute|hour|day)s?")
_NEEDED = {"code", "version", "title_vi", "title_en", "legal_basis", "reason", "chain", "steps"}
_OPTIONAL = {"incident_kinds"}
_STEP_NEEDED = {"code", "title_vi", "title_en", "unit", "role", "sla", "outcomes"}
_STEP_OPTIONAL = {"instruction_vi", "calendar", "depends_on", "condition", "evidence_required", "directive_vi"}


def check(content: Any) -> list[str]:
    """The faults of a template as read from YAML, as far as its text shows them; empty when there are none."""
    if not isinstance(content, dict):
        return ["không phải quy trình: cần các khóa code, title_vi, steps …"]
    return _head_faults(content) or _steps_faults(content["steps"])


def _head_faults(content: dict[str, Any]) -> list[str]:
    faults = keys("quy trình", content, _NEEDED, _OPTIONAL)
    if faults:
        return faults
    if not CODE.fullmatch(str(content["code"])):
        faults.append(f"code “{content['code']}”: chỉ chữ thường không dấu, số và gạch nối")
    if not isinstance(content["version"], int) or content["version"] < 1:
        faults.append(f"version “{content['version']}” không phải số nguyên từ 1")
    faults += [
        f"{name} trống hoặc không phải văn bản"
        for name in ("title_vi", "title_en", "legal_basis", "reason", "chain")
        if not isinstance(content[name], str) or not content[name].strip()
    ]
    kinds = content.get("incident_kinds", ["value"])
    if not is_texts(kinds) or set(kinds) - {"value", "nodata", "source"}:
        faults.append("incident_kinds: value, nodata hoặc source")
    if not isinstance(content["steps"], list) or not content["steps"]:
        faults.append("chưa có bước nào")
    return faults


def _steps_faults(steps: list[Any]) -> list[str]:
    faults = []
    for number, step in enumerate(steps, start=1):
        where = f"bước {step.get('code', number) if isinstance(step, dict) else number}"
        faults += _step_faults(where, step)
    if faults:
        return faults
    codes = [step["code"] for step in steps]
    faults += [f"bước {code} được khai hai lần" for code in sorted({c for c in codes if codes.count(c) > 1})]
    for step in steps:
        unknown = sorted(set(step.get("depends_on", [])) - set(codes))
        faults += [f"bước {step['code']}: depends_on có “{code}”, không phải một bước" for code in unknown]
    if faults:
        return faults
    before = {step["code"]: list(step.get("depends_on", [])) for step in steps}
    circle = cycle(before)
    if circle:
        return [f"các bước chờ nhau thành vòng: {' → '.join(circle)}"]
    return [fault for step in steps for fault in _condition_faults(step, steps, before)]


def keys(where: str, content: dict[str, Any], needed: set[str], optional: set[str]) -> list[str]:
    """Keys that are missing or unknown."""
    missing, unknown = sorted(needed - set(content)), sorted(set(content) - needed - optional)
    return [f"{where} thiếu {', '.join(missing)}"] * bool(missing) + [
        f"{where}: không có khóa {', '.join(map(str, unknown))}"
    ] * bool(unknown)


def is_texts(value: Any) -> bool:
    """Whether ``value`` is a list of texts."""
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _step_faults(where: str, step: Any) -> list[str]:
    if not isinstance(step, dict):
        return [f"{where} phải là một khối có các khóa"]
    faults = keys(where, step, _STEP_NEEDED, _STEP_OPTIONAL)
    if faults:
        return faults
    if not CODE.fullmatch(str(step["code"])):
        faults.append(f"{where}: code chỉ gồm chữ thường không dấu, số và gạch nối")
    faults += time_faults(f"{where}: sla", step["sla"], step.get("calendar"))
    texts = [
        name for name in ("title_vi", "title_en", "unit", "role") if not isinstance(step[name], str) or not step[name]
    ]
    faults += [f"{where}: {name} trống hoặc không phải văn bản" for name in texts]
    faults += [
        f"{where}: {name} không phải văn bản"
        for name in ("instruction_vi", "calendar", "condition", "directive_vi")
        if not isinstance(step.get(name) or "", str)
    ]
    if not isinstance(step.get("evidence_required", False), bool):
        faults.append(f"{where}: evidence_required là true hoặc false")
    if not is_texts(step.get("depends_on", [])):
        faults.append(f"{where}: depends_on là danh sách các bước")
    outcomes = step["outcomes"]
    if not isinstance(outcomes, list) or not outcomes:
        faults.append(f"{where}: cần ít nhất một kết quả (outcomes)")
    elif any(
        not isinstance(one, dict) or set(one) != {"code", "vi", "en"} or not is_texts(list(one.values()))
        for one in outcomes
    ):
        faults.append(f"{where}: mỗi kết quả là {{code, vi, en}}")
    return faults


def time_faults(where: str, text: Any, calendar: str | None) -> list[str]:
    """What is wrong with a time such as ``30 minutes``; days of a calendar are working days."""
    if isinstance(text, str) and (match := _TIME.fullmatch(text)) and int(match[1]):
        if calendar and match[2] != "day" and span(text) >= timedelta(days=1):
            return [f"{where} “{text}”: từ 24 giờ trở lên, thời gian làm việc viết bằng ngày (days)"]
        return []
    return [f"{where} “{text}”: hãy viết như '30 minutes', '2 hours', '5 days'"]


def span(text: str) -> timedelta:
    """A time as written in YAML, ``30 minutes``."""
    match = _TIME.fullmatch(text)
    assert match is not None
    return timedelta(**{f"{match[2]}s": int(match[1])})


def cycle(before: dict[str, list[str]]) -> list[str] | None:
    """A circle among steps, its first step repeated at the end; None when there is none.

    Args:
        before: Step → the steps that it waits for.
    """
    try:
        TopologicalSorter(before).prepare()
    except CycleError as error:
        return list(error.args[1])
    return None


def _condition_faults(step: dict[str, Any], steps: list[dict[str, Any]], before: dict[str, list[str]]) -> list[str]:
    if not step.get("condition"):
        return []
    where = f"bước {step['code']}: condition"
    try:
        condition = expressions.parse(str(step["condition"]))
    except expressions.ConditionRefusedError as error:
        return [f"{where} {error}"]
    earlier: set[str] = set()
    waiting = list(before[step["code"]])
    while waiting:
        code = waiting.pop()
        if code not in earlier:
            earlier.add(code)
            waiting.extend(before[code])
    ends = {one["code"]: {outcome["code"] for outcome in one["outcomes"]} for one in steps}
    faults = []
    for code, wanted in condition.outcomes.items():
        if code not in earlier:
            faults.append(f"{where} hỏi kết quả của “{code}”, bước không đứng trước nó")
        else:
            faults += [f"{where}: bước {code} không có kết quả “{end}”" for end in sorted(wanted - ends[code])]
    return faults
