"""Alert rules: what is in force and why, drafts with their tests and dry runs, approval, switching off and on.

Everybody signed in may read them. Engineers and administrators write; leaders approve or reject what others wrote.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from alerts.incidents import ActRefusedError
from alerts.rulemaking import public_rules, rule_admin, rule_making, rule_views
from ioc.domains import all_domains
from portal import rule_form
from portal.rule_words import Words, dry_run_of
from portal.users import User
from portal.web import (
    Config,
    Db,
    Engineer,
    ForbiddenError,
    NotFoundError,
    Sent,
    SignedIn,
    Visitor,
    own_form,
    render,
    visitor,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from alerts.rulemaking import rule_tests
    from ioc.settings import Settings
    from portal.database import Database

router = APIRouter(include_in_schema=False)


def leader(user: SignedIn) -> User:
    """The signed-in leader.

    Raises:
        ForbiddenError: another role.
    """
    if user.role != "leader":
        raise ForbiddenError
    return user


Leader = Annotated[User, Depends(leader)]
VersionId = Annotated[int, Form(ge=1, le=2**62)]
Why = Annotated[str, Form()]


@dataclass(frozen=True)
class _Rule:
    """The rule that a request is about, and what its page needs."""

    request: Request
    settings: Settings
    database: Database
    user: User
    words: Words
    code: str

    def detail(self) -> rule_views.RuleDetail:
        try:
            return rule_views.rule(self.code, self.settings)
        except ActRefusedError as error:
            raise NotFoundError from error

    def open_draft(self) -> tuple[rule_views.RuleDetail, rule_views.VersionView]:
        detail = self.detail()
        if detail.draft is None or detail.draft.status != "draft":
            raise NotFoundError
        return detail, detail.draft

    def page(self, problems: list[str] | None = None) -> HTMLResponse:
        detail = self.detail()
        draft, current = detail.draft, detail.current
        return render(
            self.request,
            "rule.html",
            status=422 if problems else 200,
            problems=problems or [],
            detail=detail,
            rule=detail.rule,
            draft=draft,
            current=current,
            words=self.words,
            changes=self.words.changes(current.document, draft.document) if draft and current else [],
            dry_run=dry_run_of(self.database, draft) if draft else None,
            may_write=self.user.is_engineer,
            may_approve=self.user.role == "leader" and bool(draft and draft.may_be_approved_by(self.user.username)),
            is_leader=self.user.role == "leader",
            public=public_rules.standing(self.code, self.settings),
            domain=next(d for d in all_domains() if d.name == detail.rule.domain),
        )

    def form(self, detail: rule_views.RuleDetail, values: dict[str, Any], problems: list[str]) -> HTMLResponse:
        return render(
            self.request,
            "rule_form.html",
            status=422 if problems else 200,
            problems=problems,
            rule=detail.rule,
            draft=detail.draft,
            values=values,
            choices=rule_form.choices(self.database),
        )

    def text_form(
        self,
        detail: rule_views.RuleDetail,
        given: Mapping[str, Any],
        problems: list[str] | None = None,
        report: rule_tests.Report | None = None,
        *,
        is_checked: bool = False,
    ) -> HTMLResponse:
        return render(
            self.request, "rule_yaml.html", status=422 if problems else 200, problems=problems or [],
            rule=detail.rule, draft=detail.draft, given=given, report=report, is_checked=is_checked, words=self.words,
        )  # fmt: skip

    def after(self, act: Callable[[], object], then: str = "#ban-nhap") -> Response:
        """Do ``act`` and go to the page; or show the page with what stood in the way."""
        self.detail()
        try:
            act()
        except ActRefusedError as refused:
            return self.page(problems_of(refused))
        return RedirectResponse(f"/quy-tac/{self.code}{then}", status_code=303)


def problems_of(refused: ActRefusedError) -> list[str]:
    """What to tell the author, one sentence each."""
    return refused.problems if isinstance(refused, rule_admin.RuleRefusedError) else [str(refused)]


def _rule(
    request: Request, settings: Config, database: Db, user: SignedIn, *, code: str,
    who: Annotated[Visitor, Depends(visitor)],
) -> _Rule:  # fmt: skip
    return _Rule(request, settings, database, user, Words(who.language), code)


Rule = Annotated[_Rule, Depends(_rule)]


@router.get("/quy-tac", response_class=HTMLResponse)
def list_of_rules(request: Request, settings: Config, user: SignedIn) -> HTMLResponse:
    """All rules by domain; what waits for somebody comes first."""
    rules = rule_views.list_rules(settings)
    by_domain = [(domain, [rule for rule in rules if rule.domain == domain.name]) for domain in all_domains()]
    return render(
        request,
        "rules.html",
        groups=[(domain, found) for domain, found in by_domain if found],
        waiting=[rule for rule in rules if rule.draft],
        may_write=user.is_engineer,
    )


@router.get("/quy-tac/{code}", response_class=HTMLResponse)
def rule_page(rule: Rule) -> HTMLResponse:
    """One rule: the version in force, the draft, what was tested, what people did."""
    return rule.page()


@router.get("/quy-tac/{code}/phien-ban/{version}", response_class=HTMLResponse)
def version_page(rule: Rule, version: int) -> HTMLResponse:
    """One version as it was decided on, with its tests and its dry run."""
    detail = rule.detail()
    found = next((v for v in detail.versions if v.version == version), None)
    if found is None:
        raise NotFoundError
    return render(
        rule.request, "rule_version.html", rule=detail.rule, version=found, words=rule.words,
        dry_run=dry_run_of(rule.database, found), may_copy=rule.user.is_engineer and detail.draft is None,
    )  # fmt: skip


@router.post("/quy-tac/{code}/nhap", dependencies=[Depends(own_form)])
def create_draft(
    rule: Rule, user: Engineer, copy_of: Annotated[int | None, Form(ge=1, le=2**31 - 1)] = None
) -> Response:
    """Begin a draft, as a copy of the version in force or of another one, and go to its form."""
    return rule.after(
        lambda: rule_admin.create_draft(rule.code, user.username, copy_of=copy_of, settings=rule.settings), "/soan"
    )


@router.get("/quy-tac/{code}/soan", response_class=HTMLResponse)
def form_page(rule: Rule, _user: Engineer) -> HTMLResponse:
    """The form of the open draft."""
    detail, draft = rule.open_draft()
    return rule.form(detail, rule_form.values_of(draft, rule.words), [])


@router.post("/quy-tac/{code}/soan", dependencies=[Depends(own_form)])
def save_draft(rule: Rule, user: Engineer, sent: Sent) -> Response:
    """Save the draft; with faults, the form comes back as it was filled in."""
    detail, draft = rule.open_draft()
    try:
        document, tests, is_backdated = rule_form.document_of(sent, draft.document, rule.words)
        rule_admin.save_draft(
            draft.rule_version_id, document, tests, user.username, is_backdated=is_backdated, settings=rule.settings
        )
    except ActRefusedError as refused:
        return rule.form(detail, rule_form.values_of_sent(sent), problems_of(refused))
    return RedirectResponse(f"/quy-tac/{rule.code}#ban-nhap", status_code=303)


@router.get("/quy-tac/{code}/soan-yaml", response_class=HTMLResponse)
def text_page(rule: Rule, _user: Engineer) -> HTMLResponse:
    """The open draft as one text, as rule files have it."""
    detail, draft = rule.open_draft()
    given = {"document": rule_form.yaml_of(draft.document), "tests": draft.tests or "",
             "is_backdated": draft.is_backdated}  # fmt: skip
    return rule.text_form(detail, given)


@router.post("/quy-tac/{code}/soan-yaml", dependencies=[Depends(own_form)])
def save_text(rule: Rule, user: Engineer, sent: Sent) -> Response:
    """Look at the text only (``act`` = ``check``), or save it as the draft."""
    detail, draft = rule.open_draft()
    try:
        document, tests, is_backdated = rule_form.document_of_yaml(sent, rule.words)
        if document.code != rule.code:
            raise ActRefusedError("Mã, lĩnh vực, tín hiệu và loại đối tượng của quy tắc đã có không đổi được.")
        if sent.get("act") == "check":
            report = rule_making.check(document, tests, is_new=False, settings=rule.settings)
            return rule.text_form(detail, rule_form.NOT_SENT | dict(sent), report=report, is_checked=True)
        rule_admin.save_draft(
            draft.rule_version_id, document, tests, user.username, is_backdated=is_backdated, settings=rule.settings
        )
    except ActRefusedError as refused:
        return rule.text_form(detail, rule_form.NOT_SENT | dict(sent), problems_of(refused))
    return RedirectResponse(f"/quy-tac/{rule.code}#ban-nhap", status_code=303)


@router.post("/quy-tac/{code}/thu", dependencies=[Depends(own_form)])
def run_tests(rule: Rule, user: Engineer, version_id: VersionId) -> Response:
    """Run the tests of the draft."""
    return rule.after(lambda: rule_admin.run_tests(version_id, user.username, settings=rule.settings))


@router.post("/quy-tac/{code}/chay-thu", dependencies=[Depends(own_form)])
def dry_run(rule: Rule, user: Engineer, version_id: VersionId) -> Response:
    """Play the last 90 days through the draft."""
    return rule.after(lambda: rule_admin.dry_run(version_id, user.username, settings=rule.settings))


@router.post("/quy-tac/{code}/trinh", dependencies=[Depends(own_form)])
def submit(rule: Rule, user: Engineer, version_id: VersionId) -> Response:
    """Hand the draft to whoever approves."""
    return rule.after(lambda: rule_admin.submit(version_id, user.username, settings=rule.settings))


@router.post("/quy-tac/{code}/bo", dependencies=[Depends(own_form)])
def discard(rule: Rule, user: Engineer, version_id: VersionId) -> Response:
    """Throw the draft away; of a rule that never had another version nothing is left to show."""
    is_only = len(rule.detail().versions) == 1
    answer = rule.after(lambda: rule_admin.discard_draft(version_id, user.username, settings=rule.settings))
    return RedirectResponse("/quy-tac", status_code=303) if is_only and answer.status_code == 303 else answer


@router.post("/quy-tac/{code}/duyet", dependencies=[Depends(own_form)])
def approve(rule: Rule, user: Leader, version_id: VersionId) -> Response:
    """Put the submitted version in force."""
    return rule.after(lambda: rule_admin.approve(version_id, user.username, settings=rule.settings), "")


@router.post("/quy-tac/{code}/tra-lai", dependencies=[Depends(own_form)])
def reject(rule: Rule, user: Leader, version_id: VersionId, reason: Why = "") -> Response:
    """Turn the submitted version down, with a reason."""
    return rule.after(lambda: rule_admin.reject(version_id, user.username, reason[:500], settings=rule.settings), "")


@router.post("/quy-tac/{code}/trang-thai", dependencies=[Depends(own_form)])
def switch(rule: Rule, user: Engineer, enabled: Annotated[bool, Form()], reason: Why = "") -> Response:
    """Switch the rule off or on, with a reason."""
    return rule.after(
        lambda: rule_admin.set_enabled(rule.code, enabled, user.username, reason[:500], settings=rule.settings), ""
    )
