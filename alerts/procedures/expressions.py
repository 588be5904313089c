"""Conditions of steps: a small language over the case, safe because it is interpreted here and never executed.

    level >= 3 and outcome('xac-minh') == 'dung'
    outcome('kiem-tra') in ('vi-pham', 'nghi-van') or not incident_open

Names: ``level`` (of the case, 1 to 4), ``kind`` (of the incident: ``value``, ``nodata``, ``source``, or ``manual``),
``incident_open``, ``unit`` (where it happens). ``outcome('step')`` is the outcome of an earlier step, null when it was
skipped or cancelled. Operators: ``== != < <= > >= in``, ``and or not``, parentheses.
"""

from __future__ import annotations

import ast
import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_LENGTH = 500
NAMES = {"level": "number", "kind": "text", "incident_open": "truth", "unit": "text"}
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
}
_ORDERINGS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)


_KINDS_VI = {"number": "số", "text": "chữ", "truth": "điều đúng hoặc sai"}


class ConditionRefusedError(ValueError):
    """A condition is not of this language; the message says what is wrong."""


@dataclass(frozen=True)
class Condition:
    """A parsed condition.

    Attributes:
        text: As written.
        outcomes: Step code → outcome codes that it is compared with.
    """

    text: str
    outcomes: dict[str, set[str]]
    _tree: ast.expr

    def holds(self, names: Mapping[str, Any], outcomes: Mapping[str, str | None]) -> bool:
        """Whether it holds.

        Args:
            names: Values of ``NAMES``.
            outcomes: Outcome per step; a missing one is null.
        """
        return bool(_value(self._tree, names, outcomes))


def parse(text: str) -> Condition:
    """Parse a condition.

    Raises:
        ConditionRefusedError: not of this language.
    """
    if len(text) > MAX_LENGTH:
        raise ConditionRefusedError(f"dài quá {MAX_LENGTH} ký tự")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ConditionRefusedError(f"“{text}” không đọc được: {error}") from error
    outcomes: dict[str, set[str]] = {}
    if _kind(tree, outcomes) != "truth":
        raise ConditionRefusedError(f"“{text}” không phải điều đúng hoặc sai")
    return Condition(text.strip(), outcomes, tree)


def _kind(node: ast.expr, outcomes: dict[str, set[str]]) -> str:
    """What a node gives (number, text, truth); collects the outcomes it asks for."""
    if isinstance(node, ast.BoolOp):
        return _all_truths(node.values, outcomes)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return _all_truths([node.operand], outcomes)
    if isinstance(node, ast.Compare):
        return _comparison(node, outcomes)
    if isinstance(node, ast.Name):
        if node.id not in NAMES:
            raise ConditionRefusedError(f"không có tên “{node.id}”; dùng được: {', '.join(NAMES)}, outcome('…')")
        return NAMES[node.id]
    if isinstance(node, ast.Constant) and type(node.value) in (int, str, bool):
        return {int: "number", str: "text", bool: "truth"}[type(node.value)]
    step = _asked_step(node)
    if step is not None:
        outcomes.setdefault(step, set())
        return "text"
    raise ConditionRefusedError(f"“{ast.unparse(node)}” không dùng được ở đây")


def _all_truths(nodes: list[ast.expr], outcomes: dict[str, set[str]]) -> str:
    for node in nodes:
        if _kind(node, outcomes) != "truth":
            raise ConditionRefusedError(f"“{ast.unparse(node)}” không phải điều đúng hoặc sai")
    return "truth"


def _comparison(node: ast.Compare, outcomes: dict[str, set[str]]) -> str:
    if len(node.ops) != 1:
        raise ConditionRefusedError(f"“{ast.unparse(node)}”: mỗi lần chỉ so sánh hai vế")
    how, left, right = node.ops[0], node.left, node.comparators[0]
    if type(how) not in _COMPARISONS:
        raise ConditionRefusedError(f"“{ast.unparse(node)}”: không dùng được phép so sánh này")
    members = [right]
    if isinstance(how, ast.In | ast.NotIn):
        if not isinstance(right, ast.Tuple | ast.List) or not right.elts:
            raise ConditionRefusedError(f"“{ast.unparse(node)}”: 'in' cần một danh sách, ví dụ ('a', 'b')")
        members = list(right.elts)
    kind = _kind(left, outcomes)
    for member in members:
        if _kind(member, outcomes) != kind:
            raise ConditionRefusedError(f"“{ast.unparse(node)}” so sánh {_KINDS_VI[kind]} với thứ khác loại")
        for one, other in ((left, member), (member, left)):
            step = _asked_step(one)
            if step is not None and isinstance(other, ast.Constant):
                outcomes[step].add(str(other.value))
    if isinstance(how, _ORDERINGS) and kind != "number":
        raise ConditionRefusedError(f"“{ast.unparse(node)}”: chỉ số mới có thứ tự lớn nhỏ")
    return "truth"


def _asked_step(node: ast.expr) -> str | None:
    """The step of ``outcome('step')``; None when the node is something else."""
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "outcome"
        and not node.keywords
        and len(node.args) == 1
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
    ):
        return node.args[0].value
    return None


def _value(node: ast.expr, names: Mapping[str, Any], outcomes: Mapping[str, str | None]) -> Any:
    """Value of a node that ``_kind`` has let through."""
    if isinstance(node, ast.BoolOp):
        whole = all if isinstance(node.op, ast.And) else any
        return whole(_value(value, names, outcomes) for value in node.values)
    if isinstance(node, ast.UnaryOp):
        return not _value(node.operand, names, outcomes)
    if isinstance(node, ast.Compare):
        right = node.comparators[0]
        members = (
            [_value(member, names, outcomes) for member in right.elts]
            if isinstance(right, ast.Tuple | ast.List)
            else _value(right, names, outcomes)
        )
        return _COMPARISONS[type(node.ops[0])](_value(node.left, names, outcomes), members)
    if isinstance(node, ast.Name):
        return names[node.id]
    if isinstance(node, ast.Constant):
        return node.value
    return outcomes.get(_asked_step(node) or "")
