"""Written directives (văn bản chỉ đạo): number, deadline, units, and what the units report."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

from alerts import audit
from alerts.incidents import ActRefusedError
from alerts.procedures import flow, views
from alerts.procedures.model import Directive, Recipient
from ioc import warehouse

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

    from ioc.settings import Settings

_DIRECTIVES = """
select d.directive_id, d.number, d.case_id, c.code as case_code, d.task_id, d.issued_by, d.issued_at, d.body, d.due_at
from sop.directive d
join sop.case_ c using (case_id)
where (%(case_id)s::bigint is null or d.case_id = %(case_id)s)
    and (%(directive_id)s::bigint is null or d.directive_id = %(directive_id)s)
    and (%(units)s::text[] is null or ref.is_of(c.owner_unit, %(units)s) or exists (
        select from sop.directive_recipient a
        where a.directive_id = d.directive_id and ref.is_of(a.unit_code, %(units)s)))
    and (not %(only_open)s or exists (
        select from sop.directive_recipient a where a.directive_id = d.directive_id and a.finished_at is null))
order by d.directive_id
"""


def read(
    connection: psycopg.Connection[Any],
    at: datetime,
    *,
    case_id: int | None = None,
    directive_id: int | None = None,
    unit_codes: Sequence[str] | None = None,
    only_open: bool = False,
) -> list[Directive]:
    """Directives with their recipients and reports, oldest first."""
    cursor = connection.cursor(row_factory=dict_row)
    units = list(unit_codes) if unit_codes is not None else None
    heads = cursor.execute(
        _DIRECTIVES, {"case_id": case_id, "directive_id": directive_id, "units": units, "only_open": only_open}
    ).fetchall()
    ids = [head["directive_id"] for head in heads]
    progress = cursor.execute(
        """
        select p.directive_id, p.unit_code, coalesce(u.name_vi, p.unit_code) as unit_name, p.author, p.body, p.percent,
            p.created_at
        from sop.directive_progress p
        left join lateral (
            select name_vi from ref.org_unit u where u.code = p.unit_code order by u.valid desc limit 1
        ) u on true
        where p.directive_id = any(%s) order by p.directive_progress_id
        """,
        (ids,),
    ).fetchall()
    recipients = cursor.execute(
        """
        select a.directive_id, a.unit_code, coalesce(u.name_vi, a.unit_code) as unit_name, a.finished_at,
            coalesce(p.percent, 0) as percent, coalesce(a.finished_at, %s) > d.due_at as is_overdue
        from sop.directive_recipient a
        join sop.directive d using (directive_id)
        left join lateral (
            select name_vi from ref.org_unit u where u.code = a.unit_code order by u.valid desc limit 1
        ) u on true
        left join lateral (select percent from sop.directive_progress p
            where (p.directive_id, p.unit_code) = (a.directive_id, a.unit_code)
            order by p.directive_progress_id desc limit 1) p on true
        where a.directive_id = any(%s) order by a.unit_code
        """,
        (at, ids),
    ).fetchall()
    found = []
    for head in heads:
        number = head["directive_id"]
        to = [Recipient(**_without_id(row)) for row in recipients if row["directive_id"] == number]
        said = [_without_id(row) for row in progress if row["directive_id"] == number]
        found.append(Directive(**head, recipients=to, progress=said, is_overdue=any(one.is_overdue for one in to)))
    return found


def _without_id(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "directive_id"}


def directives(
    unit_codes: Sequence[str] | None = None,
    *,
    only_open: bool = True,
    settings: Settings | None = None,
    at: datetime | None = None,
) -> list[Directive]:
    """Directives addressed to units or issued in cases that they coordinate (None = all), oldest first.

    Args:
        unit_codes: The units.
        only_open: Only those that some recipient has not finished.
        settings: Settings of the stack; default: this process's.
        at: The clock for what is overdue; default: now.
    """
    with warehouse.connect("portal", settings) as connection:
        return read(connection, at or datetime.now(UTC), unit_codes=unit_codes, only_open=only_open)


def directive_send(
    case_code: str,
    body: str,
    to_units: Sequence[str],
    due_at: datetime,
    user: str,
    *,
    task_id: int | None = None,
    unit_codes: Sequence[str] | None = None,
    settings: Settings | None = None,
    at: datetime | None = None,
) -> Directive:
    """Issue a directive to units; the next drain makes it known to them.

    Args:
        case_code: The case it belongs to.
        body: What is to be done.
        to_units: Codes of the units, at least one.
        due_at: Deadline, with a time zone.
        user: Who issues it.
        task_id: The task it carries out (its ``directive_vi`` suggests the text).
        unit_codes: Units that the user answers for; None = all.
        settings: Settings of the stack; default: this process's.
        at: The clock; default: now.

    Raises:
        ActRefusedError: no such open case for these units, no text, no such unit, a deadline that has passed.
    """
    at = at or datetime.now(UTC)
    with warehouse.connect("portal", settings) as connection:
        case = views.case_view(connection, case_code, unit_codes, at)
        if case.status != "open":
            raise ActRefusedError("Vụ việc đã đóng, không ban hành chỉ đạo mới.")
        if not body.strip():
            raise ActRefusedError("Cần có nội dung chỉ đạo.")
        if due_at <= at:
            raise ActRefusedError("Thời hạn thực hiện phải sau thời điểm ban hành.")
        units = list(dict.fromkeys(to_units))
        known = {
            code
            for (code,) in connection.execute(
                "select code from ref.org_unit where code = any(%s) and valid @> %s::date", (units, at)
            )
        }
        wrong = [code for code in units if code not in known]
        if wrong or not units:
            raise ActRefusedError(f"Đơn vị nhận không có: {', '.join(wrong)}." if wrong else "Cần chọn đơn vị nhận.")
        flow.check_task(connection, case.case_id, task_id)
        row = connection.execute(
            """
            insert into sop.directive (number, case_id, task_id, issued_by, issued_at, body, due_at)
            values ('CĐ-' || %s || '-' || lpad(nextval('sop.directive_number')::text, 4, '0'), %s, %s, %s, %s, %s, %s)
            returning directive_id, number
            """,
            (str(at.year), case.case_id, task_id, user, at, body.strip(), due_at),
        ).fetchone()
        assert row is not None
        for unit in units:
            connection.execute(
                "insert into sop.directive_recipient (directive_id, unit_code) values (%s, %s)", (row[0], unit)
            )
        audit.record(
            connection, at, user, "directive.issued", about=("directive", row[1]),
            detail={"case": case.code, "units": units, "due_at": due_at.isoformat(), "body": body.strip()},
        )  # fmt: skip
        connection.execute("select pg_notify('ioc_outbox', '')")
        return read(connection, at, directive_id=row[0])[0]


def directive_progress(
    directive_id: int,
    unit_code: str,
    body: str,
    percent: int,
    user: str,
    *,
    unit_codes: Sequence[str] | None = None,
    settings: Settings | None = None,
    at: datetime | None = None,
) -> Directive:
    """Report what a unit has done; 100 % finishes the directive for it.

    Args:
        directive_id: The directive.
        unit_code: The unit that reports, one of its recipients.
        body: What was done.
        percent: 0 to 100.
        user: Who reports.
        unit_codes: Units that the user answers for; None = all.
        settings: Settings of the stack; default: this process's.
        at: The clock; default: now.

    Raises:
        ActRefusedError: no such directive to this unit, the user does not answer for it, it is finished, no text.
    """
    at = at or datetime.now(UTC)
    with warehouse.connect("portal", settings) as connection:
        row = connection.execute(
            "select d.number, a.finished_at from sop.directive_recipient a join sop.directive d using (directive_id) "
            "where (a.directive_id, a.unit_code) = (%s, %s) for update of a",
            (directive_id, unit_code),
        ).fetchone()
        if row is None or not views.is_of(connection, unit_code, unit_codes):
            raise ActRefusedError("Không có chỉ đạo này gửi tới đơn vị.")
        if row[1] is not None:
            raise ActRefusedError("Đơn vị đã báo cáo hoàn thành chỉ đạo này.")
        if not body.strip() or not 0 <= percent <= 100:
            raise ActRefusedError("Cần nội dung báo cáo và mức hoàn thành từ 0 đến 100 %.")
        connection.execute(
            "insert into sop.directive_progress (directive_id, unit_code, author, body, percent, created_at) "
            "values (%s, %s, %s, %s, %s, %s)",
            (directive_id, unit_code, user, body.strip(), percent, at),
        )
        if percent == 100:
            connection.execute(
                "update sop.directive_recipient set finished_at = %s where (directive_id, unit_code) = (%s, %s)",
                (at, directive_id, unit_code),
            )
        audit.record(
            connection, at, user, "directive.reported", about=("directive", row[0]),
            detail={"unit": unit_code, "percent": percent, "body": body.strip()},
        )  # fmt: skip
        return read(connection, at, directive_id=directive_id)[0]
