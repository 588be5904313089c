"""Every setting of the platform, read from the environment or ``.env`` (prefix ``IOC_``).

Ports are offsets from one base so that a second stack needs two settings only: ``IOC_HOME`` and ``IOC_PORT_BASE``.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PROJECT_ROOT = Path(__file__).resolve().parent.parent
TIME_ZONE = "Asia/Ho_Chi_Minh"


class Settings(BaseSettings):
    """Settings of one stack.

    Sources of domains are not fields: ``IOC_SOURCE_<DOMAIN>`` is looked up by name in :meth:`source_uri`, so that a new
    domain needs no edit here.
    """

    model_config = SettingsConfigDict(env_prefix="IOC_", env_file=".env", extra="ignore")

    home: Path = Field(default=PROJECT_ROOT / ".ioc", description="State folder of the stack.")
    bind_host: str = "127.0.0.1"
    port_base: int = Field(default=18000, ge=1024, le=64000)
    warehouse_url: str | None = Field(
        default=None, description="Owner URL of the warehouse; unset = embedded PostgreSQL."
    )
    public_url: str | None = Field(default=None, description="URL under which people reach the portal.")
    superset_public_url: str | None = None
    superset_internal_url: str | None = Field(
        default=None, description="Where the platform itself reaches Superset; unset = its port on bind_host."
    )
    airflow_public_url: str | None = None
    smtp_url: str | None = Field(default=None, description="smtp[s]://user:password@host:port; unset = sandbox mail.")
    mail_from: str = "canhbao@ioc.example"
    sms_gateway: str | None = Field(
        default=None,
        description="SMS gateways, the preferred first (esms+https://…, viettel+https://…); unset = the sandbox's.",
    )
    receipt_networks: str = Field(default="", description="Networks that may bring receipts; empty = every one.")
    outbound_networks: str = Field(
        default="", description="Private networks that webhooks and browser push may reach; empty = none."
    )
    with_sandbox: bool = Field(default=True, description="Start the stand-ins of the source systems with the stack.")
    sandbox_seed: int = 36
    sandbox_days: int = Field(default=30, ge=1, le=800, description="Days of history that the sandbox lays out.")

    @field_validator("home")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    def _port(self, offset: int) -> int:
        return self.port_base + offset

    @property
    def port_portal(self) -> int:
        return self._port(0)

    @property
    def port_airflow(self) -> int:
        return self._port(80)

    @property
    def port_superset(self) -> int:
        return self._port(88)

    @property
    def port_postgres(self) -> int:
        return self._port(32)

    @property
    def port_ftp(self) -> int:
        return self._port(21)

    @property
    def port_sftp(self) -> int:
        return self._port(22)

    @property
    def port_smtp(self) -> int:
        return self._port(25)

    @property
    def port_sandbox_http(self) -> int:
        """HTTP side of the sandbox: read the mailbox, tell stories to the stations."""
        return self._port(26)

    @property
    def port_airflow_worker_logs(self) -> int:
        return self._port(93)

    @property
    def landing(self) -> Path:
        """Content-addressed store of everything ever fetched."""
        return self.home / "landing"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    def portal_url(self) -> str:
        return self.public_url or f"http://{self.bind_host}:{self.port_portal}"

    def superset_url(self) -> str:
        return self.superset_public_url or f"http://{self.bind_host}:{self.port_superset}"

    def airflow_url(self) -> str:
        return self.airflow_public_url or f"http://{self.bind_host}:{self.port_airflow}"

    @staticmethod
    def source_uris(domain: str) -> list[str]:
        """Source URIs of a domain, from ``IOC_SOURCE_<DOMAIN>``; several are separated by white space.

        Returns:
            An empty list when nothing is configured: the caller then falls back to the sandbox, or refuses.
        """
        return os.environ.get(f"IOC_SOURCE_{domain.upper()}", "").split()


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process (cached; call ``get_settings.cache_clear()`` after changing the environment)."""
    return Settings()
