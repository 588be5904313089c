"""Vietnamese first, English beside it.

Templates and pages carry the Vietnamese text itself; the files of ``english/`` hold the English of each. A text without
an entry stays Vietnamese, and a test fails on it.
"""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args
from zoneinfo import ZoneInfo

from ioc.settings import TIME_ZONE

if TYPE_CHECKING:
    from datetime import timedelta
    from decimal import Decimal

Code = Literal["vi", "en"]
CODES: tuple[Code, ...] = get_args(Code)
COOKIE = "ioc_lang"
ZONE = ZoneInfo(TIME_ZONE)


@lru_cache(maxsize=1)
def english() -> dict[str, str]:
    """Vietnamese text → English text."""
    folder = Path(__file__).resolve().parent / "english"
    return {
        str(vi): str(en)
        for path in sorted(folder.glob("*.toml"))
        for vi, en in tomllib.loads(path.read_text(encoding="utf-8")).items()
    }


def code_of(cookie: str | None) -> Code:
    """The language that a cookie asks for; anything unknown is Vietnamese."""
    return "en" if cookie == "en" else "vi"


class Language:
    """Texts, numbers and times for one reader."""

    def __init__(self, code: Code) -> None:
        self.code = code

    def text(self, vietnamese: str, **values: object) -> str:
        """The text in this language; ``{name}`` takes a value."""
        text = english().get(vietnamese, vietnamese) if self.code == "en" else vietnamese
        return text.format(**values) if values else text

    def number(self, value: float | Decimal | int | None, digits: int = 0) -> str:
        """1234.5 → ``1.234,5`` in Vietnamese, ``1,234.5`` in English; a missing value is a dash."""
        if value is None:
            return "–"
        text = f"{value:,.{digits}f}"
        return text.translate(str.maketrans(",.", ".,")) if self.code == "vi" else text

    def plain(self, value: float | Decimal | None) -> str:
        """A measured value with at most two decimals, without trailing zeros."""
        if value is None:
            return "–"
        digits = next(n for n in (0, 1, 2) if n == 2 or round(float(value), n) == round(float(value), 2))
        return self.number(value, digits)

    def time(self, moment: datetime | None) -> str:
        """``14:00 22/11/2026``, Vietnam time."""
        return moment.astimezone(ZONE).strftime("%H:%M %d/%m/%Y") if moment else "–"

    def hour(self, moment: datetime | None) -> str:
        """``14:00``, Vietnam time."""
        return moment.astimezone(ZONE).strftime("%H:%M") if moment else "–"

    def tick(self, moment: datetime) -> str:
        """A mark of a time axis: ``14:00``, and ``22/11`` at midnight."""
        return moment.astimezone(ZONE).strftime("%d/%m" if moment.astimezone(ZONE).hour == 0 else "%H:%M")

    def date(self, moment: datetime | None) -> str:
        """``22/11/2026``, Vietnam time."""
        return moment.astimezone(ZONE).strftime("%d/%m/%Y") if moment else "–"

    def path_hour(self, moment: datetime) -> str:
        """``2026-11-22T14:00``, Vietnam time, as paths carry it."""
        return moment.astimezone(ZONE).strftime("%Y-%m-%dT%H:%M")

    def span(self, length: timedelta) -> str:
        """How long: ``25 phút``, ``3 giờ 20 phút``, ``2 ngày 4 giờ``."""
        minutes = max(0, int(length.total_seconds() // 60))
        days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
        if days:
            parts = [self.text("{n} ngày", n=days), self.text("{n} giờ", n=hours) if hours else ""]
        else:
            parts = [self.text("{n} giờ", n=hours) if hours else "", self.text("{n} phút", n=rest) if rest else ""]
        return " ".join(part for part in parts if part) or self.text("{n} phút", n=0)

    def field(self, moment: datetime | None) -> str:
        """``2026-11-22T14:00``, Vietnam time: the value of a form's date and time."""
        return self.path_hour(moment) if moment else ""

    def ago(self, moment: datetime | None, now: datetime | None = None) -> str:
        """How long ago: ``vừa xong``, ``12 phút trước``, ``3 giờ trước``, ``5 ngày trước``."""
        if moment is None:
            return self.text("chưa có")
        minutes = int(((now or datetime.now(UTC)) - moment).total_seconds() // 60)
        if minutes < 1:
            return self.text("vừa xong")
        if minutes < 60:
            return self.text("{n} phút trước", n=minutes)
        if minutes < 48 * 60:
            return self.text("{n} giờ trước", n=minutes // 60)
        return self.text("{n} ngày trước", n=minutes // 1440)
