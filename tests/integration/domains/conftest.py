"""The whole corridor of a domain on a warehouse of its own: what Airflow's tasks do, in order, without Airflow."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from alerts import procedures
from alerts import seed as alert_seed
from alerts.judging import engine
from alerts.notifying import telling
from expectations import quarantine, runner
from extractors.core import pipeline
from ioc import transform, warehouse
from ioc.settings import Settings, get_settings
from superset_assets import bundle
from tests.fixtures.warehouses import warehouse_of_its_own

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ioc.stack.postgres import EmbeddedPostgres


@dataclass(frozen=True)
class Consequences:
    """What came of one incident.

    Attributes:
        raised: Its level and unit.
        cases: Procedure, unit, level and status of each case that it opened.
        tasks: Step → status and unit.
        told: Route, contact and channel → words in the outbox.
    """

    raised: tuple[int, str]
    cases: list[tuple[Any, ...]]
    tasks: dict[str, tuple[str, str]]
    told: dict[tuple[str, str, str], str]

    def people(self) -> dict[str, set[str]]:
        """Route → contacts."""
        found: dict[str, set[str]] = {}
        for route, contact, _ in self.told:
            found.setdefault(route, set()).add(contact)
        return found


@dataclass
class Corridor:
    """One warehouse with units, calendars, rules and procedures, and the steps that fill it."""

    settings: Settings
    assets: bundle.Assets = field(default_factory=bundle.read)

    def load(self, domain: str, *uris: str) -> pipeline.LoadReport:
        """Extract from these sources, judge, publish."""
        report = pipeline.extract(domain, source_uris=list(uris), settings=self.settings)
        self.publish(domain)
        return report

    def publish(self, domain: str) -> pipeline.PublishReport:
        """Judge what is loaded and publish what passes; an extraction that failed half-way has loaded something too."""
        runner.validate(domain, self.settings)
        published = pipeline.publish(domain, settings=self.settings)
        quarantine.announce(domain, self.settings)
        return published

    def transform(self, *domains: str) -> transform.TransformReport:
        return transform.run(list(domains), settings=self.settings)

    def unit_tests(self, folder: str, target: Path) -> str:
        """Run dbt's unit tests of ``models/*/<folder>``, which must be built; what dbt said."""
        # What the builds have parsed already: reading the whole project takes longer than the tests.
        target.mkdir(parents=True, exist_ok=True)
        parsed = self.settings.home / "dbt" / "lane-0" / "partial_parse.msgpack"
        if parsed.exists():
            shutil.copy(parsed, target)
        finished = subprocess.run(
            [
                str(Path(sys.executable).parent / "dbt"), "test", "--select", f"test_type:unit,path:models/*/{folder}",
                "--project-dir", str(transform.PROJECT), "--profiles-dir", str(transform.PROJECT),
                "--target-path", str(target), "--log-path", str(target),
            ],
            env=transform.environment(self.settings), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert finished.returncode == 0, finished.stdout[-4000:]
        return finished.stdout

    def evaluate(self, at: datetime | None = None) -> engine.EvaluationReport:
        return engine.evaluate(at, settings=self.settings)

    def consequences(self, rule: str, entity: str, at: datetime | None = None) -> Consequences:
        """Evaluate, tell people and open procedures at ``at`` (default: now); what came of one value incident."""
        at = at or datetime.now(UTC)
        self.evaluate(at)
        procedures.drain(at, self.settings)
        telling.drain(at, self.settings)
        ((incident, *raised),) = self.query(
            "select i.incident_id, i.level, i.unit_code from alert.incident i join alert.rule r using (rule_id) "
            "where r.code = %s and i.entity_id = %s and i.kind = 'value' and i.status = 'open'",
            rule, entity,
        )  # fmt: skip
        cases = self.query(
            "select t.code, c.unit_code, c.level, c.status from sop.case_ c join sop.template t using (template_id) "
            "where c.incident_id = %s",
            incident,
        )
        tasks = self.query(
            "select k.step_code, k.status, k.unit_code from sop.task k join sop.case_ c using (case_id) "
            "where c.incident_id = %s",
            incident,
        )
        told = self.query(
            "select ro.code, p.code, o.channel, o.body from notify.outbox o join notify.route ro using (route_id) "
            "join ref.contact p using (contact_id) where %s = any(o.incident_ids)",
            incident,
        )
        return Consequences(
            (raised[0], raised[1]), cases, {step: (status, unit) for step, status, unit in tasks},
            {(route, contact, channel): body for route, contact, channel, body in told},
        )  # fmt: skip

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with warehouse.connect("owner", self.settings) as connection:
            return connection.execute(sql, values or None).fetchall()

    def figure(self, dataset: str, metric: str, where: str = "true") -> Any:
        """What a metric of a Superset dataset gives over its serving table.

        Args:
            dataset: Path below ``assets/datasets``, such as ``air_quality/rpt_air_quality_current``.
            metric: Name of a saved metric, or an SQL expression.
            where: SQL over the dataset's columns, its calculated ones included.
        """
        ((value,),) = self._figures(dataset, (), (metric,), where)
        return value

    def figures(
        self, dataset: str, metrics: Sequence[str], by: Sequence[str], where: str = "true"
    ) -> dict[tuple[Any, ...], dict[str, Any]]:
        """Several metrics as a chart shows them: values of the columns ``by`` → metric → value; see :meth:`figure`."""
        return {
            row[: len(by)]: dict(zip(metrics, row[len(by) :], strict=True))
            for row in self._figures(dataset, by, metrics, where)
        }

    def _figures(self, dataset: str, by: Sequence[str], metrics: Sequence[str], where: str) -> list[tuple[Any, ...]]:
        content = self.assets[f"datasets/{dataset}"]
        saved = {one["metric_name"]: one["expression"] for one in content.get("metrics", ())}
        calculated = "".join(
            f", {one['expression']} as {one['column_name']}" for one in content["columns"] if one.get("expression")
        )
        source = (
            f"({content['sql'].rstrip().rstrip(';')})" if content.get("sql") else f"serving.{content['table_name']}"
        )
        asked = ", ".join([*by, *(saved.get(metric, metric) for metric in metrics)])
        groups = f" group by {', '.join(by)}" if by else ""
        sql = f"select {asked} from (select t.*{calculated} from {source} t) d where {where}{groups}"
        assert not re.search(r"\{\{", sql), "a dataset with Jinja cannot be computed here"
        with warehouse.connect("bi_reader", self.settings) as connection:
            return connection.execute(sql.replace("%", "%%")).fetchall()


@pytest.fixture(scope="module")
def corridor(cluster: EmbeddedPostgres) -> Iterator[Corridor]:
    """One for the tests of a module: a first build takes dbt many seconds."""
    with warehouse_of_its_own(cluster) as settings, pytest.MonkeyPatch.context() as patch:
        patch.setenv("IOC_HOME", str(settings.home))
        patch.setenv("IOC_PORT_BASE", str(settings.port_base))
        patch.setenv("IOC_WAREHOUSE_URL", str(settings.warehouse_url))
        patch.setenv("IOC_EXTRACT_BACKOFF_S", "0")
        get_settings.cache_clear()
        alert_seed.seed(settings)
        yield Corridor(settings)
    get_settings.cache_clear()
