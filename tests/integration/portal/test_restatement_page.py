"""The page of late and corrected data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ioc import warehouse
from tests.integration.portal.test_pages import words

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI

    from ioc.settings import Settings
    from tests.integration.portal.conftest import Person


@pytest.fixture
def corrected(app: FastAPI, settings: Settings) -> None:  # noqa: ARG001
    """One row that came behind the watermark of an open incident's series."""
    with warehouse.connect("owner", settings) as connection:
        connection.execute(
            """
            insert into alert.late_observation (rule_id, entity_type, entity_id, period_end, revision, value, quality,
                watermark, recorded_at)
            select st.rule_id, st.entity_type, st.entity_id, watermark - interval '1 hour', 2, 40, 'ok', watermark,
                '2026-03-07T09:00:00+07:00'
            from alert.series_state st join alert.rule r using (rule_id)
            where incident_id is not null and r.code = 'air_quality.aqi_h' order by st.entity_id limit 1
            on conflict do nothing
            """
        )


@pytest.mark.usefixtures("corrected")
def test_a_day_with_corrected_data_is_listed_with_what_it_would_change(signed_in: Callable[[str], Person]) -> None:
    page = words(signed_in("truc").text("/so-lieu-sua"))
    assert "07/03/2026" in page
    assert "1 chuỗi, 1 dòng" in page
    assert "Chất lượng không khí" in page
    assert "/so-lieu-sua" in signed_in("kysu").text("/dieu-hanh")


@pytest.mark.usefixtures("corrected")
def test_a_day_without_any_says_so_and_one_that_is_none_does_not_exist(signed_in: Callable[[str], Person]) -> None:
    person = signed_in("lanhdao")
    assert "Không có số liệu sửa hay đến muộn" in person.text("/so-lieu-sua?ngay=2020-01-01")
    assert person.get("/so-lieu-sua?ngay=hom-qua").status_code == 404


def test_nobody_sees_it_without_signing_in(app: FastAPI, fresh: FastAPI, settings: Settings) -> None:  # noqa: ARG001
    from tests.integration.portal.conftest import Person

    assert Person(app, settings).get("/so-lieu-sua").status_code in {302, 303, 307}
