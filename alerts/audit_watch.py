"""The nightly look at the audit chain: whole, and still holding what was its newest event the night before.

The hash of each night is kept in ``alert.heartbeat`` and in the log of the task that runs this, which lies outside the
warehouse. A broken chain is told to the duty of the centre.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from psycopg.types.json import Jsonb

from alerts import audit
from alerts.procedures import announcing
from alerts.procedures.letters import Desk
from ioc import warehouse

if TYPE_CHECKING:
    from ioc.settings import Settings


def verify(settings: Settings | None = None, at: datetime | None = None) -> audit.AuditReport:
    """Verify the chain against the hash of the last time, keep the new one, tell the duty when it does not hold.

    Args:
        settings: Settings of the stack; default: this process's.
        at: The clock; default: now.

    Raises:
        WarehouseUnreachable: no warehouse.
    """
    at = at or datetime.now(UTC)
    with warehouse.connect("alerts", settings, autocommit=True) as connection:
        row = connection.execute(
            "select detail ->> 'newest_hash' from alert.heartbeat where service = 'audit'"
        ).fetchone()
        report = audit.verify(row[0] if row else None, settings)
        if not report.is_whole:
            place = f"từ sự kiện số {report.first_broken}" if report.first_broken else "ở cuối chuỗi"
            text = (
                f"Nhật ký kiểm toán không còn nguyên vẹn {place}. Giữ nguyên cơ sở dữ liệu, báo lãnh đạo và quản trị "
                "hệ thống, đối chiếu với bản sao lưu."
            )
            with connection.transaction():
                subject = "Nhật ký kiểm toán bị thay đổi"
                announcing.self_alert(Desk(connection, at, settings), f"audit|{at:%Y%m%d}", subject, text, 4)
            return report
        connection.execute(
            "insert into alert.heartbeat (service, beat_at, detail) values ('audit', %s, %s) "
            "on conflict (service) do update set beat_at = excluded.beat_at, detail = excluded.detail",
            (at, Jsonb(report.as_dict())),
        )
    return report
