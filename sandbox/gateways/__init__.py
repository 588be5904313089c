"""Stand-ins of the services that messages go to: two SMS gateways with one phone network behind them, browser push."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter

from ioc.secrets import Secrets
from sandbox.gateways import esms, phone_page, push, viettel
from sandbox.gateways.phones import Phones

if TYPE_CHECKING:
    from ioc.settings import Settings


def routes(settings: Settings) -> APIRouter:
    """``/esms``, ``/viettel``, ``/push`` and the phones at ``/sms``."""
    secrets = Secrets.of(settings)
    phones = Phones(settings.home / "sandbox" / "sms")
    found = APIRouter()
    esms_keys = (secrets.get("sms_esms_api_key"), secrets.get("sms_esms_secret_key"))
    viettel_account = (secrets.get("sms_viettel_user"), secrets.get("sms_viettel_password"))
    found.include_router(esms.router(phones, esms_keys), prefix="/esms", tags=["sms"])
    found.include_router(viettel.router(phones, viettel_account), prefix="/viettel", tags=["sms"])
    found.include_router(push.router(), prefix="/push", tags=["push"])
    found.include_router(phone_page.router(phones), prefix="/sms", tags=["sms"])
    return found
