"""The gate lets clean batches through, catches every fault it promises to, and stops only for what would poison."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from expectations import data_docs, runner, suite
from ioc import warehouse

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ioc.settings import Settings

DESCRIPTIONS = {(one.severity, one.description_vi) for given in suite.load("air_quality") for one in given.expectations}
READING = "raw_air_quality.reading"

# Fault → (what it does to a clean batch of 100 readings, how the expectations that must fail begin: stop, warn).
FAULTS: dict[str, tuple[str, list[str], list[str]]] = {
    "no station": (
        f"update {READING} set station_code = null where _source_row = 1",
        ["Mọi số liệu phải có mã trạm"],
        [],
    ),
    "no parameter": (
        f"update {READING} set parameter = null where _source_row = 1",
        ["Mọi số liệu phải có thông số"],
        [],
    ),
    "no time": (
        f"update {READING} set measured_at = null where _source_row = 1",
        ["Mọi số liệu phải có thời điểm"],
        [],
    ),
    "no source": (f"update {READING} set _source_uri = null where _source_row = 1", ["Mọi số liệu phải truy được"], []),
    "password in the source": (
        f"update {READING} set _source_uri = 'ftp://tram:secret@host/x.txt' where _source_row = 1",
        ["Địa chỉ tệp nguồn không được"],
        [],
    ),
    "a row twice": (
        f"update {READING} set _row_hash = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11' where _source_row <= 2",
        ["Không dòng nào được nạp hai lần"],
        [],
    ),
    "rows that the ledger does not know": (
        f"delete from {READING} where _source_row = 1",
        ["Số dòng trong bảng phải bằng"],
        [],
    ),
    "wrong time zone": (
        f"update {READING} set measured_at = measured_at + interval '14 hours' where true",
        ["Không quá nửa số liệu nằm ở tương lai"],
        ["Không có số liệu ở tương lai"],
    ),
    "one clock ahead": (
        f"update {READING} set measured_at = measured_at + interval '2 years' where station_code = 'TH_KK_02'",
        [],
        ["Không có số liệu ở tương lai"],
    ),
    "all clocks reset": (
        f"update {READING} set measured_at = measured_at - interval '45 years' where true",
        ["Không quá nửa số liệu có thời điểm đo trước"],
        ["Không có số liệu trước"],
    ),
    "one clock reset": (
        f"update {READING} set measured_at = measured_at - interval '45 years' where station_code = 'TH_KK_02'",
        [],
        ["Không có số liệu trước"],
    ),
    "another file's values": (
        f"update {READING} set value = value + 9e9 where true",
        ["Không quá nửa giá trị"],
        ["Không có giá trị nằm ngoài"],
    ),
    "one absurd value": (
        f"update {READING} set value = 9e9 where _source_row = 1",
        [],
        ["Không có giá trị nằm ngoài"],
    ),
    "unknown status": (f"update {READING} set device_status = '07' where _source_row = 1", [], ["Trạng thái thiết bị"]),
    "unknown parameters": (
        f"update {READING} set parameter = 'Radon' where parameter = 'O3'",
        [],
        ["Ít nhất 95 % số liệu thuộc danh mục"],
    ),
    "strange station code": (
        f"update {READING} set station_code = 'Trạm số 1' where _source_row = 1",
        [],
        ["Mã trạm chỉ gồm"],
    ),
    "mostly blank": (
        f"update {READING} set value = null where _source_row > 5",
        [],
        ["Ít nhất một nửa số liệu có giá trị"],
    ),
    "no units": (
        f"update {READING} set unit_raw = null where _source_row <= 3",
        [],
        ["Ít nhất 95 % số liệu ghi đơn vị"],
    ),
    "two values for one key": (
        f"update {READING} set measured_at = now(), station_code = 'TH_KK_01' where _source_row <= 2",
        [],
        ["Mỗi trạm, thông số và thời điểm"],
    ),
    "many rejects": (f"select 1 from {READING} where true", [], ["Không quá 10 % số dòng"]),
}


def _matching(beginnings: list[str], severity: str) -> set[str]:
    found = set()
    for beginning in beginnings:
        hits = {text for kind, text in DESCRIPTIONS if kind == severity and text.startswith(beginning)}
        assert len(hits) == 1, (beginning, hits)
        found |= hits
    return found


def _judge(settings: Settings) -> runner.Verdict:
    (verdict,) = runner.validate("air_quality", settings)
    return verdict


def test_a_clean_batch_passes_without_a_warning(settings: Settings, put_batch: Callable[..., int]) -> None:
    batch = put_batch()
    verdict = _judge(settings)
    assert (verdict.batch_id, verdict.verdict, verdict.stops, verdict.warnings) == (batch, "passed", (), ())
    assert verdict.expectations == len(DESCRIPTIONS) == 20


def test_each_fault_is_caught_by_its_expectation_and_no_other(
    settings: Settings, put_batch: Callable[..., int]
) -> None:
    planted = {
        put_batch(100, f"{change} and _batch_id = {{batch}}", rejected=20 if fault == "many rejects" else 0): fault
        for fault, (change, _, _) in FAULTS.items()
    }
    caught = {
        planted[one.batch_id]: (one.verdict, set(one.stops), set(one.warnings))
        for one in runner.validate("air_quality", settings)
    }
    assert caught == {
        fault: ("stopped" if stops else "passed", _matching(stops, "stop"), _matching(warnings, "warn"))
        for fault, (_, stops, warnings) in FAULTS.items()
    }


def test_every_expectation_has_a_planted_fault() -> None:
    caught = set()
    for _, stops, warnings in FAULTS.values():
        caught |= {("stop", text) for text in _matching(stops, "stop")}
        caught |= {("warn", text) for text in _matching(warnings, "warn")}
    assert caught == DESCRIPTIONS


def test_results_and_verdict_are_in_the_ledger_and_a_second_run_finds_nothing(
    settings: Settings, put_batch: Callable[..., int]
) -> None:
    good, bad = put_batch(), put_batch(100, FAULTS["no station"][0] + " and _batch_id = {batch}")
    assert [one.verdict for one in runner.validate("air_quality", settings)] == ["passed", "stopped"]
    assert runner.validate("air_quality", settings) == []
    with warehouse.connect("loader", settings) as connection:
        ledger = connection.execute(
            "select batch_id, status, verdict, validated_at is not null from ops.load_batch order by batch_id"
        ).fetchall()
        failed = connection.execute(
            "select batch_id, suite, expectation, column_name, severity, element_count, unexpected_count "
            "from ops.validation_result where not success"
        ).fetchall()
    assert ledger == [(good, "loaded", "passed", True), (bad, "loaded", "stopped", True)]
    assert failed == [
        (bad, "air_quality.reading", "expect_column_values_to_not_be_null", "station_code", "stop", 100, 5)
    ]


def test_an_empty_batch_passes_and_needs_no_evaluation(settings: Settings, put_batch: Callable[..., int]) -> None:
    put_batch(0)
    verdict = _judge(settings)
    assert (verdict.verdict, verdict.expectations) == ("passed", 0)


def test_a_lost_column_stops_the_batch_and_is_named(settings: Settings, put_batch: Callable[..., int]) -> None:
    put_batch(100, f"alter table {READING} drop column unit_raw")
    verdict = _judge(settings)
    assert (verdict.verdict, verdict.expectations) == ("stopped", 1)
    with warehouse.connect("loader", settings) as connection:
        assert connection.execute("select observed from ops.validation_result").fetchall() == [
            ({"missing": ["unit_raw"]},)
        ]


def test_a_lost_column_of_a_derived_one_stops_the_batch(settings: Settings, put_batch: Callable[..., int]) -> None:
    put_batch(100, f"alter table {READING} drop column measured_at")
    assert _judge(settings).verdict == "stopped"


def test_offending_values_are_kept_only_where_the_suite_allows_it(
    settings: Settings, put_batch: Callable[..., int]
) -> None:
    put_batch(100, FAULTS["unknown status"][0], FAULTS["one absurd value"][0])
    _judge(settings)
    with warehouse.connect("loader", settings) as connection:
        observed: dict[str, Any] = dict(
            connection.execute("select column_name, observed from ops.validation_result where not success").fetchall()
        )
    assert observed["device_status"]["examples"] == ["07"]
    assert "examples" not in observed["is_possible"]


def test_a_domain_without_a_suite_publishes_nothing(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(suite.SuiteError, match="has no suite"):
        runner.validate("air_quality", settings, suites_root=tmp_path)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[[table]]\nentity = 'reading'\nexpectation = []", "would let everything pass"),
        ("[[table]]\nentity = 'reading'\n[[table.expectation]]\ntype = 'x'\nvi = 'y'", "severity"),
        (
            "[[table]]\nentity = 'reading'\n[[table.expectation]]\ntype = 'x'\nvi = 'y'\nseverity = 'fatal'",
            "neither stop",
        ),
        ("[[table", "suite.toml"),
    ],
)
def test_a_malformed_suite_is_refused_by_name(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "air_quality").mkdir()
    (tmp_path / "air_quality" / "suite.toml").write_text(text)
    with pytest.raises(suite.SuiteError, match=complaint):
        suite.load("air_quality", tmp_path)


def test_an_expectation_that_cannot_be_evaluated_leaves_the_batch_without_a_verdict(
    settings: Settings, put_batch: Callable[..., int], tmp_path: Path
) -> None:
    (tmp_path / "air_quality").mkdir()
    (tmp_path / "air_quality" / "suite.toml").write_text(
        "[[table]]\nentity = 'reading'\n[[table.expectation]]\ntype = 'expect_column_values_to_match_regex'\n"
        "column = 'value'\nregex = 'x'\nseverity = 'warn'\nvi = 'Biểu thức chính quy trên cột số'"
    )
    put_batch()
    with pytest.raises(suite.SuiteError, match="value"):
        runner.validate("air_quality", settings, suites_root=tmp_path)
    with warehouse.connect("loader", settings) as connection:
        assert connection.execute("select verdict from ops.load_batch").fetchall() == [(None,)]


def test_a_batch_that_another_runner_holds_is_left_to_it(settings: Settings, put_batch: Callable[..., int]) -> None:
    held, free = put_batch(), put_batch()
    with psycopg.connect(warehouse.url("loader", settings)) as other:
        other.execute("select 1 from ops.load_batch where batch_id = %s for update", (held,))
        assert [one.batch_id for one in runner.validate("air_quality", settings)] == [free]


def test_a_large_first_batch_is_judged_in_bounded_memory(settings: Settings, put_batch: Callable[..., int]) -> None:
    put_batch()
    _judge(settings)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    put_batch(200_000)
    assert _judge(settings).verdict == "passed"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 * 1024


def test_data_docs_stand_alone_and_show_the_verdict(settings: Settings, put_batch: Callable[..., int]) -> None:
    good, bad = put_batch(), put_batch(100, FAULTS["no station"][0] + " and _batch_id = {batch}")
    runner.validate("air_quality", settings)
    root = data_docs.folder(settings)
    pages = {path.relative_to(root).as_posix(): path.read_text() for path in root.rglob("*.html")}
    assert {"index.html", "air_quality/index.html", f"air_quality/{good}.html", f"air_quality/{bad}.html"} <= set(pages)
    assert "Môi trường không khí" in pages["index.html"]
    assert "Đạt · passed" in pages[f"air_quality/{good}.html"]
    assert "Không đạt · stopped" in pages[f"air_quality/{bad}.html"]
    assert "Mọi số liệu phải có mã trạm" in pages[f"air_quality/{bad}.html"]
    for text in pages.values():
        assert "http://" not in text
        assert "https://" not in text
        assert "<script" not in text
    assert (root / "style.css").exists()
