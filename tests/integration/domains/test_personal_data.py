"""No personal data of a source reaches marts, serving or alerting, whatever column it might slip into.

Every live domain with an interface is loaded from its sandbox and built. What is personal is read from the raw records
by the names of their fields; then every text of the three layers is looked through for it.
"""

from __future__ import annotations

import itertools
import re
import time
import unicodedata
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI

from ioc import domains, warehouse
from ioc.stack import environment
from sandbox.api import serve
from sandbox.documents.stories import PETITION
from sandbox.stand_in import discover

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tests.integration.domains.conftest import Corridor

# Names of fields in a record that hold what is personal, in small letters without separators.
_PERSONAL = re.compile(
    r"hoten|chuhoso$|chutau|chuphuongtien|thuyentruong|nguoigui|nguoinop|dienthoai|phone|sdt$|cccd|cmnd|sogiayto|socancuoc"
    r"|email|diachi|address|fullname|ownername"
)
_LAYERS = ("marts", "serving", "alerting")
_TEXTS = ("text", "character varying", "jsonb", "json", "ARRAY")
# What a free text says of a person: a telephone, and a name after a form of address.
_TELEPHONE = re.compile(r"(?<![\d.-])(?:\+84|0)(?:[ .-]?\d){9}(?!\d)")
_ADDRESSED = re.compile(r"\b(?:[Ôô]ng|[Bb]à|[Aa]nh|[Cc]hị|[Cc]ông dân)((?: \w+){2,})")
_NUMBER = re.compile(r"\d(?:[ .()-]{0,2}\d){6,}")
_DAYS = 3


def personal_values(record: Any, is_personal: bool = False) -> Iterator[str]:
    """Every text below a field whose name says that it is personal."""
    if isinstance(record, dict):
        for name, value in record.items():
            key = re.sub(r"[^a-z]", "", name.lower())
            # A whole person ("nguoiGui": {…}) is personal by its parts, whose codes and ranks are not.
            yield from personal_values(value, bool(_PERSONAL.search(key)) and not isinstance(value, dict))
    elif isinstance(record, list):
        for value in record:
            yield from personal_values(value, is_personal)
    elif is_personal and isinstance(record, str) and len(record.strip()) >= 6:
        yield record


def said_in_texts(record: Any) -> Iterator[str]:
    """Telephones and names in texts that somebody typed, whatever the field is called."""
    if isinstance(record, dict | list):
        for value in record.values() if isinstance(record, dict) else record:
            yield from said_in_texts(value)
    elif isinstance(record, str) and len(record.split()) >= 4:
        yield from _TELEPHONE.findall(record)
        for words in _ADDRESSED.findall(unicodedata.normalize("NFC", record)):
            yield " ".join(itertools.takewhile(lambda word: word[0].isupper(), words.split()))


def words_of(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\w+", unicodedata.normalize("NFC", text).lower()))


class Personal:
    """What is looked for: phrases of words, and numbers without their spaces."""

    def __init__(self, values: Iterable[str]) -> None:
        self.phrases: set[tuple[str, ...]] = set()
        self.numbers: set[str] = set()
        for value in values:
            digits = re.sub(r"\D", "", value)
            if digits and re.fullmatch(r"[\d +.()-]+", value.strip()):
                # Without the leading zero it is the same telephone abroad.
                self.numbers |= {digits, digits.removeprefix("0")} if len(digits) >= 8 else set()
            elif len(words := words_of(value)) >= 2:
                self.phrases.add(words)
        self._lengths = sorted({len(phrase) for phrase in self.phrases})
        self._digits = sorted({len(number) for number in self.numbers})

    def found_in(self, text: str) -> set[str]:
        """What of it the text holds."""
        words = words_of(text)
        found = {
            " ".join(words[start : start + length])
            for length in self._lengths
            for start in range(len(words) - length + 1)
            if words[start : start + length] in self.phrases
        }
        for run in (re.sub(r"\D", "", one) for one in _NUMBER.findall(text)):
            found |= {
                run[start : start + length]
                for length in self._digits
                for start in range(len(run) - length + 1)
                if run[start : start + length] in self.numbers
            }
        return found


def leaks(corridor: Corridor, personal: Personal) -> dict[str, int]:
    """``schema.table.column`` → how many of its texts hold something personal."""
    columns = corridor.query(
        "select table_schema, table_name, column_name from information_schema.columns "
        "where table_schema = any(%s) and data_type = any(%s)", list(_LAYERS), list(_TEXTS),
    )  # fmt: skip
    assert len(columns) > 50
    found = {}
    for schema, table, column in columns:
        texts = corridor.query(
            f'select distinct "{column}"::text from "{schema}"."{table}" where "{column}" is not null'
        )
        if count := sum(bool(personal.found_in(text)) for (text,) in texts):
            found[f"{schema}.{table}.{column}"] = count
    return found


@pytest.fixture(scope="module")
def built(corridor: Corridor, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Every live domain with an interface, loaded from its sandbox and built."""
    home: Path = tmp_path_factory.mktemp("sandbox")
    settings = corridor.settings.model_copy(update={"home": home, "sandbox_days": _DAYS})
    sources = environment.sources(settings)
    application = FastAPI()
    for name, stand_in in discover(settings).items():
        if sources.get(f"IOC_SOURCE_{name.upper()}", "").startswith("http"):
            stand_in.advance(int(time.time()))
            application.include_router(stand_in.router, prefix=f"/{name}")
    live = []
    with serve(application, port=settings.port_sandbox_http):
        for domain in domains.all_domains():
            uris = sources.get(f"IOC_SOURCE_{domain.name.upper()}", "")
            if domain.status == "live" and uris.startswith("http"):
                corridor.load(domain.name, *uris.split())
                live.append(domain.name)
    corridor.transform(*live)
    return live


def test_no_personal_value_of_a_source_is_in_any_text_of_marts_serving_or_alerting(
    corridor: Corridor, built: list[str]
) -> None:
    values: set[str] = set()
    for domain in built:
        tables = corridor.query(
            "select table_name from information_schema.columns where table_schema = %s and column_name = 'payload'",
            f"raw_{domain}",
        )
        for (table,) in tables:
            for (payload,) in corridor.query(f'select payload from raw_{domain}."{table}"'):
                values.update(personal_values(payload))
                values.update(said_in_texts(payload))
    personal = Personal(values)
    assert len(personal.phrases) > 50, "names and addresses of the sandbox"
    assert len(personal.numbers) > 50, "telephones and identity numbers of the sandbox"
    told = Personal(said_in_texts(PETITION))
    assert told.numbers <= personal.numbers, "a petition's telephone is looked for"
    assert told.phrases <= personal.phrases, "and the name in it"
    assert len(told.numbers) == 2
    assert len(told.phrases) == 1
    assert leaks(corridor, personal) == {}
    (petition,) = corridor.query(
        "select abstract, counterpart from serving.rpt_documents_document where document_id = 'VBD-DONTHU-1'"
    )
    assert petition == (
        "Đơn kiến nghị của bà [tên đã che], trú tại [địa chỉ đã che]", "Công dân [tên đã che]",
    )  # fmt: skip

    name = " ".join(min(personal.phrases)).upper()
    number = next(one for one in sorted(personal.numbers) if len(one) == 10)
    with warehouse.connect("owner", corridor.settings) as connection:
        connection.execute("create table marts.planted (a text, b text)")
        connection.execute("insert into marts.planted values (%s, null)", (f"Kính gửi {name}!",))
        connection.execute(
            "insert into marts.planted values (null, %s)", (f"ĐT {number[:4]} {number[4:7]}.{number[7:]}",)
        )
    try:
        assert leaks(corridor, personal) == {"marts.planted.a": 1, "marts.planted.b": 1}
    finally:
        with warehouse.connect("owner", corridor.settings) as connection:
            connection.execute("drop table marts.planted")
