"""A wholly new rule: written in a form, copied from another rule, or as one text; for engineers and administrators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from alerts.incidents import ActRefusedError
from alerts.rulemaking import rule_making, rule_views
from ioc.domains import all_domains
from portal import rule_form
from portal.pages.rules import problems_of
from portal.rule_words import Words
from portal.web import Config, Db, Engineer, NotFoundError, Sent, Visitor, own_form, render, visitor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from alerts.rulemaking import rule_tests
    from alerts.rulemaking.rule_document import RuleDocument
    from ioc.settings import Settings
    from portal.database import Database

router = APIRouter(include_in_schema=False)


def _words(who: Annotated[Visitor, Depends(visitor)]) -> Words:
    return Words(who.language)


Said = Annotated[Words, Depends(_words)]


def _begun(settings: Settings, copy_of: str) -> tuple[RuleDocument, str]:
    """What the form begins with: nothing, or what another rule says."""
    if not copy_of:
        return rule_form.blank(), ""
    try:
        detail = rule_views.rule(copy_of, settings)
    except ActRefusedError as error:
        raise NotFoundError from error
    version = detail.current or next(iter(detail.versions), None)
    if version is None or detail.rule.watches == "source":
        raise NotFoundError
    return version.document, version.tests or ""


def _form(
    request: Request, settings: Settings, database: Database, values: dict[str, Any], problems: list[str]
) -> HTMLResponse:
    return render(
        request,
        "rule_form.html",
        status=422 if problems else 200,
        problems=problems,
        rule=None,
        draft=None,
        values=values,
        choices=rule_form.choices(database)
        | {
            "domains": [{"code": d.name, "name_vi": d.title_vi, "name_en": d.title_en} for d in all_domains()],
            "rules": [one for one in rule_views.list_rules(settings) if one.watches == "signal"],
        },
    )


@router.get("/quy-tac/moi", response_class=HTMLResponse)
def form_page(
    request: Request, settings: Config, database: Db, words: Said, _user: Engineer, mau: str = ""
) -> HTMLResponse:
    """The form for a new rule; ``mau`` = the rule to copy."""
    document, tests = _begun(settings, mau)
    return _form(request, settings, database, rule_form.values_of_document(document, tests, words), [])


@router.post("/quy-tac/moi", dependencies=[Depends(own_form)])
def create(request: Request, settings: Config, database: Db, words: Said, user: Engineer, *, sent: Sent) -> Response:
    """Keep the new rule as a draft; with faults, the form comes back as it was filled in."""
    try:
        document, tests, is_backdated = rule_form.new_document_of(sent, words)
        rule_making.create_rule(document, tests, user.username, is_backdated=is_backdated, settings=settings)
    except ActRefusedError as refused:
        return _form(request, settings, database, rule_form.values_of_sent(sent), problems_of(refused))
    return RedirectResponse(f"/quy-tac/{document.code}#ban-nhap", status_code=303)


def _text_form(
    request: Request,
    words: Words,
    given: Mapping[str, Any],
    problems: list[str] | None = None,
    report: rule_tests.Report | None = None,
    *,
    is_checked: bool = False,
) -> HTMLResponse:
    return render(
        request, "rule_yaml.html", status=422 if problems else 200, problems=problems or [], rule=None, draft=None,
        given=given, report=report, is_checked=is_checked, words=words,
    )  # fmt: skip


@router.get("/quy-tac/moi-yaml", response_class=HTMLResponse)
def text_page(request: Request, settings: Config, words: Said, _user: Engineer, mau: str = "") -> HTMLResponse:
    """A new rule as one text, as rule files have it; ``mau`` = the rule to copy."""
    document, tests = _begun(settings, mau)
    return _text_form(request, words, rule_form.NOT_SENT | {"document": rule_form.yaml_of(document), "tests": tests})


@router.post("/quy-tac/moi-yaml", dependencies=[Depends(own_form)])
def create_from_text(request: Request, settings: Config, words: Said, user: Engineer, sent: Sent) -> Response:
    """Look at the text only (``act`` = ``check``), or keep it as the draft of a new rule."""
    try:
        document, tests, is_backdated = rule_form.document_of_yaml(sent, words)
        if sent.get("act") == "check":
            report = rule_making.check(document, tests, is_new=True, settings=settings)
            return _text_form(request, words, rule_form.NOT_SENT | dict(sent), report=report, is_checked=True)
        rule_making.create_rule(document, tests, user.username, is_backdated=is_backdated, settings=settings)
    except ActRefusedError as refused:
        return _text_form(request, words, rule_form.NOT_SENT | dict(sent), problems_of(refused))
    return RedirectResponse(f"/quy-tac/{document.code}#ban-nhap", status_code=303)
