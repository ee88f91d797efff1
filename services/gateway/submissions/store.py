"""Submissions and their entries: the SQL."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import fields as fields_of
from typing import Final
from uuid import UUID

import asyncpg
import orjson

from medvid.benchmark.names import SAME_NAMES, name_key
from medvid.models.facts import differing
from services.gateway.accounts.fact_history import followed, require_free, save_first_facts
from services.gateway.accounts.marks import mark
from services.gateway.accounts.quota_rules import TrackQuota
from services.gateway.accounts.quotas import use_submission, use_track
from services.gateway.submissions import badges
from services.gateway.submissions.records import (
    HypotheticalRank,
    IdempotencyKey,
    NewSubmission,
    StoredEntry,
    StoredSubmission,
    TimelineStep,
)
from services.gateway.submissions.rules import not_replaceable, replacement_pending
from services.gateway.tracks.rules import TRACK_CLOSED, TrackRules, closed
from services.gateway.tracks.service import is_frozen
from services.gateway.webhooks.delivery import add_webhook
from shared.contracts.messages import SubmissionAccepted
from shared.runtime.errors import Conflict, InvalidInput
from shared.storage.database import Connection, Database, transient_errors
from shared.storage.ground_truths import active_ground_truth_version, ground_truth_content
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__)
_LIFECYCLE_SQL: Final = load_queries(__package__, "lifecycle.sql")


class KeyTaken(Exception):
    """Another request with the same idempotency key was accepted in between."""


class SubmissionStore:
    """Submissions in the database. Every method raises Transient when it cannot answer now."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def active_ground_truth(self) -> str | None:
        """Return the version that uploads are checked against."""
        async with transient_errors():
            return await active_ground_truth_version(self._database)

    async def ground_truth(self, version: str) -> bytes:
        """Return a ground truth file (gzip)."""
        async with transient_errors():
            return await ground_truth_content(self._database, version)

    async def find_key(self, key_sha256: bytes) -> IdempotencyKey | None:
        """Return what an idempotency key was used for."""
        async with transient_errors():
            row = await self._database.pool.fetchrow(_SQL["idempotency_find"], key_sha256)
        return None if row is None else IdempotencyKey(key_sha256, *row)

    async def name_taken(self, model_name: str) -> bool:
        """Tell whether the community board has a model of this name."""
        async with transient_errors():
            taken: bool = await self._database.pool.fetchval(
                _SQL["name_taken"], name_key(model_name)
            )
        return taken

    async def accept(self, new: NewSubmission) -> None:
        """Store all of it and announce it in one transaction.

        Raises Conflict, KeyTaken, QuotaExhausted.
        """
        try:
            async with transient_errors(), self._database.transaction() as transaction:
                await _insert(transaction.connection, new)
                await transaction.emit(SubmissionAccepted(submission_id=new.id))
        except asyncpg.UniqueViolationError as error:
            if error.constraint_name == "idempotency_keys_pkey":
                raise KeyTaken from error
            if error.constraint_name == "entries_unique_name":
                raise _name_taken(new.fields.model_name) from error
            if error.constraint_name == "entries_one_pending":
                raise replacement_pending() from error
            raise

    def moment(self) -> AbstractAsyncContextManager[Connection]:
        """Open reads that all see one moment, so that what they find agrees."""
        return self._database.moment()

    async def find(self, submission_id: UUID) -> StoredSubmission | None:
        """Return a submission."""
        async with self.moment() as connection:
            return await self.find_in(connection, submission_id)

    async def find_in(self, connection: Connection, submission_id: UUID) -> StoredSubmission | None:
        """Return a submission as of a moment."""
        row = await connection.fetchrow(_SQL["submission_find"], submission_id)
        if row is None:
            return None
        steps = await connection.fetch(_SQL["submission_timeline"], submission_id)
        ranks = []
        if row["hypothetical"]:
            ranks = await connection.fetch(_SQL["hypothetical_ranks"], row["entry_id"])
        return _stored(row, steps, ranks)

    async def payload(self, submission_id: UUID) -> bytes | None:
        """Return the uploaded file (gzip); None where it is not kept any more."""
        async with transient_errors():
            content: bytes | None = await self._database.pool.fetchval(
                _SQL["payload_find"], submission_id
            )
        return content

    async def ahead_of(self, connection: Connection, submission: StoredSubmission) -> int:
        """Return how many submissions wait for scores longer than this one at a moment."""
        count: int = await connection.fetchval(_SQL["submissions_ahead"], submission.created_at)
        return count


async def _insert(connection: Connection, new: NewSubmission) -> None:
    fields, checked = new.fields, new.checked
    await connection.execute(
        _SQL["submission_add"],
        new.id,
        new.ground_truth_version,
        checked.unpacked_sha256,
        checked.unpacked_bytes,
        orjson.dumps(checked.report).decode(),
        fields.contact,
        new.owner_token_sha256,
        new.key_id,
    )
    if new.key is not None:
        key = new.key
        await connection.execute(
            _SQL["idempotency_add"], key.key_sha256, key.request_sha256, key.token_salt, new.id
        )
    if new.webhook is not None:
        await add_webhook(connection, new.id, new.webhook)
    if new.account is not None:  # after the idempotency key: a repeat uses up nothing
        await use_submission(
            connection, new.account, new.id, new.size, evaluate_only=new.evaluate_only
        )
    if new.track is not None:
        await _add_to_track(connection, new, new.track)
    version, before, held = await _version_before(connection, new.previous)
    known = new.previous.facts if new.previous else {}  # when its form was read
    facts = followed(fields.facts, *differing(known, before))
    require_free(held, before, facts)
    await connection.execute(
        _SQL["entry_add"],
        new.entry_id,
        fields.model_name,
        name_key(fields.model_name),
        fields.organization,
        fields.team,
        fields.authors,
        fields.model_url,
        fields.track,
        new.id,
        version,
        new.previous.id if new.previous else None,
        new.evaluate_only,
        [*badges.earned(new.checked.report), *await _mark(connection, new.key_id)],
        held,
    )
    await save_first_facts(connection, new.entry_id, facts, before)
    await connection.execute(_SQL["payload_add"], new.id, new.payload)


async def _mark(connection: Connection, key_id: UUID | None) -> list[str]:
    """Return the mark of who signed in to the account that sends it; none of other keys."""
    row = await connection.fetchrow(_SQL["identity_of_key"], key_id) if key_id else None
    return [mark(row["provider"], row["name"], shown=row["name_shown"])] if row else []


async def _add_to_track(connection: Connection, new: NewSubmission, track: TrackRules) -> None:
    """Count a submission to a track, which stays open until the transaction ends."""
    if await is_frozen(connection, track):  # while it was checked
        found = closed(track)
        raise InvalidInput(f"{found.found}: {found.expected}.", fix=found.fix, code=TRACK_CLOSED)
    if new.account is not None:
        per_day, total = track.submissions_per_day, track.submissions_total
        quota = TrackQuota(track.id, track.name, per_day, total)
        await use_track(connection, new.account, quota, new.id)


async def _version_before(
    connection: Connection, previous: StoredEntry | None
) -> tuple[int, dict[str, object], list[str]]:
    """Return the number of the next version; the facts of the one before, and which are held."""
    if previous is None:
        return 1, {}, []
    row = await connection.fetchrow(_LIFECYCLE_SQL["previous_lock"], previous.id)
    if row is None:
        raise not_replaceable()
    return row["version"] + 1, orjson.loads(row["facts"]), row["facts_held"]


def _stored(
    row: asyncpg.Record, steps: Sequence[asyncpg.Record], ranks: Sequence[asyncpg.Record]
) -> StoredSubmission:
    parsed = {
        "report": orjson.loads(row["report"]),
        "timeline": [TimelineStep(**step) for step in steps],
        "entry": _entry(row) if row["entry_id"] is not None else None,
        "hypothetical": [
            HypotheticalRank(
                rank["scoring"], rank["entries"], orjson.loads(rank["content"]), rank["ranked_at"]
            )
            for rank in ranks
        ],
    }
    plain = {each.name for each in fields_of(StoredSubmission)} - parsed.keys()
    return StoredSubmission(**{name: row[name] for name in plain}, **parsed)


def _entry(row: asyncpg.Record) -> StoredEntry:
    return StoredEntry(
        id=row["entry_id"],
        board=row["board"],
        model_name=row["model_name"],
        organization=row["organization"],
        track=row["track"],
        removed=row["removed_at"] is not None,
        version=row["version"],
        pending=row["pending"],
        hypothetical=row["hypothetical"],
        similarities=orjson.loads(row["similarities"] or "{}"),
        facts=orjson.loads(row["facts"]),
        facts_held=tuple(row["facts_held"]),
    )


def _name_taken(model_name: str) -> Conflict:
    return Conflict(
        f"the community board has a model named {model_name!r} already ({SAME_NAMES}).",
        fix="Choose another name, such as one with a version.",
        code="model_name_taken",
    )
