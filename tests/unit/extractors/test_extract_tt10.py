"""TT 10/2021 files: every quirk that loggers are known for, and properties that hold for any bytes."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from extractors.core.formats import Parsed, SourceFile
from extractors.core.formats.parameters import symbol
from extractors.core.formats.text import VIETNAM, decode
from extractors.core.formats.tt10 import READING, Tt10Format

LATEST = datetime(2026, 11, 22, 12, tzinfo=VIETNAM)
PATH = "TH-AQ-01/2026/11/22/TH-AQ-01_20261122070000.txt"
AT = "20261122070000"


def parse(data: bytes, path: str = PATH, *, fast: bool = True) -> tuple[list[list[str]], list[tuple[int, str]]]:
    """Columns of the rows (source row first, then as in the table) and (source row, code) of the rejects."""
    parts = list(Tt10Format(READING, fast=fast).parse(data, SourceFile(path, 7, LATEST)))
    text = "".join(part.copy for part in parts)
    rows = [line.split("\t") for line in text.split("\n")[:-1]]
    assert len(rows) == sum(part.rows for part in parts)
    assert all(row[0] == "7" for row in rows)
    rejects = [(reject.source_row or 0, reject.code) for part in parts for reject in part.rejects]
    return [row[1:] for row in rows], rejects


def one(line: str, *, encoding: str = "utf-8") -> list[str]:
    """The only row of a file with this only line: parameter, name, value, value as sent, unit, moment, status."""
    rows, rejects = parse((line + "\r\n").encode(encoding))
    assert not rejects
    (row,) = rows
    assert row[:2] == ["1", "TH-AQ-01"]
    return row[2:]


WHEN = "2026-11-22T07:00:00+07:00"
EXPECTED = ["PM2.5", "PM2,5", "35.2", "35,2", "µg/m3", WHEN, "00"]


@pytest.mark.parametrize(
    "line",
    [
        f"PM2,5\t35,2\tµg/m3\t{AT}\t00",
        f"PM2,5;35,2;µg/m3;{AT};00",
        f"PM2,5;35,2;µg/m3;{AT};0",
        f"PM2,5,35,2,µg/m3,{AT},00",
        f"PM2,5  35,2  µg/m3  {AT}  00",
        f"PM2,5   35,2 \t µg/m3\t{AT}\t".replace(" \t ", "   ").replace("\t", "   ") + "00",
        f"PM2,5 35,2 µg/m3 {AT} 00",
        f" PM2,5 \t 35,2 \t µg/m3 \t {AT} \t 00 ",
        f"PM2,5\t35,2\tµg/m3\t{AT}\t",
        f"PM2,5\t35,2\tµg/m3\t{AT}",
        f"PM2,5\t35,2\tµg/m3\t{AT}\t00\tTH01\t12.7V",
        "PM2,5;35,2;µg/m3;2026-11-22 07:00:00;00",
        "PM2,5\t35,2\tµg/m3\t22/11/2026 07:00:00\t00",
        f'"PM2,5";"35,2";"µg/m3";"{AT}";"00"',
    ],
)
def test_separators_status_and_extra_columns(line: str) -> None:
    assert one(line) == EXPECTED


@pytest.mark.parametrize(
    ("line", "parameter", "name", "value", "unit"),
    [
        (f"PM2.5,35.2,ug/m3,{AT},00", "PM2.5", "PM2.5", "35.2", "ug/m3"),
        (f"PM10,35,2,ug/m3,{AT},00", "PM10", "PM10", "35.2", "ug/m3"),
        (f"PM2,5,35,ug/m3,{AT},00", "PM2.5", "PM2,5", "35", "ug/m3"),
        (f"PM10,35,2,,{AT},00", "PM10", "PM10", "35.2", ""),
        (f"PM2,5,,ug/m3,{AT},00", "PM2.5", "PM2,5", "\\N", "ug/m3"),
        (f"PM10,35,{AT},00", "PM10", "PM10", "35", ""),
        (f"Nhiệt độ 31,5 °C {AT} 00", "Temp", "Nhiệt độ", "31.5", "°C"),
        (f"NO,2,ppb,{AT},00", "NO", "NO", "2", "ppb"),
        (f"NO,2,5,ppb,{AT},00", "NO", "NO", "2.5", "ppb"),
        (f"NO 2 ppb {AT} 00", "NO", "NO", "2", "ppb"),
        (f"CO,  2,5,  mg/m3, {AT}, 00", "CO", "CO", "2.5", "mg/m3"),
    ],
)
def test_comma_is_separator_decimal_sign_and_part_of_a_name(
    line: str, parameter: str, name: str, value: str, unit: str
) -> None:
    row = one(line)
    assert (row[0], row[1], row[2], row[4]) == (parameter, name, value, unit)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("PM2.5 PM2,5 PM25 PM-2-5 pm2_5 PM_2.5 Bụi_PM2.5", "PM2.5"),
        ("PM10 PM-10 pm10", "PM10"),
        ("PM1.0 PM1 PM-1-0 PM1,0", "PM1"),
        ("Nhietdo Nhiệtđộ Temp TEMP Temperature", "Temp"),
        ("NH4 NH4+ Amoni N-NH4 NH4-N", "NH4"),
        ("Doam Độẩm RH Humidity", "RH"),
        ("CO CO(mg/Nm3) CO[ppb]", "CO"),
        ("NOx NOX nox", "NOx"),
        ("Cl Cl- Clorua", "Cl"),
        ("pH PH ĐộpH", "pH"),
    ],
)
def test_names_of_parameters(names: str, expected: str) -> None:
    assert {symbol(name) for name in names.split()} == {expected}


def test_unknown_parameter_is_kept_as_sent() -> None:
    assert one(f"Xyl-7\t1\tppb\t{AT}\t00")[:2] == ["Xyl-7", "Xyl-7"]


@pytest.mark.parametrize("sent", ["", "NaN", "nan", "---", "-9999", "-9999.0", "-999", "-999,00", "NULL", "Missing"])
def test_signs_for_no_value_give_a_row_without_value(sent: str) -> None:
    row = one(f"SO2\t{sent}\tug/m3\t{AT}\t02")
    assert (row[2], row[3], row[6]) == ("\\N", sent, "02")


@pytest.mark.parametrize(
    ("sent", "value"),
    [
        ("1.234,5", "1234.5"),
        ("1,234.5", "1234.5"),
        ("1.234.567", "1234567"),
        ("-0,5", "-0.5"),
        ("+3", "3"),
        ("1e3", "1000"),
        (".5", "0.5"),
        ("5.", "5"),
        ("-12.30", "-12.30"),
    ],
)
def test_numbers(sent: str, value: str) -> None:
    assert one(f"Temp\t{sent}\toC\t{AT}\t00")[2] == value


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ("00", "00"),
        ("0", "00"),
        ("1", "01"),
        ("02", "02"),
        ("", "00"),
        ("Hiệu chuẩn", "01"),
        ("Báo lỗi", "02"),
        ("Đang đo", "00"),
        ("E7", "E7"),
        ("---", "---"),
    ],
)
def test_status(sent: str, status: str) -> None:
    assert one(f"NO\t1\tppb\t{AT}\t{sent}")[6] == status


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1258"])
def test_encodings(encoding: str) -> None:
    # cp1258 has no precomposed letters with tone marks; loggers write them in two characters.
    name = "Nhiệt độ"
    sent = "Nhiê\u0323t đô\u0323" if encoding == "cp1258" else name
    row = one(f"{sent}\t31.5\t°C\t{AT}\t00", encoding=encoding)
    assert row == ["Temp", name, "31.5", "31.5", "°C", WHEN, "00"]


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_line_ends_and_blank_lines(end: str) -> None:
    lines = [f"O3\t1\tppb\t{AT}\t00", "", "   ", f"NO\t2\tppb\t{AT}\t00", ""]
    rows, rejects = parse(end.join(lines).encode())
    assert ([row[0] for row in rows], rejects) == (["1", "4"], [])


@pytest.mark.parametrize(
    ("path", "station", "at"),
    [
        ("TH-AQ-01_20261122070000.txt", "TH-AQ-01", datetime(2026, 11, 22, 7)),
        ("TH_NGHISON_000123_20261122070500.txt", "TH_NGHISON_000123", datetime(2026, 11, 22, 7, 5)),
        ("a/b/ST 7-20261122070000.txt", "ST 7", datetime(2026, 11, 22, 7)),
        ("TH_20200101_20261122070000.txt", "TH_20200101", datetime(2026, 11, 22, 7)),
        ("ST1_20261122_070500.txt", "ST1", datetime(2026, 11, 22, 7, 5)),
        ("ST1_20261122070000_resend.txt", "ST1", datetime(2026, 11, 22, 7)),
        ("TH-AQ-02/2026/11/22/20261122070000.txt", "TH-AQ-02", datetime(2026, 11, 22, 7)),
        ("TH-AQ-03/data.txt", "TH-AQ-03", None),
        ("data.txt", "data", None),
    ],
)
def test_station_and_time_of_a_file(path: str, station: str, at: datetime | None) -> None:
    parser = Tt10Format(READING)
    assert parser.station(path) == station
    assert parser.file_time(path) == (at.replace(tzinfo=VIETNAM) if at else None)


def test_row_time_counts_not_the_file_name() -> None:
    rows, rejects = parse(f"O3\t1\tppb\t20261120000000\t00\nO3\t2\tppb\t{AT}\t00\n".encode())
    assert not rejects
    assert [row[7] for row in rows] == ["2026-11-20T00:00:00+07:00", WHEN]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("Thông số\tGiá trị\tĐơn vị\tThời gian\tTrạng thái", "no_timestamp"),
        ("rubbish", "no_timestamp"),
        ("O3\t1\tppb\t20261322070000\t00", "bad_timestamp"),
        ("O3\t1\tppb\t20260230070000\t00", "bad_timestamp"),
        ("O3\t1\tppb\t20261122130000\t00", "future_timestamp"),
        (f"\t1\tppb\t{AT}\t00", "no_parameter"),
        (f"O3\t<0.5\tppb\t{AT}\t00", "bad_value"),
        (f"O3\t12a\tppb\t{AT}\t00", "bad_value"),
        (f"O3\t1e99\tppb\t{AT}\t00", "bad_value"),
    ],
)
def test_refused_lines_are_counted_with_their_reason(line: str, code: str) -> None:
    rows, rejects = parse(f"NO\t1\tppb\t{AT}\t00\n{line}\n".encode())
    assert (len(rows), rejects) == (1, [(2, code)])


@pytest.mark.parametrize("cut", range(1, 27))
def test_a_line_cut_anywhere_at_the_end_of_the_file_is_no_row(cut: int) -> None:
    last = f"PM10\t55\tug/m3\t{AT}\t01"
    rows, rejects = parse(f"PM2.5\t35\tug/m3\t{AT}\t00\n".encode() + last.encode()[:cut])
    assert (len(rows), rejects) == (1, [(2, "truncated")])


def test_a_whole_last_line_without_line_end_is_a_row() -> None:
    rows, rejects = parse(f"PM2.5\t35\tug/m3\t{AT}\t00\nPM10\t55\tug/m3\t{AT}\t01".encode())
    assert (len(rows), rejects) == (2, [])


def test_a_character_cut_in_two_does_not_change_the_encoding_of_the_rest() -> None:
    assert decode("CO\tµg".encode()[:-2]) == "CO\t\ufffd"
    assert decode("Nhiệt độ".encode()[:-1]).startswith("Nhiệt đ")


def test_hostile_text_stays_one_field() -> None:
    rows, rejects = parse(f"a\\tb\x00\\N\t1\tu\\\t{AT}\t00\n".encode())
    assert not rejects
    (row,) = rows
    assert (row[3], row[6]) == ("a\\\\tb␀\\\\N", "u\\\\")


_field = st.one_of(
    st.sampled_from(
        ["PM2.5", "PM2,5", "Nhiệt độ", "NO", "ug/m3", "µg/m3", "", "-", "---", "NaN", "-9999", "-9999.50", "00"]
    ),
    st.sampled_from(
        ["0", "01", "02", "7", AT, "20261122000500", "20260230000000", "20991231235959", "35,2", "1.5", "-3"]
    ),
    st.text(alphabet="PMNO25.,;\t |\\\"'<>°µđộ\u00a0\u0301\ufeff\x00", max_size=6),
)
_line = st.lists(_field, max_size=7).flatmap(
    lambda fields: st.sampled_from(["\t", ";", ",", "  ", " ", "\\"]).map(lambda separator: separator.join(fields))
)
_good = st.builds(
    lambda name, value, unit, minute, status: (
        f"{name}\t{value}\t{unit}\t202611220{minute // 60}{minute % 60:02d}00\t{status}"
    ),
    st.sampled_from(["PM2.5", "PM2,5", "O3", "CO", "Temp", "Nhiệt độ", "Bui PM10", "X9"]),
    st.decimals(min_value=-99999, max_value=99999, places=3).map(str),
    st.sampled_from(["ug/m3", "µg/m3", "°C", "%", "", "mg/Nm3"]),
    st.integers(min_value=0, max_value=599),
    st.sampled_from(["00", "01", "02"]),
)
_text = st.builds(
    lambda lines, end, last: end.join(lines) + last,
    st.lists(st.one_of(_line, _good), max_size=8),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["", "\n", "\r\n"]),
)
_bytes = st.one_of(
    st.binary(max_size=400),
    _text.map(lambda text: text.encode("utf-8", "replace")),
    st.tuples(_text, st.sampled_from(["utf-16", "utf-8-sig", "cp1258"])).map(lambda t: t[0].encode(t[1], "replace")),
)


@settings(max_examples=400, deadline=None)
@given(data=_bytes)
@example(data=b"\xff\xfe")
@example(data=b"\x00" * 9)
@example(data=b"\r")
def test_any_bytes_give_a_row_or_a_reject_for_every_line_that_is_not_blank(data: bytes) -> None:
    rows, rejects = parse(data)
    lines = decode(data).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    expected = [number for number, line in enumerate(lines, 1) if line.strip(" \t\x00\u00a0\ufeff")]
    assert sorted([int(row[0]) for row in rows] + [number for number, _ in rejects]) == expected
    assert all(len(row) == 10 - 1 for row in rows)


@settings(max_examples=400, deadline=None)
@given(
    data=st.one_of(_bytes, st.lists(_good, max_size=20).map(lambda lines: "".join(f"{x}\n" for x in lines).encode()))
)
@example(data=f"PM2.5\t1\tug/m3\t{AT}\t00\r\n".encode())
@example(data=f"O3\t1\tppb\t{AT}\t00\nO3\t1\tppb\t20261122070000\t0\n".encode())
def test_the_fast_reader_gives_the_same_rows_as_the_tolerant_one(data: bytes) -> None:
    assert parse(data, fast=True) == parse(data, fast=False)


def test_the_fast_reader_is_used_for_clean_files() -> None:
    """Guards the property above against passing because the fast reader never runs."""
    parser = Tt10Format(READING)
    parser._tolerant = None  # type: ignore[assignment, method-assign]
    clean = "".join(f"{name}\t{value}\t{unit}\t{AT}\t00\r\n" for name, value, unit in _CLEAN).encode()
    (part,) = parser.parse(clean, SourceFile(PATH, 1, LATEST))
    assert isinstance(part, Parsed)
    assert (part.rows, part.months) == (len(_CLEAN), {(2026, 11)})


_CLEAN = [
    ("PM2.5", "35.2", "µg/m3"),
    ("PM2,5", "-1", "ug/Nm3"),
    ("Nhiệt độ", "31.25", "°C"),
    ("RH", "80", "%"),
    ("NOx", "0", ""),
]


def test_a_file_larger_than_one_stretch_keeps_its_line_numbers() -> None:
    count = 60_000
    start = datetime(2026, 1, 1, tzinfo=VIETNAM)
    lines = [f"O3\t{i % 90}.5\tug/m3\t{start + timedelta(minutes=i):%Y%m%d%H%M00}\t00\n" for i in range(count)]
    lines[30_000] = "broken\n"
    rows, rejects = parse("".join(lines).encode())
    assert rejects == [(30_001, "no_timestamp")]
    assert [int(row[0]) for row in rows] == [number for number in range(1, count + 1) if number != 30_001]
