"""Takes provider batches from step to step: upload, create, look, settle, delete its files.

planned → uploaded → submitting → in_progress → collecting → deleting → done

Every replica looks, and each step of a batch is one replica's. Whatever a step fails at, it is
taken again; what a person must change pauses the run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from medvid.judging.batch_api import STATES, BatchApi, ProviderBatch
from medvid.judging.batch_lines import count_lines
from medvid.judging.calls import CallFailed
from services.judge.batch_answers import AnswerSettler
from services.judge.batch_files import FilePlanner
from services.judge.provider_batches import SQL, Ended, HeldBatch, NotHeld, ProviderBatches
from services.judge.runs import Pause
from services.judge.store import NEEDS_OPERATOR, Runs, item_of, pause_run
from shared.runtime.errors import Transient
from shared.storage.database import TRANSIENT_ERRORS

_PASSING: Final = ("failing", "throttled")
_OF_ACCOUNT: Final = ("key", "credit", "quota")
"""Causes that stop every call, online as well: the provider counts as down."""
_DOWN_SECONDS: Final = 60.0
_LONGEST_WAIT: Final = 600.0
_MOST_DELETES: Final = 5
_TRIES_UNTIL_LOST: Final = 10
"""So often a batch is not found before it counts as lost: for more than an hour."""
_FEW_TRIES: Final = 3
"""So often files are read again that have fewer lines than their batch says."""
_NOT_THERE: Final = ("404", "no_files")
_FULL_POLLS: Final = 10
"""Looks at the batches before, until another one is tried where the account takes no more."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """In seconds.

    `poll`: between looks at a batch under way. `create`: in which one must be created; `lost`:
    after which it is listed, though its creation was not answered, for the provider may still be at
    it.
    """

    poll: float
    lost: float
    create: float


@dataclass(frozen=True, slots=True)
class BatchSteps:
    """This replica's part in an endpoint's batches."""

    rows: ProviderBatches
    runs: Runs
    planner: FilePlanner
    settler: AnswerSettler
    api: BatchApi
    pace: Pace

    async def look(self) -> None:
        """Plan files of what waits, then take every step that is due."""
        await self.planner.look()
        while await self.step():
            pass

    async def step(self) -> bool:
        """Take the step that is due longest; False where none is."""
        try:
            async with self.rows.taken() as batch:
                if batch is None:
                    return False
                try:
                    await self._step(batch)
                except CallFailed as failure:
                    await self._failed(batch, failure)
                except (Transient, *TRANSIENT_ERRORS):
                    raise
                except Exception as error:  # noqa: BLE001 - named, logged, and tried again
                    # One that can never be taken further must not keep all others waiting.
                    _log.exception("provider_batch_step_failed", provider_batch=str(batch.id))
                    await self._failed(batch, _unexpected(error))
        except NotHeld as lost:
            _log.warning("provider_batch_not_held", error=str(lost))
        return True

    async def _step(self, batch: HeldBatch) -> None:
        match batch.state:
            case "planned":
                await self._upload(batch)
            case "uploaded" | "submitting":
                await self._submit(batch)
            case "in_progress":
                await self._look(batch)
            case "collecting":
                await self._collect(batch)
            case "deleting":
                await self._delete(batch)

    async def _upload(self, batch: HeldBatch) -> None:
        rows = await self.runs.database.pool.fetch(SQL["items_at_provider"], batch.id)
        if not batch.may_begin or not rows:
            await self.settler.let_go(batch, "abandoned")
            return
        if batch.judge_version != self.planner.writer.version.hash:
            await self.rows.put(batch, "planned", due=self.pace.poll)  # a replica of its version
            return
        items = [item_of(row) for row in rows]
        content = await asyncio.to_thread(self.planner.writer.content, items, batch.form)
        file_id = await self.api.upload(str(batch.id), content)
        await self.rows.put(batch, "uploaded", file_id=file_id)

    async def _submit(self, batch: HeldBatch) -> None:
        """Find the batch, or have it created: nobody else may be at it while this takes."""
        assert batch.file_id is not None  # noqa: S101 - uploaded before
        try:
            found = await self.api.find(str(batch.id))
        except CallFailed as failure:
            if batch.state != "submitting" or failure.kind in _PASSING:
                raise
            # It may have been created, though nobody heard of it: it is kept until that is known.
            await self._pause(batch, _pause_for(failure.detail, failure))
            await self.rows.fail(batch, _LONGEST_WAIT, failure.detail)
            return
        if found is None and batch.may_begin:
            await self.rows.submitting(batch, self.pace.lost)
            found = await self.api.create(batch.file_id, str(batch.id), self.pace.create)
        if found is None:
            await self.settler.let_go(batch, "abandoned")
        else:
            await self.rows.put(batch, "in_progress", provider_id=found.id)

    async def _look(self, batch: HeldBatch) -> None:
        assert batch.provider_id is not None  # noqa: S101 - submitted before
        cancels = not batch.is_cancelled and (batch.is_overdue or not batch.is_wanted)
        at = await (self.api.cancel if cancels else self.api.look)(batch.provider_id)
        if at.end is not None:
            await self._ended(batch, at)
        elif batch.is_hopeless:
            await self.settler.let_go(batch, "lost")
        elif at.state not in STATES:
            detail = f"the batch {at.id} is {at.state}, which is no state of OpenAI's Batch API"
            raise CallFailed("failing", "unknown_state", detail)
        else:
            await self.rows.put(batch, "in_progress", due=self.pace.poll, is_cancelled=cancels)

    async def _ended(self, batch: HeldBatch, at: ProviderBatch) -> None:
        if at.end == "failed":
            await self._not_taken(batch, at)
        elif at.done and not at.outputs:
            detail = f"the batch {at.id} is {at.state}, and names no file of its answers"
            raise CallFailed("failing", "no_files", detail)
        else:
            await self.rows.put(batch, "collecting", outputs=at.outputs, ended=at.end)

    async def _not_taken(self, batch: HeldBatch, at: ProviderBatch) -> None:
        """End a batch of which the provider took no line."""
        if at.is_full and await self.rows.others_under_way(batch):
            await self.settler.let_go(batch, "failed", wait=_FULL_POLLS * self.pace.poll)
            return
        says = f"the provider refuses the batch: {at.errors or at.state}"
        await self._refused(batch, says, ended="failed")

    async def _collect(self, batch: HeldBatch) -> None:
        files = [await self.api.read(name) for name in batch.outputs]
        if batch.tries < _FEW_TRIES:
            await self._require_whole(batch, files)
        await self.settler.settle(batch, files)
        await self._settled(batch)  # a run that has ended by it is closed by `Upkeep`

    async def _require_whole(self, batch: HeldBatch, files: Sequence[bytes]) -> None:
        """Raise CallFailed where lines are missing that the provider says it answered.

        They may come: what is not there when it settles is asked, and paid, again.
        """
        assert batch.provider_id is not None  # noqa: S101 - it was answered
        done = (await self.api.look(batch.provider_id)).done
        lines = await asyncio.to_thread(count_lines, files)
        if lines < done:
            detail = f"{done} lines of the batch {batch.provider_id} are answered, {lines} in files"
            raise CallFailed("failing", "short_file", detail)

    async def _settled(self, batch: HeldBatch) -> None:
        async with self.runs.database.transaction() as transaction:
            connection = transaction.connection
            await self.rows.lock(connection, batch)
            await connection.execute(SQL["let_go"], batch.id, "planned", 0.0)
            await self.settler.money.give_back(connection, batch.id)
            await self.rows.put(batch, "deleting", connection=connection)

    async def _delete(self, batch: HeldBatch) -> None:
        """Leave no captions at the provider."""
        for name in _files(batch):
            await self.api.delete(name)
        await self.rows.put(batch, "done")

    async def _failed(self, batch: HeldBatch, failure: CallFailed) -> None:
        """Try again later, or not where that cannot help."""
        passes = failure.kind in _PASSING
        if batch.state in ("planned", "uploaded", "submitting") and not passes:
            await self._refused(batch, failure.detail, failure)
        elif batch.state == "deleting" and batch.tries + 1 >= _MOST_DELETES:
            _log.warning("provider_files_not_deleted", files=_files(batch), error=failure.detail)
            await self.rows.put(batch, "done")
        elif self._is_lost(batch, failure):
            await self.settler.let_go(batch, "lost")
        else:
            wait = min(self.pace.poll * 2 ** min(batch.tries, 10), _LONGEST_WAIT)
            asked = min(failure.retry_after or 0.0, _LONGEST_WAIT)
            await self.rows.fail(batch, max(wait, asked), failure.detail)

    def _is_lost(self, batch: HeldBatch, failure: CallFailed) -> bool:
        if batch.state not in ("in_progress", "collecting"):
            return False
        is_gone = failure.outcome in _NOT_THERE and batch.tries + 1 >= _TRIES_UNTIL_LOST
        return is_gone or (batch.is_hopeless and batch.tries >= _FEW_TRIES)

    async def _refused(
        self,
        batch: HeldBatch,
        detail: str,
        failure: CallFailed | None = None,
        ended: Ended = "abandoned",
    ) -> None:
        """End a batch that the provider does not take, and pause its run: nothing was asked."""
        await self._pause(batch, _pause_for(detail, failure))
        await self.settler.let_go(batch, ended)

    async def _pause(self, batch: HeldBatch, pause: Pause) -> None:
        async with self.runs.database.transaction() as transaction:
            await pause_run(transaction, batch, pause)


def _pause_for(detail: str, failure: CallFailed | None) -> Pause:
    if failure is not None and failure.cause in _OF_ACCOUNT:
        return Pause("provider_down", detail, _DOWN_SECONDS)
    cure = "Try it with `medvid admin judge-check --batch`"
    cure += ", set fewer MEDVID_JUDGE_BATCH_LINES or unset MEDVID_JUDGE_BATCH_API"
    return Pause(NEEDS_OPERATOR, f"{detail}. {cure}; then resume the run.")


def _unexpected(error: Exception) -> CallFailed:
    return CallFailed("failing", "unexpected", f"the step fails: {type(error).__name__}")


def _files(batch: HeldBatch) -> Sequence[str]:
    return [name for name in (batch.file_id, *batch.outputs) if name]
