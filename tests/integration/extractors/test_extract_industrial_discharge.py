"""Industrial discharge against the suite of formats, and the habits of its loggers.

Format, table and pipeline are those of air quality, whose test class goes through deaths and cut-offs of the pipeline.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar

import pytest
from extractor_conformance import FormatConformance

from extractors.core.errors import Fatal
from extractors.core.pipeline import extract

if TYPE_CHECKING:
    from pathlib import Path

    from ioc.settings import Settings

_NAMES = ("Flow", "pH", "COD", "NH4")


class TestStationFiles(FormatConformance):
    domain: ClassVar[str] = "industrial_discharge"

    @staticmethod
    def _lines(number: int) -> list[str]:
        at = f"20260131{18 + number:02d}0000"
        return [f"{name}\t{number * 10 + index}.5\tmg/l\t{at}\t00\r\n" for index, name in enumerate(_NAMES)]

    @staticmethod
    def _path(folder: Path, number: int) -> Path:
        return folder / f"NT-01/2026/01/31/NT-01_20260131{18 + number:02d}0000.txt"

    def write_files(self, folder: Path, first: int, count: int) -> int:
        for number in range(first, first + count):
            path = self._path(folder, number)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(self._lines(number)), newline="")
        return count * len(_NAMES)

    def correct(self, folder: Path, number: int) -> int:
        changed = self._lines(number)
        changed[0] = changed[0].replace("0.5\t", "0.75\t")
        path = self._path(folder, number)
        path.with_stem(f"{path.stem}_resend").write_text("".join(changed), newline="")
        return len(changed)

    def half(self, folder: Path, number: int) -> tuple[int, int]:
        path = self._path(folder, number)
        path.write_bytes(path.read_bytes()[:-14])
        return (number + 1) * len(_NAMES) - 1, 1

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
