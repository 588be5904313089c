"""Declarations of interfaces and the records that they describe: types, encodings, hostile content."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extractors.core.api.declaration import Window, load
from extractors.core.errors import Fatal, Skippable
from extractors.core.formats import Parsed, SourceFile
from extractors.core.formats.records import RecordsFormat, canonical, read_json, records_in

if TYPE_CHECKING:
    from pathlib import Path

_DECLARED = """
entity = "boat"
key = ["code"]
changed = "seen_at"
records = "rows"
[columns]
code = { path = "id" }
seen_at = { path = "at", type = "moment" }
length_m = { path = "size.length", type = "number" }
crew_count = { path = "crew", type = "integer" }
is_at_sea = { path = "sea", type = "boolean" }
built_on = { path = "built", type = "date" }
tags = { path = "tags", type = "json" }
"""
_FILE = SourceFile("page-1.json", 1, datetime.now(UTC) + timedelta(minutes=15))


def declared(tmp_path: Path, text: str = _DECLARED) -> RecordsFormat:
    path = tmp_path / "boats" / "apis" / "boats.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return RecordsFormat(load(path))


@pytest.fixture(scope="module")
def boats(tmp_path_factory: pytest.TempPathFactory) -> RecordsFormat:
    return declared(tmp_path_factory.mktemp("declared"))


def parse(parser: RecordsFormat, records: list[Any]) -> Parsed:
    (parsed,) = parser.parse(json.dumps({"rows": records}).encode(), _FILE)
    return parsed


def fields(parser: RecordsFormat, **record: Any) -> list[str]:
    parsed = parse(parser, [{"id": "TH-1", **record}])
    assert parsed.rejects == []
    return parsed.copy.rstrip("\n").split("\t")[2:-1]


@pytest.mark.parametrize(
    ("record", "column", "expected"),
    [
        ({"id": 7}, 0, "7"),
        ({"id": "e\u0302\u0301"}, 0, "ế"),
        ({"at": "2026-03-01T08:00:00"}, 1, "2026-03-01T01:00:00+00:00"),
        ({"at": "2026-03-01T08:00:00.1234567Z"}, 1, "2026-03-01T08:00:00.123456+00:00"),
        ({"at": "01/03/2026 08:00:00"}, 1, "2026-03-01T01:00:00+00:00"),
        ({"at": "2026-03-01T08:00:00+20:00"}, 1, "2026-02-28T12:00:00+00:00"),
        ({"at": "0001-01-01T00:00:00"}, 1, "\\N"),
        ({"at": ""}, 1, "\\N"),
        ({"size": {"length": 15.20}}, 2, "15.2"),
        ({"size": {"length": "15,2"}}, 2, "15.2"),
        ({"size": None}, 2, "\\N"),
        ({"crew": "12"}, 3, "12"),
        ({"crew": 12.0}, 3, "12"),
        ({"sea": "Có"}, 4, "t"),
        ({"sea": 0}, 4, "f"),
        ({"built": "09/02/2001"}, 5, "2001-02-09"),
        ({"built": "2001-02-08T20:00:00Z"}, 5, "2001-02-09"),
        ({"tags": ["ế", 1]}, 6, '["ế", 1]'),
    ],
)
def test_a_field_as_sent_becomes_its_column(
    boats: RecordsFormat, record: dict[str, Any], column: int, expected: str
) -> None:
    assert fields(boats, **record)[column] == expected


@pytest.mark.parametrize(
    ("record", "code"),
    [
        ({"id": ""}, "missing_field"),
        ({"id": None}, "missing_field"),
        ({"id": {"value": 1}}, "wrong_type"),
        ({"at": "hôm qua"}, "bad_timestamp"),
        ({"at": 20260301}, "bad_timestamp"),
        ({"at": ["2026"]}, "wrong_type"),
        ({"size": {"length": "dài"}}, "bad_value"),
        ({"size": {"length": True}}, "wrong_type"),
        ({"size": {"length": 1e300}}, "bad_value"),
        ({"crew": 1.5}, "bad_value"),
        ({"sea": "có thể"}, "bad_value"),
        ({"built": "31/02/2001"}, "bad_timestamp"),
    ],
)
def test_a_record_that_cannot_be_a_row_says_why_and_the_next_one_loads(
    boats: RecordsFormat, record: dict[str, Any], code: str
) -> None:
    parsed = parse(boats, [{"id": "TH-1", **record}, {"id": "TH-2"}])
    ((row, found),) = [(reject.source_row, reject.code) for reject in parsed.rejects]
    assert (row, found, parsed.rows) == (1, code, 1)
    assert json.loads(parsed.rejects[0].raw_text) == {"id": "TH-1", **record}


@settings(max_examples=150, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["id", "at", "size", "length", "rows", "x\x00"]) | st.text(), inner, max_size=5
            )
        ),
        max_leaves=20,
    )
)
def test_whatever_comes_every_record_is_a_row_or_a_reject(boats: RecordsFormat, content: Any) -> None:
    body = json.dumps({"rows": [content, {"id": "TH-1"}]}).encode()
    (parsed,) = boats.parse(body, _FILE)
    assert parsed.rows + len(parsed.rejects) == 2
    assert parsed.rows == parsed.copy.count("\n") >= 1
    assert "\x00" not in parsed.copy
    parsed.copy.encode()


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60))
def test_whatever_is_no_page_is_skipped_with_a_reason(boats: RecordsFormat, noise: bytes) -> None:
    try:
        list(boats.parse(b'{"rows": ' + noise, _FILE))
    except Skippable as error:
        assert error.code in ("no_json", "no_records")


def test_numbers_that_would_fill_the_memory_are_rejects(boats: RecordsFormat) -> None:
    huge = ["1e999999999", "1e-999999999", "1e-60", "1e99999999999999999999", "9" * 5000]
    body = '{"rows": [' + ", ".join(f'{{"id": "TH", "size": {{"length": {text}}}}}' for text in huge) + "]}"
    (parsed,) = boats.parse(body.encode(), _FILE)
    assert (parsed.rows, [reject.code for reject in parsed.rejects]) == (0, ["bad_value"] * 5)


def test_a_record_nested_too_deep_is_a_reject_and_the_others_load(boats: RecordsFormat) -> None:
    body = '{"rows": [{"id": "A", "x": ' + "[" * 300 + "]" * 300 + '}, {"id": "B"}]}'
    (parsed,) = boats.parse(body.encode(), _FILE)
    assert (parsed.rows, [reject.code for reject in parsed.rejects]) == (1, ["not_a_record"])
    with pytest.raises(Skippable, match="nested too deep"):
        list(boats.parse(b"[" * 100_000, _FILE))


def test_a_list_that_is_null_or_a_single_object_is_understood() -> None:
    assert records_in({"data": None}, "data") == []
    assert records_in({"data": {"item": {"id": 1}}}, "data.item") == [{"id": 1}]
    assert records_in([1], "") == [1]
    assert records_in({"message": "lỗi"}, "data.item") is None
    assert records_in({"data": {}}, "data.item") is None
    assert records_in({"data": None}, "data.item") == []


def test_what_says_nothing_is_not_compared(tmp_path: Path) -> None:
    parser = declared(tmp_path, 'volatile = ["left", "links.self"]\n' + _DECLARED)
    first, second = (
        parse(parser, [{"id": "A", "left": left, "links": {"self": str(left), "up": "/"}}]).copy for left in (1, 2)
    )
    assert first == second
    assert '"up"' in first
    assert canonical(read_json(b'{"b": 1.50, "a": "e\\u0302"}')) == '{"a": "ê", "b": 1.5}'


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("entity", "tabel"), "unexpected keyword argument 'tabel'"),
        (('changed = "seen_at"', 'changed = "gone"'), r"unknown: \['gone'\]"),
        (('key = ["code"]', "key = []"), "no key"),
        (('type = "moment"', 'type = "time"'), "type is one of text, number"),
        (("[columns]", '[paging]\nkind = "pages"\n[columns]'), r"\[paging\] kind is"),
        (("[columns]", '[paging]\nkind = "keyset"\n[columns]'), r"keyset paging needs \[window\]"),
        (("[columns]", '[auth]\nkind = "token"\n[columns]'), "path names the token endpoint"),
        (("[columns]", '[window]\nsince = "s"\nformat = "rfc"\n[columns]'), r"\[window\] format is one of"),
        (("[columns]", '[window]\nsince = "s"\nslice_hours = 1\n[columns]'), "slice_hours needs until and start"),
        (("[columns]", "[columns"), "boats.toml"),
    ],
)
def test_a_declaration_that_cannot_work_is_refused_with_its_file(
    tmp_path: Path, change: tuple[str, str], says: str
) -> None:
    with pytest.raises(Fatal, match=f"boats/apis/boats.toml: .*{says}|{says}"):
        declared(tmp_path, _DECLARED.replace(*change))


@pytest.mark.parametrize(
    ("layout", "written"),
    [
        ("iso", "2026-03-01T23:59:59.999+07:00"),
        ("utc", "2026-03-01T16:59:59.999Z"),
        ("epoch_s", "1772384399"),
        ("epoch_ms", "1772384399999"),
        ("%d/%m/%Y", "01/03/2026"),
    ],
)
def test_a_window_is_written_as_the_source_reads_it_and_never_later(layout: str, written: str) -> None:
    moment = datetime(2026, 3, 1, 16, 59, 59, 999_999, tzinfo=UTC)
    assert Window("since", format=layout).written(moment) == written
