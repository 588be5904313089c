"""Arguments to try message templates with: typical ones, the longest ones, and those of a real incident."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

# Code → what the message is for.
CODES = {
    "notice": "Thông báo sự cố",
    "digest": "Tổng hợp",
    "window": "Bắt đầu, kết thúc tạm dừng thông báo",
    "correction": "Đính chính",
    "escalation": "Nhắc xử lý",
    "directive": "Chỉ đạo",
    "task": "Giao việc",
    "verify": "Mã xác minh",
    "operations": "Vận hành hệ thống",
}
_URL = "https://ioc.thanhhoa.example.vn/canh-bao"
_LONG_URL = "https://ioc.thanhhoa.example.vn/vu-viec/VV-2026-000000/congviec"
_REF, _LONG_REF = "SC-1A2B3C4D.2", "SC-1A2B3C4D.999"


def typical(code: str, at: datetime) -> dict[str, Any]:
    """What a template of ``code`` may say, with arguments of an ordinary day."""
    item = {
        "code": "SC-1A2B3C4D",
        "status": "Cảnh báo cấp 2 – Xấu",
        "text": "AQI giờ tại Quảng trường Lam Sơn là 168",
        "title": "Chất lượng không khí (AQI giờ)",
        "entity": "Quảng trường Lam Sơn",
        "unit_name": "Phường Hạc Thành",
        "level": 2,
        "value": 168.0,
        "amount": "168",
        "at": at,
    }
    return {**_context(code, item, at, count=1, length=None), "ref": _REF, "url": _URL}


def longest(code: str, at: datetime) -> dict[str, Any]:
    """The same with the longest arguments that can come; letters with diacritics, words of ordinary length."""
    item = {
        "code": "SC-1A2B3C4D",
        "status": _words(60),
        "text": _words(240),
        "title": _words(120),
        "entity": _words(80),
        "unit_name": _words(80),
        "level": 4,
        "value": 123456.789,
        "amount": _words(60),
        "at": at,
    }
    return {**_context(code, item, at, count=9999, length=300), "ref": _LONG_REF, "url": _LONG_URL}


def context_of(code: str, item: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    """The arguments that a real incident gives; what it cannot give stays typical.

    Args:
        code: Code of the template.
        item: The incident as :meth:`alerts.notifying.notice.Teller.item` says it.
        row: The reconciler's row of it.
    """
    return {
        "notice": {"items": [item], "top": item, "count": 1},
        "digest": {"items": [item], "top": item, "count": 1},
        "correction": {key: item[key] for key in ("code", "title", "entity", "level")}
        | {"unit": row["unit_vi"] or "", "opened_at": row["opened_at"]},
        "escalation": {key: item[key] for key in ("code", "title", "unit_name", "level")} | {"since": row["opened_at"]},
        "directive": {key: item[key] for key in ("title", "unit_name")},
    }.get(code, {})


def _words(length: int) -> str:
    return ("nồng độ vượt ngưỡng quy chuẩn kỹ thuật tại trạm " * 10)[:length].strip()


def _context(code: str, item: dict[str, Any], at: datetime, *, count: int, length: int | None) -> dict[str, Any]:
    def text(ordinary: str, most: int) -> str:
        return ordinary if length is None else _words(most)

    several = [item] * min(count, 20)
    lines = [f"{item['title']}, {item['entity']} · {item['code']}"] * len(several)
    own: dict[str, dict[str, Any]] = {
        "notice": {"items": several, "top": item, "count": count, "why": "limit"},
        "window": {
            "happening": "end", "headline": text("Bắt đầu bảo trì", 60),
            "scope": text("Phường Hạc Thành, quy tắc air_quality.aqi_h, mọi đối tượng", 160),
            "since": at, "until": at + timedelta(hours=2), "lifted_by": None if length is None else _words(60),
            "max_level": 2, "reason": text("Hiệu chuẩn thiết bị", 300), "made_by": text("truc", 60),
            "incidents": several,
        },
        "correction": {
            "code": item["code"], "title": item["title"], "entity": item["entity"], "unit": "mg/m³", "opened_at": at,
            "open_value": item["value"], "open_amount": item["amount"], "level": item["level"], "told_peak_level": 3,
            "true_peak_level": 2,
            "is_opening_wrong": length is not None,
            "corrected": [{"at": at, "value": item["value"], "amount": item["amount"]}] * (1 if length is None else 5),
        },
        "escalation": {
            "code": item["code"], "title": item["title"], "unit_name": item["unit_name"], "level": item["level"],
            "reason": text("Chưa có người nhận xử lý sau 15 phút", 120), "step": 1 if length is None else 99,
            "since": at, "count": len(several), "lines": lines,
        },
        "task": {
            "heading": text("Việc mới cho đơn vị", 80), "title": item["title"], "count": len(several), "lines": lines,
        },
        "directive": {
            "code": "CD-2026-000012", "case_code": "VV-2026-000034", "title": item["title"],
            "text": text("Kiểm tra ngay nguồn xả và báo cáo kết quả", 2000), "from_name": text("Lãnh đạo tỉnh", 80),
            "unit_name": item["unit_name"], "due_at": at + timedelta(days=1),
        },
        "verify": {"verification": "123456", "minutes": 30, "name": text("Cán bộ trực", 80)},
        "operations": {
            "subject": text("Kinh phí tin nhắn tháng đã dùng 80 %", 160),
            "text": text("Đã dùng 16.000 / 20.000 tin.", 300),
        },
    }  # fmt: skip
    return own["notice" if code == "digest" else code]
