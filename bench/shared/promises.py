"""The form of a promise in a result: what was measured, its limit, whether it holds."""

from __future__ import annotations

from typing import Any


def at_least(value: float, limit: float) -> dict[str, Any]:
    """A promise that more is better."""
    return {"value": round(value, 3), "limit": limit, "holds": value >= limit}


def at_most(value: float, limit: float) -> dict[str, Any]:
    """A promise that less is better."""
    return {"value": round(value, 3), "limit": limit, "holds": value <= limit}
