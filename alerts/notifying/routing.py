"""Who is told: from an incident's unit and a route's roles to people.

The unit is the one of the incident's time; its successor (mergers of communes), the nearest ancestor with the role and
whoever is on duty are found when the message leaves.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from alerts.channels.base import Contact
from ioc.settings import TIME_ZONE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import psycopg

_ZONE = ZoneInfo(TIME_ZONE)
# A role of a unit has a roster while shifts lie within this time of the clock; a roster given up long ago is no gap.
_ROSTERED_WITHIN = timedelta(days=31)


@dataclass
class Directory:
    """Units, people and rosters as of one moment.

    ``gaps`` collects the (unit, role) pairs that were asked for, have a roster, and have nobody on duty now.
    """

    names: dict[str, str] = field(default_factory=dict)
    parents: dict[str, str | None] = field(default_factory=dict)
    successors: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    by_unit: dict[str, list[Contact]] = field(default_factory=lambda: defaultdict(list))
    contacts: dict[int, Contact] = field(default_factory=dict)
    quiet: dict[int, tuple[time, time]] = field(default_factory=dict)
    on_duty: dict[tuple[str, str], list[int]] = field(default_factory=lambda: defaultdict(list))
    rostered: dict[tuple[str, str], datetime | None] = field(default_factory=dict)
    gaps: set[tuple[str, str]] = field(default_factory=set)

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

    def people(
        self, unit_code: str | None, roles: Sequence[str], *, hop: int = 0, by_roster: bool = True
    ) -> list[Contact]:
        """Who answers for ``roles`` in a unit, or in its nearest ancestor where anybody does.

        Args:
            unit_code: The unit, possibly one that has been merged away since.
            roles: Any of these.
            hop: Begin so many levels above the unit (escalation); the top stays the top.
            by_roster: Whoever is on duty answers instead of everybody who holds the role. In a gap of the roster
                everybody does, and the gap is noted in ``gaps``.
        """
        found: dict[int, Contact] = {}
        for code in self.today(unit_code) if unit_code else []:
            for here in self._upwards(code, hop):
                matching = self._answering(here, roles, by_roster)
                if matching:
                    found |= {contact.contact_id: contact for contact in matching}
                    break
        return list(found.values())

    def quiet_until(self, contact_id: int | None, at: datetime) -> datetime | None:
        """When the quiet hours end in which ``at`` lies; None when it lies in none. They may run across midnight."""
        hours = self.quiet.get(contact_id) if contact_id is not None else None
        if hours is None:
            return None
        start, end = hours
        civil = at.astimezone(_ZONE)
        clock = civil.time()
        today = civil.date()
        if start < end:
            day = today if start <= clock < end else None
        elif clock >= start:
            day = today + timedelta(days=1)
        else:
            day = today if clock < end else None
        return datetime.combine(day, end, _ZONE) if day else None

    def _upwards(self, code: str, hop: int) -> Iterator[str]:
        path: list[str] = []
        here: str | None = code
        while here is not None and here not in path:
            path.append(here)
            parent = self.parents.get(here)
            # An ancestor may have been merged away as well.
            here = self.today(parent)[0] if parent else None
        yield from path[min(hop, len(path) - 1) :]

    def _answering(self, unit: str, roles: Sequence[str], by_roster: bool) -> list[Contact]:
        found: dict[int, Contact] = {}
        for role in roles:
            duty = self.on_duty.get((unit, role), []) if by_roster else []
            if not duty:
                if by_roster and (unit, role) in self.rostered:
                    self.gaps.add((unit, role))
                duty = [contact.contact_id for contact in self.by_unit.get(unit, ()) if role in contact.roles]
            found |= {contact_id: self.contacts[contact_id] for contact_id in duty}
        return sorted(found.values(), key=lambda contact: contact.code)


def load(connection: psycopg.Connection, at: datetime) -> Directory:
    """Units as of the day of ``at`` (names of older ones too), successions in force, active contacts, shifts."""
    directory = Directory()
    for code, name, parent in connection.execute(
        "select code, name_vi, parent_code from ref.org_unit where lower(valid) <= %s::date order by valid", (at,)
    ):
        directory.names[code] = name
        directory.parents[code] = parent
    for old, new in connection.execute(
        "select old_code, new_code from ref.unit_succession where effective_on <= %s::date", (at,)
    ):
        directory.successors[old].append(new)
    addresses: dict[int, dict[str, str]] = defaultdict(dict)
    for contact_id, channel, address in connection.execute("select contact_id, channel, address from notify.address"):
        addresses[contact_id][channel] = address
    for *row, quiet_from, quiet_to in connection.execute(
        """
        select contact_id, code, name_vi, unit_code, roles, user_name, email, email_verified_at is not null, phone,
            phone_verified_at is not null, quiet_from, quiet_to
        from ref.contact where is_active order by code
        """
    ):
        contact = replace(Contact(*row), addresses=addresses.get(row[0], {}))
        directory.contacts[contact.contact_id] = contact
        directory.by_unit[contact.unit_code].append(contact)
        if quiet_from is not None and quiet_from != quiet_to:
            directory.quiet[contact.contact_id] = (quiet_from, quiet_to)
    for unit, role, contact_id, is_now, ended in connection.execute(
        """
        select unit_code, role, contact_id, during @> %(at)s::timestamptz,
            max(upper(during)) filter (where upper(during) <= %(at)s) over (partition by unit_code, role)
        from ref.duty_shift where during && tstzrange(%(at)s - %(near)s::interval, %(at)s + %(near)s::interval)
        order by lower(during), contact_id
        """,
        {"at": at, "near": _ROSTERED_WITHIN},
    ):
        directory.rostered[unit, role] = ended
        # Somebody who has left the house answers nothing, whatever the roster says.
        if is_now and contact_id in directory.contacts:
            directory.on_duty[unit, role].append(contact_id)
    return directory
