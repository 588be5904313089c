"""The life of one document, written as the changes of its record: what the source would say after each step."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, Literal

from sandbox.store import Change

VIETNAM = timezone(timedelta(hours=7))
Kind = Literal["incoming", "outgoing", "internal"]
KINDS: tuple[Kind, ...] = ("incoming", "outgoing", "internal")
# How the source calls things differs from list to list; the declarations in extractors/documents/apis say so too.
PREFIX = {"incoming": "VBD", "outgoing": "VBI", "internal": "VBN"}
NUMBER = {"incoming": "soDen", "outgoing": "soDi", "internal": "soNoiBo"}
REGISTERED = {"incoming": "ngayVaoSo", "outgoing": "ngayDangKy", "internal": "ngayTao"}
DUE = {"incoming": "hanXuLy", "outgoing": "hanPhatHanh", "internal": "hanXuLy"}
FINISHED = {"incoming": "ngayHoanThanh", "outgoing": "ngayPhatHanh", "internal": "ngayHoanThanh"}
NEW, FORWARDED, IN_WORK, DONE, WITHDRAWN = 1, 2, 3, 4, 5

# (code as the source writes it, name as it writes it). Some communes have no code there, and names of either spelling.
UNITS: dict[str, tuple[str | None, str]] = {
    "VPUB": ("000.00.01.H56", "Văn phòng UBND tỉnh"),
    "SNV": ("000.00.02.H56", "Sở Nội vụ"),
    "STP": ("000.00.03.H56", "Sở Tư pháp"),
    "STC": ("000.00.04.H56", "Sở Tài chính"),
    "SCT": ("000.00.05.H56", "Sở Công Thương"),
    "SNNMT": ("000.00.06.H56", "Sở Nông nghiệp và Môi trường"),
    "SXD": ("000.00.07.H56", "Sở Xây dựng"),
    "SKHCN": ("000.00.08.H56", "Sở Khoa học và Công nghệ"),
    "SYT": ("000.00.09.H56", "Sở Y tế"),
    "SGDDT": ("000.00.10.H56", "Sở Giáo dục và Đào tạo"),
    "SVHTTDL": ("000.00.11.H56", "Sở Văn hóa, Thể thao và Du lịch"),
    "SDTTG": ("000.00.12.H56", "Sở Dân tộc và Tôn giáo"),
    "TTT": ("000.00.13.H56", "Thanh tra tỉnh"),
    "BQLKKT": ("000.00.14.H56", "Ban Quản lý KKT Nghi Sơn và các KCN"),
    "TTPVHCC": ("000.00.15.H56", "Trung tâm Phục vụ hành chính công tỉnh"),
    "14797": ("14797", "Phường Hạc Thành"),
    "16531": ("16531", "Phường Sầm Sơn"),
    "14812": ("14812", "Phường Bỉm Sơn"),
    "16654": ("16654", "Phường Nghi Sơn"),
    "16561": ("16561", "Phường Tĩnh Gia"),
    "15499": ("15499", "Xã Thọ Xuân"),
    "15061": ("15061", "Xã Ngọc Lặc"),
    "14845": ("14845", "Xã Mường Lát"),
    "15772": (None, "UBND xã Thiệu Hóa"),
    "15127": (None, "UBND xã  Cẩm Thủy"),
    # Nobody's: neither code nor name is in any register.
    "?": ("000.99.99.H56", "Ban Chỉ đạo liên ngành 389"),
}


def written(moment: datetime) -> str:
    """A moment as the source writes it."""
    return moment.astimezone(VIETNAM).isoformat(timespec="seconds")


def due_text(due: date | datetime | None) -> str | None:
    """A deadline as the source writes it: a day, a moment, or nothing."""
    if isinstance(due, datetime):
        return written(due)
    return due.isoformat() if due else None


@dataclass
class Letter:
    """One document, from its registration on.

    Attributes:
        kind: Which of the three lists it stands in.
        key: Its identity in the source.
        registered_at: When it was entered.
        unit: Key of :data:`UNITS`.
        due: Deadline: a day, a moment, or none.
        fields: What else the record says.
        changes: What has happened so far, oldest first; whoever tells its life adds to it by the methods below.
    """

    kind: Kind
    key: str
    registered_at: datetime
    unit: str
    due: date | datetime | None
    fields: dict[str, Any] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    _steps: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._now: dict[str, Any] = {
            **self.fields, REGISTERED[self.kind]: written(self.registered_at), FINISHED[self.kind]: None,
            "trangThai": NEW, "daXoa": False,
        }  # fmt: skip
        if self.kind == "incoming":
            self._now["ngayChuyen"] = None
        self._happen(self.registered_at, "VAO_SO")

    @property
    def last_at(self) -> datetime:
        """When something happened last."""
        return self.changes[-1].at

    def forward(self, at: datetime) -> None:
        """It leaves the registry."""
        self._now |= {"trangThai": FORWARDED, "ngayChuyen": written(at)}
        self._happen(at, "CHUYEN")

    def assign(self, at: datetime, person: str) -> None:
        """Somebody has it."""
        self._now |= {"trangThai": IN_WORK, "nguoiXuLy": {"hoTen": person, "chucVu": "Chuyên viên"}}
        self._happen(at, "GIAO_VIEC")

    def transfer(self, at: datetime, unit: str) -> None:
        """Another unit has it."""
        self.unit = unit
        self._happen(at, "CHUYEN_DON_VI")

    def extend(self, at: datetime, due: date | datetime) -> None:
        """It gets another deadline."""
        self.due = due
        self._happen(at, "GIA_HAN")

    def finish(self, at: datetime) -> None:
        """It is done, or leaves the house."""
        self._now |= {"trangThai": DONE, FINISHED[self.kind]: written(at)}
        self._happen(at, "HOAN_THANH")

    def reopen(self, at: datetime) -> None:
        """It was not done after all."""
        self._now |= {"trangThai": IN_WORK, FINISHED[self.kind]: None}
        self._happen(at, "MO_LAI")

    def withdraw(self, at: datetime) -> None:
        """It was sent in error and is taken back."""
        self._now["trangThai"] = WITHDRAWN
        self._happen(at, "THU_HOI")

    def delete(self, at: datetime) -> None:
        """It was entered twice, and one of the two is marked as deleted."""
        self._now["daXoa"] = True
        self._happen(at, "XOA")

    def _happen(self, at: datetime, action: str) -> None:
        code, name = UNITS[self.unit]
        unit = {"ma": code, "ten": name}
        due = due_text(self.due)
        self._steps.append(
            {
                "thuTu": len(self._steps) + 1,
                "thoiDiem": written(at),
                "hanhDong": action,
                "donVi": unit,
                "trangThai": self._now["trangThai"],
                "han": due,
                "daXoa": self._now["daXoa"],
            }
        )
        self._now |= {"donViXuLy": unit, DUE[self.kind]: due, "quaTrinh": list(self._steps)}
        self.changes.append(Change(at.astimezone(UTC), self.key, dict(self._now)))
