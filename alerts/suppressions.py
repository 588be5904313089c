"""Holding messages back: silences, maintenance windows, mute times, and the register of series known to be dead.

State, pages and audit stay live meanwhile; reconciler and timers ask one SQL function, ``alert.is_suppressed``. Every
suppression has a reason, an end and a ceiling, and a role decides how high that ceiling may be. Inhibitions are made by
the engine alone (``alerts.judging.sources``).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from psycopg.types.json import Jsonb

from alerts import audit
from alerts.incidents import ActRefusedError
from alerts.suppression_list import Suppression, due_for_review, known_dead, listing, read
from ioc import warehouse

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import time

    import psycopg

    from ioc.settings import Settings

__all__ = [
    "CEILINGS", "EVERYTHING", "Actor", "Hours", "Kind", "Scope", "Suppression", "change_end", "due_for_review",
    "exactly", "known_dead", "lift", "listing", "register_dead", "review", "suppress",
]  # fmt: skip

Kind = Literal["silence", "maintenance", "mute_timing"]
# The highest level that a role may silence; who is not listed silences nothing.
CEILINGS = {"officer": 3, "engineer": 3, "leader": 4, "admin": 4}
# Nothing is silenced for ever: longest duration from now by kind, and of an entry in the register of dead series.
_LONGEST = {"silence": timedelta(days=31), "maintenance": timedelta(days=92), "mute_timing": timedelta(days=366)}
_LONGEST_DEAD = timedelta(days=366)
_REASON_LENGTH, _PATTERN_LENGTH = 500, 200


@dataclass(frozen=True)
class Actor:
    """Who acts: login name, portal role (see ``CEILINGS``), and the units that he answers for (None = all)."""

    user: str
    role: str
    unit_codes: Sequence[str] | None = None


@dataclass(frozen=True)
class Scope:
    """Which incidents: LIKE patterns of rule codes and entity ids (``exactly`` makes one of a text), a unit, a kind.

    A unit stands for what it answers for: incidents in it, in units merged into it, and of the rules it owns.
    """

    rule_code_pattern: str = "%"
    entity_pattern: str = "%"
    unit_code: str | None = None
    incident_kind: Literal["value", "nodata", "source"] | None = None


EVERYTHING = Scope()


@dataclass(frozen=True)
class Hours:
    """When a mute time holds: days of the week (1 = Monday), civil hours in Viet Nam, or outside a working calendar.

    ``daily`` may run across midnight; the hours after it belong to the day before.
    """

    iso_weekdays: Sequence[int] | None = None
    daily: tuple[time, time] | None = None
    outside_calendar: str | None = None


def exactly(text: str) -> str:
    """The LIKE pattern that fits ``text`` and nothing else."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def suppress(
    kind: Kind,
    by: Actor,
    reason: str,
    until: datetime,
    *,
    max_level: int,
    since: datetime | None = None,
    scope: Scope = EVERYTHING,
    hours: Hours | None = None,
    settings: Settings | None = None,
    at: datetime | None = None,
) -> int:
    """Hold back messages for a while; after the end only what is still true is told.

    Args:
        kind: ``silence`` (known, being worked on), ``maintenance`` (planned), ``mute_timing`` (recurs in its hours).
        by: Who asks for it.
        reason: Why; mandatory.
        until: When it ends; mandatory, at most 31 (silence), 92 (maintenance), 366 days (mute time) ahead.
        max_level: Ceiling: higher levels are told all the same. The role bounds it.
        since: When it begins; default, and at the earliest: the clock.
        scope: Which incidents; an officer's lies in his own unit.
        hours: Of a mute time, and only of it.
        settings: Settings of the stack; default: this process's.
        at: The clock; default: now.

    Returns:
        The id of the suppression.

    Raises:
        ActRefusedError: a part is missing or not allowed; the message says which.
    """
    at = at or datetime.now(UTC)
    if (hours is not None) != (kind == "mute_timing"):
        raise ActRefusedError("Khung giờ lặp lại chỉ dùng, và phải có, cho loại «khung giờ không thông báo».")
    hours = hours or Hours()
    if kind == "mute_timing" and not (hours.iso_weekdays or hours.daily or hours.outside_calendar):
        raise ActRefusedError("Cần chọn ngày trong tuần, khung giờ hoặc lịch làm việc.")
    if hours.daily and hours.daily[0] == hours.daily[1]:
        raise ActRefusedError("Giờ bắt đầu và giờ kết thúc trong ngày phải khác nhau.")
    if any(day not in range(1, 8) for day in hours.iso_weekdays or ()):
        raise ActRefusedError("Ngày trong tuần không hợp lệ.")
    _check_level(by, max_level)
    since = max(since or at, at)
    _check_end(until, since, at + _LONGEST[kind])
    row = {"kind": kind, "during": f"[{since.isoformat()},{until.isoformat()})", "max_level": max_level, **asdict(
        _own_scope(by, scope))}  # fmt: skip
    row |= {
        "iso_weekdays": sorted(set(hours.iso_weekdays)) if hours.iso_weekdays else None,
        "daily_from": hours.daily[0].isoformat() if hours.daily else None,
        "daily_to": hours.daily[1].isoformat() if hours.daily else None,
        "calendar_code": hours.outside_calendar,
    }
    return _insert(row, by, reason, at, settings)


def register_dead(
    by: Actor,
    reason: str,
    until: datetime,
    *,
    scope: Scope,
    settings: Settings | None = None,
    at: datetime | None = None,
) -> int:
    """Enter series that are known to be dead: their silence is told to nobody until ``until``, at most a year ahead.

    The entry is to be reviewed every 30 days (``due_for_review``, ``review``).

    Raises:
        ActRefusedError: no reason, no end, or a scope that names no series.
    """
    at = at or datetime.now(UTC)
    if scope.entity_pattern.strip("%_ ") == "":
        raise ActRefusedError("Cần nêu rõ chuỗi dữ liệu (trạm, tàu…) đã ngừng.")
    _check_end(until, at, at + _LONGEST_DEAD)
    row = asdict(_own_scope(by, scope)) | {
        "kind": "silence", "during": f"[{at.isoformat()},{until.isoformat()})", "incident_kind": "nodata",
        "max_level": min(4, _ceiling(by)), "is_known_dead": True,
    }  # fmt: skip
    return _insert(row, by, reason, at, settings)


def _insert(row: dict[str, Any], by: Actor, reason: str, at: datetime, settings: Settings | None) -> int:
    if not reason.strip():
        raise ActRefusedError("Cần nêu lý do tạm dừng thông báo.")
    if len(reason) > _REASON_LENGTH:
        raise ActRefusedError(f"Lý do dài quá {_REASON_LENGTH} ký tự; hãy rút gọn.")
    row |= {"reason": reason.strip(), "created_by": by.user, "created_at": at.isoformat()}
    columns = ", ".join(row)
    with warehouse.connect("portal", settings) as connection:
        unit, calendar = row["unit_code"], row.get("calendar_code")
        if unit and not _exists(connection, "select from ref.org_unit where code = %s", unit):
            raise ActRefusedError("Không có đơn vị với mã này.")
        if calendar and not _exists(connection, "select from ref.calendar where calendar_code = %s", calendar):
            raise ActRefusedError("Không có lịch làm việc với mã này.")
        made = connection.execute(
            f"insert into alert.suppression ({columns}) "
            f"select {columns} from jsonb_populate_record(null::alert.suppression, %s) returning suppression_id",
            (Jsonb(row),),
        ).fetchone()
        assert made is not None
        action = "dead_series.registered" if row.get("is_known_dead") else f"{row['kind']}.made"
        audit.record(connection, at, by.user, action, about=("suppression", made[0]), detail=row)
        return int(made[0])


def change_end(
    suppression_id: int, until: datetime, by: Actor, settings: Settings | None = None, at: datetime | None = None
) -> None:
    """Move the end of a suppression that is not over yet; ``lift`` ends it now.

    Raises:
        ActRefusedError: none of his in force or planned, an end in the past, or too far ahead for its kind.
    """
    at = at or datetime.now(UTC)
    with warehouse.connect("portal", settings) as connection:
        before = _mine(connection, suppression_id, by, at)
        _check_level(by, before.max_level)
        longest = _LONGEST_DEAD if before.is_known_dead else _LONGEST[before.kind]
        _check_end(until, max(before.since, at), at + longest)
        connection.execute(
            "update alert.suppression set during = tstzrange(lower(during), %s) where suppression_id = %s",
            (until, suppression_id),
        )
        detail = {"from": before.until.isoformat(), "to": until.isoformat()}
        about = ("suppression", suppression_id)
        audit.record(connection, at, by.user, "suppression.end_changed", about=about, detail=detail)


def lift(suppression_id: int, by: Actor, settings: Settings | None = None, at: datetime | None = None) -> None:
    """End a suppression before its time; what is still true is told at the next reconciliation.

    Raises:
        ActRefusedError: none of his in force or planned.
    """
    at = at or datetime.now(UTC)
    with warehouse.connect("portal", settings) as connection:
        _mine(connection, suppression_id, by, at, inhibitions=True)
        connection.execute(
            "update alert.suppression set cancelled_at = %s, cancelled_by = %s where suppression_id = %s",
            (at, by.user, suppression_id),
        )
        audit.record(connection, at, by.user, "suppression.lifted", about=("suppression", suppression_id))


def review(
    suppression_id: int, by: Actor, note: str, settings: Settings | None = None, at: datetime | None = None
) -> None:
    """Confirm that a series of the register is still dead; the next review is due 30 days later.

    Raises:
        ActRefusedError: no such entry of his in force.
    """
    at = at or datetime.now(UTC)
    with warehouse.connect("portal", settings) as connection:
        if not _mine(connection, suppression_id, by, at).is_known_dead:
            raise ActRefusedError("Đây không phải là mục trong sổ chuỗi dữ liệu đã ngừng.")
        connection.execute(
            "update alert.suppression set reviewed_at = %s, reviewed_by = %s where suppression_id = %s",
            (at, by.user, suppression_id),
        )
        about = ("suppression", suppression_id)
        audit.record(connection, at, by.user, "dead_series.reviewed", about=about, detail={"note": note.strip()})


def _mine(
    connection: psycopg.Connection, suppression_id: int, by: Actor, at: datetime, *, inhibitions: bool = False
) -> Suppression:
    """The suppression, locked, if it is not over and ``by`` may touch it."""
    connection.execute("select from alert.suppression where suppression_id = %s for no key update", (suppression_id,))
    found = read(connection, "where s.suppression_id = %(id)s", at, id=suppression_id)
    is_his = found and (
        by.unit_codes is None or found[0].created_by == by.user or found[0].unit_code in by.unit_codes
    )  # fmt: skip
    if not is_his or found[0].state == "past" or (found[0].kind == "inhibit" and not inhibitions):
        raise ActRefusedError("Không có lệnh tạm dừng nào đang có hiệu lực với mã này trong phạm vi của bạn.")
    return found[0]


def _own_scope(by: Actor, scope: Scope) -> Scope:
    for pattern in (scope.rule_code_pattern, scope.entity_pattern):
        if not pattern.strip() or len(pattern) > _PATTERN_LENGTH or pattern.endswith("\\"):
            raise ActRefusedError("Phạm vi (mẫu quy tắc, mẫu đối tượng) không hợp lệ.")
    if by.unit_codes is None or scope.unit_code in by.unit_codes:
        return scope
    if scope.unit_code is None and len(by.unit_codes) == 1:
        return Scope(scope.rule_code_pattern, scope.entity_pattern, by.unit_codes[0], scope.incident_kind)
    raise ActRefusedError("Bạn chỉ được tạm dừng thông báo trong phạm vi đơn vị của mình.")


def _ceiling(by: Actor) -> int:
    ceiling = CEILINGS.get(by.role, 0)
    if not ceiling:
        raise ActRefusedError("Vai trò của bạn không được tạm dừng thông báo.")
    return ceiling


def _check_level(by: Actor, max_level: int) -> None:
    if max_level not in range(1, 5):
        raise ActRefusedError("Cấp cao nhất bị tạm dừng phải từ 1 đến 4.")
    if max_level > _ceiling(by):
        raise ActRefusedError(f"Vai trò của bạn chỉ được tạm dừng thông báo đến cấp {_ceiling(by)}.")


def _check_end(until: datetime, since: datetime, latest: datetime) -> None:
    if until <= since:
        raise ActRefusedError("Thời điểm kết thúc phải sau thời điểm bắt đầu và sau hiện tại.")
    if until > latest:
        raise ActRefusedError("Thời điểm kết thúc quá xa; hãy chọn sớm hơn và gia hạn khi cần.")


def _exists(connection: psycopg.Connection, query: str, value: str) -> bool:
    return connection.execute(query, (value,)).fetchone() is not None
