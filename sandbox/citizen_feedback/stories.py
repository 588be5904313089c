"""The planted stories; README.md of this folder says what must come of each. Hours count from the anchor."""

from __future__ import annotations

import unicodedata
from datetime import datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

from sandbox.api import VIETNAM
from sandbox.citizen_feedback import words
from sandbox.citizen_feedback.reports import Life, close, commune, opening, typed, written

if TYPE_CHECKING:
    from sandbox.store import Change

# The commune with the pile, and the wards of the surges (rubbish now, water a few hours after the anchor).
PILE, RUBBISH, WATER = "15865", "16531", "14812"
PILE_COUNT, RUBBISH_COUNT, WATER_COUNT = 14, 24, 16
TRAVELLER, REOPENED, BACKWARDS, FUTURE, LATE = "PA-DI-VONG", "PA-MO-LAI", "PA-LUI", "PA-TUONG-LAI", "PA-NHAP-MUON"
NO_DEADLINE, ORIGINAL = "PA-KHONG-HAN", "PA-GOC"
# Names before 1/7/2025: of one successor, of two, and a thị trấn.
FORMER = ("Xã Hoằng Lưu", "Phường Đông Thọ", "Thị trấn Bút Sơn")


def plan(seed: int, anchor: datetime) -> list[Change]:
    """The changes of all stories."""
    random = Random(f"{seed}:stories")
    lives = [
        *_pile(random, anchor), *_rubbish(random, anchor), *_water(random, anchor),
        *_duplicates(random, anchor), *_former(random),
        _traveller(random, anchor), _reopened(random, anchor), _backwards(random, anchor), _future(random, anchor),
        _late(random, anchor), _no_deadline(random, anchor), *_strange(random, anchor),
    ]  # fmt: skip
    return [change for life in lives for change in life.changes]


def _taken_in(
    key: str, random: Random, sent: datetime, place: str, topic: str, *, title: str = "", unit: str = "",
    due_days: float | None = 10, personal: float = 0.06,
) -> Life:  # fmt: skip
    life = Life(key)
    life.happens(sent, opening(random, sent, commune(place), topic, title=title, personal=personal))
    received = sent + timedelta(hours=2)
    life.happens(received, {"trangThai": "Đã tiếp nhận", "thoiGianTiepNhan": written(received)}, "Tiếp nhận")
    fields: dict[str, Any] = {"trangThai": "Đang xử lý", "donViXuLy": typed(random, unit or place)}
    if due_days is not None:
        due = (received + timedelta(days=due_days)).astimezone(VIETNAM).replace(hour=17, minute=0, second=0)
        fields["hanXuLy"] = written(due)
    life.happens(received + timedelta(hours=1), fields, "Chuyển xử lý", fields["donViXuLy"])
    return life


def _pile(random: Random, anchor: datetime) -> list[Life]:
    """Roads of one commune: nobody answers; a day and a half from now six of them are."""
    lives = []
    for number in range(PILE_COUNT):
        sent = anchor - timedelta(days=26 - number * 0.4)
        life = _taken_in(
            f"PA-DUONG-{number + 1:02d}", random, sent, PILE, "Hạ tầng kỹ thuật", title="Đường hỏng, nhiều ổ gà"
        )
        if number < 6:
            close(life, random, anchor + timedelta(hours=36 + number))
        lives.append(life)
    return lives


def _surge(random: Random, keys: list[str], begin: datetime, place: str, topic: tuple[str, str]) -> list[Life]:
    """Many reports of one thing in one ward within fifteen hours."""
    lives = []
    for number, key in enumerate(keys):
        sent = begin + timedelta(hours=15 * number / len(keys))
        life = _taken_in(key, random, sent, place, topic[0], title=topic[1], personal=0.25)
        close(life, random, sent + timedelta(days=random.uniform(3, 8)))
        lives.append(life)
    return lives


def _rubbish(random: Random, anchor: datetime) -> list[Life]:
    keys = [f"PA-RAC-{number + 1:02d}" for number in range(RUBBISH_COUNT)]
    topic = ("Môi trường", "Rác thải chưa được thu gom")
    return _surge(random, keys, anchor - timedelta(hours=20), RUBBISH, topic)


def _water(random: Random, anchor: datetime) -> list[Life]:
    keys = [f"PA-NUOC-{number + 1:02d}" for number in range(WATER_COUNT)]
    return _surge(random, keys, anchor + timedelta(hours=5), WATER, ("Điện, nước sinh hoạt", "Mất nước nhiều ngày"))


def _duplicates(random: Random, anchor: datetime) -> list[Life]:
    """One report that counts, and five that the office finds to be the same."""
    sent = anchor - timedelta(days=6)
    lives = [_taken_in(ORIGINAL, random, sent, "14797", "Trật tự đô thị", title="Karaoke gây ồn")]
    for number in range(5):
        at = sent + timedelta(hours=3 + number)
        life = Life(f"{ORIGINAL}-TRUNG-{number + 1}")
        life.happens(at, opening(random, at, commune("14797"), "Trật tự đô thị", title="Karaoke gây ồn"))
        end = at + timedelta(hours=8)
        fields = {
            "trangThai": "Trùng",
            "thoiGianTiepNhan": written(end),
            "thoiGianXuLyXong": written(end),
            "maPhanAnhGoc": ORIGINAL,
        }
        life.happens(end, fields, "Đánh dấu trùng")
        lives.append(life)
    return lives


def _former(random: Random) -> list[Life]:
    """History by the communes of before 1/7/2025, entered as they were called then."""
    lives = []
    for number in range(30):
        name = FORMER[number % 3]
        sent = datetime(2025, 4, 2, 8, 0, tzinfo=VIETNAM) + timedelta(days=number * 2.5, hours=number % 9)
        life = Life(f"PA-25CU-{number + 1:03d}")
        fields = opening(random, sent, commune("14797"), "Môi trường") | {"maDvhc": None, "tenDvhc": name}
        life.happens(sent, fields | {"viDo": None, "kinhDo": None})
        received = sent + timedelta(hours=5)
        unit = {"ma": None, "ten": f"UBND {name[0].lower()}{name[1:]}"}
        life.happens(received, {"trangThai": "Đã tiếp nhận", "thoiGianTiepNhan": written(received)}, "Tiếp nhận")
        life.happens(
            received + timedelta(hours=2), {"trangThai": "Đang xử lý", "donViXuLy": unit}, "Chuyển xử lý", unit
        )
        close(life, random, received + timedelta(days=4 + number % 11))
        lives.append(life)
    return lives


def _traveller(random: Random, anchor: datetime) -> Life:
    """Sent on four times after its first unit."""
    life = _taken_in(TRAVELLER, random, anchor - timedelta(days=9), "16654", "Giao thông", unit="16654")
    for number, code in enumerate(("SXD", "CAT", "16654", "SNNMT")):
        unit = typed(random, code)
        life.happens(anchor - timedelta(days=7 - number * 1.5), {"donViXuLy": unit}, "Chuyển xử lý", unit)
    return life


def _reopened(random: Random, anchor: datetime) -> Life:
    """Answered and opened again, twice; open now."""
    life = _taken_in(REOPENED, random, anchor - timedelta(days=12), "14758", "Môi trường", due_days=15)
    for number in range(2):
        answered = anchor - timedelta(days=9 - number * 4)
        life.happens(answered, {"trangThai": "Đã trả lời", "thoiGianXuLyXong": written(answered)}, "Trả lời")
        again = answered + timedelta(days=2)
        life.happens(again, {"trangThai": "Mở lại", "thoiGianXuLyXong": None}, "Mở lại")
    return life


def _backwards(random: Random, anchor: datetime) -> Life:
    """Its status goes from answered back to being handled, and no step of the log says why."""
    life = _taken_in(BACKWARDS, random, anchor - timedelta(days=8), "14818", "An toàn thực phẩm", due_days=15)
    answered = anchor - timedelta(days=3)
    life.happens(answered, {"trangThai": "Đã trả lời", "thoiGianXuLyXong": written(answered)}, "Trả lời")
    life.happens(anchor + timedelta(hours=4), {"trangThai": "Đang xử lý", "thoiGianXuLyXong": None})
    return life


def _future(random: Random, anchor: datetime) -> Life:
    """Typed with a wrong clock: sent in two days, answered before it came."""
    life = Life(FUTURE)
    sent = anchor - timedelta(days=2)
    fields = opening(random, sent, commune("14812"), "Y tế") | {"thoiGianGui": written(sent + timedelta(days=4))}
    life.happens(sent, fields)
    ahead = sent + timedelta(days=4)
    fields = {"trangThai": "Đã tiếp nhận", "thoiGianTiepNhan": written(ahead), "donViXuLy": typed(random, "SYT")}
    life.happens(sent + timedelta(hours=3), fields, "Tiếp nhận", step_at=ahead)
    answered = anchor - timedelta(days=1)
    life.happens(answered, {"trangThai": "Đã trả lời", "thoiGianXuLyXong": written(answered)}, "Trả lời")
    return life


def _late(random: Random, anchor: datetime) -> Life:
    """On paper for ten days before anybody typed it."""
    life = Life(LATE)
    sent, typed_at = anchor - timedelta(days=11), anchor - timedelta(days=1)
    fields = opening(random, sent, commune("15124"), "Đất đai, xây dựng")
    received = sent + timedelta(hours=4)
    fields |= {"thoiGianTiepNhan": written(received), "trangThai": "Đang xử lý", "donViXuLy": typed(random, "15124")}
    life.happens(typed_at, fields, "Chuyển xử lý", fields["donViXuLy"], step_at=received + timedelta(hours=2))
    return life


def _no_deadline(random: Random, anchor: datetime) -> Life:
    """The source names no deadline: the province's seventeen days count."""
    return _taken_in(
        NO_DEADLINE, random, anchor - timedelta(days=16, hours=5), "15016", "Hạ tầng kỹ thuật", due_days=None
    )


def _strange(random: Random, anchor: datetime) -> list[Life]:
    """A status, units, a field and a commune that no table knows; a name with loose marks; a deadline without time."""
    lives = []
    for number, unit in enumerate(words.UNKNOWN_UNITS):
        sent = anchor - timedelta(days=4 + number)
        life = _taken_in(f"PA-LA-{number + 1}", random, sent, "14797", "Trật tự đô thị")
        name = {"ma": None, "ten": unit}
        life.happens(sent + timedelta(hours=9), {"donViXuLy": name}, "Chuyển xử lý", name)
        if number == 0:
            life.happens(sent + timedelta(hours=12), {"trangThai": "Chờ phối hợp liên ngành"})
        if number == 1:
            life.happens(sent + timedelta(hours=12), {"linhVuc": "Chuyển đổi số", "kenh": "Loa phường"})
        if number == 2:
            life.happens(sent + timedelta(hours=12), {"maDvhc": "99999", "tenDvhc": "Xã Không Có Thật"})
        lives.append(life)
    sent = anchor - timedelta(days=5)
    life = _taken_in("PA-DAU-ROI", random, sent, PILE, "Điện, nước sinh hoạt")
    name = {"ma": None, "ten": unicodedata.normalize("NFD", "UBND xã Hoằng Hóa")}
    day = (sent + timedelta(days=9)).astimezone(VIETNAM)
    life.happens(sent + timedelta(hours=5), {"donViXuLy": name, "hanXuLy": f"{day:%d/%m/%Y} 00:00:00"})
    lives.append(life)
    return lives
