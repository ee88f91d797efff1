"""The gateway's use cases: check an upload, tell how a submission fares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from medvid.benchmark.report import Problem
from services.gateway.accounts.quota_rules import check_validations
from services.gateway.accounts.quotas import Quotas
from services.gateway.accounts.rules import AccessRules, Caller, not_the_owner
from services.gateway.submissions.access import unseen
from services.gateway.submissions.forms import (
    COVERAGE_TOO_LOW,
    check_coverage,
    check_given_fields,
    location_in_form,
    missing_file,
    name_taken,
)
from services.gateway.submissions.options import read_options
from services.gateway.submissions.ports import (
    Ranks,
    StoredSubmission,
    SubmissionStore,
    Upload,
    Validator,
)
from services.gateway.web.errors import Location, Refused
from shared.runtime.errors import Unavailable


class RefusedSubmission(Refused):
    """A submission with problems."""

    code = "invalid_submission"

    def __init__(
        self, problems: Sequence[Problem], count: int, report: Mapping[str, object] | None
    ) -> None:
        lacks_answers = [problem for problem in problems if problem.code == COVERAGE_TOO_LOW]
        if lacks_answers and count == 1:
            only = lacks_answers[0]
            detail = f"{only.found}, {only.expected}."
            super().__init__(detail, problems, count, report, fix=only.fix, code=only.code)
        else:
            detail = f"the submission has {count} problem{'s' if count != 1 else ''}."
            super().__init__(detail, problems, count, report)

    def location(self, problem: Problem) -> Location:
        """Return whether a problem is in the form or in the file."""
        return location_in_form(problem)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the owner of a new submission gets, once."""

    submission_id: UUID
    owner_token: str
    webhook_secret: bytes | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """How a submission fares. `owner`: the asker proved to own it, or to administer."""

    submission: StoredSubmission
    owner: bool
    rank: int | None
    ahead: int | None


@dataclass(frozen=True, slots=True)
class DryRunResult:
    """What a dry run found; `report` is None where there was no file."""

    problems: Sequence[Problem]
    count: int
    report: Mapping[str, object] | None
    ground_truth_version: str


class DryRun:
    """Checks an upload as a submission is checked, and stores nothing but its size."""

    def __init__(
        self,
        store: SubmissionStore,
        validator: Validator,
        quotas: Quotas,
        *,
        private_networks: bool = False,
        minimum_coverage: float = 0.0,
    ) -> None:
        self._store = store
        self._validator = validator
        self._quotas = quotas
        self._private_networks = private_networks
        self._minimum_coverage = minimum_coverage

    async def admit(self, caller: Caller, size: int) -> None:
        """Let a caller send an upload of `size` bytes; raises NotAllowed, QuotaExhausted."""
        self._quotas.access.require_submitter(caller)
        await self._quotas.require_room(
            caller, size, lambda usage: check_validations(usage.validations)
        )

    async def __call__(self, caller: Caller, upload: Upload) -> DryRunResult:
        """Return what would become of the upload.

        Raises InvalidInput, Unavailable, QuotaExhausted.
        """
        version = await current_test_set(self._store)
        await self._quotas.use_validation(caller, upload.size)
        options, wrong = read_options(upload.texts, private_networks=self._private_networks)
        problems = [*check_given_fields(upload.texts, list(upload.problems)), *wrong]
        name = upload.texts.get("model_name", "").strip()
        bad = {problem.path for problem in problems}
        # A new version has its model's name, and what is only evaluated needs none.
        needs_name = options.replaces is None and not options.evaluate_only
        sound = bool(name) and "$.model_name" not in bad
        if needs_name and sound and await self._store.name_taken(name):
            problems.append(name_taken(name))
        if upload.file is None:
            problems += [] if "$.file" in bad else [missing_file()]
            return DryRunResult(problems, len(problems), None, version)
        checked = await self._validator.check(upload.file, version)
        if not options.evaluate_only and not checked.problem_count:
            problems += check_coverage(checked.report, self._minimum_coverage)
        count = len(problems) + checked.problem_count
        return DryRunResult([*problems, *checked.problems], count, checked.report, version)


async def current_test_set(store: SubmissionStore) -> str:
    """Return the version that uploads are checked against; raises Unavailable without one."""
    version = await store.active_ground_truth()
    if version is None:
        raise Unavailable(
            "no test set is loaded, so submissions cannot be checked.",
            fix="Try again later; operators: 'medvid admin load-ground-truth FILE'.",
            code="no_ground_truth",
        )
    return version


class ReadStatus:
    """Tells how a submission fares: the facts to anyone, the rest to its owner."""

    def __init__(self, store: SubmissionStore, ranks: Ranks, rules: AccessRules) -> None:
        self._store = store
        self._ranks = ranks
        self._rules = rules

    async def __call__(self, submission_id: UUID, caller: Caller) -> Status:
        """Return the status; raises NotFound, and NotAllowed for a token that is not its own."""
        submission = await self._store.find(submission_id)
        if submission is None:
            raise unseen(caller)
        role = self._rules.role(caller, submission.owner_token_sha256, submission.key_id)
        if role is None and submission.evaluate_only:
            raise unseen(caller)
        if role is None and caller.token is not None:
            raise not_the_owner(caller)
        status = Status(submission, role is not None, rank=None, ahead=None)
        if submission.state == "accepted":
            return replace(status, ahead=await self._store.ahead_of(submission))
        entry = submission.entry
        shown = entry is not None and not entry.removed and not entry.hypothetical
        if entry is not None and shown and status.owner and submission.state == "ranked":
            return replace(status, rank=await self._ranks.rank_of(entry.board, entry.id))
        return status
