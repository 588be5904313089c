"""Corrections that come behind the watermark: what they would change, who has to know, and the report of a day.

They are recorded and never folded: what happened on record stays. An open incident that the corrected data contradict
(no alarm at its beginning, or never its highest level) is marked, and those who were told of it get one notice.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from alerts.channels import all_channels
from alerts.judging import store
from alerts.judging.fold import SeriesState, fold_series
from alerts.notifying.notice import Destination, Plain, Teller, incident_code
from alerts.notifying.rendering import amount, moment
from alerts.rulemaking import rulebook
from ioc import warehouse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import date

    import psycopg

    from alerts.judging.fold import Transition
    from alerts.rulemaking.rulebook import Rule
    from ioc.settings import Settings

# A month of one series in five-minute data is 9,000 points, 20 ms; what is left over is judged by the next run.
_JUDGED_PER_RUN = 50
_MOST_HISTORIES = 200


def judge(connection: psycopg.Connection, rules: dict[int, Rule], at: datetime) -> int:
    """Fold the corrected series anew and mark the open incidents that they contradict, in the caller's transaction.

    Returns:
        The number of incidents newly marked.
    """
    rows = connection.execute(
        """
        select l.rule_id, l.entity_type, l.entity_id, max(l.watermark), i.incident_id, i.opened_at, i.peak_level,
            st.unit_code, jsonb_agg(jsonb_build_object('at', l.period_end, 'value', l.value, 'quality', l.quality)
                order by l.period_end)
        from (
            select distinct rule_id, entity_type, entity_id from alert.late_observation where not is_judged limit %s
        ) series
        join alert.late_observation l using (rule_id, entity_type, entity_id)
        join alert.series_state st using (rule_id, entity_type, entity_id)
        left join alert.incident i on i.incident_id = st.incident_id and i.status = 'open'
        where not l.is_judged
        group by l.rule_id, l.entity_type, l.entity_id, i.incident_id, i.opened_at, i.peak_level, st.unit_code
        """,
        (_JUDGED_PER_RUN,),
    ).fetchall()
    marked = 0
    for rule_id, entity_type, entity_id, watermark, incident_id, opened_at, peak_level, unit_code, corrected in rows:
        rule = rules.get(rule_id)
        contradicted = None
        if rule and incident_id:
            history = _restated(connection, rule, (entity_type, entity_id, unit_code), opened_at, watermark)
            level = next((t.to_level for t in reversed(history) if t.event_time <= opened_at), 0)
            peak = max([level, *(t.to_level for t in history if t.event_time > opened_at)])
            if level == 0 or peak < peak_level:
                contradicted = incident_id
                marked += connection.execute(
                    "update alert.incident set corrected_at = %s, correction = %s "
                    "where incident_id = %s and corrected_at is null",
                    (at, Jsonb({"level_at_opening": level, "peak_level": peak, "corrected": corrected}), incident_id),
                ).rowcount
        connection.execute(
            "update alert.late_observation set is_judged = true, contradicts_incident_id = %s "
            "where (rule_id, entity_type, entity_id) = (%s, %s, %s) and not is_judged",
            (contradicted, rule_id, entity_type, entity_id),
        )
    return marked


def _restated(
    connection: psycopg.Connection,
    rule: Rule,
    series: tuple[str, str, str | None],
    since: datetime,
    until: datetime,
) -> list[Transition]:
    """What the fold makes of a series (entity type, entity id, unit) as its data stand now; exact from ``since`` on."""
    points = store.read_points(connection, rule.signal_code, series[:2], since - store.WARM_UP, until)
    return fold_series(SeriesState(), points, rule.for_series(*series[1:]))[1]


_TO_TELL = """
select i.incident_id, i.level, i.rule_version_id, i.opened_at, i.open_value::float8, i.correction, i.peak_level,
    i.entity_id, i.unit_code, r.title_vi, r.unit_vi, coalesce(e.name_vi, i.entity_id) as entity,
    array_agg(distinct t.contact_id::text || '|' || t.channel) as told
from alert.incident i
join alert.rule r using (rule_id)
join notify.told t on t.incident_id = i.incident_id and t.level > 0 and t.told_at <= i.corrected_at
left join alerting.entity e on (e.entity_type, e.entity_id) = (i.entity_type, i.entity_id)
where i.corrected_at is not null and i.correction_told_at is null and i.status = 'open'
    and not alert.is_suppressed(r.code, i.entity_id, i.unit_code, i.kind, i.level, %s)
group by i.incident_id, r.title_vi, r.unit_vi, e.name_vi
"""


def tell(connection: psycopg.Connection, open_teller: Callable[[], Teller], at: datetime) -> int:
    """Queue one correction per contradicted open incident to everybody who was told of it; how many messages.

    Held back by a suppression it waits, and an incident that has ended meanwhile needs none.
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_TO_TELL, (at,)).fetchall()
    if not rows:
        return 0
    teller = open_teller()
    contacts = {one.contact_id: one for unit in teller.directory.by_unit.values() for one in unit}
    messages = 0
    for row in rows:
        context = _context(connection, row)
        for told in row["told"]:
            contact_id, _, channel = told.partition("|")
            contact = contacts.get(int(contact_id))
            address = all_channels()[channel].address_of(contact) if contact and channel in all_channels() else None
            if contact is None or address is None:
                continue
            key = f"dinh-chinh|{row['incident_id']}|{contact.code}|{channel}"
            messages += teller.post(
                Destination(key, None, None, contact.contact_id, channel, address), "correction", context,
                _plain(context), level=row["level"], incident_ids=[row["incident_id"]],
                rule_version_ids=[row["rule_version_id"]],
            )  # fmt: skip
        connection.execute(
            "update alert.incident set correction_told_at = %s where incident_id = %s", (at, row["incident_id"])
        )
    return messages


def _context(connection: psycopg.Connection, row: dict[str, Any]) -> dict[str, Any]:
    correction = row["correction"]

    def said(value: float | None) -> str:
        if value is None:
            return "không có giá trị"
        if row["unit_vi"] is not None:
            return amount(value, row["unit_vi"], None)
        state = connection.execute(
            "select label_vi from alert.state_of(%s, %s, %s, %s::numeric)",
            (row["rule_version_id"], row["entity_id"], row["unit_code"], value),
        ).fetchone()
        return amount(value, None, state[0] if state else None)

    return {
        "code": incident_code(row["incident_id"]),
        "title": row["title_vi"],
        "entity": row["entity"],
        "unit": row["unit_vi"] or "",
        "opened_at": row["opened_at"],
        "open_value": row["open_value"],
        "open_amount": said(row["open_value"]),
        "level": row["level"],
        "told_peak_level": row["peak_level"],
        "true_peak_level": correction["peak_level"],
        "is_opening_wrong": correction["level_at_opening"] == 0,
        "corrected": [
            {"at": datetime.fromisoformat(one["at"]), "value": one["value"], "amount": said(one["value"])}
            for one in correction["corrected"][:5]
        ],
    }


def _plain(context: dict[str, Any]) -> Plain:
    finding = (
        f"theo số liệu đã sửa, lúc {moment(context['opened_at'])} chưa có cảnh báo"
        if context["is_opening_wrong"]
        else f"cấp cao nhất theo số liệu đã sửa là {context['true_peak_level']}, không phải "
        f"{context['told_peak_level']}"
    )
    values = "; ".join(f"{moment(one['at'])}: {one['amount']}" for one in context["corrected"])
    text = f"Đính chính sự cố {context['code']}: {context['title']}, {context['entity']}"
    return Plain(text, f"[Đính chính] {context['title']}, {context['entity']}: {finding}. Số liệu đã sửa: {values}"
                       f" · {context['code']}")  # fmt: skip


@dataclass(frozen=True)
class Restated:
    """One series of a day's report.

    Attributes:
        late_count: Rows that came behind the watermark; ``corrected_count`` of them replaced a value already judged.
        first_period: Oldest period touched; ``last_period`` the newest.
        contradicted_incidents: Open incidents that the corrections contradicted.
        recorded: Changes of level on record from ``first_period`` on: ``[event_time, to_level]``.
        restated: The same as the data stand now; None when the report is too long to compute it.
    """

    rule_code: str
    title_vi: str
    title_en: str
    domain: str
    entity_type: str
    entity_id: str
    entity_name: str
    late_count: int
    corrected_count: int
    first_period: datetime
    last_period: datetime
    contradicted_incidents: list[Any]
    recorded: list[tuple[datetime, int]]
    restated: list[tuple[datetime, int]] | None

    @property
    def differs(self) -> bool | None:
        """Whether the history on record is not the one that the data give now."""
        return None if self.restated is None else self.restated != self.recorded

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"differs": self.differs}


def days(
    unit_codes: Sequence[str] | None = None, settings: Settings | None = None, *, limit: int = 60
) -> list[dict[str, Any]]:
    """Days with late rows, newest first: ``day, series, late_count, corrected_count, contradicted``.

    Args:
        unit_codes: Only series of these units and of the rules they own; None = all.
        settings: Settings of the stack; default: this process's.
        limit: At most so many days.
    """
    with warehouse.connect("portal", settings) as connection, connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            """
            select r.day, count(*) as series, sum(r.late_count)::bigint as late_count,
                sum(r.corrected_count)::bigint as corrected_count,
                sum(cardinality(r.contradicted_incidents)) as contradicted
            """
            + _OF_UNITS
            + "group by r.day order by r.day desc limit %(limit)s",
            {"units": list(unit_codes) if unit_codes is not None else None, "limit": limit},
        ).fetchall()


def report(day: date, unit_codes: Sequence[str] | None = None, settings: Settings | None = None) -> list[Restated]:
    """What the rows that came late on a civil day of Viet Nam change, per rule and series, those with most rows first.

    Histories are folded anew from the data as they stand now, for at most 200 series. ``unit_codes`` as in ``days``.
    """
    with warehouse.connect("portal", settings) as connection:
        rules = rulebook.load(connection)
        with connection.cursor(row_factory=dict_row) as cursor:
            units = list(unit_codes) if unit_codes is not None else None
            rows = cursor.execute(_REPORT, {"units": units, "day": day}).fetchall()
        found: list[Restated] = []
        for row in rows:
            rule, unit_code, watermark = rules.get(row.pop("rule_id")), row.pop("unit_code"), row.pop("watermark")
            entity, since = (row["entity_type"], row["entity_id"]), row["first_period"]
            recorded = connection.execute(_RECORDED, (row["rule_code"], *entity, since)).fetchall()
            restated = None
            if rule and len(found) < _MOST_HISTORIES:
                history = _restated(connection, rule, (*entity, unit_code), since, watermark)
                restated = _levels((t.event_time, t.to_level) for t in history if t.event_time >= since)
            found.append(Restated(**row, recorded=_levels(recorded), restated=restated))
    return found


_OF_UNITS = """
from alert.restatement r
join alert.series_state st using (rule_id, entity_type, entity_id)
join alert.rule ru on ru.rule_id = r.rule_id
left join alerting.entity e on (e.entity_type, e.entity_id) = (r.entity_type, r.entity_id)
where (%(units)s::text[] is null or ru.owner_unit = any(%(units)s) or st.unit_code = any(%(units)s))
"""
_REPORT = f"""
select r.rule_id, r.rule_code, ru.title_vi, ru.title_en, r.domain, r.entity_type, r.entity_id,
    coalesce(e.name_vi, r.entity_id) as entity_name, r.late_count, r.corrected_count, r.first_period, r.last_period,
    r.contradicted_incidents, st.unit_code, st.watermark
{_OF_UNITS} and r.day = %(day)s order by r.late_count desc, r.rule_code, r.entity_id
"""
# Only what data caused: no fold repeats that somebody switched a rule off.
_RECORDED = """
select t.event_time, t.to_level from alert.transition t join alert.rule r using (rule_id)
where (r.code, t.entity_type, t.entity_id) = (%s, %s, %s) and t.kind = 'value' and t.event_time >= %s
    and t.reason not in ('retired', 'rule_disabled')
order by t.event_time, t.revision
"""


def _levels(changes: Iterable[tuple[datetime, int]]) -> list[tuple[datetime, int]]:
    """One level per moment: of a newest hour that was corrected several times, what it came to."""
    return list(dict(changes).items())
