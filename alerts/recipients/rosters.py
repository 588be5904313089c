"""The duty roster: who is on duty for a role of a unit, and when nobody is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from psycopg.errors import ExclusionViolation
from psycopg.rows import class_row

from alerts import audit
from alerts.incidents import ActRefusedError
from alerts.recipients.people import ROLES
from ioc import warehouse

if TYPE_CHECKING:
    import psycopg

    from ioc.settings import Settings

_LONGEST_SHIFT = timedelta(days=31)


@dataclass(frozen=True)
class Shift:
    """One person, on duty from ``since`` until ``until``."""

    duty_shift_id: int
    role: str
    unit_code: str
    contact_code: str
    contact_name: str
    since: datetime
    until: datetime
    note: str | None


@dataclass(frozen=True)
class Gap:
    """A time in which a roster has nobody."""

    role: str
    unit_code: str
    since: datetime
    until: datetime


@dataclass(frozen=True)
class Roster:
    """The roster of one role of one unit."""

    role: str
    unit_code: str
    unit_name: str


_SHIFTS = """
select s.duty_shift_id, s.role, s.unit_code, c.code as contact_code, c.name_vi as contact_name,
    lower(s.during) as since, upper(s.during) as until, s.note
from ref.duty_shift s join ref.contact c using (contact_id)
"""


def rosters(settings: Settings | None = None) -> list[Roster]:
    """Every role of a unit that has ever had a shift."""
    with (
        warehouse.connect("portal", settings) as connection,
        connection.cursor(row_factory=class_row(Roster)) as cursor,
    ):
        return cursor.execute(
            """
            select distinct on (s.unit_code, s.role) s.role, s.unit_code, coalesce(u.name_vi, s.unit_code) as unit_name
            from ref.duty_shift s left join ref.org_unit u on u.code = s.unit_code
            order by s.unit_code, s.role, u.valid desc
            """
        ).fetchall()


def shifts(
    unit_code: str, role: str, since: datetime, until: datetime, settings: Settings | None = None
) -> list[Shift]:
    """Shifts that touch the time from ``since`` to ``until``, in order."""
    with warehouse.connect("portal", settings) as connection:
        return _shifts(connection, unit_code, role, since, until)


def shift(duty_shift_id: int, settings: Settings | None = None) -> Shift:
    """One shift.

    Raises:
        ActRefusedError: no such shift.
    """
    with warehouse.connect("portal", settings) as connection:
        return _one(connection, duty_shift_id)


def gaps(unit_code: str, role: str, since: datetime, until: datetime, settings: Settings | None = None) -> list[Gap]:
    """The times between ``since`` and ``until`` in which nobody is on duty; people who have left do not count."""
    with warehouse.connect("portal", settings) as connection:
        rows = connection.execute(
            """
            select lower(hole), upper(hole) from unnest(
                tstzmultirange(tstzrange(%s, %s)) - coalesce((
                    select range_agg(s.during) from ref.duty_shift s join ref.contact c using (contact_id)
                    where s.unit_code = %s and s.role = %s and c.is_active), '{}')) as hole
            order by 1
            """,
            (since, until, unit_code, role),
        ).fetchall()
    return [Gap(role, unit_code, begins, ends) for begins, ends in rows]


def add_shift(
    unit_code: str,
    role: str,
    contact_code: str,
    times: tuple[datetime, datetime],
    user: str,
    *,
    note: str = "",
    settings: Settings | None = None,
    at: datetime | None = None,
) -> int:
    """Put somebody on duty; returns the number of the shift.

    Args:
        unit_code: The unit.
        role: One of ``alerts.recipients.people.ROLES``; the person need not hold it otherwise.
        contact_code: Who.
        times: Beginning and end.
        user: Who asks.
        note: Name of the shift.
        settings: Settings of the stack; default: this process's.
        at: The clock; default: now.

    Raises:
        ActRefusedError: no such unit, role or person; times that make no shift; a shift that is over already; the
            person is on duty at that time.
    """
    at = at or datetime.now(UTC)
    since, until = times
    _check_times(since, until, at)
    if role not in ROLES:
        raise ActRefusedError("Vai trò không có trong danh mục.")
    try:
        with warehouse.connect("portal", settings) as connection:
            if not connection.execute("select 1 from ref.org_unit where code = %s", (unit_code,)).fetchone():
                raise ActRefusedError("Không có đơn vị này.")
            row = connection.execute(
                """
                insert into ref.duty_shift (role, unit_code, contact_id, during, note, created_by, created_at)
                select %s, %s, contact_id, tstzrange(%s, %s), nullif(%s, ''), %s, %s
                from ref.contact where code = %s and is_active returning duty_shift_id
                """,
                (role, unit_code, since, until, note.strip()[:200], user, at, contact_code),
            ).fetchone()
            if row is None:
                raise ActRefusedError("Không có người này trong danh bạ đang hoạt động.")
            detail = {"unit": unit_code, "role": role, "contact": contact_code, **_times(since, until)}
            audit.record(connection, at, user, "shift.made", about=("duty_shift", row[0]), detail=detail)
            return int(row[0])
    except ExclusionViolation as error:
        raise ActRefusedError("Người này đã có ca trực trùng thời gian.") from error


def move_shift(
    duty_shift_id: int,
    since: datetime,
    until: datetime,
    user: str,
    *,
    settings: Settings | None = None,
    at: datetime | None = None,
) -> None:
    """Give a shift other times; what of it is past stays as it was.

    Raises:
        ActRefusedError: no such shift, it is over, its past would change, or the person is on duty then.
    """
    at = at or datetime.now(UTC)
    _check_times(since, until, at)
    try:
        with warehouse.connect("portal", settings) as connection:
            before = _one(connection, duty_shift_id)
            if before.until <= at:
                raise ActRefusedError("Ca trực này đã kết thúc, không thể thay đổi.")
            if before.since < at and since != before.since:
                raise ActRefusedError("Ca trực đã bắt đầu: chỉ có thể đổi giờ kết thúc.")
            connection.execute(
                "update ref.duty_shift set during = tstzrange(%s, %s) where duty_shift_id = %s",
                (since, until, duty_shift_id),
            )
            audit.record(
                connection, at, user, "shift.moved", about=("duty_shift", duty_shift_id),
                detail={"before": _times(before.since, before.until), "after": _times(since, until)},
            )  # fmt: skip
    except ExclusionViolation as error:
        raise ActRefusedError("Người này đã có ca trực trùng thời gian.") from error


def remove_shift(duty_shift_id: int, user: str, settings: Settings | None = None, at: datetime | None = None) -> None:
    """Take a shift out of the roster; one that is going on ends now instead.

    Raises:
        ActRefusedError: no such shift, or it is over.
    """
    at = at or datetime.now(UTC)
    with warehouse.connect("portal", settings) as connection:
        before = _one(connection, duty_shift_id)
        if before.until <= at:
            raise ActRefusedError("Ca trực này đã kết thúc, không thể thay đổi.")
        if before.since < at:
            connection.execute(
                "update ref.duty_shift set during = tstzrange(%s, %s) where duty_shift_id = %s",
                (before.since, at, duty_shift_id),
            )
        else:
            connection.execute("delete from ref.duty_shift where duty_shift_id = %s", (duty_shift_id,))
        detail = {"contact": before.contact_code, **_times(before.since, before.until)}
        audit.record(connection, at, user, "shift.removed", about=("duty_shift", duty_shift_id), detail=detail)


def _check_times(since: datetime, until: datetime, at: datetime) -> None:
    if until <= since:
        raise ActRefusedError("Giờ kết thúc ca trực phải sau giờ bắt đầu.")
    if until - since > _LONGEST_SHIFT:
        raise ActRefusedError("Một ca trực không dài quá 31 ngày.")
    if until <= at:
        raise ActRefusedError("Ca trực phải kết thúc sau thời điểm hiện tại.")


def _shifts(connection: psycopg.Connection, unit: str, role: str, since: datetime, until: datetime) -> list[Shift]:
    with connection.cursor(row_factory=class_row(Shift)) as cursor:
        return cursor.execute(
            _SHIFTS + "where s.unit_code = %s and s.role = %s and s.during && tstzrange(%s, %s) order by since, c.code",
            (unit, role, since, until),
        ).fetchall()


def _one(connection: psycopg.Connection, duty_shift_id: int) -> Shift:
    with connection.cursor(row_factory=class_row(Shift)) as cursor:
        found = cursor.execute(_SHIFTS + "where s.duty_shift_id = %s for update of s", (duty_shift_id,)).fetchone()
    if found is None:
        raise ActRefusedError("Không có ca trực này.")
    return found


def _times(since: datetime, until: datetime) -> dict[str, str]:
    return {"since": since.isoformat(), "until": until.isoformat()}
