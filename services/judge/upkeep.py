"""Keeps runs moving: sends batches that are due, closes, pauses and resumes runs.

Any number of replicas may do so: every statement is guarded by the state of its rows.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog

from services.judge.judges import Judges
from services.judge.store import Runs, announce_known, item_of
from services.judge.verdict import BadReplies, BudgetExhausted, Grader, NoVerdict, ProviderState
from services.judge.verdict_cache import VerdictCache
from shared.contracts.messages import JudgingBatch, JudgingProgressed, JudgingRequested
from shared.messaging.reaper import Overdue
from shared.messaging.topology import JUDGE_BATCHES, JUDGE_REQUESTS
from shared.storage.database import Database
from shared.storage.queries import load_queries

PROVIDER_DOWN: Final = "provider_down"
STILL_DOWN: Final = "the provider does not answer yet"
OTHER_JUDGE: Final = "other_judge"
LONGEST_FACTOR: Final = 60
"""Longest pause between calls that ask whether a provider is up, as a multiple of `Ages.probe`."""
_NOT_UP: Final = ("rejected", "other_model")
_SQL: Final = load_queries(__package__)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Ages:
    """In seconds."""

    stalled: float
    """Without any progress, after which a run of another judge is planned again."""
    probe: float = 15
    """Between questions to a provider that is down, all replicas together."""
    longest_probe: float = 65
    """A question that is not answered by then has died with its replica."""


@dataclass(frozen=True, slots=True)
class Upkeep:
    """Looks after unfinished runs."""

    database: Database
    runs: Runs
    verdicts: VerdictCache
    judges: Judges
    ages: Ages

    async def send_due_batches(self) -> None:
        """Send batches of running runs whose time has come, as far as windows allow."""
        for run_id in await self._runs("runs_with_due_batches"):
            await self.runs.send_due(run_id)

    async def look(self) -> None:
        """Look once at every kind of run that may be stalled."""
        # Its last batch may have been settled by a replica that then died.
        for run_id in await self._runs("runs_finished"):
            await self.runs.close(run_id)
        version = self.judges.version
        for run_id in await self._runs("runs_of_another_judge", version, self.ages.stalled):
            await self._pause(run_id, OTHER_JUDGE, "the judge was changed.")
        for run_id in (
            *await self._runs("runs_paused_for", [OTHER_JUDGE]),
            *await self._runs("runs_paused_by_last_month"),
            *await self.with_bad_replies(self.ages.probe),
        ):
            await self.resume(run_id)
        await self._wake_judges()
        await self._look_after_panels()

    async def _wake_judges(self) -> None:
        """Ask the judges that are down, while anything waits for them; the first resumes all."""
        paused = await self._runs("runs_paused_for", [PROVIDER_DOWN])
        panel = self.judges.panel
        rows = await self.database.pool.fetch(_SQL["members_down"], panel.version)
        down = [panel.version] if panel.is_single else [row["member_version"] for row in rows]
        is_up = not down
        for version in down:
            waiting = [
                *paused,
                *await self._runs("runs_waiting_for_member", version, panel.version),
            ]
            if waiting:
                is_up = await self._provider_is_up(version, waiting) or is_up
        for run_id in paused if is_up else ():
            await self.resume(run_id)

    async def _look_after_panels(self) -> None:
        """End runs without members that stay down; complete those whose members are back."""
        for run_id in await self._runs("runs_without_members", self.judges.wait_seconds):
            await self.runs.close_without(run_id)
        async with self.database.transaction() as transaction:
            rows = await transaction.connection.fetch(
                _SQL["runs_of_whole_panel"], self.judges.version
            )
            for row in rows:
                await transaction.emit(
                    JudgingRequested(submission_id=row["submission_id"], run_id=row["id"])
                )

    async def with_bad_replies(self, seconds: float) -> Sequence[UUID]:
        """Return the runs to try again: after `seconds`, then after twice as long, ..."""
        return await self._runs("runs_with_bad_replies", seconds)

    async def may_probe(self, version: str, seconds: float) -> bool:
        """Return whether to ask the provider now, for all replicas; once in `seconds`."""
        return bool(await self.database.pool.fetchval(_SQL["provider_probe"], version, seconds))

    async def provider_is_down(self, version: str, reason: str, seconds: float) -> None:
        """Keep all replicas from calling the provider for so long."""
        await self.database.pool.execute(_SQL["provider_is_down"], version, reason, seconds)

    async def resume(self, run_id: UUID) -> None:
        """Queue a paused run again."""
        async with self.database.transaction() as transaction:
            submission_id = await transaction.connection.fetchval(_SQL["run_requeue"], run_id)
            if submission_id is None:
                return
            await transaction.emit(JudgingRequested(submission_id=submission_id, run_id=run_id))
            await transaction.emit(JudgingProgressed(submission_id=submission_id, run_id=run_id))
        _log.info("judge_run_resumed", run_id=str(run_id))

    async def _pause(self, run_id: UUID, reason: str, detail: str) -> None:
        await self.database.pool.execute(_SQL["run_pause"], run_id, reason, detail)

    async def _provider_is_up(self, version: str, waiting: Sequence[UUID]) -> bool:
        """Ask the provider, unless another replica does or did just now; all replicas learn it.

        First for its list of models, which is free; then a pair of a waiting run goes the whole
        way, as many endpoints list models while they answer no call.
        """
        if not await self.may_probe(version, self.ages.longest_probe):
            return False
        grader = self.judges.by_version[version].grader
        if not await grader.is_up():
            await self.provider_is_down(version, STILL_DOWN, self.ages.probe)
            return False
        reason = await self._call_fails(grader, waiting)
        if reason is None:
            await self.database.pool.execute(_SQL["provider_is_up"], version)
            return True
        pool = self.database.pool
        longest = LONGEST_FACTOR * self.ages.probe
        await pool.execute(_SQL["provider_call_failed"], version, reason, self.ages.probe, longest)
        await pool.execute(_SQL["runs_still_down"], waiting, reason)
        return False

    async def _call_fails(self, grader: Grader, waiting: Sequence[UUID]) -> str | None:
        """Judge one pair of these runs; returns why that fails, None where it works."""
        version = grader.version.hash
        row = await self.database.pool.fetchrow(_SQL["pair_to_try"], waiting, version)
        if row is None:
            return None
        item, run_id = item_of(row), row["run_id"]
        claims = await self.verdicts.claim(version, [item])
        if not claims.taken:
            return None  # known by now, or a replica is asking: somebody got through
        grader.learn(ProviderState(at=time.time(), down_seconds=None))
        try:
            verdict = await grader.judge(item.pair, item.repeat, run_id=run_id)
        except (BadReplies, BudgetExhausted) as refusal:
            reason, waste = None, refusal.waste  # of this run: the provider works
        except NoVerdict as refusal:
            reason, waste = refusal.detail, refusal.waste
        else:
            await self.verdicts.save(version, item, verdict)
            reason = verdict.detail if verdict.unscored_reason in _NOT_UP else None
            waste = verdict.waste
        finally:
            await asyncio.shield(self.verdicts.release(version, [item]))
        await self.runs.count_waste(self.database.pool, run_id, waste)
        return reason

    async def _runs(self, query: str, *arguments: object) -> Sequence[UUID]:
        return [row["id"] for row in await self.database.pool.fetch(_SQL[query], *arguments)]


OVERDUE: Final = (
    Overdue(
        _SQL["runs_queued_long"],
        JudgingRequested,
        lambda message: _log.warning("judge_run_announced_again", run_id=str(message.run_id)),
        JUDGE_REQUESTS,
        prepare=announce_known,
    ),
    Overdue(
        _SQL["batches_sent_long"],
        JudgingBatch,
        lambda message: _log.warning("judge_batch_announced_again", batch_id=message.batch_id),
        JUDGE_BATCHES,
    ),
)
