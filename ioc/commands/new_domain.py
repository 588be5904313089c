"""``ioc new-domain NAME``: lays out one more domain, a folder per room, working from the first minute."""

import keyword
import re
from pathlib import Path
from typing import Annotated

import typer

from ioc import console, domains
from ioc.commands import Json
from ioc.settings import PROJECT_ROOT

TEMPLATES = PROJECT_ROOT / "ioc" / "templates" / "new_domain"
_SUFFIX = ".template"


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command()(new_domain)


def lay_out(root: Path, name: str, title_vi: str, title_en: str, owner: str) -> list[Path]:
    """Write the files of a new domain.

    Args:
        root: The checkout.
        name: Folder, schema, DAG: lower snake case.
        title_vi: Title shown to people.
        title_en: The same in English.
        owner: Unit code that answers for the data.

    Returns:
        The files written, below ``root``.

    Raises:
        ValueError: the name cannot be one, or something of that name is there already; nothing was written.
    """
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name) or keyword.iskeyword(name) or len(name) > 40:
        raise ValueError(
            f"'{name}' cannot name a domain: lower case letters, digits and single underscores, as in night_markets"
        )
    for text in (title_vi, title_en, owner):
        if not text or set(text) & set('"\\\n@'):
            raise ValueError(f"'{text}' cannot be a title or a unit code: not empty, no quotes, backslashes or @")
    known = domains.all_domains(root / "extractors")
    values = {
        "domain": name, "DOMAIN": name.upper(), "title_vi": title_vi, "title_en": title_en, "owner": owner,
        "number": str(max((domain.number for domain in known), default=0) + 1),
    }  # fmt: skip
    wanted = {}
    for template in sorted(TEMPLATES.rglob(f"*{_SUFFIX}")):
        relative = str(template.relative_to(TEMPLATES)).replace("DOMAIN", name).removesuffix(_SUFFIX)
        text = template.read_text(encoding="utf-8")
        for key, value in values.items():
            text = text.replace(f"@{key}@", value)
        wanted[root / relative] = text
    present = [str(path.relative_to(root)) for path in wanted if path.exists()]
    if present:
        raise ValueError(f"there is a domain '{name}' already: {present[0]}")
    for path, text in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return sorted(wanted)


def new_domain(
    name: Annotated[str, typer.Argument(help="Lower snake case, for example night_markets.")],
    title_vi: Annotated[str, typer.Option(help="Vietnamese title.")] = "",
    title_en: Annotated[str, typer.Option(help="English title.")] = "",
    owner: Annotated[str, typer.Option(help="Unit code that answers for the data.")] = "SKHCN",
    json: Json = False,
) -> None:
    """Lay out one more domain: source, gate, DAG, models and stand-in, each a folder in its room."""
    english = title_en or name.replace("_", " ").capitalize()
    try:
        written = lay_out(PROJECT_ROOT, name, title_vi or english, english, owner)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    files = [str(path.relative_to(PROJECT_ROOT)) for path in written]
    for file in files:
        console.out.print(file)
    console.out.print(
        f"\nNow describe the data in extractors/{name}/entities.py and source.py; "
        f"then 'ioc load {name}' and 'ioc transform {name}'"
    )
    if json:
        console.print_json({"domain": name, "files": files})
