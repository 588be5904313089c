"""The gate of fishing vessels: a clean batch passes, each planted fault is caught by its expectation and no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations import runner, suite
from ioc import warehouse

if TYPE_CHECKING:
    from ioc.settings import Settings

_ROWS = 100
_LINEAGE = "_batch_id bigint, _source_uri text, _source_row bigint, _row_hash uuid, _extracted_at timestamptz, "
_LINEAGE += "_loaded_at timestamptz"
_RAW = f"""
create schema raw_fishing_vessels authorization ioc_loader;
create table raw_fishing_vessels.position (
    message_id text, received_at timestamptz, measured_at timestamptz, registration_sent text, device_code text,
    latitude numeric, longitude numeric, speed_kn numeric, course_deg numeric, alarm text, payload jsonb, {_LINEAGE});
create table raw_fishing_vessels.vessel (
    vessel_id text, changed_at timestamptz, registration text, owner_name text, owner_identity text, owner_phone text,
    commune_code text, length_m numeric, power_kw numeric, gear text, licence_until date, status text, devices jsonb,
    payload jsonb, {_LINEAGE});
create table raw_fishing_vessels.port_event (
    event_id text, changed_at timestamptz, registration_sent text, port_code text, direction text,
    happened_at timestamptz, payload jsonb, {_LINEAGE});
alter table raw_fishing_vessels.position owner to ioc_loader;
alter table raw_fishing_vessels.vessel owner to ioc_loader;
alter table raw_fishing_vessels.port_event owner to ioc_loader;
"""
_CLEAN = """
insert into raw_fishing_vessels.position
select 'BT-' || i, now(), now() - interval '2 minutes', 'TH-90001-TS', 'TB1', 19.1, 106.5, 7, 90, null, '{{}}',
    {batch}, 'http://giam-sat/vi-tri?page=1', i, gen_random_uuid(), now(), now() from generate_series(1, {rows}) i;
insert into raw_fishing_vessels.vessel
select 'TAU' || i, now(), 'TH-90001-TS', null, null, null, '16531', 17.5, 250, 'Lưới rê', current_date, null,
    '[{{"maThietBi": "TB1"}}]', '{{}}', {batch}, 'http://dang-ky/tau?page=1', i, gen_random_uuid(), now(), now()
from generate_series(1, {rows}) i;
insert into raw_fishing_vessels.port_event
select 'SK-' || i, now(), 'TH-90001-TS', 'LACH_HOI', 'vao', now(), '{{}}', {batch}, 'http://cang-ca/cang?page=1', i,
    gen_random_uuid(), now(), now() from generate_series(1, {rows}) i;
"""
_POSITION, _VESSEL, _EVENT = (
    f"update raw_fishing_vessels.{table} set " for table in ("position", "vessel", "port_event")
)

# Fault → (what it does to a clean batch, how the expectation that must fail begins, its severity).
FAULTS: dict[str, tuple[str, str, str]] = {
    "no message id": (_POSITION + "message_id = null where _source_row = 1", "Mọi bản tin phải có mã", "stop"),
    "no reception": (_POSITION + "received_at = null where _source_row = 1", "Mọi bản tin phải có thời điểm", "stop"),
    "a password": (_POSITION + "_source_uri = 'http://u:p@h/x' where _source_row = 1", "Địa chỉ nguồn", "stop"),
    "a row twice": (
        _POSITION + "_row_hash = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11' where _source_row <= 2", "Không bản tin nào",
        "stop",
    ),
    "places turned round": (
        _POSITION + "latitude = 106.5, longitude = 19.1 where true", "Ít nhất một nửa số vị", "stop"
    ),
    "wrong time zone": (
        _POSITION + "measured_at = measured_at + interval '7 hours' where true", "Ít nhất một nửa số bản tin", "stop"
    ),
    "no time": (_POSITION + "measured_at = null where _source_row <= 2", "Bản tin nên có thời điểm", "warn"),
    "no number": (_POSITION + "registration_sent = null where _source_row <= 2", "Bản tin nên có số", "warn"),
    "speeds of aircraft": (_POSITION + "speed_kn = 400 where _source_row <= 2", "Tốc độ nên", "warn"),
    "unknown alarm": (_POSITION + "alarm = 'CHAY' where _source_row = 1", "Mã cảnh báo", "warn"),
    "many rejects": ("select 1 from raw_fishing_vessels.position where true", "Không quá 5 %", "warn"),
    "a vessel without id": (_VESSEL + "vessel_id = null where _source_row = 1", "Mọi tàu phải có mã", "stop"),
    "vessels without number": (
        _VESSEL + "registration = null where _source_row > 40", "Ít nhất một nửa số tàu", "stop"
    ),
    "lengths in centimetres": (_VESSEL + "length_m = 1750 where _source_row <= 10", "Chiều dài tàu", "warn"),
    "a device that is no list": (_VESSEL + "devices = '\"TB1\"' where _source_row = 1", "Thiết bị của tàu", "warn"),
    "a call without id": (_EVENT + "event_id = null where _source_row = 1", "Mọi lượt", "stop"),
    "calls of no direction": (_EVENT + "direction = '1' where _source_row > 40", "Ít nhất một nửa số lượt", "stop"),
    "calls without time": (_EVENT + "happened_at = null where _source_row <= 2", "Lượt ra vào", "warn"),
}  # fmt: skip


def _put(settings: Settings, change: str = "", rejected: int = 0) -> int:
    with warehouse.connect("loader", settings) as connection:
        (batch,) = connection.execute(
            "insert into ops.load_batch (domain, status, read_count, loaded_count, rejected_count) "
            "values ('fishing_vessels', 'loaded', %s, %s, %s) returning batch_id",
            (3 * _ROWS + rejected, 3 * _ROWS, rejected),
        ).fetchone() or (0,)
        connection.execute(_CLEAN.format(batch=batch, rows=_ROWS).encode())
        if change:
            connection.execute(f"{change} and _batch_id = {batch}".encode())
    return int(batch)


def test_each_fault_is_caught_by_its_expectation_and_no_other(settings: Settings) -> None:
    with warehouse.connect("owner", settings) as connection:
        connection.execute(_RAW.encode())
    clean = _put(settings)
    planted = {
        _put(settings, change, 40 if fault == "many rejects" else 0): fault for fault, (change, _, _) in FAULTS.items()
    }
    verdicts = {one.batch_id: one for one in runner.validate("fishing_vessels", settings)}
    assert (verdicts[clean].verdict, verdicts[clean].stops, verdicts[clean].warnings) == ("passed", (), ())
    for batch, fault in planted.items():
        _, begins, severity = FAULTS[fault]
        one = verdicts[batch]
        failed = one.stops if severity == "stop" else one.warnings
        assert [text.startswith(begins) for text in failed] == [True], (fault, one)
        assert (one.verdict, len(one.stops) + len(one.warnings)) == ("stopped" if severity == "stop" else "passed", 1)


def test_every_expectation_has_a_planted_fault() -> None:
    promised = {one.description_vi for given in suite.load("fishing_vessels") for one in given.expectations}
    caught = {text for text in promised for _, begins, _ in FAULTS.values() if text.startswith(begins)}
    assert caught == promised
    assert len(FAULTS) == len(promised) == 18
