"""The ambient stations that the sandbox plays, each with its logger's habits, and the stories planted in their data.

Times are epoch seconds; every mark is a multiple of five minutes and labels the END of its averaging period.
"""

from __future__ import annotations

from dataclasses import dataclass, field

STEP_S = 300
HOUR_S = 3600
PARAMETERS = ("PM2.5", "PM10", "SO2", "NO2", "CO", "O3", "Temp", "RH")


@dataclass(frozen=True)
class Station:
    """One station and how its logger writes.

    Attributes:
        code: Name of the folder and first part of every file name.
        server: ``ftp`` (one flat folder) or ``sftp`` (folders ``yyyy/MM/dd``).
        pm25_ug_m3: Usual PM2.5 level in spring and autumn; the other levels follow the same idea.
        traffic: Strength of NO2 and CO, 1 = an ordinary street.
        so2_ug_m3: Usual SO2 level.
        names: Spelling of parameters where it differs from the canonical symbol.
        units: Spelling of units where it differs from ``ug/Nm3``, ``oC`` and ``%``.
        missing: What the logger writes when it has no value.
        co_in_mg: CO is sent in mg/Nm3 instead of µg/Nm3.
        history_days: Days of history at most (a mobile station arrived recently).
    """

    code: str
    server: str
    pm25_ug_m3: float
    traffic: float
    so2_ug_m3: float
    separator: str = "\t"
    encoding: str = "utf-8"
    decimal: str = "."
    names: dict[str, str] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    missing: str = ""
    co_in_mg: bool = False
    history_days: int | None = None


STATIONS = (
    Station("TH_HACTHANH_KK01", "ftp", 24, 1.5, 11, missing="-9999"),
    Station("TH_BIMSON_KK02", "ftp", 26, 1.0, 24, decimal=",", names={"PM2.5": "PM2,5"}, missing="NaN"),
    Station(
        "TH_NGHISON_KK03", "ftp", 22, 0.9, 28,
        names={"PM2.5": "PM25"}, units={"CO": "mg/Nm3", "Temp": "°C"}, missing="---", co_in_mg=True,
    ),
    Station("TH_SAMSON_KK04", "sftp", 15, 0.7, 8, separator=";", encoding="utf-8-sig", missing=""),
    # The logger's header for PM2.5 says mg/m3, its values are µg/m³: the registry corrects the unit.
    Station("TH_LAMSON_KK05", "sftp", 16, 0.6, 9, names={"PM2.5": "PM-2-5"}, units={"PM2.5": "mg/m3"}, missing="-9999"),
    Station(
        "TH_TINHGIA_KK06", "sftp", 17, 0.8, 13,
        encoding="cp1258", names={"Temp": "Nhiệt độ", "RH": "Độ ẩm"}, units={"PM2.5": "µg/m3", "PM10": "µg/m3"},
        missing="---",
    ),
    # A mobile station that nobody has entered in the registry.
    Station("TH_LUUDONG_KK99", "sftp", 20, 1.0, 10, missing="-9999", history_days=3),
)  # fmt: skip


def station(code: str) -> Station:
    """The station called ``code``.

    Raises:
        KeyError: no such station; the message lists the known ones.
    """
    for candidate in STATIONS:
        if candidate.code == code:
            return candidate
    raise KeyError(f"no station '{code}'; known: {', '.join(s.code for s in STATIONS)}")


@dataclass(frozen=True)
class Story:
    """Something that happens to a station for marks with ``start < mark <= end``.

    Attributes:
        kind: ``episode`` (PM2.5 follows ``profile``, PM10 with it), ``fixed`` (``parameter`` reads ``value``, status
            unchanged: a stuck or broken sensor), ``calibration`` (the same with status 01), ``outage`` (silence,
            then all of it in one file at ``resend_at``), ``inversion`` (PM2.5 reads above PM10).
        profile: Points (hours after ``start``, PM2.5 in µg/m³) of an episode.
        value: In µg/m³ whatever unit the logger writes.
    """

    kind: str
    station: str
    start: int
    end: int
    parameter: str = ""
    value: float = 0.0
    profile: tuple[tuple[float, float], ...] = ()
    resend_at: int = 0


def planted(anchor: int) -> tuple[Story, ...]:
    """The stories of a sandbox whose history ended at ``anchor`` when it was first laid out."""

    def at(hours: float) -> int:
        return anchor + round(hours * HOUR_S)

    return (
        Story(
            "episode", "TH_BIMSON_KK02", at(-54), at(-38),
            profile=((0, 25), (3, 115), (6, 120), (8, 195), (13, 190), (16, 30)),
        ),
        Story("episode", "TH_NGHISON_KK03", at(-9), at(30), profile=((0, 25), (4, 98), (9, 105), (36, 100), (39, 25))),
        Story("fixed", "TH_SAMSON_KK04", at(-20), at(-2), parameter="SO2", value=17.3),
        Story("calibration", "TH_HACTHANH_KK01", at(-26), at(-24), parameter="PM10", value=985.0),
        Story("outage", "TH_LAMSON_KK05", at(-78), at(-72), resend_at=at(-71)),
        Story("fixed", "TH_TINHGIA_KK06", at(-34), at(-29), parameter="CO", value=172_000.0),
        Story("inversion", "TH_SAMSON_KK04", at(-16), at(-13)),
    )  # fmt: skip
