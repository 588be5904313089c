"""``ioc alerts test`` and ``ioc alerts rules import|export|check``: alert rules as files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ioc import console
from ioc.commands import Json

if TYPE_CHECKING:
    from alerts.rulemaking.rule_document import RuleDocument

app = typer.Typer(no_args_is_help=True, help="Alert rules as YAML files: drafts from a file, export, differences.")


def register(alerts_app: typer.Typer) -> None:
    """Add these commands to ``ioc alerts``."""
    alerts_app.command()(test)
    alerts_app.add_typer(app, name="rules")


def test(
    file: Annotated[
        list[Path] | None, typer.Argument(help="Test files; none means those of all shipped rules.")
    ] = None,
    json: Json = False,
) -> None:
    """Run the tests of alert rules, without a database. Exit code 2 when one does not hold."""
    from alerts.rulemaking import rule_files, rule_tests

    documents = {d.code: d for path in sorted(rule_files.FOLDER.glob("*.yaml")) for d in _read(path)}
    reports = []
    for path in file or sorted((rule_files.FOLDER / "tests").glob("*.yaml")):
        try:
            # A test file elsewhere is about the rules beside it, when there are any.
            beside = {d.code: d for other in path.resolve().parent.parent.glob("*.yaml") for d in _read(other)}
            code, text = rule_tests.read_file(path)
            document = (documents | beside).get(code)
            if document is None:
                raise console.CommandError(f"{path}: there is no rule '{code}' in the rule files", 2)
            reports.append(rule_tests.run(document, text))
        except (OSError, UnicodeDecodeError) as error:
            raise console.CommandError(f"{path}: {error}", 64) from error
        except rule_tests.RuleTestError as error:
            raise console.CommandError(f"{path.name}: {error}", 2) from error
        failed = {failure.test for failure in reports[-1].failures}
        colour, mark = ("red", "✗") if failed else ("green", "✓")
        console.out.print(
            f"[{colour}]{mark}[/] {code}: {len(reports[-1].tests)} tests"
            + (f", {len(failed)} failed" if failed else "")
        )
        for failure in reports[-1].failures:
            console.out.print("  " + console.escape(failure.text).replace("\n", "\n  "))
    is_passed = all(report.is_passed for report in reports)
    if json:
        console.print_json({"passed": is_passed, "rules": [report.as_dict() for report in reports]})
    if not is_passed:
        raise typer.Exit(2)


def _read(path: Path) -> "list[RuleDocument]":
    from alerts.rulemaking import rule_document, rule_files

    try:
        return rule_files.read(path)
    except rule_document.RuleFileError as error:
        raise console.CommandError(str(error), 2) from error


@app.command(name="import")
def import_(
    file: Annotated[Path, typer.Argument(help="A rule file; tests lie beside it in tests/<rule>.yaml.", exists=True)],
    author: Annotated[str, typer.Option(help="User name of who stands behind the drafts.")] = "dong-lenh",
    json: Json = False,
) -> None:
    """Make drafts of the rules that differ from what is in force; people test, dry-run and approve them."""
    from alerts.rulemaking import rule_document, rule_files

    try:
        outcome = rule_files.import_drafts(file, author)
    except rule_document.RuleFileError as error:
        raise console.CommandError(str(error), 2) from error
    words = {
        "draft": "draft made, waits for tests, dry run and approval",
        "unchanged": "as in force, nothing to do",
        "open draft": "left out: a draft of it is already open",
    }
    for code, what in outcome.items():
        console.out.print(f"{code}: {words[what]}")
    if json:
        console.print_json({"rules": outcome})


@app.command()
def export(domain: Annotated[str, typer.Argument(help="Name of the domain, for example air_quality.")]) -> None:
    """Print the rules of a domain as they stand in the tables, as a rule file."""
    from alerts.rulemaking import rule_files

    typer.echo(rule_files.export(domain), nl=False)


@app.command()
def check(
    file: Annotated[list[Path] | None, typer.Argument(help="Rule files; none means all that are shipped.")] = None,
    json: Json = False,
) -> None:
    """Compare rule files with the tables. Exit code 2 when they differ."""
    from alerts.rulemaking import rule_document, rule_files

    try:
        found = rule_files.check(file)
    except rule_document.RuleFileError as error:
        raise console.CommandError(str(error), 2) from error
    for code, field, in_file, in_tables in found:
        what = f"{code} {field}" if field else f"{code} (whole rule)"
        console.out.print(f"{what}\n    file:   {console.escape(in_file)}\n    tables: {console.escape(in_tables)}")
    if not found:
        console.out.print("files and tables say the same")
    if json:
        console.print_json({"same": not found, "differences": [d._asdict() for d in found]})
    if found:
        raise typer.Exit(2)
