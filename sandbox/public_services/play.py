"""The public-services stand-in: three interfaces over one set of planned dossiers, and orders to let things happen."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel

from ioc.secrets import Secrets
from sandbox.api import VIETNAM, Interface
from sandbox.public_services.catalogue import UNITS
from sandbox.public_services.dossiers import lives, stock, written
from sandbox.public_services.totals import Totals
from sandbox.store import Change, Clock, Store, kept_anchor

if TYPE_CHECKING:
    from ioc.settings import Settings

# Dossiers submitted so long before the history begins, and the share of a usual day's: the open ones are the stock.
STOCK_DAYS = 45
STOCK_SHARE, SHARE = 0.25, 0.65
# Days planned ahead; more are planned as the clock goes on.
AHEAD_DAYS = 7
USER = "ioc"


class FinishOrder(BaseModel):
    """Body of ``POST /finish``: end a dossier now."""

    key: str


class PublicServices:
    """The stand-in; see :class:`sandbox.stand_in.StandIn`.

    Args:
        anchor: Moment of the first start: history ends there.
        seed: Of the plan.
        days: Days of history.
        password: Of the login ``ioc``.
        clock: The office's clock; default: ours.
    """

    def __init__(self, anchor: datetime, seed: int, days: int, password: str, clock: Clock | None = None) -> None:
        self.seed, self.clock = seed, clock or Clock()
        first = anchor.astimezone(VIETNAM).date() - timedelta(days=days + STOCK_DAYS)
        self._history_from = first + timedelta(days=STOCK_DAYS)
        self._planned_until = first
        self.store = Store(self.clock)
        left_behind = [change for one in stock(seed, first) for change in one.changes]
        self.store.plan(
            *left_behind, *self._lives_until(anchor.astimezone(VIETNAM).date() + timedelta(days=AHEAD_DAYS))
        )
        named: dict[str, Any] = {"user": USER, "password": password, "most": 500}
        self.dossiers = Interface(
            self.store, path="/ho-so", key_field="MaHoSo", changed_field="NgayCapNhat", **named
        )  # fmt: skip
        catalogue = [
            Change(
                anchor - timedelta(days=400), unit.code,
                {
                    "GroupName": unit.name, "MaDinhDanh": unit.identifier, "OfGroupCode": "UBND-TINH",
                    "Catalog": unit.catalog,
                },
            )
            for unit in UNITS
        ]  # fmt: skip
        self.units = Interface(
            Store(self.clock, catalogue), path="/don-vi", key_field="GroupCode", changed_field="NgayCapNhat", **named
        )
        self.totals = Interface(
            Totals(self.clock, self.store, days), path="/thong-ke", key_field="MaThongKe", changed_field="NgayTinh",
            order="key", **named,
        )  # fmt: skip
        self.router = APIRouter()
        self.router.add_api_route("/finish", self.finish, methods=["POST"], status_code=201)
        # One login for each interface, as three services of one portal have it.
        self.router.include_router(self.dossiers.router, prefix="/mot-cua")
        self.router.include_router(self.units.router, prefix="/danh-muc")
        self.router.include_router(self.totals.router, prefix="/bao-cao")

    def advance(self, now: int) -> int:
        """Let everything happen that is due, and plan on."""
        del now
        today = self.clock.now().astimezone(VIETNAM).date()
        if changes := self._lives_until(today + timedelta(days=AHEAD_DAYS)):
            self.store.plan(*changes)
        return self.store.advance()

    def health(self) -> dict[str, Any]:
        """Counts for ``GET /health``."""
        return {"dossiers": len(self.store.records()), "units": len(UNITS), "planned_until": str(self._planned_until)}

    def finish(self, order: FinishOrder) -> dict[str, Any]:
        """End a dossier now, as an officer does."""
        record = self.store.records().get(order.key)
        if record is None:
            raise HTTPException(404, f"no dossier '{order.key}'")
        at = written(self.clock.now())
        step = {"MaHoSo": order.key, "ThoiDiemXuLy": at, "TrangThai": 9, "NoiDungXuLy": "Xử lý xong"}
        self.store.change(
            order.key, {"TrangThaiHoSo": 9, "NgayKetThucXuLy": at, "NhatKy": [*record["NhatKy"], step]}
        )  # fmt: skip
        return {"key": order.key, "ended": at}

    def _lives_until(self, last: date) -> list[Change]:
        changes: list[Change] = []
        while self._planned_until < last:
            self._planned_until += timedelta(days=1)
            share = STOCK_SHARE if self._planned_until < self._history_from else SHARE
            changes += [change for one in lives(self.seed, self._planned_until, share) for change in one.changes]
        return changes


def stand_in(settings: Settings) -> PublicServices:
    anchor = kept_anchor(settings.home / "sandbox" / "public_services.json", datetime.now(UTC))
    password = Secrets.of(settings).get("sandbox_public_services")
    return PublicServices(anchor, settings.sandbox_seed, settings.sandbox_days, password)
