"""``ioc warehouse``: create, migrate, url, backup, restore."""

from pathlib import Path
from typing import Annotated, cast
from urllib.parse import urlsplit, urlunsplit

import typer

from ioc import console
from ioc import warehouse as room
from ioc.commands import Json
from ioc.settings import get_settings

app = typer.Typer(no_args_is_help=True, help="The warehouse: roles and databases, schema, address, backup.")


@app.command()
def create(json: Json = False) -> None:
    """Create roles and databases; starts the embedded PostgreSQL when there is no other. Run 'migrate' next."""
    from ioc.stack.postgres import EmbeddedPostgres

    settings = get_settings()
    progress = console.Progress()
    if settings.warehouse_url:
        with progress.step("roles and databases on your server"):
            room.create_on_server(settings)
    else:
        server = EmbeddedPostgres(settings)
        if not server.answers():
            with progress.step(f"embedded PostgreSQL on port {settings.port_postgres}"):
                server.start_detached()
        with progress.step("roles and databases"):
            server.prepare()
    if json:
        console.print_json(
            {"databases": list(room.DATABASES), "roles": [f"ioc_{role}" for role in (*room.ROLES, *room.SERVICES)]}
        )


@app.command()
def migrate(json: Json = False) -> None:
    """Bring the warehouse to the newest schema; harmless when it is there already."""
    from ioc.stack import preparation

    with room.connect("owner", get_settings()):
        applied = preparation.warehouse(get_settings(), console.Progress())
    console.out.print(f"applied: {', '.join(applied) or 'nothing, the schema is current'}")
    if json:
        console.print_json({"applied": applied})


@app.command()
def url(
    role: Annotated[str, typer.Option(help=f"One of: {', '.join(room.ROLES)}.")] = "owner",
    with_password: Annotated[bool, typer.Option("--with-password", help="Show the password, too.")] = False,
    json: Json = False,
) -> None:
    """Print the connection URL of a role, without its password unless asked."""
    if role not in room.ROLES:
        raise typer.BadParameter(f"no role '{role}'; known: {', '.join(room.ROLES)}")
    full = room.url(cast("room.Role", role), get_settings())
    shown = full if with_password else _without_password(full)
    if json:
        console.print_json({"role": role, "url": shown})
    else:
        print(shown)


def _without_password(full: str) -> str:
    parts = urlsplit(full)
    host = (parts.hostname or "") + (f":{parts.port}" if parts.port else "")
    return urlunsplit(parts._replace(netloc=f"{parts.username}@{host}" if parts.username else host))


@app.command()
def backup(
    file: Annotated[Path | None, typer.Argument(help="Where to; default: IOC_HOME/backups/<moment>.dump.")] = None,
    json: Json = False,
) -> None:
    """Write the whole warehouse into one compressed file."""
    from ioc.warehouse import backup as room_backup

    with console.Progress().step("backup"):
        written = room_backup.write(get_settings(), file)
    console.out.print(f"{written} ({written.stat().st_size / 2**20:.1f} MiB)")
    if json:
        console.print_json({"file": str(written), "bytes": written.stat().st_size})


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A file that 'backup' wrote.")],
    database: Annotated[str, typer.Option(help="Name of a database that does not exist yet: nothing is overwritten.")],
    json: Json = False,
) -> None:
    """Restore a backup into a new database and compare the row counts with those noted in the backup."""
    from ioc.warehouse import backup as room_backup

    if not file.exists():
        raise typer.BadParameter(f"no file {file}")
    with console.Progress().step(f"restore into {database}"):
        counts = room_backup.restore(get_settings(), file, database)
    console.out.print(f"{database}: {len(counts)} tables, {sum(counts.values())} rows, the same as in the backup")
    if json:
        console.print_json({"database": database, "tables": len(counts), "rows": sum(counts.values())})
