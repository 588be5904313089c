"""First contents of the alert tables, from the YAML and CSV files of this room; idempotent.

Once loaded, the tables are the truth: what was edited there is never overwritten. A rule file adds what is missing: a
rule with a new code, or a version whose ``effective_from`` is later than every version in the tables.
"""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from psycopg.rows import dict_row

from ioc import warehouse

if TYPE_CHECKING:
    import psycopg

    from ioc.settings import Settings

_ROOM = Path(__file__).resolve().parent
AUTHOR, APPROVER = "khoi-tao", "ban-giao"
_VERSION_FIELDS = (
    "direction", "max_gap", "nodata_after", "retire_after", "notify_max_age", "calendar_code", "message_vi",
    "message_en", "legal_basis", "reason",
)  # fmt: skip
_RULE_FIELDS = (
    "code", "domain", "signal_code", "entity_type", "owner_unit", "title_vi", "title_en", "unit_vi",
    "sop_template_code", "sop_min_level",
)  # fmt: skip


class RuleFileError(ValueError):
    """A rule file cannot be loaded; the message names file, rule and reason."""


def seed(settings: Settings | None = None) -> dict[str, int]:
    """Load what is missing: units, contacts, calendars, rules, routes, message templates.

    Returns:
        Rows added per table; all zero on the second call.
    """
    with warehouse.connect("owner", settings) as connection:
        connection.execute("select pg_advisory_xact_lock(hashtext('alerts:seed'))")
        return {
            "org_unit": _units(connection),
            "contact": _contacts(connection),
            "calendar": _calendars(connection),
            "rule_version": sum(load_rules(connection, path) for path in sorted((_ROOM / "rules").glob("*.yaml"))),
            "route": _routes(connection),
            "template": _templates(connection),
        }


def _units(connection: psycopg.Connection) -> int:
    with (_ROOM / "seeds" / "org_unit.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return connection.execute(
        """
        insert into ref.org_unit (code, name_vi, kind, parent_code, valid)
        select u.code, u.name_vi, u.kind, nullif(u.parent_code, ''), daterange(u.valid_from::date, null)
        from unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[])
            as u(code, name_vi, kind, parent_code, valid_from)
        where not exists (select 1 from ref.org_unit known where known.code = u.code)
        """,
        [[row[name] for row in rows] for name in ("code", "name_vi", "kind", "parent_code", "valid_from")],
    ).rowcount


def _contacts(connection: psycopg.Connection) -> int:
    added = 0
    with (_ROOM / "seeds" / "contact.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            added += connection.execute(
                """
                insert into ref.contact (code, name_vi, unit_code, roles, user_name, email, email_verified_at)
                values (%s, %s, %s, %s, nullif(%s, ''), %s, clock_timestamp()) on conflict do nothing
                """,
                (row["code"], row["name_vi"], row["unit_code"], row["roles"].split(), row["user_name"], row["email"]),
            ).rowcount
    return added


def _calendars(connection: psycopg.Connection) -> int:
    added = 0
    for calendar in _read(_ROOM / "seeds" / "calendar.yaml"):
        code = calendar["calendar_code"]
        is_new = connection.execute(
            "insert into ref.calendar (calendar_code, name_vi, name_en) values (%s, %s, %s) on conflict do nothing",
            (code, calendar["name_vi"], calendar["name_en"]),
        ).rowcount
        if not is_new:
            continue
        added += 1
        for weekday in calendar["weekdays"]:
            for start, end in calendar["segments"]:
                connection.execute("insert into ref.work_segment values (%s, %s, %s, %s)", (code, weekday, start, end))
        for holiday in calendar["holidays"]:
            connection.execute(
                "insert into ref.holiday (calendar_code, day, kind, name_vi) values (%s, %s, %s, %s)",
                (code, holiday["day"], holiday["kind"], holiday["name_vi"]),
            )
    return added


def load_rules(connection: psycopg.Connection, path: Path) -> int:
    """Load one rule file.

    Returns:
        The number of rule versions added.

    Raises:
        RuleFileError: a field is missing, or the database refuses a value.
    """
    added = 0
    for rule in _read(path):
        try:
            added += _load_rule(connection, rule)
        except KeyError as error:
            raise RuleFileError(f"{path.name}: rule {rule.get('code', '?')} lacks the field {error}") from error
    return added


def _load_rule(connection: psycopg.Connection, rule: dict[str, Any]) -> int:
    columns = ", ".join(_RULE_FIELDS)
    connection.execute(
        f"insert into alert.rule ({columns}) values ({', '.join(['%s'] * len(_RULE_FIELDS))}) on conflict do nothing",
        [rule[name] for name in _RULE_FIELDS],
    )
    row = connection.execute(
        """
        select r.rule_id, coalesce(max(v.version), 0), max(lower(v.effective)), bool_or(v.status = 'draft')
        from alert.rule r left join alert.rule_version v using (rule_id) where r.code = %s group by r.rule_id
        """,
        (rule["code"],),
    ).fetchone()
    assert row is not None
    rule_id, version, newest, _ = row
    starts = rule["effective_from"]
    if newest is not None and starts <= newest:
        return 0
    connection.execute(
        """
        update alert.rule_version set effective = tstzrange(lower(effective), %(starts)s)
        where rule_id = %(rule_id)s and status = 'approved' and effective @> %(starts)s::timestamptz
        """,
        {"rule_id": rule_id, "starts": starts},
    )
    inserted = connection.execute(
        f"""
        insert into alert.rule_version (rule_id, version, effective, author, {", ".join(_VERSION_FIELDS)})
        values (%s, %s, tstzrange(%s, null), %s, %s, %s, %s::text[]::interval[], {", ".join(["%s"] * 7)})
        returning rule_version_id
        """,
        (rule_id, version + 1, starts, AUTHOR, *(rule[name] for name in _VERSION_FIELDS)),
    ).fetchone()
    assert inserted is not None
    for t in rule["thresholds"]:
        connection.execute(
            """
            insert into alert.threshold (rule_version_id, scope_kind, scope_value, level, enter_value, exit_value,
                enter_strict, for_dur, keep_dur, label_vi, label_en)
            values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
            """,
            (
                inserted[0], t.get("scope_kind", "province"), t.get("scope_value", ""), t["level"], t["enter"],
                t["exit"], t.get("strict", False), t.get("for", "0"), t.get("keep", "0"), t["label_vi"], t["label_en"],
            ),
        )  # fmt: skip
    connection.execute(
        "update alert.rule_version set status = 'approved', approved_by = %s, approved_at = clock_timestamp() "
        "where rule_version_id = %s",
        (APPROVER, inserted[0]),
    )
    connection.execute(
        "insert into audit.event (occurred_at, actor, action, object_type, object_id, detail) "
        "values (clock_timestamp(), %s, 'rule.version_loaded', 'rule', %s, jsonb_build_object('version', %s::int))",
        (AUTHOR, rule["code"], version + 1),
    )
    return 1


def export_rules(domain: str, settings: Settings | None = None) -> str:
    """The rules of ``domain`` as they stand in the tables (newest approved version), as YAML that loads again."""
    with warehouse.connect("alerts", settings) as connection, connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(
            f"""
            select distinct on (r.code) {", ".join("r." + name for name in _RULE_FIELDS)},
                lower(v.effective) as effective_from, v.rule_version_id,
                {", ".join("v." + name for name in _VERSION_FIELDS if name not in ("nodata_after",))},
                v.nodata_after::text[] as nodata_after
            from alert.rule r join alert.rule_version v using (rule_id)
            where r.domain = %s and v.status = 'approved' order by r.code, v.version desc
            """,
            (domain,),
        )
        rules = cursor.fetchall()
        for rule in rules:
            cursor.execute(
                """
                select scope_kind, scope_value, level, enter_value as enter, exit_value as exit, enter_strict as strict,
                    for_dur as "for", keep_dur as keep, label_vi, label_en
                from alert.threshold where rule_version_id = %s order by scope_kind, scope_value, level
                """,
                (rule.pop("rule_version_id"),),
            )
            rule["thresholds"] = cursor.fetchall()
    return yaml.safe_dump([_plain(rule) for rule in rules], allow_unicode=True, sort_keys=False, width=120)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _routes(connection: psycopg.Connection) -> int:
    added = 0
    for route in _read(_ROOM / "seeds" / "route.yaml"):
        columns = list(route)
        added += connection.execute(
            f"insert into notify.route ({', '.join(columns)}) values ({', '.join(['%s'] * len(columns))}) "
            "on conflict do nothing",
            list(route.values()),
        ).rowcount
    return added


def _templates(connection: psycopg.Connection) -> int:
    added = 0
    for path in sorted((_ROOM / "templates").glob("*.yaml")):
        template = _read(path)
        added += connection.execute(
            """
            insert into notify.template (code, channel, version, subject, body, body_html, status, author, approved_by)
            values (%s, %s, %s, %s, %s, %s, 'approved', %s, %s) on conflict do nothing
            """,
            (
                template["code"], template["channel"], template["version"], template["subject"], template["body"],
                template["body_html"], AUTHOR, APPROVER,
            ),
        ).rowcount  # fmt: skip
    return added


def _read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))
