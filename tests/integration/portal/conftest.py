"""A portal over a real migrated warehouse, and people who sign in to it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from argon2 import PasswordHasher
from starlette.testclient import TestClient

from ioc import warehouse
from ioc.secrets import Secrets
from portal import users
from portal.app import create_app
from tests.fixtures import portal_serving
from tests.fixtures.warehouses import warehouse_of_its_own

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx
    from fastapi import FastAPI

    from ioc.settings import Settings
    from ioc.stack.postgres import EmbeddedPostgres


class Person:
    """Somebody with a browser of their own: keeps cookies, sends the form token of the page that they look at."""

    def __init__(self, app: FastAPI, settings: Settings, address: str = "198.51.100.7") -> None:
        self.app, self.settings = app, settings
        self.browser = TestClient(
            app,
            follow_redirects=False,
            raise_server_exceptions=False,
            client=(address, 40000),
            base_url="http://portal",
        )

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.browser.get(path, headers=headers)

    def text(self, path: str) -> str:
        """The page, which must be there."""
        answer = self.get(path)
        assert answer.status_code == 200, f"{path}: {answer.status_code}"
        return answer.text

    def form_token(self, path: str) -> str:
        found = re.search(r'(?:name="form_token" value|data-form-token)="([0-9a-f]{64})"', self.text(path))
        assert found, f"no form on {path}"
        return found[1]

    def post(self, path: str, page: str, **fields: str) -> httpx.Response:
        """Fill in the form of ``page`` and send it to ``path``."""
        return self.browser.post(path, data={"form_token": self.form_token(page), **fields})

    def sign_in(self, username: str, password: str | None = None) -> httpx.Response:
        password = password or Secrets.of(self.settings).get(f"portal_{username}")
        return self.post("/dang-nhap", "/dang-nhap", username=username, password=password)


@pytest.fixture(scope="module", autouse=True)
def _cheap_passwords() -> Iterator[None]:
    """The same algorithm with little memory: what is tested is not the cost of a guess."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(users, "_hasher", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
        yield


@pytest.fixture(scope="module")
def installation(cluster: EmbeddedPostgres) -> Iterator[Settings]:
    """A migrated warehouse that the tests of one module share: making one takes seconds on a busy machine."""
    with warehouse_of_its_own(cluster) as settings:
        yield settings


@pytest.fixture
def settings(installation: Settings) -> Settings:
    """Settings of the module's warehouse, with the first users as they were created and nobody signed in."""
    with warehouse.connect("owner", installation) as connection:
        connection.execute("truncate portal.session, portal.login_attempt, portal.account")
    users.ensure_initial_users(installation)
    return installation


@pytest.fixture(scope="module")
def server(installation: Settings) -> Iterator[FastAPI]:
    """The running portal."""
    app = create_app(installation)
    with TestClient(app):
        yield app


@pytest.fixture
def fresh(server: FastAPI, settings: Settings) -> FastAPI:  # noqa: ARG001
    """The portal of a fresh installation: migrated, first users, no transform yet."""
    return server


@pytest.fixture(scope="module")
def _filled(installation: Settings) -> None:
    portal_serving.build(installation)
    portal_serving.incidents(installation)


@pytest.fixture
def app(fresh: FastAPI, _filled: None) -> FastAPI:
    """The portal with nine stations, three open incidents and one that ended."""
    return fresh


@pytest.fixture
def anybody(app: FastAPI, settings: Settings) -> Person:
    """A visitor who does not sign in."""
    return Person(app, settings)


@pytest.fixture
def signed_in(app: FastAPI, settings: Settings) -> Callable[[str], Person]:
    """Make a signed-in person: ``signed_in("lanhdao")``."""

    def make(username: str) -> Person:
        person = Person(app, settings)
        assert person.sign_in(username).status_code == 303
        return person

    return make


def officer_of(unit_code: str, username: str, app: FastAPI, settings: Settings) -> Person:
    """A signed-in officer of another unit than the province's own."""
    password = "mot-mat-khau-dai"
    with warehouse.connect("portal", settings) as connection:
        connection.execute(
            "insert into portal.account (username, display_name, role, unit_code, password_hash) "
            "values (%s, 'Cán bộ đơn vị', 'officer', %s, %s)",
            (username, unit_code, users._hasher.hash(password)),
        )
    person = Person(app, settings)
    assert person.sign_in(username, password).status_code == 303
    return person


@pytest.fixture
def health_officer(app: FastAPI, settings: Settings) -> Person:
    """An officer of another unit (Sở Y tế): no incident here is theirs."""
    return officer_of("SYT", "yte", app, settings)
