"""The ``ioc`` command: the same machinery as ``make demo`` and the DAGs, in pieces.

Exit codes: 0 done, 1 failed, 2 refused by validation, 3 source or service unreachable, 64 wrong usage.
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
from typing import NoReturn

import typer
from dotenv import load_dotenv
from pydantic import ValidationError

from ioc import console
from ioc.commands import audit, bench, data, new_domain, quarantine, rules, stack, superset, warehouse
from ioc.settings import get_settings

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Nền tảng dữ liệu IOC Thanh Hóa · data platform. Every command takes --json: one object as its last line.",
)
stack.register(app)
app.add_typer(warehouse.app, name="warehouse")
data.register(app)
app.add_typer(quarantine.app, name="quarantine")
rules.register(data.alerts_app)
app.add_typer(data.alerts_app, name="alerts")
app.add_typer(audit.app, name="audit")
app.add_typer(superset.app, name="superset")
bench.register(app)
new_domain.register(app)

WRONG_USAGE = 64


def main(arguments: list[str] | None = None) -> NoReturn:
    """Entry point of the ``ioc`` command."""
    given = sys.argv[1:] if arguments is None else arguments
    load_dotenv(".env")
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    # On the handler, not the root logger: some libraries raise the level of their own loggers.
    handler.setLevel(os.environ.get("IOC_LOG_LEVEL", "WARNING").upper())
    logging.basicConfig(handlers=[handler])
    try:
        # Without standalone mode, `typer.Exit` comes back as its code.
        code = app(given, prog_name="ioc", standalone_mode=False)
    except typer.TyperException as error:
        # What the command line itself gets wrong: unknown option, missing argument, a value that cannot be.
        code = _fail(error.format_message() or "a command is missing; see --help", WRONG_USAGE, given)
    except ValidationError as error:
        wrong = "; ".join(f"IOC_{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors())
        code = _fail(f"wrong setting — {wrong}", WRONG_USAGE, given)
    except (typer.Abort, KeyboardInterrupt):
        code = _fail("stopped by hand", 130, given)
    except Exception as error:
        code = _fail(*_explained(error), given)
    sys.exit(code or 0)


def _explained(error: Exception) -> tuple[str, int]:
    """One sentence and the exit code of an error; an unexpected one leaves its traceback in a log."""
    if isinstance(error, console.CommandError):
        return str(error), error.code
    # Rooms type their errors by how one recovers; the code of an error is theirs to say.
    code = getattr(error, "exit_code", None)
    if isinstance(code, int):
        return str(error), code
    settings = get_settings()
    settings.logs.mkdir(parents=True, exist_ok=True)
    log = settings.logs / "ioc.log"
    with log.open("a") as file:
        traceback.print_exception(error, file=file)
    return f"unexpected {type(error).__name__}: {error} — the details are in {log}", 1


def _fail(message: str, code: int, arguments: list[str]) -> int:
    message = " ".join(message.split())
    console.err.print(f"[bold red]error:[/] {console.escape(message)}")
    if "--json" in arguments:
        console.print_json({"error": message, "exit_code": code})
    return code


if __name__ == "__main__":
    main()
