"""What people find on the page of documents, and that officers find their own unit's only."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from ioc import warehouse
from portal.domains import pages
from portal.users import User
from tests.integration.portal.conftest import Person

if TYPE_CHECKING:
    from fastapi import FastAPI

    from ioc.settings import Settings

_INSERT = """
    insert into serving.rpt_documents_document (
        kind, kind_label, document_id, item_link, abstract, unit_code, unit_name, urgency_label, urgency_level, due_at,
        overdue_hours, left_hours, is_overdue, is_near_due, is_overdue_finished, is_in_time_open, is_finished_in_time,
        is_without_due
    ) values (
        'incoming', 'Văn bản đến', %(id)s, %(id)s, 'Báo cáo <b>khẩn</b>', %(unit)s, %(name)s, 'Khẩn', 1, %(due)s, 5, 5,
        %(overdue)s, %(near)s, false, %(open)s, false, false
    )
"""


@pytest.fixture
def filled(app: FastAPI, settings: Settings) -> FastAPI:
    now = datetime.now(UTC)
    units = {"SXD": "Sở Xây dựng", "SNNMT": "Sở Nông nghiệp và Môi trường"}
    with warehouse.connect("transformer", settings) as connection:
        connection.execute("truncate serving.rpt_documents_document")
        for number, (unit, group) in enumerate((u, g) for u in units for g in ("overdue", "overdue", "near", "open")):
            connection.execute(
                _INSERT,
                {
                    "id": f"VB-{unit}-{number}", "unit": unit, "name": units[unit],
                    "due": now + timedelta(hours=number - 5),
                    **{name: name == group for name in ("overdue", "near", "open")},
                },
            )  # fmt: skip
    return app


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def test_a_leader_sees_every_unit_and_the_tile_counts_what_is_overdue(filled: FastAPI, settings: Settings) -> None:
    leader = Person(filled, settings)
    leader.sign_in("lanhdao")
    html = leader.text("/linh-vuc/documents")
    text = words(html)
    assert "4 văn bản đang quá hạn, 2 văn bản đến hạn trong 24 giờ tới." in text
    assert "Cộng 8 4 2 0 2" in text
    assert "VB-SXD-0" in text
    assert "VB-SNNMT-4" in text
    assert "Báo cáo &lt;b&gt;khẩn&lt;/b&gt;" in html
    overview = words(leader.text("/"))
    assert "văn bản quá hạn xử lý" in overview
    assert "2 văn bản đến hạn trong 24 giờ tới" in overview


def test_an_officer_sees_the_own_unit_only(filled: FastAPI, settings: Settings) -> None:
    officer = Person(filled, settings)
    officer.sign_in("truc")
    text = words(officer.text("/linh-vuc/documents"))
    assert "2 văn bản đang quá hạn, 1 văn bản đến hạn trong 24 giờ tới." in text
    assert "VB-SNNMT-4" in text
    assert "Sở Xây dựng" not in text
    assert "VB-SXD" not in text


def test_the_dashboard_is_narrowed_to_the_officer_s_unit() -> None:
    narrowed = pages()["documents"].row_filters
    (row_filter,) = narrowed(User(1, "truc", "Trực", "officer", "SNNMT"))
    assert (row_filter.column, list(row_filter.values)) == ("unit_code", ["SNNMT"])
    assert narrowed(User(2, "lanhdao", "Lãnh đạo", "leader", None)) == []


def test_before_the_first_document_the_page_says_so(app: FastAPI, settings: Settings) -> None:
    with warehouse.connect("transformer", settings) as connection:
        connection.execute("truncate serving.rpt_documents_document")
    leader = Person(app, settings)
    leader.sign_in("lanhdao")
    assert "Chưa có văn bản nào" in words(leader.text("/linh-vuc/documents"))
