"""How names of units are compared, and arithmetic in working days."""

from ioc.warehouse.migrations.sqlfile import run_sql_beside

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    run_sql_beside(__file__)
