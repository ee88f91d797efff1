"""The gateway's use cases about judging: ask for a run, steer it, read what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog

from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.accounts.quotas import Quotas
from services.gateway.accounts.rules import Caller
from services.gateway.judging.ports import (
    JudgeNow,
    JudgingStore,
    Requester,
    RunExists,
    StoredResult,
    StoredRun,
    StoredVerdict,
    VerdictQuery,
)
from services.gateway.submissions.access import SubmissionAccess
from services.gateway.submissions.ports import StoredSubmission
from shared.runtime.errors import Conflict, NotFound, Unavailable

_ESTIMATE_LOOK_SECONDS: Final = 0.03
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Judging:
    """How the judging of a submission stands: its newest run, and the newest result."""

    run: StoredRun | None
    result: StoredResult | None
    items_per_second: float | None = None

    @property
    def eta_seconds(self) -> float | None:
        """How long the run will take at the present rate."""
        if self.run is None or self.run.state != "running" or not self.items_per_second:
            return None
        return (self.run.items - self.run.items_done) / self.items_per_second


@dataclass(frozen=True, slots=True)
class RequestJudging:
    """Asks for a judge run, or resumes one that is paused or failed."""

    access: SubmissionAccess
    store: JudgingStore
    quotas: Quotas
    estimate_seconds: float

    async def __call__(self, submission_id: UUID, caller: Caller) -> StoredRun:
        """Return the run once it is planned, or as it is when planning takes longer.

        Raises Conflict, Unavailable, NotAllowed, NotFound, QuotaExhausted.
        """
        submission, requester = await self.access.check(submission_id, caller)
        self.access.rules.require_judging(caller, submission.key_scopes)
        judge = await self.store.judge_now()
        _check_judgeable(submission, judge)
        run = await self.store.latest_run(submission_id)
        try:
            run_id = await self._start(caller, submission_id, run, judge, requester)
        except RunExists:
            raise _already_running() from None
        _log.info("judging_requested", submission_id=str(submission_id), run_id=str(run_id))
        return _not_over_budget(await self._planned(run_id))

    async def _start(
        self,
        caller: Caller,
        submission_id: UUID,
        run: StoredRun | None,
        judge: JudgeNow,
        requester: Requester,
    ) -> UUID:
        account = self.quotas.account(caller)
        if run is None:
            return await self.store.add_run(submission_id, requester, account)
        match run.state:
            case "queued" | "running":
                raise _already_running()
            case "completed":
                result = await self.store.latest_result(submission_id)
                if result is not None and result.judge_version == judge.version:
                    raise _already_judged()
                return await self.store.add_run(submission_id, requester, account)
            case "paused" if run.reason == "administrator" and requester == "owner":
                raise _paused_by_administrator()
        if not await self.store.requeue(submission_id, run, requester):
            raise _already_running()
        return run.id

    async def _planned(self, run_id: UUID) -> StoredRun:
        """Wait a moment for the judge to plan the run, so that the answer has its estimate."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.estimate_seconds
        while True:
            run = await self.store.run(run_id)
            assert run is not None  # noqa: S101 - runs are never removed
            if run.state != "queued" or loop.time() > deadline:
                return run
            await asyncio.sleep(_ESTIMATE_LOOK_SECONDS)


@dataclass(frozen=True, slots=True)
class SteerRun:
    """Lets an administrator pause and resume a submission's run."""

    access: SubmissionAccess
    store: JudgingStore

    async def pause(self, submission_id: UUID, caller: Caller, action: AdminAction) -> StoredRun:
        """Pause the run; raises Conflict when there is none to pause."""
        run = await self._run(submission_id, caller)
        if not await self.store.pause(submission_id, run, "paused by an administrator.", action):
            raise Conflict(f"the run is {run.state}.", code="not_running")
        return await self._found(run.id)

    async def resume(self, submission_id: UUID, caller: Caller, action: AdminAction) -> StoredRun:
        """Queue a paused or failed run again; raises Conflict when it is neither."""
        run = await self._run(submission_id, caller)
        try:
            resumable = run.state in ("paused", "failed") and await self.store.requeue(
                submission_id, run, "administrator", action
            )
        except RunExists:
            raise _already_running() from None
        if not resumable:
            raise Conflict(f"the run is {run.state}.", code="not_paused")
        return await self._found(run.id)

    async def _run(self, submission_id: UUID, caller: Caller) -> StoredRun:
        self.access.rules.require_administrator(caller)
        await self.access.check(submission_id, caller)
        run = await self.store.latest_run(submission_id)
        if run is None:
            raise _no_run()
        return run

    async def _found(self, run_id: UUID) -> StoredRun:
        run = await self.store.run(run_id)
        assert run is not None  # noqa: S101 - runs are never removed
        return run


@dataclass(frozen=True, slots=True)
class ReadJudging:
    """Tells how judging stands, and reads verdicts."""

    access: SubmissionAccess
    store: JudgingStore

    async def status(self, submission_id: UUID) -> Judging:
        """Return how the judging of a submission stands."""
        run = await self.store.latest_run(submission_id)
        result = await self.store.latest_result(submission_id)
        if run is None or run.state != "running":
            return Judging(run, result)
        return Judging(run, result, await self.store.items_per_second(submission_id, run.id))

    async def verdicts(
        self, submission_id: UUID, caller: Caller, query: VerdictQuery
    ) -> tuple[Sequence[StoredVerdict], int]:
        """Return a page of the newest run's verdicts and the number on all pages."""
        await self.access.check(submission_id, caller)
        run = await self.store.latest_run(submission_id)
        if run is None:
            raise _no_run()
        return await self.store.verdicts(run, query)


def _check_judgeable(submission: StoredSubmission, judge: JudgeNow) -> None:
    if submission.state == "accepted":
        raise Conflict(
            "the submission is not scored yet.", fix="Wait for its scores.", code="not_scored_yet"
        )
    entry = submission.entry
    if submission.state == "failed" or entry is None or entry.removed:
        raise Conflict("the submission has no entry that could be judged.", code="no_entry")
    if judge.version is None:
        raise Unavailable(
            "no judge is set up.",
            fix="Operators: set MEDVID_JUDGE_PROVIDER and start the judge.",
            code="judge_not_configured",
        )
    if judge.is_stub and entry.board == "official":
        raise Conflict(
            "a stub judge's scores never reach the official board.", code="stub_not_official"
        )


def _not_over_budget(run: StoredRun) -> StoredRun:
    if run.state == "failed" and run.reason == "over_budget":
        raise Conflict(
            run.detail or "judging would cost too much.",
            fix="Ask the maintainers, or try again when the budget is renewed.",
            code="over_budget",
        )
    return run


def _already_running() -> Conflict:
    return Conflict(
        "the submission is being judged.",
        fix="Follow its status or its events.",
        code="already_running",
    )


def _already_judged() -> Conflict:
    return Conflict("this judge has judged the submission.", code="already_judged")


def _paused_by_administrator() -> Conflict:
    return Conflict(
        "an administrator paused the run.",
        fix="Ask the maintainers.",
        code="paused_by_administrator",
    )


def _no_run() -> NotFound:
    return NotFound(
        "the submission was never judged.",
        fix="Ask for it with POST .../judge.",
        code="run_not_found",
    )
