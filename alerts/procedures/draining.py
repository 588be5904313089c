"""``drain()``: opens the cases that are due, fires due clocks, tells people. Harmless to repeat, to kill, to run twice.

The alert DAG calls it as its last task and the notifier in every round; either alone suffices.
"""

from __future__ import annotations

import logging
from collections import Counter
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from alerts.procedures import announcing, flow, timers
from alerts.procedures.letters import Desk
from alerts.procedures.model import ProceduresReport
from ioc import warehouse

if TYPE_CHECKING:
    from collections.abc import Callable

    from ioc.settings import Settings

_log = logging.getLogger(__name__)

# Like the reconciler: nothing that is suppressed, and nothing of which no data are fresh enough to call it "now".
_TO_OPEN = """
select i.incident_id, i.level, i.unit_code, r.code as rule_code, r.owner_unit, t.template_id, t.title_vi,
    coalesce(e.name_vi, i.entity_id) as place
from alert.incident i
join alert.rule r using (rule_id)
join alert.rule_version v on v.rule_version_id = i.rule_version_id
join sop.template t on t.code = r.sop_template_code and t.status = 'approved' and i.kind = any(t.incident_kinds)
left join alert.series_state st on (st.rule_id, st.entity_type, st.entity_id) = (i.rule_id, i.entity_type, i.entity_id)
left join alerting.entity e on (e.entity_type, e.entity_id) = (i.entity_type, i.entity_id)
where i.status = 'open' and r.is_enabled and i.level >= coalesce(r.sop_min_level, 1) and i.opened_at <= %(at)s
    and (i.kind <> 'value' or %(at)s - st.last_ok_at <= v.notify_max_age)
    and not exists (select from sop.case_ c where c.incident_id = i.incident_id)
    and not alert.is_suppressed(r.code, i.entity_id, i.unit_code, i.kind, i.level, %(at)s)
order by i.level desc, i.opened_at, i.incident_id
"""
_WITHOUT_PROCEDURE = """
select r.code, r.sop_template_code from alert.rule r
where r.is_enabled and r.sop_template_code is not null
    and not exists (select from sop.template t where t.code = r.sop_template_code and t.status = 'approved')
order by r.code
"""


def drain(at: datetime | None = None, settings: Settings | None = None) -> ProceduresReport:
    """Do what is due at ``at``: open cases, follow risen levels, fire clocks, tell of tasks and directives.

    Each part is tried whatever became of the others; what went wrong is in ``errors``, and the duty is told.

    Args:
        at: The clock, with a time zone; default: now.
        settings: Settings of the stack; default: this process's.

    Raises:
        WarehouseUnreachable: no warehouse.
    """
    at = at or datetime.now(UTC)
    found: Counter[str] = Counter()
    with warehouse.connect("alerts", settings, autocommit=True) as connection:
        desk = Desk(connection, at, settings)
        errors = desk.errors

        def attempt(name: str, part: Callable[[], Counter[str]]) -> None:
            try:
                found.update(part())
            except psycopg.errors.DeadlockDetected:
                # Rolled back whole, so nothing is lost: the next drain does it.
                _log.warning("%s: two transactions waited for each other", name)
            except psycopg.OperationalError:
                raise
            except Exception as error:
                _log.exception("%s", name)
                errors.append(f"{name}: {error}")

        for row in connection.cursor(row_factory=dict_row).execute(_TO_OPEN, {"at": at}).fetchall():
            attempt(f"case for incident {row['incident_id']}", partial(_open, connection, row, at))
        for case_id in timers.risen(connection):
            attempt(f"level of case {case_id}", partial(_raise, connection, case_id, at))
        attempt("clocks", partial(timers.fire_due, desk))
        attempt("tasks", partial(announcing.tasks, desk))
        attempt("directives", partial(announcing.directives, desk))
        attempt("watch over the clocks", partial(announcing.check_clocks, desk))
        errors += [
            f"rule {rule} names the procedure {template}, of which no version is approved"
            for rule, template in connection.execute(_WITHOUT_PROCEDURE)
        ]
        for error in errors:
            subject = "Quy trình xử lý gặp lỗi"
            found.update(announcing.self_alert(desk, f"{error[:80]}|{at:%Y%m%d}", subject, error, 2))
        report = ProceduresReport(**found, errors=errors)
        connection.execute(
            "insert into alert.heartbeat (service, beat_at, detail) values ('procedures', %s, %s) "
            "on conflict (service) do update set beat_at = excluded.beat_at, detail = excluded.detail",
            (at, Jsonb(report.as_dict())),
        )
        if found["messages"]:
            connection.execute("select pg_notify('ioc_outbox', '')")
    return report


def _open(connection: psycopg.Connection[Any], row: dict[str, Any], at: datetime) -> Counter[str]:
    with connection.transaction():
        case_id = flow.open_case_in(
            connection, at, flow.SYSTEM, template_id=row["template_id"], title_vi=f"{row['title_vi']}: {row['place']}",
            level=row["level"], unit_code=row["unit_code"], owner_unit=row["owner_unit"],
            incident_id=row["incident_id"],
        )  # fmt: skip
    return Counter(opened=int(case_id is not None))


def _raise(connection: psycopg.Connection[Any], case_id: int, at: datetime) -> Counter[str]:
    with connection.transaction():
        return Counter(raised=int(timers.raise_case(connection, case_id, at)))
