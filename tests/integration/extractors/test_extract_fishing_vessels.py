"""The three interfaces of the vessel monitoring system against the suites that every domain inherits."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from api_conformance import ApiConformance
from paging_conformance import PagingConformance

from ioc import warehouse
from sandbox.api import Interface
from sandbox.store import Clock, Store

if TYPE_CHECKING:
    from ioc.settings import Settings

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


class FishingVessels(PagingConformance):
    domain: ClassVar[str] = "fishing_vessels"

    def rows_in(self, fields: dict[str, Any]) -> int:  # noqa: ARG002 (no lists inside)
        return 1

    def cursor(self, settings: Settings) -> datetime | None:
        found = self.query(
            settings, "select value ->> 'changed_until' from ops.cursor where domain = %s and value ? 'changed_until'",
            self.domain,
        )  # fmt: skip
        return datetime.fromisoformat(found[0][0]) if found and found[0][0] else None


class TestPositions(FishingVessels, ApiConformance):
    mapping: ClassVar[str] = "positions"

    def interface(self) -> Interface:
        return Interface(
            Store(Clock(NOW)), path="/vi-tri", key_field="maBanTin", changed_field="thoiDiemNhan", paging="cursor",
            most=self.page,
        )  # fmt: skip

    def fields(self, number: int) -> dict[str, Any]:
        return {
            "soDangKy": f"TH {90000 + number} TS", "maThietBi": f"TB{number}", "thoiDiem": "2026-03-02T08:00:00+07:00",
            "viDo": 19.1, "kinhDo": "106,5", "tocDo": 7.5, "huong": 90, "canhBao": None,
        }  # fmt: skip

    def corrected(self, number: int) -> dict[str, Any]:
        return {"viDo": 19.2 + number / 1000, "canhBao": "SOS"}

    def test_a_fix_without_time_or_with_broken_coordinates_is_kept(self, settings: Settings, office: Interface) -> None:
        office.store.change("BT-1", {**self.fields(1), "thoiDiem": None, "viDo": 190, "kinhDo": 0})
        office.store.change("BT-2", {**self.fields(2), "viDo": None, "soDangKy": None})
        assert self.load(office).loaded == 2
        with warehouse.connect("transformer", settings) as connection:
            rows = connection.execute(
                "select message_id, measured_at, latitude, longitude, registration_sent "
                "from raw_fishing_vessels.position order by 1"
            ).fetchall()
        assert rows[0] == ("BT-1", None, 190, 0, "TH 90001 TS")
        assert rows[1][2:] == (None, rows[1][3], None)


class TestVessels(FishingVessels):
    mapping: ClassVar[str] = "vessels"

    def interface(self) -> Interface:
        return Interface(
            Store(Clock(NOW)), path="/tau", key_field="maTau", changed_field="ngayCapNhat", most=self.page
        )  # fmt: skip

    def fields(self, number: int) -> dict[str, Any]:
        return {
            "soDangKy": f"TH-{90000 + number}-TS", "maXa": "16531", "chieuDaiLonNhat": 17.5, "congSuat": 250,
            "chuTau": {"hoTen": "Chủ Tàu Giả Định", "cccd": "000000000001", "dienThoai": "0900000001"},
            "thietBi": [{"maThietBi": f"TB{number}", "tuNgay": "2026-01-01", "denNgay": None}],
        }  # fmt: skip

    def corrected(self, number: int) -> dict[str, Any]:
        return {"chieuDaiLonNhat": 18 + number, "maXa": "16561"}

    def test_personal_data_stay_where_only_the_transformation_reads_them(
        self, settings: Settings, office: Interface
    ) -> None:
        self.fill(office, 0, 1)
        self.load(office)
        found = self.query(
            settings,
            "select role, has_schema_privilege(role, 'raw_fishing_vessels', 'usage') "
            "from unnest(array['ioc_bi_reader', 'ioc_portal', 'ioc_alerts', 'ioc_transformer']) as role order by 1",
        )
        assert [role for role, may in found if may] == ["ioc_transformer"]


class TestPortEvents(FishingVessels):
    mapping: ClassVar[str] = "port_events"

    def interface(self) -> Interface:
        return Interface(
            Store(Clock(NOW)), path="/cang", key_field="maSuKien", changed_field="ngayCapNhat", most=self.page
        )  # fmt: skip

    def fields(self, number: int) -> dict[str, Any]:
        return {
            "soDangKy": f"TH-{90000 + number}-TS", "maCang": "LACH_HOI", "loai": "vao",
            "thoiDiem": "2026-03-02T08:00:00+07:00",
        }  # fmt: skip

    def corrected(self, number: int) -> dict[str, Any]:
        return {"maCang": f"CANG_{number}", "loai": "ra"}
