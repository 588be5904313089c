"""Search over citizens' texts: the portal's own search through its index, against looking into every text.

An embedded PostgreSQL of its own with 200,000 reports of a few invented words. ``portal.domains.citizen_feedback``
searches through ``to_tsvector`` and its GIN index; the peer folds and looks into each text with ``position``, as a
search without an index does (the portal's search over incidents, which are few). Both look for the same two words and
must find the same reports. Promise: the median of the index is at least ten times as fast.
"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Any

from bench.shared.promises import at_least
from bench.shared.server import running
from ioc import warehouse
from ioc.plain_text import PLAIN_SQL
from portal.database import Database
from portal.domains import citizen_feedback

if TYPE_CHECKING:
    from collections.abc import Callable

    from ioc.settings import Settings

_LIMIT = 10.0
_WORDS = ("rác", "thải", "đường", "nước", "trường", "chợ", "xe", "đèn", "cống", "khói", "tiếng", "ồn", "hồ", "sơ")
_TABLES = """
create table serving.rpt_citizen_feedback_text as
select
    'PA-' || n as report_code, '14797' as unit_code, 'Phản ánh ' || n as title, s.said as content,
    {folded} as search_text, now() - n * interval '1 minute' as begun_at
from generate_series(1, {count}) as n
cross join lateral (
    select string_agg(({words})[1 + (n * 7919 + place * place * 104729) % {most}], ' ' order by place)
        || case when n % 5000 = 0 then ' cầu phao gãy' else '' end as said
    from generate_series(1, 40) as place
) as s;
create index on serving.rpt_citizen_feedback_text using gin (to_tsvector('simple'::regconfig, search_text));
create unique index on serving.rpt_citizen_feedback_text (report_code);
create table serving.rpt_citizen_feedback_report as
select
    report_code, ''::text as report_link,
    'Phường Hạc Thành'::text as unit_name, 'Giao thông'::text as field_name, 'Mới'::text as status_name,
    'Trong hạn'::text as deadline_state, begun_at
from serving.rpt_citizen_feedback_text;
create unique index on serving.rpt_citizen_feedback_report (report_code);
grant select on all tables in schema serving to ioc_portal;
analyze;
"""
_PEER = f"""
select report_code from serving.rpt_citizen_feedback_text
where position('cau phao' in {PLAIN_SQL.format("content")}) > 0
order by begun_at desc limit 50
"""


def run(*, quick: bool = False) -> dict[str, Any]:
    """Measure; see the module's docstring."""
    count, rounds = (2_000, 3) if quick else (200_000, 15)
    with running() as settings:
        database = Database(settings)
        _fill(settings, count)
        database.open()
        try:
            ours, found = _timed(lambda: citizen_feedback.search(database, "cầu phao", None), rounds)
            peer, expected = _timed(lambda: database.rows(_PEER), rounds)
        finally:
            database.close()
    if [row["report_code"] for row in found] != [row["report_code"] for row in expected]:
        raise RuntimeError("the two searches do not find the same reports")
    return {
        "figures": {"reports": count, "found": len(found), "index_ms": round(ours, 2), "scan_ms": round(peer, 2)},
        "promises": {"search_against_scan": at_least(peer / ours, _LIMIT)},
    }


def _fill(settings: Settings, count: int) -> None:
    words = "array[" + ", ".join(f"'{word}'" for word in _WORDS) + "]"
    statement = _TABLES.format(folded=PLAIN_SQL.format("s.said"), count=count, words=words, most=len(_WORDS))
    with warehouse.connect("owner", settings) as connection:
        connection.execute(statement.encode())


def _timed(act: Callable[[], list[dict[str, Any]]], rounds: int) -> tuple[float, list[dict[str, Any]]]:
    """Median milliseconds of ``rounds`` calls after one to warm up, and the last answer."""
    times, answer = [], act()
    for _ in range(rounds):
        began = time.perf_counter()
        answer = act()
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times), answer
