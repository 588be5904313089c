"""First contents of the alert tables, from the YAML and CSV files of this room; idempotent.

Once loaded, the tables are the truth: what was edited there is never overwritten. A rule file adds rules that are not
known yet; a change of a known rule comes as a draft (``rule_files``).
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from alerts.procedures import catalogue
from alerts.rulemaking import rule_files
from alerts.rulemaking.rule_files import APPROVER, AUTHOR
from ioc import warehouse

if TYPE_CHECKING:
    import psycopg

    from ioc.settings import Settings

_ROOM = Path(__file__).resolve().parent


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
            "duty_shift": _roster(connection),
            "calendar": _calendars(connection),
            "rule": sum(rule_files.load_first(connection, path) for path in sorted(rule_files.FOLDER.glob("*.yaml"))),
            "route": _routes(connection),
            "rate_limit": _limits(connection),
            "template": _templates(connection),
            "procedure": catalogue.load(connection),
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
                insert into ref.contact (code, name_vi, unit_code, roles, user_name, email, email_verified_at, phone,
                    phone_verified_at, quiet_from, quiet_to)
                select %(code)s, %(name_vi)s, %(unit_code)s, %(roles)s, nullif(%(user_name)s, ''),
                    nullif(%(email)s, ''), case when %(email)s <> '' then clock_timestamp() end,
                    nullif(%(phone)s, ''), case when %(phone)s <> '' then clock_timestamp() end,
                    nullif(%(quiet_from)s, '')::time, nullif(%(quiet_to)s, '')::time
                on conflict do nothing
                """,
                {**row, "roles": row["roles"].split()},
            ).rowcount
    return added


def _roster(connection: psycopg.Connection) -> int:
    """Shifts from the Monday before this week on, for units that have none yet."""
    added = 0
    for roster in _read(_ROOM / "seeds" / "roster.yaml"):
        for turn in roster["turns"]:
            added += connection.execute(
                """
                insert into ref.duty_shift (role, unit_code, contact_id, during, note, created_by)
                select %(role)s, %(unit)s, c.contact_id,
                    tstzrange(monday.at + n * %(every)s::interval + %(offset)s::interval,
                        monday.at + n * %(every)s::interval + %(offset)s::interval + %(lasts)s::interval),
                    %(note)s, %(author)s
                from (
                    select date_trunc('week', clock_timestamp(), 'Asia/Ho_Chi_Minh') - interval '7 days' as at
                ) monday
                cross join generate_series(0, %(count)s - 1) as n
                join ref.contact c
                    on c.code = (%(people)s::text[])[(n %% cardinality(%(people)s::text[])) + 1]
                where not exists (
                    select from ref.duty_shift known where (known.role, known.unit_code) = (%(role)s, %(unit)s)
                        and known.note is not distinct from %(note)s)
                """,
                {"role": roster["role"], "unit": roster["unit_code"], "author": AUTHOR, **turn},
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
                "insert into ref.holiday (calendar_code, day, kind, name_vi, citation) values (%s, %s, %s, %s, %s)",
                (code, holiday["day"], holiday["kind"], holiday["name_vi"], holiday.get("citation")),
            )
    return added


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


def _limits(connection: psycopg.Connection) -> int:
    added = 0
    for limit in _read(_ROOM / "seeds" / "rate_limit.yaml"):
        added += connection.execute(
            "insert into notify.rate_limit (scope, channel, name, capacity, per) "
            "values (%(scope)s, %(channel)s, %(name)s, %(capacity)s, %(per)s) on conflict do nothing",
            limit,
        ).rowcount
    return added


def _templates(connection: psycopg.Connection) -> int:
    added = 0
    for path in sorted((_ROOM / "templates").glob("*.yaml")):
        template = _read(path)
        added += connection.execute(
            """
            insert into notify.template (code, channel, version, subject, body, body_html, registered_text,
                segment_limit, status, author, approved_by, approved_at)
            values (%s, %s, %s, %s, %s, %s, %s, %s, 'approved', %s, %s, clock_timestamp()) on conflict do nothing
            """,
            (
                template["code"], template["channel"], template["version"], template["subject"], template["body"],
                template["body_html"], template.get("registered_text"), template.get("segment_limit"), AUTHOR, APPROVER,
            ),
        ).rowcount  # fmt: skip
    return added


def _read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))
