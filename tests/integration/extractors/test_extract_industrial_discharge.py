"""Industrial discharge against the suite of formats, and the habits of its loggers."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar

import pytest
from extractor_conformance import FormatConformance, Tt10Files

from extractors.core.errors import Fatal
from extractors.core.formats.tt10 import READING, Tt10Format
from extractors.core.pipeline import extract
from extractors.core.registry import entities_of, format_of

if TYPE_CHECKING:
    from pathlib import Path

    from ioc.settings import Settings

_NAMES = ("Flow", "pH", "COD", "NH4")


class TestStationFiles(Tt10Files, FormatConformance):
    """The part of the suite that depends on the format.

    The rest (deaths, cut-offs, a full disk, two extractions at once) is about the pipeline, and there is nothing of
    this domain in it: format and table are the ``Tt10Format`` and ``READING`` that air quality uses, and its
    ``TestStationFiles`` goes through all of it. :meth:`test_the_pipeline_of_air_quality_is_this_one` holds that.
    """

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

    def test_the_pipeline_of_air_quality_is_this_one(self) -> None:
        assert {type(format_of(domain, None)) for domain in ("industrial_discharge", "air_quality")} == {Tt10Format}
        assert entities_of("industrial_discharge") == entities_of("air_quality") == (READING,)

    def test_a_mapping_is_refused_with_what_the_stations_send(self, settings: Settings, source: Path) -> None:
        with pytest.raises(Fatal, match="TT 10/2021"):
            extract("industrial_discharge", source_uris=[f"file://{source}#series"], settings=settings)
