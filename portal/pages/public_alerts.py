"""Public alerts for machines, without login: JSON, an Atom feed, and each message as a CAP 1.2 document."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from alerts.notifying import cap, public
from portal.web import Config, NotFoundError

router = APIRouter(tags=["alerts"])
_UNCHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "Không đổi so với ETag hoặc thời điểm đã gửi"}}
_MINUTE = "public, max-age=60"
_FOR_GOOD = "public, max-age=31536000, immutable"


class PublicArea(BaseModel):
    """Where an alert applies."""

    name: str = Field(description="Tên nơi áp dụng")
    commune_code: str | None = Field(description="Mã xã, phường theo danh mục hành chính")
    latitude: float | None = Field(description="WGS 84, độ")
    longitude: float | None = Field(description="WGS 84, độ")
    radius_km: float = Field(description="Bán kính quanh điểm đo, km")


class PublicAlert(BaseModel):
    """An alert in force."""

    identifier: str = Field(description="Mã bản tin, không đổi và không dùng lại")
    message_type: str = Field(description="Alert: mới; Update: thay các bản tin trước")
    status: str = Field(description="Actual: thật; Test: hệ thống chạy thử với số liệu giả lập")
    level: int = Field(description="Cấp 1 đến 4")
    severity: str = Field(description="Mức nghiêm trọng theo CAP: Minor, Moderate, Severe, Extreme")
    category: str = Field(description="Nhóm theo CAP, ví dụ Env")
    event_vi: str
    event_en: str
    headline_vi: str
    headline_en: str
    description_vi: str
    description_en: str
    advice_vi: str = Field(description="Người dân nên làm gì")
    advice_en: str
    onset_at: datetime = Field(description="Bắt đầu, theo thời gian của số liệu")
    sent_at: datetime = Field(description="Thời điểm phát bản tin")
    expires_at: datetime = Field(description="Hết hiệu lực nếu không có bản tin mới")
    replaces: list[str] = Field(description="Mã các bản tin mà bản tin này thay")
    area: PublicArea
    cap_url: str = Field(description="Bản tin CAP 1.2")


class PublicAlerts(BaseModel):
    """The answer of the public API."""

    source: str = Field(description="Cơ quan và văn bản")
    alerts: list[PublicAlert]


def _cap_url(portal_url: str, message: public.PublicMessage) -> str:
    return f"{portal_url}/api/public/alerts/{message.identifier}.cap"


def _answer(request: Request, body: str, media_type: str, changed: datetime | None, cache: str) -> Response:
    """``body``, or 304 to a reader who has it: by ETag, else by date (RFC 9110, 13.2.2)."""
    tag = f'"{hashlib.sha256(body.encode()).hexdigest()[:24]}"'
    headers = {"Cache-Control": cache, "ETag": tag, "Access-Control-Allow-Origin": "*"}
    if changed:
        changed = changed.astimezone(UTC).replace(microsecond=0)
        headers["Last-Modified"] = format_datetime(changed, usegmt=True)
    if "if-none-match" in request.headers:
        known = {item.strip().removeprefix("W/") for item in request.headers["if-none-match"].split(",")}
        is_known = tag in known or "*" in known
    else:
        since = _date(request.headers.get("if-modified-since"))
        is_known = bool(changed and since and changed <= since)
    if is_known:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=media_type, headers=headers)


def _date(text: str | None) -> datetime | None:
    try:
        found = parsedate_to_datetime(text) if text else None
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found and found.tzinfo is None else found


@router.get(
    "/api/public/alerts",
    response_model=PublicAlerts,
    summary="Cảnh báo công khai đang có hiệu lực",
    responses=_UNCHANGED,
)
def alerts_in_force(request: Request, settings: Config) -> Response:
    """Alerts that are neither over nor expired, the gravest first; cached for a minute."""
    messages = public.active(settings)
    found = [
        PublicAlert(
            identifier=message.identifier,
            message_type=message.message_type,
            level=message.level,
            sent_at=message.sent_at,
            expires_at=message.expires_at,
            replaces=message.reference_ids,
            cap_url=_cap_url(settings.portal_url(), message),
            **message.content,
        )
        for message in messages
    ]
    body = PublicAlerts(source=public.SOURCE, alerts=found).model_dump_json()
    return _answer(request, body, "application/json", public.changed_at(settings), _MINUTE)


@router.get(
    "/api/public/alerts.atom",
    response_class=Response,
    summary="Nguồn tin Atom: mọi bản tin cảnh báo công khai trong 7 ngày, mỗi bản tin một tài liệu CAP 1.2",
    responses={200: {"content": {"application/atom+xml": {}}}, **_UNCHANGED},
)
def alerts_feed(request: Request, settings: Config) -> Response:
    """Alerts, Updates and Cancels of the last seven days, newest first."""
    messages = public.recent(settings)
    entries = [
        cap.Entry(
            identifier=message.identifier,
            url=_cap_url(settings.portal_url(), message),
            title=message.content["headline_vi"],
            summary=" ".join(filter(None, (message.content["description_vi"], message.content["advice_vi"]))),
            sent_at=message.sent_at,
            category=message.content["category"],
        )
        for message in messages
    ]
    body = cap.feed(
        entries,
        url=f"{settings.portal_url()}/api/public/alerts.atom",
        title="Cảnh báo công khai của tỉnh Thanh Hóa",
        author=public.SENDER_NAME,
    )
    return _answer(request, body, "application/atom+xml", max((m.sent_at for m in messages), default=None), _MINUTE)


@router.get(
    "/api/public/alerts/{identifier}.cap",
    response_class=Response,
    summary="Một bản tin cảnh báo theo CAP 1.2, tiếng Việt và tiếng Anh",
    responses={200: {"content": {cap.CONTENT_TYPE: {}}}, **_UNCHANGED},
)
def alert_document(request: Request, settings: Config, identifier: str) -> Response:
    """The document as it was published, however old."""
    message = public.find(identifier, settings)
    if message is None:
        raise NotFoundError
    return _answer(request, message.cap, cap.CONTENT_TYPE, message.sent_at, _FOR_GOOD)
