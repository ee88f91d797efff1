"""The gateway's use case of accepting a submission."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from uuid import UUID, uuid4

import structlog

from services.gateway.accounts import credentials
from services.gateway.accounts.quota_rules import check_submissions
from services.gateway.accounts.quotas import Quotas
from services.gateway.accounts.rules import Caller, not_the_owner
from services.gateway.submissions.access import not_found
from services.gateway.submissions.forms import (
    check_coverage,
    check_fields,
    entry_fields,
    missing_file,
)
from services.gateway.submissions.handlers import (
    Receipt,
    RefusedSubmission,
    current_test_set,
)
from services.gateway.submissions.options import Options, check_same_name, read_options
from services.gateway.submissions.ports import (
    Checked,
    IdempotencyKey,
    KeyTaken,
    NewSubmission,
    StoredEntry,
    SubmissionStore,
    Upload,
    Validator,
)
from services.gateway.submissions.rules import not_replaceable
from services.gateway.webhooks.rules import Webhook
from shared.runtime.errors import InvalidInput, MedvidError, Transient, Unavailable

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Draft:
    """What is to become a submission: who sent what, to be held against which test set."""

    caller: Caller
    upload: Upload
    ground_truth_version: str
    options: Options
    previous: StoredEntry | None


class AcceptSubmission:
    """Checks an upload and stores it together with the message that starts its scoring."""

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

    async def __call__(
        self, caller: Caller, upload: Upload, idempotency_key: str | None
    ) -> Receipt:
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

    async def _accept(self, caller: Caller, upload: Upload, idempotency_key: str | None) -> Receipt:
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
        version = await current_test_set(self._store)
        options, problems = read_options(upload.texts, private_networks=self._private_networks)
        texts, previous = upload.texts, None
        if options.replaces is not None:
            previous = await self._previous(caller, options.replaces)
            problems += check_same_name(texts.get("model_name"), previous.model_name)
            texts = _inherited(texts, previous)
        upload = replace(upload, texts=texts, problems=[*upload.problems, *problems])
        return _Draft(caller, upload, version, options, previous)

    async def _previous(self, caller: Caller, submission_id: UUID) -> StoredEntry:
        """Return the entry to be replaced; raises NotFound, NotAllowed, Conflict."""
        submission = await self._store.find(submission_id)
        if submission is None:
            raise not_found()
        access = self._quotas.access
        if access.role(caller, submission.owner_token_sha256, submission.key_id) is None:
            raise not_found() if submission.evaluate_only else not_the_owner(caller)
        entry = submission.entry
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

    async def _store_new(self, draft: _Draft, checked: Checked, key: _Key | None) -> Receipt:
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
        )
        await self._store.accept(new)
        _log.info(
            "submission_accepted",
            submission_id=str(submission_id),
            bytes=checked.unpacked_bytes,
            ground_truth=draft.ground_truth_version[:12],
        )
        return Receipt(submission_id, token, webhook.secret if webhook else None)

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
        webhook = _webhook(key.options, key, used.token_salt)
        return Receipt(
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
    options: Options

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


def _webhook(options: Options, key: _Key | None, salt: bytes) -> Webhook | None:
    """Return a submission's webhook, with a secret of ours where its owner gave none."""
    if options.webhook_url is None:
        return None
    secret = options.webhook_secret
    if secret is None:
        secret = credentials.webhook_secret_for(key.key, salt) if key else credentials.new_salt()
    return Webhook(options.webhook_url, secret)


def _inherited(texts: Mapping[str, str], previous: StoredEntry) -> dict[str, str]:
    """Return a new version's fields; names that were left out are those of the version before."""
    kept = {"model_name": previous.model_name, "organization": previous.organization}
    given = {name: text for name, text in texts.items() if name not in kept or text.strip()}
    return {**kept, **given, "model_name": previous.model_name}
