"""People and clocks at the same time: nobody waits for somebody who waits for him."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from procedure_room import Room

from alerts import procedures

if TYPE_CHECKING:
    from conftest import Desk


def test_acts_and_clocks_do_not_lock_each_other_out(desk: Desk) -> None:
    room = Room(desk)
    cases = 12
    for number in range(cases):
        desk.signal({0: 170}, station=f"TH-{number:02}")
    room.evaluate(0.1)
    tasks = procedures.my_tasks(settings=desk.settings, at=desk.at(0.1))
    assert len(tasks) == cases
    trouble: list[BaseException] = []
    is_over = threading.Event()

    def drain() -> None:
        hour = 0.2
        while not is_over.is_set():
            hour += 0.05
            try:
                trouble.extend(RuntimeError(error) for error in room.drain(hour).errors)
            except Exception as error:
                trouble.append(error)

    def work(mine: list[procedures.TaskView]) -> None:
        for task in mine:
            try:
                room.act("accept", task, "truc", hour=0.3)
                room.act("start", task, "truc", hour=0.4)
                room.act("finish", task, "dung", "truc", hour=0.5)
                procedures.close_case(
                    task.case_code, "bao-dong-gia", "truc", note="thử", cancel_open_tasks=True,
                    settings=desk.settings, at=desk.at(0.6),
                )  # fmt: skip
            except Exception as error:
                trouble.append(error)

    clocks = [threading.Thread(target=drain) for _ in range(2)]
    people = [threading.Thread(target=work, args=(tasks[number::3],)) for number in range(3)]
    for thread in clocks + people:
        thread.start()
    for thread in people:
        thread.join()
    is_over.set()
    for thread in clocks:
        thread.join()
    assert trouble == []
    assert procedures.list_cases(settings=desk.settings) == []
    # A repetition that was armed while its case was being closed lapses when it is due.
    assert room.drain(100).fired == 0
    assert desk.one("select count(*) from sop.timer where status = 'armed'") == 0
