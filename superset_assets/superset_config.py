"""Configuration of Apache Superset 6.1, read by Superset itself (``SUPERSET_CONFIG_PATH`` points here).

Environment variables, all given by ``superset_assets.process.environment`` in the local stack:

    IOC_SUPERSET_DATABASE_URI  URL of Superset's own metadata database
    IOC_SUPERSET_SECRET_KEY    signs sessions and encrypts stored passwords
    IOC_SUPERSET_GUEST_JWT     signs guest tokens; shared with the portal, which mints them (``ioc.embed``)
    IOC_SUPERSET_HOME          folder for caches and the compiled language pack
    IOC_PORTAL_ORIGIN          origin(s) of the portal that may frame dashboards, separated by white space
    IOC_SUPERSET_REDIS_URL     optional: Redis for caches and rate limits; without it files below IOC_SUPERSET_HOME
    IOC_SUPERSET_PUBLIC_URL    optional: address under which people reach Superset; https:// turns secure cookies on
    IOC_SUPERSET_WAREHOUSE_DATABASE  optional: name of the warehouse's database, default warehouse
    IOC_SUPERSET_COOKIE        optional: name of the session cookie, which all ports of a host share

Superset refuses to start when a required one is missing or a secret is a known default: a default guest secret would
let anybody mint a token for any dashboard.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

# Superset's interpreter knows nothing of this project; only this room is imported from it.
sys.path.append(str(Path(__file__).resolve().parent.parent))

from superset_assets.locale_vi import compile_backend, install
from superset_assets.palette import AQI_SEQUENTIAL, CATEGORICAL, COMPLETENESS_SEQUENTIAL, RATIO_SEQUENTIAL
from superset_assets.security import GUEST_AUDIENCE, GUEST_ROLE, IocSecurityManager

_KNOWN_DEFAULTS = {
    "test-guest-secret-change-me",
    "CHANGE_ME_TO_A_COMPLEX_RANDOM_SECRET",
    "CHANGE_ME_SECRET_KEY",
    "TEST_NON_DEV_SECRET",
    "superset",
    "secret",
    "changeme",
}


def _required(name: str) -> str:
    value = os.environ.get(name, "").strip()
    if not value:
        raise SystemExit(f"Superset does not start: {name} is not set (start it with 'ioc up', or set it in .env)")
    return value


def _secret(name: str) -> str:
    value = _required(name)
    if value in _KNOWN_DEFAULTS or len(value) < 24:
        raise SystemExit(
            f"Superset does not start: {name} must be a random value of at least 24 characters of your own"
        )
    return value


# Relative time ranges ("the last 24 hours") are computed in the process's local time, and the datasets show civil time.
os.environ["TZ"] = "Asia/Ho_Chi_Minh"
time.tzset()

HOME = Path(_required("IOC_SUPERSET_HOME"))
HOME.mkdir(parents=True, exist_ok=True)
DATA_DIR = str(HOME)
SQLALCHEMY_DATABASE_URI = _required("IOC_SUPERSET_DATABASE_URI").replace("postgresql://", "postgresql+psycopg2://", 1)
# Few processes share one PostgreSQL with everything else: small pools, and broken connections are replaced.
SQLALCHEMY_ENGINE_OPTIONS = {"pool_pre_ping": True, "pool_size": 5, "max_overflow": 10}
SECRET_KEY = _secret("IOC_SUPERSET_SECRET_KEY")
_HTTPS = os.environ.get("IOC_SUPERSET_PUBLIC_URL", "").startswith("https://")


def _portal_origins() -> list[str]:
    """Origins of the portal; loopback is written both ways, since people type both."""
    origins = []
    for address in _required("IOC_PORTAL_ORIGIN").split():
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SystemExit(f"Superset does not start: IOC_PORTAL_ORIGIN has '{address}', want http(s)://host[:port]")
        hosts = ("127.0.0.1", "localhost") if parts.hostname in ("127.0.0.1", "localhost") else (parts.hostname,)
        origins += [f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "") for host in hosts]
    return origins


# --- People and guests -----------------------------------------------------------------------------------------------
CUSTOM_SECURITY_MANAGER = IocSecurityManager
AUTH_ROLE_PUBLIC = "Public"
PUBLIC_ROLE_LIKE = None
GUEST_ROLE_NAME = GUEST_ROLE
GUEST_TOKEN_JWT_SECRET = _secret("IOC_SUPERSET_GUEST_JWT")
GUEST_TOKEN_JWT_AUDIENCE = GUEST_AUDIENCE
GUEST_TOKEN_JWT_EXP_SECONDS = 300
# Tokens are minted by the portal with the shared secret; the endpoint stays closed to clauses that it could not check.
GUEST_TOKEN_VALIDATOR_HOOK = lambda _token: False  # noqa: E731

FEATURE_FLAGS = {
    "EMBEDDED_SUPERSET": True,
    # 6.1 identifies async clients by a cookie, which browsers withhold from frames.
    "GLOBAL_ASYNC_QUERIES": False,
    "DASHBOARD_VIRTUALIZATION": True,
    "DRILL_TO_DETAIL": True,
    "ENABLE_TEMPLATE_PROCESSING": False,
    "ENABLE_JAVASCRIPT_CONTROLS": False,
    "ALERT_REPORTS": False,
    "THUMBNAILS": False,
    "TAGGING_SYSTEM": False,
}
ENABLE_UI_THEME_ADMINISTRATION = False
FAB_API_SWAGGER_UI = False
SUPERSET_LOG_VIEW = True

# --- Browser policy: nothing from outside, framed by the portal only -------------------------------------------------
SESSION_COOKIE_NAME = os.environ.get("IOC_SUPERSET_COOKIE", "ioc_superset")
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = _HTTPS
ENABLE_PROXY_FIX = _HTTPS
TALISMAN_ENABLED = True
TALISMAN_CONFIG: dict[str, Any] = {
    "content_security_policy": {
        "base-uri": ["'self'"],
        "default-src": ["'self'"],
        "img-src": ["'self'", "blob:", "data:"],
        "worker-src": ["'self'", "blob:"],
        "connect-src": ["'self'"],
        "object-src": "'none'",
        "style-src": ["'self'", "'unsafe-inline'"],
        "font-src": ["'self'", "data:"],
        "script-src": ["'self'", "'strict-dynamic'"],
        "frame-ancestors": ["'self'", *_portal_origins()],
    },
    "content_security_policy_nonce_in": ["script-src"],
    # X-Frame-Options knows no list of origins; frame-ancestors replaces it in every browser of this decade.
    "frame_options": None,
    "force_https": False,
    "session_cookie_secure": _HTTPS,
    "session_cookie_samesite": "Lax",
}
THEME_FONT_URL_ALLOWED_DOMAINS: list[str] = []
# No tile server is reachable from an isolated network: layers are drawn on a blank ground.
DECKGL_BASE_MAP = [["", "Nền trống"]]

# --- Language, numbers, time, colours --------------------------------------------------------------------------------
BABEL_DEFAULT_LOCALE = "vi"
LANGUAGES = {"vi": {"flag": "vn", "name": "Tiếng Việt"}, "en": {"flag": "gb", "name": "English"}}
BABEL_TRANSLATION_DIRECTORIES = f"translations;{compile_backend(HOME)}"
FLASK_APP_MUTATOR = install
D3_FORMAT = {"decimal": ",", "thousands": ".", "grouping": [3], "currency": ["", "\u00a0₫"]}
D3_TIME_FORMAT = {
    "dateTime": "%H:%M %d/%m/%Y",
    "date": "%d/%m/%Y",
    "time": "%H:%M:%S",
    "periods": ["SA", "CH"],
    "days": ["Chủ nhật", "Thứ hai", "Thứ ba", "Thứ tư", "Thứ năm", "Thứ sáu", "Thứ bảy"],
    "shortDays": ["CN", "T2", "T3", "T4", "T5", "T6", "T7"],
    "months": [f"Tháng {month}" for month in range(1, 13)],
    "shortMonths": [f"Th{month}" for month in range(1, 13)],
}
CURRENCIES = ["VND", "USD", "EUR"]
APP_NAME = "IOC Thanh Hóa"
_TOKENS = {
    "brandAppName": APP_NAME,
    "brandLogoAlt": APP_NAME,
    "brandLogoUrl": "/static/assets/images/superset-logo-horiz.png",
    "brandLogoHref": "/",
    "brandLogoHeight": "24px",
    "brandLogoMargin": "18px 0",
    "brandIconMaxWidth": 37,
    "colorPrimary": "#0B5CAD",
    "colorLink": "#0B5CAD",
    "fontFamily": "Inter, 'Segoe UI', Roboto, 'Noto Sans', Helvetica, Arial, sans-serif",
    "fontUrls": [],
    "fontSizeXS": "8",
    "fontSizeXXL": "28",
    "fontWeightNormal": "400",
    "fontWeightLight": "300",
    "fontWeightStrong": "500",
    "fontWeightBold": "700",
}
THEME_DEFAULT = {"token": _TOKENS, "algorithm": "default"}
# One theme: an embed that follows the reader's dark mode flashes, and the regulation's colours are defined on white.
THEME_DARK = None
EXTRA_SEQUENTIAL_COLOR_SCHEMES = [AQI_SEQUENTIAL, COMPLETENESS_SEQUENTIAL, RATIO_SEQUENTIAL]
EXTRA_CATEGORICAL_COLOR_SCHEMES = [CATEGORICAL]

# --- Limits and caches -----------------------------------------------------------------------------------------------
ROW_LIMIT = 10_000
SQL_MAX_ROW = 100_000
SQLLAB_TIMEOUT = 60
SUPERSET_WEBSERVER_TIMEOUT = 60
RATELIMIT_ENABLED = True
RATELIMIT_APPLICATION = "200 per second"
_REDIS = os.environ.get("IOC_SUPERSET_REDIS_URL")
RATELIMIT_STORAGE_URI = _REDIS or "memory://"


def _cache(prefix: str, timeout_s: int) -> dict[str, Any]:
    """A cache in Redis, or in files that the gunicorn workers share."""
    common = {"CACHE_DEFAULT_TIMEOUT": timeout_s, "CACHE_KEY_PREFIX": f"ioc_{prefix}_"}
    if _REDIS:
        return {**common, "CACHE_TYPE": "RedisCache", "CACHE_REDIS_URL": _REDIS}
    folder = HOME / "cache" / prefix
    folder.mkdir(parents=True, exist_ok=True)
    return {**common, "CACHE_TYPE": "FileSystemCache", "CACHE_DIR": str(folder), "CACHE_THRESHOLD": 2000}


# Air quality arrives every five minutes; a minute spares the warehouse when a whole meeting opens the same dashboard.
DATA_CACHE_CONFIG = _cache("data", 60)
CACHE_CONFIG = _cache("metadata", 300)
FILTER_STATE_CACHE_CONFIG = _cache("filter", 90 * 86_400)
EXPLORE_FORM_DATA_CACHE_CONFIG = _cache("explore", 7 * 86_400)
