"""The portal's web application: ``uvicorn portal.app:app`` on ``settings.port_portal``."""

from __future__ import annotations

import hashlib
import logging
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware

from alerts.procedures import MAX_BYTES
from ioc.settings import Settings, get_settings
from ioc.warehouse import WarehouseUnreachable
from portal import domains, language, live, once, pages, web
from portal.database import Database
from portal.once import SettleForms
from portal.security import BodyLimit, SecurityHeaders

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import ASGIApp, Receive, Scope, Send

_STATIC = Path(__file__).resolve().parent / "static"
_log = logging.getLogger("portal")

# Status → heading and sentence that says how to go on.
_ERRORS = {
    400: (
        "Biểu mẫu đã hết hạn",
        "Trang đã mở quá lâu hoặc được gửi từ nơi khác. Hãy quay lại, tải lại trang rồi gửi lần nữa.",
    ),
    403: (
        "Không có quyền xem trang này",
        "Tài khoản của bạn không được xem trang này. Nếu công việc cần đến, hãy liên hệ quản trị hệ thống.",
    ),
    413: (
        "Tệp quá lớn",
        "Mỗi tệp tối đa 20 MB. Hãy nén ảnh, tách tài liệu hoặc nộp nhiều tệp nhỏ hơn rồi gửi lại.",
    ),
    404: ("Không tìm thấy trang", "Đường dẫn không đúng, nội dung đã được gỡ, hoặc không thuộc đơn vị của bạn."),
    500: (
        "Hệ thống gặp lỗi",
        "Lỗi đã được ghi lại. Hãy thử lại sau ít phút; nếu vẫn lỗi, báo kỹ sư trực kèm thời điểm xảy ra.",
    ),
    503: (
        "Kho dữ liệu chưa trả lời",
        "Cổng không kết nối được kho dữ liệu. Hãy thử lại sau một phút; nếu vẫn lỗi, báo kỹ sư trực.",
    ),
}


def _static_version() -> str:
    """Changes when a static file changes, so that browsers may keep them for a year."""
    digest = hashlib.sha256()
    for path in sorted(_STATIC.rglob("*.*")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:10]


def _problem(request: Request, status: int) -> Response:
    """The error as a page, or as JSON below ``/api``."""
    heading, sentence = _ERRORS.get(status, _ERRORS[500])
    if request.url.path.startswith("/api/"):
        return JSONResponse({"error": sentence}, status_code=status)
    if status in (500, 503):
        # The database may be what failed: the error page must not ask it who is reading.
        code = language.code_of(request.cookies.get(language.COOKIE))
        request.state.visitor = web.Visitor(None, language.Language(code), "error-page")
    return web.render(request, "error.html", status=status, code=status, heading=heading, sentence=sentence)


def _handle_errors(app: FastAPI) -> None:
    @app.exception_handler(web.NotSignedInError)
    def _not_signed_in(request: Request, _error: Exception) -> Response:
        if request.url.path.startswith("/api/"):
            return JSONResponse({"error": "Cần đăng nhập."}, status_code=401)
        if request.method != "GET" or request.url.path == "/":
            return RedirectResponse("/dang-nhap", status_code=303)
        return RedirectResponse(f"/dang-nhap?next={request.url.path}", status_code=303)

    statuses = {web.ForbiddenError: 403, web.NotFoundError: 404, web.BadFormError: 400, RequestValidationError: 404}
    for kind, status in statuses.items():

        def _known(request: Request, _error: Exception, status: int = status) -> Response:
            return _problem(request, status)

        app.add_exception_handler(kind, _known)

    @app.exception_handler(HTTPException)
    def _http(request: Request, error: HTTPException) -> Response:
        return _problem(request, error.status_code if error.status_code in _ERRORS else 404)

    @app.exception_handler(once.RepeatedFormError)
    def _repeated(_request: Request, error: once.RepeatedFormError) -> Response:
        return RedirectResponse(error.location, status_code=303)

    @app.exception_handler(WarehouseUnreachable)
    def _unreachable(request: Request, error: Exception) -> Response:
        _log.error("%s %s: %s", request.method, request.url.path, error)
        return _problem(request, 503)

    @app.exception_handler(Exception)
    def _unexpected(request: Request, _error: Exception) -> Response:
        return _problem(request, 500)


class Portal(FastAPI):
    """FastAPI with the security headers around everything, also around the answer to an unexpected error."""

    def build_middleware_stack(self) -> ASGIApp:
        # A file, and room for the fields beside it.
        return SecurityHeaders(SettleForms(BodyLimit(super().build_middleware_stack(), MAX_BYTES + 2**20, _too_large)))


async def _too_large(scope: Scope, receive: Receive, send: Send) -> None:
    answer = await run_in_threadpool(_problem, Request(scope), 413)
    await answer(scope, receive, send)


def create_app(settings: Settings | None = None) -> FastAPI:
    """The portal for one stack.

    Args:
        settings: Settings of the stack; default: from the environment, at start-up.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.settings = settings or get_settings()
        app.state.database = Database(app.state.settings)
        app.state.database.open()
        app.state.live = live.Hub(app.state.settings)
        app.state.static_version = _static_version()
        yield
        await app.state.live.close()
        app.state.database.close()

    app = Portal(
        title="Dữ liệu mở - Trung tâm điều hành thông minh tỉnh Thanh Hóa",
        description="Chỉ gồm dữ liệu công khai, không cần đăng nhập. Nồng độ tính bằng µg/m³, thời gian có múi giờ.",
        version="1",
        openapi_url="/api/public/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    _handle_errors(app)
    app.add_middleware(GZipMiddleware, minimum_size=1000)
    # Domains first: the overview answers for those that have no page yet.
    for router in [*(page.router for page in domains.pages().values()), *pages.routers()]:
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")
    return app


app = create_app()
