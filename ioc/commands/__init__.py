"""The commands of ``ioc``, one module per topic; what they do lives in the rooms, imported when a command runs."""

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")]
