"""Colours that come with the data: checked before they reach a page, and the ink that stays readable on them."""

from __future__ import annotations

import re

NEUTRAL = "#8b98a1"
_HEX = re.compile(r"#[0-9A-Fa-f]{6}")


def checked(colour: str | None) -> str:
    """The colour when it is ``#rrggbb``, otherwise a neutral grey (no data)."""
    return colour if colour and _HEX.fullmatch(colour) else NEUTRAL


def _luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours, 1 to 21 (WCAG 2.2)."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def ink_on(colour: str | None) -> str:
    """White where it reads well enough as large bold figures (WCAG asks 3 : 1), dark otherwise."""
    ground = checked(colour)
    return "#ffffff" if contrast(ground, "#ffffff") >= 3.9 else "#10202e"
