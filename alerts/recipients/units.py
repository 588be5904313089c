"""Units of government over time: made, renamed, moved, and taken over by others. History stays as it was.

Incidents keep the unit of their time; routing finds its successor at sending time (:mod:`alerts.notifying.routing`).
What is in force can no longer be taken back, what is still to come can. Every act leaves an event in the audit chain.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import class_row

from alerts import audit
from alerts.incidents import ActRefusedError
from ioc import warehouse
from ioc.settings import TIME_ZONE

if TYPE_CHECKING:
    from ioc.settings import Settings

KINDS = {
    "province": "Tỉnh", "department": "Sở, ban, ngành", "agency": "Cơ quan trung ương tại tỉnh", "ward": "Phường",
    "commune": "Xã", "centre": "Trung tâm",
}  # fmt: skip
_ZONE = ZoneInfo(TIME_ZONE)
_FARTHEST = timedelta(days=3660)


@dataclass(frozen=True)
class Unit:
    """A unit as it is, or was, for a while; ``ends`` None = without end.

    ``successors``: codes of those who took over, or will.
    """

    code: str
    name_vi: str
    kind: str
    parent_code: str | None
    parent_name: str | None
    starts: date
    ends: date | None
    citation: str | None
    contacts: int
    successors: list[str]


@dataclass(frozen=True)
class Succession:
    """``new_code`` takes over from ``old_code`` on a day; ``weight``: which share of it."""

    old_code: str
    old_name: str | None
    new_code: str
    new_name: str | None
    effective_on: date
    weight: Decimal
    citation: str | None


_NAME = "(select n.name_vi from ref.org_unit n where n.code = {} order by n.valid desc limit 1)"


def units(settings: Settings | None = None) -> list[Unit]:
    """Every unit with its history, the newest row of a code first."""
    with (
        warehouse.connect("portal", settings) as connection,
        connection.cursor(row_factory=class_row(Unit)) as cursor,
    ):
        return cursor.execute(
            f"""
            select u.code, u.name_vi, u.kind, u.parent_code, {_NAME.format("u.parent_code")} as parent_name,
                lower(u.valid) as starts, upper(u.valid) as ends, u.citation,
                (select count(*) from ref.contact c where c.unit_code = u.code and c.is_active)::int as contacts,
                array(select s.new_code from ref.unit_succession s where s.old_code = u.code order by 1) as successors
            from ref.org_unit u order by u.kind in ('ward', 'commune'), u.kind <> 'province', u.name_vi, u.valid desc
            """
        ).fetchall()


def successions(settings: Settings | None = None) -> list[Succession]:
    """Who takes over from whom, the newest first."""
    with (
        warehouse.connect("portal", settings) as connection,
        connection.cursor(row_factory=class_row(Succession)) as cursor,
    ):
        return cursor.execute(
            f"""
            select s.old_code, {_NAME.format("s.old_code")} as old_name, s.new_code,
                {_NAME.format("s.new_code")} as new_name, s.effective_on, s.weight, s.citation
            from ref.unit_succession s order by s.effective_on desc, old_name, new_name
            """
        ).fetchall()


def today(at: datetime | None = None) -> date:
    """The civil day in Viet Nam."""
    return (at or datetime.now(UTC)).astimezone(_ZONE).date()


def save_unit(
    code: str,
    name_vi: str,
    kind: str,
    parent_code: str | None,
    *,
    starts: date,
    citation: str,
    user: str,
    settings: Settings | None = None,
    at: datetime | None = None,
) -> None:
    """Make a unit, or give a known one another name, kind or parent from a day on.

    Args:
        code: Its code: letters, digits and ``-``.
        name_vi: Its name.
        kind: One of :data:`KINDS`.
        parent_code: The unit above; None for the province alone.
        starts: The first day; what the unit was until then stays.
        citation: The decision.
        user: Who enters it.
        settings: Settings of the stack; default: this process's.
        at: The clock; default: now.

    Raises:
        ActRefusedError: a part is missing or wrong, or the unit has a later entry.
    """
    at = at or datetime.now(UTC)
    name_vi, citation = " ".join(name_vi.split()), citation.strip()
    _check(code, name_vi, kind, citation)
    _check_day(starts, at)
    try:
        with warehouse.connect("portal", settings) as connection:
            _lock(connection)
            if (parent_code is None) != (kind == "province"):
                raise ActRefusedError("Mọi đơn vị, trừ tỉnh, phải thuộc một đơn vị cấp trên.")
            if parent_code is not None and not _is_valid(connection, parent_code, starts):
                raise ActRefusedError("Đơn vị cấp trên không có hiệu lực vào ngày đó.")
            if parent_code is not None and code in _above(connection, parent_code, starts):
                raise ActRefusedError("Đơn vị không thể thuộc chính mình.")
            before = connection.execute(
                "select name_vi, kind, parent_code from ref.org_unit where code = %s and valid @> %s", (code, starts)
            ).fetchone()
            if before == (name_vi, kind, parent_code):
                raise ActRefusedError("Không có gì thay đổi so với đơn vị đang có.")
            connection.execute(
                "update ref.org_unit set valid = daterange(lower(valid), %s) "
                "where code = %s and valid @> %s and lower(valid) < %s",
                (starts, code, starts, starts),
            )
            connection.execute(
                "insert into ref.org_unit (code, name_vi, kind, parent_code, valid, citation) "
                "values (%s, %s, %s, %s, daterange(%s, null), %s)",
                (code, name_vi, kind, parent_code, starts, citation),
            )
            detail = {
                "name": name_vi, "kind": kind, "parent": parent_code, "starts": starts.isoformat(),
                "citation": citation, "before": list(before) if before else None,
            }  # fmt: skip
            action = "unit.changed" if before else "unit.made"
            audit.record(connection, at, user, action, about=("unit", code), detail=detail)
    except psycopg.errors.ExclusionViolation:
        raise ActRefusedError("Đơn vị này đã có thay đổi từ ngày đó hoặc muộn hơn.") from None


def add_succession(
    old_code: str,
    new_code: str,
    effective_on: date,
    citation: str,
    user: str,
    *,
    weight: Decimal = Decimal(1),
    settings: Settings | None = None,
    at: datetime | None = None,
) -> None:
    """Let a unit take over from another one, which ends that day; messages about it go to the new one from then on.

    Args:
        old_code: The unit that is merged or split.
        new_code: The unit that takes over.
        effective_on: From which day on.
        citation: The decision.
        user: Who enters it.
        weight: Which share goes over, when it is split among several.
        settings: Settings of the stack; default: this process's.
        at: The clock; default: now.

    Raises:
        ActRefusedError: a part is missing or wrong, known already, more than the whole, or in a circle.
    """
    at = at or datetime.now(UTC)
    citation = citation.strip()
    if not 5 <= len(citation) <= 300:
        raise ActRefusedError("Cần nêu căn cứ: số và ngày của văn bản (từ 5 đến 300 ký tự).")
    if old_code == new_code:
        raise ActRefusedError("Đơn vị cũ và đơn vị kế thừa phải khác nhau.")
    if not 0 < weight <= 1:
        raise ActRefusedError("Phần kế thừa phải lớn hơn 0 và không quá 100 %.")
    _check_day(effective_on, at)
    try:
        with warehouse.connect("portal", settings) as connection:
            _lock(connection)
            if not connection.execute(
                "select 1 from ref.org_unit where code = %s and lower(valid) < %s", (old_code, effective_on)
            ).fetchone():
                raise ActRefusedError("Không có đơn vị cũ này trước ngày đó.")
            if old_code in _heirs(connection, new_code):
                raise ActRefusedError("Hai đơn vị kế thừa lẫn nhau thành vòng.")
            if not _is_valid(connection, new_code, effective_on):
                raise ActRefusedError("Đơn vị kế thừa không có hiệu lực vào ngày đó.")
            taken = connection.execute(
                "select coalesce(sum(weight), 0) from ref.unit_succession where old_code = %s", (old_code,)
            ).fetchone()
            if taken and taken[0] + weight > 1:
                raise ActRefusedError("Tổng các phần kế thừa của đơn vị cũ vượt quá 100 %.")
            connection.execute(
                "insert into ref.unit_succession (old_code, new_code, effective_on, weight, citation) "
                "values (%s, %s, %s, %s, %s)",
                (old_code, new_code, effective_on, weight, citation),
            )
            connection.execute(
                "update ref.org_unit set valid = daterange(lower(valid), %s) "
                "where code = %s and valid @> %s and lower(valid) < %s",
                (effective_on, old_code, effective_on, effective_on),
            )
            detail = {
                "new": new_code, "effective_on": effective_on.isoformat(), "weight": str(weight), "citation": citation,
            }  # fmt: skip
            audit.record(connection, at, user, "unit.succession_added", about=("unit", old_code), detail=detail)
    except psycopg.errors.UniqueViolation:
        raise ActRefusedError("Kế thừa này đã có.") from None


def withdraw_succession(
    old_code: str,
    new_code: str,
    effective_on: date,
    user: str,
    *,
    settings: Settings | None = None,
    at: datetime | None = None,
) -> None:
    """Take a succession back that is still to come; an old unit that would have ended that day goes on.

    Raises:
        ActRefusedError: there is none, or it is in force.
    """
    at = at or datetime.now(UTC)
    if effective_on <= today(at):
        raise ActRefusedError("Kế thừa đã có hiệu lực thì không rút lại được.")
    with warehouse.connect("portal", settings) as connection:
        _lock(connection)
        is_done = connection.execute(
            "delete from ref.unit_succession where (old_code, new_code, effective_on) = (%s, %s, %s)",
            (old_code, new_code, effective_on),
        ).rowcount
        if not is_done:
            raise ActRefusedError("Không có kế thừa này.")
        connection.execute(
            "update ref.org_unit set valid = daterange(lower(valid), null) where code = %(code)s "
            "and upper(valid) = %(day)s and not exists (select from ref.unit_succession s where s.old_code = %(code)s "
            "and s.effective_on = %(day)s)",
            {"code": old_code, "day": effective_on},
        )
        detail = {"new": new_code, "effective_on": effective_on.isoformat()}
        audit.record(connection, at, user, "unit.succession_withdrawn", about=("unit", old_code), detail=detail)


def _lock(connection: psycopg.Connection) -> None:
    connection.execute("select pg_advisory_xact_lock(hashtext('ref.org_unit'))")


def _check(code: str, name_vi: str, kind: str, citation: str) -> None:
    if not (1 <= len(code) <= 20 and code.isascii() and code.replace("-", "").isalnum()):
        raise ActRefusedError("Mã đơn vị gồm chữ không dấu, số và gạch nối, không quá 20 ký tự.")
    if not 2 <= len(name_vi) <= 120:
        raise ActRefusedError("Tên phải có từ 2 đến 120 ký tự.")
    if kind not in KINDS:
        raise ActRefusedError("Hãy chọn loại đơn vị.")
    if not 5 <= len(citation) <= 300:
        raise ActRefusedError("Cần nêu căn cứ: số và ngày của văn bản (từ 5 đến 300 ký tự).")


def _check_day(day: date, at: datetime) -> None:
    if not today(at) - _FARTHEST <= day <= today(at) + _FARTHEST:
        raise ActRefusedError("Ngày hiệu lực cách hôm nay quá xa.")


def _is_valid(connection: psycopg.Connection, code: str, day: date) -> bool:
    row = connection.execute("select 1 from ref.org_unit where code = %s and valid @> %s", (code, day)).fetchone()
    return row is not None


def _above(connection: psycopg.Connection, code: str, day: date) -> set[str]:
    """The unit and everything above it on a day."""
    rows = connection.execute(
        """
        with recursive above (code) as (
            select %(code)s::text
            union
            select u.parent_code from above a join ref.org_unit u on u.code = a.code and u.valid @> %(day)s::date
            where u.parent_code is not null
        )
        select code from above
        """,
        {"code": code, "day": day},
    )
    return {row[0] for row in rows}


def _heirs(connection: psycopg.Connection, code: str) -> set[str]:
    """Everybody who takes over from the unit, and from those, at any time."""
    rows = connection.execute(
        """
        with recursive heirs (code) as (
            select %s::text
            union
            select s.new_code from heirs h join ref.unit_succession s on s.old_code = h.code
        )
        select code from heirs
        """,
        (code,),
    )
    return {row[0] for row in rows} - {code}
