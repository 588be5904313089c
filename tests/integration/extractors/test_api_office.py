"""The kit of stand-ins as a domain uses it: a plan from a seed, a clock that moves, orders over HTTP, misbehaviour."""

from __future__ import annotations

import random
import tomllib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import requests

from extractors.core.api.declaration import load
from ioc.settings import PROJECT_ROOT
from sandbox.api import Interface, serve
from sandbox.store import Change, Clock, Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


def planned(seed: int) -> list[Change]:
    """A domain's stories: forty dossiers in ten days, each with a status that goes on."""
    generator = random.Random(seed)
    plan = []
    for number in range(40):
        at = NOW + timedelta(hours=generator.randrange(240))
        for status in range(2, 2 + generator.randrange(1, 4)):
            plan.append(Change(at, f"HS-{number}", {"status": status}))
            at += timedelta(hours=generator.randrange(1, 48))
    generator.shuffle(plan)
    return plan


@pytest.fixture
def office() -> Iterator[tuple[Interface, str]]:
    office = Interface(Store(Clock(NOW), planned(36)), login="none", most=10)
    with serve(office.application()) as url:
        yield office, url


def everything(url: str, **query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for page in range(1, 20):
        data = requests.get(f"{url}/records", {**query, "page": str(page)}, timeout=5).json()["data"]
        found += data["items"]
        if len(found) >= data["total"]:
            break
    return found


def test_the_same_seed_tells_the_same_stories_and_the_clock_lets_them_happen(office: tuple[Interface, str]) -> None:
    played, url = office
    before = len(everything(url))
    requests.post(f"{url}/clock", json={"seconds": 5 * 86_400}, timeout=5).raise_for_status()
    assert 0 <= before < len(everything(url)) < 40
    requests.post(f"{url}/clock", json={"seconds": 20 * 86_400}, timeout=5).raise_for_status()
    assert len(everything(url)) == 40
    again = Store(played.store.clock, planned(36))
    assert again.records() == played.store.records()
    assert again.changed() == played.store.changed()
    assert Store(played.store.clock, planned(37)).records() != again.records()


def test_a_window_shows_what_has_changed_in_it_by_the_office_s_own_stamps(office: tuple[Interface, str]) -> None:
    played, url = office
    played.store.clock.move(30 * 86_400)
    since = NOW + timedelta(days=8)
    found = everything(url, updatedSince=since.isoformat())
    assert {record["id"] for record in found} == {key for key, at in played.store.changed() if at >= since}
    assert all(datetime.fromisoformat(record["updatedAt"]) >= since for record in found)


def test_orders_over_http(office: tuple[Interface, str]) -> None:
    _, url = office
    requests.post(f"{url}/change", json={"key": "X", "fields": {"ten": "Đỗ Thị Ế"}}, timeout=5).raise_for_status()
    assert [record["ten"] for record in everything(url) if record["id"] == "X"] == ["Đỗ Thị Ế"]
    requests.post(f"{url}/change", json={"key": "X", "fields": None}, timeout=5).raise_for_status()
    assert "X" not in {record["id"] for record in everything(url)}
    requests.post(f"{url}/fault", json={"kind": "status", "value": 500}, timeout=5).raise_for_status()
    assert [requests.get(f"{url}/records", timeout=5).status_code for _ in range(2)] == [500, 200]
    assert requests.post(f"{url}/fault", json={"kind": "magic"}, timeout=5).status_code == 422
    asked = requests.get(f"{url}/questions", timeout=5).json()
    assert [question["status"] for question in asked[-2:]] == [500, 200]


def test_the_office_limits_the_pace(office: tuple[Interface, str]) -> None:
    played, url = office
    played.per_minute = 2
    answers = [requests.get(f"{url}/records", timeout=5) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].headers["Retry-After"] == "1"


def test_the_office_s_clock_is_the_one_in_its_answers(office: tuple[Interface, str]) -> None:
    _, url = office
    answer = requests.get(f"{url}/records", timeout=5)
    assert answer.headers["Date"] == "Mon, 02 Mar 2026 01:00:00 GMT"
    assert answer.json()["serverTime"] == "2026-03-02T08:00:00+07:00"


def test_the_recipe_in_the_readme_is_a_declaration(tmp_path: Path) -> None:
    text = (PROJECT_ROOT / "extractors" / "README.md").read_text(encoding="utf-8")
    recipe = text.split("## One more domain with an interface (API)")[1].split("\n    entity = ", 1)[1]
    block = "    entity = " + recipe.split("\n\nEvery key")[0]
    path = tmp_path / "public_services" / "apis" / "dossiers.toml"
    path.parent.mkdir(parents=True)
    path.write_text("\n".join(line[4:] for line in block.splitlines()), encoding="utf-8")
    assert tomllib.loads(path.read_text(encoding="utf-8"))["entity"] == "dossier"
    api = load(path)
    assert (api.auth.kind, api.paging.kind, api.children[0].entity) == ("token", "page", "dossier_step")
