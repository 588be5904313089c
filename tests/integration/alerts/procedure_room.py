"""The duty desk with a procedure on its air rule: cases open, people work them, the clock moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from alerts import incidents, procedures

if TYPE_CHECKING:
    from conftest import Desk

    from alerts.procedures import CaseFile, CaseView, ProceduresReport, TaskView

PDF = b"%PDF-1.7 minutes of the inspection"


@dataclass
class Room:
    """Hours count from midnight of 06/03/2026, a Friday."""

    desk: Desk
    template: str = "khong-khi-xau"

    def __post_init__(self) -> None:
        self.desk.run(
            "update alert.rule set sop_template_code = %s, sop_min_level = 2 where code = 'air_quality.aqi_h'",
            self.template,
        )

    def evaluate(self, hour: float) -> ProceduresReport:
        """One run of the alert DAG without the channels."""
        self.desk.evaluate(hour)
        return self.drain(hour)

    def drain(self, hour: float) -> ProceduresReport:
        return procedures.drain(self.desk.at(hour), self.desk.settings)

    def open(self, value: float = 170, hour: float = 0.0) -> CaseView:
        """A station over its limit and the case that follows."""
        self.desk.signal({hour: value})
        assert self.evaluate(hour + 0.1).opened == 1
        return self.cases(hour + 0.1)[0]

    def cases(self, hour: float, **more: Any) -> list[CaseView]:
        return procedures.list_cases(settings=self.desk.settings, at=self.desk.at(hour), **more)

    def file(self, hour: float, code: str | None = None) -> CaseFile:
        code = code or self.cases(hour, status=None)[0].code
        return procedures.case(code, settings=self.desk.settings, at=self.desk.at(hour))

    def task(self, step: str, hour: float) -> TaskView:
        return next(task for task in self.file(hour).tasks if task.step_code == step)

    def states(self, hour: float) -> dict[str, str]:
        return {task.step_code: task.status for task in self.file(hour).tasks}

    def act(self, name: str, task: TaskView | int, *rest: Any, hour: float, **more: Any) -> TaskView:
        task_id = task if isinstance(task, int) else task.task_id
        done: TaskView = getattr(procedures, name)(
            task_id, *rest, settings=self.desk.settings, at=self.desk.at(hour), **more
        )
        return done

    def work(self, step: str, outcome: str, hour: float, user: str = "truc") -> TaskView:
        """Somebody does a task from beginning to end, with evidence."""
        task = self.task(step, hour)
        self.act("accept", task, user, hour=hour)
        self.act("start", task, user, hour=hour)
        self.attach(task, hour, user)
        return self.act("finish", task, outcome, user, hour=hour)

    def attach(self, task: TaskView, hour: float, user: str = "truc", content: bytes = PDF) -> procedures.Attachment:
        return procedures.attach(
            task.case_code, "biên bản.pdf", content, user, task_id=task.task_id, settings=self.desk.settings,
            at=self.desk.at(hour),
        )  # fmt: skip

    def silence(self, since: float, until: float, max_level: int = 2) -> None:
        """Messages about the air rule are held back for some hours."""
        self.desk.run(
            "insert into alert.suppression (kind, during, max_level, reason, created_by, rule_code_pattern) "
            "values ('silence', tstzrange(%s, %s), %s, 'Thay đầu đo', 'truc', 'air_quality.aqi_h')",
            self.desk.at(since), self.desk.at(until), max_level,
        )  # fmt: skip

    def acknowledge(self, hour: float) -> None:
        (incident,) = incidents.list_open(settings=self.desk.settings, at=self.desk.at(hour))
        incidents.acknowledge(
            incident.incident_id, "truc", "Đã nắm", settings=self.desk.settings, at=self.desk.at(hour)
        )

    def reminders(self) -> list[tuple[str, str]]:
        """(address, subject) of every reminder in the portal and by mail, oldest first."""
        return [
            (address, subject)
            for address, subject in self.desk.rows(
                "select address, subject from notify.outbox where dedupe_key like 'escalation|%%' "
                "and channel = 'email' order by created_at, dedupe_key"
            )
        ]

    def fired(self, condition: str = "not_acked") -> list[tuple[float, int]]:
        """(hour, position) of fired clocks."""
        return [
            (round((finished_at - self.desk.at(0)).total_seconds() / 3600, 3), position)
            for finished_at, position in self.desk.rows(
                "select finished_at, position from sop.timer where status = 'fired' and condition = %s "
                "order by finished_at, position",
                condition,
            )
        ]
