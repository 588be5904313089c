"""Superset's REST API as far as the tools here need it."""

from __future__ import annotations

import json
from typing import Any

import requests


class SupersetUnreachableError(Exception):
    """Superset does not answer; the message says how to go on."""


class SupersetRefusedError(Exception):
    """Superset answered with an error; the message carries what it said."""


class SupersetClient:
    """A signed-in session.

    Args:
        url: Address of Superset, without a path.
        username: Account that may import assets.
        password: Its password.

    Raises:
        SupersetUnreachableError: nothing answers at ``url``.
        SupersetRefusedError: the login is refused.
    """

    def __init__(self, url: str, username: str, password: str) -> None:
        self.url = url.rstrip("/")
        self._session = requests.Session()
        answer = self._send(
            "POST",
            "/api/v1/security/login",
            json={"username": username, "password": password, "provider": "db", "refresh": False},
        )
        self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        # Writing needs a token that belongs to the session's cookie, and a referrer from the same host.
        token = self._send("GET", "/api/v1/security/csrf_token/").json()["result"]
        self._session.headers.update({"X-CSRFToken": token, "Referer": self.url})

    def _send(self, method: str, path: str, **arguments: Any) -> requests.Response:
        try:
            answer = self._session.request(method, self.url + path, timeout=(10, 180), **arguments)
        except requests.RequestException as error:
            raise SupersetUnreachableError(
                f"Superset does not answer at {self.url} ({type(error).__name__}): start it with 'ioc up'"
            ) from error
        if not answer.ok:
            raise SupersetRefusedError(f"Superset answered {answer.status_code} to {method} {path}: {_reason(answer)}")
        return answer

    def get(self, path: str) -> Any:
        return self._send("GET", path).json()

    def post(self, path: str, body: Any) -> Any:
        return self._send("POST", path, json=body).json()

    def put(self, path: str, body: Any) -> Any:
        return self._send("PUT", path, json=body).json()

    def import_assets(self, archive: bytes) -> None:
        """Overwrite the assets in ``archive``; one transaction on the side of Superset."""
        self._send(
            "POST", "/api/v1/assets/import/", files={"bundle": ("assets.zip", archive, "application/zip")},
        )  # fmt: skip

    def export_assets(self) -> bytes:
        """Archive with every database, dataset, chart and dashboard."""
        return self._send("GET", "/api/v1/assets/export/").content

    def charts_of(self, dashboard: str) -> set[int]:
        """Ids of the charts that belong to the dashboard with this slug."""
        return {chart["id"] for chart in self.get(f"/api/v1/dashboard/{dashboard}/charts")["result"]}

    def chart_ids(self) -> dict[str, int]:
        """UUID → id of every chart."""
        return {str(row["uuid"]): row["id"] for row in self._list("chart", "id,uuid")}

    def dataset_ids(self) -> dict[str, int]:
        """Table name → id of every dataset in schema ``serving``."""
        rows = self._list("dataset", "id,table_name,schema")
        return {row["table_name"]: row["id"] for row in rows if row["schema"] == "serving"}

    def _list(self, kind: str, columns: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        page = 0
        while True:
            rows = self.get(f"/api/v1/{kind}/?q=(columns:!({columns}),page:{page},page_size:100)")["result"]
            found += rows
            if len(rows) < 100:
                return found
            page += 1

    def allow_embedding(self, dashboard: str, origins: list[str]) -> str:
        """Let pages of ``origins`` embed the dashboard with this slug.

        Returns:
            The UUID under which it is embedded; stable for the life of Superset's database.
        """
        return str(self.post(f"/api/v1/dashboard/{dashboard}/embedded", {"allowed_domains": origins})["result"]["uuid"])


def _reason(answer: requests.Response) -> str:
    try:
        body = answer.json()
    except ValueError:
        return answer.text[:300]
    errors = [
        f"{error.get('message', '')} {json.dumps(error.get('extra') or {}, ensure_ascii=False)[:600]}"
        for error in body.get("errors", [])
    ]
    return "; ".join(errors) or str(body.get("message", body))[:600]
