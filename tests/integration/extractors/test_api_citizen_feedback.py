"""The interface of citizens' feedback against the suite that every interface inherits."""

from __future__ import annotations

import logging
import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from api_conformance import ApiConformance

import extractors
from expectations import runner
from extractors.core.formats import records
from ioc.settings import PROJECT_ROOT
from sandbox.citizen_feedback import play
from sandbox.store import Clock, Store

if TYPE_CHECKING:
    from pathlib import Path

    from ioc.settings import Settings
    from sandbox.api import Interface

# Nobody of this name and number exists.
NAME, PHONE = "Lê Thị Ví Dụ", "0900000177"
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

    def test_hostile_records_leave_nothing_personal_outside_raw(
        self, settings: Settings, office: Interface, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A name and a telephone wherever they are refused: only `raw_text` of a reject may hold them."""
        caplog.set_level(logging.DEBUG)
        said = f"{NAME}, {PHONE}"
        self.fill(office, 0, 3)
        for number, fields in enumerate(
            (
                {"ngayCapNhat": said}, {"thoiGianGui": said}, {"hanXuLy": {"hoTen": said}}, {"viDo": said},
                {"kinhDo": PHONE + "9" * 400}, {"cacBuoc": [said]}, {"cacBuoc": [{"thuTu": said}]},
                {"cacBuoc": [{"thuTu": f"0.{PHONE}"}]}, {"danhGia": said, "trangThai": said, "linhVuc": said},
            ),
            10,
        ):  # fmt: skip
            office.store.clock.move(1)
            office.store.change(self.key(number), self.fields(number) | fields)
        office.misbehave("garbled", said)
        self.load(office)

        def faulty(*_: object) -> None:
            raise ValueError(f"cannot read {said}")

        office.store.clock.move(1)
        office.store.change(self.key(30), self.fields(30))
        with monkeypatch.context() as patch:
            patch.setattr(records, "canonical", faulty)
            self.load(office)
        runner.validate(self.domain, settings)

        rejects = self.query(settings, "select raw_text, reason from ops.rejected_row")
        assert sum(NAME in raw or PHONE in raw for raw, _ in rejects) >= 6, "the loader can see what was wrong"
        ledger = [
            row for table in ("landed_file", "load_batch", "validation_result")
            for (row,) in self.query(settings, f"select t::text from ops.{table} t")
        ]  # fmt: skip
        assert len(ledger) > 10
        for text in (*ledger, *(reason for _, reason in rejects), caplog.text):
            assert NAME not in text
            assert PHONE not in text
        assert any("the parser failed" in text for text in ledger)
