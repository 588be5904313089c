"""A thirteenth domain is a folder: laid out here in a temporary place and loaded without touching shared code."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

import extractors
from extractors.core.pipeline import extract
from ioc import warehouse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ioc.settings import Settings

_ENTITIES = """
from extractors.core.entities import Column, Entity

ENTITIES = (
    Entity(
        "lamp",
        (Column("lamp_code", "text"), Column("is_lit", "boolean"), Column("payload", "jsonb")),
        hash_columns=("lamp_code", "is_lit"),
        comment="One street lamp.",
    ),
    Entity("district", (Column("name", "text"),), hash_columns=("name",)),
)
"""
_SOURCE = """
import json
from extractors.core.formats import Parsed, Reject, copy_field

class Lamps:
    suffixes = (".json",)

    def file_time(self, path):
        return None

    def parse(self, data, file):
        lamps, districts = Parsed("lamp"), Parsed("district")
        for row, record in enumerate(json.loads(data), 1):
            if "code" not in record:
                lamps.rejects.append(Reject(row, json.dumps(record), "no_code", "the lamp has no code"))
                continue
            fields = (record["code"], "t" if record["lit"] else "f", json.dumps(record))
            lamps.copy += f"{file.file_no}\\t{row}\\t" + "\\t".join(map(copy_field, fields)) + "\\n"
            lamps.rows += 1
            districts.copy += f"{file.file_no}\\t{row}\\t{copy_field(record['district'])}\\n"
            districts.rows += 1
        yield lamps
        yield districts

def format_for(mapping):
    return Lamps()
"""


@pytest.fixture
def street_lights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    package = tmp_path / "rooms" / "street_lights"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "entities.py").write_text(_ENTITIES)
    (package / "source.py").write_text(_SOURCE)
    monkeypatch.setattr(extractors, "__path__", [*extractors.__path__, str(package.parent)])
    yield "street_lights"
    for name in [name for name in sys.modules if name.startswith("extractors.street_lights")]:
        del sys.modules[name]


def test_a_new_folder_is_a_new_domain(settings: Settings, street_lights: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "lamps.json").write_text(
        '[{"code": "L1", "lit": true, "district": "Hạc Thành"},'
        ' {"code": "L2", "lit": false, "district": "Hạc Thành"}, {"x": "\\\\"}]'
    )
    report = extract(street_lights, source_uris=[f"file://{source}"])
    # Two lamps in the same district: the district is one row, its second mention a duplicate.
    assert (report.read, report.loaded, report.duplicate, report.rejected) == (5, 3, 1, 1)
    with warehouse.connect("transformer", settings) as connection:
        lamps = connection.execute(
            "select lamp_code, is_lit, payload ->> 'district' from raw_street_lights.lamp order by 1"
        ).fetchall()
    assert lamps == [("L1", True, "Hạc Thành"), ("L2", False, "Hạc Thành")]
    assert extract(street_lights, source_uris=[f"file://{source}"]).files == 0
