"""The gateway's use cases about what becomes of submissions: listed, withdrawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog

from services.gateway.accounts import credentials
from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.accounts.rules import Caller, not_the_owner, require_understood
from services.gateway.submissions.access import SubmissionAccess
from services.gateway.submissions.ports import LifecycleStore, SubmissionFilter, SubmissionSummary
from services.gateway.submissions.rules import not_withdrawable
from services.gateway.web.paging import Position

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ListSubmissions:
    """Lists submissions: an owner's own, or all of them to administrators."""

    access: SubmissionAccess
    store: LifecycleStore

    async def __call__(
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
        return await self.store.page(wanted, before, limit)


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Takes a submission back. What it was and when stays readable."""

    access: SubmissionAccess
    store: LifecycleStore

    async def admit(self, submission_id: UUID, caller: Caller) -> None:
        """Let a caller say why; raises NotFound, NotAllowed, before any of it is read."""
        await self.access.check(submission_id, caller)

    async def __call__(
        self, submission_id: UUID, caller: Caller, note: str | None, request_id: str
    ) -> None:
        """Withdraw it; once more changes nothing.

        An administrator's deed needs a reason and goes into the audit log. Raises NotFound,
        NotAllowed, Conflict, InvalidInput.
        """
        submission, role = await self.access.check(submission_id, caller)
        action = (
            AdminAction.of(caller.name, note or "", request_id) if role == "administrator" else None
        )
        if submission.state == "withdrawn":
            return
        if not await self.store.withdraw(submission_id, role, note, action):
            fresh, _ = await self.access.check(submission_id, caller)
            if fresh.state != "withdrawn":
                raise not_withdrawable(fresh.state)
            return
        _log.info("submission_withdrawn", submission_id=str(submission_id), by=caller.name)
