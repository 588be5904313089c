"""The domains, discovered from ``extractors/<domain>/domain.toml``: a new folder is a new domain, no list to edit.

Standard library only: DAG files reach this module and must parse in a fraction of a second.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

_EXTRACTORS = Path(__file__).resolve().parent.parent / "extractors"


@dataclass(frozen=True)
class Domain:
    """What every room needs to know of a domain.

    Attributes:
        name: Folder, schema suffix, DAG id, dbt folder, suite, dashboard slug and tag.
        number: Position in the tender, 1 to 12.
        title_vi: Title shown to people.
        title_en: The same in English.
        status: ``live`` or ``planned``.
        schedule: Cron expression in Asia/Ho_Chi_Minh.
        tier: 1 (wakes somebody), 2 (working hours), 3 (next report).
        owner: Unit code that answers for the data.
        lane: ``fast`` (5-minute and hourly domains) or ``batch``.
        stale_after_minutes: Age of the newest data from which the source counts as silent.
    """

    name: str
    number: int
    title_vi: str
    title_en: str
    status: str
    schedule: str
    tier: int
    owner: str
    lane: str
    stale_after_minutes: int

    @property
    def raw_schema(self) -> str:
        return f"raw_{self.name}"


@lru_cache(maxsize=4)
def all_domains(root: Path = _EXTRACTORS) -> tuple[Domain, ...]:
    """Every domain found under ``root``, in the tender's order.

    Raises:
        ValueError: a ``domain.toml`` lacks a field or has one that does not exist; the message names the file.
    """
    found = []
    for path in sorted(root.glob("*/domain.toml")):
        try:
            found.append(Domain(name=path.parent.name, **tomllib.loads(path.read_text(encoding="utf-8"))))
        except (TypeError, tomllib.TOMLDecodeError) as error:
            raise ValueError(f"{path}: {error}") from error
    return tuple(sorted(found, key=lambda domain: domain.number))


def get_domain(name: str) -> Domain:
    """The domain called ``name``.

    Raises:
        KeyError: no such domain; the message lists the known ones.
    """
    for domain in all_domains():
        if domain.name == name:
            return domain
    raise KeyError(f"no domain '{name}'; known: {', '.join(d.name for d in all_domains())}")
