"""``ioc audit verify``: proves that the record of what people did is as it was written."""

from typing import Annotated

import typer

from ioc import console
from ioc.commands import Json

app = typer.Typer(no_args_is_help=True, help="The audit chain.")


@app.callback()
def _audit() -> None:
    """The audit chain."""


@app.command()
def verify(
    expect: Annotated[
        str | None, typer.Option(help="A hash printed earlier: every event up to it must still be there.")
    ] = None,
    json: Json = False,
) -> None:
    """Compute the chain anew; exit code 2 when it does not hold. Write the newest hash down elsewhere."""
    from alerts import audit

    try:
        with console.Progress().step("verifying the audit chain"):
            report = audit.verify(expect)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    console.out.print(report.verdict)
    if report.newest_hash:
        console.out.print(f"newest event {report.events}, hash {report.newest_hash}", soft_wrap=True)
    if json:
        console.print_json(report.as_dict())
    if not report.is_whole:
        raise typer.Exit(2)
