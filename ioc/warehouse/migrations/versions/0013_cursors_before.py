"""What a discarded batch has to put back."""

from ioc.warehouse.migrations.sqlfile import run_sql_beside

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    run_sql_beside(__file__)
