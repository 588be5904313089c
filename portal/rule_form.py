"""The form of a rule draft: texts as people type them, to and from a rule document."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, TypeVar

import yaml

from alerts.rulemaking.rule_admin import RuleRefusedError
from alerts.rulemaking.rule_document import RuleDocument, RuleFileError, Threshold, dump, duration, parse
from portal.language import ZONE

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.datastructures import FormData

    from alerts.rulemaking.rule_views import VersionView
    from portal.database import Database
    from portal.rule_words import Words

T = TypeVar("T")

_SPARE_ROWS = 2
_TEXTS = (
    "title_vi", "title_en", "unit_vi", "message_vi", "message_en", "legal_basis", "reason",
)  # fmt: skip
_DURATIONS = {
    "max_gap": "Khoảng trống tối đa",
    "retire_after": "Rút khỏi danh sách sau",
    "notify_max_age": "Tuổi tối đa của số liệu được báo",
}
ROW_FIELDS = (
    "scope_kind", "scope_value", "level", "enter", "exit", "strict", "for", "keep", "label_vi", "label_en",
)  # fmt: skip
_EMPTY_ROW = dict.fromkeys(ROW_FIELDS, "") | {"scope_kind": "province", "strict": "no", "level": "1"}
_IDENTITY = ("code", "domain", "signal_code", "entity_type")
# What a browser leaves out of the form of a text.
NOT_SENT: dict[str, Any] = {"document": "", "tests": "", "is_backdated": "", "is_state": ""}
_LONGEST = 20_000
_LARGEST = 10**12


def blank() -> RuleDocument:
    """What the form of a new rule begins with."""
    return RuleDocument(
        code="", domain="", signal_code="", entity_type=None, owner_unit="", title_vi="", title_en="", unit_vi="",
        sop_template_code=None, sop_min_level=None, effective_from=datetime.now(UTC), direction="up",
        max_gap=timedelta(hours=1), nodata_after=(), retire_after=timedelta(days=30),
        notify_max_age=timedelta(hours=6), calendar_code=None, message_vi="", message_en="", legal_basis="", reason="",
        thresholds=(),
    )  # fmt: skip


def values_of(draft: VersionView, words: Words) -> dict[str, Any]:
    """What the form shows for a draft."""
    return values_of_document(draft.document, draft.tests or "", words, is_backdated=draft.is_backdated)


def values_of_document(d: RuleDocument, tests: str, words: Words, *, is_backdated: bool = False) -> dict[str, Any]:
    """What the form shows for a document and its tests."""
    values: dict[str, Any] = {name: getattr(d, name) or "" for name in (*_IDENTITY, *_TEXTS)}
    values |= {name: words.duration(getattr(d, name)) for name in _DURATIONS}
    values |= {
        "owner_unit": d.owner_unit,
        "direction": d.direction,
        "sop_template_code": d.sop_template_code or "",
        "sop_min_level": str(d.sop_min_level or ""),
        "calendar_code": d.calendar_code or "",
        "nodata_after": ", ".join(words.duration(after) for after in d.nodata_after),
        "effective_from": d.effective_from.astimezone(ZONE).strftime("%Y-%m-%dT%H:%M"),
        "is_backdated": is_backdated,
        "is_state": d.unit_vi is None,
        "tests": tests or f"rule: {d.code}\ntests:\n",
    }
    rows = [
        {
            "scope_kind": t.scope_kind, "scope_value": t.scope_value, "level": str(t.level),
            "enter": words.number(t.enter_value), "exit": words.number(t.exit_value),
            "strict": "yes" if t.enter_strict else "no",
            "for": words.duration(t.for_dur) if t.for_dur else "",
            "keep": words.duration(t.keep_dur) if t.keep_dur else "",
            "label_vi": t.label_vi, "label_en": t.label_en,
        }
        for t in sorted(d.thresholds, key=lambda t: (-t.order[0], t.scope_value, t.level))
    ]  # fmt: skip
    begun = [_EMPTY_ROW | {"level": level} for level in ("1", "2")] if not rows else []
    return values | {"rows": rows + begun + [_EMPTY_ROW] * _SPARE_ROWS}


def values_of_sent(sent: FormData) -> dict[str, Any]:
    """What the form shows after it was refused: what was typed."""
    values: dict[str, Any] = {
        name: str(sent.get(name, ""))
        for name in (*_IDENTITY, *_TEXTS, *_DURATIONS, "owner_unit", "direction", "sop_template_code", "sop_min_level",
                     "calendar_code", "nodata_after", "effective_from", "tests")
    }  # fmt: skip
    checked = {name: bool(sent.get(name)) for name in ("is_backdated", "is_state")}
    return values | checked | {"rows": _rows(sent)}


def _rows(sent: FormData) -> list[dict[str, str]]:
    columns = [[_clean(value).strip()[:200] for value in sent.getlist(f"t_{name}")] for name in ROW_FIELDS]
    return [dict(zip(ROW_FIELDS, row, strict=True)) for row in zip(*columns, strict=False)]


def document_of(sent: FormData, before: RuleDocument, words: Words) -> tuple[RuleDocument, str, bool]:
    """The document that was typed, its tests, and whether it reaches back.

    Raises:
        RuleRefusedError: something cannot be read as a number, a duration or a date.
    """
    problems: list[str] = []

    def text(name: str) -> str:
        return _clean(sent.get(name, "")).strip()[:_LONGEST]

    def read(what: str, given: str, how: Callable[[str], T], instead: T) -> T:
        try:
            return how(given)
        except (ValueError, InvalidOperation, OverflowError):
            problems.append(words.text("{what}: không hiểu “{given}”.", what=words.text(what), given=given))
            return instead

    values: dict[str, Any] = {name: text(name) for name in (*_TEXTS, "owner_unit", "direction")}
    if sent.get("is_state"):
        values["unit_vi"] = None
    values |= {name: read(what, text(name), duration, getattr(before, name)) for name, what in _DURATIONS.items()}
    values["nodata_after"] = tuple(
        read("Mất số liệu sau", part.strip(), duration, before.max_gap)
        for part in text("nodata_after").replace("–", "").split(",") if part.strip()
    )  # fmt: skip
    values["sop_template_code"] = text("sop_template_code") or None
    level = text("sop_min_level")
    values["sop_min_level"] = read("Mở quy trình từ cấp", level, int, None) if level else None
    values["calendar_code"] = text("calendar_code") or None
    values["effective_from"] = read("Hiệu lực từ", text("effective_from"), _moment, before.effective_from)
    thresholds = []
    for row in _rows(sent):
        if not (row["enter"] or row["exit"] or row["label_vi"]):
            continue
        where = words.text("Cấp {n}", n=row["level"])
        at_level = {name: f"{where}, {words.text(name).lower()}" for name in ("Vào", "Ra", "Liên tục", "Giữ")}
        thresholds.append(
            Threshold(
                level=read(where, row["level"], int, 1),
                enter_value=read(at_level["Vào"], row["enter"], _number, Decimal(0)),
                exit_value=read(at_level["Ra"], row["exit"], _number, Decimal(0)),
                enter_strict=row["strict"] == "yes",
                for_dur=read(at_level["Liên tục"], row["for"], duration, before.max_gap),
                keep_dur=read(at_level["Giữ"], row["keep"], duration, before.max_gap),
                label_vi=row["label_vi"],
                label_en=row["label_en"],
                scope_kind=row["scope_kind"],
                scope_value=row["scope_value"],
            )
        )
    if problems:
        raise RuleRefusedError(problems)
    return replace(before, **values, thresholds=tuple(thresholds)), _tests(sent), bool(sent.get("is_backdated"))


def new_document_of(sent: FormData, words: Words) -> tuple[RuleDocument, str, bool]:
    """As :func:`document_of`, for a rule that is not there yet.

    Raises:
        RuleRefusedError: something cannot be read.
    """
    document, tests, is_backdated = document_of(sent, blank(), words)
    code, domain, signal, kind = (_clean(sent.get(name, "")).strip()[:200] for name in _IDENTITY)
    document = replace(document, code=code, domain=domain, signal_code=signal, entity_type=kind or None)
    return document, tests_for(document.code, tests), is_backdated


def yaml_of(document: RuleDocument) -> str:
    """A document as a rule file has it."""
    text = dump(document.domain, [document])
    return text[text.index("- code:") :]


def document_of_yaml(sent: FormData, words: Words) -> tuple[RuleDocument, str, bool]:
    """The document that was written as YAML, its tests, and whether it reaches back.

    Raises:
        RuleRefusedError: it is no YAML, or not one rule.
    """
    try:
        raw = yaml.safe_load(_clean(sent.get("document", ""))[:_LONGEST])
        document = parse(raw[0] if isinstance(raw, list) and len(raw) == 1 else raw)
    except (yaml.YAMLError, RuleFileError, RecursionError) as error:
        raise RuleRefusedError([words.text("Không đọc được văn bản quy tắc: {why}", why=str(error))]) from error
    return document, tests_for(document.code, _tests(sent)), bool(sent.get("is_backdated"))


def tests_for(code: str, tests: str) -> str:
    """Tests that were copied from another rule, as tests of this one; an untouched beginning is no test."""
    tests = re.sub(r"(?m)^rule:.*$", f"rule: {code}", tests, count=1)
    return "" if re.fullmatch(r"rule:.*\s*tests:\s*", tests) else tests


def _tests(sent: FormData) -> str:
    return _clean(sent.get("tests", "")).replace("\r\n", "\n")[:_LONGEST]


def _clean(value: object) -> str:
    """Text that the database can keep."""
    return str(value).replace("\x00", "")


def _number(text: str) -> Decimal:
    """``1.234,5`` and ``0,95`` as Vietnamese write them, ``0.95`` as machines do."""
    text = text.replace(" ", "")
    found = Decimal(text.replace(".", "").replace(",", ".") if "," in text else text)
    if not found.is_finite() or abs(found) > _LARGEST:
        raise ValueError(text)
    return found


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


# A loose scan: one step per signal and kind of entity, not one per row.
_SIGNALS = """
with recursive seen as (
    (select signal_code, entity_type from alerting.signal order by 1, 2 limit 1)
    union all
    select following.* from seen cross join lateral (
        select s.signal_code, s.entity_type from alerting.signal s
        where (s.signal_code, s.entity_type) > (seen.signal_code, seen.entity_type) order by 1, 2 limit 1) following
)
select signal_code as code, entity_type from seen order by 1, 2
"""


def choices(database: Database) -> dict[str, list[dict[str, Any]]]:
    """What the form's lists offer: units that may own a rule, all units, calendars, procedures, signals with data."""
    return {
        "signals": database.rows(_SIGNALS),
        "owners": database.rows(
            "select distinct on (code) code, name_vi from ref.org_unit "
            "where kind not in ('ward', 'commune') and valid @> current_date order by code, valid desc"
        ),
        "units": database.rows(
            "select distinct on (code) code, name_vi from ref.org_unit where valid @> current_date "
            "order by code, valid desc"
        ),
        "calendars": database.rows("select calendar_code as code, name_vi from ref.calendar order by 1"),
        "procedures": database.rows(
            "select distinct on (code) code, title_vi as name_vi from sop.template where status = 'approved' "
            "order by code, version desc"
        ),
    }
