"""What a guest of the portal sees of Superset: every chart of every dashboard, his rows only, and only while he may."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import psycopg
import pytest
import requests

from ioc import embed, warehouse
from ioc.domains import all_domains
from portal.domains import citizen_feedback
from portal.users import User
from superset_assets import bundle, datasets, phone, sync

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Superset

STATIONS = "charts/air_quality/aqi_by_station"


def _paths_by_uuid() -> dict[str, str]:
    assets = bundle.read()
    return {content["uuid"]: path for path, content in (assets | phone.versions(assets)).items()}


def _dashboard_id(superset: Superset, slug: str) -> int:
    return int(sync.client_of(superset.settings).get(f"/api/v1/dashboard/{slug}")["result"]["id"])


def test_the_sample_has_the_columns_that_dbt_promises(superset: Superset) -> None:
    with psycopg.connect(warehouse.url("owner", superset.settings)) as connection:
        rows = connection.execute(
            "select table_name, column_name, upper(data_type) from information_schema.columns"
            " where table_schema = 'serving'"
        ).fetchall()
    sample = {name for name, _column, _type in rows}
    promised = {
        (model.name, column.name, column.data_type)
        for model in datasets.models().values()
        if model.name in sample
        for column in model.columns
    }
    assert set(rows) == promised


def test_a_guest_gets_data_for_every_chart_of_every_published_dashboard(superset: Superset) -> None:
    assets = bundle.read()
    assets |= phone.versions(assets)
    paths = _paths_by_uuid()
    published = embed.published(superset.settings)
    slugs = {"alerts", "pipeline_health"} | {domain.name for domain in all_domains() if domain.status == "live"}
    assert set(published) == slugs | {f"{slug}_phone" for slug in slugs}
    asked = 0
    for content in (content for path, content in assets.items() if bundle.kind_of(path) == "dashboards"):
        minted = embed.guest_token(content["slug"], "lanh.dao", settings=superset.settings)
        number = _dashboard_id(superset, content["slug"])
        for meta in bundle.charts_in(content):
            path = paths[meta["uuid"]]
            # The phone's version asks for the same data again: the cache may answer, rights are checked anyway.
            answer = superset.ask(path, minted.token, number, force=False)
            assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text[:300]}"
            assert answer.json()["result"][0]["rowcount"] > 0, f"{path}: no rows"
            asked += 1
    assert asked >= 40


def test_a_guest_may_not_ask_for_anything_but_the_stored_queries(superset: Superset, token: str) -> None:
    number = _dashboard_id(superset, "air_quality")
    other = {"expressionType": "SQL", "sqlExpression": "max(pm25_ug_m3)", "label": "aqi_max"}
    answer = superset.ask(STATIONS, token, number, queries={"metrics": [other]})
    assert answer.status_code == 403
    elsewhere = superset.ask("charts/pipeline_health/sources", token, number)
    assert elsewhere.status_code == 403


def test_a_guest_may_ask_a_filter_for_its_own_column_only(superset: Superset, token: str) -> None:
    number = _dashboard_id(superset, "air_quality")
    metadata = bundle.read()["dashboards/air_quality"]["metadata"]
    station_filter = metadata["native_filter_configuration"][0]["id"]

    def ask(column: str) -> requests.Response:
        body = {
            "datasource": {"id": superset.dataset_ids["rpt_air_quality_current"], "type": "table"},
            "queries": [{"columns": [column], "metrics": [], "row_limit": 100}],
            "form_data": {"type": "NATIVE_FILTER", "native_filter_id": station_filter, "dashboardId": number},
            "result_type": "full", "result_format": "json",
        }  # fmt: skip
        return requests.post(
            f"{superset.url}/api/v1/chart/data", json=body, headers={"X-GuestToken": token}, timeout=60
        )

    assert len(ask("station_name").json()["result"][0]["data"]) == 6
    assert ask("unit_code").status_code == 403


def test_row_filters_hold_and_the_cache_does_not_mix_two_units(superset: Superset) -> None:
    number = _dashboard_id(superset, "air_quality")
    seen = {}
    for unit in ("BQL-KKTNS", "SO-NNMT", "BQL-KKTNS"):
        rows = [embed.RowFilter("unit_code", [unit])]
        minted = embed.guest_token("air_quality", unit, rows=rows, settings=superset.settings)
        answer = superset.ask(STATIONS, minted.token, number, force=False)
        assert answer.status_code == 200, answer.text[:300]
        seen[unit] = {row["station_name"] for row in answer.json()["result"][0]["data"]}
    assert seen["BQL-KKTNS"] == {"Nghi Sơn"}
    assert seen["SO-NNMT"] == {"Hạc Thành", "Bỉm Sơn", "Sầm Sơn", "Lam Sơn", "Mường Lát"}
    nobody = embed.guest_token("air_quality", "x", rows=[embed.RowFilter("unit_code", [])], settings=superset.settings)
    assert superset.ask(STATIONS, nobody.token, number).json()["result"][0]["data"] == []


@pytest.mark.parametrize("domain", sorted(domain.name for domain in all_domains() if domain.status == "live"))
def test_every_chart_of_a_domain_works_under_a_units_row_filter(superset: Superset, domain: str) -> None:
    number = _dashboard_id(superset, domain)
    charts = [_paths_by_uuid()[meta["uuid"]] for meta in bundle.charts_in(superset.assets[f"dashboards/{domain}"])]
    table = superset.table_of(charts[0])
    with psycopg.connect(warehouse.url("owner", superset.settings)) as connection:
        row = connection.execute(f"select min(unit_code), count(distinct unit_code) from serving.{table}").fetchone()
    assert row is not None
    assert row[1] > 1, "a filter that leaves nothing out shows nothing"
    rows = [embed.RowFilter("unit_code", [row[0]])]
    minted = embed.guest_token(domain, "can.bo", rows=rows, settings=superset.settings)
    everything = embed.guest_token(domain, "lanh.dao", settings=superset.settings)
    differs = False
    for path in charts:
        answer = superset.ask(path, minted.token, number, force=False)
        assert answer.status_code == 200, f"{path}: {answer.text[:300]}"
        if not differs:
            unfiltered = superset.ask(path, everything.token, number, force=False).json()["result"][0]["data"]
            differs = answer.json()["result"][0]["data"] != unfiltered
    assert differs, "the officer of one unit sees what everybody sees"


def test_an_officer_s_dashboard_of_feedback_shows_the_own_unit_s_figures_only(superset: Superset) -> None:
    """Every chart under the row filter that the portal puts into an officer's token."""
    number, unit = _dashboard_id(superset, "citizen_feedback"), "15865"
    rows = citizen_feedback.row_filters(User(1, "can.bo", "Cán bộ", "officer", unit))
    minted = embed.guest_token("citizen_feedback", "can.bo", rows=rows, settings=superset.settings)
    with psycopg.connect(warehouse.url("owner", superset.settings)) as connection:
        counted = connection.execute(
            "select count(*) filter (where is_open), count(*) filter (where is_overdue), count(rating), "
            "array_agg(report_code) from serving.rpt_citizen_feedback_report where unit_code = %s",
            (unit,),
        ).fetchone()
    assert counted
    figures = dict(zip(("open", "overdue", "rating_count"), counted[:3], strict=True))
    assert all(figures.values())
    named = 0
    for meta in bundle.charts_in(bundle.read()["dashboards/citizen_feedback"]):
        path = _paths_by_uuid()[meta["uuid"]]
        answer = superset.ask(path, minted.token, number)
        assert answer.status_code == 200, f"{path}: {answer.text[:300]}"
        data = answer.json()["result"][0]["data"]
        assert {row["unit_name"] for row in data if "unit_name" in row} <= {"Xã Hoằng Hoá"}, path
        assert {row["report_link"] for row in data if "report_link" in row} <= set(counted[3]), path
        named += any("unit_name" in row for row in data)
        if (name := path.rpartition("/")[2]) in figures:
            assert list(data[0].values()) == [figures[name]], path
    assert named >= 3


def test_an_expired_token_gets_401_for_data_and_for_csv(superset: Superset) -> None:
    number = _dashboard_id(superset, "air_quality")
    expired = embed.guest_token("air_quality", "lanh.dao", lifetime_s=-10, settings=superset.settings).token
    assert superset.ask(STATIONS, expired, number).status_code == 401
    assert superset.ask(STATIONS, expired, number, result_format="csv").status_code == 401


def test_who_is_signed_in_to_superset_is_still_only_a_guest_in_the_portal(superset: Superset) -> None:
    number = _dashboard_id(superset, "air_quality")
    session = _signed_in_browser(superset)
    expired = embed.guest_token("air_quality", "admin", lifetime_s=-10, settings=superset.settings).token
    assert session.get(f"{superset.url}/api/v1/me/", timeout=30).status_code == 200
    assert superset.ask(STATIONS, expired, number, session).status_code == 401
    rows = [embed.RowFilter("unit_code", ["BQL-KKTNS"])]
    filtered = embed.guest_token("air_quality", "admin", rows=rows, settings=superset.settings).token
    answer = superset.ask(STATIONS, filtered, number, session)
    assert {row["station_name"] for row in answer.json()["result"][0]["data"]} == {"Nghi Sơn"}
    # A file is fetched by a form that carries the token as a field.
    body = {"form_data": json.dumps({}), "guest_token": expired}
    assert session.post(f"{superset.url}/api/v1/chart/data", data=body, timeout=30).status_code == 401


def _signed_in_browser(superset: Superset) -> requests.Session:
    client = sync.client_of(superset.settings)
    session = requests.Session()
    page = session.get(f"{superset.url}/login/", timeout=30)
    assert page.status_code == 200
    token = page.text.split('name="csrf_token"', 1)[-1].split('value="', 1)[-1].split('"', 1)[0]
    if len(token) > 200 or "<" in token:
        token = client.get("/api/v1/security/csrf_token/")["result"]
    password = sync.Secrets.of(superset.settings).get("superset_admin")
    session.post(
        f"{superset.url}/login/", data={"username": "admin", "password": password, "csrf_token": token},
        headers={"Referer": superset.url}, timeout=30,
    )  # fmt: skip
    return session


def test_only_the_portal_may_frame_a_dashboard_and_nothing_comes_from_outside(superset: Superset) -> None:
    address = f"{superset.url}/embedded/{superset.pushed.embedded['air_quality']}"
    portal = superset.settings.portal_url()
    answer = requests.get(address, headers={"Referer": f"{portal}/linh-vuc"}, timeout=30)
    assert answer.status_code == 200
    assert "X-Frame-Options" not in answer.headers
    policy = dict(
        part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";") if part.strip()
    )
    assert portal in policy["frame-ancestors"].split()
    assert "*" not in policy["frame-ancestors"]
    others = {source for name, value in policy.items() if name != "frame-ancestors" for source in value.split()}
    assert not any("://" in source for source in others)
    assert requests.get(address, headers={"Referer": "https://elsewhere.example/"}, timeout=30).status_code == 403


def test_the_vietnamese_pack_is_open_to_pages_without_a_login(superset: Superset) -> None:
    pack = requests.get(f"{superset.url}/superset/language_pack/vi/", timeout=30).json()
    assert pack["locale_data"]["superset"]["Apply filters"] == ["Áp dụng bộ lọc"]
    page = requests.get(f"{superset.url}/login/", timeout=30).text
    assert '"locale": "vi"' in page or "&#34;locale&#34;: &#34;vi&#34;" in page


def test_superset_itself_mints_no_guest_tokens(superset: Superset) -> None:
    client = sync.client_of(superset.settings)
    body = {"user": {"username": "x"}, "resources": [{"type": "dashboard", "id": "1"}], "rls": []}
    with pytest.raises(sync.SupersetRefusedError, match=r"answered 40[04]"):
        client.post("/api/v1/security/guest_token/", body)


def test_a_push_changes_nothing_the_second_time_and_a_pull_after_it_no_file(superset: Superset, tmp_path: Path) -> None:
    client = sync.client_of(superset.settings)

    def exported() -> dict[str, str]:
        volatile = ("chartsInScope",)
        return {
            content["uuid"]: json.dumps(content, sort_keys=True, default=str)
            for _kind, content in bundle.unpack(client.export_assets())
            if not any(key in content for key in volatile)
        }

    before = exported()
    again = sync.push(superset.settings)
    assert again == superset.pushed
    assert exported() == before
    bundle.write(bundle.read(), tmp_path)
    assert sync.pull(superset.settings, tmp_path).as_dict() == {"changed": []}


def test_a_pull_takes_what_somebody_changed_and_nothing_else(superset: Superset, tmp_path: Path) -> None:
    client = sync.client_of(superset.settings)
    chart = "charts/air_quality/stations_now"
    number = superset.chart_ids[bundle.uuid_of(chart)]
    bundle.write(bundle.read(), tmp_path)
    client.put(f"/api/v1/chart/{number}", {"slice_name": "Số liệu mới"})
    try:
        assert sync.pull(superset.settings, tmp_path).changed == [chart]
        assert bundle.read(tmp_path)[chart]["slice_name"] == "Số liệu mới"
    finally:
        sync.push(superset.settings)


def test_analysts_see_the_dashboards_and_query_serving_and_nothing_else(superset: Superset) -> None:
    password = sync.Secrets.of(superset.settings).get("superset_analyst")
    analyst = sync.SupersetClient(superset.url, "phan_tich", password)
    seen = {row["slug"] for row in analyst.get("/api/v1/dashboard/")["result"]}
    assert {"air_quality", "pipeline_health"} <= seen
    assert len(analyst.chart_ids()) == len(superset.chart_ids)
    assert set(analyst.dataset_ids()) == set(superset.dataset_ids)
    (database,) = [row["id"] for row in analyst.get("/api/v1/database/")["result"]]

    def run(query: str) -> list[dict[str, object]]:
        body = {"database_id": database, "sql": query, "schema": "serving", "runAsync": False}
        return list(analyst.post("/api/v1/sqllab/execute/", body)["data"])

    assert run("select count(*) as n from serving.rpt_air_quality_current") == [{"n": 6}]
    for query in (
        "select * from ops.load_batch",
        "select * from pg_catalog.pg_authid",
        "drop table serving.rpt_air_quality_daily",
    ):
        with pytest.raises(sync.SupersetRefusedError):
            run(query)
    with pytest.raises(sync.SupersetRefusedError, match=r"answered 40[134]"):
        analyst.get("/api/v1/security/users/")
