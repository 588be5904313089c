"""Series described by a mapping: the embassy file, other tables, workbooks, and whatever else comes instead."""

from __future__ import annotations

import io
import itertools
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from extractors.air_quality.source import format_for
from extractors.core.errors import Fatal, Skippable
from extractors.core.formats import Format, SourceFile
from extractors.core.formats.series import Mapping, Series, SeriesFormat
from extractors.core.formats.text import VIETNAM
from extractors.core.formats.tt10 import READING

LATEST = datetime(2026, 11, 22, 12, tzinfo=VIETNAM)
EMBASSY = Path(__file__).parents[3] / "sandbox" / "air_quality" / "real" / "hanoi_us_embassy_pm25_2017.csv"
HEADER = (
    "Site,Parameter,Date (LT),Year,Month,Day,Hour,NowCast Conc.,AQI,AQI Category,"
    "Raw Conc.,Conc. Unit,Duration,QC Name\r\n"
)


def parse(parser: Format, data: bytes) -> tuple[list[list[str]], list[tuple[int, str]]]:
    parts = list(parser.parse(data, SourceFile("series.csv", 1, LATEST)))
    rows = [line.split("\t")[1:] for part in parts for line in part.copy.split("\n")[:-1]]
    assert len(rows) == sum(part.rows for part in parts)
    return rows, [(reject.source_row or 0, reject.code) for part in parts for reject in part.rejects]


def test_the_embassy_series_becomes_one_row_per_hour_labelled_by_its_end() -> None:
    rows, rejects = parse(format_for("us_embassy"), EMBASSY.read_bytes())
    assert (len(rows), rejects) == (2880, [])
    assert rows[0] == [
        "2", "VN-HN-USEMB", "PM2.5", "PM2.5 - Principal", "179.0", "179.0", "UG/M3", "2017-01-01T01:00:00+07:00", "00",
    ]  # fmt: skip
    # 12:00 AM is midnight, the end of the last hour; the 120 days are covered.
    assert rows[-1][7] == "2017-05-01T00:00:00+07:00"
    moments = [datetime.fromisoformat(row[7]) for row in rows]
    uneven = [str(b) for a, b in itertools.pairwise(moments) if (b - a).total_seconds() != 3600]
    # The exporting program's own daylight saving: 02:00 of 12 March is labelled 03:00. Raw keeps what was sent.
    assert uneven == ["2017-03-12 03:00:00+07:00"] * 2
    without_value = [row for row in rows if row[4] == "\\N"]
    assert {row[5] for row in without_value} == {"-999.0"}
    assert {row[8] for row in without_value} == {"02"}
    assert sum(row[8] == "02" for row in rows) == 107


def test_an_invalid_hour_keeps_its_value_and_says_so() -> None:
    line = "Hanoi,PM2.5 - Principal,2017-01-01 01:00 PM,2017,01,01,13,1,1,Good,12.5,UG/M3,1 Hr,Invalid\r\n"
    rows, rejects = parse(format_for("us_embassy"), (HEADER + line).encode())
    assert (rows[0][4], rows[0][7], rows[0][8], rejects) == ("12.5", "2017-01-01T13:00:00+07:00", "02", [])


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("Hanoi,PM2.5 - Principal,2017-01-01 13:00 PM,,,,,1,1,Good,12.5,UG/M3,1 Hr,Valid\r\n", "bad_timestamp"),
        ("Hanoi,PM2.5 - Principal,2027-01-01 01:00 PM,,,,,1,1,Good,12.5,UG/M3,1 Hr,Valid\r\n", "future_timestamp"),
        ("Hanoi,PM2.5 - Principal,2017-01-01 01:00 PM,,,,,1,1,Good,x,UG/M3,1 Hr,Valid\r\n", "bad_value"),
        ("Hanoi,,2017-01-01 01:00 PM,,,,,1,1,Good,1,UG/M3,1 Hr,Valid\r\n", "no_parameter"),
        ("Hanoi,PM2.5 - Principal,2017-01-01 01:00 PM,,,,,1,1,Go", "truncated"),
    ],
)
def test_refused_records(line: str, code: str) -> None:
    assert parse(format_for("us_embassy"), (HEADER + line).encode()) == ([], [(2, code)])


def test_another_table_is_refused_by_name_of_what_it_lacks() -> None:
    with pytest.raises(Skippable, match=r"lacks the column\(s\) Conc\. Unit, Raw Conc\."):
        parse(format_for("us_embassy"), HEADER.replace("Conc.", "Konz.").encode() + b"x\r\n")


def test_a_new_column_is_let_in() -> None:
    line = "Hanoi,PM2.5 - Principal,2017-01-01 01:00 AM,2017,01,01,1,1,1,Good,12.5,UG/M3,1 Hr,Valid,new\r\n"
    rows, rejects = parse(format_for("us_embassy"), HEADER.replace("QC Name", "QC Name,Extra").encode() + line.encode())
    assert (len(rows), rejects) == (1, [])


WIDE = Mapping(
    kind="workbook",
    station_column="Trạm",
    stations={"Trạm 1": "TH-01"},
    moment_column="Thời gian",
    label="start",
    period_minutes=60,
    header_row=2,
    series=(Series("PM2.5 (µg/m³)", parameter="PM2.5", unit="µg/m3"), Series("CO", parameter="CO", unit="mg/m3")),
)


def workbook(*records: tuple[object, ...]) -> bytes:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["Bảng số liệu"])
    sheet.append(["Trạm", "Thời gian", "PM2.5 (µg/m³)", "CO"])
    for record in records:
        sheet.append(list(record))
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def test_a_wide_workbook_labelled_by_the_beginning() -> None:
    data = workbook(("Trạm 1", datetime(2026, 1, 31, 23), 35.25, None), (), ("TH-02", "2026-02-01 00:00:00", "7,5", 2))
    rows, rejects = parse(SeriesFormat(READING, WIDE), data)
    assert rejects == []
    assert [[row[1], row[2], row[4], row[6], row[7]] for row in rows] == [
        ["TH-01", "PM2.5", "35.25", "µg/m3", "2026-02-01T00:00:00+07:00"],
        ["TH-01", "CO", "\\N", "mg/m3", "2026-02-01T00:00:00+07:00"],
        ["TH-02", "PM2.5", "7.5", "µg/m3", "2026-02-01T01:00:00+07:00"],
        ["TH-02", "CO", "2", "mg/m3", "2026-02-01T01:00:00+07:00"],
    ]


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9])
def test_half_a_workbook_is_unreadable_and_nothing_worse(keep: float) -> None:
    data = workbook(*[("Trạm 1", datetime(2026, 1, 1), 1, 1)] * 50)
    with pytest.raises(Skippable, match="no readable workbook"):
        parse(SeriesFormat(READING, WIDE), data[: int(len(data) * keep)])


@pytest.mark.parametrize("name", ["no_such", "../formats/us_embassy", "/etc/passwd"])
def test_unknown_mapping_names_the_known_ones(name: str) -> None:
    with pytest.raises(Fatal, match=r"known: us_embassy"):
        format_for(name)


def test_a_mapping_with_a_slip_says_which(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text('kind = "delimited"\nstation = "x"\nmoment_colum = "t"\n')
    with pytest.raises(Fatal, match="moment_colum"):
        SeriesFormat.load(READING, tmp_path, "bad")


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=300),
        st.lists(st.text(alphabet='Hanoi,"\r\n2017-01 :AMP.5é\x00\t\\', max_size=60), max_size=6).map(
            lambda lines: (HEADER + "\r\n".join(lines)).encode()
        ),
    )
)
def test_any_bytes_are_rows_or_rejects_or_refused_as_a_whole(data: bytes) -> None:
    for parser in (format_for("us_embassy"), SeriesFormat(READING, WIDE)):
        try:
            rows, _ = parse(parser, data)
        except Skippable:
            continue
        assert all(len(row) == 9 for row in rows)
