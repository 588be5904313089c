"""The fictitious fleet: eighty vessels and three that no registry knows, with owners who do not exist."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Port:
    """A fishing port; the place is approximate, degrees WGS 84."""

    code: str
    latitude: float
    longitude: float


PORTS = {
    port.code: port
    for port in (
        Port("LACH_HOI", 19.778, 105.912),
        Port("LACH_BANG", 19.408, 105.800),
        Port("HOA_LOC", 19.900, 105.955),
        Port("LACH_GHEP", 19.605, 105.828),
        Port("NGHI_SON", 19.318, 105.822),
    )
}
# Communes on the coast and the port that their vessels call home.
_HOMES = (
    ("16531", "LACH_HOI"), ("16561", "LACH_BANG"), ("16078", "HOA_LOC"), ("16576", "LACH_GHEP"),
    ("16654", "NGHI_SON"), ("16549", "LACH_GHEP"), ("16645", "LACH_BANG"), ("16072", "HOA_LOC"),
)  # fmt: skip
_GEARS = ("Lưới kéo", "Lưới rê", "Lưới chụp", "Lưới vây", "Nghề câu", "Lồng bẫy")
FLEET_SIZE = 80
# How a registration number is spelt: by the registry, and by five kinds of device.
_SPELLINGS = ("TH-{n}-TS", "TH {n} TS", "th{n}ts", " Th-{n}-ts ", "TH{n}-TS")
# Sent by vessels that no registry of the province knows; the last one cannot be read at all.
STRANGERS = {81: "TH-99999-TS", 82: "BTh 97188 TS", 83: "TAU CA 36"}


@dataclass(frozen=True)
class Vessel:
    """A vessel of the fleet.

    Attributes:
        number: 1 to 80; strangers from 81 on.
        length_m: Greatest length, metres; decides the zone where it may fish.
        step_h: Hours between two messages at sea.
    """

    number: int
    length_m: float
    commune: str
    port: Port
    gear: str
    step_h: int

    @property
    def key(self) -> str:
        return f"TAU{self.number:04d}"

    @property
    def device(self) -> str:
        return f"TB{36000 + self.number}"

    @property
    def registration(self) -> str:
        """The registry's spelling."""
        return STRANGERS.get(self.number) or _SPELLINGS[0].format(n=90000 + self.number)

    @property
    def spelling(self) -> str:
        """The device's spelling."""
        return STRANGERS.get(self.number) or _SPELLINGS[self.number % len(_SPELLINGS)].format(n=90000 + self.number)

    def record(self, licence_until: str, devices: list[dict[str, Any]]) -> dict[str, Any]:
        """What the registry says of it."""
        return {
            "soDangKy": self.registration,
            "chuTau": {
                "hoTen": f"Chủ Tàu Giả Định {self.number:02d}",
                "cccd": f"000000{self.number:06d}",
                "dienThoai": f"09000{self.number:05d}",
                "diaChi": "Địa chỉ giả định",
            },
            "maXa": self.commune,
            "chieuDaiLonNhat": self.length_m,
            "congSuat": round(self.length_m**2 * 0.9),
            "nghe": self.gear,
            "giayPhepDen": licence_until,
            "trangThai": "Đang hoạt động",
            "thietBi": devices,
        }


def fleet(seed: int) -> list[Vessel]:
    """All vessels, the same for the same seed. 1 to 40 and 61 to 83 are 15 m and longer, the first 25 speak hourly."""
    generator = random.Random(f"fleet-{seed}")
    vessels = []
    for number in range(1, FLEET_SIZE + len(STRANGERS) + 1):
        commune, port = _HOMES[number % len(_HOMES)]
        length = generator.uniform(15.2, 23.8)
        if 41 <= number <= 53:
            length = generator.uniform(12.0, 14.9)
        elif 54 <= number <= 60:
            length = generator.uniform(8.5, 11.9)
        step = 1 if number <= 25 and number not in (3, 7, 8) else 2
        vessels.append(
            Vessel(number, round(length, 1), commune, PORTS[port], generator.choice(_GEARS), step)
        )  # fmt: skip
    return vessels


def zone_of(vessel: Vessel) -> str:
    """Where it may fish, by length (NĐ 26/2019/NĐ-CP, article 43)."""
    return "khoi" if vessel.length_m >= 15 else "long" if vessel.length_m >= 12 else "ven_bo"
