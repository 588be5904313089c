"""The phones behind both SMS gateways: what arrived, what is on its way, and what goes wrong on command."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Literal

from sandbox.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# ``timeout``: kept, the answer comes too late. ``timeout_before``: the same, and nothing is kept. ``drop`` and
# ``drop_before``: the connection ends in the middle of the answer, with the message kept or not. ``undelivered``:
# accepted, and reported as failed later. ``no_receipt``: delivered, and never reported.
FaultKind = Literal[
    "99", "101", "103", "104", "108", "118", "140", "146", "177", "500", "garbage", "timeout", "timeout_before", "drop",
    "drop_before", "undelivered", "no_receipt",
]  # fmt: skip
GatewayName = Literal["esms", "viettel"]
REPEATED_WITHIN_S = 300


@dataclass
class Fault:
    """What goes wrong with the next ``count`` messages of a gateway; ``phone`` narrows it to one number."""

    kind: FaultKind
    count: int
    gateway: str = ""
    phone: str = ""


@dataclass
class Text:
    """A message on a phone.

    Attributes:
        sms_id: Under which the gateway knows it.
        gateway: Which gateway took it.
        phone: To whom, 84….
        brandname: Sender shown.
        text: What it says.
        request_id: The sender's own id, where the gateway takes one.
        at: When it was taken, epoch seconds.
        status: ``waiting``, ``delivered`` or ``failed``.
    """

    sms_id: str
    gateway: str
    phone: str
    brandname: str
    text: str
    request_id: str
    at: float
    status: Literal["waiting", "delivered", "failed"] = "waiting"


@dataclass
class Behaviour:
    """How the network behaves when nothing goes wrong.

    Attributes:
        receipt_after_s: From acceptance to delivery and its report.
        slow_s: How long a ``timeout`` takes.
        templates: Beginnings of registered texts; empty = every text is registered.
        balance: Messages that may still be sent; None = any number.
        refuse_repeated: Refuse the same text to the same number within five minutes.
    """

    receipt_after_s: float = 2.0
    slow_s: float = 30.0
    templates: list[str] = field(default_factory=list)
    balance: int | None = None
    refuse_repeated: bool = True


class Phones:
    """The network: thread-safe; messages are kept in ``folder`` and are there again after a restart.

    Args:
        folder: Where each message lies as a JSON file.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._number = itertools.count(1)
        self.behaviour = Behaviour()
        folder.mkdir(parents=True, exist_ok=True)
        kept = (json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json")))
        self._texts: deque[Text] = deque((Text(**one) for one in kept), maxlen=2000)

    def break_next(self, fault: Fault) -> None:
        """Arm a fault; several wait one behind the other."""
        with self._lock:
            self._faults.append(fault)

    def strike(self, gateway: str, phone: str) -> FaultKind | None:
        """The fault that meets this message, if any."""
        with self._lock:
            for fault in self._faults:
                if fault.count > 0 and fault.gateway in ("", gateway) and fault.phone in ("", phone):
                    fault.count -= 1
                    self._faults = [one for one in self._faults if one.count > 0]
                    return fault.kind
        return None

    def is_repeated(self, phone: str, text: str, now: float) -> bool:
        """Whether this number got the same text lately."""
        with self._lock:
            return self.behaviour.refuse_repeated and any(
                one.phone == phone and one.text == text and now - one.at < REPEATED_WITHIN_S for one in self._texts
            )

    def fits_template(self, text: str) -> bool:
        """Whether the text is a registered one."""
        return not self.behaviour.templates or text.startswith(tuple(self.behaviour.templates))

    def pay(self) -> bool:
        """Take one message off the balance; False when there is none left."""
        with self._lock:
            if self.behaviour.balance is None:
                return True
            if self.behaviour.balance <= 0:
                return False
            self.behaviour.balance -= 1
            return True

    def take(self, text: Text, fault: FaultKind | None, report: Callable[[Text], None] | None = None) -> Text:
        """Keep a message and, after a while, deliver and report it."""
        with self._lock:
            self._texts.append(text)
        self._write(text)

        def arrive() -> None:
            text.status = "failed" if fault == "undelivered" else "delivered"
            self._write(text)
            if report and fault != "no_receipt":
                report(text)

        timer = threading.Timer(self.behaviour.receipt_after_s, arrive)
        timer.daemon = True
        timer.start()
        return text

    def new_id(self) -> str:
        """An id as gateways give them out."""
        return f"{time.time_ns():x}{next(self._number):06d}"

    def find(self, sms_id: str) -> Text | None:
        with self._lock:
            return next((one for one in self._texts if one.sms_id == sms_id), None)

    def by_request(self, request_id: str) -> Text | None:
        with self._lock:
            return next((one for one in self._texts if one.request_id and one.request_id == request_id), None)

    def texts(self) -> list[Text]:
        """Everything on the phones, oldest first."""
        with self._lock:
            return list(self._texts)

    def clear(self) -> int:
        """Empty the phones, forget faults and behaviour; how many messages there were."""
        with self._lock:
            count = len(self._texts)
            self._texts.clear()
            self._faults = []
            self.behaviour = Behaviour()
        for path in self._folder.glob("*.json"):
            path.unlink(missing_ok=True)
        return count

    def _write(self, text: Text) -> None:
        content = json.dumps(asdict(text), ensure_ascii=False).encode()
        write_atomically(self._folder / f"{text.sms_id}.json", content)
