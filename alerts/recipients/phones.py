"""Phone numbers of Viet Nam, in the one form that gateways take."""

from __future__ import annotations

import re

# Mobile prefixes since the change of 2018: nine digits after the country code, the first of them 3, 5, 7, 8 or 9.
_MOBILE = re.compile(r"84[35789]\d{8}")


def normalised(number: str | None) -> str | None:
    """``0912 345 678``, ``+84 912.345.678`` or ``84912345678`` as ``84912345678``; None when it is no mobile number."""
    digits = re.sub(r"[\s.\-()]", "", number or "")
    digits = digits.removeprefix("+").removeprefix("00")
    if digits.startswith("0"):
        digits = f"84{digits[1:]}"
    return digits if _MOBILE.fullmatch(digits) else None


def masked(number: str) -> str:
    """``84912345678`` as ``84******678``, for logs and lists."""
    return f"{number[:2]}{'*' * max(len(number) - 5, 0)}{number[-3:]}"
