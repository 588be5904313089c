"""The discharge page: who is over its limit comes first, silence is said, a commune sees its outlets only."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from psycopg import sql

from ioc import warehouse
from portal import users
from portal.domains.industrial_discharge import page
from tests.integration.portal.conftest import Person, officer_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI

    from ioc.settings import Settings

PAGE = "/linh-vuc/industrial_discharge"


def _row(code: str, unit: str, parameter: str, ratio: float | None, **named: Any) -> dict[str, Any]:
    over = ratio is not None and ratio > 1
    return {
        "outlet_code": code, "outlet_name": f"Cửa xả {code}", "medium_vi": "Nước thải", "plant_name": "Nhà máy (mẫu)",
        "zone_name": "KCN Lễ Môn", "commune_code": unit, "commune_name": "Phường", "unit_code": unit,
        "is_registered": True, "latitude": 19.4, "longitude": 105.8, "parameter": parameter,
        "parameter_name_vi": parameter, "unit_label": "mg/l", "parameter_order": 1,
        "measured_at": datetime.now(UTC) - timedelta(minutes=4), "value": 90 * (ratio or 0), "limit_max": 90,
        "limit_vi": "≤ 90", "ratio": ratio, "is_exceeded": over,
        "band_vi": "Vượt 1,5 đến dưới 2 lần" if over else "Trong giới hạn",
        "band_color": "#EE7A1C" if over else "#2E9E5B", "status_vi": "Đang đo", "is_silent": False, **named,
    }  # fmt: skip


@pytest.fixture(scope="module")
def _outlets(installation: Settings, _filled: None) -> None:
    rows = [
        _row("NT_TOT", "16654", "COD", 0.4),
        _row("NT_VUOT", "14797", "TSS", 0.7),
        _row("NT_VUOT", "14797", "COD", 1.72),
        _row("NT_IM", "14797", "COD", 3.0, is_silent=True, status_vi="Mất kết nối", band_vi="Không có số liệu mới"),
        _row("NT_CHUAN", "14797", "COD", None, status_vi="Đang hiệu chuẩn", value=None),
    ]
    with warehouse.connect("owner", installation) as connection:
        for row in rows:
            connection.execute(
                sql.SQL("insert into serving.rpt_industrial_discharge_current ({}) values ({})").format(
                    sql.SQL(", ").join(map(sql.Identifier, row)), sql.SQL(", ").join(map(sql.Placeholder, row))
                ),
                row,
            )


@pytest.fixture
def commune_officer(app: FastAPI, settings: Settings, _outlets: None) -> Person:
    return officer_of("16654", "nghison", app, settings)


@pytest.mark.usefixtures("_outlets")
def test_the_worst_outlet_comes_first_and_silence_is_no_exceedance(signed_in: Callable[[str], Person]) -> None:
    text = signed_in("lanhdao").text(PAGE)
    assert "1 cửa xả đang vượt giới hạn; cao nhất là Cửa xả NT_VUOT, COD." in text
    places = [text.index(f'id="cua-xa-{code}"') for code in ("NT_VUOT", "NT_TOT")]
    assert places == sorted(places)
    assert places[-1] < min(text.index('id="cua-xa-NT_IM"'), text.index('id="cua-xa-NT_CHUAN"'))
    assert "1/4 cửa xả mất kết nối" in text
    assert "Đang hiệu chuẩn" in text
    assert 'data-slug="industrial_discharge"' in text


@pytest.mark.usefixtures("_outlets")
def test_the_tile_counts_outlets_over_their_limit(signed_in: Callable[[str], Person]) -> None:
    text = signed_in("lanhdao").text("/")
    assert "Cao nhất: Cửa xả NT_VUOT, COD bằng 1,72 lần giới hạn" in text
    english = signed_in("lanhdao")
    english.browser.cookies.set("ioc_lang", "en")
    assert "cửa xả" not in english.text(PAGE).replace("Cửa xả NT", "")


def test_an_officer_of_a_commune_sees_its_outlets_only(
    commune_officer: Person, signed_in: Callable[[str], Person]
) -> None:
    text = commune_officer.text(PAGE)
    assert "NT_TOT" in text
    assert "NT_VUOT" not in text
    everything = signed_in("truc").text(PAGE)
    assert "NT_TOT" in everything
    assert "NT_VUOT" in everything
    officer = users.User(1, "nghison", "Cán bộ", "officer", "16654")
    assert [(one.column, list(one.values)) for one in page.row_filters(officer)] == [("unit_code", ["16654"])]
    assert page.row_filters(users.User(2, "truc", "Cán bộ", "officer", "SNNMT")) == []
