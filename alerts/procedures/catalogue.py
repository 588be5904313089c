"""Templates of procedures: written as YAML, checked, kept as versions that two people answer for, frozen once approved.

A file in ``templates/`` is the first load of a procedure and its form for review; ``chains.yaml`` holds the escalation
chains. Once loaded the tables are the truth: a file adds only a version higher than the newest in the tables.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from alerts import audit
from alerts.channels import all_channels
from alerts.incidents import ActRefusedError
from alerts.procedures import checks
from alerts.procedures.model import ChainStep, Outcome, StepView, TemplateView
from ioc import warehouse

if TYPE_CHECKING:
    import psycopg

    from ioc.settings import Settings

_ROOM = Path(__file__).resolve().parent
AUTHOR, APPROVER = "khoi-tao", "ban-giao"
_CHAIN_NEEDED = {"after", "condition", "roles", "channels"}
_CHAIN_OPTIONAL = {"unit_hop", "calendar", "repeat_every"}
_CONDITIONS = ("not_acked", "not_accepted", "not_done", "overdue")


class ProcedureRefusedError(ValueError):
    """A procedure or chain cannot be taken; ``faults`` lists every one in Vietnamese, with step and reason."""

    exit_code = 2

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


def draft_template(
    content: str | dict[str, Any],
    user: str,
    settings: Settings | None = None,
    at: datetime | None = None,
    *,
    replaces: int | None = None,
) -> TemplateView:
    """Keep a new version of a procedure as a draft; its number follows the newest version.

    Args:
        content: YAML text, or what it says (see ``templates/``); ``version`` is given by the tables.
        user: The author.
        settings: Settings of the stack; default: this process's.
        at: The clock; default: now.
        replaces: A draft of the same author that goes when this one is kept.

    Raises:
        ProcedureRefusedError: the content has faults; all of them are listed.
        ActRefusedError: what it shall replace is no draft of this author.
    """
    content = _understood(content)
    with warehouse.connect("portal", settings) as connection:
        connection.execute("select pg_advisory_xact_lock(hashtext('procedures:templates'))")
        if replaces is not None:
            _replace(connection, replaces, content, user)
        template_id = _insert(connection, content, user, at or datetime.now(UTC), version=None)
        return _one_template(connection, template_id)


def check_template(content: str | dict[str, Any], settings: Settings | None = None) -> None:
    """Look at a procedure without keeping it.

    Raises:
        ProcedureRefusedError: the content has faults; all of them are listed.
    """
    understood = _understood(content)
    with warehouse.connect("portal", settings) as connection:
        faults = checks.check(understood) or _faults_in_tables(connection, understood)
    if faults:
        raise ProcedureRefusedError(faults)


def _understood(content: str | dict[str, Any]) -> Any:
    if isinstance(content, str):
        try:
            content = yaml.safe_load(content)
        except (yaml.YAMLError, RecursionError, ValueError) as error:
            raise ProcedureRefusedError([f"không phải YAML: {error}"]) from error
    return {"version": 1, **content} if isinstance(content, dict) else content


def _replace(connection: psycopg.Connection[Any], template_id: int, content: Any, user: str) -> None:
    before = _one_template(connection, template_id)
    if before.status != "draft" or before.author != user:
        raise ActRefusedError("Chỉ sửa được bản nháp của chính mình; hãy soạn một phiên bản mới từ bản này.")
    if not isinstance(content, dict) or content.get("code") != before.code:
        raise ProcedureRefusedError([f"code phải vẫn là “{before.code}”"])
    connection.execute("delete from sop.step where template_id = %s", (template_id,))
    connection.execute("delete from sop.template where template_id = %s", (template_id,))


def approve_template(
    template_id: int, user: str, settings: Settings | None = None, at: datetime | None = None
) -> TemplateView:
    """Approve a draft: from now on new cases follow it; it and its steps are frozen, older versions retire.

    Raises:
        ActRefusedError: no such draft, or the approver is its author.
    """
    with warehouse.connect("portal", settings) as connection:
        view = _one_template(connection, template_id)
        if view.status != "draft":
            raise ActRefusedError("Phiên bản này đã được phê duyệt hoặc đã thay thế.")
        if view.author == user:
            raise ActRefusedError("Người soạn không được tự phê duyệt quy trình của mình.")
        _approve(connection, template_id, user, at or datetime.now(UTC))
        return _one_template(connection, template_id)


def discard_template(template_id: int, user: str, settings: Settings | None = None, at: datetime | None = None) -> None:
    """Throw a draft away.

    Raises:
        ActRefusedError: no such draft.
    """
    with warehouse.connect("portal", settings) as connection:
        view = _one_template(connection, template_id)
        if view.status != "draft":
            raise ActRefusedError("Chỉ bỏ được bản nháp.")
        connection.execute("delete from sop.step where template_id = %s", (template_id,))
        connection.execute("delete from sop.template where template_id = %s", (template_id,))
        audit.record(
            connection, at or datetime.now(UTC), user, "procedure.discarded",
            about=("procedure", view.code), detail={"version": view.version},
        )  # fmt: skip


def _approve(connection: psycopg.Connection[Any], template_id: int, user: str, at: datetime) -> None:
    row = connection.execute(
        "update sop.template set status = 'approved', approved_by = %s, approved_at = %s "
        "where template_id = %s returning code, version",
        (user, at, template_id),
    ).fetchone()
    assert row is not None
    connection.execute(
        "update sop.template set status = 'retired' where code = %s and status = 'approved' and version < %s", row
    )
    audit.record(connection, at, user, "procedure.approved", about=("procedure", row[0]), detail={"version": row[1]})


def _insert(connection: psycopg.Connection[Any], content: Any, user: str, at: datetime, *, version: int | None) -> int:
    faults = checks.check(content) or _faults_in_tables(connection, content)
    if faults:
        raise ProcedureRefusedError(faults)
    row = connection.execute(
        """
        insert into sop.template (code, version, title_vi, title_en, legal_basis, reason, chain_code, incident_kinds,
            author, created_at)
        values (%(code)s, coalesce(%(version)s,
                (select coalesce(max(version), 0) + 1 from sop.template where code = %(code)s)),
            %(title_vi)s, %(title_en)s, %(legal_basis)s, %(reason)s, %(chain)s, %(kinds)s, %(user)s, %(at)s)
        returning template_id, version
        """,
        content | {"version": version, "kinds": content.get("incident_kinds", ["value"]), "user": user, "at": at},
    ).fetchone()
    assert row is not None
    for position, step in enumerate(content["steps"], start=1):
        mode, _, unit = step["unit"].partition(":")
        connection.execute(
            """
            insert into sop.step (template_id, code, position, title_vi, title_en, instruction_vi, unit_mode, unit_code,
                role, depends_on, condition, sla, calendar_code, outcomes, outcome_labels, evidence_required,
                directive_vi)
            values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s::interval, %s, %s, %s, %s, %s)
            """,
            (
                row[0], step["code"], position, step["title_vi"], step["title_en"], step.get("instruction_vi", ""),
                mode, unit or None, step["role"], step.get("depends_on", []), step.get("condition"), step["sla"],
                step.get("calendar"), [one["code"] for one in step["outcomes"]],
                Jsonb({one["code"]: {"vi": one["vi"], "en": one["en"]} for one in step["outcomes"]}),
                step.get("evidence_required", False), step.get("directive_vi"),
            ),
        )  # fmt: skip
    audit.record(
        connection, at, user, "procedure.drafted", about=("procedure", content["code"]), detail={"version": row[1]}
    )
    return int(row[0])


def _faults_in_tables(connection: psycopg.Connection[Any], content: dict[str, Any]) -> list[str]:
    """What only the tables know: units, calendars, the chain."""
    faults = []
    units = {code for (code,) in connection.execute("select distinct code from ref.org_unit")}
    calendars = {code for (code,) in connection.execute("select calendar_code from ref.calendar")}
    chains = {code for (code,) in connection.execute("select distinct code from sop.escalation_chain")}
    if content["chain"] not in chains:
        faults.append(f"không có chuỗi báo lên trên “{content['chain']}”; đang có: {', '.join(sorted(chains))}")
    for step in content["steps"]:
        mode, _, unit = str(step["unit"]).partition(":")
        if mode not in ("incident_unit", "rule_owner", "fixed") or (mode == "fixed") != bool(unit):
            faults.append(f"bước {step['code']}: unit là incident_unit, rule_owner hoặc fixed:<mã đơn vị>")
        elif unit and unit not in units:
            faults.append(f"bước {step['code']}: không có đơn vị “{unit}”")
        if step.get("calendar") and step["calendar"] not in calendars:
            faults.append(f"bước {step['code']}: không có lịch làm việc “{step['calendar']}”")
    return faults


def load(connection: psycopg.Connection[Any]) -> int:
    """Load what is missing: chains, and template versions higher than those in the tables.

    Returns:
        Template versions added.

    Raises:
        ProcedureRefusedError: a file has faults; it is named.
    """
    for chain in yaml.safe_load((_ROOM / "chains.yaml").read_text(encoding="utf-8")):
        known = connection.execute("select from sop.escalation_chain where code = %s", (chain["code"],)).rowcount
        if not known:
            _insert_chain(connection, chain["code"], chain["steps"])
    added = 0
    for path in sorted((_ROOM / "templates").glob("*.yaml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        try:
            faults = checks.check(content)
            if faults:
                raise ProcedureRefusedError(faults)
            row = connection.execute(
                "select coalesce(max(version), 0) from sop.template where code = %s", (content["code"],)
            ).fetchone()
            if row and content["version"] > row[0]:
                now = datetime.now(UTC)
                template_id = _insert(connection, content, AUTHOR, now, version=content["version"])
                _approve(connection, template_id, APPROVER, now)
                added += 1
        except ProcedureRefusedError as error:
            raise ProcedureRefusedError([f"{path.name}: {error}"]) from error
    return added


def replace_chain(
    code: str, steps: list[dict[str, Any]], user: str, settings: Settings | None = None, at: datetime | None = None
) -> list[ChainStep]:
    """Replace the steps of an escalation chain, or make a new one; open cases keep the chain they were opened with.

    Args:
        code: The chain.
        steps: As in ``chains.yaml``: ``after, condition, roles, channels``, perhaps ``unit_hop, calendar,
            repeat_every``.
        user: Who does it.
        settings: Settings of the stack; default: this process's.
        at: The clock; default: now.

    Raises:
        ProcedureRefusedError: the steps have faults; all of them are listed.
    """
    with warehouse.connect("portal", settings) as connection:
        connection.execute("select pg_advisory_xact_lock(hashtext('procedures:templates'))")
        before = _chain(connection, code)
        connection.execute("delete from sop.escalation_chain where code = %s", (code,))
        _insert_chain(connection, code, steps)
        audit.record(
            connection, at or datetime.now(UTC), user, "chain.replaced", about=("chain", code),
            detail={"steps": steps, "steps_before": len(before)},
        )  # fmt: skip
        return _chain(connection, code)


def _chain_step_faults(where: str, step: Any, calendars: set[str]) -> list[str]:
    if not isinstance(step, dict):
        return [f"{where} phải là một khối có các khóa"]
    faults = checks.keys(where, step, _CHAIN_NEEDED, _CHAIN_OPTIONAL)
    if faults:
        return faults
    for name in ("roles", "channels"):
        if not checks.is_texts(step[name]) or not step[name]:
            faults.append(f"{where}: {name} là danh sách có ít nhất một mục")
        elif name == "channels":
            unknown = sorted(set(step[name]) - all_channels().keys())
            faults += [f"{where}: không có kênh “{channel}”" for channel in unknown]
    if step.get("calendar") is not None and step["calendar"] not in calendars:
        faults.append(f"{where}: không có lịch làm việc “{step['calendar']}”")
    if not isinstance(step.get("unit_hop", 0), int) or step.get("unit_hop", 0) < 0:
        faults.append(f"{where}: unit_hop là số nguyên từ 0")
    if step.get("condition") not in _CONDITIONS:
        faults.append(f"{where}: condition là một trong {', '.join(_CONDITIONS)}")
    if step.get("after") != "0 minutes":
        faults += checks.time_faults(f"{where}: after", step.get("after"), step.get("calendar"))
    if step.get("repeat_every") is not None:
        faults += checks.time_faults(f"{where}: repeat_every", step["repeat_every"], step.get("calendar"))
    return faults


def _insert_chain(connection: psycopg.Connection[Any], code: str, steps: list[dict[str, Any]]) -> None:
    calendars = {row[0] for row in connection.execute("select calendar_code from ref.calendar")}
    faults = []
    for number, step in enumerate(steps, start=1):
        faults += _chain_step_faults(f"chuỗi {code}, bước {number}", step, calendars)
    waiting = [step for step in steps if isinstance(step, dict) and step.get("condition") == "not_acked"]
    if waiting and not waiting[-1].get("repeat_every"):
        faults.append(f"chuỗi {code}: bước not_acked cuối cùng cần repeat_every, để sự im lặng không kết thúc chuỗi")
    if not steps or not checks.CODE.fullmatch(code):
        faults.append(f"chuỗi “{code}”: cần mã gồm chữ thường không dấu, số, gạch nối, và ít nhất một bước")
    if faults:
        raise ProcedureRefusedError(faults)
    for position, step in enumerate(steps):
        connection.execute(
            """
            insert into sop.escalation_chain
                (code, position, after, condition, roles, unit_hop, channels, calendar_code, repeat_every)
            values (%s, %s, %s::interval, %s, %s, %s, %s, %s, %s::interval)
            """,
            (
                code, position, step["after"], step["condition"], step["roles"], step.get("unit_hop", 0),
                step["channels"], step.get("calendar"), step.get("repeat_every"),
            ),
        )  # fmt: skip


def list_chains(settings: Settings | None = None) -> dict[str, list[ChainStep]]:
    """The escalation chains by code."""
    with warehouse.connect("portal", settings) as connection:
        codes = connection.execute("select distinct code from sop.escalation_chain order by code").fetchall()
        return {code: _chain(connection, code) for (code,) in codes}


def list_templates(settings: Settings | None = None, *, only_newest: bool = True) -> list[TemplateView]:
    """Procedures by code; of each the newest version of every status, or all versions, the newest first."""
    with warehouse.connect("portal", settings) as connection:
        ids = connection.execute(
            "select template_id from sop.template t where %s::boolean is false or t.version = (select max(version) "
            "from sop.template same where (same.code, same.status) = (t.code, t.status)) order by code, version desc",
            (only_newest,),
        ).fetchall()
        return [_one_template(connection, template_id) for (template_id,) in ids]


def template(code: str, version: int | None = None, settings: Settings | None = None) -> TemplateView:
    """One procedure: the version in force, or the one asked for.

    Raises:
        ActRefusedError: no such procedure or version.
    """
    with warehouse.connect("portal", settings) as connection:
        row = connection.execute(
            "select template_id from sop.template where code = %(code)s and case when %(version)s::int is null "
            "then status = 'approved' else version = %(version)s end order by version desc limit 1",
            {"code": code, "version": version},
        ).fetchone()
        if row is None:
            raise ActRefusedError(f"Không có quy trình {code} ở phiên bản này.")
        return _one_template(connection, row[0])


def _one_template(connection: psycopg.Connection[Any], template_id: int) -> TemplateView:
    cursor = connection.cursor(row_factory=dict_row)
    head = cursor.execute(
        "select template_id, code, version, title_vi, title_en, status, legal_basis, reason, chain_code, "
        "incident_kinds, author, approved_by, approved_at, created_at from sop.template where template_id = %s",
        (template_id,),
    ).fetchone()
    if head is None:
        raise ActRefusedError("Không có phiên bản quy trình này.")
    steps = cursor.execute("select * from sop.step where template_id = %s order by position", (template_id,)).fetchall()
    return TemplateView(
        **head,
        steps=[_step(row) for row in steps],
        chain=_chain(connection, head["chain_code"]) if head["chain_code"] else [],
    )


def _step(row: dict[str, Any]) -> StepView:
    labels = row.pop("outcome_labels")
    outcomes = [
        Outcome(code, labels.get(code, {}).get("vi", code), labels.get(code, {}).get("en", code))
        for code in row.pop("outcomes")
    ]
    return StepView(
        outcomes=outcomes, **{name: value for name, value in row.items() if name not in ("step_id", "template_id")}
    )


def _chain(connection: psycopg.Connection[Any], code: str) -> list[ChainStep]:
    rows = connection.execute(
        "select position, after, condition, roles, unit_hop, channels, calendar_code, repeat_every "
        "from sop.escalation_chain where code = %s order by position",
        (code,),
    )
    return [ChainStep(*row) for row in rows]
