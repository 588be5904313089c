"""A duty desk over real PostgreSQL with a clock that the test moves."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from aiosmtpd.controller import Controller

from alerts.judging import engine
from alerts.sending import delivery
from ioc import warehouse
from tests.fixtures.message_gateways import post, shared  # noqa: F401

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiosmtpd.smtp import SMTP, Envelope, Session

    from ioc.settings import Settings

VIET_NAM = timezone(timedelta(hours=7))
MIDNIGHT = datetime(2026, 3, 6, tzinfo=VIET_NAM)


@dataclass
class Desk:
    """Signals in, clock forward, look at what people got. Hours count from midnight of 06/03/2026 in Viet Nam."""

    settings: Settings

    def at(self, hour: float) -> datetime:
        return MIDNIGHT + timedelta(hours=hour)

    def signal(
        self,
        values: dict[float, float | None],
        *,
        station: str = "TH-01",
        quality: str = "ok",
        signal_code: str = "air_quality.aqi_h",
        unit_code: str | None = "14797",
        entity_type: str = "station",
    ) -> None:
        """Upsert signals the way the transformation does: a changed value raises the revision and the change id."""
        missing = "insufficient" if quality == "ok" else quality
        rows = [
            (signal_code, entity_type, station, unit_code, self.at(hour), value,
             quality if value is not None else missing)
            for hour, value in values.items()
        ]  # fmt: skip
        with warehouse.connect("transformer", self.settings) as connection, connection.cursor() as cursor:
            cursor.executemany(
                """
                insert into alerting.signal as kept
                    (signal_code, entity_type, entity_id, unit_code, period_end, value, quality)
                values (%s, %s, %s, %s, %s, %s, %s)
                on conflict (signal_code, entity_type, entity_id, period_end) do update set value = excluded.value,
                    quality = excluded.quality, revision = kept.revision + 1,
                    change_id = nextval('alerting.signal_change')
                where (kept.value, kept.quality) is distinct from (excluded.value, excluded.quality)
                """,
                rows,
            )

    def evaluate(self, hour: float, mode: engine.Mode = "live") -> engine.EvaluationReport:
        return engine.evaluate(at=self.at(hour), mode=mode, settings=self.settings)

    def deliver(self, hour: float) -> dict[str, delivery.DeliveryReport]:
        return {name: delivery.drain(name, self.settings, self.at(hour)) for name in ("web", "email")}

    def publish(self, hour: float, domain: str = "air_quality") -> None:
        """A batch of the domain passes the gate."""
        self.run(
            "insert into ops.load_batch (domain, status, verdict, publish_seq, published_at) "
            "values (%s, 'published', 'passed', nextval('ops.publish_seq'), %s)",
            domain, self.at(hour),
        )  # fmt: skip

    def tick(self, hour: float) -> engine.EvaluationReport:
        """One run of the alert DAG."""
        report = self.evaluate(hour)
        self.deliver(hour)
        return report

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with warehouse.connect("owner", self.settings) as connection:
            return connection.execute(query, values).fetchall()  # type: ignore[arg-type]

    def run(self, statement: str, *values: Any) -> None:
        with warehouse.connect("owner", self.settings) as connection:
            connection.execute(statement, values)  # type: ignore[arg-type]

    def one(self, query: str, *values: Any) -> Any:
        return self.rows(query, *values)[0][0]

    def subjects(self, user: str = "truc", *, of_windows: bool = False) -> list[str]:
        """What lies in somebody's inbox about incidents (or about windows), oldest first, each as its status."""
        return [
            body.split("]")[0].removeprefix("[")
            for (body,) in self.rows(
                "select body from notify.inbox join ref.contact using (contact_id) "
                "where user_name = %s and body like '[%%' and (incident_ids = '{}') = %s order by inbox_id",
                user, of_windows,
            )
        ]  # fmt: skip

    def transitions(self, kind: str = "value", station: str = "TH-01") -> list[tuple[float, int]]:
        """(hour, level) of every recorded change."""
        return [
            ((event_time - MIDNIGHT) / timedelta(hours=1), level)
            for event_time, level in self.rows(
                "select event_time, to_level from alert.transition "
                "where kind = %s and entity_id = %s order by event_time, revision",
                kind, station,
            )
        ]  # fmt: skip

    def counts(self) -> dict[str, int]:
        """Rows of everything that a run may add to."""
        tables = (
            "alert.incident", "alert.transition", "alert.series_state", "alert.late_observation", "notify.outbox",
            "notify.notice_state", "notify.inbox",
        )  # fmt: skip
        return {table: self.one(f"select count(*) from {table}") for table in tables}


@pytest.fixture
def desk(settings: Settings) -> Desk:
    """A warehouse with the seeded rules, units, contacts and routes, and no signal yet."""
    return Desk(settings)


@dataclass
class Mailbox:
    """A mail server that keeps what it gets; ``answers`` are given first, one per mail, instead of an acceptance."""

    received: list[bytes] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.answers:
            return self.answers.pop(0)
        assert isinstance(envelope.content, bytes)
        self.received.append(envelope.content)
        return "250 OK"


@pytest.fixture
def mailbox(settings: Settings) -> Iterator[Mailbox]:
    """A real SMTP server where the stack expects the sandbox's."""
    box = Mailbox()
    server = Controller(box, hostname="127.0.0.1", port=settings.port_smtp)
    server.start()
    yield box
    server.stop()
