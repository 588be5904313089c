"""Discharge from the stations' servers to the dashboard and the open case, and when stations misbehave."""

from __future__ import annotations

import os
import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

import numpy as np
import pytest
from discharge_agreement import agrees, connections_agree
from discharge_reference import VIETNAM, read

from alerts import procedures
from extractors.core.errors import Retriable
from sandbox import keys
from sandbox.ftp import FtpSource
from sandbox.industrial_discharge.play import NETWORK
from sandbox.sftp import SftpSource
from sandbox.stations.feed import Feed
from sandbox.stations.model import DAY_S, HOUR_S, STEP_S, Story
from sandbox.stations.tt10 import render, render_given, stamp
from tests.fixtures.relay import Relay

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Corridor

DOMAIN, CONNECTION = "industrial_discharge", "industrial_discharge.connection"
# So much of each outlet's history that its stories are in it; together some 45,000 values.
DAYS = {
    "TH_NGHISON_NT01": 3, "TH_LEMON_NT02": 6, "TH_HOANGLONG_NT03": 1, "TH_LAMSON_NT04": 2, "TH_NGHISON_KT05": 3,
    "TH_BIMSON_KT06": 5, "TH_LAMSON_KT07": 1, "TH_TAMTHOI_NT99": 1,
}  # fmt: skip


def planted(anchor: int) -> tuple[Story, ...]:
    """The sandbox's stories; days over a limit; and now an oxygen that calibrates, a kiln that stands still."""
    since, until = anchor - 2 * HOUR_S, anchor + DAY_S
    today = datetime.fromtimestamp(anchor, VIETNAM).replace(hour=0, minute=0, second=0, microsecond=0)
    midnight = int(today.timestamp())
    return (
        *NETWORK.planted(anchor),
        # A civil day, and the day after it is closed too: over and done with whenever this runs.
        Story(
            "episode",
            "TH_LEMON_NT02",
            midnight - 3 * DAY_S,
            midnight - 2 * DAY_S,
            parameter="COD",
            profile=((0, 90), (24, 90)),
        ),
        Story("calibration", "TH_NGHISON_KT05", since, until, parameter="O2", value=8.0),
        Story("shutdown", "TH_BIMSON_KT06", since, until, parameter="O2", value=20.95),
    )


SMALL = replace(
    NETWORK, stations=tuple(replace(NETWORK.station(code), history_days=days) for code, days in DAYS.items()),
    planted=planted, single_files_s=HOUR_S,
)  # fmt: skip


class Stations:
    """The stations' folders, and the servers in front of them."""

    def __init__(self, folder: Path, known_hosts: Path) -> None:
        self.folder = folder
        self.anchor = int(time.time()) // STEP_S * STEP_S
        self.feed = Feed(SMALL, folder, 36, 6)
        self.feed.advance(self.anchor + 60)
        key = keys.host_key(folder)
        self.ftp = FtpSource(folder / "ftp", ("127.0.0.1", 0), "stations", "p", keys.certificate(folder))
        self.sftp = SftpSource(folder / "sftp", ("127.0.0.1", 0), "stations", "p", key)
        self.ftp.start()
        self.sftp.start()
        self._known_hosts, self._key = known_hosts, key
        keys.publish_host_key(known_hosts, self.sftp.port, key)

    def uris(self, sftp_port: int | None = None) -> list[str]:
        keys.publish_host_key(self._known_hosts, sftp_port or self.sftp.port, self._key)
        user = f"stations:{quote('p')}@127.0.0.1"
        return [f"ftp://{user}:{self.ftp.port}/{DOMAIN}", f"sftp://{user}:{sftp_port or self.sftp.port}/{DOMAIN}"]

    def send(self, code: str, content: bytes, name: str) -> Path:
        """A file that the station's logger has just finished."""
        station = SMALL.station(code)
        path = self.folder / station.server / DOMAIN / code / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (time.time() - 60, time.time() - 60))
        return path

    def close(self) -> None:
        self.ftp.stop()
        self.sftp.stop()


@pytest.fixture(scope="module")
def stations(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stations]:
    with pytest.MonkeyPatch.context() as patch:
        known_hosts = tmp_path_factory.mktemp("keys") / "known_hosts"
        patch.setenv("IOC_KNOWN_HOSTS", str(known_hosts))
        patch.setenv("IOC_EXTRACT_RECHECK_S", "0.1")
        with closing(Stations(tmp_path_factory.mktemp("stations"), known_hosts)) as running:
            yield running


def retracted(corridor: Corridor) -> None:
    """An alarm whose data were taken back later: on record, open until there are values again, and told to be none."""
    assert corridor.query(
        "select i.status, i.level, i.corrected_at is not null, i.correction -> 'level_at_opening' "
        "from alert.incident as i inner join alert.rule as r on i.rule_id = r.rule_id "
        "where r.code = 'industrial_discharge.limit_ratio' and i.entity_id = 'TH_LAMSON_NT04/COD'"
    ) == [("open", 2, True, 0)]
    told = corridor.query(
        "select body from notify.outbox where channel = 'web' and subject like 'Đính chính%cửa xả 1, COD'"
    )
    assert told
    assert all("theo số liệu đã sửa" in body and "chưa có cảnh báo" in body for (body,) in told)


def incidents(
    corridor: Corridor, code: str = "industrial_discharge.limit_ratio"
) -> dict[tuple[str, str], tuple[int, int]]:
    """(entity, kind) → (level now, highest level), the newest of each."""
    rows = corridor.query(
        "select i.entity_id, i.kind, i.level, i.peak_level from alert.incident as i "
        "inner join alert.rule as r on i.rule_id = r.rule_id where r.code = %s order by i.opened_at", code,
    )  # fmt: skip
    return {(entity, kind): (level, peak) for entity, kind, level, peak in rows}


def test_from_the_stations_files_to_the_dashboard_and_the_open_case(corridor: Corridor, stations: Stations) -> None:
    report = corridor.load(DOMAIN, *stations.uris())
    assert (report.rejected, report.failed_files) == (0, 0)
    assert report.loaded == len(read(SMALL, stations.folder))
    assert corridor.transform(DOMAIN).failed == 0
    agrees(corridor, read(SMALL, stations.folder))
    assert connections_agree(corridor, read(SMALL, stations.folder)) == set(), "late files leave no gap"

    silent = corridor.query(
        "select distinct outlet_code, gap_class_vi from serving.rpt_industrial_discharge_gap where is_open"
    )
    assert silent == [("TH_HOANGLONG_NT03", "Trên 60 phút")]
    unknown = corridor.query(
        "select distinct outlet_code, zone_name from serving.rpt_industrial_discharge_current where not is_registered"
    )
    assert unknown == [("TH_TAMTHOI_NT99", "Ngoài khu công nghiệp")]
    said = corridor.query(
        "select distinct outlet_code, status_vi from serving.rpt_industrial_discharge_current "
        "where parameter in ('PM', 'SO2', 'NOx', 'CO') and not is_silent "
        # A logger leaves out a value now and then, and that may be its newest.
        "and status_vi not in ('Giá trị không dùng được', 'Không có số liệu ôxy')"
    )
    assert set(said) <= {
        ("TH_BIMSON_KT06", "Không quy đổi được ôxy (O₂ từ 20,9 %)"), ("TH_LAMSON_KT07", "Đang đo"),
        ("TH_NGHISON_KT05", "Đang hiệu chuẩn ôxy"),
    }  # fmt: skip
    assert float(corridor.figure(f"{DOMAIN}/rpt_{DOMAIN}_availability", "availability_avg",
                                 "outlet_code = 'TH_LEMON_NT02'")) == pytest.approx(100, abs=0.6)  # fmt: skip

    corridor.evaluate()
    found = incidents(corridor)
    assert found["TH_LAMSON_NT04/COD", "value"] == (2, 2), "1.7 times the limit, and going on"
    assert found["TH_LEMON_NT02/NH4", "value"] == (0, 2), "over and done with"
    assert found["TH_NGHISON_NT01/pH", "value"] == (0, 2), "too sour is as bad as too much"
    values = {entity for entity, kind in found if kind == "value"}
    assert values == {"TH_LAMSON_NT04/COD", "TH_LEMON_NT02/NH4", "TH_LEMON_NT02/COD", "TH_NGHISON_NT01/pH"}, (
        "calibration, device errors, a stopped stack and a burst of ten minutes alarm nobody"
    )
    heard = corridor.query(
        "select split_part(entity_id, '/', 1), quality, bool_or(value is not null) from alerting.signal "
        "where signal_code = 'industrial_discharge.limit_ratio' and quality <> 'insufficient' "
        "and entity_id similar to '(TH_NGHISON_KT05|TH_BIMSON_KT06)/%%' and period_end > %s group by 1, 2 order by 1",
        datetime.fromtimestamp(stations.anchor - 2 * HOUR_S, UTC),
    )
    assert heard == [("TH_BIMSON_KT06", "ok", False), ("TH_NGHISON_KT05", "calibrating", False)], (
        "heard, with nothing to compare: neither an alarm nor a silence"
    )
    assert {kind for _, kind in found} == {"value"}, "silence is the outlet's, not that of each parameter"
    assert incidents(corridor, CONNECTION) == {("TH_HOANGLONG_NT03", "nodata"): (2, 2)}, "silent for more than an hour"
    assert corridor.query(
        "select c.code, o.channel, count(*) from notify.outbox as o "
        "inner join ref.contact as c on o.contact_id = c.contact_id inner join alert.incident as i "
        "on i.incident_id = any(o.incident_ids) inner join alert.rule as r on i.rule_id = r.rule_id "
        "where r.domain = %s and i.kind = 'nodata' group by 1, 2 having count(*) > 1", DOMAIN,
    ) == []  # fmt: skip
    told = corridor.query("select body from notify.outbox where body like '%%Không nhận được dữ liệu%%'")
    assert told
    assert all(text.count("Không nhận được dữ liệu") == 1 for (text,) in told), "one outlet, one line in one message"
    assert all("Kết nối của cửa xả" in text for (text,) in told)
    assert incidents(corridor, "industrial_discharge.limit_ratio_1h")["TH_LAMSON_NT04/COD", "value"] == (2, 2)
    assert incidents(corridor, "industrial_discharge.limit_ratio_24h")["TH_LEMON_NT02/COD", "value"] == (0, 3), (
        "1.2 times its limit for a whole day, and then not"
    )

    procedures.drain(settings=corridor.settings)
    names = corridor.query("select name_vi from alerting.entity where entity_id = 'TH_LAMSON_NT04/COD'")
    assert names == [("Nước thải đường Lam Kinh – cửa xả 1, COD",)]
    # From the incident to the case with its tasks, and to the people.
    cases = corridor.query(
        "select t.code, i.entity_id from sop.case_ as c inner join sop.template as t on c.template_id = t.template_id "
        "inner join alert.incident as i on c.incident_id = i.incident_id"
    )
    assert cases == [("xa-thai-vuot-quy-chuan", "TH_LAMSON_NT04/COD")]
    tasks = corridor.query("select status, unit_code, due_at is not null from sop.task order by position")
    assert tasks[0] == ("ready", "SNNMT", True)
    assert len(tasks) == 6
    assert {status for status, *_ in tasks[1:]} == {"waiting"}
    told = corridor.query(
        "select o.channel, c.code from notify.outbox as o inner join ref.contact as c on o.contact_id = c.contact_id "
        "where o.body like '%%cửa xả 1, COD%%' or o.body like '%%cua xa 1, COD%%'"
    )
    assert {("web", "truc-snnmt"), ("email", "truc-snnmt"), ("sms", "truc-snnmt")} <= set(told)


def test_what_stations_send_late_wrongly_or_twice_ends_in_the_right_figures(
    corridor: Corridor, stations: Stations
) -> None:
    anchor, before = stations.anchor, corridor.query("select count(*) from raw_industrial_discharge.reading")[0][0]

    # A whole batch of nonsense is stopped by the gate and never seen.
    marks = range(anchor - HOUR_S, anchor + 1, STEP_S)
    lamson = SMALL.station("TH_LAMSON_NT04")
    nonsense = stations.send(
        lamson.code, render_given(SMALL, lamson, marks, {"COD": 9e9, "TSS": 9e9}, "00"), f"{lamson.code}_9.txt"
    )
    corridor.load(DOMAIN, *stations.uris())
    assert corridor.query("select count(*) from ops.load_batch where status = 'quarantined'") == [(1,)]
    nonsense.unlink()

    # The silent outlet sends what it kept, in one file, days late; the line breaks while it is fetched.
    outlet = SMALL.station("TH_HOANGLONG_NT03")
    missed = np.arange(anchor - HOUR_S * 3 // 2 // STEP_S * STEP_S - STEP_S, anchor + 1, STEP_S, dtype=np.int64)
    stations.send(outlet.code, render(SMALL, outlet, missed, 36, ()), f"{outlet.code}_{stamp(anchor + 7)}.txt")
    # The sour hours are corrected: the sensor was off.
    river = SMALL.station("TH_NGHISON_NT01")
    sour = range(anchor - 52 * HOUR_S + STEP_S, anchor - 49 * HOUR_S + 1, STEP_S)
    stations.send(
        river.code, render_given(SMALL, river, sour, {"pH": 7.2}, "00"), f"{river.code}_{stamp(anchor + 8)}.txt"
    )
    # The sugar mill says only now that its alarm of the last hours was a calibration.
    cleaned = range(anchor - 5 * HOUR_S, anchor + 1, STEP_S)
    stations.send(
        lamson.code,
        render_given(SMALL, lamson, cleaned, {"COD": 255.0}, "01"),
        f"{lamson.code}_{stamp(anchor + 12)}.txt",
    )
    # A clock three hours fast, and a file that the transfer cut.
    stack = SMALL.station("TH_LAMSON_KT07")
    fast = render_given(SMALL, stack, [anchor + 3 * HOUR_S], {"PM": 500.0, "SO2": 900.0}, "00")
    stations.send(stack.code, fast, f"{stack.code}_{stamp(anchor + 9)}.txt")
    older = range(anchor - 26 * HOUR_S, anchor - 24 * HOUR_S - HOUR_S // 2, STEP_S)
    whole = render_given(SMALL, stack, older, {"PM": 60.0, "SO2": 100.0, "O2": 9.0}, "00")
    cut = stations.send(stack.code, whole[:-5], f"{stack.code}_{stamp(anchor + 10)}.txt")
    # Dust on both sides of the midnight from which the renewed permit halves the limit.
    kiln = SMALL.station("TH_BIMSON_KT06")
    midnight = int(datetime(2026, 11, 12, tzinfo=VIETNAM).timestamp())
    night = range(midnight - HOUR_S + STEP_S, midnight + HOUR_S + 1, STEP_S)
    dust = render_given(SMALL, kiln, night, {"PM": 60.0, "O2": 11.2}, "00")
    stations.send(kiln.code, dust, f"{kiln.code}_{stamp(midnight + DAY_S + 11)}.txt")

    with (
        closing(Relay(stations.sftp.port, 9_000, 9)) as line,
        pytest.raises(Retriable, match="goes on where this ended"),
    ):
        corridor.load(DOMAIN, *stations.uris(line.port))
    assert line.left < 9, "it did hang up"
    corridor.load(DOMAIN, *stations.uris())
    rejected = dict(corridor.query("select reason_code, count(*) from ops.rejected_row group by 1"))
    assert rejected == {"future_timestamp": 2, "truncated": 1}
    stations.send(stack.code, whole, cut.name)
    report = corridor.load(DOMAIN, *stations.uris())
    assert (report.loaded, report.rejected) == (1, 0), "the rest of the cut file"
    again = corridor.load(DOMAIN, *stations.uris())
    assert again.loaded == 0
    assert before < corridor.query("select count(*) from raw_industrial_discharge.reading")[0][0]

    assert corridor.transform(DOMAIN).failed == 0
    (stations.folder / stack.server / DOMAIN / stack.code / f"{stack.code}_{stamp(anchor + 9)}.txt").unlink()
    agrees(corridor, read(SMALL, stations.folder))
    assert connections_agree(corridor, read(SMALL, stations.folder)) == {"Trên 15 phút", "Trên 12 giờ"}
    gaps = corridor.query(
        "select count(*) from serving.rpt_industrial_discharge_gap where outlet_code = 'TH_HOANGLONG_NT03'"
    )
    assert gaps == [(0,)], "the late file closed it"
    over = corridor.query(
        "select parameter, period_end from serving.rpt_industrial_discharge_exceedance "
        "where outlet_code in ('TH_NGHISON_NT01', 'TH_BIMSON_KT06') and averaging_period = '1h'"
    )
    assert over == [("PM", datetime.fromtimestamp(midnight + HOUR_S, UTC))], "lawful until midnight, no sour hour left"
    corridor.evaluate()
    assert incidents(corridor, CONNECTION) == {("TH_HOANGLONG_NT03", "nodata"): (0, 2)}, "the connection is back"
    retracted(corridor)


def test_the_rules_of_the_regulations_hold(corridor: Corridor, stations: Stations, tmp_path: Path) -> None:  # noqa: ARG001 (built before)
    said = corridor.unit_tests(DOMAIN, tmp_path)
    assert "PASS=11" in said
