"""What can go wrong in an extraction, grouped by how one recovers. Every message says how to go on."""

from __future__ import annotations


class ExtractError(Exception):
    """Base of the three kinds; never raised itself."""


class Fatal(ExtractError):  # noqa: N818 (named by how one recovers)
    """Trying again cannot help: somebody has to change a setting, a key or a declaration."""


class Retriable(ExtractError):  # noqa: N818 (named by how one recovers)
    """The source or the line is down or overloaded: the same call later goes on where this one ended.

    Attributes:
        delay_s: Pause that the source asked for or that is sensible, in seconds.
    """

    def __init__(self, message: str, delay_s: float = 60) -> None:
        super().__init__(message)
        self.delay_s = delay_s


class Skippable(ExtractError):  # noqa: N818 (named by how one recovers)
    """One file cannot be had or read; the rest goes on and the ledger keeps this one's outcome.

    Attributes:
        code: Short reason, the ``reason_code`` of a reject.
    """

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code
