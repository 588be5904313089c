"""The address book and the routes: who is reached where, and what goes to whom.

An address counts only after the code that was sent to it has come back: verification without a message is a lie. Every
act leaves an event in the audit chain, in the same transaction.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Literal

from psycopg.errors import UniqueViolation
from psycopg.rows import class_row, dict_row

from alerts import audit
from alerts.channels import all_channels
from alerts.incidents import ActRefusedError
from alerts.notifying import limits, notice, routing
from alerts.notifying.sms_text import khong_dau
from alerts.recipients.phones import normalised
from ioc import warehouse

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

    from ioc.settings import Settings

Medium = Literal["email", "phone"]
# Roles that routes, rosters and procedures ask for.
ROLES = {
    "truc_ban": "Trực ban",
    "lanh_dao": "Lãnh đạo",
    "lanh_dao_phong": "Lãnh đạo phòng",
    "chuyen_vien": "Chuyên viên",
    "quan_tri_du_lieu": "Phụ trách dữ liệu",
    "quan_tri": "Quản trị hệ thống",
    "kip_truc": "Kíp trực",
}
CODE_HOLDS = timedelta(minutes=30)
_MOST_ATTEMPTS = 5
_CODES_AN_HOUR = 5
_EMAIL = re.compile(r"[^@\s<>\"',;]+@[^@\s<>\"',;]+\.[^@\s<>\"',;.]+")


@dataclass(frozen=True)
class ContactCard:
    """A person (or a system) of the address book."""

    contact_id: int
    code: str
    name_vi: str
    unit_code: str
    unit_name: str | None
    roles: list[str]
    user_name: str | None
    email: str | None
    email_verified_at: datetime | None
    phone: str | None
    phone_verified_at: datetime | None
    quiet_from: time | None
    quiet_to: time | None
    is_active: bool


@dataclass(frozen=True)
class ContactForm:
    """What can be written about a contact; empty strings are nothing."""

    name_vi: str
    unit_code: str
    roles: Sequence[str] = ()
    user_name: str = ""
    email: str = ""
    phone: str = ""
    quiet_from: time | None = None
    quiet_to: time | None = None
    is_active: bool = True


_CARDS = """
select c.contact_id, c.code, c.name_vi, c.unit_code, u.name_vi as unit_name, c.roles, c.user_name, c.email,
    c.email_verified_at, c.phone, c.phone_verified_at, c.quiet_from, c.quiet_to, c.is_active
from ref.contact c
left join lateral (
    select name_vi from ref.org_unit where code = c.unit_code order by valid desc limit 1
) u on true
"""


def contacts(settings: Settings | None = None) -> list[ContactCard]:
    """The address book, by unit and name."""
    with (
        warehouse.connect("portal", settings) as connection,
        connection.cursor(row_factory=class_row(ContactCard)) as cursor,
    ):
        return cursor.execute(_CARDS + "order by c.is_active desc, u.name_vi, c.name_vi").fetchall()


def contact(code: str, settings: Settings | None = None) -> ContactCard:
    """One contact.

    Raises:
        ActRefusedError: no such contact.
    """
    with warehouse.connect("portal", settings) as connection:
        return _card(connection, code)


def _card(connection: psycopg.Connection, code: str) -> ContactCard:
    with connection.cursor(row_factory=class_row(ContactCard)) as cursor:
        found = cursor.execute(_CARDS + "where c.code = %s", (code,)).fetchone()
    if found is None:
        raise ActRefusedError("Không có liên hệ này trong danh bạ.")
    return found


def units(settings: Settings | None = None) -> list[tuple[str, str]]:
    """Code and name of the units that are valid today; departments before communes."""
    with warehouse.connect("portal", settings) as connection:
        return connection.execute(
            "select code, name_vi from ref.org_unit where valid @> current_date "
            "order by kind in ('ward', 'commune'), name_vi"
        ).fetchall()


def save_contact(
    code: str | None, form: ContactForm, user: str, settings: Settings | None = None, at: datetime | None = None
) -> ContactCard:
    """Change a contact, or make one. A changed address has to be verified again.

    Args:
        code: The contact; None = a new one, whose code is made from its name.
        form: Everything about it.
        user: Who asks.
        settings: Settings of the stack; default: this process's.
        at: The clock; default: now.

    Raises:
        ActRefusedError: a field is missing or wrong, or the user name belongs to somebody else.
    """
    at = at or datetime.now(UTC)
    values = _checked(form)
    try:
        with warehouse.connect("portal", settings) as connection:
            if not connection.execute(
                "select 1 from ref.org_unit where code = %s and valid @> %s::date", (form.unit_code, at)
            ).fetchone():
                raise ActRefusedError("Đơn vị này không có hoặc không còn hiệu lực.")
            before = _card(connection, code) if code else None
            code = code or _new_code(connection, values["name_vi"])
            connection.execute(
                """
                insert into ref.contact as c (code, name_vi, unit_code, roles, user_name, email, phone, quiet_from,
                    quiet_to, is_active)
                values (%(code)s, %(name_vi)s, %(unit_code)s, %(roles)s, %(user_name)s, %(email)s, %(phone)s,
                    %(quiet_from)s, %(quiet_to)s, %(is_active)s)
                on conflict (code) do update set name_vi = excluded.name_vi, unit_code = excluded.unit_code,
                    roles = excluded.roles, user_name = excluded.user_name, email = excluded.email,
                    phone = excluded.phone, quiet_from = excluded.quiet_from, quiet_to = excluded.quiet_to,
                    is_active = excluded.is_active,
                    email_verified_at = case when c.email = excluded.email then c.email_verified_at end,
                    phone_verified_at = case when c.phone = excluded.phone then c.phone_verified_at end
                """,
                {**values, "code": code},
            )
            audit.record(
                connection, at, user, "contact.changed" if before else "contact.made", about=("contact", code),
                detail=_difference(before, values),
            )  # fmt: skip
            return _card(connection, code)
    except UniqueViolation as error:
        raise ActRefusedError("Tên đăng nhập này đã gắn với một liên hệ khác.") from error


def _checked(form: ContactForm) -> dict[str, Any]:
    name = " ".join(form.name_vi.split())
    if not 2 <= len(name) <= 120:
        raise ActRefusedError("Tên phải có từ 2 đến 120 ký tự.")
    unknown = [role for role in form.roles if role not in ROLES]
    if unknown:
        raise ActRefusedError("Vai trò không có trong danh mục.")
    email = form.email.strip()
    if email and (len(email) > 200 or not _EMAIL.fullmatch(email)):
        raise ActRefusedError("Địa chỉ thư điện tử không hợp lệ.")
    phone = form.phone.strip()
    if phone and normalised(phone) is None:
        raise ActRefusedError("Số điện thoại phải là số di động Việt Nam, ví dụ 0912 345 678.")
    if (form.quiet_from is None) != (form.quiet_to is None):
        raise ActRefusedError("Giờ yên tĩnh cần cả giờ bắt đầu và giờ kết thúc.")
    if form.quiet_from is not None and form.quiet_from == form.quiet_to:
        raise ActRefusedError("Giờ yên tĩnh không thể kéo dài cả ngày.")
    return {
        "name_vi": name, "unit_code": form.unit_code, "roles": sorted(set(form.roles)),
        "user_name": form.user_name.strip().lower() or None, "email": email or None,
        "phone": phone or None, "quiet_from": form.quiet_from, "quiet_to": form.quiet_to, "is_active": form.is_active,
    }  # fmt: skip


def _new_code(connection: psycopg.Connection, name: str) -> str:
    stem = re.sub(r"[^a-z0-9]+", "-", khong_dau(name).lower()).strip("-")[:40] or "lien-he"
    row = connection.execute(
        "select count(*) from ref.contact where code = %s or code like %s", (stem, f"{stem}-%")
    ).fetchone()
    return stem if row is None or row[0] == 0 else f"{stem}-{row[0] + 1}"


def _difference(before: ContactCard | None, values: dict[str, Any]) -> dict[str, Any]:
    """What changed, without the addresses themselves: the audit chain cannot forget a phone number."""
    changed = [name for name, value in values.items() if before is None or getattr(before, name) != value]
    shown = {name: values[name] for name in changed if name in ("name_vi", "unit_code", "roles", "is_active")}
    return {"changed": changed, **shown}


# --- Verification


def send_code(
    code: str, medium: Medium, user: str, settings: Settings | None = None, at: datetime | None = None
) -> datetime:
    """Send six digits to an address; returns until when they hold.

    Raises:
        ActRefusedError: no such contact, no address, no channel for it, or five codes within the hour.
    """
    at = at or datetime.now(UTC)
    channel = "email" if medium == "email" else "sms"
    with warehouse.connect("alerts", settings) as connection:
        card = _card(connection, code)
        address = card.email if medium == "email" else normalised(card.phone)
        if not address:
            raise ActRefusedError("Liên hệ này chưa có địa chỉ để xác minh.")
        if channel not in all_channels():
            raise ActRefusedError("Hệ thống chưa có kênh gửi cho loại địa chỉ này.")
        connection.execute("select pg_advisory_xact_lock(hashtext('ref.contact_verification'))")
        row = connection.execute(
            "select count(*) from ref.contact_verification where contact_id = %s and sent_at > %s",
            (card.contact_id, at - timedelta(hours=1)),
        ).fetchone()
        if row is not None and row[0] >= _CODES_AN_HOUR:
            raise ActRefusedError("Đã gửi quá nhiều mã trong một giờ; hãy thử lại sau.")
        digits = f"{secrets.randbelow(10**6):06}"
        found = connection.execute(
            """
            insert into ref.contact_verification (contact_id, medium, address, code_hash, sent_at, expires_at)
            values (%s, %s, %s, %s, %s, %s) returning contact_verification_id
            """,
            (card.contact_id, medium, address, _hash(card.contact_id, digits), at, at + CODE_HOLDS),
        ).fetchone()
        assert found is not None
        teller = notice.Teller(connection, routing.load(connection, at), at, settings)
        minutes = int(CODE_HOLDS.total_seconds() // 60)
        teller.post(
            notice.Destination(f"verify|{found[0]}", None, None, card.contact_id, channel, address),
            "verify",
            {"verification": digits, "minutes": minutes, "name": card.name_vi},
            notice.Plain("Mã xác minh", f"Mã xác minh: {digits}, hiệu lực {minutes} phút."),
            level=0,
            urgency=limits.UNLIMITED_FROM,  # somebody is waiting for it, at whatever hour
        )
        audit.record(connection, at, user, "contact.code_sent", about=("contact", code), detail={"medium": medium})
        connection.execute("select pg_notify('ioc_outbox', '')")
    return at + CODE_HOLDS


def verify(
    code: str, medium: Medium, digits: str, user: str, *, settings: Settings | None = None, at: datetime | None = None
) -> None:
    """Take the code that came back; the address counts from here on.

    Raises:
        ActRefusedError: wrong or expired code, too many attempts, or the address has changed since.
    """
    at = at or datetime.now(UTC)
    with warehouse.connect("alerts", settings) as connection:
        card = _card(connection, code)
        address = card.email if medium == "email" else normalised(card.phone)
        with connection.cursor(row_factory=dict_row) as cursor:
            sent = cursor.execute(
                """
                update ref.contact_verification set attempt_count = attempt_count + 1
                where contact_verification_id = (
                    select contact_verification_id from ref.contact_verification
                    where contact_id = %s and medium = %s and used_at is null order by sent_at desc limit 1)
                returning *
                """,
                (card.contact_id, medium),
            ).fetchone()
        problem = None
        if sent is None or sent["expires_at"] <= at or sent["address"] != address:
            problem = "Mã đã hết hiệu lực hoặc địa chỉ đã thay đổi; hãy gửi mã mới."
        elif sent["attempt_count"] > _MOST_ATTEMPTS:
            problem = "Nhập sai quá nhiều lần; hãy gửi mã mới."
        elif not secrets.compare_digest(bytes(sent["code_hash"]), _hash(card.contact_id, digits.strip())):
            problem = "Mã không đúng."
        if problem is None and sent is not None:
            connection.execute(
                "update ref.contact_verification set used_at = %s where contact_verification_id = %s",
                (at, sent["contact_verification_id"]),
            )
            column = "email_verified_at" if medium == "email" else "phone_verified_at"
            connection.execute(f"update ref.contact set {column} = %s where code = %s", (at, code))
            audit.record(connection, at, user, "contact.verified", about=("contact", code), detail={"medium": medium})
    # Outside: a wrong attempt is counted, so its transaction must stand.
    if problem is not None:
        raise ActRefusedError(problem)


def _hash(contact_id: int, digits: str) -> bytes:
    return hashlib.sha256(f"{contact_id}:{digits}".encode()).digest()
