"""What the portal administers: units, webhooks, limits, public alerts, new rules; and forms that count once."""

from ioc.warehouse.migrations.sqlfile import run_sql_beside

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    run_sql_beside(__file__)
