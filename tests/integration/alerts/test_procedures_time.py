"""Working time: what a deadline in hours and days of work means on the wall."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

if TYPE_CHECKING:
    from conftest import Desk

DEADLINES = [
    # Friday afternoon into Monday; the two of the model.
    ("2026-03-06 16:30", "1 hour", "2026-03-09 07:30"),
    ("2026-04-29 16:00", "2 hours", "2026-05-04 08:00"),
    # What ends with the day is due then.
    ("2026-03-06 16:00", "1 hour", "2026-03-06 17:00"),
    # Lunch from 11:30 to 13:30.
    ("2026-03-06 11:00", "1 hour", "2026-03-06 14:00"),
    ("2026-03-06 12:15", "30 minutes", "2026-03-06 14:00"),
    # Before, after and beside the hours.
    ("2026-03-06 05:00", "1 hour", "2026-03-06 08:00"),
    ("2026-03-06 20:00", "1 hour", "2026-03-09 08:00"),
    ("2026-03-07 09:00", "1 hour", "2026-03-09 08:00"),
    # Tết 2026: off from Monday 16/2 to Friday 20/2.
    ("2026-02-13 16:00", "2 hours", "2026-02-23 08:00"),
    # Saturday 22/8/2026 is worked for Monday 31/8.
    ("2026-08-21 16:00", "2 hours", "2026-08-22 08:00"),
    ("2026-08-22 16:00", "2 hours", "2026-08-24 08:00"),
    ("2026-08-28 16:00", "2 hours", "2026-09-03 08:00"),
    # Days are working days.
    ("2026-03-05 09:00", "1 day", "2026-03-06 09:00"),
    ("2026-03-06 09:00", "1 day", "2026-03-09 09:00"),
    ("2026-04-28 10:00", "5 days", "2026-05-07 10:00"),
    # Nothing to wait for: the first working moment.
    ("2026-03-07 09:00", "0 hours", "2026-03-09 07:00"),
    ("2026-03-06 09:00", "0 hours", "2026-03-06 09:00"),
]


def computed(desk: Desk) -> list[tuple[str, str, str]]:
    return [
        (start, duration, desk.one(
            "select to_char(ref.add_work('hanh_chinh', %s::timestamp at time zone 'Asia/Ho_Chi_Minh', %s::interval), "
            "'YYYY-MM-DD HH24:MI')", start, duration))
        for start, duration, _ in DEADLINES
    ]  # fmt: skip


def test_deadlines_in_working_time(desk: Desk) -> None:
    assert computed(desk) == DEADLINES
    desk.run("delete from ref.holiday")
    assert computed(desk) != DEADLINES, "a calendar that forgets the holidays is noticed"


def test_time_between_is_the_time_that_was_added(desk: Desk) -> None:
    wrong = desk.rows(
        """
        select s.start, d.minutes from generate_series('2026-02-10 03:17+07'::timestamptz, '2026-09-10',
            interval '53 hours 11 minutes') s(start)
        cross join (values (1), (45), (480), (2411)) d(minutes)
        cross join lateral ref.add_work('hanh_chinh', s.start, make_interval(mins => d.minutes)) due
        where ref.work_between('hanh_chinh', s.start, due) <> make_interval(mins => d.minutes)
            or ref.work_between('hanh_chinh', due, s.start) <> make_interval(mins => -d.minutes)
        """
    )
    assert wrong == []
    # Without a calendar it is the clock's.
    assert desk.one("select ref.add_work(null, '2026-03-06 16:30+07', '1 hour') = '2026-03-06 17:30+07'")
    assert str(desk.one("select ref.work_between(null, '2026-03-06 16:30+07', '2026-03-06 17:30+07')")) == "1:00:00"
    for call in ("'khong-co', now(), '1 hour'", "'hanh_chinh', now(), '1 month'", "'hanh_chinh', now(), '-1 hour'"):
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            desk.one(f"select ref.add_work({call})")
