"""What makes a rule wrong before it ever meets data: one Vietnamese sentence per fault, meant for its author."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any

from alerts.notifying.rendering import TemplateRefusedError, render
from alerts.rulemaking.rulebook import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alerts.rulemaking.rule_document import RuleDocument, Threshold

# What a rule's message may use, with values as a message would have them.
_SAMPLE: dict[str, Any] = {
    "entity": "Trạm số 1", "value": 1234.5, "unit": "lần", "level": 1, "label": "Kém", "label_en": "Poor",
}  # fmt: skip
_LARGEST = 10**12
_DIRECTIONS = {"up": "tăng", "down": "giảm"}


@dataclass(frozen=True)
class Known:
    """What a rule may refer to.

    Attributes:
        units: Codes of units.
        calendars: Codes of calendars.
        procedures: Codes of procedures.
        entities: Entity ids seen for the rule's signal; empty = none seen yet, then scopes cannot be checked.
    """

    units: frozenset[str] = field(default_factory=frozenset)
    calendars: frozenset[str] = field(default_factory=frozenset)
    procedures: frozenset[str] = field(default_factory=frozenset)
    entities: frozenset[str] = field(default_factory=frozenset)


def problems(document: RuleDocument, known: Known | None = None) -> list[str]:
    """Everything that is wrong with a rule, in the order of its fields; an empty list when it may be used.

    Args:
        document: The rule.
        known: What exists; None checks the document alone.
    """
    return [*_of_head(document), *_of_version(document), *_of_thresholds(document), *_of_references(document, known)]


def _of_head(d: RuleDocument) -> Iterator[str]:
    if not re.fullmatch(r"[a-z][a-z0-9_.-]*", d.code):
        yield f"Mã quy tắc “{d.code}” chỉ được gồm chữ thường không dấu, số, dấu chấm, gạch nối, và bắt đầu bằng chữ."
    texts = {
        "tên tiếng Việt": d.title_vi, "tên tiếng Anh": d.title_en, "căn cứ pháp lý": d.legal_basis, "lý do": d.reason,
        "câu thông báo tiếng Việt": d.message_vi, "câu thông báo tiếng Anh": d.message_en,
    }  # fmt: skip
    for name, text in texts.items():
        if not text.strip():
            yield f"Thiếu {name}."
    if (d.sop_template_code is None) != (d.sop_min_level is None):
        yield "Quy trình xử lý và cấp mở quy trình phải cùng có hoặc cùng để trống."
    if d.sop_min_level is not None and not 1 <= d.sop_min_level <= 4:
        yield "Cấp mở quy trình phải từ 1 đến 4."


def _of_version(d: RuleDocument) -> Iterator[str]:
    if d.direction not in _DIRECTIONS:
        yield f"Chiều của quy tắc phải là tăng (up) hoặc giảm (down), không phải “{d.direction}”."
    if d.max_gap <= timedelta(0):
        yield "Khoảng trống tối đa giữa hai số liệu phải lớn hơn 0."
    if d.notify_max_age <= timedelta(0):
        yield "Tuổi tối đa của số liệu được báo phải lớn hơn 0."
    if len(d.nodata_after) > 4:
        yield "Mất số liệu có nhiều nhất 4 cấp."
    if any(after <= timedelta(0) for after in d.nodata_after):
        yield "Thời gian chờ trước khi báo mất số liệu phải lớn hơn 0."
    if any(later <= earlier for earlier, later in pairwise(d.nodata_after)):
        yield "Các mốc mất số liệu phải tăng dần."
    if d.retire_after <= max(d.nodata_after, default=timedelta(0)):
        yield "Thời gian rút cảnh báo của đối tượng im lặng phải dài hơn mốc mất số liệu cuối cùng."
    for text in (d.message_vi, d.message_en):
        try:
            said = render(text, _SAMPLE)
        except TemplateRefusedError as error:
            yield f"Câu thông báo không dùng được: {error}"
        else:
            if d.unit_vi is None and shows_value(said, _SAMPLE["value"]):
                yield "Quy tắc theo dõi trạng thái: câu thông báo nêu tên cấp (label), không nêu giá trị (value)."


def shows_value(text: str, value: float) -> bool:
    """Whether a text that was rendered with a value of several digits shows them, however written."""
    return str(int(value))[:3] in re.sub(r"[.,]", "", text)


def _of_thresholds(d: RuleDocument) -> Iterator[str]:
    if d.watches == "source":
        if d.thresholds or not d.nodata_after:
            yield "Quy tắc về nguồn dữ liệu chỉ có mốc mất số liệu, không có ngưỡng giá trị."
        return
    if not d.thresholds:
        yield "Cần ít nhất một ngưỡng."
    for (kind, value), group in groupby(d.thresholds, key=lambda t: (t.scope_kind, t.scope_value)):
        where = "" if kind == "province" else f" ({kind} {value})"
        levels = list(group)
        for t in levels:
            yield from _of_one(t, d.direction, where)
            if d.unit_vi is None and not (t.label_vi.strip() and t.label_en.strip()):
                yield f"Cấp {t.level}{where}: quy tắc theo dõi trạng thái cần tên cấp bằng hai thứ tiếng."
        for lower, higher in pairwise(levels):
            if lower.level == higher.level:
                yield f"Cấp {lower.level}{where} được khai hai lần."
            elif d.direction in _DIRECTIONS and not _is_ordered(lower, higher, d.direction):
                yield (
                    f"Ngưỡng vào và ngưỡng ra của cấp {higher.level}{where} phải xa hơn cấp {lower.level} "
                    f"theo chiều {_DIRECTIONS[d.direction]}."
                )


def _of_one(t: Threshold, direction: str, where: str) -> Iterator[str]:
    if t.scope_kind not in ("province", "unit", "entity", "pattern"):
        yield f"Phạm vi “{t.scope_kind}” không có; chọn toàn tỉnh, đơn vị, đối tượng hoặc mẫu mã."
    elif (t.scope_kind == "province") != (t.scope_value == ""):
        yield f"Cấp {t.level}: phạm vi toàn tỉnh không có mã kèm theo, phạm vi khác thì phải có."
    if max(abs(t.enter_value), abs(t.exit_value)) > _LARGEST:
        yield f"Cấp {t.level}{where}: ngưỡng lớn quá mức dùng được."
    if not 1 <= t.level <= 4:
        yield f"Cấp {t.level}{where} không có; cấp từ 1 đến 4."
    if direction == "up" and t.exit_value > t.enter_value:
        yield f"Cấp {t.level}{where}: quy tắc chiều tăng có ngưỡng ra không được cao hơn ngưỡng vào."
    if direction == "down" and t.exit_value < t.enter_value:
        yield f"Cấp {t.level}{where}: quy tắc chiều giảm có ngưỡng ra không được thấp hơn ngưỡng vào."


def _is_ordered(lower: Threshold, higher: Threshold, direction: str) -> bool:
    sign = 1 if direction == "up" else -1
    return sign * higher.enter_value > sign * lower.enter_value and sign * higher.exit_value >= sign * lower.exit_value


def _of_references(d: RuleDocument, known: Known | None) -> Iterator[str]:
    if known is None:
        return
    if d.owner_unit not in known.units:
        yield f"Không có đơn vị “{d.owner_unit}” để phụ trách quy tắc."
    if d.calendar_code is not None and d.calendar_code not in known.calendars:
        yield f"Không có lịch làm việc “{d.calendar_code}”."
    if d.sop_template_code is not None and d.sop_template_code not in known.procedures:
        yield f"Không có quy trình “{d.sop_template_code}”."
    for kind, value in dict.fromkeys((t.scope_kind, t.scope_value) for t in d.thresholds):
        if kind == "unit" and value not in known.units:
            yield f"Phạm vi: không có đơn vị “{value}”."
        elif kind == "entity" and known.entities and value not in known.entities:
            yield f"Phạm vi: chưa từng có số liệu của đối tượng “{value}”."
        elif (
            kind == "pattern"
            and known.entities
            and not any(Scope("pattern", value).covers(entity, None) for entity in known.entities)
        ):
            yield f"Phạm vi: mẫu mã “{value}” không khớp đối tượng nào đã có số liệu."
