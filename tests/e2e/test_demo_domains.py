"""What the demonstration has loaded: every live domain through Airflow, its history, links that lead somewhere."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

import pytest
import requests

from ioc import warehouse
from ioc.domains import all_domains
from ioc.stack import environment

if TYPE_CHECKING:
    from ioc.settings import Settings

pytestmark = [pytest.mark.stack, pytest.mark.timeout(1200)]

LIVE = sorted(domain.name for domain in all_domains() if domain.status == "live")
# Per domain, a served table and the civil day of its rows.
HISTORY = {
    "air_quality": ("rpt_air_quality_hourly", "(hour_ending - interval '1 hour')::date"),
    "citizen_feedback": ("rpt_citizen_feedback_daily", "day"),
    "documents": ("rpt_documents_daily", "day"),
    "fishing_vessels": ("rpt_fishing_vessels_hourly", "hour_at::date"),
    "industrial_discharge": ("rpt_industrial_discharge_hourly", "(hour_ending - interval '1 hour')::date"),
    "public_services": ("rpt_public_services_daily", "as_of_day"),
}


def test_every_live_domain_was_published_by_airflow(stack: Settings) -> None:
    with warehouse.connect("owner", stack) as connection:
        published = connection.execute(
            "select domain from ops.load_batch where status = 'published' and airflow_run_id is not null "
            "group by domain having sum(loaded_count) > 0 order by domain"
        ).fetchall()
        stopped = connection.execute(
            "select domain, status, message from ops.load_batch where status in ('failed', 'quarantined')"
        ).fetchall()
    assert [domain for (domain,) in published] == LIVE
    assert stopped == []


def test_every_live_domain_has_its_history(stack: Settings) -> None:
    assert sorted(HISTORY) == LIVE, "a domain that has gone live belongs here too"
    with warehouse.connect("owner", stack) as connection:
        connection.execute("set timezone = 'Asia/Ho_Chi_Minh'")
        for domain, (table, day) in HISTORY.items():
            row = connection.execute(
                f"select count(distinct {day}), min({day}) <= current_date - 1, max({day}) >= current_date - 1 "
                f"from serving.{table}"
            ).fetchone()
            assert row is not None
            assert (row[0] >= stack.sandbox_days, *row[1:]) == (True, True, True), domain


def test_an_item_of_every_list_opens_in_the_system_that_it_comes_from(stack: Settings) -> None:
    pages = {
        name.removeprefix("IOC_ITEM_URL_").lower(): address
        for name, address in environment.sources(stack).items()
        if name.startswith("IOC_ITEM_URL_")
    }
    assert len(pages) >= 4
    with warehouse.connect("owner", stack) as connection:
        columns = connection.execute(
            "select table_name, column_name from information_schema.columns "
            "where table_schema = 'serving' and column_name like '%\\_link'"
        ).fetchall()
        tried = set()
        for domain, address in pages.items():
            for table, column in columns:
                if not table.startswith(f"rpt_{domain}_"):
                    continue
                row = connection.execute(
                    f"select {column} from serving.{table} where {column} like '<a %' limit 1"
                ).fetchone()
                assert row is not None, f"{table}.{column} links nothing"
                found = re.search(r'href="([^"]+)"', row[0])
                assert found is not None
                link = unescape(found[1])
                assert link.startswith(address.partition("{id}")[0])
                answer = requests.get(link, timeout=10)
                assert answer.status_code == 200, link
                assert "Không tìm thấy" not in answer.text
                tried.add(domain)
    assert tried == pages.keys()
