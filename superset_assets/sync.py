"""Dashboards as code: ``push`` brings Superset to what the files say, ``pull`` writes back what people change there."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from filelock import FileLock

from ioc import warehouse
from ioc.embed import EMBEDDED_FILE
from ioc.secrets import Secrets
from ioc.settings import Settings, get_settings
from superset_assets import bundle, lint, phone
from superset_assets.client import SupersetClient, SupersetRefusedError

if TYPE_CHECKING:
    from pathlib import Path

    from superset_assets.bundle import Asset, Assets


@dataclass(frozen=True)
class PushReport:
    """What a push brought: numbers of assets, and the UUID under which each dashboard is embedded."""

    databases: int
    datasets: int
    charts: int
    dashboards: int
    embedded: dict[str, str]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class PullReport:
    """What a pull wrote: paths below ``assets`` whose file is new or changed."""

    changed: list[str]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class CheckReport:
    """What the lint says; ``ok`` when there is nothing to say."""

    assets: int
    problems: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.problems

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "ok": self.ok}


class PushIncompleteError(Exception):
    """Superset took the import and yet lacks something; the message names it."""


def check(folder: Path = bundle.ASSETS) -> CheckReport:
    """Lint the files, without a running Superset.

    Raises:
        ValueError: a file is not readable as an asset.
    """
    assets = bundle.read(folder)
    return CheckReport(len(assets), lint.problems(assets))


def push(settings: Settings | None = None, folder: Path = bundle.ASSETS) -> PushReport:
    """Overwrite Superset's assets with the files, let the portal embed the dashboards and tell it their UUIDs.

    Args:
        settings: Settings of the stack; default: this process's.
        folder: Where the assets are.

    Raises:
        SupersetUnreachableError: Superset does not answer.
        SupersetRefusedError: Superset refuses the login or the import.
        PushIncompleteError: a dashboard lacks charts after the import.
        ValueError: the files do not pass :func:`check`; nothing was sent.
    """
    settings = settings or get_settings()
    assets = bundle.read(folder)
    # A bundle in which one reference leads nowhere half-works in Superset, so it never gets there.
    broken = lint.graph_problems(assets) + lint.query_context_problems(assets)
    if broken:
        raise ValueError("the assets are not consistent: " + "; ".join(broken[:5]))
    counts = {kind: len(_of_kind(assets, kind)) for kind in bundle.KINDS}
    assets |= phone.versions(assets)
    target = settings.home / EMBEDDED_FILE
    target.parent.mkdir(parents=True, exist_ok=True)
    # Two pushes at once (start of the stack, the DAG) would compete for the same rows.
    with FileLock(str(target) + ".lock"):
        client = client_of(settings)
        client.import_assets(bundle.pack(assets, warehouse_uri(settings)))
        ids = client.chart_ids()
        embedded = {}
        for content in _of_kind(assets, "dashboards").values():
            slug = content["slug"]
            wanted = {ids[meta["uuid"]] for meta in bundle.charts_in(content)}
            missing = wanted - client.charts_of(slug)
            if missing:
                raise PushIncompleteError(
                    f"dashboard {slug} lacks {len(missing)} of {len(wanted)} charts after the import"
                )
            embedded[slug] = client.allow_embedding(slug, portal_origins(settings))
        told = {"dashboards": embedded, "datasets": client.dataset_ids()}
        temporary = target.with_suffix(".new")
        temporary.write_text(json.dumps(told, indent=1, sort_keys=True))
        temporary.replace(target)
    return PushReport(**counts, embedded=embedded)


def pull(
    settings: Settings | None = None, folder: Path = bundle.ASSETS, dashboards: tuple[str, ...] = ()
) -> PullReport:
    """Write into the files what people changed in Superset.

    Taken in is what the repository already has, all that its dashboards have come to use, and the dashboards named.

    Args:
        settings: Settings of the stack; default: this process's.
        folder: Where the assets are.
        dashboards: Slugs of dashboards made in Superset that shall become code.

    Raises:
        SupersetUnreachableError: Superset does not answer.
        SupersetRefusedError: Superset refuses the login, or a dashboard named in ``dashboards`` does not exist.
    """
    settings = settings or get_settings()
    paths = {content["uuid"]: path for path, content in bundle.read(folder).items()}
    exported = {
        content["uuid"]: (kind, content) for kind, content in bundle.unpack(client_of(settings).export_assets())
    }
    slugs = {content.get("slug"): key for key, (kind, content) in exported.items() if kind == "dashboards"}
    for slug in dashboards:
        if slug not in slugs:
            raise SupersetRefusedError(
                f"Superset has no dashboard with the slug '{slug}'; it is set under its properties"
            )
    wanted = [key for key in exported if key in paths] + [slugs[slug] for slug in dashboards]
    taken: Assets = {}
    while wanted:
        key = wanted.pop()
        kind, content = exported[key]
        path = paths.setdefault(key, f"{kind}/{_file_name(kind, content)}")
        if path not in taken:
            taken[path] = content
            wanted += [reference for reference in lint.references(path, content) if reference in exported]
    return PullReport(bundle.write(taken, folder))


def portal_origins(settings: Settings) -> list[str]:
    """Origins of the portal's pages; loopback is written both ways, since people type both."""
    address = urlsplit(settings.portal_url())
    hosts = ("127.0.0.1", "localhost") if address.hostname in ("127.0.0.1", "localhost") else (address.hostname,)
    port = f":{address.port}" if address.port else ""
    return [f"{address.scheme}://{host}{port}" for host in hosts]


def client_of(settings: Settings) -> SupersetClient:
    """A session of the account that imports assets."""
    # The stack's own address, not the public one: a reverse proxy need not be up to publish dashboards.
    url = settings.superset_internal_url or f"http://{settings.bind_host}:{settings.port_superset}"
    return SupersetClient(url, "admin", Secrets.of(settings).get("superset_admin"))


def warehouse_uri(settings: Settings) -> str:
    """SQLAlchemy URI of the warehouse as the role that sees schema ``serving`` only (password included)."""
    return warehouse.url("bi_reader", settings).replace("postgresql://", "postgresql+psycopg2://", 1)


def _of_kind(assets: Assets, kind: str) -> Assets:
    return {path: content for path, content in assets.items() if bundle.kind_of(path) == kind}


def _file_name(kind: str, content: Asset) -> str:
    """File name of an asset that was made in Superset: its slug, table or title, in plain ASCII."""
    title = {"dashboards": "slug", "datasets": "table_name", "charts": "slice_name", "databases": "database_name"}[kind]
    plain = unicodedata.normalize("NFD", content[title].lower().replace("đ", "d")).encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")
    return name if kind == "dashboards" else f"new/{name}_{content['uuid'][:8]}" if kind == "charts" else name
