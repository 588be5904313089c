"""The operators' page: gateways, queues, messages to look at, limits, partners' systems, people out of reach."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from alerts.incidents import ActRefusedError
from alerts.recipients import reachability
from alerts.sending import operating, webhook_endpoints
from alerts.sending.concerns import concerns
from portal.web import Config, Engineer, own_form, render

if TYPE_CHECKING:
    from collections.abc import Callable

    from ioc.settings import Settings

router = APIRouter(include_in_schema=False)
_SHOWN = 100
UNITS = {"1": "giây", "60": "phút", "3600": "giờ", "86400": "ngày"}


def _page(
    request: Request,
    settings: Settings,
    *,
    problem: str | None = None,
    given: dict[str, str] | None = None,
    key: tuple[int, str] | None = None,
) -> HTMLResponse:
    open_concerns = concerns(settings)
    return render(
        request,
        "delivery.html",
        status=422 if problem else 200,
        concerns=[one for one in open_concerns if one.kind != "gateway"][:_SHOWN],
        concern_count=len(open_concerns),
        ops=operating.standing(settings),
        endpoints=webhook_endpoints.endpoints(settings),
        free_contacts=webhook_endpoints.without_endpoint(settings),
        shortfalls=len(reachability.check(settings)),
        units=UNITS,
        in_units=_in_units,
        problem=problem,
        given=given or {"contact": "", "url": ""},
        key=key,
    )


def _in_units(per: timedelta | None) -> tuple[str, str]:
    """A length of time as a number and the largest unit that fits."""
    seconds = int(per.total_seconds()) if per else 0
    size = next((size for size in (86400, 3600, 60) if seconds and seconds % size == 0), 1)
    return f"{seconds // size}", f"{size}"


@router.get("/van-hanh", response_class=HTMLResponse)
def page(request: Request, settings: Config, _user: Engineer) -> HTMLResponse:
    """How delivery stands now."""
    return _page(request, settings)


def _after(request: Request, settings: Settings, act: Callable[[], Any], place: str, **shown: Any) -> Response:
    try:
        act()
    except ActRefusedError as refused:
        return _page(request, settings, problem=str(refused), **shown)
    return RedirectResponse(f"/van-hanh#{place}", status_code=303)


@router.post("/van-hanh/han-muc", dependencies=[Depends(own_form)])
def change_limit(
    request: Request,
    settings: Config,
    user: Engineer,
    *,
    scope: Annotated[str, Form()] = "",
    channel: Annotated[str, Form()] = "",
    name: Annotated[str, Form()] = "",
    capacity: Annotated[str, Form()] = "",
    length: Annotated[str, Form()] = "",
    unit: Annotated[str, Form()] = "",
) -> Response:
    """Change how many messages may go out."""

    def act() -> None:
        try:
            amount = Decimal(capacity.strip().replace(".", "").replace(",", "."))
            if not amount.is_finite() or amount != amount.to_integral_value():
                raise InvalidOperation
        except InvalidOperation as error:
            raise ActRefusedError("Số tin phải là số nguyên.") from error
        is_month = scope == "month"
        if not is_month and not (length.isdecimal() and len(length) < 8 and unit in UNITS):
            raise ActRefusedError("Khoảng thời gian của hạn mức phải từ 1 giây đến 31 ngày.")
        per = None if is_month else timedelta(seconds=int(length) * int(unit))
        operating.change_limit(scope, channel, name, capacity=amount, per=per, user=user.username, settings=settings)

    return _after(request, settings, act, "han-muc")


@router.post("/van-hanh/webhook", dependencies=[Depends(own_form)])
def add_endpoint(
    request: Request,
    settings: Config,
    user: Engineer,
    *,
    contact: Annotated[str, Form()] = "",
    url: Annotated[str, Form()] = "",
) -> Response:
    """Give a contact an address to which messages are posted."""
    return _after(
        request, settings, lambda: webhook_endpoints.add(contact, url[:2000], user.username, settings=settings),
        "webhook", given={"contact": contact, "url": url[:500]},
    )  # fmt: skip


@router.post("/van-hanh/webhook/{endpoint_id}/trang-thai", dependencies=[Depends(own_form)])
def switch_endpoint(
    request: Request, settings: Config, user: Engineer, endpoint_id: int, *, enabled: Annotated[bool, Form()]
) -> Response:
    """Switch it off or on."""
    return _after(
        request, settings,
        lambda: webhook_endpoints.set_enabled(endpoint_id, enabled, user.username, settings=settings), "webhook",
    )  # fmt: skip


@router.post("/van-hanh/webhook/{endpoint_id}/khoa-moi", dependencies=[Depends(own_form)])
def new_key(request: Request, settings: Config, user: Engineer, endpoint_id: int) -> Response:
    """Make a new key; the old one no longer signs."""
    return _after(
        request, settings, lambda: webhook_endpoints.new_key(endpoint_id, user.username, settings=settings), "webhook"
    )


@router.post("/van-hanh/webhook/{endpoint_id}/khoa", dependencies=[Depends(own_form)])
def show_key(request: Request, settings: Config, user: Engineer, endpoint_id: int) -> Response:
    """Show the key, once."""
    try:
        key = webhook_endpoints.show_key(endpoint_id, user.username, settings=settings)
    except ActRefusedError as refused:
        return _page(request, settings, problem=str(refused))
    return _page(request, settings, key=(endpoint_id, key))
