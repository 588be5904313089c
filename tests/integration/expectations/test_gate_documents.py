"""The gate of documents: each promise of its suite fails on what is planted for it, and no other does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from fastapi import FastAPI

from expectations import runner, suite
from extractors.core.pipeline import extract, publish
from ioc import warehouse
from sandbox.api import serve
from sandbox.documents.play import Office
from sandbox.store import Clock

if TYPE_CHECKING:
    from pathlib import Path

    from ioc.settings import Settings

DOMAIN = "documents"
LISTS = {"incoming": "Văn bản đến", "outgoing": "Văn bản đi", "internal": "Văn bản nội bộ"}
ONE = "_source_row = 1"
Fault = tuple[str, str, str, tuple[str, ...]]
# What goes wrong in one batch, in all three lists alike: table (after the list's name), what is set, which rows, and
# how the promises that must fail go on after the list's name. A batch costs seconds, so each carries several faults.
FAULTS: dict[str, list[Fault]] = {
    "rows without what they need": [
        ("", "document_id = null", ONE, ("mỗi dòng phải có mã văn bản",)),
        ("", "changed_at = null", ONE, ("mỗi dòng phải có thời điểm thay đổi",)),
        ("", "registered_at = null", ONE, ("mỗi dòng phải có ngày vào sổ",)),
        ("", "_source_uri = null", ONE, ("mỗi dòng phải có địa chỉ",)),
        ("_step", "document_id = null", ONE, ("mỗi bước phải có mã văn bản",)),
        ("_step", "happened_at = null", ONE, ("mỗi bước phải có thời điểm",)),
        ("_step", "step_number = null", ONE, ("mỗi bước phải có số thứ tự",)),
    ],
    "another time zone and renamed fields": [
        (
            "", "changed_at = _loaded_at + interval '7 hours'", "true",
            ("không quá nửa số dòng nằm ở tương lai", "không có thời điểm thay đổi ở tương lai"),
        ),
        ("", "registered_at = '1999-01-01'", "true", ("không quá nửa số dòng vào sổ trước",)),
        (
            "", "unit_code_sent = ' ', unit_name_sent = null", "true",
            ("không quá nửa số dòng thiếu đơn vị", "mỗi văn bản có đơn vị"),
        ),
        ("", "status_code = null", "true", ("không quá nửa số dòng thiếu trạng thái",)),
        ("", "_source_uri = 'http://a:b@h/x'", ONE, ("địa chỉ nguồn không được",)),
    ],
    "one strange document": [
        ("", "changed_at = _loaded_at + interval '1 hour'", ONE, ("không có thời điểm thay đổi ở tương lai",)),
        ("", "status_code = '77'", ONE, ("mã trạng thái phải",)),
        ("", "urgency_code = 'rất gấp'", ONE, ("mã độ khẩn phải",)),
        ("", "unit_code_sent = null, unit_name_sent = null", ONE, ("mỗi văn bản có đơn vị",)),
        ("", "finished_at = registered_at - interval '2 days'", ONE, ("không hoàn thành trước",)),
        ("_step", "status_code = '77'", ONE, ("mã trạng thái phải",)),
    ],
    "many rejects": [("", "abstract = abstract", "true", ("không quá 10 % bản ghi",))],
}  # fmt: skip


def _promises(table: str) -> set[str]:
    return {one.description_vi for given in suite.load(DOMAIN) if given.entity == table for one in given.expectations}


def _broken(fault: str) -> set[str]:
    """The promises that a fault must break."""
    return {
        text
        for name in LISTS
        for suffix, _, _, begins in FAULTS[fault]
        for text in _promises(name + suffix)
        if text.split(": ", 1)[1].startswith(begins)
    }


def _load(folder: Path) -> int:
    office = Office(folder, 36, 2, "secret", Clock(datetime.now(UTC) - timedelta(hours=1)))
    office.advance(0)
    application = FastAPI()
    application.include_router(office.router)
    with serve(application) as url:
        base = url.replace("://", "://ioc:secret@")
        return extract(DOMAIN, source_uris=[f"{base}#{kind}" for kind in office.lists]).batch_ids[0]


def _plant(settings: Settings, clean: int, fault: str) -> int:
    rejected = 10_000 if fault == "many rejects" else 0
    with warehouse.connect("loader", settings) as connection:
        row = connection.execute(
            "insert into ops.load_batch (domain, status, read_count, loaded_count, rejected_count) "
            f"select domain, 'loaded', loaded_count + {rejected}, loaded_count, {rejected} from ops.load_batch "
            "where batch_id = %s returning batch_id",
            (clean,),
        ).fetchone()
        assert row is not None
        for table in (name + suffix for name in LISTS for suffix in ("", "_step")):
            connection.execute(
                f"create temporary table copied on commit drop as select * from raw_{DOMAIN}.{table} "
                f"where _batch_id = {clean}".encode()
            )
            connection.execute(f"update copied set _batch_id = {row[0]}, _row_hash = gen_random_uuid()".encode())
            for suffix, change, rows, _ in FAULTS[fault]:
                if table.removesuffix("_step") + suffix == table:
                    connection.execute(f"update copied set {change} where {rows}".encode())
            connection.execute(f"insert into raw_{DOMAIN}.{table} select * from copied".encode())
            connection.execute("drop table copied")
    return int(row[0])


def test_a_clean_load_passes_and_each_fault_breaks_its_promise(settings: Settings, tmp_path: Path) -> None:
    clean = _load(tmp_path)
    (verdict,) = runner.validate(DOMAIN, settings)
    assert (verdict.verdict, verdict.stops, verdict.warnings) == ("passed", (), ())
    with warehouse.connect("loader", settings) as connection:
        for name in LISTS:
            # The table refuses it too; the gate must not rely on that.
            connection.execute(f"alter table raw_{DOMAIN}.{name} alter column _source_uri drop not null".encode())
    planted = {_plant(settings, clean, fault): fault for fault in FAULTS}
    verdicts = runner.validate(DOMAIN, settings)
    assert {planted[one.batch_id]: {*one.stops, *one.warnings} for one in verdicts} == {
        fault: _broken(fault) for fault in FAULTS
    }
    warned = {"one strange document", "many rejects"}
    assert {planted[one.batch_id] for one in verdicts if one.verdict == "passed"} == warned
    report = publish(DOMAIN, settings=settings)
    assert (report.published, report.quarantined) == (1 + len(warned), len(FAULTS) - len(warned))


def test_every_promise_has_a_planted_fault() -> None:
    every = {one.description_vi for given in suite.load(DOMAIN) for one in given.expectations}
    assert every == {text for fault in FAULTS for text in _broken(fault)}
