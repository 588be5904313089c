"""Accounts of the portal: passwords (argon2id), the first users, and the lock against guessing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from ioc import warehouse
from ioc.secrets import Secrets

if TYPE_CHECKING:
    from ioc.settings import Settings
    from portal.database import Database, Row

Role = Literal["leader", "officer", "engineer", "admin"]

MINIMUM_PASSWORD_LENGTH = 10
# Guessing: a pair of name and address is locked after 5 failures, an address after 50, both for 15 minutes.
FAILURES_PER_PAIR, FAILURES_PER_ADDRESS, LOCK_MINUTES = 5, 50, 15

_hasher = PasswordHasher()
# Verified for unknown names too, so that the answer takes as long as for known ones.
_UNKNOWN_USER_HASH = _hasher.hash("no such user")


@dataclass(frozen=True)
class User:
    """Who is signed in.

    Attributes:
        account_id: Key in ``portal.account``.
        username: Login name, also the name that acknowledgements and the inbox carry.
        display_name: Name shown to people.
        role: ``leader``, ``officer``, ``engineer`` or ``admin``.
        unit_code: Unit of an officer; None sees every unit.
    """

    account_id: int
    username: str
    display_name: str
    role: Role
    unit_code: str | None

    @property
    def is_engineer(self) -> bool:
        """Whether pages may show how the pipeline works inside."""
        return self.role in ("engineer", "admin")

    @property
    def visible_units(self) -> list[str] | None:
        """Units whose alerts this user sees; None = all. Only officers are bound to one."""
        return [self.unit_code or ""] if self.role == "officer" else None


# username → (display name, role, unit): the duty officer answers for the domain that is live first.
INITIAL_USERS: dict[str, tuple[str, Role, str | None]] = {
    "lanhdao": ("Lãnh đạo tỉnh", "leader", None),
    "truc": ("Cán bộ trực Sở Nông nghiệp và Môi trường", "officer", "SNNMT"),
    "kysu": ("Kỹ sư dữ liệu", "engineer", None),
    "quantri": ("Quản trị hệ thống", "admin", None),
}


def ensure_initial_users(settings: Settings) -> list[str]:
    """Create the first users with the passwords of the stack's secrets ``portal_<user>``; existing ones stay untouched.

    Returns:
        The names that were created.
    """
    secrets = Secrets.of(settings)
    created = []
    with warehouse.connect("portal", settings) as connection:
        known = {name for (name,) in connection.execute("select username from portal.account")}
        for username, (display_name, role, unit_code) in INITIAL_USERS.items():
            password = secrets.get(f"portal_{username}")
            if username in known:
                continue
            connection.execute(
                "insert into portal.account (username, display_name, role, unit_code, password_hash) "
                "values (%s, %s, %s, %s, %s) on conflict (username) do nothing",
                (username, display_name, role, unit_code, _hasher.hash(password)),
            )
            created.append(username)
    return created


def _user(row: Row) -> User:
    return User(row["account_id"], row["username"], row["display_name"], row["role"], row["unit_code"])


class LoginLockedError(Exception):
    """Too many failed attempts: refused for ``LOCK_MINUTES``, whatever the password."""


def authenticate(database: Database, username: str, password: str, address: str) -> User | None:
    """The user with this name and password, or None. Every attempt is recorded.

    Raises:
        LoginLockedError: too many failures of this name from this address, or of the address.
    """
    username = username.strip().lower()[:64]
    with database.transaction() as connection:
        # One guess at a time: a burst of parallel ones would all be counted too late.
        connection.execute("select pg_advisory_xact_lock(hashtext(%s))", (f"login:{username}:{address}",))
        failures = connection.execute(
            """
            select
                count(*) filter (
                    where username = %(username)s and attempted_at > coalesce((
                        select max(attempted_at) from portal.login_attempt
                        where username = %(username)s and address = %(address)s and succeeded
                    ), '-infinity')
                ) as of_pair,
                count(*) as of_address
            from portal.login_attempt
            where address = %(address)s and not succeeded
                and attempted_at > clock_timestamp() - make_interval(mins => %(minutes)s)
            """,
            {"username": username, "address": address, "minutes": LOCK_MINUTES},
        ).fetchone()
        assert failures is not None
        if failures["of_pair"] >= FAILURES_PER_PAIR or failures["of_address"] >= FAILURES_PER_ADDRESS:
            raise LoginLockedError
        row = connection.execute(
            "select * from portal.account where username = %s and is_active", (username,)
        ).fetchone()
        is_right = _verify(row["password_hash"] if row else _UNKNOWN_USER_HASH, password) and row is not None
        connection.execute(
            "insert into portal.login_attempt (username, address, succeeded) values (%s, %s, %s)",
            (username, address, is_right),
        )
        connection.execute(
            "delete from portal.login_attempt where attempted_at < clock_timestamp() - interval '90 days'"
        )
    return _user(row) if row and is_right else None


def _verify(password_hash: str, password: str) -> bool:
    try:
        return _hasher.verify(password_hash, password[:256])
    except (VerificationError, InvalidHashError):
        return False


class PasswordRefusedError(Exception):
    """The new password cannot be taken; the message is Vietnamese and meant for the user."""


def change_password(database: Database, user: User, current: str, new: str, *, keep_session: bytes) -> None:
    """Replace the password and close every other session of the user.

    Args:
        database: The portal's database.
        user: Whose password.
        current: The password in force, asked again.
        new: The new one, at least ``MINIMUM_PASSWORD_LENGTH`` characters.
        keep_session: Token hash of the session that asks.

    Raises:
        PasswordRefusedError: the current password is wrong, or the new one is too short or the same.
    """
    if len(new) < MINIMUM_PASSWORD_LENGTH:
        raise PasswordRefusedError("Mật khẩu mới phải có ít nhất 10 ký tự.")
    if len(new) > 256:
        raise PasswordRefusedError("Mật khẩu mới dài quá 256 ký tự.")
    if new == current:
        raise PasswordRefusedError("Mật khẩu mới phải khác mật khẩu đang dùng.")
    with database.transaction() as connection:
        row = connection.execute(
            "select password_hash from portal.account where account_id = %s for update", (user.account_id,)
        ).fetchone()
        if row is None or not _verify(row["password_hash"], current):
            raise PasswordRefusedError("Mật khẩu đang dùng không đúng.")
        connection.execute(
            "update portal.account set password_hash = %s, password_changed_at = clock_timestamp() "
            "where account_id = %s",
            (_hasher.hash(new), user.account_id),
        )
        connection.execute(
            "delete from portal.session where account_id = %s and token_hash <> %s", (user.account_id, keep_session)
        )
