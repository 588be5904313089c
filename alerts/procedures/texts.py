"""Procedures and escalation chains as the YAML that ``catalogue`` reads: what people edit, and what they review."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from alerts.rulemaking.rule_document import duration_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alerts.procedures.model import ChainStep, StepView, TemplateView


def template_yaml(view: TemplateView) -> str:
    """A version as its author wrote it, without its number, which the tables give."""
    content: dict[str, Any] = {
        "code": view.code, "title_vi": view.title_vi, "title_en": view.title_en, "legal_basis": view.legal_basis,
        "reason": view.reason, "chain": view.chain_code, "incident_kinds": list(view.incident_kinds),
        "steps": [_step(step) for step in view.steps],
    }  # fmt: skip
    return _dump(content)


def _step(step: StepView) -> dict[str, Any]:
    content: dict[str, Any] = {"code": step.code, "title_vi": step.title_vi, "title_en": step.title_en}
    if step.instruction_vi:
        content["instruction_vi"] = step.instruction_vi
    content["unit"] = f"{step.unit_mode}:{step.unit_code}" if step.unit_code else step.unit_mode
    content["role"] = step.role
    if step.depends_on:
        content["depends_on"] = list(step.depends_on)
    if step.condition:
        content["condition"] = step.condition
    content["sla"] = duration_text(step.sla)
    if step.calendar_code:
        content["calendar"] = step.calendar_code
    if step.evidence_required:
        content["evidence_required"] = True
    if step.directive_vi:
        content["directive_vi"] = step.directive_vi
    content["outcomes"] = [{"code": one.code, "vi": one.vi, "en": one.en} for one in step.outcomes]
    return content


def chain_yaml(chain: Sequence[ChainStep]) -> str:
    """The steps of an escalation chain."""
    steps = []
    for step in chain:
        content: dict[str, Any] = {
            "after": duration_text(step.after) if step.after else "0 minutes", "condition": step.condition,
            "roles": list(step.roles),
        }  # fmt: skip
        if step.unit_hop:
            content["unit_hop"] = step.unit_hop
        content["channels"] = list(step.channels)
        if step.calendar_code:
            content["calendar"] = step.calendar_code
        if step.repeat_every:
            content["repeat_every"] = duration_text(step.repeat_every)
        steps.append(content)
    return _dump(steps)


def read_chain(text: str) -> Any:
    """The steps that a text holds, unchecked.

    Raises:
        ValueError: it is no YAML list.
    """
    try:
        steps = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"không phải YAML: {error}") from error
    if not isinstance(steps, list):
        raise ValueError("chuỗi báo lên trên là một danh sách các bước")
    return steps


class _Flat(yaml.SafeDumper):
    """Lists of plain texts on one line."""


_Flat.add_representer(
    list,
    lambda dumper, value: dumper.represent_sequence(
        "tag:yaml.org,2002:seq", value, flow_style=all(isinstance(one, str) for one in value)
    ),
)


def _dump(content: Any) -> str:
    text: str = yaml.dump(content, Dumper=_Flat, allow_unicode=True, sort_keys=False, width=110)
    return text
