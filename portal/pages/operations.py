"""The hub of running operations: every page behind the main ones, with one sentence and one live figure each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from portal.web import Db, Reader, SignedIn, render

if TYPE_CHECKING:
    from collections.abc import Callable

    from portal.database import Row
    from portal.language import Language
    from portal.users import User

router = APIRouter(include_in_schema=False)

_EVERYBODY = ("leader", "officer", "engineer", "admin")

# Counts of everything that the tiles tell; an officer's only of the own unit.
_FIGURES = """
select
    (select count(*) from sop.case_ c where c.status = 'open'
        and (%(units)s::text[] is null or c.unit_code = any(%(units)s) or c.owner_unit = any(%(units)s)
            or exists (select from sop.task t where t.case_id = c.case_id and t.unit_code = any(%(units)s)))) as cases,
    (select count(*) from sop.task t join sop.case_ c using (case_id) where c.status = 'open'
        and t.status in ('ready', 'assigned', 'accepted', 'in_progress', 'rejected') and t.due_at < clock_timestamp()
        and (%(units)s::text[] is null or t.unit_code = any(%(units)s))) as overdue,
    (select count(*) from alert.suppression s where s.during @> clock_timestamp() and s.cancelled_at is null
        and not s.is_known_dead) as held,
    (select count(*) from alert.suppression s where s.during @> clock_timestamp() and s.cancelled_at is null
        and s.is_known_dead) as dead,
    (select count(*) from alert.rule where is_enabled) as rules,
    (select count(*) from alert.rule_version where status = 'draft') as rule_drafts,
    (select count(*) from ref.contact where is_active) as contacts,
    (select count(*) from ref.contact where is_active and email_verified_at is null and phone_verified_at is null)
        as unverified,
    (select string_agg(distinct c.name_vi, ', ') from ref.duty_shift d join ref.contact c using (contact_id)
        where d.during @> clock_timestamp()) as on_duty,
    (select array[name_vi, to_char(day, 'DD/MM')] from ref.holiday
        where kind = 'off' and day >= (clock_timestamp() at time zone 'Asia/Ho_Chi_Minh')::date
        order by day limit 1) as holiday,
    -- Deadlines look a year ahead: the last year of which a calendar knows the days off, when that ends sooner.
    (select min(last_year) from (
        select max(extract(year from day))::integer as last_year from ref.holiday where kind = 'off'
        group by calendar_code
    ) c where make_date(last_year, 12, 31) < (clock_timestamp() at time zone 'Asia/Ho_Chi_Minh')::date + 366
    ) as calendar_ends,
    (select count(*) from notify.outbox where created_at > clock_timestamp() - interval '24 hours') as sent,
    (select count(*) from notify.outbox where created_at > clock_timestamp() - interval '24 hours'
        and status in ('failed', 'unknown')) as not_sent,
    (select count(distinct (code, channel)) from notify.template where status = 'approved') as templates,
    (select count(*) from notify.template where status = 'draft') as template_drafts,
    (select count(*) from alert.late_observation where recorded_at > clock_timestamp() - interval '24 hours') as late,
    (select count(*) from alert.incident where opened_at > clock_timestamp() - interval '7 days') as week,
    (select count(*) from notify.needs_operator where kind = 'gateway'
        or (since > clock_timestamp() - interval '7 days'
            and (kind <> 'no_receipt' or since < clock_timestamp() - interval '1 hour'))) as concerns,
    (select count(distinct code) from sop.template where status = 'approved') as procedures,
    (select count(*) from sop.template where status = 'draft') as procedure_drafts,
    (select count(distinct code) from ref.org_unit
        where valid @> (clock_timestamp() at time zone 'Asia/Ho_Chi_Minh')::date) as units,
    (select count(*) from ref.unit_succession
        where effective_on > (clock_timestamp() at time zone 'Asia/Ho_Chi_Minh')::date) as successions_planned,
    (select percentile_cont(0.5) within group (order by extract(epoch from i.ack_at - i.recorded_at))
        from alert.incident i where i.ack_at > clock_timestamp() - interval '30 days' and i.ack_at > i.recorded_at)
        as ack_s
"""


@dataclass(frozen=True)
class Tile:
    """A page of the hub.

    Attributes:
        path: Where it is; shown only when the portal has it.
        icon: Name in ``icons.svg``.
        title: Name of the page.
        sentence: What one does there.
        figure: How it stands now, and whether that asks for attention.
        roles: Who finds it here.
    """

    path: str
    icon: str
    title: str
    sentence: str
    figure: Callable[[Row, Language], tuple[str, bool]]
    roles: tuple[str, ...] = _EVERYBODY


def _cases(f: Row, say: Language) -> tuple[str, bool]:
    if f["overdue"]:
        return say.text("{n} vụ việc đang mở, {late} việc quá hạn", n=f["cases"], late=f["overdue"]), True
    return say.text("{n} vụ việc đang mở", n=f["cases"]), False


def _suppressions(f: Row, say: Language) -> tuple[str, bool]:
    return say.text("{n} lệnh đang hiệu lực, {dead} chuỗi đã ngừng", n=f["held"], dead=f["dead"]), False


def _rules(f: Row, say: Language) -> tuple[str, bool]:
    if f["rule_drafts"]:
        return say.text("{n} quy tắc chờ duyệt", n=f["rule_drafts"]), True
    return say.text("{n} quy tắc đang dùng", n=f["rules"]), False


def _contacts(f: Row, say: Language) -> tuple[str, bool]:
    if f["unverified"]:
        return say.text("{n} liên hệ chưa xác minh", n=f["unverified"]), True
    return say.text("{n} liên hệ", n=f["contacts"]), False


def _roster(f: Row, say: Language) -> tuple[str, bool]:
    if f["on_duty"]:
        return say.text("Đang trực: {names}", names=f["on_duty"]), False
    return say.text("Chưa xếp ai trực lúc này"), True


def _working_time(f: Row, say: Language) -> tuple[str, bool]:
    if f["calendar_ends"]:
        return say.text(
            "Lịch nghỉ chỉ có đến hết năm {year}: nhập ngày nghỉ năm {next}",
            year=f["calendar_ends"], next=f["calendar_ends"] + 1,
        ), True  # fmt: skip
    if f["holiday"]:
        return say.text("Ngày nghỉ tới: {name}, {day}", name=f["holiday"][0], day=f["holiday"][1]), False
    return say.text("Chưa có ngày nghỉ nào phía trước"), True


def _notifications(f: Row, say: Language) -> tuple[str, bool]:
    if f["not_sent"]:
        return say.text("{n} tin trong 24 giờ, {bad} tin không gửi được", n=f["sent"], bad=f["not_sent"]), True
    return say.text("{n} tin trong 24 giờ", n=f["sent"]), False


def _templates(f: Row, say: Language) -> tuple[str, bool]:
    if f["template_drafts"]:
        return say.text("{n} mẫu tin chờ duyệt", n=f["template_drafts"]), True
    return say.text("{n} mẫu tin đang dùng", n=f["templates"]), False


def _restatements(f: Row, say: Language) -> tuple[str, bool]:
    return say.text("{n} dòng đến muộn trong 24 giờ", n=say.number(f["late"])), False


def _dashboard(f: Row, say: Language) -> tuple[str, bool]:
    return say.text("{n} cảnh báo mở trong 7 ngày", n=say.number(f["week"])), False


def _indicators(f: Row, say: Language) -> tuple[str, bool]:
    if f["ack_s"] is None:
        return say.text("Chưa có cảnh báo nào được nhận trong 30 ngày"), False
    return say.text("30 ngày: nửa số cảnh báo được nhận trong {n} phút", n=say.number(max(f["ack_s"] / 60, 1))), False


def _delivery(f: Row, say: Language) -> tuple[str, bool]:
    if f["concerns"]:
        return say.text("{n} việc cần người xem", n=f["concerns"]), True
    return say.text("Gửi tin bình thường"), False


def _procedures(f: Row, say: Language) -> tuple[str, bool]:
    if f["procedure_drafts"]:
        return say.text("{n} quy trình chờ duyệt", n=f["procedure_drafts"]), True
    return say.text("{n} quy trình đang dùng", n=f["procedures"]), False


def _org_units(f: Row, say: Language) -> tuple[str, bool]:
    if f["successions_planned"]:
        return say.text("{n} thay đổi sắp hiệu lực", n=f["successions_planned"]), False
    return say.text("{n} đơn vị", n=f["units"]), False


TILES = (
    Tile("/vu-viec", "case", "Vụ việc", "Theo dõi từng vụ việc: các bước, thời hạn, chỉ đạo và minh chứng.", _cases),
    Tile("/tam-dung", "pause", "Tạm dừng thông báo", "Giữ tin lại khi bảo trì hoặc việc đã biết; có lý do và hạn.",
         _suppressions),
    Tile("/lich-truc", "roster", "Lịch trực", "Ai trực ca nào; tin đi đến người đang trực.", _roster),
    Tile("/thong-bao", "sent", "Thông báo đã gửi", "Ai đã được báo điều gì, lúc nào, bằng cách nào.", _notifications),
    Tile("/bang-tin", "link", "Bảng tin cảnh báo", "Cảnh báo, thông báo và quy trình theo thời gian, cho toàn tỉnh.",
         _dashboard, ("leader", "engineer", "admin")),
    Tile("/chi-so", "chart", "Chỉ số", "Mỗi đơn vị nhận, xử lý nhanh đến đâu; quy tắc nào hay báo nhầm.", _indicators),
    Tile("/so-lieu-sua", "clock", "Số liệu sửa và đến muộn", "Số liệu đến muộn làm lịch sử cảnh báo khác đi ở đâu.",
         _restatements),
    Tile("/quy-tac", "rules", "Quy tắc", "Khi nào thì cảnh báo: ngưỡng, thời gian giữ, người duyệt.", _rules),
    Tile("/quy-trinh", "tasks", "Quy trình", "Các bước xử lý, thời hạn và chuỗi báo lên trên; soạn và duyệt phiên bản.",
         _procedures),
    Tile("/danh-ba", "people", "Danh bạ", "Người nhận tin: vai trò, số điện thoại, thư, giờ yên tĩnh.", _contacts),
    Tile("/lich-lam-viec", "calendar", "Lịch làm việc", "Giờ hành chính, ngày nghỉ, ngày làm bù: gốc của mọi thời hạn.",
         _working_time),
    Tile("/mau-tin", "template", "Mẫu tin", "Lời của tin nhắn, thư và hộp thư; xem thử trước khi duyệt.", _templates),
    Tile("/don-vi", "board", "Đơn vị", "Đơn vị có hiệu lực từ ngày nào, đơn vị nào kế thừa khi sáp nhập.", _org_units),
    Tile("/van-hanh", "gauge", "Vận hành gửi tin", "Cổng gửi, hàng đợi, hạn mức, hệ thống nhận tin, người khó tới.",
         _delivery, ("engineer", "admin")),
)  # fmt: skip


@router.get("/dieu-hanh", response_class=HTMLResponse)
def hub(request: Request, database: Db, who: Reader, user: SignedIn) -> HTMLResponse:
    """Every page of operations that this user's role may open."""
    figures = database.row(_FIGURES, {"units": user.visible_units})
    assert figures is not None
    return render(
        request,
        "operations.html",
        tiles=[
            {"tile": tile, "figure": figure, "needs_attention": attention}
            for tile in _tiles(request, user)
            for figure, attention in [tile.figure(figures, who.language)]
        ],
    )


def _tiles(request: Request, user: User) -> list[Tile]:
    there = {getattr(route, "path", "") for route in request.app.routes}
    return [tile for tile in TILES if user.role in tile.roles and tile.path in there]
