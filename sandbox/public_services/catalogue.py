"""Units, fields and procedures of the one-stop system that the sandbox plays, with the habits planted in some units."""

from __future__ import annotations

from dataclasses import dataclass

# GroupCode of the system, kind, name as people typed it there. The code of ours that it stands for is the platform's
# own reference table, not the source's: nothing in the payload says it.
DEPARTMENTS = (
    ("SO-TUPHAP", "Sở Tư pháp"),
    ("SO-TAICHINH", "Sở Tài chính"),
    ("SO-CONGTHUONG", "Sở Công Thương"),
    ("SO-NNMT", "Sở Nông nghiệp và Môi trường"),
    ("SO-XAYDUNG", "Sở Xây dựng"),
    ("SO-NOIVU", "Sở Nội vụ"),
    ("SO-YTE", "Sở Y tế"),
    ("SO-GDDT", "Sở Giáo dục và Đào tạo"),
    ("SO-VHTTDL", "Sở Văn hóa, Thể thao và Du lịch"),
    ("BQL-KKTNS", "Ban Quản lý Khu kinh tế Nghi Sơn và các khu công nghiệp"),
)
COMMUNES = (
    "Phường Hàm Rồng", "Phường Hạc Thành", "Phường Bỉm Sơn", "Phường Quang Trung", "Phường Đông Tiến",
    "Phường Nguyệt Viên", "Phường Đông Sơn", "Phường Đông Quang", "Phường Nam Sầm Sơn", "Phường Quảng Phú",
    "Phường Sầm Sơn", "Phường Tĩnh Gia", "Phường Nghi Sơn", "Phường Tân Dân", "Phường Hải Bình",
    "Xã Mường Lát", "Xã Hồi Xuân", "Xã Bá Thước", "Xã Quan Sơn", "Xã Linh Sơn", "Xã Ngọc Lặc",
    # The system writes tone marks the new way where the official list writes them the old way.
    "Xã Cẩm Thủy", "Xã Kim Tân", "Xã Hà Trung", "Xã Vĩnh Lộc", "Xã Yên Định", "Xã Thọ Xuân", "Xã Lam Sơn",
    "Xã Thường Xuân", "Xã Triệu Sơn", "Xã Thiệu Hóa", "Xã Hoằng Hóa", "Xã Hậu Lộc", "Xã Nga Sơn", "Xã Như Xuân",
    "Xã Như Thanh", "Xã Nông Cống", "Xã Lưu Vệ", "Xã Quảng Bình", "Xã Các Sơn",
)  # fmt: skip
MOBILE = ("MC-LUUDONG-09", "Tổ một cửa lưu động số 9")
FORMER = ("XP-CU-0871", "UBND xã Hoằng Lưu (cũ)")

# Planted habits, by GroupCode.
DRIFTING = "XP-0111"  # Sầm Sơn: reopens and deletes, so that the system's totals of past days change afterwards.
COUNTS_DELETED = "XP-0124"  # Hà Trung: the system's totals count what was deleted.
OVERLOADED = "XP-0113"  # Nghi Sơn: half of it is late.
BUSY = ("XP-0102", "XP-0101", "SO-TUPHAP", "SO-NNMT")


@dataclass(frozen=True)
class Unit:
    """A group of the one-stop system.

    Attributes:
        code: ``GroupCode``.
        identifier: ``MaDinhDanh``, whose prefix is the hierarchy; also begins the codes of its dossiers.
        name: ``GroupName``.
        catalog: ``so-ban-nganh`` or ``xa-phuong``.
        weight: Dossiers a working day, roughly.
    """

    code: str
    identifier: str
    name: str
    catalog: str
    weight: float


def _units() -> tuple[Unit, ...]:
    found = [
        Unit(code, f"000.00.{number:02d}.H56", name, "so-ban-nganh", 9.0 if code in BUSY else 3.5)
        for number, (code, name) in enumerate(DEPARTMENTS, start=3)
    ]
    for number, name in enumerate(COMMUNES, start=101):
        code = f"XP-{number:04d}"
        weight = 6.5 if code in (*BUSY, OVERLOADED, DRIFTING) else 3.2 if name.startswith("Phường") else 2.0
        found.append(Unit(code, f"000.00.{_pair(number)}.H56", f"UBND {name}", "xa-phuong", weight))
    found.append(Unit(MOBILE[0], "000.00.ZZ.H56", MOBILE[1], "xa-phuong", 0.4))
    found.append(Unit(FORMER[0], "000.18.32.H56", FORMER[1], "xa-phuong", 0.0))
    return tuple(found)


def _pair(number: int) -> str:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return letters[number // 10 - 10] + str(number % 10)


UNITS = _units()


@dataclass(frozen=True)
class Procedure:
    """An administrative procedure.

    Attributes:
        code: ``MaTTHC``.
        name: ``TenTTHC``.
        field_code: ``MaLinhVuc``; ``field_name`` is ``TenLinhVuc``.
        work_days: Time that it may take.
        level: ``department``, ``commune`` or ``both``.
    """

    code: str
    name: str
    field_code: str
    field_name: str
    work_days: int
    level: str


_FIELDS = {
    "HT": "Hộ tịch", "CT": "Chứng thực", "DD": "Đất đai", "DKKD": "Đăng ký kinh doanh", "BTXH": "Bảo trợ xã hội",
    "NCC": "Người có công", "XD": "Xây dựng", "MT": "Môi trường", "YT": "Y tế", "GD": "Giáo dục và đào tạo",
    "VH": "Văn hóa cơ sở", "LD": "Lao động, việc làm", "GTVT": "Vận tải, đường bộ", "CN": "Công nghiệp, thương mại",
    "TS": "Thủy sản",
}  # fmt: skip
_PROCEDURES = (
    ("1.001193", "Đăng ký khai sinh", "HT", 1, "commune"),
    ("1.000894", "Đăng ký kết hôn", "HT", 3, "commune"),
    ("1.000656", "Đăng ký khai tử", "HT", 1, "commune"),
    ("2.000815", "Chứng thực bản sao từ bản chính", "CT", 1, "commune"),
    ("2.000884", "Chứng thực chữ ký", "CT", 1, "commune"),
    ("1.012753", "Đăng ký đất đai, cấp giấy chứng nhận lần đầu", "DD", 20, "both"),
    ("1.012781", "Đăng ký biến động quyền sử dụng đất", "DD", 10, "both"),
    ("1.001612", "Đăng ký thành lập hộ kinh doanh", "DKKD", 3, "commune"),
    ("2.002041", "Đăng ký thành lập doanh nghiệp", "DKKD", 3, "department"),
    ("1.001776", "Trợ cấp xã hội hằng tháng", "BTXH", 10, "commune"),
    ("1.001731", "Hỗ trợ chi phí mai táng", "BTXH", 5, "commune"),
    ("1.010803", "Giải quyết chế độ người có công", "NCC", 12, "both"),
    ("1.009994", "Cấp giấy phép xây dựng nhà ở riêng lẻ", "XD", 10, "both"),
    ("1.010708", "Cấp giấy phép môi trường", "MT", 15, "department"),
    ("1.004552", "Công bố đủ điều kiện mua bán thiết bị y tế", "YT", 5, "department"),
    ("1.005144", "Cho phép trường hoạt động giáo dục", "GD", 15, "department"),
    ("1.003635", "Thông báo tổ chức lễ hội", "VH", 5, "both"),
    ("2.000205", "Cấp giấy phép lao động cho người nước ngoài", "LD", 5, "department"),
    ("1.002852", "Cấp phù hiệu xe", "GTVT", 2, "department"),
    ("2.000604", "Cấp giấy chứng nhận đủ điều kiện kinh doanh khí", "CN", 10, "department"),
    ("1.004359", "Cấp giấy phép khai thác thủy sản", "TS", 6, "department"),
)
PROCEDURES = tuple(
    Procedure(f"{code}.000.00.00.H56", name, field, _FIELDS[field], days, level)
    for code, name, field, days, level in _PROCEDURES
)
