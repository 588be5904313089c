"""Schemas, roles' grants and the pipeline's ledger."""

from ioc.warehouse.migrations.sqlfile import run_sql_beside

revision = "0001"
down_revision = None


def upgrade() -> None:
    run_sql_beside(__file__)
