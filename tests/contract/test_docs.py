"""The documents say what is so: links lead somewhere, commands exist, SQL runs, every dependency has its line."""

from __future__ import annotations

import re
import shlex
import tomllib
from typing import TYPE_CHECKING

import psycopg
import pytest
from typer.main import get_command

from ioc import warehouse
from ioc.settings import PROJECT_ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from ioc.settings import Settings

PAGES = sorted(
    {page for glob in ("*.md", "docs/*.md", "*/README.md", "sandbox/**/*.md") for page in PROJECT_ROOT.glob(glob)}
)
# Pictures of the running system, taken from it.
PICTURES = {"docs/images/portal.png", "docs/images/dashboard.png"}


def targets(text: str) -> list[str]:
    return [target for target in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in target and target[0] != "#"]


def dead_links(page: Path, text: str) -> list[str]:
    found = []
    for target in targets(text):
        path = (page.parent / target.split("#")[0]).resolve()
        if not path.exists() and path.relative_to(PROJECT_ROOT).as_posix() not in PICTURES:
            found.append(target)
    return found


def ioc_lines(text: str) -> list[str]:
    """Every use of the `ioc` command, in code blocks and in running text."""
    lines = re.findall(r"(?:\.venv/bin/ioc|docker/run\.py ioc|--rm migrate ioc) ([^`\n#)]*)", text)
    return [line.strip() for line in lines if line.strip()]


def wrong_command(line: str) -> str:
    """Why the command line does not exist, or nothing."""
    from ioc.cli import app

    command = get_command(app)
    words = [word for word in shlex.split(line.replace("…", "")) if word]
    while words and hasattr(command, "commands") and not words[0].startswith("-"):
        name = words.pop(0).rstrip(".,:;")
        if name not in command.commands:
            return f"no command {name} in '{line}'"
        command = command.commands[name]
    options = {option for parameter in command.params for option in parameter.opts}
    unknown = [
        word for word in words if word.startswith("--") and word.split("=")[0] not in options | {"--help", "--json"}
    ]
    return f"no option {unknown[0]} in '{line}'" if unknown else ""


def dependencies(path: Path) -> set[str]:
    project = tomllib.loads(path.read_text(encoding="utf-8"))
    groups = project.get("dependency-groups", {}).values()
    declared = [*project["project"]["dependencies"], *(name for group in groups for name in group)]
    return {re.split(r"[\[<>=~!; ]", name)[0].lower() for name in declared}


def documented(text: str) -> set[str]:
    return {name.lower() for name in re.findall(r"^\| `([\w.-]+)` \|", text, re.MULTILINE)}


def sql_of(text: str) -> list[str]:
    return re.findall(r"```sql\n(.*?)```", text, re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(PROJECT_ROOT).as_posix())
def test_links_and_commands(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert dead_links(page, text) == []
    assert [problem for line in ioc_lines(text) if (problem := wrong_command(line))] == []
    made = set(re.findall(r"^([a-z]+):", (PROJECT_ROOT / "Makefile").read_text(), re.MULTILINE))
    used = set(re.findall(r"^ {4}(?:\w+=\S+ )?make ([a-z]+)|`(?:\w+=\S+ )?make ([a-z]+)`", text, re.MULTILINE))
    assert {name for pair in used for name in pair if name} <= made


def test_the_documents_are_not_silent_about_commands() -> None:
    text = (PROJECT_ROOT / "docs/operations.md").read_text(encoding="utf-8")
    assert len(ioc_lines(text)) >= 20
    assert len(sql_of(text)) >= 6


def test_planted_faults_in_documents_are_found() -> None:
    assert dead_links(PROJECT_ROOT / "README.md", "[x](docs/nowhere.md)") == ["docs/nowhere.md"]
    assert wrong_command("warehouse undo") == "no command undo in 'warehouse undo'"
    assert (
        wrong_command("load air_quality --from 2026-01-01")
        == "no option --from in 'load air_quality --from 2026-01-01'"
    )
    assert wrong_command("load air_quality --since 2026-01-01") == ""


def test_every_dependency_has_its_line_and_every_line_its_dependency() -> None:
    platform, superset = (PROJECT_ROOT / "docs/dependencies.md").read_text(encoding="utf-8").split("## Superset's own")
    assert documented(platform) == dependencies(PROJECT_ROOT / "pyproject.toml")
    assert documented(superset) == dependencies(PROJECT_ROOT / "superset_assets/env/pyproject.toml")


def test_the_sql_for_the_one_on_call_runs(settings: Settings) -> None:
    with psycopg.connect(warehouse.url("owner", settings)) as connection:
        for statement in sql_of((PROJECT_ROOT / "docs/operations.md").read_text(encoding="utf-8")):
            connection.execute(statement)
