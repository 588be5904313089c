"""Dashboards as files: identity, normal form, lint, and that each rule of the lint can fail."""

from __future__ import annotations

import copy
import io
import json
import re
import zipfile
from pathlib import Path

import pytest
import yaml

from ioc.settings import Settings
from superset_assets import bundle, datasets, lint, phone, sync
from superset_assets.palette import AQI_SEQUENTIAL, aqi_colour

ROOM = Path(bundle.ASSETS).parent
AIR = "dashboards/air_quality"
CHART = "charts/air_quality/aqi_24h"


@pytest.fixture
def assets() -> bundle.Assets:
    return copy.deepcopy(bundle.read())


def test_the_assets_in_the_repository_have_no_problems() -> None:
    report = sync.check()
    assert report.assets > 30
    assert report.problems == []
    assert report.ok


def test_every_file_is_in_normal_form() -> None:
    for path, content in bundle.read().items():
        written = (bundle.ASSETS / f"{path}.yaml").read_text(encoding="utf-8")
        assert written == bundle.dump(bundle.normalise(path, content)), path


def test_ids_of_an_installation_do_not_enter_a_file() -> None:
    content = {
        "uuid": bundle.uuid_of(AIR),
        "position": {
            "CHART-a": {"type": "CHART", "meta": {"chartId": 912, "uuid": "b"}},
            "CHART-b": {"type": "CHART", "meta": {"chartId": 77, "uuid": "a"}},
        },
        "metadata": {
            "chart_configuration": {"912": {}},
            "shared_label_colors": {"x": "#fff"},
            "native_filter_configuration": [
                {"scope": {"rootPath": ["ROOT_ID"], "excluded": [912]}, "chartsInScope": [77]}
            ],
        },
    }
    normal = bundle.normalise(AIR, content)
    assert [meta["chartId"] for meta in bundle.charts_in(normal)] == [2, 1]
    assert normal["metadata"] == {
        "native_filter_configuration": [{"scope": {"rootPath": ["ROOT_ID"], "excluded": [2]}}]
    }


def test_the_archive_is_the_same_for_the_same_assets_and_carries_the_warehouse_of_the_installation(
    assets: bundle.Assets,
) -> None:
    first = bundle.pack(assets, "postgresql+psycopg2://reader:pw@db/warehouse")
    assert first == bundle.pack(dict(reversed(assets.items())), "postgresql+psycopg2://reader:pw@db/warehouse")
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        database = yaml.safe_load(archive.read("assets/databases/warehouse.yaml"))
        assert database["sqlalchemy_uri"] == "postgresql+psycopg2://reader:pw@db/warehouse"
        assert len(archive.namelist()) == len(assets) + 1
    assert bundle.normalise("databases/warehouse", database)["sqlalchemy_uri"] == bundle.WAREHOUSE_URI


def test_a_file_that_is_not_yaml_is_named(tmp_path: Path) -> None:
    (tmp_path / "charts").mkdir()
    (tmp_path / "charts" / "bad.yaml").write_text("a: [")
    with pytest.raises(ValueError, match=r"bad\.yaml: not YAML"):
        bundle.read(tmp_path)


# Planted faults: every rule of the lint finds the fault that it is there for.


def test_a_dashboard_that_refers_to_a_missing_chart_is_found(assets: bundle.Assets) -> None:
    del assets[CHART]
    assert any(AIR in problem and "which no file has" in problem for problem in lint.graph_problems(assets))


def test_a_chart_without_its_dataset_and_a_dataset_without_its_database_are_found(assets: bundle.Assets) -> None:
    del assets["databases/warehouse"]
    assert len(lint.graph_problems(assets)) == sum(bundle.kind_of(path) == "datasets" for path in assets)
    assets[CHART]["dataset_uuid"] = "00000000-0000-0000-0000-000000000000"
    assert any(problem.startswith(CHART) for problem in lint.graph_problems(assets))


def test_a_chart_without_stored_queries_is_found(assets: bundle.Assets) -> None:
    del assets[CHART]["query_context"]
    assert lint.query_context_problems(assets) == [
        f"{CHART}: has no query_context, guests would be refused (save the chart again in Superset)"
    ]


def test_a_chart_that_draws_what_its_stored_queries_do_not_ask_for_is_found(assets: bundle.Assets) -> None:
    assets[CHART]["params"]["metrics"] = ["pm25_max"]
    assert "pm25_max" in lint.query_context_problems(assets)[0]


def test_a_table_that_shows_true_and_false_is_found(assets: bundle.Assets) -> None:
    path = "charts/alerts/open_list"
    assert lint.wording_problems(assets) == []
    assets[path]["params"]["all_columns"].append("was_acked")
    assert lint.wording_problems(assets) == [
        f"{path}: shows was_acked, which is true or false; a column in words is wanted"
    ]


def test_a_list_without_the_link_to_its_items_is_found(assets: bundle.Assets) -> None:
    path = "charts/fishing_vessels/registration_notes"
    assert lint.link_problems(assets) == []
    assets[path]["params"]["all_columns"].remove("vessel_link")
    assert lint.link_problems(assets) == [f"{path}: lists items without their link, vessel_link"]


def test_a_legacy_chart_type_is_found(assets: bundle.Assets) -> None:
    assets[CHART]["viz_type"] = "cal_heatmap"
    assert "legacy chart type cal_heatmap" in lint.query_context_problems(assets)[0]


def test_a_uuid_that_is_not_the_one_of_the_path_and_one_used_twice_are_found(assets: bundle.Assets) -> None:
    assets[CHART]["uuid"] = assets["charts/air_quality/aqi_hourly"]["uuid"]
    found = lint.identity_problems(assets)
    assert f"{CHART}: its uuid is used by another file too" in found
    assets[CHART]["uuid"] = "00000000-0000-0000-0000-000000000000"
    assert lint.identity_problems(assets) == [f"{CHART}: uuid is not the one of its path, {bundle.uuid_of(CHART)}"]


def test_an_overfull_tab_and_a_missing_slug_and_certificate_are_found(assets: bundle.Assets) -> None:
    dashboard = assets[AIR]
    del dashboard["slug"], dashboard["certified_by"]
    template = next(
        item for item in dashboard["position"].values() if isinstance(item, dict) and item["type"] == "CHART"
    )
    dashboard["position"] |= {f"CHART-{n}": {**template, "id": f"CHART-{n}"} for n in range(13)}
    found = " ".join(lint.dashboard_problems(assets))
    assert "has no slug" in found
    assert "is not certified" in found
    assert "at most 12" in found


def test_push_refuses_a_broken_bundle_before_it_talks_to_superset(tmp_path: Path, assets: bundle.Assets) -> None:
    del assets[CHART]
    bundle.write(assets, tmp_path)
    with pytest.raises(ValueError, match="not consistent"):
        sync.push(folder=tmp_path)


def test_a_push_after_which_a_chart_is_missing_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class ForgetfulSuperset:
        """Takes the import and drops one chart, as Superset 6.1 does when a reference leads nowhere."""

        def import_assets(self, archive: bytes) -> None:
            assert archive

        def chart_ids(self) -> dict[str, int]:
            return {content["uuid"]: n for n, content in enumerate(bundle.read().values())}

        def charts_of(self, _dashboard: str) -> set[int]:
            return set(list(self.chart_ids().values())[1:3])

    monkeypatch.setattr(sync, "client_of", lambda _settings: ForgetfulSuperset())
    with pytest.raises(sync.PushIncompleteError, match="lacks"):
        sync.push(Settings(home=tmp_path))
    assert not (tmp_path / "superset" / "embedded.json").exists()


# Datasets and dbt.

_PROPERTIES = """
models:
  - name: rpt_air_quality_sample
    description: "{{ doc('sample') }}"
    columns:
      - {name: hour_ending, data_type: timestamptz, description: Giờ, config: {meta: {label_vi: Giờ}}}
      - {name: day, data_type: date, description: Ngày, meta: {label_vi: Ngày}}
      - {name: aqi, data_type: integer, description: Chỉ số, config: {meta: {label_vi: AQI}}}
"""


@pytest.fixture
def dbt(tmp_path: Path) -> Path:
    folder = tmp_path / "dbt"
    (folder / "models" / "serving").mkdir(parents=True)
    (folder / "models" / "serving" / "sample.yml").write_text(_PROPERTIES, encoding="utf-8")
    (folder / "models" / "docs.md").write_text("{% docs sample %}\nBảng mẫu.\n{% enddocs %}", encoding="utf-8")
    return folder


def test_a_dataset_takes_names_types_labels_and_texts_from_dbt(dbt: Path) -> None:
    (path,) = wanted = datasets.synchronised({}, dbt)
    dataset = wanted[path]
    assert path == "datasets/air_quality/rpt_air_quality_sample"
    assert dataset["description"] == "Bảng mẫu."
    columns = {column["column_name"]: column for column in dataset["columns"]}
    assert columns["aqi"]["verbose_name"] == "AQI"
    assert columns["aqi"]["type"] == "INTEGER"
    assert columns["hour_ending_local"]["expression"] == "hour_ending at time zone 'Asia/Ho_Chi_Minh'"
    assert columns["hour_ending_local"]["verbose_name"] == "Giờ"
    assert columns["hour_ending"]["is_dttm"] is False
    assert columns["day_local"]["is_dttm"] is True
    assert dataset["main_dttm_col"] == "hour_ending_local"


def test_what_superset_adds_to_a_dataset_is_kept(dbt: Path) -> None:
    (path,) = wanted = datasets.synchronised({}, dbt)
    wanted[path]["metrics"] = [{"metric_name": "aqi_max", "expression": "max(aqi)", "verbose_name": "AQI"}]
    wanted[path]["columns"].append({"column_name": "own", "expression": "1 + 1"})
    again = datasets.synchronised(wanted, dbt)[path]
    assert again["metrics"] == wanted[path]["metrics"]
    assert "own" in {column["column_name"] for column in again["columns"]}


def test_a_dataset_that_differs_from_dbt_or_has_no_model_is_found(dbt: Path) -> None:
    (path,) = wanted = datasets.synchronised({}, dbt)
    assert datasets.problems(wanted, dbt) == []
    aqi = next(column for column in wanted[path]["columns"] if column["column_name"] == "aqi")
    aqi["verbose_name"] = "Chỉ số"
    assert "column aqi" in datasets.problems(wanted, dbt)[0]
    assert "missing" in datasets.problems({}, dbt)[0]
    assert any("dbt has no serving model" in problem for problem in datasets.problems(bundle.read(), dbt))


# The phone's version.


def test_on_a_phone_every_chart_has_a_row_of_its_own_and_key_figures_go_two_by_two(assets: bundle.Assets) -> None:
    narrow = phone.versions(assets)[f"{AIR}_phone"]
    assert narrow["slug"] == "air_quality_phone"
    assert narrow["uuid"] == bundle.uuid_of(f"{AIR}_phone")
    figures = {content["uuid"] for content in assets.values() if content.get("viz_type") == "big_number_total"}
    rows = [item for item in narrow["position"].values() if isinstance(item, dict) and item["type"] == "ROW"]
    for row in rows:
        metas = [narrow["position"][child]["meta"] for child in row["children"]]
        assert sum(meta["width"] for meta in metas) <= 12
        assert len(metas) == 1 or all(meta["uuid"] in figures for meta in metas)
        assert row["id"] in narrow["position"][row["parents"][-1]]["children"]
    assert len(bundle.charts_in(narrow)) == len(bundle.charts_in(assets[AIR]))
    assert assets["charts/air_quality/aqi_calendar_phone"]["uuid"] in {m["uuid"] for m in bundle.charts_in(narrow)}
    assert lint.graph_problems(assets | phone.versions(assets)) == []


def test_on_a_phone_long_names_leave_room_for_the_bars_and_guests_may_load_them(assets: bundle.Assets) -> None:
    versions = phone.versions(assets)
    wide, narrow = assets["charts/air_quality/aqi_by_station"], versions["charts/air_quality/aqi_by_station_phone"]
    assert json.loads(narrow["params"]["echart_options"])["yAxis"]["axisLabel"]["fontSize"] < 12
    assert narrow["query_context"] == wide["query_context"]
    shown = {meta["uuid"] for meta in bundle.charts_in(versions[f"{AIR}_phone"])}
    assert narrow["uuid"] in shown
    assert wide["uuid"] not in shown


# Colours and language.


@pytest.mark.parametrize(
    ("aqi", "colour"),
    [(0, "#00E400"), (50, "#00E400"), (51, "#FFFF00"), (100, "#FFFF00"), (101, "#FF7E00"), (150, "#FF7E00"),
     (151, "#FF0000"), (200, "#FF0000"), (201, "#8F3F97"), (300, "#8F3F97"), (301, "#7E0023"), (500, "#7E0023")],
)  # fmt: skip
def test_colours_of_the_aqi_are_the_regulations_at_every_boundary(aqi: int, colour: str) -> None:
    assert aqi_colour(aqi) == colour
    assert AQI_SEQUENTIAL["colors"][aqi] == colour


def test_charts_name_the_regulations_colours_and_categories() -> None:
    colours = bundle.read()[AIR]["metadata"]["label_colors"]
    assert colours == {
        "Tốt": "#00E400", "Trung bình": "#FFFF00", "Kém": "#FF7E00",
        "Xấu": "#FF0000", "Rất xấu": "#8F3F97", "Nguy hại": "#7E0023",
    }  # fmt: skip


def test_the_language_pack_keeps_every_placeholder() -> None:
    text = (ROOM / "translations" / "vi.po").read_text(encoding="utf-8")
    pairs = re.findall(r'^msgid "(.+)"\n(?:msgid_plural ".*"\n)?msgstr(?:\[0\])? "(.+)"$', text, re.MULTILINE)
    assert len(pairs) > 400
    for source, target in pairs:
        assert re.findall(r"%[sd]", source) == re.findall(r"%[sd]", target), source


def test_stored_queries_are_readable_and_name_no_dataset_id() -> None:
    for path, content in bundle.read().items():
        if bundle.kind_of(path) == "charts":
            context = json.loads(content["query_context"])
            assert context["datasource"] == {"id": 0, "type": "table"}, path
            assert all("datasource" not in query for query in context["queries"]), path
