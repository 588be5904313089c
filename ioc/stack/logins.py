"""Who may log in where on this stack; shown to the person at the terminal, never written to a log."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from ioc.secrets import Secrets
from ioc.stack.airflow_setup import PEOPLE

if TYPE_CHECKING:
    from ioc.settings import Settings


@dataclass(frozen=True)
class Login:
    place: str
    url: str
    name: str
    password: str
    role: str

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def of(settings: Settings) -> list[Login]:
    """Every login that a fresh stack has."""
    from portal.users import INITIAL_USERS

    secrets = Secrets.of(settings)
    found = [
        Login("Airflow", settings.airflow_url(), name, secrets.get(f"airflow_{name}"), role)
        for name, role in PEOPLE.items()
    ]
    for name, role in {"admin": "Admin", "phan_tich": "Analyst"}.items():
        secret = secrets.get("superset_admin" if name == "admin" else "superset_analyst")
        found.append(Login("Superset", settings.superset_url(), name, secret, role))
    for name, (_, role, _) in INITIAL_USERS.items():
        found.append(Login("Portal", settings.portal_url(), name, secrets.get(f"portal_{name}"), role))
    return found
