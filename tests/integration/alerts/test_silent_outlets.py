"""One place that falls silent is one incident and one message, however many of its parameters are watched."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.integration.alerts.conftest import Desk

OUTLET, PARAMETERS = "NT-01", ("COD", "TSS", "NH4", "pH", "Temp")
STEP = 1 / 12


def speak(desk: Desk, hours: list[float], cod: float = 0.5) -> None:
    """An outlet's five-minute, hourly and daily ratios, and that all of its parameters were heard."""
    for parameter in PARAMETERS:
        value = cod if parameter == "COD" else 0.5
        means = {hours[-1]: 0.5}
        for signal, values in (("", dict.fromkeys(hours, value)), ("_1h", means), ("_24h", means)):
            desk.signal(
                values, station=f"{OUTLET}/{parameter}", signal_code=f"industrial_discharge.limit_ratio{signal}",
                entity_type="outlet",
            )  # fmt: skip
    desk.signal(
        dict.fromkeys(hours, 0.0), station=OUTLET, signal_code="industrial_discharge.missing_parameters",
        entity_type="outlet",
    )  # fmt: skip


def standing(desk: Desk) -> list[tuple[str, str, int]]:
    return desk.rows("select i.entity_id, i.kind, i.level from alert.incident i where i.status = 'open' order by 2, 1")


def letters_of_silence(desk: Desk) -> list[tuple[str, str, int]]:
    """Who was written to about silence, by which channel, and how many times an outlet is named in it."""
    return [
        (contact, channel, body.count("Không nhận được dữ liệu"))
        for contact, channel, body in desk.rows(
            "select c.code, o.channel, o.body from notify.outbox o join ref.contact c using (contact_id) "
            "where o.body like '%%Không nhận được dữ liệu%%' order by o.created_at, 1, 2"
        )
    ]


def test_a_silent_outlet_is_one_incident_and_its_open_exceedance_stays(desk: Desk) -> None:
    speak(desk, [8 + STEP * n for n in range(6)], cod=1.2)
    desk.tick(8.5)
    assert standing(desk) == [(f"{OUTLET}/COD", "value", 1)]
    desk.tick(8.75)
    assert standing(desk) == [(OUTLET, "nodata", 1), (f"{OUTLET}/COD", "value", 1)]
    letters = letters_of_silence(desk)
    assert letters
    assert len(letters) == len({letter[:2] for letter in letters}), "one message to a person by one channel"
    assert {count for *_, count in letters} == {1}
    desk.tick(9.75)
    assert standing(desk) == [(OUTLET, "nodata", 2), (f"{OUTLET}/COD", "value", 1)]
    # It comes back, still over its limit: the silence is over, the exceedance is the one that it was.
    speak(desk, [10 + STEP * n for n in range(6)], cod=1.2)
    desk.tick(10.5)
    assert standing(desk) == [(f"{OUTLET}/COD", "value", 1)]
    speak(desk, [10.5 + STEP * n for n in range(6)], cod=0.5)
    desk.tick(11)
    assert standing(desk) == []
    assert desk.rows("select kind, count(*)::int, max(peak_level) from alert.incident group by 1 order by 1") == [
        ("nodata", 1, 2), ("value", 1, 1),
    ]  # fmt: skip


def test_an_exceedance_nobody_hears_of_any_more_leaves_as_unknown(desk: Desk) -> None:
    speak(desk, [8 + STEP * n for n in range(6)], cod=1.2)
    desk.tick(8.5)
    desk.tick(8 + 24 * 29)
    assert (f"{OUTLET}/COD", "value", 1) in standing(desk)
    desk.tick(9 + 24 * 30)
    assert f"{OUTLET}/COD" not in {entity for entity, *_ in standing(desk)}
    assert desk.one("select close_reason from alert.incident where kind = 'value'") == "retired"


def test_one_parameter_that_falls_silent_is_noticed_while_the_others_speak(desk: Desk) -> None:
    for n in range(6):
        desk.signal(
            {8 + STEP * n: 1.0}, station=OUTLET, signal_code="industrial_discharge.missing_parameters",
            entity_type="outlet",
        )  # fmt: skip
    desk.tick(8.5)
    assert standing(desk) == [(OUTLET, "value", 1)]
    assert desk.one("select max(body) from notify.outbox where channel = 'web'").count("thiếu 1 thông số") == 1


def test_a_silent_air_station_is_one_incident_too(desk: Desk) -> None:
    for signal in ("aqi_h", "aqi_d", "pm25_ratio_24h"):
        desk.signal({8: 0.5}, station="TH-01", signal_code=f"air_quality.{signal}")
    desk.tick(8)
    desk.tick(12)
    assert standing(desk) == [("TH-01", "nodata", 1)]
    letters = letters_of_silence(desk)
    assert len(letters) == len({letter[:2] for letter in letters})
    assert {count for *_, count in letters} == {1}
