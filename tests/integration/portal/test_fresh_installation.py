"""Before the first load and transform every page opens and says what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.portal.conftest import Person

if TYPE_CHECKING:
    from fastapi import FastAPI

    from ioc.settings import Settings


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/", "Chưa có số liệu"),
        ("/linh-vuc/air_quality", "Kỹ sư chạy lần đầu: ioc load air_quality"),
        ("/linh-vuc/health", "Sắp triển khai"),
        ("/canh-bao", "Không có cảnh báo nào đang mở."),
        ("/hop-thu", "Chưa có tin nào"),
        ("/ky-su", "Chưa có số liệu về đường dữ liệu"),
        ("/cong-dan", "Chưa có số liệu công khai"),
        ("/api/public", "/api/public/air_quality"),
    ],
)
def test_an_empty_page_says_what_to_do(fresh: FastAPI, settings: Settings, path: str, sentence: str) -> None:
    engineer = Person(fresh, settings)
    engineer.sign_in("kysu")
    assert sentence in engineer.text(path)


def test_the_public_api_is_empty_not_broken(fresh: FastAPI, settings: Settings) -> None:
    assert Person(fresh, settings).get("/api/public/air_quality").json()["stations"] == []


def test_ready_means_migrated(fresh: FastAPI, settings: Settings) -> None:
    assert Person(fresh, settings).get("/ready").json() == {"status": "ok"}
