"""The ambient stations that the sandbox plays, and the stories planted in their data."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.stations.model import HOUR_S, Station, Story

# Usual spelling of the units; everything is written with one decimal but CO.
UNITS = {
    "PM2.5": "ug/Nm3", "PM10": "ug/Nm3", "SO2": "ug/Nm3", "NO2": "ug/Nm3", "CO": "ug/Nm3", "O3": "ug/Nm3",
    "Temp": "oC", "RH": "%",
}  # fmt: skip
DECIMALS = {"CO": 0}
PARAMETERS = tuple(UNITS)


@dataclass(frozen=True)
class AirStation(Station):
    """One ambient station.

    Attributes:
        pm25_ug_m3: Usual PM2.5 level in spring and autumn; the other levels follow the same idea.
        traffic: Strength of NO2 and CO, 1 = an ordinary street.
        so2_ug_m3: Usual SO2 level.
    """

    pm25_ug_m3: float
    traffic: float
    so2_ug_m3: float


STATIONS = (
    AirStation("TH_HACTHANH_KK01", "ftp", 24, 1.5, 11, missing="-9999"),
    AirStation("TH_BIMSON_KK02", "ftp", 26, 1.0, 24, decimal=",", names={"PM2.5": "PM2,5"}, missing="NaN"),
    AirStation(
        "TH_NGHISON_KK03", "ftp", 22, 0.9, 28,
        names={"PM2.5": "PM25"}, units={"CO": "mg/Nm3", "Temp": "°C"}, scales={"CO": 0.001}, decimals={"CO": 3},
        missing="---",
    ),
    AirStation("TH_SAMSON_KK04", "sftp", 15, 0.7, 8, separator=";", encoding="utf-8-sig", missing=""),
    # The logger's header for PM2.5 says mg/m3, its values are µg/m³: the registry corrects the unit.
    AirStation(
        "TH_LAMSON_KK05", "sftp", 16, 0.6, 9, names={"PM2.5": "PM-2-5"}, units={"PM2.5": "mg/m3"}, missing="-9999",
    ),
    AirStation(
        "TH_TINHGIA_KK06", "sftp", 17, 0.8, 13,
        encoding="cp1258", names={"Temp": "Nhiệt độ", "RH": "Độ ẩm"}, units={"PM2.5": "µg/m3", "PM10": "µg/m3"},
        missing="---",
    ),
    # A mobile station that nobody has entered in the registry.
    AirStation("TH_LUUDONG_KK99", "sftp", 20, 1.0, 10, missing="-9999", history_days=3),
)  # fmt: skip


def planted(anchor: int) -> tuple[Story, ...]:
    """The stories of a sandbox whose history ended at ``anchor`` when it was first laid out.

    Beside the kinds that every network knows: ``inversion``, PM2.5 reads above PM10.
    """

    def at(hours: float) -> int:
        return anchor + round(hours * HOUR_S)

    return (
        Story(
            "episode", "TH_BIMSON_KK02", at(-54), at(-38),
            parameter="PM2.5", profile=((0, 25), (3, 115), (6, 120), (8, 195), (13, 190), (16, 30)),
        ),
        Story(
            "episode", "TH_NGHISON_KK03", at(-9), at(30), parameter="PM2.5",
            profile=((0, 25), (4, 98), (9, 105), (36, 100), (39, 25)),
        ),
        Story("fixed", "TH_SAMSON_KK04", at(-20), at(-2), parameter="SO2", value=17.3),
        Story("calibration", "TH_HACTHANH_KK01", at(-26), at(-24), parameter="PM10", value=985.0),
        Story("outage", "TH_LAMSON_KK05", at(-78), at(-72), resend_at=at(-71)),
        Story("fixed", "TH_TINHGIA_KK06", at(-34), at(-29), parameter="CO", value=172_000.0),
        Story("inversion", "TH_SAMSON_KK04", at(-16), at(-13)),
    )  # fmt: skip
