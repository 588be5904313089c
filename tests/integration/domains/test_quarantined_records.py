"""A batch that waited in quarantine turns no clock back: what was read later counts, whatever is published last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations import quarantine
from extractors.core import pipeline
from ioc import warehouse
from sandbox.api import VIETNAM
from tests.fixtures.one_stop import one_stop
from tests.integration.transform.raw_readings import Reading, publish, vn

if TYPE_CHECKING:
    from tests.integration.domains.conftest import Corridor


def _stop(corridor: Corridor, batch: int) -> None:
    """As the gate leaves a batch that it stopped."""
    with warehouse.connect("owner", corridor.settings) as connection:
        connection.execute(
            "update ops.load_batch set status = 'quarantined', verdict = 'stopped', publish_seq = null, "
            "published_at = null where batch_id = %s",
            (batch,),
        )


def test_a_released_batch_never_undoes_what_its_source_said_later(corridor: Corridor) -> None:
    domain = "public_services"
    with one_stop(2) as (play, url):
        clock, source = play.clock, f"{url}/mot-cua#dossiers"
        corridor.load(domain, source)
        running = [key for key, record in play.store.records().items() if record["TrangThaiHoSo"] == 4]
        overtaken, told_once = running[:2]
        clock.move(1800)
        for key in (overtaken, told_once):
            asked = f"{clock.now().astimezone(VIETNAM):%Y%m%d%H%M%S}"
            play.store.change(key, {"TrangThaiHoSo": 5, "NgayYeuCauBoSung": asked})
        clock.move(1800)
        (batch,) = pipeline.extract(domain, source_uris=[source], settings=corridor.settings).batch_ids
        _stop(corridor, batch)
        clock.move(3600)
        ended = f"{clock.now().astimezone(VIETNAM):%Y%m%d%H%M%S}"
        play.store.change(overtaken, {"TrangThaiHoSo": 9, "NgayKetThucXuLy": ended})
        clock.move(600)
        corridor.load(domain, source)
    quarantine.release(batch, by="lan.nt", reason="đúng cả", settings=corridor.settings)
    corridor.publish(domain)
    corridor.transform(domain)
    shown = corridor.query(
        "select dossier_code, status_code from marts.fct_public_service_dossier where dossier_code = any(%s)",
        [overtaken, told_once],
    )
    assert dict(shown) == {overtaken: 9, told_once: 5}


def test_a_released_reading_never_undoes_its_correction(corridor: Corridor) -> None:
    """Between two builds, as in real life: the newer reading is already in the tables when the older is released."""
    station, at = "TH_SAMSON_KK04", vn("2026-03-10 12:00")
    wrong = publish(corridor.settings, [Reading(station, "PM10", at, 900), Reading(station, "SO2", at, 12)])
    _stop(corridor, wrong)
    publish(corridor.settings, [Reading(station, "PM10", at, 55)])
    corridor.transform("air_quality")
    quarantine.release(wrong, by="lan.nt", reason="SO2 đúng", settings=corridor.settings)
    corridor.publish("air_quality")
    corridor.transform("air_quality")
    query = (
        "select parameter, value::integer from {} where station_code = %s and parameter in ('PM10', 'SO2') order by 1"
    )
    for relation in ("intermediate.int_air_quality__reading", "staging.stg_air_quality__reading"):
        assert corridor.query(query.format(relation), station) == [("PM10", 55), ("SO2", 12)], relation
