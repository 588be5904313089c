"""Working calendars: the week's segments, days off, days made up for. Changes count for clocks not yet passed."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

from psycopg.rows import class_row

from alerts import audit
from alerts.incidents import ActRefusedError
from ioc import warehouse
from ioc.settings import TIME_ZONE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import psycopg

    from ioc.settings import Settings

_ZONE = ZoneInfo(TIME_ZONE)
Kind = Literal["off", "make_up"]


@dataclass(frozen=True)
class Holiday:
    """A day that differs from the week's pattern: ``off``, or ``make_up`` (worked with Monday's hours)."""

    day: date
    kind: str
    name_vi: str
    citation: str | None


@dataclass(frozen=True)
class WorkCalendar:
    """A calendar: civil hours per weekday (1 = Monday), and the days that differ."""

    calendar_code: str
    name_vi: str
    name_en: str
    segments: dict[int, list[tuple[time, time]]]
    holidays: list[Holiday]


def calendars(settings: Settings | None = None) -> list[WorkCalendar]:
    """Every calendar with its hours and days."""
    with warehouse.connect("portal", settings) as connection:
        found = []
        for code, name_vi, name_en in connection.execute(
            "select calendar_code, name_vi, name_en from ref.calendar order by calendar_code"
        ).fetchall():
            segments: dict[int, list[tuple[time, time]]] = defaultdict(list)
            for weekday, starts, ends in connection.execute(
                "select iso_weekday, starts_at, ends_at from ref.work_segment where calendar_code = %s "
                "order by iso_weekday, starts_at",
                (code,),
            ):
                segments[weekday].append((starts, ends))
            with connection.cursor(row_factory=class_row(Holiday)) as cursor:
                holidays = cursor.execute(
                    "select day, kind, name_vi, citation from ref.holiday where calendar_code = %s order by day",
                    (code,),
                ).fetchall()
            found.append(WorkCalendar(code, name_vi, name_en, dict(segments), holidays))
        return found


def is_working(calendar_code: str, at: datetime, settings: Settings | None = None) -> bool:
    """Whether ``at`` lies in working time."""
    with warehouse.connect("portal", settings) as connection:
        row = connection.execute("select ref.is_working_time(%s, %s)", (calendar_code, at)).fetchone()
    return bool(row and row[0])


def set_hours(
    calendar_code: str,
    hours: Mapping[int, Sequence[tuple[time, time]]],
    user: str,
    settings: Settings | None = None,
    at: datetime | None = None,
) -> None:
    """Give a calendar other hours; a day without any is free.

    Raises:
        ActRefusedError: no such calendar, no working hour in the week, hours that end before they begin or overlap.
    """
    at = at or datetime.now(UTC)
    rows = []
    for weekday, segments in hours.items():
        end = None
        for starts, ends in sorted(segments):
            if not 1 <= weekday <= 7 or ends <= starts:
                raise ActRefusedError("Giờ kết thúc phải sau giờ bắt đầu.")
            if end is not None and starts < end:
                raise ActRefusedError("Các khoảng giờ trong một ngày không được chồng nhau.")
            end = ends
            rows.append((calendar_code, weekday, starts, ends))
    if not rows:
        raise ActRefusedError("Một tuần phải có ít nhất một khoảng giờ làm việc.")
    with warehouse.connect("portal", settings) as connection:
        _check_calendar(connection, calendar_code)
        connection.execute("delete from ref.work_segment where calendar_code = %s", (calendar_code,))
        connection.cursor().executemany("insert into ref.work_segment values (%s, %s, %s, %s)", rows)
        detail = {"hours": [f"{weekday} {starts:%H:%M}-{ends:%H:%M}" for _, weekday, starts, ends in rows]}
        audit.record(connection, at, user, "calendar.hours_set", about=("calendar", calendar_code), detail=detail)


def set_day(
    calendar_code: str,
    day: date,
    kind: Kind,
    user: str,
    *,
    name_vi: str,
    citation: str,
    settings: Settings | None = None,
    at: datetime | None = None,
) -> None:
    """Make a day free, or a working day that makes up for another.

    Args:
        calendar_code: The calendar.
        day: Not a day that is past: deadlines were reckoned with it.
        kind: ``off`` or ``make_up``.
        user: Who asks.
        name_vi: What the day is.
        citation: The decision that says so; mandatory.
        settings: Settings of the stack; default: this process's.
        at: The clock; default: now.

    Raises:
        ActRefusedError: no such calendar, a past day, no name or source, a kind that does not exist.
    """
    at = at or datetime.now(UTC)
    _check_day(day, at)
    if kind not in ("off", "make_up"):
        raise ActRefusedError("Loại ngày không hợp lệ.")
    if not name_vi.strip() or not citation.strip():
        raise ActRefusedError("Cần ghi tên ngày và nguồn (số văn bản).")
    with warehouse.connect("portal", settings) as connection:
        _check_calendar(connection, calendar_code)
        connection.execute(
            """
            insert into ref.holiday (calendar_code, day, kind, name_vi, citation) values (%s, %s, %s, %s, %s)
            on conflict (calendar_code, day) do update set kind = excluded.kind, name_vi = excluded.name_vi,
                citation = excluded.citation
            """,
            (calendar_code, day, kind, name_vi.strip()[:200], citation.strip()[:300]),
        )
        detail = {"day": day.isoformat(), "kind": kind, "name": name_vi.strip(), "citation": citation.strip()}
        audit.record(connection, at, user, "calendar.day_set", about=("calendar", calendar_code), detail=detail)


def remove_day(
    calendar_code: str, day: date, user: str, settings: Settings | None = None, at: datetime | None = None
) -> None:
    """Let a day follow the week's pattern again.

    Raises:
        ActRefusedError: no such day in the calendar, or it is past.
    """
    at = at or datetime.now(UTC)
    _check_day(day, at)
    with warehouse.connect("portal", settings) as connection:
        if not connection.execute(
            "delete from ref.holiday where calendar_code = %s and day = %s", (calendar_code, day)
        ).rowcount:
            raise ActRefusedError("Lịch không có ngày này.")
        detail = {"day": day.isoformat()}
        audit.record(connection, at, user, "calendar.day_removed", about=("calendar", calendar_code), detail=detail)


def _check_calendar(connection: psycopg.Connection, calendar_code: str) -> None:
    if not connection.execute("select 1 from ref.calendar where calendar_code = %s", (calendar_code,)).fetchone():
        raise ActRefusedError("Không có lịch làm việc này.")


def _check_day(day: date, at: datetime) -> None:
    if day < at.astimezone(_ZONE).date():
        raise ActRefusedError("Ngày đã qua không thể thay đổi: các thời hạn đã được tính theo ngày đó.")
