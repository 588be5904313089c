"""Rules that watch a state: no unit of measure, and the words of a level instead of a value."""

from ioc.warehouse.migrations.sqlfile import run_sql_beside

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    run_sql_beside(__file__)
