"""The sandbox's HTTP side: read the mailbox, break the mail server, and whatever the domains' stand-ins add."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from pydantic import BaseModel, Field

from sandbox.mail import Fault, FaultKind, MailServer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import APIRouter

    from sandbox.stand_in import StandIn


class FaultOrder(BaseModel):
    """Body of ``POST /smtp/fault``; see :class:`sandbox.mail.Fault`."""

    kind: FaultKind
    count: int = Field(default=1, ge=0)
    recipient: str = ""


def build(
    mail: MailServer, stand_ins: Mapping[str, StandIn], ports: Mapping[str, int], gateways: APIRouter | None = None
) -> FastAPI:
    """The application over a running mail server, the stand-ins by domain and those of message gateways."""
    application = FastAPI(title="IOC sandbox", docs_url=None, redoc_url=None)

    @application.get("/health")
    def health() -> dict[str, Any]:
        return {
            "status": "ok",
            "ports": dict(ports),
            "domains": {domain: one.health() for domain, one in stand_ins.items()},
        }

    @application.get("/mailbox")
    def mailbox() -> list[dict[str, Any]]:
        return [
            {
                "from": one.sender,
                "to": one.to,
                "subject": one.subject,
                "message_id": one.message_id,
                "date": one.date,
                "body": one.body,
            }
            for one in mail.mails()
        ]

    @application.delete("/mailbox")
    def empty_mailbox() -> dict[str, int]:
        return {"deleted": mail.clear()}

    @application.post("/smtp/fault")
    def smtp_fault(order: FaultOrder) -> FaultOrder:
        mail.misbehave(Fault(kind=order.kind, count=order.count, recipient=order.recipient))
        return order

    for domain, one in stand_ins.items():
        application.include_router(one.router, prefix=f"/{domain}", tags=[domain])
    if gateways is not None:
        application.include_router(gateways)
    return application
