"""Uploads: accepted as submissions, or only checked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID, uuid4

import structlog

from medvid.benchmark.report import Problem
from medvid.models.fact_texts import fact_text
from medvid.models.problems import Location
from services.gateway.accounts import credentials
from services.gateway.accounts.quota_rules import check_submissions, check_validations
from services.gateway.accounts.quotas import Quotas
from services.gateway.accounts.rules import Caller, not_the_owner
from services.gateway.submissions.access import not_found
from services.gateway.submissions.forms import (
    COVERAGE_TOO_LOW,
    check_coverage,
    check_fields,
    check_given_fields,
    entry_fields,
    location_in_form,
    missing_file,
    name_taken,
)
from services.gateway.submissions.options import SubmissionOptions, check_same_name, read_options
from services.gateway.submissions.records import (
    Checked,
    IdempotencyKey,
    NewSubmission,
    StoredEntry,
    Upload,
)
from services.gateway.submissions.rules import not_replaceable, replacement_pending
from services.gateway.submissions.store import KeyTaken, SubmissionStore
from services.gateway.submissions.validation import Validator
from services.gateway.tracks.rules import TRACK_CLOSED, TRACK_NOT_OPEN, TrackRules, check_time
from services.gateway.tracks.service import TrackService
from services.gateway.web.errors import RefusedInput
from services.gateway.webhooks.rules import Webhook
from shared.runtime.errors import InvalidInput, MedvidError, Transient, Unavailable

_log = structlog.get_logger(__name__)


_OWN_CODES: Final = frozenset({COVERAGE_TOO_LOW, TRACK_NOT_OPEN, TRACK_CLOSED})
"""Problems whose code the response gets where they are the only ones."""


class RefusedSubmission(RefusedInput):
    """A submission with problems."""

    code = "invalid_submission"

    def __init__(
        self, problems: Sequence[Problem], count: int, report: Mapping[str, object] | None
    ) -> None:
        if count == 1 and problems[0].code in _OWN_CODES:
            only = problems[0]
            detail = f"{only.found}, {only.expected}."
            super().__init__(detail, problems, count, report, fix=only.fix, code=only.code)
        else:
            detail = f"the submission has {count} problem{'s' if count != 1 else ''}."
            super().__init__(detail, problems, count, report)

    def location(self, problem: Problem) -> Location:
        """Return whether a problem is in the form or in the file."""
        return location_in_form(problem)


@dataclass(frozen=True, slots=True)
class UploadReceipt:
    """What the owner of a new submission gets, once."""

    submission_id: UUID
    owner_token: str
    webhook_secret: bytes | None = None


@dataclass(frozen=True, slots=True)
class DryRunResult:
    """What a dry run found; `report` is None where there was no file."""

    problems: Sequence[Problem]
    count: int
    report: Mapping[str, object] | None
    ground_truth_version: str


@dataclass(frozen=True, slots=True)
class _Draft:
    """What is to become a submission: who sent what, to be held against which test set."""

    caller: Caller
    upload: Upload
    ground_truth_version: str
    options: SubmissionOptions
    previous: StoredEntry | None
    track: TrackRules | None


class UploadService:
    """Checks uploads: accepts them as submissions, or makes a dry run, which stores nothing.

    A submission is stored together with the message that starts its scoring.
    """

    def __init__(
        self,
        store: SubmissionStore,
        validator: Validator,
        quotas: Quotas,
        tracks: TrackService,
        *,
        private_networks: bool = False,
        minimum_coverage: float = 0.0,
    ) -> None:
        self._store = store
        self._validator = validator
        self._quotas = quotas
        self._tracks = tracks
        self._private_networks = private_networks
        self._minimum_coverage = minimum_coverage

    async def admit(self, caller: Caller, size: int, idempotency_key: str | None) -> None:
        """Let a caller send an upload of `size` bytes; nothing of it is read before.

        Raises NotAllowed, QuotaExhausted. A repeat uses up nothing, so it is let in.
        """
        self._quotas.access.require_submitter(caller)
        if idempotency_key is not None:
            key_sha256 = credentials.sha256(credentials.check_idempotency_key(idempotency_key))
            if await self._store.find_key(key_sha256) is not None:
                await self._quotas.require_room_for_repeat(caller)
                return
        await self._quotas.require_room(
            caller, size, lambda usage: check_submissions(usage.submissions)
        )

    async def submit(
        self, caller: Caller, upload: Upload, idempotency_key: str | None
    ) -> UploadReceipt:
        """Return the receipt; a repeat of an accepted request gets the same one again.

        What is refused is paid for by its bytes, unless it was us who failed. Raises
        RefusedSubmission, Conflict, InvalidInput, Unavailable, QuotaExhausted, and where a version
        is to be replaced NotFound, NotAllowed.
        """
        try:
            return await self._accept(caller, upload, idempotency_key)
        except (Unavailable, Transient):
            raise
        except MedvidError:
            await self._quotas.count_upload(caller, upload.size)
            raise

    async def admit_dry_run(self, caller: Caller, size: int) -> None:
        """Let a caller send an upload of `size` bytes; raises NotAllowed, QuotaExhausted."""
        self._quotas.access.require_submitter(caller)
        await self._quotas.require_room(
            caller, size, lambda usage: check_validations(usage.validations)
        )

    async def dry_run(self, caller: Caller, upload: Upload) -> DryRunResult:
        """Return what would become of the upload.

        Raises InvalidInput, Unavailable, QuotaExhausted.
        """
        version = await self.test_set()
        await self._quotas.use_validation(caller, upload.size)
        options, wrong = read_options(upload.texts, private_networks=self._private_networks)
        _, refused = self._check_track(upload.texts, options)
        problems = [*check_given_fields(upload.texts, [*upload.problems, *wrong, *refused])]
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

    async def _accept(
        self, caller: Caller, upload: Upload, idempotency_key: str | None
    ) -> UploadReceipt:
        key = None
        if idempotency_key is not None:
            key = _Key.of(caller, upload, idempotency_key)
        if key is not None and (receipt := await self._repeat(key)):
            return receipt
        draft = await self._draft(caller, upload)
        checked = await self._check(draft)
        try:
            return await self._store_new(draft, checked, key)
        except KeyTaken:
            receipt = await self._repeat(key) if key is not None else None
            if receipt is None:
                raise Unavailable("a rival request was withdrawn.", fix="Send it again.") from None
            return receipt

    async def _draft(self, caller: Caller, upload: Upload) -> _Draft:
        version = await self.test_set()
        options, problems = read_options(upload.texts, private_networks=self._private_networks)
        texts, previous = upload.texts, None
        if options.replaces is not None:
            previous = await self._previous(caller, options.replaces)
            problems += check_same_name(texts.get("model_name"), previous.model_name)
            texts = _inherited(texts, previous, self._open_track(previous))
        track, refused = self._check_track(texts, options)
        if track is not None:
            texts = {**texts, "track": track.name}
        upload = replace(upload, texts=texts, problems=[*upload.problems, *problems, *refused])
        return _Draft(caller, upload, version, options, previous, track)

    def _check_track(
        self, texts: Mapping[str, str], options: SubmissionOptions
    ) -> tuple[TrackRules | None, list[Problem]]:
        return self._tracks.tracks.check(
            texts, evaluate_only=options.evaluate_only, now=self._tracks.now()
        )

    def _open_track(self, previous: StoredEntry) -> TrackRules | None:
        """Return the track that a version is in, if a new one may be, too."""
        track = self._tracks.tracks.named(previous.track) if previous.track else None
        is_open = track is not None and not check_time(track, self._tracks.now())
        return track if is_open else None

    async def _previous(self, caller: Caller, submission_id: UUID) -> StoredEntry:
        """Return the entry to be replaced; raises NotFound, NotAllowed, Conflict."""
        submission = await self._store.find(submission_id)
        if submission is None:
            raise not_found()
        access = self._quotas.access
        if access.role(caller, submission.owner_token_sha256, submission.key_id) is None:
            raise not_found() if submission.evaluate_only else not_the_owner(caller)
        entry = submission.entry
        if entry is not None and entry.pending and not entry.removed:
            raise replacement_pending()
        stands = submission.state in ("scored", "ranked") and not submission.evaluate_only
        if entry is None or entry.removed or entry.board != "community" or not stands:
            raise not_replaceable()
        return entry

    async def _check(self, draft: _Draft) -> Checked:
        upload = draft.upload
        problems = check_fields(upload.texts, list(upload.problems))
        if upload.file is None:
            problems += [] if any(p.path == "$.file" for p in problems) else [missing_file()]
            raise RefusedSubmission(problems, len(problems), None)
        checked = await self._validator.check(upload.file, draft.ground_truth_version)
        if not draft.options.evaluate_only and not checked.problem_count:
            problems += check_coverage(checked.report, self._minimum_coverage)
        count = len(problems) + checked.problem_count
        if count or checked.payload is None:
            raise RefusedSubmission([*problems, *checked.problems], count, checked.report)
        return checked

    async def _store_new(self, draft: _Draft, checked: Checked, key: _Key | None) -> UploadReceipt:
        assert checked.payload is not None  # noqa: S101 - _check refused the others
        caller = draft.caller
        submission_id = uuid4()
        salt = credentials.new_salt()
        token = credentials.token_for(key.key, salt) if key else credentials.new_token()
        webhook = _webhook(draft.options, key, salt)
        new = NewSubmission(
            id=submission_id,
            entry_id=uuid4(),
            fields=entry_fields(draft.upload.texts),
            ground_truth_version=draft.ground_truth_version,
            checked=checked,
            payload=await asyncio.to_thread(checked.payload.read_bytes),
            owner_token_sha256=credentials.sha256(token),
            key=key.used_for(submission_id, salt) if key else None,
            key_id=caller.key.id if caller.key else None,
            size=draft.upload.size,
            account=self._quotas.account(caller),
            previous=draft.previous,
            evaluate_only=draft.options.evaluate_only,
            webhook=webhook,
            track=draft.track,
        )
        await self._store.accept(new)
        _log.info(
            "submission_accepted",
            submission_id=str(submission_id),
            bytes=checked.unpacked_bytes,
            ground_truth=draft.ground_truth_version[:12],
        )
        return UploadReceipt(submission_id, token, webhook.secret if webhook else None)

    async def test_set(self) -> str:
        """Return the version that uploads are checked against; raises Unavailable without one."""
        version = await self._store.active_ground_truth()
        if version is None:
            raise Unavailable(
                "no test set is loaded, so submissions cannot be checked.",
                fix="Try again later; operators: 'medvid admin load-ground-truth FILE'.",
                code="no_ground_truth",
            )
        return version

    async def _repeat(self, key: _Key) -> UploadReceipt | None:
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
        webhook = _webhook(key.options, key, used.token_salt)
        return UploadReceipt(
            used.submission_id,
            credentials.token_for(key.key, used.token_salt),
            webhook.secret if webhook else None,
        )


@dataclass(frozen=True, slots=True)
class _Key:
    """An idempotency key with the request it came with."""

    key: str
    key_sha256: bytes
    request_sha256: bytes
    options: SubmissionOptions

    @classmethod
    def of(cls, caller: Caller, upload: Upload, key: str) -> _Key:
        """Return it; the same form sent with another API key is another request."""
        sender = {"/key": str(caller.key.id)} if caller.key else {}
        request = credentials.fingerprint({**upload.texts, **sender}, upload.file_sha256)
        options, _ = read_options(upload.texts, private_networks=True)
        credentials.check_idempotency_key(key)
        return cls(key, credentials.sha256(key), request, options)

    def used_for(self, submission_id: UUID, salt: bytes) -> IdempotencyKey:
        return IdempotencyKey(self.key_sha256, self.request_sha256, salt, submission_id)


def _webhook(options: SubmissionOptions, key: _Key | None, salt: bytes) -> Webhook | None:
    """Return a submission's webhook, with a generated secret where its owner gave none."""
    if options.webhook_url is None:
        return None
    secret = options.webhook_secret
    if secret is None:
        secret = credentials.webhook_secret_for(key.key, salt) if key else credentials.new_salt()
    return Webhook(options.webhook_url, secret)


def _inherited(
    texts: Mapping[str, str], previous: StoredEntry, track: TrackRules | None
) -> dict[str, str]:
    """Return a new version's fields.

    Names and facts that were left out are those of the version before; it stays in its track if
    that is open.
    """
    facts = {name: fact_text(value) for name, value in previous.facts.items()}
    kept = {
        **facts, "model_name": previous.model_name, "organization": previous.organization
    }  # fmt: skip
    if track is not None:
        kept["track"] = track.name
    given = {name: text for name, text in texts.items() if name not in kept or text.strip()}
    return {**kept, **given, "model_name": previous.model_name}
