"""The services that the administrators' pages are made with."""

from __future__ import annotations

from dataclasses import dataclass

from services.gateway.accounts.keys import ManageKeys
from services.gateway.admin.audit_log import AuditLog
from services.gateway.admin.board_series import BoardsSeries
from services.gateway.admin.board_settings import BoardSettings
from services.gateway.admin.costs import Costs
from services.gateway.admin.dead_letters import DeadLetters
from services.gateway.admin.entries import EntryActions
from services.gateway.admin.ground_truths import GroundTruths
from services.gateway.admin.imports import BoardFiles
from services.gateway.admin.judging_hold import HoldJudging
from services.gateway.admin.notes import ManageNotes
from services.gateway.admin.pool import JudgePool
from services.gateway.admin.rereading import Rereading
from services.gateway.admin.rescoring import Rescoring
from services.gateway.admin.succession import Succession
from services.gateway.judging.service import JudgingService
from services.gateway.submissions.service import SubmissionService


@dataclass(frozen=True, slots=True)
class AdminParts:
    """One service a page, or a part of it."""

    entries: EntryActions
    files: BoardFiles
    boards: BoardSettings
    series: BoardsSeries
    letters: DeadLetters
    truths: GroundTruths
    rescoring: Rescoring
    rereading: Rereading
    succession: Succession
    hold: HoldJudging
    notes: ManageNotes
    costs: Costs
    pool: JudgePool
    log: AuditLog
    submissions: SubmissionService
    judging: JudgingService
    keys: ManageKeys
