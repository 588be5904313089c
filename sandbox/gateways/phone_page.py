"""``/sms``: what lies on the phones, for people and for tests, and the orders that make things go wrong."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field

from ioc.settings import TIME_ZONE
from sandbox.gateways.phones import Behaviour, Fault, FaultKind, GatewayName, Phones, Text

_STATUS = {"waiting": "đang chuyển", "delivered": "đã đến máy", "failed": "không đến được"}
_PAGE = """<!doctype html>
<html lang="vi"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="5"><title>Điện thoại thử nghiệm</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 0; background: #eef2f4; color: #12222f }}
main {{ max-width: 34rem; margin: auto; padding: 1rem }}
article {{ background: #fff; border-radius: 1rem; padding: .75rem 1rem; margin: .75rem 0; box-shadow: 0 1px 3px #0002 }}
article p {{ margin: .25rem 0; overflow-wrap: anywhere }}
small {{ color: #51626d }}
</style></head><body><main><h1>Điện thoại thử nghiệm</h1>
<p>Tin nhắn mà các cổng SMS thử nghiệm đã nhận, mới nhất trước. Không có tin nào đến máy thật.</p>
{articles}</main></body></html>"""


class FaultOrder(BaseModel):
    """Body of ``POST /sms/fault``; see :class:`sandbox.gateways.phones.Fault`."""

    kind: FaultKind
    count: int = Field(default=1, ge=0)
    gateway: GatewayName | None = None
    phone: str = ""


class BehaviourOrder(BaseModel):
    """Body of ``POST /sms/behaviour``; what is left out becomes what it was at the beginning."""

    receipt_after_s: float = Field(default=2.0, ge=0)
    slow_s: float = Field(default=30.0, ge=0)
    templates: list[str] = []
    balance: int | None = None
    refuse_repeated: bool = True


def router(phones: Phones) -> APIRouter:
    """Routes below ``/sms``."""
    routes = APIRouter()

    @routes.get("", response_class=HTMLResponse)
    def page() -> str:
        newest = sorted(phones.texts(), key=lambda text: text.at, reverse=True)[:200]
        return _PAGE.format(articles="".join(map(_article, newest)) or "<p>Chưa có tin nhắn nào.</p>")

    @routes.get("/messages")
    def messages() -> list[dict[str, Any]]:
        return [asdict(text) for text in phones.texts()]

    @routes.delete("/messages")
    def empty() -> dict[str, int]:
        return {"deleted": phones.clear()}

    @routes.post("/fault")
    def fault(order: FaultOrder) -> FaultOrder:
        phones.break_next(Fault(order.kind, order.count, order.gateway or "", order.phone))
        return order

    @routes.post("/behaviour")
    def behaviour(order: BehaviourOrder) -> BehaviourOrder:
        phones.behaviour = Behaviour(**order.model_dump())
        return order

    return routes


def _article(text: Text) -> str:
    at = datetime.fromtimestamp(text.at, ZoneInfo(TIME_ZONE)).strftime("%H:%M:%S %d/%m/%Y")
    return (
        f"<article><small><b>{escape(text.brandname)}</b> → {escape(text.phone)} · {at}</small>"
        f"<p>{escape(text.text)}</p>"
        f"<small>{escape(text.gateway)} · {_STATUS[text.status]} · {len(text.text)} ký tự</small></article>"
    )
