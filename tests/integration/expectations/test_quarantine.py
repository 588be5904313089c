"""A stopped batch leaves quarantine only by a named person's decision, and the decision is kept."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from alerts import seed
from alerts.judging import engine
from expectations import data_docs, quarantine, runner
from extractors.core import pipeline
from ioc import cli, warehouse
from tests.fixtures.one_stop import one_stop

if TYPE_CHECKING:
    from collections.abc import Callable

    from ioc.settings import Settings

_NO_STATION = "update raw_air_quality.reading set station_code = null where _source_row = 1 and _batch_id = {batch}"


@pytest.fixture
def quarantined(settings: Settings, put_batch: Callable[..., int]) -> int:
    """A batch that the gate stopped and ``publish`` put aside, beside a good one."""
    put_batch()
    batch = put_batch(100, _NO_STATION)
    runner.validate("air_quality", settings)
    with warehouse.connect("loader", settings) as connection:
        connection.execute("update ops.load_batch set status = 'quarantined' where verdict = 'stopped'")
    return batch


def _state(settings: Settings, batch: int) -> tuple[str, str, str]:
    with warehouse.connect("loader", settings) as connection:
        query = "select status, verdict, message from ops.load_batch where batch_id = %s"
        return connection.execute(query, (batch,)).fetchone() or ("", "", "")


def test_a_released_batch_waits_to_be_published_and_names_who_and_why(settings: Settings, quarantined: int) -> None:
    decision = quarantine.release(quarantined, by="lan.nt", reason="Trạm mới, mã bổ sung sau", settings=settings)
    assert (decision.act, decision.row_count) == ("release", 100)
    assert _state(settings, quarantined) == ("loaded", "passed", "released by lan.nt: Trạm mới, mã bổ sung sau")
    assert runner.validate("air_quality", settings) == []
    with warehouse.connect("loader", settings) as connection:
        kept = connection.execute("select expectation, observed from ops.validation_result where suite = 'quarantine'")
        assert kept.fetchall() == [("release", {"by": "lan.nt", "reason": "Trạm mới, mã bổ sung sau"})]
    page = data_docs.folder(settings) / "air_quality" / f"{quarantined}.html"
    assert "released by lan.nt" in page.read_text()


def test_a_discarded_batch_makes_room_for_its_resend(settings: Settings, quarantined: int) -> None:
    decision = quarantine.discard(quarantined, by="lan.nt", reason="Tệp của tỉnh khác", settings=settings)
    assert (decision.act, decision.row_count) == ("discard", 100)
    assert _state(settings, quarantined)[0] == "failed"
    with warehouse.connect("loader", settings) as connection:
        left = connection.execute(
            "select count(*), count(*) filter (where _batch_id = %s) from raw_air_quality.reading", (quarantined,)
        )
        assert left.fetchone() == (100, 0)


def test_what_an_interface_said_in_a_discarded_batch_is_asked_for_again(settings: Settings) -> None:
    """Nobody resends what an interface said: the load after the discard brings what the source says by then."""
    with one_stop(1) as (play, url):
        clock, source = play.clock, f"{url}/mot-cua#dossiers"

        def load() -> pipeline.LoadReport:
            return pipeline.extract("public_services", source_uris=[source], settings=settings)

        load()
        finished, mistaken = [k for k, r in play.store.records().items() if r["TrangThaiHoSo"] == 4][:2]
        clock.move(60)
        for key, status in ((finished, 9), (mistaken, 77)):
            play.store.change(key, {"TrangThaiHoSo": status})
        clock.move(3600)
        (stopped,) = load().batch_ids
        with warehouse.connect("loader", settings) as connection:
            connection.execute(
                "update ops.load_batch set status = 'quarantined', verdict = 'stopped' where batch_id = %s", (stopped,)
            )
        clock.move(3600)
        play.store.change(mistaken, {"TrangThaiHoSo": 4})
        clock.move(60)
        load()
        quarantine.discard(stopped, by="lan.nt", reason="Sai mã trạng thái", settings=settings)
        load()
        assert load().loaded == 0, "once is enough"
    with warehouse.connect("loader", settings) as connection:
        said = connection.execute(
            "select distinct on (dossier_code) dossier_code, status_code from raw_public_services.dossier "
            "where dossier_code = any(%s) order by dossier_code, _batch_id desc",
            ([finished, mistaken],),
        )
        assert dict(said.fetchall()) == {finished: 9, mistaken: 4}


@pytest.mark.parametrize("decide", [quarantine.release, quarantine.discard])
def test_only_a_stopped_batch_can_be_decided_on_and_never_without_a_reason(
    settings: Settings, quarantined: int, decide: Callable[..., quarantine.Decision]
) -> None:
    with pytest.raises(quarantine.QuarantineError, match="name and a reason"):
        decide(quarantined, by="lan.nt", reason=" ", settings=settings)
    with pytest.raises(quarantine.QuarantineError, match="no batch 999"):
        decide(999, by="lan.nt", reason="x", settings=settings)
    with pytest.raises(quarantine.QuarantineError, match="only a stopped batch"):
        decide(quarantined - 1, by="lan.nt", reason="x", settings=settings)
    assert _state(settings, quarantined)[0] == "quarantined"


def test_the_owner_s_alarm_rises_with_the_quarantine_and_ends_with_the_decision(
    settings: Settings, quarantined: int
) -> None:
    seed.seed(settings)

    def firing() -> list[tuple[str, bool]]:
        engine.evaluate(settings=settings)
        with warehouse.connect("alerts", settings) as connection:
            return connection.execute(
                "select r.owner_unit, i.closed_at is null from alert.incident i join alert.rule r using (rule_id) "
                "where r.code = 'air_quality.quarantined_batches'"
            ).fetchall()

    assert firing() == []
    assert [quarantine.announce("air_quality", settings), quarantine.announce("air_quality", settings)] == [1, 1]
    assert firing() == [("SNNMT", True)]
    quarantine.release(quarantined, by="lan.nt", reason="Đã kiểm tra với trạm", settings=settings)
    assert firing() == [("SNNMT", False)]
    with warehouse.connect("transformer", settings) as connection:
        told = connection.execute("select unit_code, value::int from alerting.signal order by period_end").fetchall()
    assert told == [("SNNMT", 1), ("SNNMT", 0)]


def test_the_command_shows_what_waits_and_takes_the_decision(
    settings: Settings, quarantined: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*arguments: str) -> tuple[int, dict[str, Any]]:
        with pytest.raises(SystemExit) as ended:
            cli.main(["quarantine", *arguments, "--json"])
        return int(ended.value.code or 0), json.loads(capsys.readouterr().out.splitlines()[-1])

    code, listed = run("list")
    assert (code, [(b["batch_id"], b["loaded"]) for b in listed["batches"]]) == (0, [(quarantined, 100)])
    assert listed["batches"][0]["failed"], "a person must see why"
    code, decided = run("release", str(quarantined), "--by", "lan.nt", "--reason", "đã xác nhận")
    assert (code, decided["act"], _state(settings, quarantined)[0]) == (0, "release", "loaded")
    code, refused = run("discard", str(quarantined), "--by", "lan.nt", "--reason", "đổi ý")
    assert code == 1
    assert str(quarantined) in refused["error"]
    assert run("list")[1]["batches"] == []
