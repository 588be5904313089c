"""What a domain declares of an interface. Everything that differs from office to office is here, nothing is code.

A name that nobody knows, a missing one or a contradiction is refused when the file is read, with the file's name.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from extractors.core.errors import Fatal
from extractors.core.formats.text import VIETNAM

if TYPE_CHECKING:
    from pathlib import Path

FieldType = Literal["text", "number", "integer", "boolean", "moment", "date", "json"]
FIELD_TYPES: dict[str, str] = {
    "text": "text", "number": "numeric", "integer": "bigint", "boolean": "boolean",
    "moment": "timestamp with time zone", "date": "date", "json": "jsonb",
}  # fmt: skip
# Written as a moment with offset, the same in UTC, or as a number.
MOMENT_FORMATS = ("iso", "utc", "epoch_s", "epoch_ms")


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        path: Below the source URI's path.
        method: ``GET`` sends the parameters in the query, ``POST`` as a JSON body.
        parameters: The same in every request.
        headers: The same in every request.
    """

    path: str = ""
    method: Literal["GET", "POST"] = "GET"
    parameters: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.method not in ("GET", "POST"):
            raise ValueError("[request] method is GET or POST")


@dataclass(frozen=True)
class Auth:
    """How the login of the source URI is presented; the secret itself is never in the declaration.

    Attributes:
        kind: ``uri``: Basic for ``user:password@``, Bearer for ``:token@``, nothing without; ``key``: the URI's
            password goes into ``header`` or ``parameter``; ``token``: user and password buy a token at ``path``.
        header: Header that carries key or token, and ``prefix`` before it.
        parameter: Query parameter that carries the key, instead of the header.
        path: Token endpoint, below the source URI's path, or a whole URL when it is on another host.
        send: User and password as ``form`` or ``json`` fields, or as ``basic`` header beside ``fields``.
        token: Dotted path of the token in the endpoint's answer; ``lifetime`` of its seconds, ``refresh`` of the
            refresh token (empty: the next token is bought with the password again).
    """

    kind: Literal["uri", "key", "token"] = "uri"
    header: str = "Authorization"
    prefix: str = "Bearer "
    parameter: str = ""
    path: str = ""
    send: Literal["form", "json", "basic"] = "form"
    user_field: str = "username"
    password_field: str = "password"
    fields: dict[str, str] = field(default_factory=dict)
    token: str = "access_token"
    lifetime: str = "expires_in"
    refresh: str = ""

    def __post_init__(self) -> None:
        if self.kind not in ("uri", "key", "token") or self.send not in ("form", "json", "basic"):
            raise ValueError("[auth] kind is 'uri', 'key' or 'token'; send is 'form', 'json' or 'basic'")
        if (self.kind == "token") != bool(self.path):
            raise ValueError("[auth] path names the token endpoint: kind 'token' needs it, no other kind has it")


@dataclass(frozen=True)
class Paging:
    """How a long answer is cut.

    Attributes:
        kind: ``none``; ``page`` counts pages and ``offset`` records, in ``parameter``; ``link`` follows a link in the
            body or the ``Link`` header; ``cursor`` hands back what the source gave; ``keyset`` asks again from the
            moment of the last record (the source sorts by time of change): immune to pages that shift.
        size: Records to ask for, in ``size_parameter`` (empty: not said).
        first: Number of the first page.
        next: Dotted path of the next link or cursor; empty = the ``Link`` header.
        total: Dotted path of the number of all records; spares a question at the end, and shows a gap.
        end_statuses: Statuses that mean "beyond the last page", where the source says so.
        walks: Most walks over a window whose pages shift; the last must bring nothing new. 1 = the source promises that
            its pages never shift (a cursor that stands for a record, not for a number); one walk is believed then.
        most_pages: A walk that is longer is taken for endless.
    """

    kind: Literal["none", "page", "offset", "link", "cursor", "keyset"] = "none"
    size: int = 200
    parameter: str = "page"
    size_parameter: str = "size"
    first: int = 1
    next: str = ""
    total: str = ""
    end_statuses: tuple[int, ...] = ()
    walks: int = 5
    most_pages: int = 10_000

    def __post_init__(self) -> None:
        if self.kind not in ("none", "page", "offset", "link", "cursor", "keyset"):
            raise ValueError("[paging] kind is 'none', 'page', 'offset', 'link', 'cursor' or 'keyset'")
        if self.size < 1 or self.walks < 1 or self.most_pages < 1:
            raise ValueError("[paging] size, walks and most_pages are at least 1")
        if self.kind == "cursor" and not self.next:
            raise ValueError("[paging] kind 'cursor' needs next, the path of the cursor in the answer")

    @property
    def shifts(self) -> bool:
        """Whether a record can slip to a page that was read already."""
        return self.kind in ("page", "offset", "link", "cursor") and self.walks > 1


@dataclass(frozen=True)
class Window:
    """Which records are asked for, by the source's own time of change.

    Attributes:
        since: Query parameter of the beginning, inclusive.
        until: Query parameter of the end; empty when the source has none.
        format: ``iso``, ``utc``, ``epoch_s``, ``epoch_ms``, or a ``strftime`` layout of Vietnamese civil time.
        overlap_minutes: How far before the cursor a reading begins: longer than a transaction of the source lasts.
        start: Beginning of the first reading; None = everything that the source has.
        slice_hours: A long stretch is read in slices of this length, each kept before the next begins; needs ``until``.
        clock: Dotted path of the source's own time in an answer; empty = the ``Date`` header.
    """

    since: str
    until: str = ""
    format: str = "iso"
    overlap_minutes: float = 15
    start: datetime | None = None
    slice_hours: float = 0
    clock: str = ""

    def __post_init__(self) -> None:
        if self.slice_hours and not (self.until and self.start):
            raise ValueError("[window] slice_hours needs until and start")
        if self.overlap_minutes < 0 or self.slice_hours < 0:
            raise ValueError("[window] overlap_minutes and slice_hours are not negative")
        if self.start is not None and self.start.tzinfo is None:
            raise ValueError("[window] start needs an offset, as in 2026-01-01T00:00:00+07:00")
        if self.format not in MOMENT_FORMATS and "%" not in self.format:
            raise ValueError(f"[window] format is one of {', '.join(MOMENT_FORMATS)}, or a layout like %d/%m/%Y")

    @property
    def overlap(self) -> timedelta:
        return timedelta(minutes=self.overlap_minutes)

    def written(self, moment: datetime) -> str:
        """``moment`` as the source reads it; never rounded up, so that nothing falls between two windows."""
        if self.format == "iso":
            return moment.astimezone(VIETNAM).isoformat(timespec="milliseconds")
        if self.format == "utc":
            return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if self.format == "epoch_s":
            return str(int(moment.timestamp()))
        if self.format == "epoch_ms":
            return str(int(moment.timestamp() * 1000))
        return moment.astimezone(VIETNAM).strftime(self.format)


@dataclass(frozen=True)
class Field:
    """One column, and where its value is in a record.

    Attributes:
        name: Column.
        path: Dotted path in the record, numbers index lists; in a child ``^.`` begins at the parent.
        type: ``text``, ``number``, ``integer``, ``boolean``, ``moment``, ``date`` or ``json``.
        required: A record without it is rejected.
        format: Of a moment or date: as in the window; default: ISO 8601 and the usual Vietnamese forms.
        comment: Kept in the database.
    """

    name: str
    path: str
    type: FieldType = "text"
    required: bool = False
    format: str = ""
    comment: str = ""

    def __post_init__(self) -> None:
        if self.type not in FIELD_TYPES:
            raise ValueError(f"column '{self.name}': type is one of {', '.join(FIELD_TYPES)}")
        if self.format and self.type not in ("moment", "date"):
            raise ValueError(f"column '{self.name}': only a moment or a date has a format")


@dataclass(frozen=True)
class Child:
    """A list inside a record that becomes a table of its own.

    Attributes:
        entity: Table.
        path: Dotted path of the list in the record.
        columns: Its columns; ``^.`` in a path begins at the parent.
        key: Columns that say what a row is about.
        comment: What a row is.
    """

    entity: str
    path: str
    columns: tuple[Field, ...]
    key: tuple[str, ...] = ()
    comment: str = ""


@dataclass(frozen=True)
class Api:
    """One interface.

    Attributes:
        name: Of the file, and fragment of the source URI.
        entity: Table of the records.
        records: Dotted path of the list in an answer; empty when the answer is the list.
        key: Columns that say what a record is about; required.
        columns: The mapping. A column ``payload`` with the whole record comes by itself.
        changed: Column of the source's own time of change; the cursor comes from it.
        volatile: Fields that differ at every reading and say nothing (seconds left, signed links): not compared and
            not kept in ``payload``; what was received is in the landing all the same.
        success: Dotted path of the answer's own status, for sources that report errors with HTTP 200, and the
            ``success_values`` that mean that all is well.
        per_minute: Most requests in a minute; 0 = no limit.
    """

    name: str
    entity: str
    columns: tuple[Field, ...]
    key: tuple[str, ...]
    records: str = ""
    changed: str = ""
    partition_by: str | None = None
    volatile: tuple[str, ...] = ()
    comment: str = ""
    success: str = ""
    success_values: tuple[str, ...] = ()
    per_minute: float = 0
    request: Request = field(default_factory=Request)
    auth: Auth = field(default_factory=Auth)
    paging: Paging = field(default_factory=Paging)
    window: Window | None = None
    children: tuple[Child, ...] = ()

    def __post_init__(self) -> None:
        types = {column.name: column.type for column in self.columns}
        missing = [name for name in (*self.key, *filter(None, [self.changed, self.partition_by])) if name not in types]
        if not self.key or missing:
            raise ValueError(f"key, changed and partition_by name declared columns; unknown: {missing or 'no key'}")
        if self.changed and types[self.changed] != "moment":
            raise ValueError("changed names a column of type 'moment'")
        if (self.window or self.paging.kind == "keyset") and not self.changed:
            raise ValueError("[window] and keyset paging need changed, the column of the source's time of change")
        if self.paging.kind == "keyset" and not self.window:
            raise ValueError("keyset paging needs [window]")
        if bool(self.success) != bool(self.success_values):
            raise ValueError("success and success_values come together")
        if "payload" in types:
            raise ValueError("the column 'payload' comes by itself")

    def column(self, name: str) -> Field:
        return next(column for column in self.columns if column.name == name)


def load(path: Path) -> Api:
    """The interface that ``path`` declares.

    Raises:
        Fatal: the file does not say what is needed, or says what nobody understands.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        window = content.pop("window", None)
        # A record that does not say what it is about cannot be told from another.
        key = set(content.get("key", []))
        return Api(
            name=path.stem,
            columns=tuple(
                replace(c, required=True) if c.name in key else c for c in _fields(content.pop("columns", {}))
            ),
            request=Request(**content.pop("request", {})),
            auth=Auth(**content.pop("auth", {})),
            paging=Paging(**_tuples(content.pop("paging", {}))),
            window=Window(**window) if window is not None else None,
            children=tuple(
                Child(columns=_fields(child.pop("columns", {})), **_tuples(child))
                for child in content.pop("children", [])
            ),
            **_tuples(content),
        )
    except (TypeError, ValueError) as error:
        raise Fatal(f"{path.parent.parent.name}/{path.parent.name}/{path.name}: {error}") from error


def _fields(columns: dict[str, dict[str, Any]]) -> tuple[Field, ...]:
    return tuple(Field(name=name, **column) for name, column in columns.items())


def _tuples(content: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in content.items()}
