"""Procedures (SOP): what happens after an alarm — who does what, until when, with which evidence.

A rule with a procedure opens a case (vụ việc) once per incident, with a snapshot of the procedure as it stood; steps
become tasks (công việc) when what they depend on is done; clocks tell the next people when nobody acts; people close
cases. ``drain()`` opens what is due and fires due clocks; everything else is an act of a person.

Every act takes the acting user and writes its audit event in the same transaction; an act that is not possible raises
:class:`alerts.incidents.ActRefusedError` with a Vietnamese sentence for the user. ``unit_codes`` narrows a function to
the units that the user answers for (None = all); which role may act at all is the caller's to decide. ``settings``
defaults to this process's, ``at`` (the clock) to now.
"""

from alerts.procedures.attachments import MAX_BYTES, attach, read_attachment
from alerts.procedures.casefile import case
from alerts.procedures.cases import close_case, comment, open_case
from alerts.procedures.catalogue import (
    ProcedureRefusedError,
    approve_template,
    check_template,
    discard_template,
    draft_template,
    list_chains,
    list_templates,
    replace_chain,
    template,
)
from alerts.procedures.directives import directive_progress, directive_send, directives
from alerts.procedures.draining import drain
from alerts.procedures.measures import indicators
from alerts.procedures.model import (
    Attachment,
    AttachmentFile,
    CaseFile,
    CaseView,
    ChainStep,
    CloseReason,
    Comment,
    Directive,
    FalseAlarms,
    Indicators,
    Outcome,
    ProceduresReport,
    Recipient,
    StepView,
    TaskView,
    TemplateView,
    TimerView,
    UnitIndicators,
)
from alerts.procedures.tasks import STATUS_VI, accept, assign, cancel, finish, reject, skip, start
from alerts.procedures.views import close_reasons, list_cases, my_tasks, task

__all__ = [
    "MAX_BYTES",
    "STATUS_VI",
    "Attachment",
    "AttachmentFile",
    "CaseFile",
    "CaseView",
    "ChainStep",
    "CloseReason",
    "Comment",
    "Directive",
    "FalseAlarms",
    "Indicators",
    "Outcome",
    "ProcedureRefusedError",
    "ProceduresReport",
    "Recipient",
    "StepView",
    "TaskView",
    "TemplateView",
    "TimerView",
    "UnitIndicators",
    "accept",
    "approve_template",
    "assign",
    "attach",
    "cancel",
    "case",
    "check_template",
    "close_case",
    "close_reasons",
    "comment",
    "directive_progress",
    "directive_send",
    "directives",
    "discard_template",
    "draft_template",
    "drain",
    "finish",
    "indicators",
    "list_cases",
    "list_chains",
    "list_templates",
    "my_tasks",
    "open_case",
    "read_attachment",
    "reject",
    "replace_chain",
    "skip",
    "start",
    "task",
    "template",
]
