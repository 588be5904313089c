"""What each role may see, what nobody may see, and what every answer carries."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import jwt
import pytest

from ioc import embed, warehouse
from ioc.secrets import Secrets
from tests.fixtures.portal_serving import STATIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from ioc.settings import Settings
    from tests.integration.portal.conftest import Person


def _incident(settings: Settings, station: str) -> str:
    with warehouse.connect("portal", settings) as connection:
        row = connection.execute("select incident_id from alert.incident where entity_id = %s", (station,)).fetchone()
    assert row is not None
    return str(row[0])


def test_an_officer_sees_the_queue_of_the_own_unit_only(
    signed_in: Callable[[str], Person], health_officer: Person, settings: Settings
) -> None:
    page = f"/canh-bao/{_incident(settings, 'TH_NGHISON')}"
    for owner in ("truc", "lanhdao"):
        assert "Khu kinh tế Nghi Sơn" in signed_in(owner).text("/canh-bao")
        assert signed_in(owner).get(page).status_code == 200
    assert "Không có cảnh báo nào đang mở." in health_officer.text("/canh-bao")
    assert "Khu kinh tế Nghi Sơn: 171" not in health_officer.text("/")
    assert health_officer.get(page).status_code == 404
    assert health_officer.post(f"{page}/nhan", "/tai-khoan", hours="1", note="mine").status_code == 404
    assert "chưa ai nhận" in signed_in("lanhdao").text("/canh-bao")


def test_messages_belong_to_their_reader(signed_in: Callable[[str], Person], settings: Settings) -> None:
    with warehouse.connect("portal", settings) as connection:
        row = connection.execute(
            "select inbox_id from notify.inbox join ref.contact using (contact_id) where user_name = 'truc'"
        ).fetchone()
    assert row is not None
    leader = signed_in("lanhdao")
    assert leader.get(f"/hop-thu/{row[0]}/mo").status_code == 404
    leader.post("/hop-thu/da-doc", "/tai-khoan", inbox_id=str(row[0]))
    assert "tin chưa đọc" in signed_in("truc").text("/hop-thu")


@pytest.mark.parametrize(("user", "status"), [("lanhdao", 403), ("truc", 403), ("kysu", 200), ("quantri", 200)])
def test_the_engineers_pages_are_for_engineers(
    signed_in: Callable[[str], Person], settings: Settings, user: str, status: int
) -> None:
    docs = settings.home / "data_docs"
    docs.mkdir(exist_ok=True)
    (docs / "index.html").write_text("<h1>Data Docs</h1>")
    person = signed_in(user)
    for path in ("/ky-su", "/engineer/data-docs/", "/engineer/data-docs/index.html"):
        assert person.get(path).status_code == status, path
    assert ("/ky-su" in person.text("/")) == (status == 200)


@pytest.mark.parametrize(
    "path", ["../secrets.env", "..%2fsecrets.env", "%2e%2e/secrets.env", "/etc/passwd", "none.html"]
)
def test_data_docs_lead_nowhere_else(signed_in: Callable[[str], Person], settings: Settings, path: str) -> None:
    (settings.home / "data_docs").mkdir(exist_ok=True)
    assert (settings.home / "secrets.env").exists()
    answer = signed_in("kysu").get(f"/engineer/data-docs/{path}")
    assert answer.status_code == 404
    assert "PORTAL_SESSION" not in answer.text


@pytest.mark.parametrize(
    "path",
    ["/", "/linh-vuc/air_quality", "/linh-vuc/health", "/truy-vet/air_quality/TH_HAMRONG/2026-11-22T10:00", "/canh-bao",
     "/canh-bao/x", "/hop-thu", "/tai-khoan", "/ky-su", "/engineer/data-docs/"],
)  # fmt: skip
def test_nothing_but_the_public_pages_opens_without_login(anybody: Person, path: str) -> None:
    answer = anybody.get(path)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/dang-nhap")


def test_embedding_is_for_signed_in_people(anybody: Person) -> None:
    answer = anybody.browser.post("/api/embed/air_quality", headers={"X-Form-Token": anybody.form_token("/dang-nhap")})
    assert answer.status_code == 401
    assert "token" not in answer.json()


def test_a_guest_token_opens_the_one_dashboard(signed_in: Callable[[str], Person], settings: Settings) -> None:
    leader = signed_in("lanhdao")
    token = leader.form_token("/linh-vuc/air_quality")
    told = settings.home / embed.EMBEDDED_FILE
    told.unlink(missing_ok=True)
    missing = leader.browser.post("/api/embed/air_quality", headers={"X-Form-Token": token})
    assert missing.status_code == 503
    assert missing.json() == {"error": "Bảng phân tích chưa được xuất bản."}

    told.parent.mkdir(exist_ok=True)
    told.write_text(json.dumps({"dashboards": {"air_quality": "0e9f5f6e-1111-2222-3333-444455556666"}, "datasets": {}}))
    answer = leader.browser.post("/api/embed/air_quality", headers={"X-Form-Token": token})
    narrow = leader.browser.post("/api/embed/air_quality?narrow=true", headers={"X-Form-Token": token})
    assert narrow.json()["embedded_uuid"] == answer.json()["embedded_uuid"], "no version for phones: the usual one"
    phone = {"air_quality": "0e9f5f6e-1111-2222-3333-444455556666", "air_quality_phone": "phone-version"}
    told.write_text(json.dumps({"dashboards": phone, "datasets": {}}))
    narrow = leader.browser.post("/api/embed/air_quality?narrow=true", headers={"X-Form-Token": token})
    assert narrow.json()["embedded_uuid"] == "phone-version"
    told.unlink()
    assert answer.status_code == 200
    assert answer.json()["superset_domain"] == settings.superset_url()
    claims = jwt.decode(
        answer.json()["token"], Secrets.of(settings).get("superset_guest_jwt"), ["HS256"], audience=embed.AUDIENCE
    )
    assert claims["resources"] == [{"type": "dashboard", "id": "0e9f5f6e-1111-2222-3333-444455556666"}]
    assert claims["user"]["username"] == "lanhdao"
    assert leader.browser.post("/api/embed/payroll", headers={"X-Form-Token": token}).status_code == 404


@pytest.mark.parametrize("path", ["/cong-dan", "/api/public", "/api/public/air_quality", "/api/public/openapi.json"])
def test_public_pages_hold_public_stations_and_no_names(anybody: Person, path: str) -> None:
    text = anybody.text(path)
    hidden = [name for _, name, *_, public, inside, _, _ in STATIONS if not (public and inside)]
    assert len(hidden) == 3
    for word in [*hidden, "TH_HAIBINH", "lanhdao", "truc", "kysu", "postgresql://", "/truy-vet/", "batch"]:
        assert word not in text, f"{word} on {path}"


def test_every_answer_carries_the_headers(anybody: Person, settings: Settings) -> None:
    for path in ("/cong-dan", "/dang-nhap", "/nothing-here", "/static/portal.css", "/api/public/air_quality"):
        headers = anybody.get(path).headers
        policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
        assert policy["default-src"] == "'none'", path
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
        assert policy["frame-src"] == settings.superset_url()
        assert policy["frame-ancestors"] == "'none'"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "strict-origin-when-cross-origin"
    assert anybody.get("/dang-nhap").headers["cache-control"] == "no-store"
    assert "immutable" in anybody.get("/static/portal.css").headers["cache-control"]


@pytest.mark.usefixtures("app")
def test_the_portals_role_reads_no_raw_table(settings: Settings) -> None:
    with warehouse.connect("portal", settings) as connection:
        schemas = {
            name
            for (name,) in connection.execute(
                "select nspname from pg_namespace where has_schema_privilege(oid, 'usage') and nspname !~ '^pg_'"
            )
        }
    assert schemas.isdisjoint({"staging", "intermediate", "marts", "raw_air_quality"})
    assert "serving" in schemas
