"""First contents: complete, loaded once, and never in the way of what people changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from alerts import delivery, engine, seed
from ioc import warehouse
from ioc.domains import all_domains

if TYPE_CHECKING:
    from pathlib import Path

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


def test_export_gives_rules_that_load_into_the_same_tables(desk: Desk, tmp_path: Path) -> None:
    exported = seed.export_rules("air_quality", desk.settings)
    thresholds = (
        "select level, enter_value, exit_value, enter_strict, for_dur, keep_dur, label_vi, scope_kind, scope_value"
    )
    versions = "select direction, max_gap, nodata_after, retire_after, notify_max_age, message_vi, legal_basis"
    wanted = [
        desk.rows(f"{thresholds} from alert.threshold where rule_version_id = 1 order by level"),
        desk.rows(f"{versions} from alert.rule_version where rule_version_id = 1"),
    ]
    rules = yaml.safe_load(exported)
    path = tmp_path / "again.yaml"
    for rule in rules:
        rule["code"] += ".again"
    path.write_text(yaml.safe_dump(rules, allow_unicode=True), encoding="utf-8")
    with warehouse.connect("owner", desk.settings) as connection:
        assert seed.load_rules(connection, path) == len(rules)
    again = desk.one("select rule_version_id from alert.rule_version join alert.rule using (rule_id) where code = %s",
                     "air_quality.aqi_h.again")  # fmt: skip
    assert wanted == [
        desk.rows(f"{thresholds} from alert.threshold where rule_version_id = %s order by level", again),
        desk.rows(f"{versions} from alert.rule_version where rule_version_id = %s", again),
    ]


def test_a_later_effective_date_is_a_new_version_and_the_old_one_ends_there(desk: Desk, tmp_path: Path) -> None:
    (rule, *_) = yaml.safe_load(seed.export_rules("air_quality", desk.settings))
    rule["effective_from"] = desk.at(0)
    rule["thresholds"] = rule["thresholds"][:1]
    path = tmp_path / "new.yaml"
    path.write_text(yaml.safe_dump([rule], allow_unicode=True), encoding="utf-8")
    with warehouse.connect("owner", desk.settings) as connection:
        assert [seed.load_rules(connection, path), seed.load_rules(connection, path)] == [1, 0]
    assert desk.rows(
        "select version, upper(effective) = %s from alert.rule_version where rule_id = 1 order by version", desk.at(0)
    ) == [(1, True), (2, None)]


def test_a_rule_file_that_lacks_something_is_named_with_the_rule_and_the_field(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("- {code: x.y, domain: air_quality}", encoding="utf-8")
    with (
        pytest.raises(seed.RuleFileError, match=r"bad\.yaml: rule x\.y lacks the field 'signal_code'"),
        warehouse.connect("owner", desk.settings) as connection,
    ):
        seed.load_rules(connection, path)
