"""The record of what people did cannot be changed without showing."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from procedure_room import Room

from alerts import audit, audit_watch
from ioc.settings import PROJECT_ROOT

if TYPE_CHECKING:
    from types import ModuleType

    from conftest import Desk

    from ioc.stack.postgres import EmbeddedPostgres


@pytest.fixture
def room(desk: Desk) -> Room:
    room = Room(desk)
    room.open()
    room.work("kiem-tra-so-lieu", "dung", 0.2)
    return room


def tamper(room: Room, cluster: EmbeddedPostgres, statement: str) -> None:
    """As a superuser, with every trigger out of the way."""
    database = urlsplit(str(room.desk.settings.warehouse_url)).path
    url = urlunsplit(urlsplit(cluster.admin_url())._replace(path=database))
    with psycopg.connect(url) as connection:
        connection.execute("set session_replication_role = replica")
        assert connection.execute(statement).rowcount == 1  # type: ignore[call-overload]


def test_nobody_in_the_house_can_change_an_event(room: Room) -> None:
    for statement in ("update audit.event set actor = 'x'", "delete from audit.event", "truncate audit.event"):
        with pytest.raises(psycopg.errors.RestrictViolation):
            room.desk.run(statement)
    assert audit.verify(settings=room.desk.settings).is_whole


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(PROJECT_ROOT / "dags"))
    from ioc_dags import steps

    return steps


def test_a_changed_or_removed_event_shows(room: Room, cluster: EmbeddedPostgres, steps: ModuleType) -> None:
    assert steps.procedures()["errors"] == []
    assert steps.verify_audit()["is_whole"]
    (actor,) = room.desk.rows("select actor from audit.event where event_id = 20")[0]
    for statement, first in (
        ("update audit.event set actor = 'người khác' where event_id = 20", 20),
        (f"update audit.event set actor = '{actor}' where event_id = 20", None),
        ('update audit.event set detail = detail || \'{"outcome": "khac"}\' where event_id = 21', 21),
        ("delete from audit.event where event_id = 20", 21),
    ):
        tamper(room, cluster, statement)
        report = audit.verify(settings=room.desk.settings)
        assert (report.is_whole, report.first_broken) == (first is None, first), statement
    assert not audit_watch.verify(room.desk.settings, room.desk.at(26)).is_whole
    with pytest.raises(RuntimeError, match="broken from event 21"):
        steps.verify_audit()
    told = room.desk.one("select subject from notify.outbox where dedupe_key like 'self|audit%%' limit 1")
    assert "Nhật ký kiểm toán bị thay đổi" in told


def test_an_end_that_was_cut_off_shows_by_the_hash_that_was_written_down(room: Room, cluster: EmbeddedPostgres) -> None:
    settings = room.desk.settings
    written_down = audit_watch.verify(settings, room.desk.at(1)).newest_hash
    room.acknowledge(0.3)
    assert audit.verify(written_down, settings).is_whole, "more events after it are fine"
    assert audit_watch.verify(settings, room.desk.at(26)).is_whole
    tamper(room, cluster, "delete from audit.event where event_id = (select max(event_id) from audit.event)")
    assert audit.verify(settings=settings).is_whole, "the chain itself cannot know"
    assert audit.verify(written_down, settings).is_whole, "it was cut after that night"
    assert not audit_watch.verify(settings, room.desk.at(50)).is_whole
    with pytest.raises(ValueError, match="64 digits"):
        audit.verify("abc", settings)


def test_the_command_says_so_with_its_exit_code(room: Room, cluster: EmbeddedPostgres) -> None:
    def verify(*more: str) -> tuple[int, dict[str, object]]:
        script = "import sys; from ioc.cli import main; main(sys.argv[1:])"
        done = subprocess.run(
            [sys.executable, "-c", script, "audit", "verify", "--json", *more],
            cwd=PROJECT_ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.returncode, json.loads(done.stdout.splitlines()[-1])

    code, report = verify()
    assert (code, report["is_whole"]) == (0, True)
    assert verify("--expect", str(report["newest_hash"]))[0] == 0
    assert verify("--expect", "00" * 32)[0] == 2
    tamper(room, cluster, "update audit.event set actor = 'x' where event_id = 3")
    code, report = verify()
    assert (code, report["first_broken"]) == (2, 3)
