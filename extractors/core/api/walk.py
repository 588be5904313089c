"""Walks an interface page by page so that nothing is lost, whatever the source does meanwhile.

The cursor is the newest time of change among the records that were read, by the source's own clock: never ours, never
beyond what was read, never beyond the source's clock when the walk began (a record dated into the future moves
nothing). A reading begins before it by the overlap, because a source may show a record later than its time of change.

Pages shift when records come, go or change places while they are read. A window of several pages is therefore walked
again until a walk brings nothing new; records that changed after the first walk began do not count, for they come with
the next window anyway. ``keyset`` paging cannot shift, and a source may be declared not to; such a window is walked
again only after a page without records in the middle, or when the source counts more records than it showed.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urljoin

from extractors.core.api.client import Client, Unusable, json_of
from extractors.core.api.declaration import Field
from extractors.core.errors import Fatal, Retriable
from extractors.core.formats.records import at, canonical, readable_moment, records_in
from extractors.core.transports import RemoteFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from extractors.core.api.client import Answer
    from extractors.core.formats.records import RecordsFormat
    from extractors.core.settings import ExtractSettings
    from extractors.core.transports import SourceUri

_LOG = logging.getLogger(__name__)
# An empty page may be a stumble in the middle; after so many in a row there is nothing more.
_EMPTY_PAGES = 2
# Where pages do not shift: after a stumble, one walk more and one that confirms it.
_LEAST_WALKS = 3
# The same page twice can be chance, while records come in at the front.
_SAME_PAGE = 2
# A slice without a record makes the next one twice as long, up to this.
_LONGEST_SLICES = 64


@dataclass(frozen=True)
class Page:
    """One answer to be landed and read; its URI says what was asked, without a login."""

    file: RemoteFile
    body: bytes


@dataclass(frozen=True)
class Position:
    """Everything that the source changed up to here has been handed over.

    Attributes:
        changed_until: By the source's own clock.
        rewound: That clock has been put back: the position may lie before an earlier one.
    """

    changed_until: datetime
    rewound: bool = False


@dataclass(frozen=True)
class _Span:
    begin: datetime | None
    end: datetime | None = None


@dataclass
class _Fetched:
    number: int
    query: dict[str, str]
    answer: Answer
    records: list[Any]
    total: int | None
    # All its records by content, and those of them that changed before the reading began.
    marks: set[bytes] = field(default_factory=set)
    settled: set[bytes] = field(default_factory=set)


class Reader:
    """Reads one interface once.

    Args:
        uri: The source.
        parser: Reader of its records, with the declaration.
        settings: Patience.
    """

    def __init__(self, uri: SourceUri, parser: RecordsFormat, settings: ExtractSettings) -> None:
        self._api = api = parser.api
        self._parser = parser
        self._client = Client(uri, settings, api.auth, headers=api.request.headers, per_minute=api.per_minute)
        self._url = self._client.url(api.request.path)
        self.resource = f"{uri.public}{api.request.path}"
        # What the URIs of its pages begin with: two declarations may ask one address for different things.
        self.prefix = f"{self.resource}?{urlencode(api.request.parameters)}{'&' if api.request.parameters else ''}"
        self._handed: set[bytes] = set()
        self._newest: datetime | None = None
        self._clock: datetime | None = None

    def close(self) -> None:
        """Close; never raises."""
        self._client.close()

    def read(
        self, cursor: datetime | None = None, end: datetime | None = None, last_read: datetime | None = None
    ) -> Iterator[Page | Position]:
        """Pages, and how far the source has been read.

        Args:
            cursor: Where an earlier reading ended; None = the declared start.
            end: Where to end, if the source can be asked so; None = with the newest.
            last_read: When that earlier reading was, by our clock: used as a span only.

        Raises:
            Retriable: the source does not answer, or its pages never hold still. What was handed over is good.
            Fatal: the login, the declaration or the source has to be put right first.
        """
        window = self._api.window
        if window is None:
            yield from self._settled(_Span(None))
            return
        yield from self._from(cursor - window.overlap if cursor else window.start, end)
        if cursor and last_read and self._clock and self._clock < cursor:
            _LOG.warning("%s: its clock has been put back to %s, before the cursor", self.resource, self._clock)
            self._newest = None
            away = max(datetime.now(UTC) - last_read, timedelta())
            for item in self._from(self._clock - away - window.overlap, end):
                yield Position(item.changed_until, rewound=True) if isinstance(item, Position) else item

    def _from(self, begin: datetime | None, end: datetime | None) -> Iterator[Page | Position]:
        if self._api.paging.kind == "keyset":
            yield from self._keyset(begin, end)
            return
        for span in self._spans(begin, end):
            yield from self._settled(span)
            yield from self._position(span)

    def _spans(self, begin: datetime | None, end: datetime | None) -> Iterator[_Span]:
        window = self._api.window
        assert window is not None
        if not window.slice_hours or begin is None:
            yield _Span(begin, end)
            return
        times, since = 1, begin
        while True:
            until = since + times * timedelta(hours=window.slice_hours)
            until = min(until, end) if end else until
            before = self._newest
            yield _Span(since if since == begin else since - window.overlap, until)
            if until >= (end or self._now()):
                return
            times = min(2 * times, _LONGEST_SLICES) if self._newest == before else 1
            since = until

    def _now(self) -> datetime:
        # Ours only where the source does not tell its own: as an upper bound it can make a reading longer, never lose.
        return self._clock or datetime.now(UTC)

    def _position(self, span: _Span) -> Iterator[Position]:
        if self._newest is None:
            return
        bounds = [self._newest, self._now(), *([span.end] if span.end else [])]
        if self._newest > self._now():
            _LOG.warning("%s: a record is dated %s, after the source's own clock", self.resource, self._newest)
        yield Position(min(bounds))

    # -- pages -------------------------------------------------------------------------------------------------------

    def _settled(self, span: _Span) -> Iterator[Page]:
        """Every page of a window, walked until nothing new comes."""
        api, seen = self._api, set[bytes]()
        walks = max(api.paging.walks, _LEAST_WALKS)
        for walk in range(1, walks + 1):
            count, shifting, fresh, blank = 0, False, False, False
            met: set[bytes] = set()
            total: int | None = None
            for page in self._walk(span):
                count += len(page.records)
                total = page.total
                # Alone on a page that is not full, nothing can have slipped away from it.
                moved = api.paging.shifts and (page.number > 1 or count >= api.paging.size)
                shifting = shifting or (bool(page.records) and (moved or blank))
                blank = blank or not page.records
                fresh = fresh or not page.settled <= seen
                met |= page.settled
                yield from self._handing_over(page, walk)
            seen |= met
            gap = total is not None and total > count
            if (walk == 1 and not shifting and not gap) or (walk > 1 and not fresh):
                if gap:
                    _LOG.warning("%s: counts %s records and shows %s", self.resource, total, count)
                return
        raise Retriable(
            f"{self.resource}: its pages still shift after {walks} walks; what came is loaded, and the next "
            "run reads the window again. A narrower window or keyset paging would end it"
        )

    def _handing_over(self, page: _Fetched, walk: int) -> Iterator[Page]:
        digest = hashlib.sha256(page.answer.body).digest()
        if digest in self._handed:
            return
        self._handed.add(digest)
        shown = {**page.query, "page": str(page.number)} | ({"walk": str(walk)} if walk > 1 else {})
        name = f"page-{page.number:06d}-{walk}.json"
        yield Page(RemoteFile(f"{self.prefix}{urlencode(shown)}", name, None, None), page.answer.body)

    def _walk(self, span: _Span) -> Iterator[_Fetched]:
        paging, shown = self._api.paging, self._asked(span)
        url, extra, linked = self._url, dict[str, str](), False
        visited, links = dict[bytes, int](), set[str]()
        empty = received = longest = 0
        for number in range(1, paging.most_pages + 1):
            if paging.kind == "page":
                extra = {paging.parameter: str(paging.first + number - 1)}
            elif paging.kind == "offset":
                extra = {paging.parameter: str(received)}
            query = {} if linked else {**self._api.request.parameters, **self._size(), **shown, **extra}
            page = self._fetch(url, query, shown, number)
            if page is None:
                return
            received += len(page.records)
            empty = 0 if page.records else empty + 1
            longest = max(longest, len(page.records))
            over = self._turned_back(page, visited, longest)
            yield page
            # A full page may have another behind it, whatever the source counts.
            whole = page.total is not None and received >= page.total and len(page.records) < paging.size
            if paging.kind == "none" or (
                paging.kind in ("page", "offset") and (over or whole or empty >= _EMPTY_PAGES)
            ):
                return
            if paging.kind in ("link", "cursor"):
                following = str(at(page.answer.content, paging.next) or "") if paging.next else page.answer.link
                if not following:
                    return
                if following in links:
                    raise Fatal(f"{self.resource}: page {number} names a next one that was read already, in a circle")
                links.add(following)
                linked = paging.kind == "link"
                url, extra = (
                    (urljoin(page.answer.url, following), {}) if linked else (url, {paging.parameter: following})
                )
        raise Fatal(
            f"{self.resource}: no end after {paging.most_pages} pages; see whether the source turns pages at all, or "
            f"raise most_pages in apis/{self._api.name}.toml"
        )

    def _turned_back(self, page: _Fetched, visited: dict[bytes, int], longest: int) -> bool:
        """Whether the page came before: the end, pushed on by new records, when it is shorter than others.

        Raises:
            Fatal: a page as long as the others has come for the third time, which is no chance any more.
        """
        if not page.records:
            return False
        content = hashlib.sha256(b"".join(sorted(page.marks))).digest()
        visited[content] = times = visited.get(content, 0) + 1
        if times > 1 and len(page.records) < longest:
            return True
        if times > _SAME_PAGE:
            raise Fatal(
                f"{self.resource}: page {page.number} repeats an earlier one again: the source does not turn pages by "
                f"'{self._api.paging.parameter}'; correct [paging] in apis/{self._api.name}.toml"
            )
        return False

    def _keyset(self, begin: datetime | None, end: datetime | None) -> Iterator[Page | Position]:
        """Each question begins at the moment of the last record. Every answer is whole, so the cursor goes along."""
        paging, seen = self._api.paging, set[bytes]()
        span, stumbled, full, length = _Span(begin, end), False, paging.size, 0
        for number in range(1, paging.most_pages + 1):
            shown = self._asked(span)
            page = self._fetch(self._url, {**self._api.request.parameters, **self._size(), **shown}, shown, number)
            if page is None:
                return
            moments = [moment for record in page.records if (moment := self._parser.changed(record))]
            if moments != sorted(moments):
                raise Fatal(
                    f"{self.resource}: its records are not in order of change, so keyset paging would lose some; "
                    f"declare another kind in apis/{self._api.name}.toml"
                )
            yield from self._handing_over(page, 1)
            yield from self._position(span)
            if seen and not page.records and not stumbled:
                # The question includes the last record, so an empty answer is none.
                stumbled = True
                continue
            if page.marks <= seen:
                cut = len(page.records) >= full or (page.total or 0) > len(page.records)
                if page.records and cut and not (moments and span.begin and moments[-1] > span.begin):
                    raise Fatal(
                        f"{self.resource}: {len(page.records)} records have the same moment of change and fill the "
                        f"page; raise size in apis/{self._api.name}.toml"
                    )
                return
            if seen:
                # There was more behind the page before, so that was as long as the source makes one.
                full = min(full, length)
            seen, length = seen | page.marks, len(page.records)
            if moments:
                span = _Span(max(moments[-1], begin or moments[-1]), end)
        raise Fatal(f"{self.resource}: no end after {paging.most_pages} pages; raise most_pages or size")

    # -- one question ------------------------------------------------------------------------------------------------

    def _asked(self, span: _Span) -> dict[str, str]:
        window = self._api.window
        asked: dict[str, str] = {}
        if window and span.begin:
            asked[window.since] = window.written(span.begin)
        if window and window.until and span.end:
            asked[window.until] = window.written(span.end)
        return asked

    def _size(self) -> dict[str, str]:
        paging = self._api.paging
        return {paging.size_parameter: str(paging.size)} if paging.kind != "none" and paging.size_parameter else {}

    def _fetch(self, url: str, query: dict[str, str], shown: dict[str, str], number: int) -> _Fetched | None:
        api = self._api
        midway = number > 1 and api.paging.kind in ("link", "cursor")
        answer = self._client.ask(
            url, query, method=api.request.method, read=self._content, ends=api.paging.end_statuses, midway=midway
        )
        if answer.status in api.paging.end_statuses:
            return None
        first = self._clock is None
        if first:
            self._clock = self._source_clock(answer)
        records = records_in(answer.content, api.records)
        assert records is not None
        total = str(at(answer.content, api.paging.total)) if api.paging.total else ""
        page = _Fetched(number, shown, answer, records, int(total) if total.isdigit() else None)
        horizon = self._now()
        for record in records:
            mark = hashlib.sha256(canonical(record, api.volatile).encode()).digest()
            page.marks.add(mark)
            changed = self._parser.changed(record)
            if changed is not None:
                self._newest = max(changed, self._newest or changed)
            if changed is None or changed <= horizon:
                page.settled.add(mark)
        return page

    def _content(self, body: bytes) -> Any:
        """The JSON of an answer that has records, and that says itself that all is well."""
        api = self._api
        content = json_of(body)
        said = at(content, api.success)
        said = str(said).lower() if isinstance(said, bool) else str(said)
        if api.success and said not in api.success_values:
            raise Unusable(f"answers with status 200, but says {api.success} = {said[:50]}")
        if records_in(content, api.records) is None:
            names = ", ".join(sorted(map(str, content)))[:200] if isinstance(content, dict) else "no object"
            raise Unusable(
                f"answers without a list at '{api.records}' (there is: {names}); if the source has changed, correct "
                f"apis/{api.name}.toml",
                lasting=True,
            )
        return content

    def _source_clock(self, answer: Answer) -> datetime | None:
        window = self._api.window
        if window and window.clock:
            layout = "" if window.format in ("iso", "utc") else window.format
            return readable_moment(
                at(answer.content, window.clock), Field("clock", window.clock, "moment", format=layout)
            )
        return answer.moment
