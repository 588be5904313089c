"""Gateways, receipts, push subscriptions and webhooks."""

from ioc.warehouse.migrations.sqlfile import run_sql_beside

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    run_sql_beside(__file__)
