"""``ioc new-domain NAME``: lays out one more room."""

import typer


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    _ = app
