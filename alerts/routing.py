"""Who is told: from an incident's unit and a route's roles to people.

The unit is the one of the incident's time; its successor (mergers of communes) and the nearest ancestor with the role
are found when the message leaves.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from alerts.channels.base import Contact

if TYPE_CHECKING:
    from datetime import datetime

    import psycopg


@dataclass
class Directory:
    """Units and people as of one day."""

    names: dict[str, str] = field(default_factory=dict)
    parents: dict[str, str | None] = field(default_factory=dict)
    successors: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    by_unit: dict[str, list[Contact]] = field(default_factory=lambda: defaultdict(list))

    def name_of(self, unit_code: str | None) -> str:
        """Vietnamese name of a unit; its code when unknown."""
        if unit_code is None:
            return "Toàn tỉnh"
        return self.names.get(unit_code, unit_code)

    def today(self, unit_code: str) -> list[str]:
        """The units that hold the place of ``unit_code`` now: itself, or those it was merged into."""
        found, waiting, seen = [], [unit_code], set()
        while waiting:
            code = waiting.pop()
            if code in seen:
                continue
            seen.add(code)
            if code in self.successors:
                waiting.extend(self.successors[code])
            else:
                found.append(code)
        return sorted(found)

    def people(self, unit_code: str | None, roles: list[str]) -> list[Contact]:
        """Contacts with one of ``roles`` in the unit, or in its nearest ancestor that has any."""
        found: dict[int, Contact] = {}
        for code in self.today(unit_code) if unit_code else []:
            here: str | None = code
            seen: set[str] = set()
            while here and here not in seen:
                seen.add(here)
                matching = [c for c in self.by_unit.get(here, ()) if set(c.roles) & set(roles)]
                if matching:
                    found |= {contact.contact_id: contact for contact in matching}
                    break
                here = self.parents.get(here)
        return list(found.values())


def load(connection: psycopg.Connection, at: datetime) -> Directory:
    """Units valid on the day of ``at`` (names of older ones too), successions in force, active contacts."""
    directory = Directory()
    for code, name, parent, is_valid in connection.execute(
        "select code, name_vi, parent_code, valid @> %s::date from ref.org_unit order by valid", (at,)
    ):
        directory.names[code] = name
        if is_valid:
            directory.parents[code] = parent
    for old, new in connection.execute(
        "select old_code, new_code from ref.unit_succession where effective_on <= %s::date", (at,)
    ):
        directory.successors[old].append(new)
    for row in connection.execute(
        """
        select contact_id, code, name_vi, unit_code, roles, user_name, email, email_verified_at is not null, phone,
            phone_verified_at is not null
        from ref.contact where is_active order by code
        """
    ):
        contact = Contact(*row)
        directory.by_unit[contact.unit_code].append(contact)
    return directory
