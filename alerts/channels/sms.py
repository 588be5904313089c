"""SMS under a brandname, by the gateways of ``IOC_SMS_GATEWAY``: the first that takes messages carries them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alerts.gateways import sms_gateways
from alerts.recipients.phones import normalised
from ioc.settings import get_settings

if TYPE_CHECKING:
    from alerts.channels.base import Contact
    from alerts.gateways.base import Gateway
    from ioc.settings import Settings


class Sms:
    """Reaches verified mobile numbers of Viet Nam."""

    in_database = False

    def address_of(self, contact: Contact) -> str | None:
        # Without a gateway nobody is reached by SMS: a message must not wait for one that does not exist.
        settings = get_settings()
        has_gateway = bool(settings.sms_gateway or settings.with_sandbox)
        return normalised(contact.phone) if has_gateway and contact.phone_verified else None

    def gateways(self, settings: Settings) -> list[Gateway]:
        return sms_gateways(settings)


CHANNEL = Sms()
