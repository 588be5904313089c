"""Who gets in, who is kept out, and for how long."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ioc import warehouse
from ioc.secrets import Secrets
from portal import sessions, users
from portal.web import session_cookie
from tests.integration.portal.conftest import Person

if TYPE_CHECKING:
    from fastapi import FastAPI

    from ioc.settings import Settings


@pytest.fixture
def person(fresh: FastAPI, settings: Settings) -> Person:
    return Person(fresh, settings)


def test_a_page_sends_to_the_login_and_the_login_sends_back(person: Person) -> None:
    asked = person.get("/linh-vuc/air_quality")
    assert (asked.status_code, asked.headers["location"]) == (303, "/dang-nhap?next=/linh-vuc/air_quality")
    answer = person.post(
        "/dang-nhap", asked.headers["location"], username="LanhDao ", next="/linh-vuc/air_quality",
        password=Secrets.of(person.settings).get("portal_lanhdao"),
    )  # fmt: skip
    assert (answer.status_code, answer.headers["location"]) == (303, "/linh-vuc/air_quality")
    assert "Môi trường không khí" in person.text("/linh-vuc/air_quality")


@pytest.mark.parametrize(
    "elsewhere", ["//evil.example", "https://evil.example", "/\\evil.example", "evil", "/a\r\nX: y"]
)
def test_the_login_never_leads_to_another_site(person: Person, elsewhere: str) -> None:
    answer = person.post(
        "/dang-nhap", "/dang-nhap", username="truc", next=elsewhere,
        password=Secrets.of(person.settings).get("portal_truc"),
    )  # fmt: skip
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


def test_the_session_lives_on_the_server_under_a_hash(person: Person, settings: Settings) -> None:
    answer = person.sign_in("lanhdao")
    flags = answer.headers["set-cookie"].lower()
    assert "httponly" in flags
    assert "samesite=lax" in flags
    token = person.browser.cookies[session_cookie(settings)]
    with warehouse.connect("portal", settings) as connection:
        kept = connection.execute("select token_hash from portal.session").fetchall()
    assert kept == [(sessions.token_hash(token),)]
    assert token.encode() not in kept[0][0]


@pytest.mark.parametrize("username", ["lanhdao", "nobody"])
def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(person: Person, username: str) -> None:
    answer = person.sign_in(username, "wrong password")
    assert answer.status_code == 401
    assert "Tên đăng nhập hoặc mật khẩu không đúng." in answer.text
    assert person.get("/").status_code == 303


def test_five_failures_lock_the_pair_of_name_and_address_only(
    person: Person, fresh: FastAPI, settings: Settings
) -> None:
    assert [person.sign_in("truc", f"guess {n}").status_code for n in range(5)] == [401] * 5
    locked = person.sign_in("truc")
    assert locked.status_code == 429
    assert "15 phút" in locked.text
    assert person.sign_in("lanhdao").status_code == 303
    assert Person(fresh, settings, address="203.0.113.9").sign_in("truc").status_code == 303


def test_the_lock_opens_after_a_quarter_of_an_hour(person: Person, settings: Settings) -> None:
    for n in range(5):
        person.sign_in("truc", f"guess {n}")
    with warehouse.connect("owner", settings) as connection:
        connection.execute("update portal.login_attempt set attempted_at = attempted_at - interval '16 minutes'")
    assert person.sign_in("truc").status_code == 303


def test_guessing_many_names_from_one_address_is_locked_too(person: Person, settings: Settings) -> None:
    with warehouse.connect("owner", settings) as connection:
        connection.execute(
            "insert into portal.login_attempt (username, address, succeeded) "
            "select 'name' || n, '198.51.100.7', false from generate_series(1, 50) n"
        )
    assert person.sign_in("lanhdao").status_code == 429


def test_a_deactivated_account_is_out_at_once(person: Person, settings: Settings) -> None:
    person.sign_in("truc")
    assert person.get("/").status_code == 200
    with warehouse.connect("owner", settings) as connection:
        connection.execute("update portal.account set is_active = false where username = 'truc'")
    assert person.get("/").status_code == 303
    assert person.sign_in("truc").status_code == 401


@pytest.mark.parametrize(
    "age", ["last_seen_at = now() - interval '13 hours'", "expires_at = now() - interval '1 second'"]
)
def test_an_idle_or_expired_session_ends(person: Person, settings: Settings, age: str) -> None:
    person.sign_in("lanhdao")
    with warehouse.connect("owner", settings) as connection:
        connection.execute(f"update portal.session set {age}")  # type: ignore[arg-type]
    assert person.get("/").headers["location"] == "/dang-nhap"


def test_logout_ends_the_session_on_the_server(person: Person, settings: Settings) -> None:
    person.sign_in("lanhdao")
    token = person.browser.cookies[session_cookie(settings)]
    assert person.post("/dang-xuat", "/tai-khoan").status_code == 303
    person.browser.cookies.set(session_cookie(settings), token)
    assert person.get("/").status_code == 303, "a kept copy of the cookie must not work"


@pytest.mark.parametrize(
    "path", ["/dang-nhap", "/dang-xuat", "/tai-khoan", "/hop-thu/da-doc", "/api/embed/air_quality"]
)
def test_no_post_without_the_form_token_of_this_session(
    person: Person, fresh: FastAPI, settings: Settings, path: str
) -> None:
    person.sign_in("lanhdao")
    stranger = Person(fresh, settings)
    stranger.sign_in("kysu")
    foreign = stranger.form_token("/tai-khoan")
    for token in ("", "0" * 64, foreign):
        answer = person.browser.post(path, data={"form_token": token}, headers={"X-Form-Token": token})
        assert answer.status_code == 400, f"{path} took the token {token[:6]!r}"
    assert person.get("/").status_code == 200, "still signed in"


def test_changing_the_password_ends_the_other_sessions(person: Person, fresh: FastAPI, settings: Settings) -> None:
    old = Secrets.of(settings).get("portal_truc")
    person.sign_in("truc")
    phone = Person(fresh, settings)
    phone.sign_in("truc")
    answer = person.post(
        "/tai-khoan", "/tai-khoan", current=old, new="mật khẩu mới của tôi", again="mật khẩu mới của tôi"
    )
    assert answer.status_code == 200
    assert "Đã đổi mật khẩu" in answer.text
    assert person.get("/").status_code == 200
    assert phone.get("/").status_code == 303
    assert phone.sign_in("truc", old).status_code == 401
    assert phone.sign_in("truc", "mật khẩu mới của tôi").status_code == 303


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (("wrong", "long enough one", "long enough one"), "Mật khẩu đang dùng không đúng."),
        (("{old}", "short", "short"), "ít nhất 10 ký tự"),
        (("{old}", "long enough one", "another one...."), "không giống nhau"),
        (("{old}", "{old}", "{old}"), "khác mật khẩu đang dùng"),
    ],
)
def test_a_password_that_cannot_be_taken_is_refused_with_one_sentence(
    person: Person, settings: Settings, fields: tuple[str, str, str], sentence: str
) -> None:
    old = Secrets.of(settings).get("portal_truc")
    person.sign_in("truc")
    current, new, again = (field.replace("{old}", old) for field in fields)
    answer = person.post("/tai-khoan", "/tai-khoan", current=current, new=new, again=again)
    assert answer.status_code == 422
    assert sentence in answer.text
    assert Person(person.app, settings).sign_in("truc").status_code == 303, "the old one still works"


def test_the_first_users_are_made_once_and_keep_what_they_changed(person: Person, settings: Settings) -> None:
    person.sign_in("kysu")
    old = Secrets.of(settings).get("portal_kysu")
    person.post("/tai-khoan", "/tai-khoan", current=old, new="một mật khẩu khác", again="một mật khẩu khác")
    assert users.ensure_initial_users(settings) == []
    assert Person(person.app, settings).sign_in("kysu", "một mật khẩu khác").status_code == 303
