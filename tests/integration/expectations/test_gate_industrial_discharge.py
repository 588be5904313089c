"""The gate of discharge: a clean batch passes, each planted fault is caught by its expectation and no other.

The tables are those of ambient stations, and so are most promises: their faults are planted here too. What an outlet
may possibly measure is the domain's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations import runner, suite
from ioc import warehouse
from tests.integration.expectations.test_gate import FAULTS as OF_STATIONS

if TYPE_CHECKING:
    from ioc.settings import Settings

DOMAIN, READING = "industrial_discharge", "raw_industrial_discharge.reading"
PROMISES = {(one.severity, one.description_vi) for given in suite.load(DOMAIN) for one in given.expectations}
_ROWS = 100
_RAW = f"""
create schema raw_industrial_discharge authorization ioc_loader;
create table {READING} (
    station_code text, parameter text, parameter_raw text, value numeric, value_raw text, unit_raw text,
    measured_at timestamptz, device_status text,
    _batch_id bigint, _source_uri text, _source_row bigint, _row_hash uuid, _extracted_at timestamptz,
    _loaded_at timestamptz
);
alter table {READING} owner to ioc_loader;
"""
_CLEAN = f"""
insert into {READING}
select 'TH_NT_0' || 1 + i %% 6, p.symbol, p.symbol, p.value, p.value::text, p.unit, now() - i * interval '5 minutes',
    '00', %(batch)s, 'ftp://trạm/TH_' || i || '.txt', i, gen_random_uuid(), now(), now()
from generate_series(1, %(rows)s / 5) i,
    (values ('Flow', 320, 'm3/h'), ('pH', 7.3, 'pH'), ('COD', 85, 'mg/l'), ('O2', 7.2, '%%'), ('Temp', 30, 'oC'))
    p(symbol, value, unit)
"""
_IMPOSSIBLE = {"pH": 21, "Temp": 2001, "O2": 106, "Flow": -1001, "COD": 10_000_001}
FAULTS = {
    fault: (
        change.replace("raw_air_quality", "raw_industrial_discharge")
        .replace("'TH_KK_02'", "'TH_NT_02'").replace("'TH_KK_01'", "'TH_NT_01'").replace("'O3'", "'COD'"),
        stops, warnings,
    )
    for fault, (change, stops, warnings) in OF_STATIONS.items()
} | {
    f"{name} of {value}": (
        f"update {READING} set value = {value} where parameter = '{name}' and _source_row = 1", [],
        ["Không có giá trị nằm ngoài"],
    )
    for name, value in _IMPOSSIBLE.items()
}  # fmt: skip


def _put(settings: Settings, change: str = "", rejected: int = 0) -> int:
    with warehouse.connect("loader", settings) as connection:
        (batch,) = connection.execute(
            "insert into ops.load_batch (domain, status, read_count, loaded_count, rejected_count) "
            "values (%s, 'loaded', %s, %s, %s) returning batch_id",
            (DOMAIN, _ROWS + rejected, _ROWS, rejected),
        ).fetchone() or (0,)
        connection.execute(_CLEAN.encode(), {"batch": batch, "rows": _ROWS})
        if change:
            connection.execute(f"{change} and _batch_id = {batch}".encode())
    return int(batch)


def _promised(beginnings: list[str], severity: str) -> set[str]:
    found = set()
    for beginning in beginnings:
        hits = {text for kind, text in PROMISES if kind == severity and text.startswith(beginning)}
        assert len(hits) == 1, (beginning, hits)
        found |= hits
    return found


def test_each_fault_is_caught_by_its_expectation_and_no_other(settings: Settings) -> None:
    with warehouse.connect("owner", settings) as connection:
        connection.execute(_RAW.encode())
    clean = _put(settings)
    planted = {
        _put(settings, change, 20 if fault == "many rejects" else 0): fault for fault, (change, *_) in FAULTS.items()
    }
    verdicts = {one.batch_id: one for one in runner.validate(DOMAIN, settings)}
    assert (verdicts[clean].verdict, verdicts[clean].stops, verdicts[clean].warnings) == ("passed", (), ())
    assert verdicts[clean].expectations == len(PROMISES)
    caught = {
        fault: (verdicts[batch].verdict, set(verdicts[batch].stops), set(verdicts[batch].warnings))
        for batch, fault in planted.items()
    }
    assert caught == {
        fault: ("stopped" if stops else "passed", _promised(stops, "stop"), _promised(warnings, "warn"))
        for fault, (_, stops, warnings) in FAULTS.items()
    }


def test_every_expectation_has_a_planted_fault() -> None:
    caught = set()
    for _, stops, warnings in FAULTS.values():
        caught |= {("stop", text) for text in _promised(stops, "stop")}
        caught |= {("warn", text) for text in _promised(warnings, "warn")}
    assert caught == PROMISES
    assert len(PROMISES) == 20
