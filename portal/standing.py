"""What the frame of every page tells its reader: unread messages, open tasks, and where things stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, LiteralString

from portal import live

if TYPE_CHECKING:
    from portal.database import Database
    from portal.users import User

_COUNTS: LiteralString = (
    """
with me as (select contact_id from ref.contact where user_name = %(username)s)
select
    (select count(*) from notify.inbox join me using (contact_id) where read_at is null) as unread,
    (select coalesce(max(inbox_id), 0) from notify.inbox join me using (contact_id)) as newest_message,
    (
        select count(*) from sop.task t join sop.case_ c using (case_id)
        where c.status = 'open' and t.status in ('ready', 'assigned', 'accepted', 'in_progress')
            and (t.assignee = %(username)s or (t.assignee is null and t.unit_code = %(unit)s))
    ) as tasks,
    state
from ("""
    + live.STATE
    + ") standing"
)


@dataclass(frozen=True)
class Standing:
    """Counts of one reader, and the mark of the newest change.

    Attributes:
        unread: Messages not read.
        newest_message: Number of the newest message, 0 = none.
        tasks: Open tasks of the reader, and those of the reader's unit that nobody has taken.
        state: Changes whenever an incident or what people did changes (see ``portal.live``).
    """

    unread: int = 0
    newest_message: int = 0
    tasks: int = 0
    state: str = ""


def of(database: Database, user: User | None) -> Standing:
    """The standing of a signed-in reader; nobody has none."""
    if user is None:
        return Standing()
    row = database.row(_COUNTS, {"username": user.username, "unit": user.unit_code})
    assert row is not None
    return Standing(**row)
