"""The outlets that the sandbox plays, each with its logger's habits, and the stories planted in their data.

Plants are made up. Waste water is in mg/l, flue gas in mg/Nm3 as measured (not yet at the reference oxygen).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sandbox.stations.model import HOUR_S, Station, Story
from sandbox.stations.tt10 import VIETNAM

UNITS = {
    "Flow": "m3/h", "Temp": "oC", "pH": "pH", "COD": "mg/l", "TSS": "mg/l", "NH4": "mg/l",
    "O2": "%", "PM": "mg/Nm3", "SO2": "mg/Nm3", "NOx": "mg/Nm3", "CO": "mg/Nm3",
}  # fmt: skip
DECIMALS = {"pH": 2, "NH4": 2, "O2": 2}
# The day on which the renewed permit of TH_BIMSON_KT06 halves its limit of dust (seed discharge_limit).
PERMIT_RENEWED_ON = datetime(2026, 11, 12, tzinfo=VIETNAM)


@dataclass(frozen=True)
class Outlet(Station):
    """One outlet.

    Attributes:
        levels: Parameter → usual level; also which parameters the station sends, in this order.
    """

    levels: dict[str, float] = field(default_factory=dict)


def _water(*levels: float) -> dict[str, float]:
    return dict(zip(("Flow", "Temp", "pH", "COD", "TSS", "NH4"), levels, strict=True))


def _gas(*levels: float) -> dict[str, float]:
    return dict(zip(("Flow", "Temp", "O2", "PM", "SO2", "NOx", "CO"), levels, strict=True))


STATIONS = (
    Outlet("TH_NGHISON_NT01", "ftp", _water(320, 30, 7.3, 85, 52, 4.6), missing="-9999"),
    Outlet(
        "TH_LEMON_NT02", "ftp", _water(90, 29, 7.1, 36, 22, 2.1),
        decimal=",", names={"NH4": "N-NH4", "Temp": "Nhietdo"}, units={"COD": "mg/L", "TSS": "mg/L"}, missing="NaN",
    ),
    Outlet(
        "TH_HOANGLONG_NT03", "sftp", _water(46, 31, 7.6, 44, 21, 3.1),
        separator=";", encoding="utf-8-sig", missing="",
    ),
    # The logger counts flow in litres per second.
    Outlet(
        "TH_LAMSON_NT04", "sftp", _water(18, 32, 6.9, 72, 46, 4.2),
        encoding="cp1258", names={"Temp": "Nhiệt độ", "Flow": "Lưu lượng", "NH4": "Amoni"}, units={"Flow": "l/s"},
        scales={"Flow": 1 / 3.6}, decimals={"Flow": 3}, missing="---",
    ),
    Outlet("TH_NGHISON_KT05", "ftp", _gas(410_000, 88, 7.2, 26, 105, 165, 120), missing="-9999"),
    Outlet(
        "TH_BIMSON_KT06", "ftp", _gas(260_000, 105, 11.2, 25, 120, 330, 260),
        names={"PM": "Bụi", "NOx": "NOX"}, missing="---",
    ),
    # SO2 in ppm of a dry gas at 25 °C.
    Outlet(
        "TH_LAMSON_KT07", "sftp", _gas(58_000, 135, 9.4, 78, 140, 230, 330),
        units={"SO2": "ppm"}, scales={"SO2": 24.45 / 64.064}, decimals={"SO2": 2}, missing="-9999",
    ),
    # An outlet that nobody has entered in the registry.
    Outlet("TH_TAMTHOI_NT99", "sftp", _water(12, 28, 7.4, 40, 25, 2.0), missing="-9999", history_days=2),
)  # fmt: skip


def planted(anchor: int) -> tuple[Story, ...]:
    """The stories of a sandbox whose history ended at ``anchor`` when it was first laid out.

    Beside the kinds that every network knows: ``shutdown``, the stack carries air (oxygen reads ``value``).
    """

    def at(hours: float) -> int:
        return anchor + round(hours * HOUR_S)

    renewed = int(PERMIT_RENEWED_ON.timestamp())
    return (
        Story("outage", "TH_HOANGLONG_NT03", at(-340), at(-327)),
        Story("outage", "TH_LAMSON_KT07", at(-202), at(-187), resend_at=at(-186)),
        Story(
            "episode", "TH_LEMON_NT02", at(-130), at(-116), parameter="NH4",
            profile=((0, 2), (2, 8), (4, 12), (10, 11.5), (14, 2)),
        ),
        Story("error", "TH_BIMSON_KT06", at(-100), at(-96), parameter="PM", value=999.0),
        Story("shutdown", "TH_NGHISON_KT05", at(-60), at(-54), parameter="O2", value=20.95),
        Story("fixed", "TH_NGHISON_NT01", at(-52), at(-49), parameter="pH", value=4.6),
        Story("fixed", "TH_LEMON_NT02", at(-30), at(-30 + 1 / 6), parameter="TSS", value=90.0),
        Story("calibration", "TH_NGHISON_KT05", at(-26), at(-24), parameter="SO2", value=2000.0),
        Story("fixed", "TH_LAMSON_NT04", at(-20), at(-8), parameter="TSS", value=47.3),
        Story(
            "episode", "TH_LAMSON_NT04", at(-4), at(30), parameter="COD",
            profile=((0, 75), (1, 240), (2, 262), (31, 255), (34, 75)),
        ),
        Story("outage", "TH_HOANGLONG_NT03", at(-1.5), at(5), resend_at=at(5.25)),
        # On the calendar, not around the anchor: the same dust is lawful before the permit was renewed, and not after.
        Story(
            "episode", "TH_BIMSON_KT06", renewed - 30 * HOUR_S, renewed + 18 * HOUR_S, parameter="PM",
            profile=((0, 26), (4, 60), (44, 60), (48, 26)),
        ),
    )  # fmt: skip
