"""What planted faults showed to be untested: see tests/mutations."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.integration.alerts.conftest import Desk


def test_a_silence_is_on_record_from_when_it_was_long_enough_whenever_somebody_looked(desk: Desk) -> None:
    desk.signal({0: 60}, station="LOOKED-AT-ONCE")
    desk.tick(0.1)
    desk.tick(3.1)
    desk.signal({3: 60}, station="LOOKED-AT-LATE")
    desk.tick(3.2)
    desk.tick(9.7)
    opened = "select entity_id, opened_at from alert.incident where kind = 'nodata' order by entity_id desc"
    assert desk.rows(opened) == [("LOOKED-AT-ONCE", desk.at(3)), ("LOOKED-AT-LATE", desk.at(6))]
