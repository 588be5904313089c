"""Duty rosters, limits, quiet hours, templates and reachability."""

from ioc.warehouse.migrations.sqlfile import run_sql_beside

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    run_sql_beside(__file__)
