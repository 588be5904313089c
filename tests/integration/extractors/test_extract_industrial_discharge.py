"""Industrial discharge against the suite of formats, and the habits of its loggers.

Format, table and pipeline are those of air quality, whose test class goes through deaths and cut-offs of the pipeline.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar

import pytest
from extractor_conformance import FormatConformance, Tt10Files

from extractors.core.errors import Fatal
from extractors.core.pipeline import extract

if TYPE_CHECKING:
    from pathlib import Path

    from ioc.settings import Settings

_NAMES = ("Flow", "pH", "COD", "NH4")


class TestStationFiles(Tt10Files, FormatConformance):
    domain: ClassVar[str] = "industrial_discharge"
    station: ClassVar[str] = "NT-01"
    names: ClassVar[tuple[str, ...]] = _NAMES
    unit: ClassVar[str] = "mg/l"

    def test_names_and_signs_of_loggers_become_the_circulars_symbols(self, settings: Settings, source: Path) -> None:
        (source / "NT-09_20260131180000.txt").write_bytes(
            "Lưu lượng\t5,25\tl/s\t20260131180000\t00\r\nAmoni\t---\tmg/l\t20260131180000\t02\r\n"
            "N-NH4\t2,1\tmg/L\t20260131180500\t0\r\nBụi\t25\tmg/Nm3\t20260131180000\t01\r\n".encode("utf-8-sig")
        )
        self.load(source)
        values = {(row[1], row[6]): (row[3] and Decimal(row[3]), row[7]) for row in self.rows(settings)}
        first, second = "2026-01-31 18:00:00+07", "2026-01-31 18:05:00+07"
        assert values == {
            ("Flow", first): (Decimal("5.25"), "00"),
            ("NH4", first): (None, "02"),
            ("NH4", second): (Decimal("2.1"), "00"),
            ("PM", first): (Decimal(25), "01"),
        }

    def test_a_mapping_is_refused_with_what_the_stations_send(self, settings: Settings, source: Path) -> None:
        with pytest.raises(Fatal, match="TT 10/2021"):
            extract("industrial_discharge", source_uris=[f"file://{source}#series"], settings=settings)
