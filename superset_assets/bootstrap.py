"""Make Superset's metadata database ready: schema, permissions, roles, people. Idempotent; 15 s the first time.

Runs in Superset's own environment (``superset_assets.process.bootstrap_command``), with two more variables than
``superset_config`` needs: ``IOC_SUPERSET_ADMIN_PASSWORD`` and ``IOC_SUPERSET_ANALYST_PASSWORD``.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from pathlib import Path
from typing import Any

# Run as a file, Python puts this folder first on the path; the project's root is what the imports below mean.
sys.path[0] = str(Path(__file__).resolve().parent.parent)

from flask_migrate import upgrade  # noqa: E402
from superset.app import create_app  # noqa: E402

from superset_assets.security import ANALYST_ROLE  # noqa: E402

ADMIN = "admin"
ANALYST = "phan_tich"


def _say(message: str, since: float) -> None:
    print(f"superset: {message} ({time.monotonic() - since:.1f} s)", flush=True)


def _ensure_user(security: Any, username: str, first_name: str, role: str, password: str) -> None:
    """Create ``username``, or give it this stack's password and role again."""
    found = security.find_user(username=username)
    if found is None:
        security.add_user(
            username, first_name, "IOC", f"{username}@ioc.example", security.find_role(role), password=password
        )
        return
    found.roles = [security.find_role(role)]
    security.reset_password(found.id, password)


def main() -> None:
    """Bring the metadata database to the state that this code describes.

    Raises:
        KeyError: a password is not set.
    """
    passwords = {
        ADMIN: os.environ["IOC_SUPERSET_ADMIN_PASSWORD"],
        ANALYST: os.environ["IOC_SUPERSET_ANALYST_PASSWORD"],
    }
    start = time.monotonic()
    # Before the first migration Superset logs a stack trace for every table that it misses.
    logging.disable(logging.ERROR)
    app = create_app()
    _say("application loaded", start)
    with app.app_context():
        from superset.extensions import appbuilder, db, security_manager

        upgrade()
        _say("database schema is current", start)
        appbuilder.add_permissions(update_perms=True)
        security_manager.sync_role_definitions()
        security_manager.sync_ioc_roles()
        _ensure_user(security_manager, ADMIN, "Quản trị", "Admin", passwords[ADMIN])
        _ensure_user(security_manager, ANALYST, "Phân tích", ANALYST_ROLE, passwords[ANALYST])
        db.session.commit()
    _say("roles and people are set", start)


if __name__ == "__main__":
    main()
