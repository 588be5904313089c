"""Lives of dossiers, made from the seed: the same seed, unit and day give the same dossiers, whatever was asked before.

Times are Vietnamese civil times. A dossier is a list of changes of one record (`HoSoDongBoDVC` and the step log); what
was planted into it stands in its ``story``.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from sandbox.api import VIETNAM
from sandbox.public_services.catalogue import (
    COUNTS_DELETED,
    DRIFTING,
    FORMER,
    OVERLOADED,
    PROCEDURES,
    UNITS,
    Procedure,
    Unit,
)
from sandbox.store import Change

if TYPE_CHECKING:
    from collections.abc import Iterator

# Public holidays that the office keeps, (month, day); the platform has its own, editable calendar.
_HOLIDAYS = {(1, 1), (4, 30), (5, 1), (9, 1), (9, 2), (11, 24)}
_LATE_RECEIPT = time(15, 0)


@dataclass
class Life:
    """One dossier from its submission to its end.

    Attributes:
        key: ``MaHoSo``.
        story: What was planted: ``reopened``, ``deleted``, ``two supplements``…; empty = nothing.
        changes: What happens to its record, in order.
    """

    key: str
    story: str = ""
    changes: list[Change] = field(default_factory=list)
    record: dict[str, Any] = field(default_factory=dict)
    log: list[dict[str, Any]] = field(default_factory=list)
    supplements: list[dict[str, Any]] = field(default_factory=list)

    def step(self, at: datetime, status: int, office: str, text: str, **fields: Any) -> None:
        """A step of the log, and the record's new status."""
        self.log = [
            *self.log,
            {
                "MaHoSo": self.key, "NguoiXuLy": "Cán bộ Thử Nghiệm", "ChucDanh": "Chuyên viên",
                "ThoiDiemXuLy": written(at), "PhongBanXuLy": office, "NoiDungXuLy": text, "TrangThai": status,
            },
        ]  # fmt: skip
        self.change(at, TrangThaiHoSo=status, NhatKy=self.log, **fields)

    def change(self, at: datetime, **fields: Any) -> None:
        """New fields of the record at a moment."""
        self.record = {**self.record, **fields}
        self.changes.append(Change(at, self.key, fields))


def written(at: datetime | None) -> str:
    """A moment as the system writes it: ``yyyyMMddHHmmss``, empty when there is none."""
    return at.astimezone(VIETNAM).strftime("%Y%m%d%H%M%S") if at else ""


def is_work_day(day: date) -> bool:
    return day.weekday() < 5 and (day.month, day.day) not in _HOLIDAYS


def work_day_after(day: date, days: int) -> date:
    """The ``days``-th working day after ``day``; with 0 the first one that is not before it."""
    while days > 0 or not is_work_day(day):
        day += timedelta(days=1)
        if is_work_day(day):
            days -= 1
    return day


def at_desk(dice: random.Random, day: date, first: float = 7.5, last: float = 16.8) -> datetime:
    """A moment of a working day."""
    seconds = round(dice.uniform(first, last) * 3600)
    return datetime.combine(day, time(), VIETNAM) + timedelta(seconds=seconds)


def lives(seed: int, day: date, share: float = 1.0) -> Iterator[Life]:
    """Dossiers that people submit on ``day``, in all units; ``share`` of a usual day's."""
    for unit in UNITS:
        dice = random.Random(f"{seed}/{day}/{unit.code}")
        weight = unit.weight * share if is_work_day(day) else unit.weight * share * 0.08
        count = int(weight) + (dice.random() < weight % 1)
        for number in range(1, count + 1):
            yield life(dice, unit, day, number)


def stock(seed: int, day: date) -> Iterator[Life]:
    """What a commune that is no more left behind: dossiers from before the anchor, open ever since."""
    unit = next(one for one in UNITS if one.code == FORMER[0])
    dice = random.Random(f"{seed}/stock")
    for number in range(1, 5):
        yield life(dice, unit, day - timedelta(days=10 * number), number, fate="open")


def life(dice: random.Random, unit: Unit, day: date, number: int, fate: str = "") -> Life:
    """One dossier; ``fate`` = ``open`` never ends, else the dice decide."""
    procedure = dice.choice(_offered(unit))
    one = Life(f"{unit.identifier}-{day:%y%m%d}-{number:04d}")
    online = dice.random() < (0.78 if unit.catalog == "xa-phuong" else 0.9)
    channel = 2 if online else (3 if dice.random() < 0.1 else 1)
    submitted = at_desk(dice, day, 6, 22) if online else at_desk(dice, day)
    receipt_due = datetime.combine(work_day_after(day, 1), time(17, 0), VIETNAM)
    late_receipt = dice.random() < 0.04
    received = at_desk(dice, work_day_after(day, 0 if channel == 1 else 1))
    if late_receipt:
        received = at_desk(dice, work_day_after(receipt_due.date(), dice.randint(1, 2)))
    elif channel == 1:
        received = max(submitted, received)
        submitted = received - timedelta(minutes=dice.randint(1, 20))
    due: datetime | None = due_of(procedure, received)
    if dice.random() < 0.03:
        due, one.story = None, "no due date"
    _begin(one, dice, unit, procedure, channel=channel, submitted=submitted, due=receipt_due)
    if dice.random() < 0.02 and not fate:
        one.step(received, 3, unit.name, "Không tiếp nhận: thành phần hồ sơ chưa hợp lệ", NgayTuChoi=written(received))
        one.story = "refused"
        return one
    one.step(received, 2, unit.name, "Tiếp nhận hồ sơ", NgayTiepNhan=written(received), NgayHenTra=written(due))
    _work(one, dice, unit, procedure, received=received, due=due, fate=fate)
    return one


def due_of(procedure: Procedure, received: datetime) -> datetime:
    """17:00 on the procedure's last working day; what comes after 15:00 counts from the next working day."""
    first = received.date()
    if received.time() >= _LATE_RECEIPT or not is_work_day(first):
        first = work_day_after(first, 1)
    return datetime.combine(work_day_after(first, procedure.work_days), time(17, 0), VIETNAM)


def _offered(unit: Unit) -> list[Procedure]:
    level = "department" if unit.catalog == "so-ban-nganh" else "commune"
    offered = [procedure for procedure in PROCEDURES if procedure.level in (level, "both")]
    own = {"SO-TUPHAP": "HT", "SO-NNMT": "DD", "SO-YTE": "YT", "SO-GDDT": "GD"}.get(unit.code)
    return [one for one in offered if one.field_code == own] * 6 + offered if own else offered


def _begin(
    one: Life,
    dice: random.Random,
    unit: Unit,
    procedure: Procedure,
    *,
    channel: int,
    submitted: datetime,
    due: datetime,
) -> None:
    person = dice.randint(0, 9999)
    one.step(
        submitted, 1, unit.name, "Nộp hồ sơ",
        MaTTHC=procedure.code, TenTTHC=procedure.name, MaLinhVuc=procedure.field_code, TenLinhVuc=procedure.field_name,
        # The desk leaves the channel empty.
        KenhThucHien=None if channel == 1 and dice.random() < 0.3 else channel,
        SoGiayToChuHoSo=f"00000000{person:04d}", ChuHoSo=f"Công dân Thử Nghiệm {person:04d}",
        LoaiDoiTuong=1, Email=f"congdan{person:04d}@example.invalid", SoDienThoai=f"090000{person:04d}",
        TrichYeuHoSo=f"{procedure.name} (hồ sơ thử nghiệm)", NgayNopHoSo=written(submitted), NgayTiepNhan="",
        NgayHenTra="", NgayTra="", NgayKetThucXuLy="", NgayYeuCauBoSung="", HanTiepNhan=written(due),
        DonViXuLy=unit.code, NoiNopHoSo=2 if channel == 2 else 1, GhiChu="", DaXoa=False,
        HoSoCoThanhPhanSoHoa=dice.random() < 0.85, TaiKhoanDuocXacThucVoiVNeID=channel == 2 and dice.random() < 0.9,
        DuocThanhToanTrucTuyen=2 if channel == 2 else None, DanhSachHoSoBoSung=[],
        DanhSachGiayToKetQua=[],
    )  # fmt: skip


def _work(
    one: Life,
    dice: random.Random,
    unit: Unit,
    procedure: Procedure,
    *,
    received: datetime,
    due: datetime | None,
    fate: str,
) -> None:
    planned = due or due_of(procedure, received)
    begun = min(received + timedelta(hours=dice.uniform(0.2, 3)), planned - timedelta(hours=1))
    begun = max(begun, received + timedelta(minutes=5))
    one.step(begun, 4, unit.name, "Chuyển chuyên viên xử lý")
    chance, at = dice.random(), begun
    if fate == "open":
        return
    drifting = unit.code == DRIFTING
    if chance < (0.14 if drifting else 0.08):
        at, planned = _supplement(one, dice, unit, at, planned, has_due=due is not None)
        if dice.random() < 0.25:
            at, planned = _supplement(one, dice, unit, at, planned, has_due=due is not None)
            one.story = "two supplements"
    elif chance < 0.11 and not drifting:
        stopped = at_desk(dice, work_day_after(at.date(), 1))
        one.step(stopped, 6, unit.name, "Chờ công dân nộp lệ phí")
        at = at_desk(dice, work_day_after(stopped.date(), dice.randint(1, 4)))
        one.step(at, 4, unit.name, "Đã nộp lệ phí")
        one.story = "stopped for fee"
    elif chance < 0.13:
        withdrawn = at_desk(dice, work_day_after(at.date(), 1))
        one.step(withdrawn, 7, unit.name, "Công dân rút hồ sơ", NgayKetThucXuLy=written(withdrawn))
        one.story = "withdrawn"
        return
    elif chance < 0.135:
        one.step(at_desk(dice, work_day_after(at.date(), 1)), 8, unit.name, "Dừng xử lý chờ cơ quan có thẩm quyền")
        one.story = "stopped"
        return
    if dice.random() < (0.07 if drifting else 0.2 if unit.code == COUNTS_DELETED else 0.003):
        one.change(at_desk(dice, work_day_after(at.date(), dice.randint(1, 3))), DaXoa=True)
        one.story = "deleted"
        return
    ended = _ending(dice, unit, at, planned)
    if ended is None:
        one.story = one.story or "never ends"
        return
    _finish(one, dice, unit, ended, drifting=drifting)


def _supplement(
    one: Life, dice: random.Random, unit: Unit, at: datetime, planned: datetime, *, has_due: bool
) -> tuple[datetime, datetime]:
    asked = at_desk(dice, work_day_after(at.date(), 1))
    waited = dice.randint(1, 5)
    came = at_desk(dice, work_day_after(asked.date(), waited))
    moved = datetime.combine(work_day_after(planned.date(), waited), planned.timetz())
    number = len(one.supplements) + 1
    request = {
        "HoSoBoSungId": number, "NguoiYeuCauBoSung": "Cán bộ Thử Nghiệm", "NoiDungBoSung": "Bổ sung giấy tờ còn thiếu",
        "NgayBoSung": written(asked), "NgayTiepNhanBoSung": "", "TrangThaiBoSung": 0,
        "NgayHenTraTruoc": written(planned) if has_due else "", "NgayHenTraMoi": "",
    }  # fmt: skip
    one.step(
        asked, 5, unit.name, "Yêu cầu bổ sung",
        NgayYeuCauBoSung=written(asked), DanhSachHoSoBoSung=[*one.supplements, request],
    )  # fmt: skip
    one.supplements = [
        *one.supplements,
        {
            **request, "NgayTiepNhanBoSung": written(came), "TrangThaiBoSung": 1,
            "NgayHenTraMoi": written(moved) if has_due else "",
        },
    ]  # fmt: skip
    one.step(
        came, 4, unit.name, "Đã nhận bổ sung",
        DanhSachHoSoBoSung=one.supplements, NgayHenTra=written(moved) if has_due else "",
    )  # fmt: skip
    one.story = one.story or "supplement"
    return came, moved


def _ending(dice: random.Random, unit: Unit, at: datetime, planned: datetime) -> datetime | None:
    chance = dice.random()
    late, never = (0.34, 0.22) if unit.code == OVERLOADED else (0.05, 0.012)
    if chance < never:
        return None
    if chance < never + late:
        return at_desk(dice, work_day_after(planned.date(), dice.randint(1, 4)))
    if chance < never + late + 0.18:
        return max(at + timedelta(minutes=30), at_desk(dice, planned.date(), 8, 16.5))
    days = max((planned.date() - at.date()).days - 1, 0)
    day = work_day_after(at.date() + timedelta(days=dice.randint(0, days)), 0)
    if day >= planned.date():
        return max(at + timedelta(minutes=30), at_desk(dice, planned.date(), 8, 16.5))
    return max(at + timedelta(minutes=30), at_desk(dice, day))


def _finish(one: Life, dice: random.Random, unit: Unit, ended: datetime, *, drifting: bool) -> None:
    one.step(
        ended, 9, unit.name, "Xử lý xong", NgayKetThucXuLy=written(ended),
        DanhSachGiayToKetQua=[{"TenGiayTo": "Kết quả", "MaKetQua": f"KQ-{one.key}"}] if dice.random() < 0.8 else [],
    )  # fmt: skip
    if dice.random() < (0.22 if drifting else 0.002):
        # Set back to "in process" by mistake or on complaint: the status goes backwards, and the end is gone.
        back = at_desk(dice, work_day_after(ended.date(), dice.randint(1, 2)))
        one.step(back, 4, unit.name, "Mở lại hồ sơ", NgayKetThucXuLy="")
        ended = at_desk(dice, work_day_after(back.date(), dice.randint(1, 3)))
        one.step(ended, 9, unit.name, "Xử lý xong", NgayKetThucXuLy=written(ended))
        one.story = "reopened"
    if dice.random() < 0.85:
        handed = max(ended + timedelta(minutes=20), at_desk(dice, work_day_after(ended.date(), dice.randint(0, 1))))
        one.step(handed, 10, unit.name, "Đã trả kết quả", NgayTra=written(handed))
        ended = handed
    if dice.random() < 0.02:
        one.change(at_desk(dice, work_day_after(ended.date(), 2)), GhiChu="Đã lưu kho")
        one.story = one.story or "changed after its end"
