"""What arrives on a day, and what becomes of it: decided by seed and day alone, so the same seed tells the same."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

from sandbox.documents.letters import NUMBER, PREFIX, UNITS, VIETNAM, Kind, Letter

if TYPE_CHECKING:
    from collections.abc import Iterator

# Nobody of these names exists.
PEOPLE = (
    "Nguyễn Văn Ví Dụ", "Trần Thị Minh Họa", "Lê Văn Thử Nghiệm", "Phạm Thị Giả Định", "Hoàng Văn Mô Phỏng",
    "Vũ Thị Làm Mẫu", "Đỗ Văn Tượng Trưng", "Bùi Thị Không Thật",
)  # fmt: skip
_SENDERS = (
    "Văn phòng Chính phủ", "Bộ Tài chính", "Bộ Nội vụ", "Bộ Xây dựng", "Bộ Nông nghiệp và Môi trường", "Bộ Y tế",
    "Tỉnh ủy Thanh Hóa", "HĐND tỉnh Thanh Hóa", "UBND tỉnh Thanh Hóa", "Doanh nghiệp, tổ chức",
)  # fmt: skip
_SUBJECTS = (
    "báo cáo tiến độ giải ngân vốn đầu tư công", "rà soát quy hoạch sử dụng đất", "triển khai chuyển đổi số",
    "phòng, chống thiên tai và tìm kiếm cứu nạn", "giải quyết kiến nghị của cử tri", "góp ý dự thảo nghị quyết",
    "kiểm tra công tác cải cách hành chính", "bố trí kinh phí sửa chữa đê điều", "thống kê nhân lực y tế cơ sở",
    "chuẩn bị hội nghị giao ban tháng", "xử lý tồn đọng sau sắp xếp đơn vị hành chính", "an toàn giao thông dịp lễ",
)  # fmt: skip
_TYPES = ("Công văn", "Báo cáo", "Tờ trình", "Kế hoạch", "Quyết định", "Giấy mời", "Thông báo")
_UNITS = tuple(unit for unit in UNITS if unit != "?")
# Departments have more to do than communes, the province's office most of all.
_WEIGHTS = tuple(5 if unit == "VPUB" else 1 if unit.isdigit() else 2 for unit in _UNITS)
_ON_WEEKDAY, _ON_WEEKEND, _OF_STOCK = 155, 6, 7


def letters_of(day: date, seed: int, *, stock: bool = False) -> Iterator[Letter]:
    """The documents that are registered on a day, each with its whole life.

    Args:
        day: Civil day.
        seed: Of the sandbox.
        stock: A few old ones that nobody finished in time, instead of a day's post.
    """
    rng = Random(f"{seed}/documents/{day.isoformat()}")
    usual = _ON_WEEKEND if day.weekday() >= 5 else _ON_WEEKDAY
    count = _OF_STOCK if stock else round(usual * rng.uniform(0.85, 1.15))
    for number in range(1, count + 1):
        kind: Kind = rng.choices(("incoming", "outgoing", "internal"), (55, 25, 20))[0]
        yield _letter(rng, kind, day, number, stock=stock)


def described(rng: Random, kind: Kind, number: int) -> dict[str, Any]:
    """What a record says about its document beside units and times."""
    subject, type_ = rng.choice(_SUBJECTS), rng.choice(_TYPES)
    fields: dict[str, Any] = {
        NUMBER[kind]: number,
        "soKyHieu": f"{rng.randint(100, 9999)}/{rng.choice(('UBND', 'SXD', 'STC', 'VP', 'BC'))}-{rng.choice('ABKTV')}",
        "trichYeu": f"{type_} về việc {subject}",
        "loaiVanBan": type_,
        "doKhan": str(rng.choices((0, 1, 2, 3), (86, 9, 4, 1))[0]),
        "nguoiXuLy": None,
    }
    if kind == "incoming":
        fields["coQuanBanHanh"] = rng.choice(_SENDERS)
    if kind == "outgoing":
        fields["noiNhan"] = rng.choice(_SENDERS)
    return fields


def _letter(rng: Random, kind: Kind, day: date, number: int, *, stock: bool) -> Letter:
    registered = _at_work(rng, day)
    due = _due(rng, registered, always=stock)
    letter = Letter(
        kind, f"{PREFIX[kind]}-{day:%Y%m%d}-{number:03d}", registered, rng.choices(_UNITS, _WEIGHTS)[0], due,
        described(rng, kind, number),
    )  # fmt: skip
    if kind == "incoming":
        letter.forward(_forwarded(rng, registered, urgent=letter.fields["doKhan"] != "0"))
    letter.assign(_working(letter.last_at + timedelta(minutes=rng.uniform(20, 300)), rng), rng.choice(PEOPLE))
    chance = rng.random()
    if chance < 0.007:
        letter.delete(letter.last_at + timedelta(hours=rng.uniform(1, 40)))
        return letter
    if chance < 0.013:
        letter.withdraw(letter.last_at + timedelta(hours=rng.uniform(1, 60)))
        return letter
    if chance > 0.96:
        letter.transfer(
            _working(letter.last_at + timedelta(hours=rng.uniform(2, 30)), rng), rng.choices(_UNITS, _WEIGHTS)[0]
        )
    _end(rng, letter, late=stock or rng.random() < 0.10)
    return letter


def _end(rng: Random, letter: Letter, *, late: bool) -> None:
    """In time, extended, late, or very late; a few come back after they were done."""
    begin = letter.last_at
    if letter.due is None:
        letter.finish(_working(begin + timedelta(days=rng.uniform(0.1, 12)), rng))
        return
    due = _moment(letter.due)
    if late and rng.random() < 0.25 and due - begin > timedelta(hours=30):
        letter.extend(_working(due - timedelta(hours=rng.uniform(14, 24)), rng), letter.due + timedelta(days=5))
        due = _moment(letter.due)
        late = rng.random() < 0.3
    if late:
        days = rng.uniform(0.1, 5) if rng.random() < 0.75 else rng.uniform(8, 30)
        letter.finish(_working(max(due, letter.last_at) + timedelta(days=days), rng))
    else:
        room = max(due - letter.last_at, timedelta(hours=1))
        done = min(_working(letter.last_at + room * rng.uniform(0.15, 0.9), rng), due - timedelta(seconds=1))
        # Due within the hour in which it came: done at once.
        letter.finish(max(done, letter.last_at + timedelta(minutes=1)))
    if rng.random() < 0.02:
        letter.reopen(_working(letter.last_at + timedelta(hours=rng.uniform(2, 30)), rng))
        letter.finish(_working(letter.last_at + timedelta(hours=rng.uniform(5, 60)), rng))


def _due(rng: Random, registered: datetime, *, always: bool) -> date | datetime | None:
    chance = rng.random() * (0.8 if always else 1)
    day = registered.date() + timedelta(days=rng.randint(2, 14))
    if chance < 0.55:
        return day
    if chance < 0.8:
        return datetime.combine(day, rng.choice((time(11, 30), time(16, 0), time(17, 0))), VIETNAM)
    return None


def _moment(due: date | datetime) -> datetime:
    return due if isinstance(due, datetime) else datetime.combine(due, time(23, 59, 59), VIETNAM)


def _forwarded(rng: Random, registered: datetime, *, urgent: bool) -> datetime:
    chance = rng.random()
    if chance < (0.93 if urgent else 0.82):
        return min(
            registered + timedelta(minutes=rng.uniform(5, 40 if urgent else 150)),
            datetime.combine(registered.date(), time(19), VIETNAM),
        )
    next_day = registered + timedelta(days=1 if chance < 0.97 else rng.randint(2, 4))
    return _working(
        datetime.combine(next_day.date(), time(7, 30), VIETNAM) + timedelta(minutes=rng.uniform(0, 90)), rng
    )


def _at_work(rng: Random, day: date) -> datetime:
    start = time(7, 0) if rng.random() < 0.6 else time(13, 30)
    return datetime.combine(day, start, VIETNAM) + timedelta(seconds=rng.randint(0, 3 * 3600))


def _working(moment: datetime, rng: Random) -> datetime:
    """The moment, or the next office hour after it."""
    civil = moment.astimezone(VIETNAM)
    if civil.hour >= 18 or civil.weekday() >= 5:
        civil = datetime.combine(civil.date() + timedelta(days=1), time(7), VIETNAM)
        while civil.weekday() >= 5:
            civil += timedelta(days=1)
        return civil + timedelta(minutes=rng.uniform(5, 200))
    if civil.hour < 7:
        return datetime.combine(civil.date(), time(7), VIETNAM) + timedelta(minutes=rng.uniform(5, 200))
    return civil
