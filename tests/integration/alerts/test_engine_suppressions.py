"""Holding messages back: who may, for how long, up to which level, and what people hear of the windows themselves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time as clock
from datetime import time, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from alerts import incidents, suppressions
from alerts.notifying import telling
from alerts.suppressions import Actor, Hours, Scope
from ioc.settings import PROJECT_ROOT

if TYPE_CHECKING:
    from datetime import datetime

    from tests.integration.alerts.conftest import Desk

LEADER = Actor("lanhdao", "leader")
OFFICER = Actor("truc", "officer", ["SNNMT"])
LEVEL_1, OVER = "Cảnh báo cấp 1 – Kém", "Đã hết cảnh báo"


def suppress(desk: Desk, hour: float, until: float, kind: Any = "silence", by: Actor = LEADER, **more: Any) -> int:
    return suppressions.suppress(
        kind, by, "Bảo trì trạm", desk.at(until), settings=desk.settings, at=desk.at(hour), **{"max_level": 2, **more}
    )


def listed(desk: Desk, hour: float, when: Any = None) -> list[suppressions.Suppression]:
    return suppressions.listing(when, settings=desk.settings, at=desk.at(hour))


def is_suppressed(desk: Desk, at: datetime, **changes: object) -> bool:
    found = {"rule": "air_quality.aqi_h", "entity": "TH-01", "unit": "14797", "kind": "value", "level": 1} | changes
    return bool(desk.one("select alert.is_suppressed(%s, %s, %s, %s, %s, %s)", *found.values(), at))


def test_a_role_decides_the_highest_level_that_it_may_silence(desk: Desk) -> None:
    for role, ceiling in {"officer": 3, "engineer": 3, "leader": 4, "admin": 4}.items():
        assert suppress(desk, 0, 1, by=Actor("x", role), max_level=ceiling)
        if ceiling < 4:
            with pytest.raises(incidents.ActRefusedError, match="chỉ được tạm dừng thông báo đến cấp 3"):
                suppress(desk, 0, 1, by=Actor("x", role), max_level=4)
    with pytest.raises(incidents.ActRefusedError, match="Vai trò của bạn không được"):
        suppress(desk, 0, 1, by=Actor("x", "citizen"), max_level=1)
    grave = suppress(desk, 0, 2, max_level=4)
    with pytest.raises(incidents.ActRefusedError, match="đến cấp 3"):
        suppressions.change_end(grave, desk.at(9), Actor("x", "engineer"), desk.settings, desk.at(0.5))


REFUSED: dict[str, dict[str, Any]] = {
    "Cần nêu lý do": {"reason": "  "},
    "dài quá 500": {"reason": "x" * 501},
    "kết thúc phải sau": {"until": -1},
    "quá xa": {"until": 24 * 32},
    "Cấp cao nhất": {"max_level": 5},
    "Phạm vi .* không hợp lệ": {"scope": Scope(entity_pattern=" ")},
    "Không có đơn vị": {"scope": Scope(unit_code="KHONG-CO")},
    "chỉ dùng, và phải có": {"hours": Hours(iso_weekdays=[6])},
    "Cần chọn ngày trong tuần": {"kind": "mute_timing", "hours": Hours()},
    "Ngày trong tuần không hợp lệ": {"kind": "mute_timing", "hours": Hours(iso_weekdays=[8])},
    "phải khác nhau": {"kind": "mute_timing", "hours": Hours(daily=(time(1), time(1)))},
    "Không có lịch": {"kind": "mute_timing", "hours": Hours(outside_calendar="khong-co")},
}


def test_without_reason_end_ceiling_or_a_sensible_scope_it_is_refused(desk: Desk) -> None:
    for sentence, changes in REFUSED.items():
        wanted = {"kind": "silence", "reason": "x", "until": 1, "max_level": 2} | changes
        with pytest.raises(incidents.ActRefusedError, match=sentence):
            suppressions.suppress(
                wanted.pop("kind"), LEADER, wanted.pop("reason"), desk.at(wanted.pop("until")), settings=desk.settings,
                at=desk.at(0), **wanted,
            )  # fmt: skip
    assert listed(desk, 0) == []


def test_an_officer_acts_within_his_unit_only(desk: Desk) -> None:
    """His unit stands for what it answers for: the rules that it owns, wherever the thing happens."""
    mine = suppress(desk, 0, 5, by=OFFICER)
    foreign = suppress(desk, 0, 5, scope=Scope(unit_code="14797"))
    with pytest.raises(incidents.ActRefusedError, match="phạm vi đơn vị của mình"):
        suppress(desk, 0, 5, by=OFFICER, scope=Scope(unit_code="14797"))
    for act in (
        lambda: suppressions.lift(foreign, OFFICER, desk.settings, desk.at(1)),
        lambda: suppressions.change_end(foreign, desk.at(9), OFFICER, desk.settings, desk.at(1)),
    ):
        with pytest.raises(incidents.ActRefusedError, match="trong phạm vi của bạn"):
            act()
    assert [s.unit_code for s in suppressions.listing(None, ["SNNMT"], desk.settings, desk.at(1))] == ["SNNMT"]
    suppressions.lift(foreign, LEADER, desk.settings, desk.at(1))
    assert is_suppressed(desk, desk.at(2)), "the rule is the officer's unit's"
    desk.run("update alert.rule set owner_unit = 'SYT'")
    assert not is_suppressed(desk, desk.at(2))
    suppressions.lift(mine, OFFICER, desk.settings, desk.at(2))
    with pytest.raises(incidents.ActRefusedError):
        suppressions.lift(mine, OFFICER, desk.settings, desk.at(2.1))


def test_the_one_check_knows_scope_ceiling_time_and_lifting(desk: Desk) -> None:
    made = suppress(desk, 0, 5, max_level=2, scope=Scope("air\\_quality.aqi%", "TH-%", "14797", incident_kind="value"))
    assert is_suppressed(desk, desk.at(0))
    for changes in (
        {"rule": "air_quality.pm25_ratio_24h"}, {"rule": "airXquality.aqi_h"}, {"entity": "KHAC"}, {"unit": "16654"},
        {"unit": None}, {"kind": "nodata"}, {"level": 3},
    ):  # fmt: skip
        assert not is_suppressed(desk, desk.at(0), **changes), changes
    assert not is_suppressed(desk, desk.at(-0.1))
    assert not is_suppressed(desk, desk.at(5)), "the end itself is outside"
    suppressions.lift(made, LEADER, desk.settings, desk.at(3))
    assert is_suppressed(desk, desk.at(2.9)), "asked of a time before it was lifted"
    assert not is_suppressed(desk, desk.at(3))


def test_a_unit_that_took_over_another_holds_back_what_began_there(desk: Desk) -> None:
    desk.run("insert into ref.unit_succession (old_code, new_code, effective_on) values ('16561', '16654', %s)",
             desk.at(24).date())  # fmt: skip
    suppress(desk, 0, 72, scope=Scope(unit_code="16654"))
    assert not is_suppressed(desk, desk.at(1), unit="16561")
    assert is_suppressed(desk, desk.at(25), unit="16561")


def test_an_exact_pattern_fits_nothing_else(desk: Desk) -> None:
    suppress(desk, 0, 5, scope=Scope(entity_pattern=suppressions.exactly("TH_0%")))
    assert is_suppressed(desk, desk.at(1), entity="TH_0%")
    assert not is_suppressed(desk, desk.at(1), entity="TH-01")


def test_a_mute_time_recurs_in_its_hours_across_midnight(desk: Desk) -> None:
    """06/03/2026 is a Friday. Friday nights from 22:00 to 05:00; a whole Sunday; outside office hours."""
    suppress(desk, 0, 24 * 30, "mute_timing", hours=Hours(iso_weekdays=[5], daily=(time(22), time(5))),
             scope=Scope(entity_pattern="DEM"))  # fmt: skip
    suppress(desk, 0, 24 * 30, "mute_timing", hours=Hours(iso_weekdays=[7]), scope=Scope(entity_pattern="CN"))
    suppress(desk, 0, 24 * 30, "mute_timing", hours=Hours(outside_calendar="hanh_chinh"),
             scope=Scope(entity_pattern="NGOAI"))  # fmt: skip
    suppress(desk, 0, 24 * 30, "mute_timing", hours=Hours(daily=(time(8), time(9))), scope=Scope(entity_pattern="SANG"))

    def holds(entity: str, *hours: float) -> list[bool]:
        return [is_suppressed(desk, desk.at(hour), entity=entity) for hour in hours]

    assert holds("DEM", 4, 21.9, 22, 24 + 4.9, 24 + 5, 24 + 23, 7 * 24 + 22) == [
        False, False, True, True, False, False, True,
    ]  # fmt: skip
    assert holds("CN", 23, 24 + 23, 48, 71.9, 72) == [False, False, True, True, False]
    assert holds("NGOAI", 6.9, 7, 12, 17) == [True, False, True, True]
    assert holds("SANG", 7.9, 8, 8.9, 9, 32) == [False, True, True, False, True]


def test_after_a_silence_of_five_hours_with_fresh_data_only_what_is_still_true_is_told(desk: Desk) -> None:
    suppress(desk, 0, 5)
    desk.signal({1: 120, 2: 60, 3: 60, 4: 60, 5: 60}, station="OVER")
    desk.signal({1: 60, 2: 120, 3: 120, 4: 120, 5: 120}, station="STILL")
    for hour in range(1, 5):
        desk.tick(hour + 0.1)
    assert desk.subjects() == []
    desk.tick(5.1)
    desk.tick(5.2)
    assert desk.subjects() == [LEVEL_1]


def test_maintenance_expires_and_the_alarm_sounds_again_for_what_is_true(desk: Desk) -> None:
    """What begins in the window and lasts is told after it; what was told before and ended in it ends after it."""
    desk.signal({0: 120, 1: 60, 2: 60, 3: 60, 4: 60}, station="BEFORE")
    desk.tick(0.1)
    suppress(desk, 0.5, 4, "maintenance")
    desk.signal(dict.fromkeys(range(1, 5), 120), station="INSIDE")
    for hour in (1.1, 2.1, 3.1):
        desk.tick(hour)
    assert desk.subjects() == [LEVEL_1]
    desk.tick(4.1)
    assert sorted(desk.subjects()) == sorted([LEVEL_1, LEVEL_1])
    assert OVER in desk.one("select body from notify.inbox where incident_ids <> '{}' order by inbox_id desc limit 1")


def test_beginning_and_end_of_a_window_are_told_once_each(desk: Desk) -> None:
    desk.signal({0: 120, 1: 120, 2: 120, 3: 120})
    desk.tick(0.1)
    suppress(desk, 0.5, 3, "maintenance", since=desk.at(1), by=Actor("kysu", "engineer"))
    desk.tick(0.9)
    assert desk.subjects(of_windows=True) == []
    for hour in (1.0, 1.1, 2.0, 2.9):
        desk.tick(hour)
    assert desk.subjects(of_windows=True) == ["Bắt đầu bảo trì"]
    for hour in (3.0, 3.1, 4.0):
        desk.tick(hour)
    for user in ("truc", "kysu"):  # on duty in the unit that owns the rules, and the maker
        assert desk.subjects(user, of_windows=True) == ["Bắt đầu bảo trì", "Kết thúc bảo trì"]
    body = desk.one("select body from notify.inbox where body like '[Kết thúc%%' limit 1")
    assert "06/03/2026" in body
    assert "Bảo trì trạm" in body
    assert "SC-" in body, "what is still open in its scope"


def test_a_window_passed_in_a_downtime_is_told_by_its_end_and_one_still_open_by_its_beginning(desk: Desk) -> None:
    suppress(desk, 0, 2, since=desk.at(1), scope=Scope(entity_pattern="PASSED"))
    suppress(desk, 0, 30, since=desk.at(1), scope=Scope(entity_pattern="OPEN"))
    desk.tick(24)
    desk.tick(24.1)
    assert sorted(desk.subjects(of_windows=True)) == ["Bắt đầu tạm dừng thông báo", "Kết thúc tạm dừng thông báo"]
    assert "PASSED" in desk.one("select body from notify.inbox where body like '[Kết thúc%%' limit 1")


def test_a_window_lifted_early_ends_there_and_one_lifted_unheard_is_not_spoken_of(desk: Desk) -> None:
    heard = suppress(desk, 0, 9)
    desk.tick(0.1)
    suppressions.lift(heard, LEADER, desk.settings, desk.at(1))
    unheard = suppress(desk, 1, 9, since=desk.at(2))
    suppressions.lift(unheard, LEADER, desk.settings, desk.at(1.5))
    for hour in (1.6, 2.1, 9.1):
        desk.tick(hour)
    assert desk.subjects(of_windows=True) == ["Bắt đầu tạm dừng thông báo", "Kết thúc tạm dừng thông báo"]
    assert "kết thúc sớm bởi lanhdao" in desk.one("select body from notify.inbox where body like '[Kết thúc%%' limit 1")


TELL = """
import os, datetime, pathlib, time
from alerts.judging import restatement
from alerts.notifying import telling
marker = pathlib.Path(os.environ['MARKER'])
def hang(*args):
    marker.touch()
    time.sleep(60)
restatement.tell = hang
telling.drain(datetime.datetime.fromisoformat(os.environ['AT']))
"""


def test_killed_between_the_notice_and_its_commit_it_is_told_once_by_the_next(desk: Desk) -> None:
    suppress(desk, 0, 2)
    marker = desk.settings.home / "telling"
    marker.unlink(missing_ok=True)
    environment = os.environ | {"MARKER": str(marker), "AT": desk.at(0.1).isoformat()}
    process = subprocess.Popen([sys.executable, "-c", TELL], cwd=PROJECT_ROOT, env=environment)
    end = clock.monotonic() + 30
    while not marker.exists():
        assert clock.monotonic() < end
        assert process.poll() is None
        clock.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert desk.one("select count(*) from notify.outbox") == desk.one("select count(*) from alert.window_notice") == 0
    made = telling.drain(desk.at(0.2), desk.settings).notifications
    assert made == desk.one("select count(*) from notify.outbox") > 0
    assert telling.drain(desk.at(0.3), desk.settings).notifications == 0


def test_the_end_can_be_moved_until_it_has_come(desk: Desk) -> None:
    made = suppress(desk, 0, 2)
    suppressions.change_end(made, desk.at(4), LEADER, desk.settings, desk.at(1))
    desk.signal(dict.fromkeys(range(1, 6), 120))
    desk.tick(3.1)
    assert desk.subjects() == []
    with pytest.raises(incidents.ActRefusedError, match="sau hiện tại"):
        suppressions.change_end(made, desk.at(3), LEADER, desk.settings, desk.at(3.5))
    with pytest.raises(incidents.ActRefusedError, match="quá xa"):
        suppressions.change_end(made, desk.at(24 * 40), LEADER, desk.settings, desk.at(3.5))
    desk.tick(4.1)
    assert desk.subjects() == [LEVEL_1]
    with pytest.raises(incidents.ActRefusedError, match="đang có hiệu lực"):
        suppressions.change_end(made, desk.at(9), LEADER, desk.settings, desk.at(4.2))
    actions = desk.rows("select action, detail ->> 'to' from audit.event where object_type = 'suppression'")
    assert [action for action, _ in actions] == ["silence.made", "suppression.end_changed"]


def test_the_list_says_what_each_holds_back_now_later_and_before(desk: Desk) -> None:
    desk.signal({0: 120}, station="TH-01")
    desk.signal({0: 250}, station="TH-02")
    desk.tick(0.1)
    past = suppress(desk, 0.1, 0.5)
    now = suppress(desk, 0.2, 5, max_level=3, scope=Scope(entity_pattern="TH-%"))
    small = suppress(desk, 0.2, 5, max_level=2, scope=Scope(entity_pattern="TH-%"))
    later = suppress(desk, 0.2, 5, since=desk.at(3), scope=Scope(entity_pattern="TH-01"))
    found = {one.suppression_id: one for one in listed(desk, 1)}
    assert {key: (one.state, one.is_holding) for key, one in found.items()} == {
        past: ("past", False), now: ("now", True), small: ("now", True), later: ("planned", False),
    }  # fmt: skip
    assert [(one["entity"], one["level"]) for one in found[now].held] == [("TH-02", 3), ("TH-01", 1)]
    assert [one["entity"] for one in found[small].held] == ["TH-01"], "level 3 is above its ceiling"
    assert found[later].held[0]["code"].startswith("SC-")
    assert (found[past].held, found[now].series_count, found[later].series_count) == ([], 2, 1)
    assert [one.suppression_id for one in listed(desk, 1, "planned")] == [later]
    assert [one.suppression_id for one in listed(desk, 1, "past")] == [past]
    (view,) = [one for one in incidents.list_open(settings=desk.settings, at=desk.at(1)) if one.entity_id == "TH-01"]
    assert view.is_suppressed


def test_series_known_to_be_dead_are_silent_and_asked_about_every_month(desk: Desk) -> None:
    desk.signal({0: 60}, station="CHET")
    desk.signal({0: 60}, station="SONG")
    desk.tick(0.1)
    entry = suppressions.register_dead(
        OFFICER, "Trạm đã tháo dỡ", desk.at(24 * 90), scope=Scope(entity_pattern="CHET"), settings=desk.settings,
        at=desk.at(0.2),
    )  # fmt: skip
    report = desk.tick(4)
    assert report.nodata == 2, "state stays live"
    assert desk.subjects() == ["Mất dữ liệu"]
    assert "SONG" in desk.one("select body from notify.inbox where body like '[Mất%%' limit 1")
    assert desk.rows("select from notify.inbox where body like '[Mất%%' and body like '%%CHET%%'") == []
    assert desk.subjects(of_windows=True) == ["Bắt đầu chuỗi đã ngừng"]
    due = [one.suppression_id for one in suppressions.due_for_review(desk.settings, desk.at(24 * 29))]
    assert due == []
    (one,) = suppressions.due_for_review(desk.settings, desk.at(24 * 31))
    assert (one.suppression_id, one.reason, one.created_by, one.is_known_dead) == (
        entry, "Trạm đã tháo dỡ", "truc", True,
    )  # fmt: skip
    suppressions.review(entry, OFFICER, "Vẫn chưa lắp lại", desk.settings, desk.at(24 * 31))
    assert suppressions.due_for_review(desk.settings, desk.at(24 * 60)) == []
    assert [one.suppression_id for one in suppressions.due_for_review(desk.settings, desk.at(24 * 62))] == [entry]
    with pytest.raises(incidents.ActRefusedError, match="nêu rõ chuỗi"):
        suppressions.register_dead(
            LEADER, "x", desk.at(24), scope=Scope(entity_pattern="%"), settings=desk.settings, at=desk.at(0)
        )
    with pytest.raises(incidents.ActRefusedError, match="quá xa"):
        suppressions.register_dead(
            LEADER, "x", desk.at(0) + timedelta(days=400), scope=Scope(entity_pattern="A"), settings=desk.settings,
            at=desk.at(0),
        )  # fmt: skip
    actions = [action for (action,) in desk.rows("select action from audit.event where object_type = 'suppression'")]
    assert actions == ["dead_series.registered", "dead_series.reviewed"]


def test_a_dead_series_that_speaks_again_is_watched_like_any_other(desk: Desk) -> None:
    """Only its silence is held back: a value over the limit is told."""
    suppressions.register_dead(
        LEADER, "Trạm hỏng", desk.at(24), scope=Scope(entity_pattern="TH-01"), settings=desk.settings, at=desk.at(0)
    )
    desk.signal({1: 120})
    desk.tick(1.1)
    assert desk.subjects() == [LEVEL_1]


def test_a_silence_of_ten_thousand_differences_is_decided_quickly(desk: Desk) -> None:
    for number in range(20):
        suppress(desk, 0, 5, scope=Scope("air_quality.%", f"T{number}-%", "SNNMT"))
    started = clock.perf_counter()
    held = desk.one(
        "select count(*) from generate_series(1, 10000) n where alert.is_suppressed('air_quality.aqi_h', "
        "'T' || n %% 40 || '-' || n, '14797', 'value', 1, %s)",
        desk.at(1),
    )
    assert held == 5000
    assert clock.perf_counter() - started < 3
