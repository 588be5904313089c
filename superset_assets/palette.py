"""Colours: the AQI regulation's (QĐ 1459/QĐ-TCMT, 12/11/2019), exact for every integer, and a calm default set."""

from __future__ import annotations

from typing import Any

# (last AQI of the category, its name, its colour)
AQI_CATEGORIES: tuple[tuple[int, str, str], ...] = (
    (50, "Tốt", "#00E400"),
    (100, "Trung bình", "#FFFF00"),
    (150, "Kém", "#FF7E00"),
    (200, "Xấu", "#FF0000"),
    (300, "Rất xấu", "#8F3F97"),
    (500, "Nguy hại", "#7E0023"),
)


def aqi_colour(aqi: int) -> str:
    """Colour of an AQI value between 0 and 500."""
    return next(colour for last, _name, colour in AQI_CATEGORIES if aqi <= last)


# A heat map interpolates between the colours of a scheme spread evenly over its bounds: 501 colours over 0 to 500 make
# every integer AQI hit its category's colour exactly, where a short list would blend neighbouring categories.
AQI_SEQUENTIAL: dict[str, Any] = {
    "id": "ioc_aqi",
    "description": "Thang màu AQI theo QĐ 1459/QĐ-TCMT, giới hạn 0–500",
    "isDiverging": False,
    "label": "AQI (QĐ 1459)",
    "isDefault": False,
    "colors": [aqi_colour(aqi) for aqi in range(501)],
}
CATEGORICAL: dict[str, Any] = {
    "id": "ioc",
    "description": "Bảng màu mặc định của trung tâm",
    "label": "IOC",
    "isDefault": True,
    "colors": [
        "#0B5CAD", "#E07B00", "#1B9E77", "#C2185B", "#6A4FB3", "#8D6E63",
        "#00A3C4", "#9AA000", "#5C6B7A", "#D64545", "#2E7D32", "#B8860B",
    ],
}  # fmt: skip


def completeness_colour(percent: int) -> str:
    """Colour of a completeness share: below 75 % an hour or a day does not count."""
    return "#D64545" if percent < 75 else "#F2C14E" if percent < 90 else "#2E9E5B"


COMPLETENESS_SEQUENTIAL: dict[str, Any] = {
    "id": "ioc_completeness",
    "description": "Tỷ lệ đủ dữ liệu: dưới 75 %, 75–90 %, từ 90 %",
    "isDiverging": False,
    "label": "Đủ dữ liệu",
    "isDefault": False,
    "colors": [completeness_colour(percent) for percent in range(101)],
}


def ratio_colour(percent: int) -> str:
    """Colour of a ratio to the limit in percent: the bands of seed ``discharge_ratio_band`` up to twice the limit."""
    bands = ((80, "#2E9E5B"), (100, "#9CCB6B"), (110, "#F2C230"), (150, "#F59E2C"), (200, "#EE7A1C"))
    return next(colour for last, colour in bands if percent <= last)


RATIO_SEQUENTIAL: dict[str, Any] = {
    "id": "ioc_ratio",
    "description": "Tỷ số so với giới hạn, 0 đến 2; trên 1 là vượt",
    "isDiverging": False,
    "label": "So với giới hạn",
    "isDefault": False,
    "colors": [ratio_colour(percent) for percent in range(201)],
}
