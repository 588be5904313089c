"""What citizens are told of a rule: engineers propose, a leader who did not propose it decides, everybody reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from alerts.incidents import ActRefusedError
from alerts.notifying.rendering import TemplateRefusedError
from alerts.rulemaking import public_rules, rule_views
from portal.pages.rules import Leader  # noqa: TC001  evaluated by FastAPI
from portal.web import Config, Engineer, NotFoundError, Sent, SignedIn, own_form, render

if TYPE_CHECKING:
    from starlette.datastructures import FormData

    from ioc.settings import Settings
    from portal.users import User

router = APIRouter(include_in_schema=False)
_TEXTS = ("category", "event_vi", "event_en", "headline_vi", "headline_en", "reason")
_LEVELS = (1, 2, 3, 4)


def _given(rule: public_rules.PublicRule | None) -> dict[str, Any]:
    """What the form shows for what is in force."""
    if rule is None:
        empty = dict.fromkeys(_TEXTS, "")
        return empty | {"is_enabled": True, "min_level": "2", "radius_km": "0", "advice": dict.fromkeys(_LEVELS)}
    advice = {one.level: one for one in rule.advice}
    return {
        **{name: getattr(rule, name, "") for name in _TEXTS},
        "is_enabled": rule.is_enabled, "min_level": str(rule.min_level), "radius_km": f"{rule.radius_km:g}",
        "advice": {level: advice.get(level) for level in _LEVELS},
    }  # fmt: skip


def _read(sent: FormData) -> tuple[public_rules.PublicRule, str, dict[str, Any]]:
    """What was typed as a rule, its reason, and for the form to come back with.

    Raises:
        ActRefusedError: the radius is no number.
    """
    text = {name: str(sent.get(name, "")).replace("\x00", "").strip()[:2000] for name in _TEXTS}
    advice = [
        public_rules.Advice(level, *(str(sent.get(f"{name}{level}", "")).replace("\x00", "").strip()[:2000]
                                     for name in ("response", "advice_vi", "advice_en")))
        for level in _LEVELS
    ]  # fmt: skip
    radius, level = str(sent.get("radius_km", "")).strip()[:20], str(sent.get("min_level", ""))
    given = text | {
        "is_enabled": sent.get("is_enabled") == "yes", "min_level": level, "radius_km": radius,
        "advice": {one.level: one for one in advice},
    }  # fmt: skip
    try:
        kilometres = float(radius.replace(",", ".") or 0)
    except ValueError:
        kilometres = -1  # refused with the other faults
    rule = public_rules.PublicRule(
        **{name: value for name, value in text.items() if name != "reason"},
        min_level=int(level) if level in ("1", "2", "3", "4") else 0,
        radius_km=kilometres,
        is_enabled=bool(given["is_enabled"]),
        advice=tuple(one for one in advice if one.advice_vi or one.advice_en),
    )
    return rule, text["reason"], given


def _headline(rule: public_rules.PublicRule, code: str) -> str:
    try:
        return public_rules.headline(rule, code)
    except TemplateRefusedError:
        return rule.headline_vi


def _page(
    request: Request,
    settings: Settings,
    user: User,
    code: str,
    *,
    problem: str | None = None,
    given: dict[str, Any] | None = None,
) -> HTMLResponse:
    try:
        rule = rule_views.rule(code, settings).rule
    except ActRefusedError as error:
        raise NotFoundError from error
    standing = public_rules.standing(code, settings)
    waiting = standing.proposal
    return render(
        request,
        "public_rule.html",
        status=422 if problem else 200,
        rule=rule,
        in_force=standing.in_force,
        why=standing.reason,
        proposal=waiting,
        given=given or _given(standing.in_force),
        headline=_headline,
        categories=public_rules.CATEGORIES,
        responses=public_rules.RESPONSES,
        may_propose=user.is_engineer and waiting is None and rule.watches == "signal",
        may_decide=user.role == "leader" and waiting is not None and waiting.author != user.username,
        is_mine=waiting is not None and waiting.author == user.username,
        problem=problem,
    )


@router.get("/quy-tac/{code}/cong-dan", response_class=HTMLResponse)
def page(request: Request, settings: Config, user: SignedIn, code: str) -> HTMLResponse:
    """What citizens are told of this rule, and what is proposed."""
    return _page(request, settings, user, code)


@router.post("/quy-tac/{code}/cong-dan", dependencies=[Depends(own_form)])
def propose(request: Request, settings: Config, user: Engineer, code: str, sent: Sent) -> Response:
    """Propose something else."""
    rule, reason, given = _read(sent)
    try:
        public_rules.propose(code, rule, reason, user.username, settings=settings)
    except ActRefusedError as refused:
        return _page(request, settings, user, code, problem=str(refused), given=given)
    return RedirectResponse(f"/quy-tac/{code}/cong-dan", status_code=303)


def _decide(
    request: Request, settings: Settings, user: User, code: str, *, proposal: int, is_approved: bool, note: str = ""
) -> Response:
    try:
        public_rules.decide(code, proposal, user.username, is_approved=is_approved, note=note, settings=settings)
    except ActRefusedError as refused:
        return _page(request, settings, user, code, problem=str(refused))
    return RedirectResponse(f"/quy-tac/{code}/cong-dan", status_code=303)


ProposalId = Annotated[int, Form(ge=1, le=2**62)]


@router.post("/quy-tac/{code}/cong-dan/duyet", dependencies=[Depends(own_form)])
def approve(request: Request, settings: Config, user: Leader, code: str, proposal: ProposalId) -> Response:
    """Put the proposal in force."""
    return _decide(request, settings, user, code, proposal=proposal, is_approved=True)


@router.post("/quy-tac/{code}/cong-dan/tra-lai", dependencies=[Depends(own_form)])
def reject(
    request: Request, settings: Config, user: Leader, code: str, *, proposal: ProposalId,
    reason: Annotated[str, Form()] = "",
) -> Response:  # fmt: skip
    """Turn the proposal down, with a reason."""
    return _decide(request, settings, user, code, proposal=proposal, is_approved=False, note=reason)


@router.post("/quy-tac/{code}/cong-dan/rut", dependencies=[Depends(own_form)])
def take_back(request: Request, settings: Config, user: Engineer, code: str, proposal: ProposalId) -> Response:
    """An author's own proposal, taken back."""
    waiting = public_rules.standing(code, settings).proposal
    if waiting is None or waiting.author != user.username:
        raise NotFoundError
    note = "Người đề nghị tự rút lại."
    return _decide(request, settings, user, code, proposal=proposal, is_approved=False, note=note)
