"""The stand-in of "Phản hồi Thanh Hóa": a token, pages of reports, changes since a moment."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ioc.secrets import Secrets
from sandbox.api import Interface
from sandbox.citizen_feedback import reports, stories
from sandbox.store import Change, Clock, Store, kept_anchor

if TYPE_CHECKING:
    from ioc.settings import Settings


def changes(seed: int, anchor: datetime, days: int) -> list[Change]:
    """Everything that happens: ``days`` of history, the stock before it, planted stories, two weeks to come."""
    return [*reports.plan(seed, anchor, days), *stories.plan(seed, anchor)]


def interface(store: Store, password: str) -> Interface:
    """The office over a store of reports."""
    return Interface(
        store, path="/phan-anh", key_field="maPhanAnh", changed_field="ngayCapNhat", user="ioc", password=password,
        paging="page", most=200,
    )  # fmt: skip


def stand_in(settings: Settings) -> Interface:
    """See :func:`sandbox.stand_in.discover`."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    anchor = kept_anchor(settings.home / "sandbox" / "citizen_feedback.json", now)
    store = Store(Clock(), changes(settings.sandbox_seed, anchor, settings.sandbox_days))
    return interface(store, Secrets.of(settings).get("sandbox_citizen_feedback"))
