"""Guest tokens: what is in them, and that nothing unsafe gets into a row filter."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING

import jwt
import pytest

from ioc.embed import AUDIENCE, EMBEDDED_FILE, DashboardNotPublished, RowFilter, guest_token, published
from ioc.secrets import Secrets
from ioc.settings import PROJECT_ROOT, Settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    target = tmp_path / EMBEDDED_FILE
    target.parent.mkdir()
    target.write_text(
        json.dumps(
            {
                "dashboards": {"air_quality": "u-1", "air_quality_phone": "u-2"},
                "datasets": {"rpt_air_quality_current": 7},
            }
        )
    )
    return Settings(home=tmp_path)


def _claims(settings: Settings, token: str) -> dict[str, object]:
    secret = Secrets.of(settings).get("superset_guest_jwt")
    return dict(jwt.decode(token, secret, algorithms=["HS256"], audience=AUDIENCE))


def test_a_token_opens_one_dashboard_for_five_minutes(home: Settings) -> None:
    minted = guest_token("air_quality", "lanh.dao", settings=home)
    claims = _claims(home, minted.token)
    assert claims["resources"] == [{"type": "dashboard", "id": "u-1"}]
    assert claims["type"] == "guest"
    assert claims["rls_rules"] == []
    assert 290 < int(str(claims["exp"])) - time.time() <= 300
    assert minted.as_dict()["superset_domain"] == home.superset_url()
    assert guest_token("air_quality", "lanh.dao", phone=True, settings=home).embedded_uuid == "u-2"
    assert published(home) == {"air_quality": "u-1", "air_quality_phone": "u-2"}


def test_row_filters_name_the_dataset_by_its_id_in_this_installation(home: Settings) -> None:
    rows = [RowFilter("unit_code", ["SO-NNMT"]), RowFilter("station_code", [1, 2], "rpt_air_quality_current")]
    claims = _claims(home, guest_token("air_quality", "x", rows=rows, settings=home).token)
    assert claims["rls_rules"] == [
        {"clause": "unit_code in ('SO-NNMT')"},
        {"clause": "station_code in (1, 2)", "dataset": 7},
    ]


def test_no_values_means_no_rows_not_all_rows() -> None:
    assert RowFilter("unit_code", []).clause() == "1 = 0"


@pytest.mark.parametrize(
    "row",
    [
        RowFilter("unit_code", ["x') or ('1'='1"]),
        RowFilter("unit_code", ["x'--"]),
        RowFilter("unit_code; drop", ["x"]),
        RowFilter("1=1 or unit_code", ["x"]),
        RowFilter("unit_code", ["x\\"]),
        RowFilter("unit_code", [True]),
        RowFilter("unit_code", [""]),
    ],
)
def test_what_could_change_the_query_is_refused(row: RowFilter) -> None:
    with pytest.raises(ValueError, match="not a"):
        row.clause()


def test_an_unpublished_dashboard_says_how_to_go_on(home: Settings, tmp_path: Path) -> None:
    with pytest.raises(DashboardNotPublished, match="ioc superset push"):
        guest_token("traffic", "x", settings=home)
    with pytest.raises(DashboardNotPublished, match="ioc superset push"):
        guest_token("air_quality", "x", settings=Settings(home=tmp_path / "empty"))


def test_both_sides_name_the_same_audience() -> None:
    security = (PROJECT_ROOT / "superset_assets" / "security.py").read_text(encoding="utf-8")
    assert re.search(r'^GUEST_AUDIENCE = "(.+)"$', security, re.MULTILINE)[1] == AUDIENCE  # type: ignore[index]
