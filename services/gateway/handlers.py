"""The gateway's use cases: accept a submission, tell how it fares."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID, uuid4

import structlog

from services.gateway.domain import credentials
from services.gateway.domain.access import AccessRules, Caller, not_the_owner
from services.gateway.domain.forms import (
    check_fields,
    check_given_fields,
    entry_fields,
    missing_file,
    name_taken,
)
from services.gateway.ports import (
    Checked,
    IdempotencyKey,
    KeyTaken,
    NewSubmission,
    Ranks,
    StoredSubmission,
    SubmissionStore,
    Upload,
    Validator,
)
from services.gateway.quotas import Quotas
from shared.benchmark.report import Problem
from shared.runtime.errors import InvalidInput, NotFound, Unavailable

_log = structlog.get_logger(__name__)


class RefusedSubmission(InvalidInput):
    """A submission with problems; carries all of them and the report."""

    code = "invalid_submission"

    def __init__(
        self, problems: Sequence[Problem], count: int, report: Mapping[str, object] | None
    ) -> None:
        super().__init__(
            f"the submission has {count} problem{'s' if count != 1 else ''}.",
            fix="Mend what 'errors' lists and send it again.",
        )
        self.problems = problems
        self.count = count
        self.report = report


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the owner of a new submission gets, once."""

    submission_id: UUID
    owner_token: str


@dataclass(frozen=True, slots=True)
class Status:
    """How a submission fares. `owner`: the asker proved to own it, or to administer."""

    submission: StoredSubmission
    owner: bool
    rank: int | None
    ahead: int | None


class AcceptSubmission:
    """Checks an upload and stores it together with the message that starts its scoring."""

    def __init__(self, store: SubmissionStore, validator: Validator, quotas: Quotas) -> None:
        self._store = store
        self._validator = validator
        self._quotas = quotas

    async def admit(self, caller: Caller, size: int, idempotency_key: str | None) -> None:
        """Let a caller send an upload of `size` bytes; nothing of it is read before.

        Raises NotAllowed, QuotaExhausted. A repeat uses up nothing, so it is let in.
        """
        self._quotas.access.require_submitter(caller)
        if idempotency_key is not None:
            key_sha256 = credentials.sha256(credentials.check_idempotency_key(idempotency_key))
            if await self._store.find_key(key_sha256) is not None:
                return
        await self._quotas.require_room(caller, size, submission=True)

    async def __call__(
        self, caller: Caller, upload: Upload, idempotency_key: str | None
    ) -> Receipt:
        """Return the receipt; a repeat of an accepted request gets the same one again.

        Raises RefusedSubmission, Conflict, InvalidInput, Unavailable, QuotaExhausted.
        """
        key = None
        if idempotency_key is not None:
            key = _Key.of(caller, upload, idempotency_key)
        if key is not None and (receipt := await self._repeat(key)):
            return receipt
        version = await current_test_set(self._store)
        try:
            checked = await self._check(upload, version)
        except RefusedSubmission:
            await self._quotas.count_upload(caller, upload.size)
            raise
        try:
            return await self._store_new(caller, upload, version, checked, key)
        except KeyTaken:
            receipt = await self._repeat(key) if key is not None else None
            if receipt is None:
                raise Unavailable("a rival request was withdrawn.", fix="Send it again.") from None
            return receipt

    async def _check(self, upload: Upload, version: str) -> Checked:
        problems = check_fields(upload.texts, list(upload.problems))
        if upload.file is None:
            problems += [] if any(p.path == "$.file" for p in problems) else [missing_file()]
            raise RefusedSubmission(problems, len(problems), None)
        checked = await self._validator.check(upload.file, version)
        count = len(problems) + checked.problem_count
        if count or checked.payload is None:
            raise RefusedSubmission([*problems, *checked.problems], count, checked.report)
        return checked

    async def _store_new(
        self, caller: Caller, upload: Upload, version: str, checked: Checked, key: _Key | None
    ) -> Receipt:
        assert checked.payload is not None  # noqa: S101 - _check refused the others
        submission_id = uuid4()
        salt = credentials.new_salt()
        token = credentials.token_for(key.key, salt) if key else credentials.new_token()
        new = NewSubmission(
            id=submission_id,
            entry_id=uuid4(),
            fields=entry_fields(upload.texts),
            ground_truth_version=version,
            checked=checked,
            payload=await asyncio.to_thread(checked.payload.read_bytes),
            owner_token_sha256=credentials.sha256(token),
            key=key.used_for(submission_id, salt) if key else None,
            key_id=caller.key.id if caller.key else None,
            size=upload.size,
            account=self._quotas.account(caller),
        )
        await self._store.accept(new)
        _log.info(
            "submission_accepted",
            submission_id=str(submission_id),
            bytes=checked.unpacked_bytes,
            ground_truth=version[:12],
        )
        return Receipt(submission_id, token)

    async def _repeat(self, key: _Key) -> Receipt | None:
        """Return the receipt of an earlier request with this key, if there was one."""
        used = await self._store.find_key(key.key_sha256)
        if used is None:
            return None
        if used.request_sha256 != key.request_sha256:
            raise InvalidInput(
                "this Idempotency-Key was used for another request.",
                fix="Use a fresh key for each new submission.",
                code="idempotency_key_reused",
            )
        return Receipt(used.submission_id, credentials.token_for(key.key, used.token_salt))


@dataclass(frozen=True, slots=True)
class DryRunResult:
    """What a dry run found; `report` is None where there was no file."""

    problems: Sequence[Problem]
    count: int
    report: Mapping[str, object] | None
    ground_truth_version: str


class DryRun:
    """Checks an upload as a submission is checked, and stores nothing but its size."""

    def __init__(self, store: SubmissionStore, validator: Validator, quotas: Quotas) -> None:
        self._store = store
        self._validator = validator
        self._quotas = quotas

    async def admit(self, caller: Caller, size: int) -> None:
        """Let a caller send an upload of `size` bytes; raises NotAllowed, QuotaExhausted."""
        self._quotas.access.require_submitter(caller)
        await self._quotas.require_room(caller, size, submission=False)

    async def __call__(self, caller: Caller, upload: Upload) -> DryRunResult:
        """Return what would become of the upload; raises InvalidInput, Unavailable."""
        version = await current_test_set(self._store)
        problems = check_given_fields(upload.texts, list(upload.problems))
        name = upload.texts.get("model_name", "").strip()
        bad = {problem.path for problem in problems}
        if name and "$.model_name" not in bad and await self._store.name_taken(name):
            problems.append(name_taken(name))
        if upload.file is None:
            problems += [] if "$.file" in bad else [missing_file()]
            return DryRunResult(problems, len(problems), None, version)
        checked = await self._validator.check(upload.file, version)
        await self._quotas.count_upload(caller, upload.size)
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


@dataclass(frozen=True, slots=True)
class _Key:
    """An idempotency key with the request it came with."""

    key: str
    key_sha256: bytes
    request_sha256: bytes

    @classmethod
    def of(cls, caller: Caller, upload: Upload, key: str) -> _Key:
        """Return it; the same form sent with another API key is another request."""
        sender = {"/key": str(caller.key.id)} if caller.key else {}
        request = credentials.fingerprint({**upload.texts, **sender}, upload.file_sha256)
        return cls(credentials.check_idempotency_key(key), credentials.sha256(key), request)

    def used_for(self, submission_id: UUID, salt: bytes) -> IdempotencyKey:
        return IdempotencyKey(self.key_sha256, self.request_sha256, salt, submission_id)


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
            raise not_found()
        role = self._rules.role(caller, submission.owner_token_sha256, submission.key_id)
        if role is None and caller.token is not None:
            raise not_the_owner(caller)
        status = Status(submission, role is not None, rank=None, ahead=None)
        if submission.state == "accepted":
            return replace(status, ahead=await self._store.ahead_of(submission))
        entry = submission.entry
        if status.owner and submission.state == "ranked" and entry and not entry.removed:
            return replace(status, rank=await self._ranks.rank_of(entry.board, entry.id))
        return status


def not_found() -> NotFound:
    """Return the one answer for unknown and malformed ids, so that they cannot be told apart."""
    return NotFound(
        "there is no submission with this id.",
        fix="Check the id; it came with the receipt.",
        code="submission_not_found",
    )
