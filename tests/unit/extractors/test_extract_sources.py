"""Source URIs, names of files that are not complete, listings of old FTP servers, Retry-After."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from extractors.air_quality.source import format_for
from extractors.core.api.client import retry_after
from extractors.core.entities import Column, Entity
from extractors.core.errors import Fatal
from extractors.core.registry import entities_of
from extractors.core.settings import ExtractSettings
from extractors.core.transports import SourceUri, is_temporary, open_transport
from extractors.core.transports.ftp import _list_entry, _mlsd_entry


def test_a_public_uri_never_shows_user_password_query_or_fragment() -> None:
    uri = SourceUri.parse("sftp://user%40x:p%40ss%2Fword@host.vn:2222/dữ liệu/trạm/?key=secret#us_embassy")
    assert (uri.user, uri.password, uri.port, uri.path) == ("user@x", "p@ss/word", 2222, "/dữ liệu/trạm/")
    assert uri.mapping == "us_embassy"
    assert uri.public == "sftp://host.vn:2222/d%E1%BB%AF%20li%E1%BB%87u/tr%E1%BA%A1m"
    assert uri.child("a b/c#d.txt") == f"{uri.public}/a%20b/c%23d.txt"


@pytest.mark.parametrize("text", ["/folder", "sftp:///x", "ftp://u:secret@host:port/x", "gopher://u:secret@host/x"])
def test_an_unusable_uri_is_refused_without_repeating_its_password(text: str) -> None:
    with pytest.raises(Fatal) as caught:
        open_transport(text, format_for(None), ExtractSettings())
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "temporary"),
    [
        ("a/b.txt", False),
        ("a/.b.txt", True),
        (".x/b.txt", True),
        ("b.txt.part", True),
        ("b.TMP", True),
        ("b.filepart", True),
        ("~b.xlsx", True),
        ("~$b.xlsx", True),
        ("b.txt~", True),
        ("part.txt", False),
        ("a.tmp/b.txt", False),
    ],
)
def test_names_of_files_that_are_still_being_written(path: str, temporary: bool) -> None:
    assert is_temporary(path) is temporary


def test_mlsd_entries() -> None:
    at = datetime(2026, 11, 22, 0, 0, 5, tzinfo=UTC)
    assert _mlsd_entry("type=file;size=12;modify=20261122000005; a b;c.txt") == ("file", "a b;c.txt", 12, at)
    assert _mlsd_entry("Type=file;Size=12;Modify=20261122000005.123; x.txt") == ("file", "x.txt", 12, at)
    assert _mlsd_entry("type=dir;modify=20261122000005; tr\xe1\xba\xa1m") == ("dir", "trạm", None, at)
    assert _mlsd_entry("type=cdir;modify=20261122000005; .") is None


def test_list_entries_of_unix_and_dos_servers() -> None:
    old = _list_entry("-rw-r--r--   1 ftp      ftp           512 Mar 05  2024 TH 01.txt")
    assert old == ("file", "TH 01.txt", 512, datetime(2024, 3, 5, tzinfo=UTC))
    recent = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(days=30)
    entry = _list_entry(f"-rw-r--r-- 1 0 0 7 {recent:%b %d %H:%M} x.txt")
    assert entry == ("file", "x.txt", 7, recent)
    assert _list_entry("drwxr-xr-x   2 ftp      ftp          4096 Jan 01  2025 sub") is not None
    assert _list_entry("10-01-26  08:30PM       <DIR>          sub dir") == (
        "dir", "sub dir", None, datetime(2026, 10, 1, 20, 30, tzinfo=UTC),
    )  # fmt: skip
    assert _list_entry("10-01-2026  08:30AM             1234 a.txt") == (
        "file", "a.txt", 1234, datetime(2026, 10, 1, 8, 30, tzinfo=UTC),
    )  # fmt: skip
    assert _list_entry("total 12") is None


def test_retry_after_as_seconds_and_as_a_date() -> None:
    assert retry_after("7") == 7
    assert 55 < retry_after(format_datetime(datetime.now(UTC) + timedelta(seconds=60))) <= 60
    assert retry_after("soon") == retry_after(None) == 0


def test_a_declaration_that_cannot_work_is_refused_where_it_is_made() -> None:
    with pytest.raises(Fatal, match="hash columns"):
        Entity("x", (Column("a", "text"),), hash_columns=("b",))
    with pytest.raises(Fatal, match="partitioned"):
        Entity("x", (Column("a", "text"),), hash_columns=("a",), partition_by="a")


def test_a_domain_without_a_package_says_what_is_missing() -> None:
    with pytest.raises(Fatal, match=r"extractors\.no_such\.entities"):
        entities_of("no_such")
