"""Rules in the words of a reader: conditions, durations, what a draft changes, what its dry run found."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

from alerts.rulemaking.rule_document import HEAD_FIELDS, duration

if TYPE_CHECKING:
    from alerts.rulemaking.rule_document import RuleDocument, Threshold
    from alerts.rulemaking.rule_views import VersionView
    from portal.database import Database
    from portal.language import Language

_UNITS = (("ngày", 86400), ("giờ", 3600), ("phút", 60), ("giây", 1))
FIELDS = {
    "owner_unit": "Đơn vị phụ trách", "title_vi": "Tên", "title_en": "Tên tiếng Anh", "unit_vi": "Đơn vị đo",
    "sop_template_code": "Quy trình xử lý", "sop_min_level": "Mở quy trình từ cấp", "direction": "Chiều",
    "max_gap": "Khoảng trống tối đa", "nodata_after": "Mất số liệu sau", "retire_after": "Rút khỏi danh sách sau",
    "notify_max_age": "Tuổi tối đa của số liệu được báo", "calendar_code": "Lịch làm việc",
    "message_vi": "Câu thông báo", "message_en": "Câu thông báo tiếng Anh", "legal_basis": "Căn cứ",
}  # fmt: skip
_ASPECTS = {
    "level": "cấp", "state": "trạng thái", "data": "tình trạng số liệu", "nodata": "cấp mất số liệu",
    "transitions": "các lần chuyển cấp", "incidents": "số sự cố",
}  # fmt: skip
_DIRECTIONS = {"up": "tăng là xấu", "down": "giảm là xấu"}
_SCOPES = {"province": "Toàn tỉnh", "unit": "Đơn vị", "entity": "Đối tượng", "pattern": "Mẫu mã"}


class Words:
    """Rules in one language."""

    def __init__(self, language: Language) -> None:
        self._lang = language
        self.text = language.text

    def duration(self, value: timedelta) -> str:
        """``15 phút``, ``1 giờ 30 phút``; nothing as a dash."""
        rest, parts = int(value.total_seconds()), []
        for unit, size in _UNITS:
            count, rest = divmod(rest, size)
            if count:
                parts.append(f"{count} {self.text(unit)}")
        return " ".join(parts) or "–"

    def offset(self, text: str) -> str:
        """A duration from the start of a rule test."""
        return self.duration(duration(text)).replace("–", "0")

    def aspect(self, what: str) -> str:
        """What a rule test looked at: ``level``, ``incidents (value)``."""
        name, _, kind = what.partition(" ")
        return f"{self.text(_ASPECTS[name])} {kind}".strip()

    def field(self, name: str) -> str:
        """What a field is called."""
        return self.text(FIELDS.get(name, name))

    def direction(self, document: RuleDocument) -> str:
        return self.text(_DIRECTIONS[document.direction])

    def scope(self, kind: str, value: str) -> str:
        """``Toàn tỉnh``, ``Đơn vị 14797``."""
        return f"{self.text(_SCOPES[kind])} {value}".strip()

    def number(self, value: Any) -> str:
        """A threshold with all its decimals."""
        text = f"{value.normalize():f}"
        digits = len(text.partition(".")[2])
        return self._lang.number(value, digits)

    def enters(self, t: Threshold, direction: str) -> str:
        """``≥ 101``, ``> 1``, and the falling ones."""
        signs = {"up": ("≥", ">"), "down": ("≤", "<")}[direction]
        return f"{signs[t.enter_strict]} {self.number(t.enter_value)}"

    def leaves(self, t: Threshold, direction: str) -> str:
        """``< 91``."""
        return f"{'<' if direction == 'up' else '>'} {self.number(t.exit_value)}"

    def label(self, t: Threshold) -> str:
        return t.label_vi if self._lang.code == "vi" else t.label_en

    def scopes(self, document: RuleDocument) -> list[tuple[str, list[Threshold]]]:
        """Thresholds by scope, the widest scope first."""
        grouped = groupby(document.thresholds, key=lambda t: (t.scope_kind, t.scope_value))
        return [(self.scope(*key), list(levels)) for key, levels in grouped][::-1]

    def value(self, name: str, value: Any, document: RuleDocument) -> str:
        """A field's value as text."""
        if name == "direction":
            return self.direction(document)
        if name == "unit_vi" and value is None:
            return self.text("giá trị là trạng thái")
        if isinstance(value, timedelta):
            return self.duration(value)
        if isinstance(value, tuple):
            return " · ".join(self.duration(item) for item in value) or "–"
        return "–" if value is None or value == "" else str(value)

    def changes(self, before: RuleDocument, after: RuleDocument) -> list[tuple[str, str, str]]:
        """``(what, before, after)`` of every difference that a reader cares about."""
        names = [*HEAD_FIELDS, *(name for name in FIELDS if name not in HEAD_FIELDS)]
        found = [
            (self.field(name), self.value(name, getattr(before, name), before),
             self.value(name, getattr(after, name), after))
            for name in names if getattr(before, name) != getattr(after, name)
        ]  # fmt: skip
        old, new = ({(t.scope_kind, t.scope_value, t.level): t for t in d.thresholds} for d in (before, after))
        for key in sorted(old.keys() | new.keys()):
            if old.get(key) != new.get(key):
                what = f"{self.text('Cấp {n}', n=key[2])} · {self.scope(*key[:2])}"
                found.append((what, self._level(old.get(key), before), self._level(new.get(key), after)))
        return found

    def _level(self, t: Threshold | None, document: RuleDocument) -> str:
        if t is None:
            return self.text("không có")
        parts = [self.enters(t, document.direction), self.text("ra {value}", value=self.leaves(t, document.direction))]
        parts += [self.text("liên tục {time}", time=self.duration(t.for_dur))] if t.for_dur else []
        parts += [self.text("giữ {time}", time=self.duration(t.keep_dur))] if t.keep_dur else []
        return " · ".join([*parts, self.label(t)])


def dry_run_of(database: Database, version: VersionView) -> dict[str, Any] | None:
    """The dry run kept with a version, its times as moments and its units and entities with their names."""
    kept = version.dry_run
    if kept is None:
        return None
    units = {
        row["code"]: row["name_vi"]
        for row in database.rows(
            "select distinct on (code) code, name_vi from ref.org_unit where code = any(%(codes)s) "
            "order by code, valid desc",
            {"codes": list(kept["draft"]["by_unit"])},
        )
    }
    names = {
        row["entity_id"]: row["name_vi"]
        for row in database.rows(
            "select entity_id, name_vi from alerting.entity where entity_id = any(%(ids)s) "
            "and (%(type)s::text is null or entity_type = %(type)s)",
            {"ids": [e["entity_id"] for e in kept["listed"]], "type": version.document.entity_type},
        )
    }
    d = version.document
    states = {t.level: t for t in reversed(d.thresholds)} if d.unit_vi is None else {}
    listed = [
        e | {
            "state": states.get(e["peak_level"]),
            "name": names.get(e["entity_id"], e["entity_id"]),
            "opened_at": datetime.fromisoformat(e["opened_at"]),
            "closed_at": e["closed_at"] and datetime.fromisoformat(e["closed_at"]),
        }
        for e in kept["listed"]
    ]  # fmt: skip
    return kept | {
        "listed": listed,
        "since": datetime.fromisoformat(kept["since"]),
        "until": datetime.fromisoformat(kept["until"]),
        "units": [(units.get(code, code), count) for code, count in kept["draft"]["by_unit"].items()],
    }
