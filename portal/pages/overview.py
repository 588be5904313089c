"""The province at a glance, and a page for domains that are still to come."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from alerts import incidents
from ioc.domains import all_domains, get_domain
from portal import domains
from portal.web import Config, Db, NotFoundError, Reader, SignedIn, render

router = APIRouter(include_in_schema=False)


@router.get("/", response_class=HTMLResponse)
def overview(request: Request, database: Db, settings: Config, who: Reader, user: SignedIn) -> HTMLResponse:
    """Open alerts, a tile for every domain, age of the data."""
    pages = domains.pages()
    tiles = {
        domain.name: pages[domain.name].tile(database, who.language) for domain in all_domains() if domain.name in pages
    }
    health = database.rows_if_built("select * from serving.rpt_ops_pipeline_health order by domain") or []
    is_vietnamese = who.language.code == "vi"
    titles = {d.name: d.title_vi if is_vietnamese else d.title_en for d in all_domains() if d.status == "live"}
    return render(
        request,
        "overview.html",
        tiles=tiles,
        incidents=incidents.list_open(user.visible_units, settings),
        health=[{**row, "title": titles[row["domain"]]} for row in health if row["domain"] in titles],
    )


@router.get("/linh-vuc/{name}", response_class=HTMLResponse)
def domain_to_come(request: Request, database: Db, _user: SignedIn, name: str) -> HTMLResponse:
    """A domain without pages yet; domains with pages have routes of their own."""
    try:
        domain = get_domain(name)
    except KeyError as error:
        raise NotFoundError from error
    owner = database.row(
        "select name_vi from ref.org_unit where code = %(code)s order by valid desc limit 1", {"code": domain.owner}
    )
    return render(request, "domain_to_come.html", domain=domain, owner=owner["name_vi"] if owner else domain.owner)
