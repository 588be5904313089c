"""Pages for data engineers: health of the pipeline, doors to Airflow and Superset, the gate's Data Docs."""

from __future__ import annotations

from pathlib import PurePosixPath

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response

from ioc.domains import all_domains
from portal.web import Config, Db, Engineer, NotFoundError, Reader, render

router = APIRouter(include_in_schema=False)


@router.get("/ky-su", response_class=HTMLResponse)
def pipeline(request: Request, database: Db, settings: Config, who: Reader, _user: Engineer) -> HTMLResponse:
    """Freshness, volumes and failures per domain, and the newest batches."""
    planned = {domain.name for domain in all_domains() if domain.status != "live"}
    health = database.rows_if_built("select * from serving.rpt_ops_pipeline_health order by is_stale desc, domain")
    batches = database.rows(
        """
        select batch_id, domain, status, mode, started_at, published_at, file_count, read_count, loaded_count,
            duplicate_count, rejected_count, message
        from ops.load_batch order by batch_id desc limit 20
        """
    )
    is_vietnamese = who.language.code == "vi"
    titles = {domain.name: domain.title_vi if is_vietnamese else domain.title_en for domain in all_domains()}
    return render(
        request,
        "engineer.html",
        health=None if health is None else [r for r in health if r["domain"] not in planned or r["batches_24h"]],
        batches=batches,
        titles=titles,
        airflow_url=settings.airflow_url(),
        superset_url=settings.superset_url(),
        has_data_docs=(settings.home / "data_docs" / "index.html").exists(),
    )


@router.get("/engineer/data-docs")
def data_docs_door(_user: Engineer) -> Response:
    """The site's links are relative: its address must end in a slash."""
    return RedirectResponse("/engineer/data-docs/", status_code=303)


@router.get("/engineer/data-docs/{path:path}")
def data_docs(settings: Config, _user: Engineer, path: str = "") -> Response:
    """A page of the gate's Data Docs (``IOC_HOME/data_docs``).

    Raises:
        NotFoundError: no such page, or a path that leads out of the site.
    """
    root = (settings.home / "data_docs").resolve()
    wanted = root / PurePosixPath(path or "index.html")
    page = (wanted / "index.html" if wanted.is_dir() else wanted).resolve()
    if not page.is_relative_to(root) or not page.is_file():
        raise NotFoundError
    return FileResponse(page)
