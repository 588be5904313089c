"""``ioc superset push | pull | check``: dashboards as code."""

from typing import Any

import typer

from ioc import console
from ioc.commands import Json
from ioc.settings import get_settings
from ioc.stack import environment

app = typer.Typer(no_args_is_help=True, help="Dashboards as code.")


def _run(what: str, text: str, json: bool) -> dict[str, Any]:
    from superset_assets import sync

    environment.apply(get_settings())
    with console.Progress().step(text):
        report: dict[str, Any] = getattr(sync, what)().as_dict()
    console.out.print(", ".join(f"{name}: {value}" for name, value in report.items()), markup=False)
    if json:
        console.print_json(report)
    return report


@app.command()
def push(json: Json = False) -> None:
    """Bring Superset to what the repository says."""
    _run("push", "publishing dashboards", json)


@app.command()
def pull(json: Json = False) -> None:
    """Write what people changed in Superset into the repository."""
    _run("pull", "fetching dashboards", json)


@app.command()
def check(json: Json = False) -> None:
    """Check the dashboards in the repository without a running Superset."""
    if not _run("check", "checking dashboards", json)["ok"]:
        raise typer.Exit(2)
