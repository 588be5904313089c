"""What all domains with units and deadlines share: names, working days, former units, links, masks."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ioc import transform, warehouse
from ioc.settings import get_settings

if TYPE_CHECKING:
    from tests.integration.domains.conftest import Corridor


@pytest.mark.parametrize(
    ("said", "key"),
    [
        ("UBND xã Hoằng Hoá", "hoằng hóa"),
        ("Xã  Hoằng Hóa", "hoằng hóa"),
        ("HOẰNG HOÁ", "hoằng hóa"),
        ("P. Hạc Thành", "hạc thành"),
        ("X.Thiệu Toán", "thiệu toán"),
        ("Xã Cẩm Thuỷ", "cẩm thủy"),
        ("Hoa\u0301 Quy\u0300", "hóa quỳ"),
        ("Xã Quý Lộc", "quý lộc"),
        ("Ủy ban nhân dân phường Bỉm Sơn", "bỉm sơn"),
        ("Định Hoà", "định hòa"),
        ("Sở Y tế", "sở y tế"),
        (" ", None),
    ],
)
def test_names_of_units_are_compared_whatever_their_spelling(corridor: Corridor, said: str, key: str | None) -> None:
    assert corridor.query("select ref.normalised_name(%s)", said) == [(key,)]


def test_every_commune_is_found_by_its_own_name_and_no_two_are_one(corridor: Corridor) -> None:
    rows = corridor.query("select ref.normalised_name(name_vi) from ref.org_unit where kind in ('ward', 'commune')")
    assert len(rows) == len({key for (key,) in rows}) == 166


def test_working_days_know_holidays_make_up_days_and_both_directions(corridor: Corridor) -> None:
    def between(since: str, upto: str) -> int:
        ((days,),) = corridor.query("select ref.work_days_between('hanh_chinh', %s::date, %s::date)", since, upto)
        return int(days)

    def after(start: str, days: int) -> date:
        ((day,),) = corridor.query("select ref.add_work_days('hanh_chinh', %s::date, %s)", start, days)
        assert isinstance(day, date)
        return day

    # Friday 21/8/2026, the make-up Saturday 22/8, Monday off 31/8, 1/9 and 2/9.
    assert between("2026-08-21", "2026-08-22") == 1
    assert between("2026-08-28", "2026-09-03") == 1
    assert between("2026-09-03", "2026-08-28") == -1
    assert between("2026-08-28", "2026-08-28") == 0
    assert after("2026-08-28", 1) == date(2026, 9, 3)
    assert after("2026-08-21", 1) == date(2026, 8, 22)
    assert after("2026-08-21", 0) == date(2026, 8, 21)
    assert after("2026-08-30", 0) == date(2026, 9, 3)
    assert corridor.query("select ref.add_work_days(null, date '2026-08-30', 2)") == [(date(2026, 9, 1),)]
    # Monday to Wednesday over 29/2.
    assert between("2028-02-28", "2028-03-01") == 2
    assert after("2028-02-28", 1) == date(2028, 2, 29)
    assert after("2028-02-28", 2) == date(2028, 3, 1)
    # The two say the same of each other wherever they start.
    assert corridor.query(
        "select count(*) from generate_series(timestamp '2026-01-01', '2027-12-31', '3 days') d(day), "
        "generate_series(1, 40, 13) n where ref.work_days_between('hanh_chinh', d.day::date, "
        "ref.add_work_days('hanh_chinh', d.day::date, n)) <> n"
    ) == [(0,)]


def _dbt(folder: Path, *arguments: str) -> str:
    """Run dbt on the corridor's warehouse; what it printed."""
    finished = subprocess.run(
        [
            str(Path(sys.executable).parent / "dbt"), "--quiet", *arguments,
            "--project-dir", str(transform.PROJECT), "--profiles-dir", str(transform.PROJECT),
            "--target-path", str(folder / "target"), "--log-path", str(folder / "logs"),
        ],
        env=transform.environment(get_settings()) | {"IOC_ITEM_URL_DOCUMENTS": "https://vb.example/?id={id}&x=1"},
        cwd=transform.PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stdout[-3000:]
    return finished.stdout


def test_masks_and_links_leave_nothing_to_read_or_to_run(corridor: Corridor, tmp_path: Path) -> None:
    values = (
        "(values (1, 'Lê Thị Hoa', '0912 345 678', '038123456789', 'VB-1'), "
        "(2, 'X', '113', '12', '<b>\"'), (3, null, null, null, null)) v(n, name, phone, cccd, id)"
    )
    sql = _dbt(
        tmp_path,
        "compile",
        "--inline",
        "select {{ masked_name('name') }}, {{ masked_phone('phone') }}, {{ masked_code('cccd') }}, "
        "{{ item_link('documents', 'id', 'id') }}, {{ item_link('unknown', 'id', 'id') }} from "
        + values
        + " order by n",
    )
    assert corridor.query(sql) == [
        (
            "L*** T*** H***", "*******678", "*********789",
            '<a href="https://vb.example/?id=VB-1&amp;x=1" target="_blank" rel="noopener">VB-1</a>', "VB-1",
        ),
        ("X***", "*", "*", "&lt;b&gt;&quot;", "&lt;b&gt;&quot;"),
        (None, None, None, None, None),
    ]  # fmt: skip


def test_former_units_map_to_all_their_heirs(corridor: Corridor, tmp_path: Path) -> None:
    """Chains, shares and divided communes by dbt's unit tests; then one built by hand and read back."""
    _dbt(
        tmp_path, "build", "--select", "path:seeds/shared", "path:models/*/shared", "--exclude-resource-type",
        "unit_test", "--indirect-selection", "buildable",
    )  # fmt: skip
    assert "PASS=2" in corridor.unit_tests("shared", tmp_path / "u")
    heirs = corridor.query(
        "select u.unit_name, b.weight from marts.bridge_former_unit b join marts.dim_unit_today u using (unit_code) "
        "where b.former_key = ref.normalised_name('Phường Phú Sơn') order by 1"
    )
    # Four districts knew a Phú Sơn: the name alone tells no share.
    assert [name for name, _ in heirs] == ["Phường Hạc Thành", "Phường Quang Trung", "Phường Trúc Lâm", "Xã Phú Lệ"]
    assert {weight for _, weight in heirs} == {None}
    assert corridor.query(
        "select u.unit_name, b.weight from marts.bridge_former_unit b join marts.dim_unit_today u using (unit_code) "
        "where b.former_key = ref.normalised_name('xã Hà Vinh')"
    ) == [("Phường Bỉm Sơn", 1)]
    held = corridor.query("select count(distinct unit_code) from marts.bridge_former_unit")
    assert held == [(166,)], "every commune of today has a past"


def test_laying_out_one_domain_leaves_the_views_of_another_in_place(corridor: Corridor, tmp_path: Path) -> None:
    """A view that another domain hung on the units; every layout builds the shared models again."""
    layout = ("build", "--select", "path:seeds/shared", "path:models/*/shared", "--exclude-resource-type", "unit_test")
    _dbt(tmp_path, *layout, "--indirect-selection", "buildable")
    with warehouse.connect("transformer", corridor.settings) as connection:
        connection.execute("create view serving.rpt_of_another as select unit_code from marts.dim_unit_today")
    _dbt(tmp_path, *layout, "--indirect-selection", "buildable")
    assert corridor.query("select count(*) > 166 from serving.rpt_of_another") == [(True,)]


def test_a_word_may_have_periods_but_one_meaning_a_day(corridor: Corridor, tmp_path: Path) -> None:
    """The data test that guards tables of words: a later period passes, what overlaps or is empty is found."""
    words = (
        "(values ('Mới', date '2020-01-01', date '2026-03-01'), ('Mới', date '2026-03-01', date '9999-12-31'), "
        "('Trùng', date '2020-01-01', date '9999-12-31'), (' TRÙNG', date '2026-01-01', date '2026-02-01'), "
        "('Rỗng', date '2026-01-01', date '2026-01-01'), ('Hở', date '2026-01-01', null)) "
        "w(word, effective_from, effective_to)"
    )
    sql = _dbt(tmp_path, "compile", "--inline", '{{ test_one_meaning_a_day("' + words + '", "word") }}')
    assert {word for word, *_ in corridor.query(sql)} == {"trung", "rong", "ho"}
