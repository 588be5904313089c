"""The supervised stack, reduced to the parts that start in a second: PostgreSQL and the sandbox."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import psycopg
import pytest

from ioc.stack import processes
from ioc.stack.postgres import EmbeddedPostgres
from ioc.stack.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.stack.conftest import Stack

_PARTS = ("--only", "postgres,sandbox")


def _healthy(stack: Stack) -> dict[str, bool]:
    answer = stack.ioc("status", expect=3)
    return {row["name"]: row["healthy"] for row in answer["services"] if row["name"] in ("postgres", "sandbox")}


def test_after_a_kill_of_everything_up_recovers_with_its_data(stack: Stack) -> None:
    stack.ioc("up", *_PARTS)
    url = EmbeddedPostgres(stack.settings).admin_url("warehouse")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("create table public.kept as select 42 as value")
    before = processes.of_stack(stack.settings.home)
    assert len(before) > 5
    for process in before:
        process.kill()
    stack.ioc("up", *_PARTS)
    assert _healthy(stack) == {"postgres": True, "sandbox": True}
    with psycopg.connect(url) as connection:
        assert connection.execute("select value from public.kept").fetchone() == (42,)


def test_after_a_kill_of_the_supervisor_its_orphans_are_replaced(stack: Stack) -> None:
    pids = {row["name"]: row["pid"] for row in stack.ioc("up", *_PARTS)["services"]}
    supervisor_pid = int(Supervisor(stack.settings).pid_file.read_text())
    (supervisord,) = [p for p in processes.of_stack(stack.settings.home) if p.pid == supervisor_pid]
    supervisord.kill()
    supervisord.wait(5)
    assert not processes.port_is_free("127.0.0.1", stack.settings.port_postgres), "the orphans still hold their ports"
    after = {row["name"]: row["pid"] for row in stack.ioc("up", *_PARTS)["services"]}
    assert pids.keys() == after.keys()
    assert not set(pids.values()) & set(after.values())


def test_a_crashed_program_comes_back_by_itself(stack: Stack) -> None:
    pids = {row["name"]: row["pid"] for row in stack.ioc("up", *_PARTS)["services"]}
    (sandbox,) = [p for p in processes.of_stack(stack.settings.home) if p.pid == pids["sandbox"]]
    sandbox.kill()
    deadline = time.monotonic() + 30
    while not (state := Supervisor(stack.settings).states()["sandbox"])["pid"] or state["pid"] == pids["sandbox"]:
        assert time.monotonic() < deadline, state
        time.sleep(0.2)


def test_a_second_stack_comes_and_goes_beside_the_first(stack: Stack, new_stack: Callable[[], Stack]) -> None:
    before = {row["name"]: row["pid"] for row in stack.ioc("up", *_PARTS)["services"]}
    second = new_stack()
    second.ioc("up", "--only", "postgres")
    second.ioc("down")
    assert _healthy(stack) == {"postgres": True, "sandbox": True}
    assert {row["name"]: row["pid"] for row in stack.ioc("up", *_PARTS)["services"]} == before


def test_a_taken_port_is_named_with_its_setting(new_stack: Callable[[], Stack]) -> None:
    stack = new_stack()
    port = stack.settings.port_sandbox_http
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        answer = stack.ioc("up", *_PARTS, expect=3)
    assert f"port {port}" in answer["error"]
    assert "IOC_PORT_BASE" in answer["error"]
    assert processes.of_stack(stack.settings.home) == [], "nothing was started"


def test_a_changed_setting_restarts_what_runs(stack: Stack) -> None:
    before = {row["name"]: row["pid"] for row in stack.ioc("up", *_PARTS)["services"]}
    changed = type(stack)(stack.settings.model_copy(update={"mail_from": "khac@ioc.example"}))
    after = {row["name"]: row["pid"] for row in changed.ioc("up", *_PARTS)["services"]}
    assert not set(before.values()) & set(after.values())


def test_a_program_that_cannot_start_is_told_with_its_log(new_stack: Callable[[], Stack]) -> None:
    stack = new_stack()
    data = stack.settings.home / "postgres" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("9.6\n")
    answer = stack.ioc("up", "--only", "postgres", expect=3)
    assert "postgres.log" in answer["error"]


def test_the_database_trusts_nobody(stack: Stack) -> None:
    stack.ioc("up", *_PARTS)
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(f"postgresql://postgres@127.0.0.1:{stack.settings.port_postgres}/postgres")
    url = stack.ioc("warehouse", "url", "--role", "bi_reader", "--with-password")["url"]
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(url.replace("/warehouse", "/airflow"))


def test_up_again_changes_nothing_and_down_leaves_nothing(stack: Stack) -> None:
    first = stack.ioc("up", *_PARTS)
    assert first["healthy"] is True
    again = stack.ioc("up", *_PARTS)
    assert [row["pid"] for row in again["services"]] == [row["pid"] for row in first["services"]]
    stack.ioc("down")
    assert processes.of_stack(stack.settings.home) == []
    assert _healthy(stack) == {"postgres": False, "sandbox": False}
    # No error when there is nothing to stop.
    stack.ioc("down")
