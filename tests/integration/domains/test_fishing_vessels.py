"""Fishing vessels end to end: the played systems over HTTP, the warehouse, the rules, and a second count of figures."""

from __future__ import annotations

import csv
import random
import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from fastapi import FastAPI
from fishing_vessels_truth import count, inverse, registration, to_stretch

from alerts import procedures
from extractors.core.errors import Retriable
from ioc.settings import PROJECT_ROOT
from sandbox.api import VIETNAM, serve
from sandbox.fishing_vessels.play import FishingVessels
from sandbox.store import Clock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.domains.conftest import Corridor

DAYS = 14
# The fleet's anchor: so early that everything these tests let happen has happened by our own clock.
ANCHOR = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=40)
CURRENT, HOURLY = "fishing_vessels/rpt_fishing_vessels_current", "fishing_vessels/rpt_fishing_vessels_hourly"
QUALITY, EPISODE = "fishing_vessels/rpt_fishing_vessels_quality", "fishing_vessels/rpt_fishing_vessels_episode"


def vessel(number: int) -> str:
    return f"TH-{90000 + number}-TS"


@dataclass
class Fleet:
    """The played systems, where they answer, and the warehouse that reads them."""

    source: FishingVessels
    uris: list[str]
    corridor: Corridor

    def take(self) -> None:
        self.corridor.load("fishing_vessels", *self.uris)
        self.corridor.transform("fishing_vessels")

    def advance(self, hours: float) -> None:
        self.source.clock.move(hours * 3600)
        self.source.advance(0)

    def states(self) -> dict[str, str]:
        return dict(self.corridor.query("select vessel_code, state from serving.rpt_fishing_vessels_current"))

    def assert_figures_are_those_of_the_source(self) -> None:
        """Metrics of the dashboard's datasets against the second count."""
        truth = count(self.source, ANCHOR)
        figure = self.corridor.figure
        assert figure(QUALITY, "message_total") == truth.messages
        for fault, expected in truth.faults.items():
            assert figure(QUALITY, "message_total", f"fault = '{fault}'") == expected, fault
        assert figure(QUALITY, "bad_total") == sum(truth.faults.values())
        for metric, flag, expected_of in (
            ("at_sea_count", "is_at_sea", truth.at_sea), ("silent_count", "is_silent", truth.silent),
            ("silent_long_count", "is_silent_long", truth.silent_long), ("across_count", "is_across", truth.across),
            ("sos_count", "is_sos", truth.sos),
        ):  # fmt: skip
            rows = self.corridor.query(f"select vessel_code from serving.rpt_fishing_vessels_current where {flag}")
            assert {code for (code,) in rows} == expected_of, metric
            assert figure(CURRENT, metric) == len(expected_of)
        assert figure(CURRENT, "vessel_count", "heard_at is not null") == len(truth.vessels)


@pytest.fixture(scope="module")
def fleet(corridor: Corridor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder: Path = tmp_path_factory.mktemp("vessels")
    source = FishingVessels(folder, seed=36, days=DAYS, password="mat/khau", clock=Clock(ANCHOR))
    source.advance(int(ANCHOR.timestamp()))
    application = FastAPI()
    application.include_router(source.router)
    with serve(application) as url:
        base = url.replace("://", "://ioc:mat%2Fkhau@")
        fleet = Fleet(
            source, [f"{base}/giam-sat#positions", f"{base}/dang-ky#vessels", f"{base}/cang-ca#port_events"], corridor
        )
        fleet.take()
        yield fleet


def test_every_figure_is_what_the_source_holds(fleet: Fleet) -> None:
    fleet.assert_figures_are_those_of_the_source()
    faults = count(fleet.source, ANCHOR).faults
    assert faults.keys() == {"tuong_lai", "toa_do_khong", "toa_do_sai", "trung_lap", "nhay_vi_tri"}, "each is planted"


def test_the_track_of_a_vessel_is_its_usable_positions_in_order(fleet: Fleet) -> None:
    tracks: dict[str, list[tuple[datetime, tuple[float, float]]]] = defaultdict(list)
    for code, at, latitude, longitude, north, east in fleet.corridor.query(
        "select vessel_code, measured_at, latitude, longitude, latitude_text, longitude_text "
        "from serving.rpt_fishing_vessels_track order by vessel_code, measured_at, received_at"
    ):
        tracks[code].append((at, (float(latitude), float(longitude))))
        for text, degrees in ((north, latitude), (east, longitude)):
            whole, minutes = re.fullmatch(r"(\d+)°([\d,]+)'[BĐ]", text).groups()  # type: ignore[union-attr]
            read = int(whole) + float(minutes.replace(",", ".")) / 60
            assert abs(read - float(degrees)) < 0.1 / 60, "degrees and minutes, as seamen read them"
    expected = {code: track for code, track in count(fleet.source, ANCHOR).tracks.items() if track}
    assert tracks.keys() == expected.keys()
    for code, track in expected.items():
        assert [at for at, _ in tracks[code]] == [at for at, _ in track], code
        assert [place for _, place in tracks[code]] == [pytest.approx(place) for _, place in track], code


def test_figures_of_an_hour_are_those_of_that_hour(fleet: Fleet) -> None:
    for back in (30, 100):
        at = ANCHOR - timedelta(hours=back)
        # Everything that was measured by then, whenever it came: late messages belong to their hour.
        rows = fleet.corridor.query(
            "select sum(at_sea_count), sum(across_count) from serving.rpt_fishing_vessels_hourly where hour_at = %s", at
        )
        seen = fleet.corridor.query(
            "select count(*) filter (where is_at_sea), count(*) filter (where line_level = 2) "
            "from marts.fct_vessel_hour where hour_at = %s", at
        )  # fmt: skip
        assert rows == seen
        truth = count(fleet.source, ANCHOR, at)
        assert abs(int(rows[0][0]) - len(truth.at_sea)) <= 1, "a message a minute old may still be on its way"


def test_every_story_is_told_once_and_nothing_else(fleet: Fleet) -> None:
    rows = fleet.corridor.query(
        "select kind, vessel_code, opened_at, is_open from serving.rpt_fishing_vessels_episode order by 1, 3, 2"
    )
    told = [(kind, code, round((at - ANCHOR).total_seconds() / 3600), is_open) for kind, code, at, is_open in rows]
    kinds = {(kind, code, is_open) for kind, code, _, is_open in told}
    assert len(told) == len(rows) == 14, told
    assert kinds == {
        ("gan_ranh_gioi", vessel(1), False), ("gan_ranh_gioi", vessel(2), False), ("gan_ranh_gioi", vessel(2), True),
        ("gan_ranh_gioi", vessel(4), False), ("gan_ranh_gioi", vessel(5), True),
        ("vuot_ranh_gioi", vessel(2), False), ("vuot_ranh_gioi", vessel(2), True),
        ("sai_vung", vessel(11), True), ("sos", vessel(9), True), ("sos", vessel(10), False),
        ("mat_ket_noi_6h", vessel(6), True), ("mat_ket_noi_6h", vessel(7), True), ("mat_ket_noi_6h", vessel(21), True),
        ("mat_ket_noi_10_ngay", vessel(7), True),
    }  # fmt: skip
    states = fleet.states()
    assert (states[vessel(3)], states[vessel(8)], states[vessel(20)]) == ("tren_bien", "trong_cang", "trong_cang")


def test_numbers_in_any_spelling_are_one_vessel_and_strangers_are_shown(fleet: Fleet) -> None:
    spelt = fleet.corridor.query(
        "select count(distinct registration_sent), count(distinct vessel_code) from marts.fct_vessel_fix "
        "where vessel_code like 'TH-900%%'"
    )
    assert spelt[0][1] == 80
    notes = dict(
        fleet.corridor.query(
            "select vessel_code, registration_note from serving.rpt_fishing_vessels_current "
            "where registration_note is not null"
        )
    )
    assert notes == {
        "TH-99999-TS": "Không có trong sổ đăng ký", "BTH-97188-TS": "Không có trong sổ đăng ký",
        "TAU CA 36": "Số đăng ký không đọc được",
    }  # fmt: skip


def test_a_swapped_device_follows_the_registry_whatever_number_it_sends(fleet: Fleet) -> None:
    mismatched = fleet.corridor.query(
        "select vessel_code, count(*) > 5, max(measured_at) from marts.fct_vessel_fix where is_device_mismatch "
        "group by 1 order by 1"
    )
    assert [row[:2] for row in mismatched] == [(vessel(18), True), (vessel(19), True)]
    assert max(row[2] for row in mismatched) < ANCHOR - timedelta(hours=96)


def test_no_personal_data_leave_raw(fleet: Fleet) -> None:
    for schema in ("staging", "intermediate", "marts", "serving", "alerting"):
        for (table,) in fleet.corridor.query(
            "select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace "
            "where n.nspname = %s and c.relkind in ('r', 'v') and c.relname ~ 'vessel|signal|entity'", schema
        ):  # fmt: skip
            found = fleet.corridor.query(
                f"select count(*) from {schema}.{table} t where t::text ~ 'Giả Định|09000\\d{{5}}|000000\\d{{6}}'"
            )
            assert found == [(0,)], table


def _line() -> list[tuple[float, float]]:
    with (PROJECT_ROOT / "dbt_project" / "seeds" / "fishing_vessels" / "vessel_sea_line.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["line_code"] == "vinh_bac_bo"]
    return [(float(row["latitude"]), float(row["longitude"])) for row in rows]


def _near_the_line(generator: random.Random, line: list[tuple[float, float]]) -> tuple[float, float]:
    bend = generator.choice(line)
    return bend[0] + generator.uniform(-0.05, 0.05), bend[1] + generator.uniform(-0.05, 0.05)


def _expected_side(p: tuple[float, float], line: list[tuple[float, float]]) -> int | None:
    """East or west by a ray to the north-south line: its longitude at the place's latitude; None where it has none."""
    crossings = [
        a[1] + (b[1] - a[1]) * (p[0] - a[0]) / (b[0] - a[0])
        for a, b in pairwise(line)
        if a[0] != b[0] and b[0] <= p[0] < a[0]
    ]
    return None if len(crossings) != 1 else 1 if p[1] < crossings[0] else -1


def test_distances_hold_half_a_per_cent_of_the_geodesic_and_sides_are_right(fleet: Fleet) -> None:
    line = _line()
    assert abs(sum(inverse(a, b)[0] for a, b in pairwise(line)) / 1000 - 506) < 1
    generator = random.Random(7)
    far = [(generator.uniform(17.9, 21.4), generator.uniform(105.6, 110.0)) for _ in range(60)]
    near = [_near_the_line(generator, line) for _ in range(60)]
    beyond = [(21.6, 108.0), (21.48, 108.3), (17.7, 107.9), (17.5, 107.0), (17.9, 108.4)]
    store = fleet.source.positions.store
    at = store.clock.now().astimezone(VIETNAM)
    for number, (latitude, longitude) in enumerate([*far, *near, *beyond]):
        store.change(
            f"DO-{number}",
            {
                "soDangKy": "TH-80001-TS", "maThietBi": "TB80001", "viDo": latitude, "kinhDo": longitude, "tocDo": 1,
                "thoiDiem": (at - timedelta(seconds=400 - number)).isoformat(), "huong": 0, "canhBao": None,
            },
        )  # fmt: skip
    fleet.take()
    rows = fleet.corridor.query(
        "select fix_id, latitude, longitude, line_distance_nm from intermediate.int_fishing_vessels__fix "
        "where fix_id like 'DO-%%'"
    )
    assert len(rows) == 125
    checked = 0
    for _, latitude, longitude, distance in rows:
        p = (latitude, longitude)
        if p in beyond:
            assert distance is None, p
            continue
        if distance is None:
            continue
        stretches = sorted(pairwise(line), key=lambda s: min(inverse(p, s[0])[0], inverse(p, s[1])[0]))
        reference = min(to_stretch(p, a, b) for a, b in stretches[:5]) / 1852
        assert abs(abs(distance) - reference) <= 0.005 * reference + 0.001, (p, distance, reference)
        side = _expected_side(p, line)
        if side is not None and reference > 0.05:
            assert (1 if distance > 0 else -1) == side, p
        checked += 1
    assert checked > 100
    for number in range(125):
        store.change(f"DO-{number}", {"viDo": 0, "kinhDo": 0})


def test_the_rules_fire_one_incident_for_an_episode_and_open_their_procedures(fleet: Fleet) -> None:
    now = fleet.source.clock.now()
    fleet.corridor.evaluate(now)
    rows = fleet.corridor.query(
        "select r.code, i.entity_id, i.level, i.status from alert.incident i join alert.rule r using (rule_id) "
        "where r.domain = 'fishing_vessels' and i.kind = 'value' order by 1, 2, 4"
    )
    assert {row for row in rows if row[3] == "open"} == {
        ("fishing_vessels.line_state", vessel(2), 3, "open"), ("fishing_vessels.line_state", vessel(5), 1, "open"),
        ("fishing_vessels.silence_10d", vessel(7), 3, "open"), ("fishing_vessels.silence_6h", vessel(6), 2, "open"),
        ("fishing_vessels.silence_6h", vessel(7), 2, "open"), ("fishing_vessels.silence_6h", vessel(21), 2, "open"),
        ("fishing_vessels.sos", vessel(9), 4, "open"), ("fishing_vessels.wrong_zone", vessel(11), 1, "open"),
    }  # fmt: skip
    assert sum(row[:2] == ("fishing_vessels.line_state", vessel(2)) for row in rows) == 2
    # From the incident to the case with its tasks, and to the people.
    procedures.drain(at=now, settings=fleet.corridor.settings)
    cases = fleet.corridor.query(
        "select t.code, i.entity_id from sop.case_ c join sop.template t using (template_id) "
        "join alert.incident i using (incident_id)"
    )
    assert sorted(cases) == sorted([
        ("tau-khai-thac-sai-vung", vessel(11)), ("tau-mat-ket-noi-10-ngay", vessel(7)),
        ("tau-mat-ket-noi-6h", vessel(21)), ("tau-mat-ket-noi-6h", vessel(6)), ("tau-mat-ket-noi-6h", vessel(7)),
        ("tau-phat-sos", vessel(9)), ("tau-vuot-ranh-gioi", vessel(2)),
    ])  # fmt: skip
    tasks = fleet.corridor.query(
        "select k.step_code, k.status, k.unit_code, k.due_at - c.opened_at from sop.task k "
        "join sop.case_ c using (case_id) join sop.template t using (template_id) "
        "where t.code = 'tau-phat-sos' order by k.position"
    )
    assert tasks[0] == ("xac-nhan", "ready", "SNNMT", timedelta(minutes=5))
    assert [(step, status) for step, status, *_ in tasks[1:3]] == [("cuu-nan", "waiting"), ("tau-gan", "waiting")]
    assert len(tasks) == 8
    told = fleet.corridor.query(
        "select o.channel, c.code, o.body from notify.outbox o join ref.contact c using (contact_id) "
        "join alert.incident i on i.incident_id = any(o.incident_ids) join alert.rule r using (rule_id) "
        "where r.code = 'fishing_vessels.sos' and i.entity_id = %s", vessel(9),
    )  # fmt: skip
    assert {("sms", "truc-snnmt"), ("email", "lanh-dao-tinh"), ("web", "truc-snnmt")} <= {row[:2] for row in told}
    assert any(f"Tàu {vessel(9)}: Phát tín hiệu SOS" in body for *_, body in told)
    assert fleet.corridor.query(
        "select count(*) > 0 from notify.outbox where subject || body like '%%Tàu cá phát tín hiệu SOS%%' "
        "and body like '%%Gọi tàu và chủ tàu%%'"
    ) == [(True,)], "the task is announced to those who have to do it"  # fmt: skip
    again = len(rows)
    fleet.corridor.evaluate()
    assert len(fleet.corridor.query("select from alert.incident where kind = 'value'")) >= again


def test_a_source_that_misbehaves_changes_no_figure(fleet: Fleet) -> None:
    fleet.advance(3)
    positions, vessels = fleet.source.positions, fleet.source.vessels
    positions.most = 20
    positions.misbehave("expired", after=1)
    positions.misbehave("status", 429, retry_after="0", after=2)
    positions.misbehave("truncated", after=3)
    positions.misbehave("html", after=4)
    vessels.misbehave("html")
    positions.meanwhile(2, lambda: fleet.source.clock.move(120))
    fleet.take()
    fleet.assert_figures_are_those_of_the_source()
    # One message with two contents: the one said last counts, and the row is one.
    key = next(key for key, at in reversed(positions.store.changed()) if positions.store.records()[key]["viDo"])
    positions.most = 2000
    positions.store.change(key, {"canhBao": "SOS"})
    (code,) = fleet.corridor.query("select vessel_code from marts.fct_vessel_fix where fix_id = %s", key)[0]
    fleet.take()
    assert fleet.states()[code] == "sos"
    positions.store.change(key, {"canhBao": None})
    # A message that comes late with an older state does not bring that state back.
    records = positions.store.records()
    own = [one for one, _ in positions.store.changed() if registration(records[one]["soDangKy"]) == code]
    late = sorted(own, key=lambda one: datetime.fromisoformat(records[one]["thoiDiem"]))[-3]
    positions.store.change(late, {"canhBao": "SOS"})
    fleet.take()
    assert fleet.states()[code] != "sos"
    positions.store.change(late, {"canhBao": None})


def test_when_the_whole_source_is_down_no_vessel_is_called_silent(fleet: Fleet) -> None:
    fleet.take()
    before = {code for code, state in fleet.states().items() if state.startswith("mat_ket_noi")}
    fleet.advance(10)
    fleet.source.positions.misbehave("status", 503, count=1000)
    with pytest.raises(Retriable):
        fleet.corridor.load("fishing_vessels", *fleet.uris)
    fleet.corridor.publish("fishing_vessels")
    fleet.corridor.transform("fishing_vessels")
    assert {code for code, state in fleet.states().items() if state.startswith("mat_ket_noi")} == before
    fleet.source.positions.behave()
    fleet.take()
    # Vessel 23 has been silent since two hours after the anchor, and has come to light now that the others speak.
    assert fleet.states()[vessel(23)] == "mat_ket_noi_6h"
    fleet.assert_figures_are_those_of_the_source()


def test_unit_tests_of_the_states(fleet: Fleet, tmp_path: Path) -> None:
    said = fleet.corridor.unit_tests("fishing_vessels", tmp_path)
    assert "unit_test" in said
