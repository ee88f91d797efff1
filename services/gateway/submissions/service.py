"""Submissions as their owners see them: their state, lists of them, taking one back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

import structlog

from medvid.benchmark.tasks import Board
from medvid.models.submissions import Standing
from services.gateway.accounts import credentials
from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.accounts.rules import Caller, not_the_owner, require_understood
from services.gateway.judging.service import JudgingService, JudgingSummary
from services.gateway.submissions.access import SubmissionAccess
from services.gateway.submissions.lifecycle import Lifecycle, SubmissionFilter, SubmissionSummary
from services.gateway.submissions.records import StoredSubmission
from services.gateway.submissions.rules import not_withdrawable
from services.gateway.submissions.store import SubmissionStore
from services.gateway.web.paging import Position

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class FoundSubmission:
    """A submission as a caller finds it. `owner`: the caller owns it, or administers."""

    submission: StoredSubmission
    owner: bool
    judging: JudgingSummary
    ahead: int | None
    standing: Standing | None = None


@dataclass(frozen=True, slots=True)
class SubmissionService:
    """Reads, lists and withdraws submissions; `standing_of` returns where a board's entry is."""

    store: SubmissionStore
    lifecycle: Lifecycle
    access: SubmissionAccess
    judging: JudgingService
    standing_of: Callable[[Board, UUID], Awaitable[Standing | None]]

    async def status(self, submission_id: UUID, caller: Caller) -> FoundSubmission:
        """Return the status; raises NotFound, and NotAllowed for a token that is not its own.

        All of one moment: a result never stands beside a run that has not ended. Scores and ranks
        are read afterwards, so that a result that is shown is in them.
        """
        async with self.store.moment() as connection:
            found = await self.store.find_in(connection, submission_id)
            submission, role = self.access.seen(found, caller)
            if role is None and caller.token is not None:
                raise not_the_owner(caller)
            judging = await self.judging.status(connection, submission_id)
            ahead = None
            if submission.state == "accepted":
                ahead = await self.store.ahead_of(connection, submission)
        status = FoundSubmission(submission, role is not None, judging, ahead)
        entry = submission.entry
        shown = entry is not None and not entry.removed and not entry.hypothetical
        if entry is not None and shown and status.owner and submission.state == "ranked":
            return replace(status, standing=await self.standing_of(entry.board, entry.id))
        return status

    async def page(
        self, caller: Caller, state: str | None, before: Position | None, limit: int
    ) -> Sequence[SubmissionSummary]:
        """Return submissions, newest first; raises NotAllowed for callers without credentials."""
        if self.access.rules.is_administrator(caller):
            wanted = SubmissionFilter(state=state)
        elif caller.key is not None:
            wanted = SubmissionFilter(key_id=caller.key.id, state=state)
        elif caller.token is not None:
            require_understood(caller)
            wanted = SubmissionFilter(token_sha256=credentials.sha256(caller.token), state=state)
        else:
            raise not_the_owner(caller)
        return await self.lifecycle.page(wanted, before, limit)

    async def withdraw(
        self, submission_id: UUID, caller: Caller, note: str | None, request_id: str
    ) -> None:
        """Withdraw it; once more changes nothing.

        An administrator's action needs a reason and goes into the audit log. Raises NotFound,
        NotAllowed, Conflict, InvalidInput.
        """
        submission, role = await self.access.check(submission_id, caller)
        action = (
            AdminAction.of(caller.name, note or "", request_id) if role == "administrator" else None
        )
        if submission.state == "withdrawn":
            return
        if not await self.lifecycle.withdraw(submission_id, role, note, action):
            fresh, _ = await self.access.check(submission_id, caller)
            if fresh.state != "withdrawn":
                raise not_withdrawable(fresh.state)
            return
        _log.info("submission_withdrawn", submission_id=str(submission_id), by=caller.name)
