"""Every text has its English, and numbers and times are written as people write them."""

from __future__ import annotations

import ast
import csv
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from portal import language
from portal.language import Language

ROOT = Path(__file__).resolve().parents[3]
_DIACRITIC = re.compile(r"[ăâđêôơưàáảãạằắẳẵặầấẩẫậèéẻẽẹềếểễệìíỉĩịòóỏõọồốổỗộờớởỡợùúủũụừứửữựỳýỷỹỵ]", re.IGNORECASE)
# Not texts of pages: data, names of the first users, docstrings of the open data's description.
_DATA = re.compile(
    r"^(Phường$|Chỉ gồm dữ liệu|Dữ liệu mở -|Không đổi so với ETag|Bảng phân tích chưa được|Cần đăng nhập)"
)


def texts_of_templates(folder: Path) -> set[str]:
    """The Vietnamese of every ``t("…")`` and of every choice ``t({"key": "…"}[…])``."""
    found = set()
    for path in folder.rglob("*.html"):
        source = path.read_text(encoding="utf-8")
        found |= {one or two for one, two in re.findall(r"""\bt\(\s*(?:"([^"]*)"|'([^']*)')""", source)}
        for choice in re.findall(r"\bt\(\{(.*?)\}", source, re.DOTALL):
            found |= set(re.findall(r':\s*"([^"]*)"', choice))
    return found


def texts_of_code(folder: Path) -> set[str]:
    """Every Vietnamese string constant that is no docstring."""
    found = set()
    for path in folder.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        docstrings = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and node.body and isinstance(node.body[0], ast.Expr)
        }  # fmt: skip
        found |= {
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings
            and _DIACRITIC.search(node.value)
        }  # fmt: skip
    return found


def missing(folder: Path) -> set[str]:
    from portal.users import INITIAL_USERS

    names = {display_name for display_name, _, _ in INITIAL_USERS.values()}
    wanted = texts_of_templates(folder) | {text for text in texts_of_code(folder) if not _DATA.match(text)}
    answers = {text for text in wanted if text.startswith("Trung tâm điều hành thông minh tỉnh Thanh Hóa;")}
    return wanted - set(language.english()) - names - answers


def test_every_text_has_its_english() -> None:
    assert missing(ROOT / "portal") == set()


def test_a_text_without_english_is_found(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text('{{ t("Một câu mới") }}{{ t({"a": "hai", "b": "chưa dịch"}[x]) }}')
    (tmp_path / "page.py").write_text('"""Chú thích."""\nSENTENCE = "Câu của mã"\n')
    assert missing(tmp_path) == {"Một câu mới", "hai", "chưa dịch", "Câu của mã"}


def test_levels_and_advice_of_the_data_have_their_english() -> None:
    seed = (ROOT / "dbt_project/seeds/air_quality/air_aqi_category.csv").read_text(encoding="utf-8")

    for row in csv.DictReader(seed.splitlines()):
        assert Language("en").text(row["category_vi"]) == row["category_en"]
        assert row["health_advice_vi"] in language.english(), row["health_advice_vi"]


def test_placeholders_are_the_same_in_both_languages() -> None:
    for vietnamese, english in language.english().items():
        assert set(re.findall(r"\{(\w+)\}", vietnamese)) == set(re.findall(r"\{(\w+)\}", english)), vietnamese


def test_the_legend_is_the_regulations_scale() -> None:
    from portal.domains.air_quality.stations import SCALE

    seed = (ROOT / "dbt_project/seeds/air_quality/air_aqi_category.csv").read_text(encoding="utf-8")

    rows = list(csv.DictReader(seed.splitlines()))
    assert [(step["range"], step["category"], step["colour"]) for step in SCALE] == [
        (f"{row['aqi_from']}–{row['aqi_to']}", row["category_vi"], row["color_hex"]) for row in rows
    ]


@pytest.mark.parametrize(
    ("value", "digits", "vietnamese", "english"),
    [
        (1234.5, 1, "1.234,5", "1,234.5"),
        (Decimal("0.07"), 2, "0,07", "0.07"),
        (20736, 0, "20.736", "20,736"),
        (None, 1, "–", "–"),
    ],
)
def test_numbers(value: float | None, digits: int, vietnamese: str, english: str) -> None:
    assert Language("vi").number(value, digits) == vietnamese
    assert Language("en").number(value, digits) == english


@pytest.mark.parametrize(("value", "text"), [(171.0, "171"), (1.25, "1,25"), (0.5, "0,5"), (None, "–"), (1.999, "2")])
def test_plain_values_carry_no_idle_zeros(value: float | None, text: str) -> None:
    assert Language("vi").plain(value) == text


def test_times_are_vietnams() -> None:
    midnight = datetime(2026, 3, 5, 17, 0, tzinfo=UTC)
    assert Language("vi").time(midnight) == "00:00 06/03/2026"
    assert Language("vi").path_hour(midnight) == "2026-03-06T00:00"


@pytest.mark.parametrize(
    ("minutes", "vietnamese", "english"),
    [
        (0, "vừa xong", "just now"),
        (59, "59 phút trước", "59 min ago"),
        (60, "1 giờ trước", "1 h ago"),
        (2879, "47 giờ trước", "47 h ago"),
        (2880, "2 ngày trước", "2 days ago"),
    ],
)
def test_ages(minutes: int, vietnamese: str, english: str) -> None:
    now = datetime(2026, 3, 6, tzinfo=UTC)
    moment = now - timedelta(minutes=minutes)
    assert Language("vi").ago(moment, now) == vietnamese
    assert Language("en").ago(moment, now) == english
    assert Language("vi").ago(None) == "chưa có"


def test_domains_have_titles_in_both_languages() -> None:
    from ioc.domains import all_domains

    assert all(domain.title_vi and domain.title_en and domain.title_vi != domain.title_en for domain in all_domains())
