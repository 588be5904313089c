"""What procedures look like to their callers: records to read; times have a zone, texts are Vietnamese and English."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from uuid import UUID


@dataclass(frozen=True)
class ProceduresReport:
    """What one drain did.

    Attributes:
        opened: Cases opened for incidents.
        raised: Cases whose incident rose: a new round of escalation.
        fired: Timers that became a message.
        lapsed: Timers whose condition no longer held: cancelled without a message.
        held: Due timers that a suppression holds back; looked at again at the next drain.
        announced: Tasks that were made known to those who can take them.
        directives: Directives made known, or reminded of because overdue.
        messages: Outbox rows added.
        unreachable: Timers and announcements that reach nobody, the duty of the centre included; tried again.
        repaired: Open unacknowledged incidents found without an armed timer, told to the duty and armed again.
        errors: What could not be done, one line each.
    """

    opened: int = 0
    raised: int = 0
    fired: int = 0
    lapsed: int = 0
    held: int = 0
    announced: int = 0
    directives: int = 0
    messages: int = 0
    unreachable: int = 0
    repaired: int = 0
    errors: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Outcome:
    """One of the ends that a step allows."""

    code: str
    vi: str
    en: str


@dataclass(frozen=True)
class CaseView:
    """A case (vụ việc) as a list shows it.

    Attributes:
        case_id: Key.
        code: What people quote, for example ``VV-2026-00012``.
        title_vi: Procedure and place.
        status: ``open``, ``closed`` or ``cancelled``.
        level: Highest level of its incident since it was opened, 1 to 4.
        unit_code: Where it happens; None = the whole province.
        unit_name: Name of that unit.
        owner_unit: Unit that coordinates.
        owner_unit_name: Name of that unit.
        template_code: Procedure; None for a case without one.
        template_version: Its version at opening.
        template_title_vi: Its title at opening.
        template_title_en: The same in English.
        incident_id: What opened it; None for a case opened by hand.
        incident_code: ``SC-…``, or None.
        incident_status: ``open`` or ``closed`` as of now, or None.
        incident_level: Level of the incident as of now, or None.
        is_acked: The incident is open and acknowledged.
        opened_by: User, or ``hệ thống``.
        opened_at: When.
        closed_by: User.
        closed_at: When.
        close_reason: Code of the reason.
        close_reason_vi: Its name.
        close_reason_en: Its name in English.
        close_note: Free text.
        closed_while_firing: Closed although the incident was still open.
        task_count: Tasks that are needed (skipped and cancelled ones not counted).
        done_count: Of these, done.
        overdue_count: Of these, unfinished and past their deadline.
        next_due_at: The nearest deadline of an unfinished task.
    """

    case_id: int
    code: str
    title_vi: str
    status: str
    level: int
    unit_code: str | None
    unit_name: str
    owner_unit: str | None
    owner_unit_name: str
    template_code: str | None
    template_version: int | None
    template_title_vi: str | None
    template_title_en: str | None
    incident_id: UUID | None
    incident_code: str | None
    incident_status: str | None
    incident_level: int | None
    is_acked: bool
    opened_by: str
    opened_at: datetime
    closed_by: str | None
    closed_at: datetime | None
    close_reason: str | None
    close_reason_vi: str | None
    close_reason_en: str | None
    close_note: str | None
    closed_while_firing: bool
    task_count: int
    done_count: int
    overdue_count: int
    next_due_at: datetime | None


@dataclass(frozen=True)
class TaskView:
    """A task (công việc): a step of a case, as it stands.

    Attributes:
        task_id: Key.
        case_id: Its case.
        case_code: Code of the case.
        case_title_vi: Title of the case.
        case_status: Status of the case.
        level: Level of the case.
        step_code: Step of the procedure.
        position: Order in the case.
        title_vi: What is to be done.
        title_en: The same in English.
        instruction_vi: How.
        directive_vi: Text of the directive that this step suggests; None = none.
        status: One of the nine states.
        unit_code: Whose queue it lies in.
        unit_name: Name of that unit.
        role: Who may take it there.
        assignee: User who has it.
        ready_at: When it could be begun.
        due_at: Deadline.
        accepted_at: When somebody took it.
        finished_at: When it was done, skipped or cancelled.
        outcome: Code of the end it took.
        note: Free text of the last act.
        evidence: Of a finished task: ``attachment_id, file_name, sha256, size_bytes, uploaded_by, uploaded_at``.
        outcomes: The ends it may take.
        evidence_required: ``finish`` needs at least one attachment.
        depends_on: Steps that come before it.
        condition: When it is needed; None = always.
        is_overdue: Unfinished and past its deadline.
        acts: What can be done with it now: ``assign, accept, start, finish, reject, skip, cancel``.
        version: Give it to the acts: what somebody else changed meanwhile is then not overwritten.
        updated_by: Who acted last.
        updated_at: When.
    """

    task_id: int
    case_id: int
    case_code: str
    case_title_vi: str
    case_status: str
    level: int
    step_code: str
    position: int
    title_vi: str
    title_en: str
    instruction_vi: str
    directive_vi: str | None
    status: str
    unit_code: str | None
    unit_name: str
    role: str
    assignee: str | None
    ready_at: datetime | None
    due_at: datetime | None
    accepted_at: datetime | None
    finished_at: datetime | None
    outcome: str | None
    note: str | None
    evidence: list[dict[str, Any]]
    outcomes: list[Outcome]
    evidence_required: bool
    depends_on: list[str]
    condition: str | None
    is_overdue: bool
    acts: list[str]
    version: int
    updated_by: str | None
    updated_at: datetime | None

    @property
    def outcome_label(self) -> Outcome | None:
        """The end that it took, with its names."""
        return next((one for one in self.outcomes if one.code == self.outcome), None)


@dataclass(frozen=True)
class Comment:
    """A remark on a case or one of its tasks; never changed."""

    comment_id: int
    task_id: int | None
    author: str
    body: str
    created_at: datetime


@dataclass(frozen=True)
class Attachment:
    """A file of a case; its content lies under its SHA-256."""

    attachment_id: int
    case_id: int
    task_id: int | None
    file_name: str
    media_type: str
    size_bytes: int
    sha256: str
    uploaded_by: str
    uploaded_at: datetime


@dataclass(frozen=True)
class AttachmentFile:
    """An attachment with its content, checked against its SHA-256.

    ``content_disposition`` is safe to send as it is: always a download, the name in RFC 6266's two forms.
    """

    attachment: Attachment
    content: bytes
    content_disposition: str


@dataclass(frozen=True)
class Recipient:
    """A unit that a directive is addressed to; ``percent`` of its newest report."""

    unit_code: str
    unit_name: str
    finished_at: datetime | None
    percent: int
    is_overdue: bool


@dataclass(frozen=True)
class Directive:
    """A written instruction to units.

    ``progress``: oldest first, ``unit_code, unit_name, author, body, percent, created_at``.
    ``is_overdue``: at least one recipient is past the deadline without having finished, or finished after it.
    """

    directive_id: int
    number: str
    case_id: int
    case_code: str
    task_id: int | None
    issued_by: str
    issued_at: datetime
    body: str
    due_at: datetime
    recipients: list[Recipient]
    progress: list[dict[str, Any]]
    is_overdue: bool


@dataclass(frozen=True)
class TimerView:
    """A clock of an escalation. ``skip_reason`` says why it was cancelled, or what holds it back while armed."""

    timer_id: int
    task_id: int | None
    position: int
    condition: str
    due_at: datetime
    status: str
    finished_at: datetime | None
    skip_reason: str | None
    roles: list[str]
    channels: list[str]
    round: int


@dataclass(frozen=True)
class CaseFile:
    """Everything about one case, each list oldest first.

    ``history``: audit events of the case, its tasks, directives and files: ``occurred_at, actor, action, object_type,
    object_id, detail``. ``snapshot``: template, steps, chain, rule and incident as they were when it was opened.
    """

    case: CaseView
    tasks: list[TaskView]
    comments: list[Comment]
    attachments: list[Attachment]
    directives: list[Directive]
    timers: list[TimerView]
    history: list[dict[str, Any]]
    snapshot: dict[str, Any]


@dataclass(frozen=True)
class CloseReason:
    """A reason to close a case; ``while_firing``: also when its incident is still open (a note is needed then)."""

    code: str
    name_vi: str
    name_en: str
    is_false_alarm: bool
    while_firing: bool


@dataclass(frozen=True)
class UnitIndicators:
    """Figures of one unit over a period; durations are clock time, None without a case to count.

    ``incident_count, acked_count, ack_*``: incidents of the rules it owns, from the first message to the first
    acknowledgement. The rest: tasks in its queue that became ready in the period. ``overdue_share``: 0 to 1.
    """

    unit_code: str
    unit_name: str
    incident_count: int
    acked_count: int
    ack_median: timedelta | None
    ack_p90: timedelta | None
    task_count: int
    done_count: int
    accept_median: timedelta | None
    accept_p90: timedelta | None
    finish_median: timedelta | None
    finish_p90: timedelta | None
    overdue_count: int
    overdue_share: float | None


@dataclass(frozen=True)
class FalseAlarms:
    """Cases of one rule closed in a period, and how many of them were false alarms (share 0 to 1)."""

    rule_code: str
    title_vi: str
    title_en: str
    closed_count: int
    false_count: int
    false_share: float


@dataclass(frozen=True)
class Indicators:
    """Figures of a period."""

    since: datetime
    until: datetime
    units: list[UnitIndicators]
    rules: list[FalseAlarms]


@dataclass(frozen=True)
class StepView:
    """A step of a template. ``unit_mode``: ``incident_unit``, ``rule_owner`` or ``fixed`` (then ``unit_code``).

    ``calendar_code``: ``sla`` is working time of this calendar, its days are working days; None = clock time.
    """

    code: str
    position: int
    title_vi: str
    title_en: str
    instruction_vi: str
    unit_mode: str
    unit_code: str | None
    role: str
    depends_on: list[str]
    condition: str | None
    sla: timedelta
    calendar_code: str | None
    outcomes: list[Outcome]
    evidence_required: bool
    directive_vi: str | None


@dataclass(frozen=True)
class ChainStep:
    """A step of an escalation: ``after`` the clock began, if ``condition`` still holds, tell ``roles``.

    ``unit_hop``: how many parents above the unit in charge. ``calendar_code``: None = clock time. ``repeat_every``:
    told again and again until the condition ends; None = once.
    """

    position: int
    after: timedelta
    condition: str
    roles: list[str]
    unit_hop: int
    channels: list[str]
    calendar_code: str | None
    repeat_every: timedelta | None


@dataclass(frozen=True)
class TemplateView:
    """A version of a procedure (quy trình). ``status``: ``draft``, ``approved`` or ``retired``."""

    template_id: int
    code: str
    version: int
    title_vi: str
    title_en: str
    status: str
    legal_basis: str
    reason: str
    chain_code: str | None
    incident_kinds: list[str]
    author: str
    approved_by: str | None
    approved_at: datetime | None
    created_at: datetime
    steps: list[StepView]
    chain: list[ChainStep]
