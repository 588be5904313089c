"""Which rules citizens are told of, from which level on and in which words: proposed by one person, decided by another.

The portal's role cannot write what citizens are told; it writes proposals, and ``alert.decide_public`` puts an open one
in force for somebody who is not its author. Every act leaves an event in the audit chain, in the same transaction.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from alerts import audit
from alerts.incidents import ActRefusedError
from alerts.notifying.rendering import TemplateRefusedError, render
from alerts.rulemaking.rule_checks import shows_value
from ioc import warehouse

if TYPE_CHECKING:
    from ioc.settings import Settings

# Categories and responses of CAP 1.2, as people read them.
CATEGORIES = {
    "Env": "Môi trường", "Met": "Thời tiết", "Geo": "Địa chất", "Health": "Y tế", "Safety": "An toàn công cộng",
    "Security": "An ninh trật tự", "Rescue": "Cứu hộ cứu nạn", "Fire": "Cháy nổ", "Transport": "Giao thông",
    "Infra": "Hạ tầng", "CBRNE": "Hóa chất, phóng xạ", "Other": "Loại khác",
}  # fmt: skip
RESPONSES = {
    "Monitor": "Theo dõi tin tiếp theo", "Prepare": "Chuẩn bị", "Avoid": "Tránh", "Shelter": "Ở trong nhà",
    "Evacuate": "Sơ tán", "Execute": "Làm theo kế hoạch đã phổ biến", "Assess": "Tự xem xét tình hình",
}  # fmt: skip
_LONGEST = {"event": 80, "headline": 300, "advice": 600}
_SAMPLE: dict[str, Any] = {"entity": "Trạm số 1", "place": "Phường Hạc Thành", "value": 171.5, "label": "Xấu"}


@dataclass(frozen=True)
class Advice:
    """What citizens should do from a level on."""

    level: int
    response: str
    advice_vi: str
    advice_en: str


@dataclass(frozen=True)
class PublicRule:
    """What citizens are told of a rule; ``headline_*`` are Jinja2 texts (``entity, place, value, label``)."""

    min_level: int
    category: str
    event_vi: str
    event_en: str
    headline_vi: str
    headline_en: str
    radius_km: float
    is_enabled: bool
    advice: tuple[Advice, ...] = ()


@dataclass(frozen=True)
class Proposal:
    """A proposal that waits for a decision."""

    proposal_id: int
    content: PublicRule
    reason: str
    author: str
    created_at: datetime


@dataclass(frozen=True)
class Standing:
    """What is in force for a rule (None = citizens are told nothing), why, and the open proposal."""

    in_force: PublicRule | None
    reason: str | None
    proposal: Proposal | None


def standing(rule_code: str, settings: Settings | None = None) -> Standing:
    """How it stands with a rule."""
    with (
        warehouse.connect("portal", settings) as connection,
        connection.cursor(row_factory=dict_row) as cursor,
    ):
        rule = cursor.execute("select * from alert.public_rule where rule_code = %s", (rule_code,)).fetchone()
        advice = cursor.execute(
            "select level, response, advice_vi, advice_en from alert.public_advice where rule_code = %s order by level",
            (rule_code,),
        ).fetchall()
        waiting = cursor.execute(
            "select proposal_id, content, reason, author, created_at from alert.public_proposal "
            "where rule_code = %s and status = 'open'",
            (rule_code,),
        ).fetchone()
    proposal = Proposal(**waiting | {"content": _read(waiting["content"])}) if waiting else None
    return Standing(_read(rule | {"advice": advice}) if rule else None, rule["reason"] if rule else None, proposal)


def _read(row: dict[str, Any]) -> PublicRule:
    names = PublicRule.__dataclass_fields__
    values = {name: row[name] for name in names if name != "advice"} | {"radius_km": float(row["radius_km"])}
    return PublicRule(**values, advice=tuple(Advice(**one) for one in row["advice"]))


def headline(rule: PublicRule, language: str = "vi") -> str:
    """The headline as it would read for a made-up station."""
    return render(rule.headline_en if language == "en" else rule.headline_vi, _SAMPLE)


def problems(rule: PublicRule) -> list[str]:
    """What is wrong with it, a Vietnamese sentence each."""
    found = []
    if rule.min_level not in range(1, 5):
        found.append("Cấp bắt đầu báo cho người dân phải từ 1 đến 4.")
    if rule.category not in CATEGORIES:
        found.append("Hãy chọn loại sự việc.")
    if not 0 <= rule.radius_km <= 500:
        found.append("Bán kính phải từ 0 đến 500 km.")
    texts = {"Tên sự việc": (rule.event_vi, rule.event_en, "event"), "Câu tiêu đề": (
        rule.headline_vi, rule.headline_en, "headline")}  # fmt: skip
    texts |= {f"Lời khuyên từ cấp {one.level}": (one.advice_vi, one.advice_en, "advice") for one in rule.advice}
    for name, (vi, en, kind) in texts.items():
        if not vi.strip() or not en.strip():
            found.append(f"{name}: cần cả tiếng Việt và tiếng Anh.")
        if max(len(vi), len(en)) > _LONGEST[kind]:
            found.append(f"{name}: dài quá {_LONGEST[kind]} ký tự.")
    for text in (rule.headline_vi, rule.headline_en):
        try:
            render(text, _SAMPLE)
        except TemplateRefusedError as error:
            found.append(f"Câu tiêu đề không dùng được: {error}")
    levels = [one.level for one in rule.advice]
    if len(set(levels)) < len(levels) or any(level not in range(1, 5) for level in levels):
        found.append("Mỗi cấp từ 1 đến 4 có nhiều nhất một lời khuyên.")
    if any(one.response not in RESPONSES for one in rule.advice):
        found.append("Hãy chọn việc người dân cần làm cho mỗi lời khuyên.")
    if rule.is_enabled and not any(level <= rule.min_level for level in levels):
        found.append(f"Cần lời khuyên cho người dân ngay từ cấp {rule.min_level}.")
    return found


def propose(
    rule_code: str,
    content: PublicRule,
    reason: str,
    user: str,
    *,
    settings: Settings | None = None,
    at: datetime | None = None,
) -> int:
    """Propose what citizens shall be told of a rule; nothing changes before somebody else has approved it.

    Returns:
        The id of the proposal.

    Raises:
        ActRefusedError: faults, no reason, no such rule, or a proposal is open already.
    """
    at = at or datetime.now(UTC)
    found = problems(content)
    if not reason.strip():
        found.append("Cần nêu lý do.")
    if found:
        raise ActRefusedError(" ".join(found))
    try:
        with warehouse.connect("portal", settings) as connection:
            rule = connection.execute("select unit_vi is null from alert.rule where code = %s", (rule_code,)).fetchone()
            if rule is None:
                raise ActRefusedError("Không có quy tắc này.")
            said = (headline(content, language) for language in ("vi", "en"))
            if rule[0] and any(shows_value(text, _SAMPLE["value"]) for text in said):
                raise ActRefusedError(
                    "Quy tắc theo dõi trạng thái: câu tiêu đề nêu tên cấp (label), không nêu giá trị (value)."
                )
            row = connection.execute(
                "insert into alert.public_proposal (rule_code, content, reason, author, created_at) "
                "values (%s, %s, %s, %s, %s) returning proposal_id",
                (rule_code, Jsonb(asdict(content)), reason.strip()[:500], user, at),
            ).fetchone()
            assert row is not None
            detail = {"proposal_id": row[0], "reason": reason.strip()[:500], "content": asdict(content)}
            audit.record(connection, at, user, "public.proposed", about=("rule", rule_code), detail=detail)
    except psycopg.errors.UniqueViolation:
        raise ActRefusedError("Đã có một đề nghị đang chờ quyết định cho quy tắc này.") from None
    return int(row[0])


def decide(
    rule_code: str,
    proposal_id: int,
    user: str,
    *,
    is_approved: bool,
    note: str = "",
    settings: Settings | None = None,
    at: datetime | None = None,
) -> None:
    """Approve or reject an open proposal of a rule. Its author may take it back (reject), never approve it.

    Raises:
        ActRefusedError: it is not open, its author approves it, or a rejection without a reason.
    """
    at = at or datetime.now(UTC)
    note = note.strip()[:500]
    if not is_approved and not note:
        raise ActRefusedError("Cần nêu lý do từ chối.")
    try:
        with warehouse.connect("portal", settings) as connection:
            row = connection.execute(
                "select 1 from alert.public_proposal where proposal_id = %s and rule_code = %s",
                (proposal_id, rule_code),
            ).fetchone()
            if row is None:
                raise ActRefusedError("Đề nghị này không còn chờ quyết định.")
            connection.execute(
                "select alert.decide_public(%s, %s, %s, %s, %s)", (proposal_id, is_approved, user, note, at)
            )
            action = "public.approved" if is_approved else "public.rejected"
            detail = {"proposal_id": proposal_id} | ({"reason": note} if note else {})
            audit.record(connection, at, user, action, about=("rule", rule_code), detail=detail)
    except psycopg.errors.NoDataFound:
        raise ActRefusedError("Đề nghị này không còn chờ quyết định.") from None
    except psycopg.errors.CheckViolation:
        raise ActRefusedError("Người đề nghị không tự phê duyệt: cần một người khác.") from None
