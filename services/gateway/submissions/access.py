"""Who may see a submission and do something with it: its owner, administrators, and anyone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from pydantic import Field

from services.gateway.accounts.rules import (
    AccessRules,
    Caller,
    Role,
    not_the_owner,
    require_understood,
)
from services.gateway.submissions.records import StoredSubmission
from services.gateway.submissions.store import SubmissionStore
from services.gateway.web.parameters import uuid_of
from services.gateway.web.router import PathText
from shared.runtime.errors import NotFound


def read_submission_id(text: str) -> UUID:
    """Return the id in an address; raises NotFound where it is not an id."""
    found = uuid_of(text)
    if found is None:
        raise not_found()
    return found


SubmissionId = Annotated[
    UUID,
    Field(description="the submission's id, as in its receipt"),
    PathText(read_submission_id),
]


@dataclass(frozen=True, slots=True)
class SubmissionAccess:
    """Tells owners and administrators from others."""

    submissions: SubmissionStore
    rules: AccessRules

    async def check(self, submission_id: UUID, caller: Caller) -> tuple[StoredSubmission, Role]:
        """Return the submission and the caller's role; raises NotFound, NotAllowed."""
        submission, role = await self.look(submission_id, caller)
        if role is None:
            raise not_the_owner(caller)
        return submission, role

    async def look(
        self, submission_id: UUID, caller: Caller
    ) -> tuple[StoredSubmission, Role | None]:
        """Return the submission and the caller's role, None for a stranger; raises NotFound.

        A submission that is only evaluated is hidden from strangers: they get the response of an
        unknown id.
        """
        return self.seen(await self.submissions.find(submission_id), caller)

    def seen(
        self, submission: StoredSubmission | None, caller: Caller
    ) -> tuple[StoredSubmission, Role | None]:
        """Return the same of what was found under an id."""
        if submission is None:
            raise unseen(caller)
        role = self.rules.role(caller, submission.owner_token_sha256, submission.key_id)
        if role is None and submission.evaluate_only:
            raise unseen(caller)
        return submission, role


def unseen(caller: Caller) -> NotFound:
    """Return the error for a submission that this caller cannot see.

    Raises NotAllowed where the credential is unknown: perhaps the owner mistyped it.
    """
    require_understood(caller)
    return not_found()


def not_found() -> NotFound:
    """Return the one error for unknown and malformed ids, so that nobody can distinguish them."""
    return NotFound(
        "there is no submission with this id.",
        fix="Check the id; it came with the receipt.",
        code="submission_not_found",
    )
