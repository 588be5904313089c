"""Names that stations give to what they measure → the symbols of TT 10/2021 (Phụ lục 15, table 34) and usual additions.

Spelling only: which parameter a station ought to send, and in which unit, is the registry's business.
"""

from __future__ import annotations

import re

from extractors.core.formats.text import fold

# Symbol → further names, folded (no case, marks, signs). The symbol's own folded form always counts.
_NAMES: dict[str, tuple[str, ...]] = {
    "PM2.5": ("buipm25", "buimin25", "pm25dust"),
    "PM10": ("buipm10",),
    "PM1": ("buipm1",),
    "TSP": ("buitsp", "builolung", "tongbuilolung"),
    "PM": ("bui", "dust", "buitong"),
    "O3": ("ozone", "ozon"),
    "NO2": (),
    "SO2": (),
    "CO": (),
    "NO": (),
    "NOx": (),
    "CO2": (),
    "NH3": (),
    "H2S": (),
    "O2": ("oxy", "oxygen"),
    "HCl": (),
    "HF": (),
    "VHg": ("hg", "hoithuyngan"),
    "Temp": ("nhietdo", "temperature", "t", "tmp", "airtemp", "nhietdokhongkhi"),
    "RH": ("doam", "humidity", "hum", "humi", "relativehumidity"),
    "P": ("apsuat", "pressure", "press", "baro", "airpressure"),
    "WindSpeed": ("ws", "windspd", "tocdogio", "wspd"),
    "WindDir": ("wd", "winddirection", "huonggio", "wdir"),
    "Rain": ("luongmua", "rainfall"),
    "Radiation": ("bucxa", "rad", "solarradiation", "bucxamattroi"),
    "Flow": ("luuluong", "q", "flowrate", "luuluongnuocthai", "luuluongkhithai"),
    "FlowIn": ("luuluongdauvao", "luuluongvao", "flowinlet"),
    "FlowOut": ("luuluongdaura", "luuluongra", "flowoutlet"),
    "pH": ("doph",),
    "Color": ("colour", "domau", "mau"),
    "TSS": ("chatranlolung", "ss"),
    "COD": (),
    "BOD5": ("bod",),
    "NH4": ("nh4n", "nnh4", "amoni", "amonia", "ammonium", "amoniac"),
    "TP": ("tongp", "totalp", "tongphotpho", "tphotpho"),
    "TN": ("tongn", "totaln", "tongnito", "tnito"),
    "TOC": (),
    "Cl": ("clorua", "chloride"),
    "DO": (),
    "EC": (),
    "Turbidity": ("doduc",),
}
_BY_KEY = {key: symbol for symbol, names in _NAMES.items() for key in (fold(symbol), *names)}
_PM1 = re.compile(r"(?:b[ụu]i[\s_-]*)?pm[\s_-]*1[.,_-]0", re.IGNORECASE)
# "CO(mg/Nm3)", "Nhiệt độ [°C]": the unit has its own field, or the registry corrects it.
_BRACKETED = re.compile(r"\s*[(\[][^()\[\]]*[)\]]\s*$")


def known(name: str) -> str | None:
    """The symbol for ``name``; None when nobody knows it."""
    name = _BRACKETED.sub("", name.strip())
    if _PM1.fullmatch(name):
        return "PM1"
    return _BY_KEY.get(fold(name))


def symbol(name: str) -> str:
    """The symbol for ``name``, or the name itself: an unknown parameter is landed and flagged, not lost."""
    return known(name) or name
