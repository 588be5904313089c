"""The gate of citizens' feedback: a clean batch passes, each fault is caught by its own expectation and no other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from expectations import runner, suite
from extractors.core.pipeline import extract
from ioc import warehouse
from sandbox.api import VIETNAM, serve
from sandbox.citizen_feedback import play
from sandbox.store import Clock, Store

if TYPE_CHECKING:
    from ioc.settings import Settings

_SUITES = suite.load("citizen_feedback")
DESCRIPTIONS = {(one.severity, one.description_vi) for given in _SUITES for one in given.expectations}
# Fault → (table, what it does to a clean batch of forty reports, how the expectations that fail begin: stop, warn).
FAULTS: dict[str, tuple[str, str, list[str], list[str]]] = {
    "no code": ("report", "report_code = null where _source_row = 1", ["Mọi phản ánh phải có mã"], []),
    "no time of change": ("report", "changed_at = null where _source_row = 1", ["Mọi phản ánh phải có thời điểm"], []),
    "no source": ("report", "_source_uri = null where _source_row = 1", ["Mọi phản ánh phải truy được"], []),
    "password": ("report", "_source_uri = 'http://ioc:x@h/p' where _source_row = 1", ["Địa chỉ nguồn"], []),
    "wrong time zone": (
        "report", "changed_at = changed_at + interval '14 hours'", ["Không quá nửa phản ánh có thời điểm"], [],
    ),
    "another form": ("report", "status_text = null", ["Ít nhất một nửa phản ánh phải có trạng thái"], []),
    "a clock ahead": (
        "report", "received_at = received_at + interval '9 days' where _source_row = 1", [],
        ["Không có phản ánh được gửi"],
    ),
    "answered too early": (
        "report", "answered_at = received_at - interval '1 day' where _source_row = 1", [],
        ["Không phản ánh nào được trả lời"],
    ),
    "no fields": ("report", "field_text = null where _source_row <= 4", [], ["Ít nhất 95 % phản ánh có lĩnh vực"]),
    "a strange rating": ("report", "rating_text = 'mười' where _source_row = 1", [], ["Mức hài lòng"]),
    "a strange code": ("report", "report_code = 'PA số 1' where _source_row = 1", [], ["Mã phản ánh chỉ gồm"]),
    "many rejects": ("report", "title = title", [], ["Không quá 10 %"]),
    "steps of nobody": ("handling_step", "report_code = null where _source_row = 1", ["Mọi bước xử lý phải"], []),
    "steps without time": ("handling_step", "acted_at = null", [], ["Ít nhất 95 % bước xử lý"]),
}  # fmt: skip


def _matching(beginnings: list[str], severity: str) -> set[str]:
    found = set()
    for beginning in beginnings:
        hits = {text for kind, text in DESCRIPTIONS if kind == severity and text.startswith(beginning)}
        assert len(hits) == 1, (beginning, hits)
        found |= hits
    return found


def _clean_batch() -> int:
    store = Store(Clock())
    now = datetime.now(UTC).astimezone(VIETNAM)
    for number in range(40):
        said = f"{now - timedelta(days=1):%d/%m/%Y %H:%M:%S}"
        store.change(f"PA-{number:03d}", {
            "tieuDe": "Rác", "noiDung": "…", "linhVuc": "Môi trường", "kenh": "Zalo", "trangThai": "Đang xử lý",
            "thoiGianGui": said, "thoiGianTiepNhan": said, "danhGia": "4",
            "cacBuoc": [{"thuTu": 1, "thoiGian": said, "hanhDong": "Tiếp nhận"}],
        })  # fmt: skip
    office = play.interface(store, "mat-khau-thu")
    with serve(office.application()) as url:
        uri = url.replace("://", f"://ioc:{office.password}@") + "#reports"
        (batch,) = extract("citizen_feedback", source_uris=[uri]).batch_ids
    return batch


def test_each_fault_is_caught_by_its_expectation_and_a_clean_batch_passes(settings: Settings) -> None:
    clean = _clean_batch()
    planted = {clean: ("clean", set[str](), set[str]())}
    with warehouse.connect("loader", settings) as connection:
        # The table refuses rows without a key by itself; the gate is the second lock.
        for required in ("report.report_code", "report.changed_at", "report._source_uri", "handling_step.report_code"):
            table, column = required.split(".")
            statement = f"alter table raw_citizen_feedback.{table} alter column {column} drop not null"
            connection.execute(statement.encode())
        for name, (table, change, stops, warnings) in FAULTS.items():
            rejected = 20 if name == "many rejects" else 0
            (batch,) = connection.execute(
                "insert into ops.load_batch (domain, status, read_count, loaded_count, rejected_count) "
                "values ('citizen_feedback', 'loaded', %s, 80, %s) returning batch_id", (80 + rejected, rejected),
            ).fetchone() or (0,)  # fmt: skip
            planted[batch] = (name, _matching(stops, "stop"), _matching(warnings, "warn"))
            for entity in ("report", "handling_step"):
                connection.execute(
                    f"create temp table copied on commit drop as select * from raw_citizen_feedback.{entity} "
                    f"where _batch_id = {clean}".encode()
                )
                connection.execute("update copied set _batch_id = %s, _row_hash = gen_random_uuid()", (batch,))
                if entity == table:
                    connection.execute(f"update copied set {change}".encode())
                connection.execute(f"insert into raw_citizen_feedback.{entity} select * from copied".encode())
                connection.execute("drop table copied")
    caught = {
        verdict.batch_id: (verdict.verdict, set(verdict.stops), set(verdict.warnings))
        for verdict in runner.validate("citizen_feedback", settings)
    }
    assert {planted[batch][0]: found for batch, found in caught.items()} == {
        name: ("stopped" if stops else "passed", stops, warnings) for name, stops, warnings in planted.values()
    }
    tested = set[str]().union(*(stops | warnings for _, stops, warnings in planted.values()))
    assert tested == {text for _, text in DESCRIPTIONS}, "every expectation has its fault"
