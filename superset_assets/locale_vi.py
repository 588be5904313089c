"""The Vietnamese language pack, which Superset does not ship: one ``translations/vi.po`` for browser and server.

Runs in Superset's own environment.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask import jsonify, request

if TYPE_CHECKING:
    from babel.messages.catalog import Catalog
    from flask import Flask, Response

_SOURCE = Path(__file__).resolve().parent / "translations" / "vi.po"
_BROWSER_PATH = "/superset/language_pack/vi/"


def catalog() -> Catalog:
    """The translations as Babel reads them."""
    with _SOURCE.open("rb") as file:
        return read_po(file, locale="vi")


def compile_backend(home: Path) -> Path:
    """Write the binary catalogue of the server's own messages below ``home``.

    Returns:
        The folder to list among Babel's translation directories.
    """
    folder = home / "translations" / "vi" / "LC_MESSAGES"
    folder.mkdir(parents=True, exist_ok=True)
    # Several workers start at once: each writes its own file and renames it into place.
    temporary = folder / f"messages.{os.getpid()}.new"
    with temporary.open("wb") as file:
        write_mo(file, catalog())
    temporary.replace(folder / "messages.mo")
    return home / "translations"


def browser_pack() -> dict[str, Any]:
    """The pack in the form that Superset's pages load (Jed)."""
    strings: dict[str, Any] = {"": {"domain": "superset", "plural_forms": "nplurals=1; plural=0;", "lang": "vi"}}
    for message in catalog():
        if not message.id:
            continue
        singular = message.id[0] if isinstance(message.id, tuple) else message.id
        texts = message.string if isinstance(message.string, tuple) else (message.string,)
        if all(texts):
            strings[singular] = list(texts)
    return {"domain": "superset", "locale_data": {"superset": strings}}


def install(app: Flask) -> None:
    """Serve the pack to everybody.

    Superset reads packs from its own package folder and only for roles that may; the embedded page asks for it before
    it has a guest token, gets a login page and falls back to English. The pack holds no data, so it is public here.
    """
    pack = browser_pack()

    @app.before_request
    def _language_pack() -> Response | None:
        if request.path != _BROWSER_PATH:
            return None
        response = jsonify(pack)
        response.cache_control.public = True
        response.cache_control.max_age = 3600
        return response
