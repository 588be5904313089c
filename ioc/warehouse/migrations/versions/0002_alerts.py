"""Alerts, notifications, procedures and the audit chain."""

from ioc.warehouse.migrations.sqlfile import run_sql_beside

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    run_sql_beside(__file__)
