"""Sessions on the server, and the form tokens that prove a post comes from our own page.

The browser holds a random token in a cookie; the database holds its SHA-256. A form token is an HMAC over that cookie,
so it needs no table and dies with the session. Before login a cookie of its own stands in for the session.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING

from portal.users import User

if TYPE_CHECKING:
    from portal.database import Database

IDLE_HOURS, ABSOLUTE_DAYS = 12, 7


def token_hash(token: str) -> bytes:
    """What the database keeps of a session token."""
    return hashlib.sha256(token.encode()).digest()


def new_token() -> str:
    """256 random bits, URL-safe."""
    return secrets.token_urlsafe(32)


def begin(database: Database, user: User) -> str:
    """Open a session and return the token for the cookie; expired sessions of everybody are cleared away."""
    token = new_token()
    with database.transaction() as connection:
        connection.execute("delete from portal.session where expires_at < clock_timestamp()")
        connection.execute(
            "insert into portal.session (token_hash, account_id, expires_at) "
            "values (%s, %s, clock_timestamp() + make_interval(days => %s))",
            (token_hash(token), user.account_id, ABSOLUTE_DAYS),
        )
    return token


def find(database: Database, token: str, *, is_used: bool = True) -> User | None:
    """The user of a live session: not expired, not idle for ``IDLE_HOURS``, account still active.

    Args:
        database: The portal's database.
        token: Content of the cookie.
        is_used: Whether somebody did something: keeps the session from going idle.
    """
    with database.transaction() as connection:
        row = connection.execute(
            """
            select account.account_id, username, display_name, role, unit_code,
                last_seen_at < clock_timestamp() - interval '1 minute' as is_due
            from portal.session join portal.account using (account_id)
            where token_hash = %(token_hash)s and is_active and expires_at > clock_timestamp()
                and last_seen_at > clock_timestamp() - make_interval(hours => %(idle_hours)s)
            """,
            {"token_hash": token_hash(token), "idle_hours": IDLE_HOURS},
        ).fetchone()
        if row is None:
            return None
        # Once a minute is enough to know who is idle; a write for every request is not needed.
        if row["is_due"] and is_used:
            connection.execute(
                "update portal.session set last_seen_at = clock_timestamp() where token_hash = %s", (token_hash(token),)
            )
    return User(row["account_id"], row["username"], row["display_name"], row["role"], row["unit_code"])


def end(database: Database, token: str) -> None:
    """Close a session."""
    with database.transaction() as connection:
        connection.execute("delete from portal.session where token_hash = %s", (token_hash(token),))


def form_token(secret: str, cookie: str) -> str:
    """The token that a form must send back with this cookie."""
    return hmac.new(secret.encode(), cookie.encode(), hashlib.sha256).hexdigest()


def is_form_token(secret: str, cookie: str | None, given: str | None) -> bool:
    """Whether ``given`` is the form token of ``cookie``."""
    if not cookie or not given:
        return False
    return hmac.compare_digest(form_token(secret, cookie).encode(), given.encode())
