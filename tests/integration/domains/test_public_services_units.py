"""Units of public services that merge or are divided: closed days keep theirs, and what is shown keeps the total."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ioc import warehouse
from sandbox.api import VIETNAM
from tests.fixtures.one_stop import one_stop

if TYPE_CHECKING:
    from sandbox.public_services.play import PublicServices
    from tests.integration.domains.conftest import Corridor

DOMAIN = "public_services"
_MARTS = (
    "select as_of_day, unit_code, sum(in_process_count), sum(received_count), sum(processed_count) "
    "from marts.fct_public_service_daily where unit_code in ('14797', '15925', '15127') and as_of_day <= %s "
    "group by 1, 2"
)
_SHOWN = (
    "select unit_code, sum(in_process_count), sum(received_count), sum(processed_count) "
    "from serving.rpt_public_services_daily where as_of_day <= %s group by 1"
)
_MONTHS = "select period_month, sum(received_count) from serving.rpt_public_services_month group by 1 order by 1"


def _late_step(play: PublicServices, day: Any) -> None:
    """An officer of another unit enters what happened on that day."""
    then = datetime(day.year, day.month, day.day, 10, tzinfo=VIETNAM)
    key, record = next(
        (k, r) for k, r in play.store.records().items()
        if r["TrangThaiHoSo"] == 4 and not r["DaXoa"] and r["DonViXuLy"] not in ("XP-0102", "XP-0122")
        and r["NgayTiepNhan"] < f"{then:%Y%m%d}" and r["NhatKy"]
        and r["NhatKy"][-1]["ThoiDiemXuLy"] < f"{then:%Y%m%d}"
    )  # fmt: skip
    step = {"ThoiDiemXuLy": f"{then:%Y%m%d%H%M%S}", "TrangThai": 9}
    play.store.change(
        key,
        {"TrangThaiHoSo": 9, "NgayKetThucXuLy": f"{then:%Y%m%d%H%M%S}", "NhatKy": [*record["NhatKy"], step]},
    )


def assert_working_days_are_those_of_the_calendar(corridor: Corridor) -> None:
    """What is counted by numbered days is what the editable calendar says, asked day by day."""
    local = "at time zone 'Asia/Ho_Chi_Minh')::date"
    wrong = corridor.query(
        "select a.day, b.day from intermediate.int_public_services__work_day a "
        "join intermediate.int_public_services__work_day b on b.day in (a.day + 1, a.day + 9, a.day + 40) "
        "where extract(day from a.day) in (1, 14, 28) and b.work_day_no - a.work_day_no "
        "<> ref.work_days_between('hanh_chinh', a.day, b.day)"
    )
    assert wrong == []
    overdue = corridor.query(
        f"select overdue_work_days, ref.work_days_between('hanh_chinh', (due_at {local}, (now() {local}) "
        "from serving.rpt_public_services_dossier where deadline_vi = 'Quá hạn'"
    )
    assert len(overdue) > 10
    assert [shown for shown, _ in overdue] == [right for _, right in overdue]
    means = corridor.query(
        "select m.mean_work_days, j.mean from serving.rpt_public_services_month m join ("
        "select period_month, unit_code, round(avg(ref.work_days_between('hanh_chinh', "
        f"(received_at {local}, (processed_at {local})), 2) as mean "
        "from intermediate.int_public_services__on_time_766 "
        f"where (processed_at {local} >= period_month group by 1, 2) j using (period_month, unit_code) "
        "where m.processed_count > 0"
    )
    assert len(means) > 10
    assert [shown for shown, _ in means] == [right for _, right in means]


def test_closed_days_keep_their_unit_and_heirs_share_what_is_shown(corridor: Corridor) -> None:
    """One unit is divided 0.25 : 0.75 today, another merged whole; then one late word has days counted again."""
    with one_stop(12) as (play, address):

        def hour() -> None:
            corridor.load(
                DOMAIN, f"{address}/mot-cua#dossiers", f"{address}/danh-muc#units", f"{address}/bao-cao#totals"
            )
            corridor.transform(DOMAIN)

        hour()
        assert_working_days_are_those_of_the_calendar(corridor)
        assert corridor.query(
            "select count(*) from serving.rpt_public_services_reconciliation where verdict_vi = 'Nguồn không báo'"
        ) == [(0,)], "a source that reports every unit leaves nothing out"
        day = play.clock.now().astimezone(VIETNAM).date() - timedelta(days=3)
        until = day - timedelta(days=1)
        kept = set(corridor.query(_MARTS, until + timedelta(days=3)))
        before = {unit: figures for unit, *figures in corridor.query(_SHOWN, until)}
        months = corridor.query(_MONTHS)
        assert before["14797"][0] > 50
        assert before["15127"][0] > 50
        with warehouse.connect("owner", corridor.settings) as connection:
            connection.execute(
                "insert into ref.unit_succession (old_code, new_code, weight, effective_on, citation) values "
                "('14797', '15925', 0.25, current_date, 'thử'), ('14797', '16531', 0.75, current_date, 'thử'), "
                "('15127', '16531', 1, current_date, 'thử')"
            )
        _late_step(play, day)
        play.clock.move(3600)
        hour()

    assert set(corridor.query(_MARTS, until + timedelta(days=3))) == kept, "the facts of a closed day name its unit"
    after = {unit: figures for unit, *figures in corridor.query(_SHOWN, until)}
    assert "14797" not in after
    assert "15127" not in after
    share = Decimal("0.25")
    for n in range(3):
        assert after["15925"][n] == before["15925"][n] + share * before["14797"][n]
        assert after["16531"][n] == (before["16531"][n] + (1 - share) * before["14797"][n] + before["15127"][n])
        assert sum(f[n] for f in after.values()) == sum(f[n] for f in before.values()), "the total stays"
    assert corridor.query(_MONTHS) == months

    open_now = dict(corridor.query("select unit_code, open_count from serving.rpt_public_services_unit"))
    assert open_now["14797"] > 0, "a dossier cannot be divided: it stays until the source passes it on"
    assert "15127" not in open_now, "a single heir takes over what is open"
