"""``ioc up``, ``down``, ``status``, ``doctor``, ``demo``."""

from typing import Annotated, Any

import typer
from rich.table import Table

from ioc import console
from ioc.commands import Json
from ioc.settings import get_settings

Only = Annotated[str, typer.Option(help="Names of the programs to start, separated by commas; default: all.")]


def register(app: typer.Typer) -> None:
    """Add these commands to ``app``."""
    for command in (up, down, status, doctor, demo):
        app.command()(command)


def up(only: Only = "", json: Json = False) -> None:
    """Start the local stack, or what is missing of it; returns once everything is healthy."""
    from ioc.stack import lifecycle, programs

    settings = get_settings()
    names = tuple(name.strip() for name in only.split(",") if name.strip())
    try:
        programs.of(settings, names)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    lifecycle.up(settings, console.Progress(), names)
    rows = [row for row in lifecycle.status(settings) if not names or row["name"] in names]
    _show(rows)
    if json:
        console.print_json({"healthy": all(row["healthy"] for row in rows), "services": rows})


def down(json: Json = False) -> None:
    """Stop the local stack; nothing of it stays behind."""
    from ioc.stack import lifecycle

    lifecycle.down(get_settings(), console.Progress())
    if json:
        console.print_json({"stopped": True})


def status(
    logins: Annotated[bool, typer.Option("--logins", help="Also show names and passwords.")] = False, json: Json = False
) -> None:
    """Show the health of every service; exit code 3 when one is not well."""
    from ioc.stack import lifecycle, processes
    from ioc.stack.logins import of

    settings = get_settings()
    rows = lifecycle.status(settings)
    memory_mib = round(processes.memory_bytes(settings.home) / 2**20)
    _show(rows)
    console.out.print(f"memory: {memory_mib} MiB · state: {settings.home}")
    result: dict[str, Any] = {
        "healthy": all(row["healthy"] for row in rows),
        "home": str(settings.home),
        "memory_mib": memory_mib,
        "services": rows,
    }
    if logins:
        known = of(settings)
        for login in known:
            console.out.print(f"{login.place:10} {login.url}  {login.name} / {login.password}", markup=False)
        result["logins"] = [login.as_dict() for login in known]
    if json:
        console.print_json(result)
    if not result["healthy"]:
        raise typer.Exit(3)


def _show(rows: list[dict[str, Any]]) -> None:
    table = Table("service", "state", "address", "what it is", box=None, pad_edge=False)
    for row in rows:
        mark = "[green]healthy[/]" if row["healthy"] else f"[red]{row['state']}[/] {console.escape(row['detail'])}"
        table.add_row(row["name"], mark, row["url"], row["title"])
    console.out.print(table)


def doctor(json: Json = False) -> None:
    """Say what is missing on this machine for the stack and for the tests."""
    from ioc.stack import doctor as examination

    findings = examination.examine(get_settings())
    for finding in findings:
        mark = {"ok": "[green]ok[/]     ", "note": "[yellow]note[/]   ", "missing": "[red]missing[/]"}[finding.verdict]
        console.out.print(f"{mark} {finding.subject}: {console.escape(finding.text)}")
    missing = sum(finding.verdict == "missing" for finding in findings)
    if json:
        console.print_json({"missing": missing, "findings": [finding.as_dict() for finding in findings]})
    if missing:
        raise typer.Exit(1)


def demo(
    detach: Annotated[bool, typer.Option("--detach", help="Return once all is healthy; 'ioc down' ends it.")] = False,
    json: Json = False,
) -> None:
    """Start everything, load history, run every DAG once, publish the dashboards, and say where to look."""
    from ioc.stack import demo as show

    summary = show.run(get_settings(), console.Progress())
    show.tell(summary)
    if json:
        console.print_json(summary.as_dict())
    if not detach:
        show.stay(get_settings())
