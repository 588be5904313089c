"""Prepares Airflow's database in one process: schema, pools, roles, and the three people who may log in.

Run as ``python -m ioc.stack.airflow_setup`` in the environment of :func:`ioc.stack.environment.airflow`. Idempotent: it
may run beside a live Airflow. One process instead of five ``airflow`` commands: each imports for three seconds.
"""

from __future__ import annotations

import json

from ioc.secrets import Secrets
from ioc.settings import PROJECT_ROOT, get_settings

# login → role of Airflow's role-based access control.
PEOPLE = {"admin": "Admin", "engineer": "Op", "viewer": "Viewer"}
POOLS = PROJECT_ROOT / "dags" / "pools.json"


def migrate() -> None:
    """Bring Airflow's schema, and that of its login manager, to the installed version."""
    from airflow.utils import db
    from airflow.utils.providers_configuration_loader import providers_configuration_loaded

    providers_configuration_loaded(db.upgradedb)()


def create_pools() -> None:
    """Create the pools that the DAGs name, or give them their size again."""
    from airflow.models.pool import Pool

    for name, pool in json.loads(POOLS.read_text(encoding="utf-8")).items():
        Pool.create_or_update_pool(name, pool["slots"], pool["description"], pool["include_deferred"])


def create_people(passwords: dict[str, str]) -> None:
    """Create or refresh the logins.

    Args:
        passwords: Login → password, for every login of ``PEOPLE``.
    """
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

    with get_application_builder() as builder:
        manager = builder.sm
        manager.sync_roles()
        for login, role_name in PEOPLE.items():
            role = manager.find_role(role_name)
            user = manager.find_user(login)
            if user is None:
                user = manager.add_user(login, login.title(), "IOC", f"{login}@ioc.example", role, passwords[login])
                if not user:
                    raise RuntimeError(f"Airflow did not accept the login '{login}'")
            else:
                manager.reset_password(user.id, passwords[login])


def main() -> None:
    migrate()
    create_pools()
    secrets = Secrets.of(get_settings())
    create_people({login: secrets.get(f"airflow_{login}") for login in PEOPLE})


if __name__ == "__main__":
    main()
