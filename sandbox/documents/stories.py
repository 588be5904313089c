"""What is planted, so that every alarm and every count on the dashboard has a cause one can look up (README)."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

from sandbox.documents.letters import VIETNAM, Letter
from sandbox.documents.plan import PEOPLE, described

if TYPE_CHECKING:
    from datetime import date

    from sandbox.documents.letters import Kind

BACKLOG = 18
# A petition as a registry enters it: a (fictitious) person with name, address and telephone in free text.
PETITION = {
    "trichYeu": "Đơn kiến nghị của bà Trần Thị Đơn Thư, trú tại số 12 đường Thử Nghiệm, điện thoại 0900 000 389, "
    "về việc bồi thường đất",
    "coQuanBanHanh": "Công dân Trần Thị Đơn Thư",
}


def planted(anchor: datetime) -> list[Letter]:
    """The stories around ``anchor``, the end of the first history."""
    rng = Random("documents/stories")
    now = anchor.astimezone(VIETNAM)
    hours = timedelta(hours=1)

    def letter(
        name: str, kind: Kind, unit: str, begun: float, due: date | datetime | None, *, urgency: int = 0,
        forwarded: float = 0.5, said: dict[str, str] | None = None,
    ) -> Letter:  # fmt: skip
        registered = now + begun * hours
        fields = described(rng, kind, 900 + len(told)) | {"doKhan": str(urgency)} | (said or {})
        one = Letter(kind, name, registered, unit, due, fields)
        if kind == "incoming":
            one.forward(registered + forwarded * hours)
        one.assign(one.last_at + hours, rng.choice(PEOPLE))
        told.append(one)
        return one

    told: list[Letter] = []
    for number in range(1, BACKLOG + 1):
        one = letter(f"VBD-TONDONG-{number:02d}", "incoming", "SXD", -9 * 24 + number, (now - 48 * hours).date())
        one.finish(now + 30 * hours + number * timedelta(minutes=10))
    letter("VBD-HOATOC-1", "incoming", "VPUB", -7 * 24, now + 60 * hours, urgency=3, forwarded=70)
    letter("VBD-CHUYEN-1", "incoming", "SXD", -100, now - 30 * hours).transfer(now - 10 * hours, "SNNMT")
    one = letter("VBN-MOLAI-1", "internal", "STC", -120, now - 60 * hours)
    one.finish(now - 50 * hours)
    one.reopen(now - 26 * hours)
    one.finish(now + 50 * hours)
    letter("VBD-GIAHAN-1", "incoming", "SYT", -90, now - 6 * hours).extend(now - 8 * hours, now + 40 * hours)
    letter("VBD-HOMNAY-1", "incoming", "SCT", -50, now.date())
    letter("VBI-KHONGHAN-1", "outgoing", "STP", -20 * 24, None)
    letter("VBD-XOA-1", "incoming", "SGDDT", -140, now - 40 * hours).delete(now - 5 * hours)
    letter("VBI-THUHOI-1", "outgoing", "SGDDT", -130, now - 40 * hours).withdraw(now - 60 * hours)
    one = letter("VBN-TIENLUI-1", "internal", "SNV", -60, now + 10 * hours)
    one.finish(now - 3 * hours)
    one.reopen(now + 2 * hours)
    one.finish(now + 4 * hours)
    letter("VBN-LA-1", "internal", "?", -80, now - 20 * hours)
    # A moment at midnight is a day that some program has widened.
    letter("VBD-NUADEM-1", "incoming", "SCT", -60, datetime(now.year, now.month, now.day, tzinfo=VIETNAM))
    letter("VBD-DONTHU-1", "incoming", "SNNMT", -30, now + 200 * hours, said=PETITION)
    return told
