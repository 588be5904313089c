"""Settings of the extraction (environment or ``.env``, prefix ``IOC_EXTRACT_``)."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 (pydantic reads it)

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from ioc.settings import get_settings


class ExtractSettings(BaseSettings):
    """How hard, how patiently and how much at once."""

    model_config = SettingsConfigDict(env_prefix="IOC_EXTRACT_", env_file=".env", extra="ignore")

    connections: int = Field(default=8, ge=1, le=64, description="Parallel connections to one source.")
    timeout_s: float = Field(default=30, gt=0, description="Silence on a connection after which it counts as lost.")
    attempts: int = Field(default=4, ge=1, description="Attempts at a connection or request before giving up.")
    backoff_s: float = Field(default=0.5, ge=0, description="Pause before the second attempt; doubles each time.")
    settle_s: float = Field(default=10, ge=0, description="A file untouched for so long counts as complete.")
    recheck_s: float = Field(default=2, ge=0, description="A younger file is listed again after this pause.")
    future_tolerance_s: float = Field(default=900, ge=0, description="Clock skew of a station that is still believed.")
    lock_timeout_s: float = Field(default=900, gt=0, description="Wait for another extraction of the same domain.")
    batch_files: int = Field(default=20_000, ge=1, description="Files after which a batch is committed.")
    batch_s: float = Field(default=120, gt=0, description="Seconds after which a batch is committed, for slow lines.")
    batch_rows: int = Field(default=1_000_000, ge=1, description="Rows after which a batch is committed.")
    max_file_bytes: int = Field(default=256 * 2**20, ge=1, description="A larger file is refused.")
    sftp_key: Path | None = Field(default=None, description="Private key for SFTP; unset = password of the URI.")
    tls_ca: Path | None = Field(default=None, description="CA bundle for FTPS and HTTPS; unset = the system's.")
    known_hosts: Path | None = Field(default=None, validation_alias="IOC_KNOWN_HOSTS")

    def known_hosts_file(self) -> Path:
        """Host keys of SFTP sources: ``IOC_KNOWN_HOSTS``, else ``IOC_HOME/known_hosts``."""
        return self.known_hosts or get_settings().home / "known_hosts"
