"""``ioc load``, ``ioc transform``, ``ioc alerts evaluate``, ``ioc notifier``: what the DAGs and the stack run."""

from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from ioc import console, domains
from ioc.commands import Json
from ioc.settings import TIME_ZONE, get_settings

alerts_app = typer.Typer(no_args_is_help=True, help="The alert engine.")


def register(app: typer.Typer) -> None:
    """Add these commands to ``app``."""
    for command in (load, transform, notifier):
        app.command()(command)


def _domain(name: str) -> str:
    try:
        return domains.get_domain(name).name
    except KeyError as error:
        raise typer.BadParameter(error.args[0]) from error


def moment(text: str | None) -> datetime | None:
    """A moment given on the command line; without an offset it is Vietnam's civil time."""
    if text is None:
        return None
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"'{text}' is not a moment; write for example 2026-07-01 or 2026-07-01T06:00+07:00"
        ) from None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=ZoneInfo(TIME_ZONE))


Since = Annotated[str | None, typer.Option(help="Only what is from this moment on; civil time when no offset.")]
Until = Annotated[str | None, typer.Option(help="Only what is before this moment.")]


def load(
    domain: Annotated[str, typer.Argument(help="Name of the domain, for example air_quality.")],
    source: Annotated[list[str] | None, typer.Option(help="Source URI instead of the configured ones.")] = None,
    since: Since = None,
    until: Until = None,
    json: Json = False,
) -> None:
    """Extract, land, load, validate, publish: one domain, the code of its DAG. Exit code 2 when a batch is refused."""
    from ioc.loading import load_domain

    from_moment, to_moment = moment(since), moment(until)
    name = _domain(domain)
    result = load_domain(
        get_settings(), name, console.Progress(), source_uris=source, since=from_moment, until=to_moment
    )
    console.out.print(
        f"{name}: {result['files']} files, {result['read']} rows read = {result['loaded']} loaded + "
        f"{result['duplicate']} duplicate + {result['rejected']} rejected; "
        f"batches published {result['published']}, quarantined {result['quarantined']}"
    )
    if json:
        console.print_json(result)
    if result["quarantined"]:
        console.err.print("[red]refused by validation:[/] see ops.validation_result, or the Data Docs in the portal")
        raise typer.Exit(2)


def transform(
    domain: Annotated[list[str] | None, typer.Argument(help="Domains; none means all that are live.")] = None,
    full_refresh: Annotated[bool, typer.Option("--full-refresh", help="Rebuild the incremental models.")] = False,
    json: Json = False,
) -> None:
    """Build the models of the domains and what hangs on them, with their tests."""
    from ioc import transform as room
    from ioc.stack import environment

    environment.apply(get_settings())
    names = [_domain(name) for name in domain or []] or [d.name for d in domains.all_domains() if d.status == "live"]
    with console.Progress().step(f"dbt build: {', '.join(names)}"):
        report: dict[str, Any] = room.run(names, full_refresh=full_refresh).as_dict()
    if json:
        console.print_json(report)


def notifier() -> None:
    """Run the notifier in the foreground: evaluates when nobody else does, tells, sends, keeps the clocks."""
    from alerts import notifier as service

    service.main()


@alerts_app.callback()
def _alerts() -> None:
    """The alert engine."""


@alerts_app.command()
def evaluate(
    at: Annotated[str | None, typer.Option(help="Evaluate as of this moment; default: now.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen, change nothing.")] = False,
    json: Json = False,
) -> None:
    """Evaluate every alert rule against the signals."""
    from alerts.judging import engine

    with console.Progress().step("evaluating alerts"):
        report: dict[str, Any] = engine.evaluate(at=moment(at), mode="dry_run" if dry_run else "live").as_dict()
    console.out.print(", ".join(f"{name} {value}" for name, value in report.items() if isinstance(value, int)))
    if json:
        console.print_json(report)


@alerts_app.command()
def reachability(
    at: Annotated[str | None, typer.Option(help="Check as of this moment; default: now.")] = None,
    json: Json = False,
) -> None:
    """Check that every rule reaches two people everywhere from level 2 on. Exit code 2 when one does not."""
    from alerts.recipients import reachability as room

    with console.Progress().step("checking who would be reached"):
        found = room.check(at=moment(at))
    for one in found:
        units = f"{len(one.unit_codes)} units" if len(one.unit_codes) > 3 else ", ".join(one.unit_codes)
        console.out.print(f"{one.rule_code} level {one.level} ({one.kind}), {units}: {' '.join(one.missing)}")
    if not found:
        console.out.print(f"every rule reaches {room.ENOUGH} people everywhere")
    if json:
        console.print_json({"is_whole": not found, "shortfalls": [one.as_dict() for one in found]})
    if found:
        raise typer.Exit(2)
