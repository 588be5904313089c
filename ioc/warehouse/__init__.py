"""The warehouse: connections by role, roles, migrations, backup.

Every connection names the role it needs; no room connects as the owner except migrations and maintenance.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, get_args
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg import sql

from ioc.secrets import Secrets
from ioc.settings import Settings, get_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

Role = Literal["owner", "loader", "transformer", "alerts", "bi_reader", "portal"]
ROLES: tuple[Role, ...] = get_args(Role)
# Airflow and Superset keep their own state in a database of their own, as a role that sees nothing else.
SERVICES = ("airflow", "superset")
DATABASES = ("warehouse", *SERVICES)


class WarehouseUnreachable(Exception):  # noqa: N818  says what is so, as its callers read it
    """The warehouse does not answer; the message says how to go on."""

    exit_code = 3


def url(role: Role = "owner", settings: Settings | None = None, database: str = "warehouse") -> str:
    """Connection URL of ``role`` (password included: never print it)."""
    settings = settings or get_settings()
    if role == "owner" and settings.warehouse_url and database == "warehouse":
        return settings.warehouse_url
    return _url_of(role, settings, database)


def service_url(service: str, settings: Settings | None = None) -> str:
    """URL of the metadata database of ``service`` (one of ``SERVICES``; password included: never print it)."""
    return _url_of(service, settings or get_settings(), service)


def _url_of(account: str, settings: Settings, database: str) -> str:
    password = quote(Secrets.of(settings).get(f"postgres_{account}"))
    if settings.warehouse_url:
        given = urlsplit(settings.warehouse_url)
        host = f"{given.hostname}:{given.port or 5432}"
        name = given.path if database == "warehouse" else f"/{database}"
        return urlunsplit(("postgresql", f"ioc_{account}:{password}@{host}", name, given.query, ""))
    return f"postgresql://ioc_{account}:{password}@127.0.0.1:{settings.port_postgres}/{database}"


@contextmanager
def connect(role: Role, settings: Settings | None = None, *, autocommit: bool = False) -> Iterator[psycopg.Connection]:
    """Open a connection as ``role``; commits on success, rolls back on an exception.

    Raises:
        WarehouseUnreachable: no server answers, or it refuses the role.
    """
    settings = settings or get_settings()
    try:
        connection = psycopg.connect(
            url(role, settings),
            autocommit=autocommit,
            connect_timeout=10,
            application_name=f"ioc-{role}",
            options="-c timezone=Asia/Ho_Chi_Minh",
        )
    except psycopg.OperationalError as error:
        raise WarehouseUnreachable(
            f"the warehouse does not answer as role {role}: {str(error).strip()} — start it with 'ioc up', "
            "or check IOC_WAREHOUSE_URL"
        ) from error
    with connection:
        yield connection


def ensure_roles(admin_url: str, settings: Settings | None = None) -> None:
    """Create the roles, or give them the passwords of this stack again. Idempotent.

    Args:
        admin_url: URL of a role that may create roles (the embedded superuser, or the one a customer's DBA gives).
        settings: Settings of the stack; default: this process's.
    """
    settings = settings or get_settings()
    secrets = Secrets.of(settings)
    with psycopg.connect(admin_url, autocommit=True) as connection:
        for role in (*ROLES, *SERVICES):
            name = sql.Identifier(f"ioc_{role}")
            known = connection.execute("select 1 from pg_roles where rolname = %s", (f"ioc_{role}",)).fetchone()
            verb = sql.SQL("alter" if known else "create")
            connection.execute(
                sql.SQL("{} role {} login nosuperuser nocreatedb nocreaterole password {}").format(
                    verb, name, sql.Literal(secrets.get(f"postgres_{role}"))
                )
            )
            # Civil hours and days are Vietnam's everywhere; storage stays timestamptz.
            connection.execute(sql.SQL("alter role {} set timezone = 'Asia/Ho_Chi_Minh'").format(name))
        connection.execute("grant ioc_transformer, ioc_loader, ioc_alerts, ioc_portal, ioc_bi_reader to ioc_owner")


def ensure_database(admin_url: str, name: str) -> None:
    """Create the database ``name`` when it is missing, owned by its service or the owner; others may not connect."""
    owner = f"ioc_{name}" if name in SERVICES else "ioc_owner"
    with psycopg.connect(admin_url, autocommit=True) as connection:
        if not connection.execute("select 1 from pg_database where datname = %s", (name,)).fetchone():
            connection.execute(
                sql.SQL("create database {} owner {} template template0 encoding 'UTF8'").format(
                    sql.Identifier(name), sql.Identifier(owner)
                )
            )
        connection.execute(sql.SQL("revoke connect on database {} from public").format(sql.Identifier(name)))
        if name not in SERVICES:
            for role in ROLES:
                connection.execute(
                    sql.SQL("grant connect on database {} to {}").format(
                        sql.Identifier(name), sql.Identifier(f"ioc_{role}")
                    )
                )


def create_on_server(settings: Settings) -> None:
    """Roles and databases on the server that ``IOC_WAREHOUSE_URL`` names; its role must be allowed to create both.

    Raises:
        WarehouseUnreachable: the server does not answer, or the role may not create roles and databases.
    """
    given = urlsplit(settings.warehouse_url or "")
    admin_url = urlunsplit(given._replace(path="/postgres"))
    try:
        ensure_roles(admin_url, settings)
        for name in (given.path.lstrip("/"), *SERVICES):
            ensure_database(admin_url, name)
    except (psycopg.OperationalError, psycopg.errors.InsufficientPrivilege) as error:
        raise WarehouseUnreachable(
            f"cannot create roles and databases on {given.hostname}: {error} — 'ioc warehouse create' needs a role "
            "that may; afterwards an owner's URL is enough"
        ) from error


def migrate(settings: Settings | None = None) -> list[str]:
    """Bring the warehouse to the newest schema.

    Returns:
        The revisions that were applied, oldest first; empty when there was nothing to do.
    """
    from alembic import command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory
    from sqlalchemy import create_engine, pool, text

    settings = settings or get_settings()
    config = Config()
    config.set_main_option("script_location", "ioc.warehouse:migrations")
    scripts = ScriptDirectory.from_config(config)
    engine = create_engine(
        url("owner", settings).replace("postgresql://", "postgresql+psycopg://", 1), poolclass=pool.NullPool
    )
    with engine.connect() as connection:
        # Two processes that migrate at once: the second waits and then finds nothing to do.
        connection.execute(text("select pg_advisory_lock(hashtext('ioc-migrate'))"))
        connection.commit()
        before = MigrationContext.configure(connection, opts={"version_table": "schema_version"}).get_current_revision()
        connection.commit()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()
    return [step.revision for step in reversed(list(scripts.iterate_revisions("head", before)))]
