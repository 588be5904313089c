"""The gate of public services: each promise of its suite fails on the fault planted for it, and on no other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from fastapi import FastAPI

from expectations import runner, suite
from extractors.core.pipeline import extract
from ioc import warehouse
from sandbox.api import serve
from sandbox.public_services.play import PublicServices
from sandbox.store import Clock

if TYPE_CHECKING:
    from ioc.settings import Settings

DOMAIN = "public_services"
TABLES = ("dossier", "unit", "source_total")
ONE = "_source_row = 1"
# Table, what is set, which rows; how the expectations that must fail begin.
FAULTS: dict[str, tuple[str, str, str, tuple[str, ...]]] = {
    "a dossier without a code": ("dossier", "dossier_code = null", ONE, ("Mọi bản ghi phải có mã",)),
    "a dossier without a source": ("dossier", "_source_uri = null", ONE, ("Mọi bản ghi phải truy được",)),
    "a password": ("dossier", "_source_uri = 'http://a:b@h/x'", ONE, ("Địa chỉ nguồn không được",)),
    "another time zone": (
        "dossier", "changed_at = _loaded_at + interval '7 hours'", "true",
        ("Không quá nửa hồ sơ có thời điểm cập nhật", "Không có hồ sơ cập nhật ở tương lai"),
    ),
    "another code list": (
        "dossier", "status_code = 77", "received_at is not null",
        ("Không quá nửa hồ sơ có trạng thái ngoài", "Trạng thái hồ sơ phải thuộc"),
    ),
    "no receipts": (
        "dossier", "received_at = null, status_code = 4", "true",
        ("Không quá nửa hồ sơ đã tiếp nhận", "Hồ sơ đã tiếp nhận phải có"),
    ),
    "one without a receipt": (
        "dossier", "received_at = null, status_code = 4", ONE, ("Hồ sơ đã tiếp nhận phải có",)
    ),
    "one unknown status": ("dossier", "status_code = 11", ONE, ("Trạng thái hồ sơ phải thuộc",)),
    "a code of another form": ("dossier", "dossier_code = 'HS 1'", ONE, ("Mã hồ sơ theo TT 01/2018",)),
    "a dossier of nobody": ("dossier", "source_unit_code = null", ONE, ("Hồ sơ phải có đơn vị",)),
    "a clock that runs ahead": (
        "dossier", "changed_at = _loaded_at + interval '1 hour'", ONE, ("Không có hồ sơ cập nhật ở tương lai",)
    ),
    "many rejects": ("dossier", "field_code = field_code", "true", ("Không quá 10 % số bản ghi",)),
    "a unit without a code": ("unit", "source_unit_code = null", ONE, ("Mọi bản ghi phải có mã",)),
    "a unit without a source": ("unit", "_source_uri = null", ONE, ("Mọi bản ghi phải truy được",)),
    "a unit with a password": ("unit", "_source_uri = 'http://a:b@h/x'", ONE, ("Địa chỉ nguồn không được",)),
    "a unit without a name": ("unit", "unit_name = null", ONE, ("Đơn vị phải có tên",)),
    "a total without a code": ("source_total", "total_code = null", ONE, ("Mọi bản ghi phải có mã",)),
    "a total without a source": ("source_total", "_source_uri = null", ONE, ("Mọi bản ghi phải truy được",)),
    "a total with a password": ("source_total", "_source_uri = 'http://a:b@h/x'", ONE, ("Địa chỉ nguồn không được",)),
    "totals without figures": (
        "source_total", "in_process_count = null", "true", ("Không quá nửa dòng thống kê",)
    ),
    "a negative total": ("source_total", "received_count = -1", ONE, ("Số hồ sơ tiếp nhận không âm",)),
}  # fmt: skip


def _load() -> int:
    clock = Clock(datetime.now(UTC) - timedelta(hours=1))
    play = PublicServices(clock.now(), 36, 2, "secret", clock)
    application = FastAPI()
    application.include_router(play.router)
    with serve(application) as url:
        base = url.replace("://", "://ioc:secret@")
        report = extract(
            DOMAIN, source_uris=[f"{base}/mot-cua#dossiers", f"{base}/danh-muc#units", f"{base}/bao-cao#totals"]
        )
    return int(report.batch_ids[0])


def _plant(settings: Settings, clean: int, fault: str) -> int:
    table, change, rows, _ = FAULTS[fault]
    rejected = 10_000 if fault == "many rejects" else 0
    with warehouse.connect("loader", settings) as connection:
        row = connection.execute(
            "insert into ops.load_batch (domain, status, read_count, loaded_count, rejected_count) "
            f"select domain, 'loaded', loaded_count + {rejected}, loaded_count, {rejected} from ops.load_batch "
            "where batch_id = %s returning batch_id",
            (clean,),
        ).fetchone()
        assert row is not None
        for name in TABLES:
            connection.execute(f"create temporary table copied on commit drop as select * from raw_{DOMAIN}.{name} "
                               f"where _batch_id = {clean}".encode())  # fmt: skip
            connection.execute(f"update copied set _batch_id = {row[0]}, _row_hash = gen_random_uuid()".encode())
            if name == table:
                connection.execute(f"update copied set {change} where {rows}".encode())
            connection.execute(f"insert into raw_{DOMAIN}.{name} select * from copied".encode())
            connection.execute("drop table copied")
    return int(row[0])


def test_a_clean_load_passes_and_each_fault_is_caught_by_its_promise_alone(settings: Settings) -> None:
    clean = _load()
    (verdict,) = runner.validate(DOMAIN, settings)
    assert (verdict.verdict, verdict.stops, verdict.warnings) == ("passed", (), ())
    with warehouse.connect("loader", settings) as connection:
        for name in TABLES:
            # The table refuses it too; the gate must not rely on that.
            connection.execute(f"alter table raw_{DOMAIN}.{name} alter column _source_uri drop not null".encode())
    planted = {_plant(settings, clean, fault): fault for fault in FAULTS}
    caught = {planted[one.batch_id]: {*one.stops, *one.warnings} for one in runner.validate(DOMAIN, settings)}
    promised = {
        fault: {text for text in _promises(table) if text.startswith(begins)}
        for fault, (table, _, _, begins) in FAULTS.items()
    }
    assert caught == promised


def test_every_promise_has_a_planted_fault() -> None:
    for table in TABLES:
        begins = tuple(begin for name, _, _, found in FAULTS.values() if name == table for begin in found)
        assert all(text.startswith(begins) for text in _promises(table)), table


def _promises(table: str) -> set[str]:
    return {one.description_vi for given in suite.load(DOMAIN) if given.entity == table for one in given.expectations}
