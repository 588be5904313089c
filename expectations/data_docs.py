"""Data Docs: a static site about what the gate promised and what it found, built from the ledger.

Great Expectations' own pages load styles and scripts from ten outside servers and know no Vietnamese; these need
nothing but the files beside them. Layout below ``IOC_HOME/data_docs``: ``index.html``, ``style.css``,
``<domain>/index.html`` and ``<domain>/<batch_id>.html``. Everything can be rebuilt at any time with :func:`build`.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

from ioc import warehouse
from ioc.domains import all_domains

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psycopg
    from jinja2 import Environment

    from ioc.settings import Settings

# Two days of five-minute batches; older ones stay in ops.validation_result.
KEPT_BATCHES = 600
_TEMPLATES = Path(__file__).resolve().parent / "templates"

_BATCHES = """
select batch_id, mode, status, verdict, validated_at, file_count, read_count, loaded_count, duplicate_count,
    rejected_count, message,
    (select count(*) from ops.validation_result v where v.batch_id = b.batch_id and not success and severity = 'warn')
        as warning_count
from ops.load_batch b where domain = %s and verdict is not null order by batch_id desc limit %s
"""
_RESULTS = "select * from ops.validation_result where batch_id = %s order by validation_result_id"
_PROMISES = """
select suite, expectation, column_name, severity, description_vi, count(*) as evaluated_count,
    count(*) filter (where not success) as failed_count,
    max(validated_at) filter (where not success) as last_failed_at
from ops.validation_result
where domain = %s and suite <> 'quarantine' and validated_at > clock_timestamp() - interval '30 days'
group by suite, expectation, column_name, severity, description_vi
order by severity, failed_count desc, description_vi
"""


def folder(settings: Settings) -> Path:
    """Root of the site."""
    return settings.home / "data_docs"


def build(domain: str, batch_ids: Iterable[int], settings: Settings) -> Path:
    """Write the pages of these batches, and the two tables of contents above them; prune the oldest pages.

    Returns:
        The site's front page.
    """
    pages = _environment()
    root = folder(settings)
    (root / domain).mkdir(parents=True, exist_ok=True)
    shutil.copyfile(_TEMPLATES / "style.css", root / "style.css")
    with warehouse.connect("loader", settings) as connection:
        batches = _rows(connection, _BATCHES, domain, KEPT_BATCHES)
        wanted = set(batch_ids)
        for batch in batches:
            if batch["batch_id"] in wanted:
                results = _rows(connection, _RESULTS, batch["batch_id"])
                page = root / domain / f"{batch['batch_id']}.html"
                _write(page, pages, "batch", batch=batch, results=results, domain=domain)
        promises = _rows(connection, _PROMISES, domain)
    _prune(root / domain, {batch["batch_id"] for batch in batches})
    kept = {path.stem for path in (root / domain).glob("*.html")}
    title, _ = _titles().get(domain, (domain, domain))
    values = {"domain": domain, "title": title, "batches": batches, "promises": promises, "kept": kept}
    _write(root / domain / "index.html", pages, "domain", **values)
    _write(root / "index.html", pages, "index", domains=_contents(root, settings))
    return root / "index.html"


def _titles() -> dict[str, tuple[str, str]]:
    return {domain.name: (domain.title_vi, domain.title_en) for domain in all_domains()}


def _contents(root: Path, settings: Settings) -> list[dict[str, Any]]:
    found = []
    with warehouse.connect("loader", settings) as connection:
        for path in sorted(root.glob("*/index.html")):
            name = path.parent.name
            title_vi, title_en = _titles().get(name, (name, name))
            newest = next(iter(_rows(connection, _BATCHES, name, 1)), None)
            found.append({"name": name, "title_vi": title_vi, "title_en": title_en, "newest": newest})
    return found


def _rows(connection: psycopg.Connection, query: str, *parameters: object) -> list[dict[str, Any]]:
    return connection.cursor(row_factory=dict_row).execute(query.encode(), parameters).fetchall()


def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined)
    environment.filters["moment"] = lambda value: value.strftime("%d/%m/%Y %H:%M:%S") if value else "–"
    environment.filters["figure"] = lambda value: f"{value:,}".replace(",", ".") if value is not None else "–"
    return environment


def _write(path: Path, pages: Environment, template: str, **values: Any) -> None:
    # Replaced in one step: a reader never meets half a page.
    temporary = path.with_suffix(".new")
    temporary.write_text(pages.get_template(f"{template}.html.j2").render(**values), encoding="utf-8")
    temporary.replace(path)


def _prune(directory: Path, kept: set[int]) -> None:
    for page in directory.glob("*.html"):
        if page.stem.isdigit() and int(page.stem) not in kept:
            page.unlink()
