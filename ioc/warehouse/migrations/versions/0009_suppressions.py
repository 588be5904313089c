"""What holds messages back, outages of sources, and corrections that people are told of."""

from ioc.warehouse.migrations.sqlfile import run_sql_beside

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    run_sql_beside(__file__)
