"""First contents: complete, loaded once, and never in the way of what people changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alerts import seed
from alerts.judging import engine
from alerts.sending import delivery
from ioc.domains import all_domains

if TYPE_CHECKING:
    from ioc.settings import Settings
    from tests.integration.alerts.conftest import Desk


def test_a_second_load_adds_nothing(desk: Desk) -> None:
    assert set(seed.seed(desk.settings).values()) == {0}


def test_before_the_first_load_everything_runs_and_finds_nothing(settings: Settings) -> None:
    report = engine.evaluate(settings=settings)
    assert set(report.as_dict().values()) == {0, "live"}
    assert delivery.drain("web", settings).sent == delivery.drain("email", settings).sent == 0


def test_every_commune_and_every_owner_of_a_domain_is_a_unit(desk: Desk) -> None:
    kinds = dict(desk.rows("select kind, count(*) from ref.org_unit group by kind"))
    assert (kinds["ward"], kinds["commune"]) == (19, 147)
    units = {code for (code,) in desk.rows("select code from ref.org_unit")}
    assert {domain.owner for domain in all_domains()} <= units
    assert desk.one("select count(*) from ref.org_unit where parent_code is null") == 1


def test_no_contact_is_a_real_address(desk: Desk) -> None:
    addresses = [email for (email,) in desk.rows("select email from ref.contact where email is not null")]
    assert addresses
    assert all(address.endswith(".example.vn") for address in addresses)


def test_every_rule_reaches_two_people_from_level_two(desk: Desk) -> None:
    for station, unit in (("A", "14797"), ("B", "14845"), ("C", None)):
        desk.signal({0: 170}, station=station, unit_code=unit)
        desk.evaluate(0.1)
        desk.run("update notify.grp set last_flush = null")
    for station in "ABC":
        reached = desk.one("select count(distinct contact_id) from notify.outbox where body like %s", f"% {station} %")
        assert reached >= 2


def test_the_levels_of_the_seeded_rule_are_the_bands_of_the_regulation(desk: Desk) -> None:
    assert desk.rows(
        """
        select level, enter_value::int, exit_value::int, label_vi from alert.threshold
        join alert.rule_version using (rule_version_id) join alert.rule using (rule_id)
        where code = 'air_quality.aqi_h' order by level
        """
    ) == [(1, 101, 91, "Kém"), (2, 151, 141, "Xấu"), (3, 201, 191, "Rất xấu"), (4, 301, 291, "Nguy hại")]


def test_the_limit_of_the_standard_is_passed_only_above_it(desk: Desk) -> None:
    desk.signal({0: 1.0}, signal_code="air_quality.pm25_ratio_24h", station="AT")
    desk.signal({0: 1.000001}, signal_code="air_quality.pm25_ratio_24h", station="OVER")
    desk.evaluate(0.1)
    assert desk.transitions(station="AT") == []
    assert desk.transitions(station="OVER") == [(0, 1)]
