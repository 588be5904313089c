"""The interface of citizens' feedback against the suite that every interface inherits."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from api_conformance import ApiConformance

import extractors
from ioc.settings import PROJECT_ROOT
from sandbox.citizen_feedback import play
from sandbox.store import Clock, Store

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.api import Interface

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


class TestCitizenFeedback(ApiConformance):
    """As declared, with pages of four records instead of two hundred."""

    domain: ClassVar[str] = "citizen_feedback"
    mapping: ClassVar[str] = "reports"

    @pytest.fixture(autouse=True)
    def _short_pages(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        folder = tmp_path / "rooms" / self.domain
        shutil.copytree(PROJECT_ROOT / "extractors" / self.domain, folder)
        file = folder / "apis" / "reports.toml"
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace("size = 200", f"size = {self.page}").replace("per_minute = 240\n", ""))
        monkeypatch.setattr(extractors, "__path__", [str(tmp_path / "rooms"), *extractors.__path__])

    def interface(self) -> Interface:
        office = play.interface(Store(Clock(NOW)), "mat-khau-thu")
        office.most = self.page
        return office

    def fields(self, number: int) -> dict[str, Any]:
        steps = [
            {"thuTu": step, "thoiGian": f"02/03/2026 0{step}:00:00", "hanhDong": "Chuyển xử lý",
             "donViNhan": {"ma": None, "ten": f"UBND xã {number}"}}
            for step in range(1, number % 3 + 1)
        ]  # fmt: skip
        return {
            "tieuDe": "Rác thải", "noiDung": "Rác để lâu ngày", "linhVuc": "Môi trường", "kenh": "Zalo",
            "trangThai": "Đang xử lý", "thoiGianGui": "01/03/2026 08:00:00", "hanXuLy": "09/03/2026 17:00:00",
            "donViXuLy": {"ma": None, "ten": f"UBND xã {number}"}, "maDvhc": f"16{number:03d}", "viDo": 19.8,
            "nguoiGui": {"hoTen": "Lê Thị Ví Dụ", "dienThoai": "0900000000"}, "cacBuoc": steps,
        }  # fmt: skip

    def rows_in(self, fields: dict[str, Any]) -> int:
        return 1 + len(fields["cacBuoc"])

    def corrected(self, number: int) -> dict[str, Any]:
        return {"trangThai": "Đã trả lời", "viDo": 19.9 + number / 1000}
