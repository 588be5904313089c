"""Alerts: what is open, what happened, who accepted it, what was told to whom.

Officers are held to their unit by ``alerts.incidents``: what is not theirs does not exist for them (404).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from alerts import incident_search, incidents, suppressions
from ioc.domains import all_domains
from portal import domains, incident_chart
from portal.web import Config, Db, NotFoundError, Reader, SignedIn, own_form, paging_moment, render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ioc.settings import Settings
    from portal.database import Database, Row
    from portal.users import User

router = APIRouter(include_in_schema=False)

# Hours that an acknowledgement may hold; level 3 and above only the short ones.
ACK_HOURS = (1, 2, 4, 8)
SILENCE_HOURS = (1, 2, 4, 8, 24, 72, 168)
NOTE_LENGTH = 500
_OPEN, _ENDED = 700, 60
_STANDINGS = ("open", "closed", "all")
_KINDS = ("value", "nodata", "source")


def _one_of(value: str, choices: Sequence[str]) -> str | None:
    return value if value in choices else None


@router.get("/canh-bao", response_class=HTMLResponse)
def list_of_incidents(
    request: Request,
    settings: Config,
    who: Reader,
    user: SignedIn,
    *,
    tinh_trang: str = "",
    cap: str = "",
    linh_vuc: str = "",
    don_vi: str = "",
    loai: str = "",
    nhan: str = "",
    tim: str = "",
    truoc: str = "",
) -> HTMLResponse:
    """Open incidents, then those that ended lately; filters in the address, so that a view can be kept and sent on.

    ``tinh_trang`` standing, ``cap`` lowest level, ``linh_vuc`` domain, ``don_vi`` unit, ``loai`` kind, ``nhan``
    accepted (``co``) or not (``chua``), ``tim`` words, ``truoc`` older than this moment.
    """
    wanted = incident_search.Wanted(
        status=cast("Literal['open', 'closed', 'all']", _one_of(tinh_trang, _STANDINGS) or "all"),
        min_level=int(cap) if cap in ("1", "2", "3", "4") else 1,
        domain=linh_vuc or None,
        unit=don_vi or None,
        kind=_one_of(loai, _KINDS),
        is_acked={"co": True, "chua": False}.get(nhan),
        text=tim[:100],
    )
    chosen = {"tinh_trang": tinh_trang, "cap": cap, "linh_vuc": linh_vuc, "don_vi": don_vi, "loai": loai, "nhan": nhan,
              "tim": tim[:100]}  # fmt: skip
    units = user.visible_units
    open_ones: list[incidents.IncidentView] = []
    ended: list[incidents.IncidentView] = []
    before = paging_moment(truoc)
    if wanted.status != "closed" and before is None:
        open_ones = incident_search.search(_with(wanted, "open"), units, settings, limit=_OPEN)
    if wanted.status != "open" and wanted.is_acked is None:
        ended = incident_search.search(_with(wanted, "closed", before), units, settings, limit=_ENDED + 1)
    known_domains, known_units = incident_search.choices(units, settings)
    is_vietnamese = who.language.code == "vi"
    titles = {d.name: d.title_vi if is_vietnamese else d.title_en for d in all_domains()}
    return render(
        request,
        "incidents.html",
        alarms=[i for i in open_ones if i.kind == "value"],
        silent=_by_rule([i for i in open_ones if i.kind != "value"]),
        open_count=len(open_ones),
        ended=ended[:_ENDED],
        older=ended[_ENDED - 1].opened_at.isoformat() if len(ended) > _ENDED else None,
        is_older_page=before is not None,
        chosen=chosen,
        is_filtered=any(chosen.values()),
        shows_ended=wanted.status != "open" and wanted.is_acked is None,
        domain_choices=[(name, titles.get(name, name)) for name in known_domains],
        unit_choices=known_units,
    )


def _with(
    wanted: incident_search.Wanted, status: Literal["open", "closed"], before: datetime | None = None
) -> incident_search.Wanted:
    return incident_search.Wanted(**{**wanted.__dict__, "status": status, "before": before})


def _by_rule(silent: list[incidents.IncidentView]) -> list[list[incidents.IncidentView]]:
    """Silent series and sources, one group per rule and kind: a source that fails silences all its series."""
    groups: dict[tuple[str, str], list[incidents.IncidentView]] = {}
    for incident in silent:
        groups.setdefault((incident.rule_code, incident.kind), []).append(incident)
    return sorted(groups.values(), key=lambda group: (group[0].kind != "source", -group[0].level))


def _history(incident_id: str, user: User, settings: Settings) -> incidents.IncidentHistory:
    try:
        return incidents.history(UUID(incident_id), user.visible_units, settings)
    except ValueError as error:  # not a UUID, or ActRefusedError: not this user's
        raise NotFoundError from error


def _timeline(history: incidents.IncidentHistory) -> list[dict[str, Any]]:
    """Transitions, acts and notices in one order of time; what was told at one moment is one entry."""
    entries: list[dict[str, Any]] = [
        {"at": row["event_time"], "kind": "transition", **row} for row in history.transitions
    ]
    entries += [{"at": row["occurred_at"], "kind": "act", **row} for row in history.acts]
    told: dict[datetime, dict[str, Any]] = {}
    # The inbox's words are the shortest: they name what the other channels said at more length.
    for row in sorted(history.notices, key=lambda notice: notice["channel"] != "web"):
        entry = told.setdefault(
            row["created_at"],
            {"at": row["created_at"], "kind": "notice", "subject": row["subject"], "texts": {}, "people": {}},
        )
        entry["texts"].setdefault(row["body"], []).append(row["channel"])
        entry["people"].setdefault(row["contact_name"] or "–", []).append(row)
    return sorted([*entries, *told.values()], key=lambda entry: entry["at"], reverse=True)


def _held_by(database: Database, incident: incidents.IncidentView, now: datetime) -> list[Row]:
    """What holds messages about this incident back at the moment."""
    return database.rows(
        """
        select s.kind, s.is_known_dead, s.reason, s.created_by, s.max_level, upper(s.during) as until
        from alert.suppression s
        where s.during @> %(now)s and alert.holds_at(s, %(now)s)
            and alert.is_about(s, %(rule)s, %(entity)s, %(unit)s, %(kind)s, %(now)s)
        order by s.max_level desc
        """,
        {"now": now, "rule": incident.rule_code, "entity": incident.entity_id, "unit": incident.unit_code,
         "kind": incident.kind},
    )  # fmt: skip


def _corrections(database: Database, incident: incidents.IncidentView) -> list[Row]:
    """Rows of the series that came too late to be judged, in the time of the incident."""
    return database.rows(
        """
        select l.period_end, l.value::float8, l.quality, l.revision, l.recorded_at, state.label_vi as state_vi,
            state.label_en as state_en,
            l.contradicts_incident_id is not distinct from i.incident_id as is_contradiction
        from alert.incident i
        join alert.late_observation l on (l.rule_id, l.entity_type, l.entity_id)
            = (i.rule_id, i.entity_type, i.entity_id)
        left join lateral alert.state_of(i.rule_version_id, i.entity_id, i.unit_code, l.value) state on true
        where i.incident_id = %(id)s and (l.contradicts_incident_id = i.incident_id
            or l.period_end between i.opened_at - interval '24 hours' and coalesce(i.closed_at, 'infinity'))
        order by l.period_end desc, l.revision desc limit 50
        """,
        {"id": incident.incident_id},
    )


def _case(database: Database, incident: incidents.IncidentView) -> Row | None:
    """The case that the incident has opened, and how far it is."""
    return database.row(
        """
        select c.code, c.status, c.opened_at, c.closed_at,
            count(t.*) filter (where t.status not in ('skipped', 'cancelled')) as task_count,
            count(t.*) filter (where t.status = 'done') as done_count,
            count(t.*) filter (where t.status not in ('done', 'skipped', 'cancelled') and t.due_at < now())
                as overdue_count
        from sop.case_ c left join sop.task t using (case_id)
        where c.incident_id = %(id)s group by c.case_id
        """,
        {"id": incident.incident_id},
    )


def _page(
    request: Request,
    database: Database,
    user: User,
    history: incidents.IncidentHistory,
    *,
    problem: str | None = None,
    silence_problem: str | None = None,
) -> HTMLResponse:
    now = datetime.now(UTC)
    incident = history.incident
    page = domains.pages().get(incident.domain)
    trace = None
    if page and page.trace and incident.kind == "value" and incident.value_at:
        trace = page.trace(incident.entity_id, incident.value_at)
    signal = incident_chart.of_incident(database, incident, now)
    ceiling = suppressions.CEILINGS.get(user.role, 0)
    return render(
        request,
        "incident.html",
        trace=trace,
        status=422 if problem or silence_problem else 200,
        incident=incident,
        timeline=_timeline(history),
        signal=signal,
        pictures=[incident_chart.picture(signal, incident, *size) for size in ((360, 240), (860, 300))]
        if signal
        else [],
        corrections=_corrections(database, incident),
        held_by=_held_by(database, incident, now),
        case=_case(database, incident),
        ack_hours=[hours for hours in ACK_HOURS if incident.level <= 2 or hours <= 2],
        usual_hours=4 if incident.level <= 2 else 1,
        silence_hours=SILENCE_HOURS,
        ceiling=ceiling,
        may_open_case=user.role in ("officer", "leader", "admin"),
        problem=problem,
        silence_problem=silence_problem,
    )


@router.get("/canh-bao/{incident_id}", response_class=HTMLResponse)
def incident_page(request: Request, database: Db, settings: Config, user: SignedIn, incident_id: str) -> HTMLResponse:
    """One incident: how it stands, the forms to accept and to silence it, the data around it, its history."""
    return _page(request, database, user, _history(incident_id, user, settings))


@router.post("/canh-bao/{incident_id}/nhan", dependencies=[Depends(own_form)])
def acknowledge(
    request: Request,
    database: Db,
    settings: Config,
    user: SignedIn,
    incident_id: str,
    *,
    note: Annotated[str, Form()] = "",
    hours: Annotated[str, Form()] = "",
) -> Response:
    """Accept an incident for some hours, with a note."""
    history = _history(incident_id, user, settings)
    level = history.incident.level
    allowed = {str(n): timedelta(hours=n) for n in ACK_HOURS if level <= 2 or n <= 2}
    problem = None
    if hours not in allowed:
        problem = "Thời gian nhận xử lý không hợp lệ; hãy chọn lại."
    elif len(note) > NOTE_LENGTH:
        problem = "Ghi chú dài quá 500 ký tự; hãy rút gọn."
    if problem:
        return _page(request, database, user, history, problem=problem)
    try:
        incidents.acknowledge(
            history.incident.incident_id,
            user.username,
            note,
            lasts=allowed[hours],
            unit_codes=user.visible_units,
            settings=settings,
        )
    except incidents.ActRefusedError as refused:
        return _page(request, database, user, _history(incident_id, user, settings), problem=str(refused))
    return RedirectResponse(f"/canh-bao/{history.incident.incident_id}", status_code=303)


@router.post("/canh-bao/{incident_id}/thoi-nhan", dependencies=[Depends(own_form)])
def give_back(request: Request, database: Db, settings: Config, user: SignedIn, incident_id: str) -> Response:
    """Take an acceptance back: the incident waits for somebody again."""
    history = _history(incident_id, user, settings)
    try:
        incidents.unacknowledge(
            history.incident.incident_id, user.username, unit_codes=user.visible_units, settings=settings
        )
    except incidents.ActRefusedError as refused:
        return _page(request, database, user, history, problem=str(refused))
    return RedirectResponse(f"/canh-bao/{history.incident.incident_id}", status_code=303)


@router.post("/canh-bao/{incident_id}/tam-dung", dependencies=[Depends(own_form)])
def silence(
    request: Request,
    database: Db,
    settings: Config,
    user: SignedIn,
    incident_id: str,
    *,
    reason: Annotated[str, Form()] = "",
    hours: Annotated[str, Form()] = "",
    max_level: Annotated[str, Form()] = "",
) -> Response:
    """Hold back the messages about this series for some hours, up to a level."""
    history = _history(incident_id, user, settings)
    incident = history.incident
    if hours not in map(str, SILENCE_HOURS) or not max_level.isdigit():
        problem = "Thời hạn hoặc cấp cao nhất không hợp lệ; hãy chọn lại."
        return _page(request, database, user, history, silence_problem=problem)
    scope = suppressions.Scope(
        suppressions.exactly(incident.rule_code),
        suppressions.exactly(incident.entity_id),
        incident_kind=cast("Literal['value', 'nodata', 'source']", incident.kind),
    )
    try:
        suppressions.suppress(
            "silence",
            suppressions.Actor(user.username, user.role, user.visible_units),
            reason,
            datetime.now(UTC) + timedelta(hours=int(hours)),
            max_level=int(max_level),
            scope=scope,
            settings=settings,
        )
    except incidents.ActRefusedError as refused:
        return _page(request, database, user, history, silence_problem=str(refused))
    return RedirectResponse(f"/canh-bao/{incident.incident_id}", status_code=303)
