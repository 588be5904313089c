"""The one-stop system's own totals, as its report computes them: from what the records say NOW, whatever day is asked.

That is how the system in operation does it, and why its figures of a past day change when a status changes later. One
unit's totals also count what was deleted (:data:`sandbox.public_services.catalogue.COUNTS_DELETED`).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sandbox.api import VIETNAM
from sandbox.public_services.catalogue import COUNTS_DELETED, UNITS
from sandbox.store import Store

if TYPE_CHECKING:
    from datetime import date

    from sandbox.store import Clock


def totals(records: list[dict[str, Any]], day: date) -> dict[str, int]:
    """Figures of one unit and one day from its records as they are now.

    Args:
        records: The unit's records, deleted ones left out.
        day: First and last day of the period.
    """
    figures = dict.fromkeys(
        (
            "TiepNhan", "KyTruoc", "DaXuLy", "TruocHan", "DungHan", "QuaHan", "DangXuLy", "DangXuLyTrongHan",
            "DangXuLyQuaHan", "TraLai",
        ),
        0,
    )  # fmt: skip
    asked = f"{day:%Y%m%d}"
    for record in records:
        status, received = record["TrangThaiHoSo"], record["NgayTiepNhan"][:8]
        ended, due = record["NgayKetThucXuLy"][:8], record["NgayHenTra"][:8]
        if status in (1, 3) or not received:
            continue
        if received == asked:
            figures["TiepNhan"] += 1
        if received < asked and (status in (2, 4, 5, 6, 8) or ended >= asked):
            figures["KyTruoc"] += 1
        if status in (9, 10) and ended == asked:
            figures["DaXuLy"] += 1
            figures["QuaHan" if due and ended > due else "TruocHan" if ended < due else "DungHan"] += 1
        if status == 7 and ended == asked:
            figures["TraLai"] += 1
        waiting = status == 5 and record["NgayYeuCauBoSung"][:8] > asked
        if received <= asked and (status in (2, 4) or (status in (7, 9, 10) and ended > asked) or waiting):
            figures["DangXuLy"] += 1
            figures["DangXuLyQuaHan" if due and due < asked else "DangXuLyTrongHan"] += 1
    return figures


class Totals(Store):
    """A store whose records are counted when they are asked for: every unit and each of the last closed days.

    Args:
        clock: The office's clock.
        dossiers: Its dossiers.
        days: How many closed days.
    """

    def __init__(self, clock: Clock, dossiers: Store, days: int) -> None:
        super().__init__(clock)
        self._dossiers, self._days = dossiers, days
        self._counted: tuple[Any, dict[str, dict[str, Any]]] = (None, {})

    def records(self) -> dict[str, dict[str, Any]]:
        held = self._dossiers.records()
        today = self.clock.now().astimezone(VIETNAM).date()
        state = (today, len(self._dossiers.happened))
        if self._counted[0] != state:
            by_unit: dict[str, list[dict[str, Any]]] = {unit.code: [] for unit in UNITS}
            for record in held.values():
                if not record["DaXoa"] or record["DonViXuLy"] == COUNTS_DELETED:
                    by_unit.setdefault(record["DonViXuLy"], []).append(record)
            days = [today - timedelta(days=back) for back in range(1, self._days + 1)]
            self._counted = state, {
                f"{code}/{day:%Y%m%d}": {
                    "MaDonVi": code, "TuNgay": f"{day:%Y%m%d}", "DenNgay": f"{day:%Y%m%d}", **totals(found, day),
                }
                for code, found in by_unit.items()
                for day in days
            }  # fmt: skip
        return self._counted[1]

    def changed(self, since: datetime | None = None, until: datetime | None = None) -> list[tuple[str, datetime]]:
        del since, until
        return [(key, self.clock.now().astimezone(UTC)) for key in self.records()]
