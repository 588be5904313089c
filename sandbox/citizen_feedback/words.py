"""The words of the stand-in's reports: fields, channels, units as people type them, and fictitious senders."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

# Field → (weight, department that handles it when the commune does not, titles, contents).
FIELDS: dict[str, tuple[int, str, tuple[str, ...], tuple[str, ...]]] = {
    "Môi trường": (
        22, "SNNMT",
        ("Rác thải chưa được thu gom", "Mùi hôi từ trang trại chăn nuôi", "Đốt rơm rạ gây khói", "Nước thải ra mương"),
        ("Rác để quá ba ngày tại ngã ba đầu thôn, bốc mùi.", "Khói dày vào buổi tối, ảnh hưởng trẻ nhỏ.",
         "Nước thải màu đen chảy ra mương tưới tiêu của thôn."),
    ),
    "Hạ tầng kỹ thuật": (
        18, "SXD",
        ("Đường hỏng, nhiều ổ gà", "Đèn chiếu sáng không hoạt động", "Nắp cống bị vỡ", "Ngập úng sau mưa"),
        ("Đoạn đường dài khoảng 300 m xuống cấp, trời mưa đi lại khó khăn.", "Đèn đường tắt nhiều ngày nay.",
         "Nắp cống vỡ ngay trước cổng trường học, nguy hiểm cho trẻ nhỏ."),
    ),
    "Đất đai, xây dựng": (
        14, "SXD",
        ("Xây dựng không phép", "Chậm cấp giấy chứng nhận", "Lấn chiếm đất công"),
        ("Công trình cơi nới lấn ra ngõ đi chung.", "Hồ sơ nộp đã lâu chưa có kết quả.", "Bãi đất công bị rào lại."),
    ),
    "Trật tự đô thị": (
        9, "SXD", ("Lấn chiếm vỉa hè", "Karaoke gây ồn", "Họp chợ lòng đường"),
        ("Hàng quán bày kín vỉa hè, người đi bộ phải xuống lòng đường.", "Loa mở lớn sau 22 giờ."),
    ),
    "Giao thông": (
        9, "SXD", ("Xe quá tải chạy qua khu dân cư", "Biển báo bị che khuất", "Đèn tín hiệu hỏng"),
        ("Xe chở vật liệu chạy ban đêm làm rơi vãi đất đá.", "Biển báo bị cây che khuất tại khúc cua."),
    ),
    "Điện, nước sinh hoạt": (
        8, "SCT", ("Mất nước nhiều ngày", "Nước máy đục", "Cột điện nghiêng"),
        ("Nước yếu, cả xóm phải đi xin nước.", "Nước có màu vàng, lắng cặn.", "Cột điện nghiêng về phía nhà dân."),
    ),
    "An ninh trật tự": (
        6, "CAT", ("Tụ tập gây rối", "Mất trộm nhiều nơi"), ("Thanh niên tụ tập đua xe vào đêm thứ bảy.",),
    ),
    "An toàn thực phẩm": (
        4, "SYT", ("Quán ăn mất vệ sinh", "Thực phẩm không rõ nguồn"), ("Nhiều người đau bụng sau khi ăn tại quán.",),
    ),
    "Y tế": (3, "SYT", ("Thái độ phục vụ", "Chờ khám quá lâu"), ("Người bệnh phải chờ cả buổi sáng.",)),
    "Giáo dục": (3, "SGDDT", ("Khoản thu đầu năm", "Dạy thêm trái quy định"), ("Đề nghị làm rõ các khoản thu.",)),
    "Hành vi cán bộ, công chức": (2, "SNV", ("Cán bộ hướng dẫn chưa rõ",), ("Phải đi lại ba lần mới đủ giấy tờ.",)),
    "Vướng mắc của doanh nghiệp": (1, "STC", ("Thủ tục đầu tư kéo dài",), ("Doanh nghiệp chờ thẩm định quá lâu.",)),
    "Khác": (1, "VPUB", ("Góp ý chung",), ("Đề nghị công khai lịch tiếp dân trên trang thông tin của xã.",)),
}  # fmt: skip
CHANNELS = {"Ứng dụng di động": 45, "Website": 25, "Zalo": 20, "Facebook": 7, "Tổng đài": 3}
# How the source writes departments; the last is a name from before the merger of 1/3/2025.
DEPARTMENTS = {
    "SNNMT": ("Sở Nông nghiệp và Môi trường", "Sở NN&MT", "Sở Nông nghiệp & Môi trường", "Sở Tài nguyên và Môi trường"),
    "SXD": ("Sở Xây dựng", "Sở xây dựng ", "Sở Giao thông vận tải"),
    "SCT": ("Sở Công Thương", "Sở Công thương"),
    "CAT": ("Công an tỉnh", "Công an tỉnh Thanh Hoá"),
    "SYT": ("Sở Y tế", "SỞ Y TẾ"),
    "SGDDT": ("Sở Giáo dục và Đào tạo", "Sở GD&ĐT"),
    "SNV": ("Sở Nội vụ",),
    "STC": ("Sở Tài chính", "Sở Kế hoạch và Đầu tư"),
    "VPUB": ("Văn phòng UBND tỉnh", "VP UBND tỉnh"),
}
# Nobody in the registry of units is called so.
UNKNOWN_UNITS = ("Tổ quản lý chợ Vườn Mẫu", "Đội quy tắc khu vực 9", "Ban quản lý Hồ Ví Dụ")
_SURNAMES = ("Nguyễn", "Trần", "Lê", "Phạm", "Hoàng", "Vũ", "Đỗ", "Bùi", "Mai", "Trịnh")
_MIDDLE = ("Văn", "Thị", "Đức", "Ngọc", "Minh")
# Nobody is called so: every sender can be seen to be invented.
_GIVEN = ("Giả Định", "Ví Dụ", "Hư Cấu", "Thử Nghiệm", "Minh Họa", "Phỏng Tác", "Tưởng Tượng", "Mô Phỏng")
_NEW_STYLE = {"oá": "óa", "oà": "òa", "uỷ": "ủy", "Oá": "Óa", "Uỷ": "Ủy"}


def sender(random: Random, place: str) -> dict[str, str | None]:
    """A fictitious citizen: all numbers begin as nobody's do."""
    number = random.randrange(100_000)
    name = f"{random.choice(_SURNAMES)} {random.choice(_MIDDLE)} {random.choice(_GIVEN)}"
    return {
        "hoTen": name,
        "dienThoai": f"09000{number:05d}",
        "email": f"nguoi.gui.{number:05d}@example.vn" if random.random() < 0.3 else None,
        "diaChi": f"Số {number % 900 + 100} đường Thử Nghiệm {number % 97}, {place}",
        "cccd": f"038000{number:05d}0" if random.random() < 0.6 else None,
    }


def signed(random: Random, who: dict[str, str | None]) -> str:
    """How people put themselves into a text; always numbers, sometimes name, address or mail."""
    phone = str(who["dienThoai"])
    spaced = f"{phone[:4]} {phone[4:7]} {phone[7:]}"
    forms = [
        f" Tôi là {who['hoTen']}, số điện thoại {phone}.",
        f" Liên hệ {spaced} gặp {who['hoTen']}.",
        f" Nhà tôi ở {who['diaChi']}. ĐT: +84 {phone[1:4]}.{phone[4:7]}.{phone[7:]}",
    ]
    if who["cccd"]:
        forms.append(f" Người phản ánh: {str(who['hoTen']).upper()}, CCCD {who['cccd']}, ĐT {phone[:4]}.{phone[4:]}.")
    if who["email"]:
        forms.append(f" Trả lời qua {who['email']} giúp tôi.")
    return random.choice(forms)


def unit_as_typed(random: Random, full_name: str) -> str:
    """A commune's name in one of the spellings that people use."""
    kind, name = full_name.split(" ", 1)
    short = {"Phường": "P.", "Xã": "X."}[kind]
    forms = (
        f"UBND {kind.lower()} {name}", f"UBND {kind} {name}", f"{short} {name}", f"{short}{name}", full_name,
        f"UBND {kind.lower()} {_restyled(name)}", full_name.upper(), f"  {kind}  {name} ",
        unicodedata.normalize("NFD", f"UBND {kind.lower()} {name}"), f"Ủy ban nhân dân {kind.lower()} {name}",
    )  # fmt: skip
    return random.choice(forms)


def _restyled(name: str) -> str:
    for old, new in _NEW_STYLE.items():
        name = name.replace(old, new)
    return name
