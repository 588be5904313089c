"""Routes: which messages go to whom on which channels. Read and changed here; made by the first load."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from psycopg.rows import class_row

from alerts import audit
from alerts.channels import all_channels
from alerts.incidents import ActRefusedError
from alerts.recipients.people import ROLES
from ioc import warehouse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ioc.settings import Settings

_LONGEST = timedelta(hours=24)


@dataclass(frozen=True)
class Route:
    """A row of ``notify.route``."""

    code: str
    name_vi: str
    domain: str | None
    rule_code_pattern: str
    kinds: list[str]
    min_level: int
    unit_mode: str
    unit_code: str | None
    roles: list[str]
    channels: list[str]
    group_by: str
    group_wait: timedelta
    group_interval: timedelta
    calendar_code: str | None
    is_fallback: bool
    is_enabled: bool


def routes(settings: Settings | None = None) -> list[Route]:
    """Every route, in the order in which they were made."""
    columns = ", ".join(Route.__dataclass_fields__)
    with warehouse.connect("portal", settings) as connection, connection.cursor(row_factory=class_row(Route)) as cursor:
        return cursor.execute(f"select {columns} from notify.route order by route_id").fetchall()


def change_route(
    code: str,
    user: str,
    *,
    roles: Sequence[str],
    channels: Sequence[str],
    min_level: int,
    group_wait: timedelta,
    group_interval: timedelta,
    calendar_code: str | None,
    is_enabled: bool,
    settings: Settings | None = None,
    at: datetime | None = None,
) -> None:
    """Change a route. What it was last told stays: a change alone tells nobody anything twice.

    Raises:
        ActRefusedError: no such route, a role, channel, level, time or calendar that does not exist, or the fallback
            is to be switched off or bound to working hours.
    """
    at = at or datetime.now(UTC)
    if not roles or any(role not in ROLES for role in roles):
        raise ActRefusedError("Tuyến thông báo cần ít nhất một vai trò có trong danh mục.")
    if not channels or any(channel not in all_channels() for channel in channels):
        raise ActRefusedError("Tuyến thông báo cần ít nhất một kênh có trong hệ thống.")
    if not 1 <= min_level <= 4:
        raise ActRefusedError("Mức tối thiểu phải từ 1 đến 4.")
    if not all(timedelta(0) <= wait <= _LONGEST for wait in (group_wait, group_interval)):
        raise ActRefusedError("Thời gian gộp phải từ 0 đến 24 giờ.")
    with warehouse.connect("portal", settings) as connection:
        row = connection.execute(
            "select is_fallback, roles, channels, min_level, is_enabled from notify.route where code = %s", (code,)
        ).fetchone()
        if row is None:
            raise ActRefusedError("Không có tuyến thông báo này.")
        if row[0] and not is_enabled:
            raise ActRefusedError("Tuyến dự phòng là bắt buộc, không thể tắt.")
        if row[0] and calendar_code:
            raise ActRefusedError("Tuyến dự phòng hoạt động mọi lúc, không gắn với lịch làm việc.")
        if (
            calendar_code
            and not connection.execute(
                "select 1 from ref.calendar where calendar_code = %s", (calendar_code,)
            ).fetchone()
        ):
            raise ActRefusedError("Không có lịch làm việc này.")
        connection.execute(
            """
            update notify.route set roles = %s, channels = %s, min_level = %s, group_wait = %s, group_interval = %s,
                calendar_code = %s, is_enabled = %s
            where code = %s
            """,
            (
                list(roles),
                list(channels),
                min_level,
                group_wait,
                group_interval,
                calendar_code or None,
                is_enabled,
                code,
            ),
        )
        audit.record(
            connection, at, user, "route.changed", about=("route", code),
            detail={
                "before": {"roles": row[1], "channels": row[2], "min_level": row[3], "is_enabled": row[4]},
                "after": {"roles": list(roles), "channels": list(channels), "min_level": min_level,
                          "is_enabled": is_enabled, "calendar": calendar_code},
            },
        )  # fmt: skip
