"""Public alerts, and what dashboards see of alerts and procedures."""

from ioc.warehouse.migrations.sqlfile import run_sql_beside

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    run_sql_beside(__file__)
