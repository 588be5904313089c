"""Store in every chart the queries that a browser really asks for.

    python -m superset_assets.capture [PATH PREFIX]

A guest who asks for anything but the stored queries of a chart is refused, and what a chart asks for is decided by
Superset's pages in the browser. So this opens every chart of the running Superset in Chromium, signed in as admin,
takes the request that the page sends, and writes it into the chart's file. (Saving a chart in Superset's editor and
``ioc superset pull`` do the same for one chart.) A map without tiles is the one chart that the editor will not draw:
what a dashboard asks for it is written by hand.
"""

from __future__ import annotations

import json
import shutil
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ioc.secrets import Secrets
from ioc.settings import Settings, get_settings
from superset_assets import bundle, sync

if TYPE_CHECKING:
    from playwright.sync_api import Page

_DATA = "/api/v1/chart/data"


def capture(prefix: str = "charts/", settings: Settings | None = None) -> list[str]:
    """Import the assets as they are, then fill in the stored queries of the charts whose path starts with ``prefix``.

    Returns:
        The paths whose file changed.

    Raises:
        RuntimeError: a chart asked for nothing, or its query failed; the message names it.
    """
    from playwright.sync_api import sync_playwright

    settings = settings or get_settings()
    assets = bundle.read()
    client = sync.client_of(settings)
    client.import_assets(bundle.pack(assets, sync.warehouse_uri(settings)))
    ids = client.chart_ids()
    failed = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("google-chrome"),
            args=["--no-sandbox", "--enable-unsafe-swiftshader", "--use-angle=swiftshader"],
        )
        page = browser.new_page(viewport={"width": 1200, "height": 800})
        _sign_in(page, client.url, Secrets.of(settings).get("superset_admin"))
        for path, content in assets.items():
            if path.startswith(prefix) and bundle.kind_of(path) == "charts":
                address = (
                    f"{client.url}/explore/?form_data={quote(json.dumps(_form_data(ids[content['uuid']], content)))}"
                )
                try:
                    content["query_context"] = json.dumps(_queries(page, address, ids[content["uuid"]]))
                except RuntimeError as error:
                    failed.append(f"{path}: {error}")
        browser.close()
    changed = bundle.write(assets)
    if failed:
        raise RuntimeError("; ".join(failed))
    return changed


def _sign_in(page: Page, url: str, password: str) -> None:
    page.goto(f"{url}/login/")
    page.fill("input[name=username], input[data-test=username-input]", "admin")
    page.fill("input[name=password], input[data-test=password-input]", password)
    page.press("input[type=password]", "Enter")
    page.wait_for_url(lambda address: "/login" not in address)


def _form_data(chart_id: int, content: bundle.Asset) -> dict[str, Any]:
    """What the editor is asked to open: the chart as stored."""
    form_data: dict[str, Any] = {"slice_id": chart_id}
    if "mapbox_style" in content["params"]:
        # The editor insists on a map from the internet, dashboards do not; the queries are the same.
        form_data["mapbox_style"] = "mapbox://styles/mapbox/light-v9"
    return form_data


def _queries(page: Page, address: str, chart_id: int) -> dict[str, Any]:
    from playwright.sync_api import Error as PlaywrightError
    from playwright.sync_api import Response

    def of_this_chart(answer: Response) -> bool:
        # On a busy machine the chart before may still be asking.
        asked = (answer.request.post_data_json or {}) if _DATA in answer.url else {}
        return bool((asked.get("form_data") or {}).get("slice_id") == chart_id)

    try:
        with page.expect_response(of_this_chart, timeout=60_000) as caught:
            page.goto(address, wait_until="domcontentloaded")
        answer = caught.value
    except PlaywrightError as error:
        raise RuntimeError(f"the chart's page asked for no data: {error}") from error
    if not answer.ok:
        raise RuntimeError(f"{answer.status}: {answer.text()[:500]}")
    context: dict[str, Any] = answer.request.post_data_json or {}
    for query in context["queries"]:
        # Values of the moment, not of the chart.
        query.pop("custom_params", None)
        query.pop("custom_form_data", None)
    return context


def main() -> None:
    """Capture the charts whose path starts with the first argument (default: all)."""
    print("\n".join(capture(sys.argv[1] if len(sys.argv) > 1 else "charts/")) or "nothing to change")


if __name__ == "__main__":
    main()
