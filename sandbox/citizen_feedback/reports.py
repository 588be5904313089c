"""The lives of reports, planned from the seed: what the office writes into each, and when.

A :class:`Life` collects what happens to one report; :func:`plan` makes ordinary lives, :mod:`.stories` planted ones.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from random import Random
from typing import Any

from ioc.settings import PROJECT_ROOT
from sandbox.api import VIETNAM
from sandbox.citizen_feedback import words
from sandbox.store import Change

# Reports in a day: of the history that is shown, of the stock before it, and to come.
PER_DAY, PER_DAY_BEFORE = 58, 18
STOCK_DAYS = 60
_BUSY_HOURS = (0, 0, 0, 0, 0, 1, 3, 6, 9, 9, 8, 6, 4, 5, 7, 8, 7, 6, 6, 7, 6, 4, 2, 1)
# The office decides quickly, communes answer within days, a few are late.
_REJECTED, _REOPENED, _TRANSFERRED, _UNANSWERED = 0.04, 0.025, 0.08, 0.006


@dataclass(frozen=True)
class Commune:
    """One of the 166."""

    code: str
    name: str
    longitude: float
    latitude: float


@lru_cache(maxsize=1)
def communes() -> tuple[Commune, ...]:
    """The province's communes, from the registry that the platform ships."""
    with (PROJECT_ROOT / "dbt_project" / "seeds" / "shared" / "commune.csv").open(encoding="utf-8", newline="") as file:
        return tuple(
            Commune(row["commune_code"], row["full_name_vi"], float(row["longitude"]), float(row["latitude"]))
            for row in csv.DictReader(file)
        )


def commune(code: str) -> Commune:
    return next(one for one in communes() if one.code == code)


def written(at: datetime | None) -> str | None:
    """A moment as the source writes it: Vietnamese civil time without offset."""
    return at.astimezone(VIETNAM).strftime("%d/%m/%Y %H:%M:%S") if at else None


@dataclass
class Life:
    """What happens to one report.

    Attributes:
        key: Its code.
        changes: What the office's store goes through; each change carries the whole list of steps so far.
    """

    key: str
    changes: list[Change] = field(default_factory=list)
    _steps: list[dict[str, Any]] = field(default_factory=list)

    def happens(
        self,
        at: datetime,
        fields: dict[str, Any],
        action: str = "",
        unit: dict[str, Any] | None = None,
        *,
        step_at: datetime | None = None,
        stamped: datetime | None = None,
    ) -> None:
        """Let ``fields`` change at ``at``, with a step of the handling log when ``action`` names one."""
        if action:
            step = {"thuTu": len(self._steps) + 1, "thoiGian": written(step_at or at), "hanhDong": action}
            self._steps = [*self._steps, {**step, "donViNhan": unit}]
        self.changes.append(Change(at, self.key, {**fields, "cacBuoc": self._steps}, stamped))


def typed(random: Random, code: str) -> dict[str, str | None]:
    """A unit as the source names it: often with its code, always as somebody typed it."""
    if code in words.DEPARTMENTS:
        name = random.choice(words.DEPARTMENTS[code])
    else:
        name = words.unit_as_typed(random, commune(code).name)
    return {"ma": code if random.random() < 0.6 else None, "ten": name}


def opening(
    random: Random, sent: datetime, place: Commune, topic: str, *, title: str = "", personal: float = 0.06
) -> dict[str, Any]:
    """The fields of a report as its sender leaves it."""
    _, _, titles, contents = words.FIELDS[topic]
    who = words.sender(random, place.name)
    content = random.choice(contents)
    if random.random() < personal:
        content += words.signed(random, who)
    has_code = random.random() < 0.9
    return {
        "tieuDe": title or random.choice(titles),
        "noiDung": content,
        "linhVuc": topic,
        "kenh": random.choices(list(words.CHANNELS), list(words.CHANNELS.values()))[0],
        "thoiGianGui": written(sent),
        "maDvhc": place.code if has_code else None,
        "tenDvhc": words.unit_as_typed(random, place.name) if not has_code or random.random() < 0.3 else place.name,
        "viDo": round(place.latitude + random.uniform(-0.015, 0.015), 5),
        "kinhDo": round(place.longitude + random.uniform(-0.015, 0.015), 5),
        "hinhAnh": [f"/anh/{random.randrange(10**8):08d}.jpg"] if random.random() < 0.4 else [],
        "nguoiGui": who,
        "trangThai": "Mới",
    }


def _day_of_life(random: Random, day: datetime) -> datetime:
    hour = random.choices(range(24), _BUSY_HOURS)[0]
    return day + timedelta(hours=hour, minutes=random.randrange(60), seconds=random.randrange(60))


def _at_five(moment: datetime) -> datetime:
    """Five o'clock in the afternoon of the day: when offices close."""
    return moment.astimezone(VIETNAM).replace(hour=17, minute=0, second=0)


def ordinary(key: str, random: Random, sent: datetime) -> Life:
    """A report whose life has nothing special."""
    life = Life(key)
    places = communes()
    # Towns write more: a third of all reports come from twelve wards.
    place = random.choice(places[:3] if random.random() < 0.12 else places)
    topic = random.choices(list(words.FIELDS), [weight for weight, *_ in words.FIELDS.values()])[0]
    department = words.FIELDS[topic][1]
    life.happens(sent, opening(random, sent, place, topic))
    received = sent + timedelta(hours=random.uniform(0.3, 20))
    life.happens(received, {"trangThai": "Đã tiếp nhận", "thoiGianTiepNhan": written(received)}, "Tiếp nhận")
    if random.random() < _REJECTED:
        end = received + timedelta(hours=random.uniform(2, 40))
        life.happens(end, {"trangThai": "Từ chối", "thoiGianXuLyXong": written(end)}, "Từ chối")
        return life
    code = place.code if random.random() < 0.7 else department
    at = received + timedelta(hours=random.uniform(0.2, 6))
    due = (
        (received + timedelta(days=random.choice((7, 10, 15, 15))))
        .astimezone(VIETNAM)
        .replace(hour=17, minute=0, second=0)
    )
    fields: dict[str, Any] = {"trangThai": "Đang xử lý", "donViXuLy": typed(random, code)}
    if random.random() < 0.9:
        fields["hanXuLy"] = written(due)
    life.happens(at, fields, "Chuyển xử lý", fields["donViXuLy"])
    while random.random() < _TRANSFERRED:
        at += timedelta(hours=random.uniform(4, 60))
        unit = typed(random, department if code == place.code else place.code)
        life.happens(
            at, {"donViXuLy": unit, "trangThai": random.choice(("Đang xử lý", "Đang xử lí"))}, "Chuyển xử lý", unit
        )
    if random.random() < _UNANSWERED:
        return life
    days = min(random.lognormvariate(1.55, 0.62), 24)
    answered = at + timedelta(days=days)
    close(life, random, answered)
    return life


def close(life: Life, random: Random, answered: datetime) -> None:
    """Answer, publish, perhaps a rating, perhaps opened again and answered once more."""
    life.happens(answered, {"trangThai": "Đã trả lời", "thoiGianXuLyXong": written(answered)}, "Trả lời")
    published = answered + timedelta(hours=random.uniform(1, 45))
    life.happens(published, {"trangThai": "Đã công khai", "thoiGianCongKhai": written(published)}, "Công khai")
    rated = published + timedelta(hours=random.uniform(1, 60))
    if random.random() < _REOPENED:
        life.happens(rated, {"trangThai": "Đang xử lý", "thoiGianXuLyXong": None, "thoiGianCongKhai": None}, "Mở lại")
        again = rated + timedelta(days=random.uniform(1, 5))
        life.happens(again, {"trangThai": "Đã trả lời", "thoiGianXuLyXong": written(again)}, "Trả lời")
        rated = again + timedelta(hours=30)
        life.happens(rated, {"trangThai": "Đã công khai", "thoiGianCongKhai": written(rated)}, "Công khai")
        rated += timedelta(hours=5)
    if random.random() < 0.35:
        score = random.choices((5, 4, 3, 2, 1), (30, 34, 18, 11, 7))[0]
        said = {5: "Rất hài lòng", 4: "Hài lòng", 3: "Bình thường"}.get(score) if random.random() < 0.2 else None
        life.happens(rated, {"danhGia": said or str(score)})


def plan(seed: int, anchor: datetime, days: int, ahead: int = 14) -> list[Change]:
    """Every ordinary change of ``days`` of history up to ``anchor``, the stock before it, ``ahead`` days to come."""
    midnight = anchor.astimezone(VIETNAM).replace(hour=0, minute=0, second=0, microsecond=0)
    changes: list[Change] = []
    for day_number in range(-days - min(STOCK_DAYS, 2 * days), ahead):
        day = midnight + timedelta(days=day_number)
        random = Random(f"{seed}:{day_number}")
        weekend = 0.6 if day.weekday() >= 5 else 1.0
        count = round((PER_DAY if day_number >= -days else PER_DAY_BEFORE) * weekend * random.uniform(0.85, 1.15))
        for number in range(count):
            # Of its own, so that one more report leaves the others as they are.
            own = Random(f"{seed}:{day_number}:{number}")
            changes += ordinary(f"PA-{day:%y%m%d}-{number + 1:04d}", own, _day_of_life(own, day)).changes
    return changes
