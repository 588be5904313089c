"""Runs the ``.sql`` file that lies beside a migration: migrations are plain SQL, Alembic keeps their order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import op


def run_sql_beside(migration_file: str) -> None:
    """Execute the file of the same name with the suffix ``.sql`` in the migration's transaction."""
    sql = Path(migration_file).with_suffix(".sql").read_text(encoding="utf-8")
    # The driver's own cursor: no parameters, so several statements and a literal % are allowed.
    raw: Any = op.get_bind().connection.driver_connection
    with raw.cursor() as cursor:
        cursor.execute(sql)
