"""The administration of rules: drafts, tests, dry runs, approvals."""

from ioc.warehouse.migrations.sqlfile import run_sql_beside

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    run_sql_beside(__file__)
