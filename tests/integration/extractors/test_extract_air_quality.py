"""The air quality extractor, in both of its formats, against the suite that every domain inherits."""

from __future__ import annotations

import random
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

import pytest
from extractor_conformance import ExtractorConformance, FormatConformance, Tt10Files

from extractors.core.formats.text import VIETNAM
from extractors.core.formats.tt10 import Tt10Format
from extractors.core.pipeline import extract
from ioc import warehouse
from ioc.settings import PROJECT_ROOT, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from extractors.core.formats import Parsed, SourceFile

_NAMES = ("PM2.5", "PM10", "O3", "CO")


class TestStationFiles(Tt10Files, ExtractorConformance):
    domain: ClassVar[str] = "air_quality"
    station: ClassVar[str] = "TH-01"
    names: ClassVar[tuple[str, ...]] = _NAMES
    unit: ClassVar[str] = "ug/m3"

    def test_rejects_keep_their_text_and_reason(self, settings: Settings, source: Path) -> None:
        (source / "TH-09_20260131180000.txt").write_bytes(
            b"O3\t1\tppb\t20260131180000\t00\nO3\t<1\tppb\t20260131180000\t00\nb\x00d \xff line\n"
        )
        report = self.load(source)
        assert (report.read, report.loaded, report.rejected) == (3, 1, 2)
        rejects = self.ledger(settings, "source_row, reason_code, raw_text", "rejected_row", "source_row")
        assert [row[:2] for row in rejects] == [(2, "bad_value"), (3, "no_timestamp")]
        assert rejects[1][2].startswith("b␀d ")

    def test_hostile_content_is_counted_and_stops_nothing(self, settings: Settings, source: Path) -> None:
        generator = random.Random(36)
        line = "PM2.5\t1\tµg/m3\t20260131180000\t00\n"
        for number in range(40):
            noise = generator.randbytes(generator.randrange(200))
            encoding = ("utf-8", "utf-16", "cp1258")[number % 3]
            text = line.encode() * generator.randrange(3) + noise + line.encode(encoding)
            (source / f"N{number}_20260131180000.txt").write_bytes(text)
        (source / "TH-1_20260131180000.txt").write_bytes(line.encode() + b"x" * 1_000_000)
        report = self.load(source)
        assert report.files == 41
        assert report.read == report.loaded + report.duplicate + report.rejected > 41
        assert len(self.rows(settings)) == report.loaded
        longest = self.ledger(settings, "max(length(raw_text))", "rejected_row")[0][0]
        assert longest < 11_000

    def test_a_fault_of_the_parser_is_counted_and_stops_nothing(
        self, settings: Settings, source: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.write_files(source, 0, 2)
        (source / "TH-BAD_20260131180000.txt").write_text("x")
        parse = Tt10Format.parse

        def faulty(self: Tt10Format, data: bytes, file: SourceFile) -> Iterator[Parsed]:
            if "BAD" in file.path:
                raise IndexError("planted")
            return parse(self, data, file)

        monkeypatch.setattr(Tt10Format, "parse", faulty)
        report = self.load(source)
        assert (report.files, report.loaded, report.rejected) == (3, 8, 1)
        assert self.ledger(settings, "reason_code", "rejected_row") == [("parser_failed",)]

    def test_a_long_load_is_committed_in_batches(
        self, settings: Settings, source: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        expected = self.write_files(source, 0, 5)
        monkeypatch.setenv("IOC_EXTRACT_BATCH_FILES", "2")
        report = self.load(source)
        assert (report.batches, report.files, report.loaded) == (3, 5, expected)
        counts = self.ledger(settings, "file_count, loaded_count", "load_batch", "batch_id")
        assert counts == [(2, 8), (2, 8), (1, 4)]

    @pytest.mark.usefixtures("settings")
    def test_since_and_until_look_at_the_time_in_the_name(self, source: Path) -> None:
        since, until = (datetime(2026, 1, 31, hour, tzinfo=VIETNAM) for hour in (19, 21))
        self.write_files(source, 0, 5)
        assert self.load(source, since=since, until=until).files == 2
        assert self.load(source, until=datetime(2026, 1, 31, 19)).files == 1
        assert self.load(source, mode="backfill").files == 2


class TestEmbassySeries(FormatConformance):
    domain: ClassVar[str] = "air_quality"
    fragment: ClassVar[str] = "#us_embassy"
    header: ClassVar[str] = "Parameter,Date (LT),Raw Conc.,Conc. Unit,QC Name\r\n"

    def _records(self, number: int) -> list[str]:
        return [
            f"PM2.5 - Principal,2017-01-{number + 1:02d} {hour:02d}:00 AM,{number}{hour}.5,UG/M3,Valid\r\n"
            for hour in range(1, 12)
        ]

    def write_files(self, folder: Path, first: int, count: int) -> int:
        for number in range(first, first + count):
            (folder / f"day-{number}.csv").write_text(self.header + "".join(self._records(number)), newline="")
        return count * 11

    def correct(self, folder: Path, number: int) -> int:
        changed = self._records(number)
        changed[3] = changed[3].replace(".5,", ".6,")
        (folder / f"day-{number}-corrected.csv").write_text(self.header + "".join(changed), newline="")
        return 11

    def half(self, folder: Path, number: int) -> tuple[int, int]:
        path = folder / f"day-{number}.csv"
        path.write_bytes(path.read_bytes()[:-9])
        return (number + 1) * 11 - 1, 1

    def test_a_changed_table_is_refused_as_a_whole_and_counted(self, settings: Settings, source: Path) -> None:
        (source / "new.csv").write_text("Moment,Value\r\n2017,1\r\n")
        report = self.load(source)
        assert (report.read, report.rejected) == (1, 1)
        assert self.ledger(settings, "outcome", "landed_file") == [("unreadable",)]
        ((code, reason),) = self.ledger(settings, "reason_code, reason", "rejected_row")
        assert code == "missing_column"
        assert "Raw Conc." in reason

    def test_the_real_series(self, settings: Settings) -> None:
        path = PROJECT_ROOT / "sandbox/air_quality/real/hanoi_us_embassy_pm25_2017.csv"
        report = extract("air_quality", source_uris=[f"file://{path}#us_embassy"])
        assert (report.read, report.loaded, report.rejected) == (2880, 2880, 0)
        with warehouse.connect("transformer", settings) as connection:
            months = connection.execute("select count(distinct tableoid) from raw_air_quality.reading").fetchone()
        assert months == (5,)
