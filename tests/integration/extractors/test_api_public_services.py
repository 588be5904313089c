"""The one-stop system's dossiers against the suite that every domain with an interface inherits."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from api_conformance import ApiConformance

from sandbox.api import Interface
from sandbox.store import Clock, Store

if TYPE_CHECKING:
    from ioc.settings import Settings

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


class TestDossiers(ApiConformance):
    domain: ClassVar[str] = "public_services"
    mapping: ClassVar[str] = "dossiers"

    def interface(self) -> Interface:
        return Interface(
            Store(Clock(NOW)), path="/ho-so", key_field="MaHoSo", changed_field="NgayCapNhat", most=self.page
        )  # fmt: skip

    def fields(self, number: int) -> dict[str, Any]:
        return {
            "MaTTHC": "1.001193.000.00.00.H56", "MaLinhVuc": "HT", "TenLinhVuc": "Hộ tịch", "KenhThucHien": 2,
            "ChuHoSo": f"Công dân Thử Nghiệm Ế {number}", "SoGiayToChuHoSo": f"00000000{number:04d}",
            "TrangThaiHoSo": 4, "NgayNopHoSo": "20260302080000", "NgayTiepNhan": "20260302081500",
            "NgayHenTra": "20260305170000", "NgayKetThucXuLy": "", "DonViXuLy": "XP-0102", "DaXoa": False,
            "NhatKy": [{"ThoiDiemXuLy": "20260302081500", "TrangThai": 2}], "DanhSachHoSoBoSung": [],
        }  # fmt: skip

    def rows_in(self, fields: dict[str, Any]) -> int:
        del fields
        return 1

    def corrected(self, number: int) -> dict[str, Any]:
        return {"TrangThaiHoSo": 9 - number % 2, "NgayKetThucXuLy": "20260304100000"}

    def test_columns_are_as_declared_and_none_names_a_person(self, settings: Settings, office: Interface) -> None:
        office.store.change("H56-1", {**self.fields(1), "KenhThucHien": None, "NgayHenTra": ""})
        self.load(office)
        found = self.query(
            settings,
            "select status_code, channel_code, due_at, received_at = '2026-03-02 08:15+07', is_deleted, "
            "jsonb_array_length(steps), payload ->> 'ChuHoSo' from raw_public_services.dossier",
        )
        assert found == [(4, None, None, True, False, 1, "Công dân Thử Nghiệm Ế 1")]
        columns = self.query(
            settings,
            "select to_jsonb(d) - 'payload' from raw_public_services.dossier d",
        )
        assert "Thử Nghiệm" not in str(columns)
        assert "000000000001" not in str(columns)

    def test_a_dossier_with_an_impossible_date_is_a_counted_reject(self, settings: Settings, office: Interface) -> None:
        office.store.change("H56-1", {**self.fields(1), "NgayHenTra": "20260231250000"})
        office.store.change("H56-2", self.fields(2))
        report = self.load(office)
        assert (report.loaded, report.rejected) == (1, 1)
        assert self.query(settings, "select reason_code from ops.rejected_row") == [("bad_timestamp",)]
