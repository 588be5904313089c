"""The stand-in: three interfaces over three stores, laid out from the seed and the first start."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter

from ioc.secrets import Secrets
from sandbox.api import VIETNAM, Interface
from sandbox.files import write_atomically
from sandbox.fishing_vessels import stories
from sandbox.fishing_vessels.fleet import FLEET_SIZE, PORTS, Vessel, fleet
from sandbox.fishing_vessels.stories import REGISTERED_AT, SPELT_RIGHT_FROM, SWAPPED, SWAPPED_AT, Message
from sandbox.fishing_vessels.voyages import Voyage, miles
from sandbox.store import Change, Clock, Store

if TYPE_CHECKING:
    from pathlib import Path

    from ioc.settings import Settings

# The fleet's life goes on for so long after the anchor.
AHEAD_H = 10 * 24
_IN_PORT_STEP_H = 6
_STRANGERS_SINCE_H = -120
_NEAR_PORT_MILES = 0.4


class Plan:
    """Everything that ever happens, for a seed, an anchor and a length of history.

    Attributes:
        positions: Messages of devices.
        vessels: What the registry says.
        port_events: What ports report.
    """

    def __init__(self, seed: int, anchor: datetime, days: int) -> None:
        self.anchor = anchor
        self.first, self.last = -24.0 * days, float(AHEAD_H)
        self.positions: list[Change] = []
        self.vessels: list[Change] = []
        self.port_events: list[Change] = []
        everybody = fleet(seed)
        voyages = {v.number: stories.voyage(v, seed, self.first, self.last) for v in everybody}
        for vessel in everybody:
            self._register(vessel)
            messages = list(self._messages(vessel, voyages[vessel.number]))
            for message in stories.tell(vessel.number, messages):
                self._send(vessel, message)
            self._report(vessel, voyages[vessel.number])
        self._swap(everybody)

    def moment(self, hour: float) -> datetime:
        return self.anchor + timedelta(seconds=round(hour * 3600))

    def _text(self, hour: float) -> str:
        return self.moment(hour).astimezone(VIETNAM).isoformat()

    def _register(self, vessel: Vessel) -> None:
        if vessel.number > FLEET_SIZE:
            return
        devices = [{"maThietBi": vessel.device, "tuNgay": self._text(self.first - 720), "denNgay": None}]
        licence = (self.anchor + timedelta(days=300)).date().isoformat()
        self.vessels.append(Change(self.moment(self.first), vessel.key, vessel.record(licence, devices)))

    def _swap(self, everybody: list[Vessel]) -> None:
        one, other = (next(v for v in everybody if v.number == number) for number in SWAPPED)
        for mine, theirs in ((one, other), (other, one)):
            devices = [
                {"maThietBi": mine.device, "tuNgay": self._text(self.first - 720), "denNgay": self._text(SWAPPED_AT)},
                {"maThietBi": theirs.device, "tuNgay": self._text(SWAPPED_AT), "denNgay": None},
            ]
            self.vessels.append(Change(self.moment(REGISTERED_AT), mine.key, {"thietBi": devices}))

    def _messages(self, vessel: Vessel, voyage: Voyage) -> Any:
        hour = _STRANGERS_SINCE_H if vessel.number > FLEET_SIZE else self.first
        # Every device has minutes of its own.
        hour += (vessel.number * 7 % 60) / 60
        while hour < self.last:
            latitude, longitude = voyage.at(hour)
            is_in_port = any(
                miles(latitude, longitude, p.latitude, p.longitude) < _NEAR_PORT_MILES for p in PORTS.values()
            )
            speed, course = (0.0, 0.0) if is_in_port else voyage.movement(hour)
            yield Message(
                hour,
                hour + (1 + vessel.number % 4) / 60,
                round(latitude, 5),
                round(longitude, 5),
                round(speed, 1),
                round(course),
            )
            hour += _IN_PORT_STEP_H if is_in_port else vessel.step_h

    def _send(self, vessel: Vessel, message: Message) -> None:
        device, spelling = vessel.device, vessel.spelling
        if vessel.number in SWAPPED and message.hour >= SWAPPED_AT:
            other = Vessel(**{**vessel.__dict__, "number": sum(SWAPPED) - vessel.number})
            device = other.device
            spelling = other.spelling if message.hour < SPELT_RIGHT_FROM else spelling
        key = f"{device}-{int(self.moment(message.hour).timestamp()) // 60}{message.suffix}"
        fields = {
            "soDangKy": spelling, "maThietBi": device, "thoiDiem": self._text(message.said),
            "viDo": message.latitude, "kinhDo": message.longitude, "tocDo": message.speed, "huong": message.course,
            "canhBao": message.alarm,
        }  # fmt: skip
        self.positions.append(Change(self.moment(message.received), key, fields))

    def _report(self, vessel: Vessel, voyage: Voyage) -> None:
        """Ports report two of three calls of the fleet, and what the stories say."""
        calls = list(stories.PORT_REPORTS.get(vessel.number, []))
        if vessel.number % 3 and vessel.number <= FLEET_SIZE and not calls:
            port = vessel.port
            for stay in voyage.stays:
                if (stay.latitude, stay.longitude) == (port.latitude, port.longitude) and not stay.radius:
                    calls += [(stay.begins, port.code, "vao"), (stay.ends, port.code, "ra")]
        for hour, code, direction in calls:
            if self.first <= hour < self.last:
                fields = {
                    "soDangKy": vessel.registration, "maCang": code or vessel.port.code, "loai": direction,
                    "thoiDiem": self._text(hour),
                }  # fmt: skip
                key = f"SK-{vessel.number:03d}-{round(hour * 60)}"
                self.port_events.append(Change(self.moment(hour + 0.2), key, fields))


class FishingVessels:
    """The stand-in; see :class:`sandbox.stand_in.StandIn`."""

    def __init__(self, folder: Path, seed: int, days: int, password: str, clock: Clock | None = None) -> None:
        self._anchor_file = folder / "fishing_vessels.json"
        self._seed, self._days = seed, days
        self.clock = clock or Clock()
        self._is_laid_out = False

        def interface(path: str, key_field: str, changed_field: str, **named: Any) -> Interface:
            return Interface(
                Store(self.clock),
                path=path,
                key_field=key_field,
                changed_field=changed_field,
                password=password,
                **named,
            )

        self.positions = interface("/vi-tri", "maBanTin", "thoiDiemNhan", paging="cursor", most=2000)
        self.vessels = interface("/tau", "maTau", "ngayCapNhat", most=200)
        self.port_events = interface("/cang", "maSuKien", "ngayCapNhat", most=500)
        self.router = APIRouter()
        for name, one in (("giam-sat", self.positions), ("dang-ky", self.vessels), ("cang-ca", self.port_events)):
            self.router.include_router(one.router, prefix=f"/{name}")

    def advance(self, now: int) -> int:
        if not self._is_laid_out:
            plan = Plan(self._seed, self._anchor(now), self._days)
            for one, changes in (
                (self.positions, plan.positions), (self.vessels, plan.vessels), (self.port_events, plan.port_events),
            ):  # fmt: skip
                one.store = Store(self.clock, changes)
            self._is_laid_out = True
        return sum(one.advance(now) for one in (self.positions, self.vessels, self.port_events))

    def _anchor(self, now: int) -> datetime:
        if not self._anchor_file.exists():
            write_atomically(self._anchor_file, json.dumps({"anchor": now // 60 * 60}).encode())
        return datetime.fromtimestamp(json.loads(self._anchor_file.read_text())["anchor"], UTC)

    def health(self) -> dict[str, Any]:
        return {
            "positions": len(self.positions.store.records()),
            "vessels": len(self.vessels.store.records()),
            "port_events": len(self.port_events.store.records()),
        }


def stand_in(settings: Settings) -> FishingVessels:
    password = Secrets.of(settings).get("sandbox_fishing_vessels")
    return FishingVessels(settings.home / "sandbox", settings.sandbox_seed, settings.sandbox_days, password)
