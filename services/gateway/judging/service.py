"""Judging of a submission: start a run, pause and resume it, read its state and verdicts."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg
import structlog

from medvid.judging.off import off
from medvid.models.judging import JudgeInForce, JudgeSeries
from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.accounts.quotas import Quotas
from services.gateway.accounts.rules import Caller, Role
from services.gateway.judging.store import (
    JudgingStore,
    RunExists,
    ShownSources,
    StoredResult,
    StoredRun,
    VerdictQuery,
)
from services.gateway.submissions.access import SubmissionAccess
from services.gateway.submissions.records import StoredSubmission
from services.gateway.web.site import the_maintainers
from shared.runtime.errors import Conflict, NotAllowed, NotFound, Unavailable
from shared.storage.database import Connection

_ESTIMATE_LOOK_SECONDS: Final = 0.03
_log = structlog.get_logger(__name__)


Rationales = Mapping[tuple[int, int, str | None], str]
"""A judge's reasons, by ordinal, repeat and judge version; they may repeat references."""


@dataclass(frozen=True, slots=True)
class JudgingSummary:
    """The judging of a submission: its newest run, and the newest result."""

    run: StoredRun | None
    result: StoredResult | None
    items_per_second: float | None = None
    series: JudgeSeries | None = None

    @property
    def eta_seconds(self) -> float | None:
        """Seconds that the run still takes at its present rate; None while it is closed."""
        if self.run is None or self.run.state != "running" or not self.items_per_second:
            return None
        return (self.run.items - self.run.items_done) / self.items_per_second or None


@dataclass(frozen=True, slots=True)
class FoundVerdicts:
    """A page of a run's verdicts (rows of `verdicts_page`), and how many there are on all pages."""

    run: StoredRun
    rows: Sequence[asyncpg.Record]
    total: int
    shown_sources: ShownSources


@dataclass(frozen=True, slots=True)
class JudgingService:
    """Starts and steers judge runs, and reads what came of them."""

    access: SubmissionAccess
    store: JudgingStore
    quotas: Quotas
    estimate_seconds: float

    async def request(
        self, submission_id: UUID, caller: Caller, *, fast: bool = False
    ) -> StoredRun:
        """Start a run, or resume one that is paused or failed; hasten one that is under way.

        Return it once it is planned, or unplanned when planning takes longer.

        Raises Conflict, Unavailable, NotAllowed, NotFound, QuotaExhausted.
        """
        submission, requester = await self.access.check(submission_id, caller)
        self.access.rules.require_judging(caller, submission.key_scopes)
        judge = await self.store.judge_now()
        _check_judgeable(submission, judge)
        run = await self.store.latest_run(submission_id)
        try:
            run_id = await self._start(caller, submission_id, run, judge, requester, fast=fast)
        except RunExists:
            raise _already_running() from None
        _log.info("judging_requested", submission_id=str(submission_id), run_id=str(run_id))
        return _not_over_budget(await self._planned(run_id))

    async def _start(
        self,
        caller: Caller,
        submission_id: UUID,
        run: StoredRun | None,
        judge: JudgeInForce,
        requester: Role,
        *,
        fast: bool,
    ) -> UUID:
        account = self.quotas.account(caller)
        # An administrator's run, a job's say, costs what the administrator chose.
        fast = fast and (run is None or requester != "owner" or run.requested_by != "administrator")
        if run is None:
            return await self.store.add_run(submission_id, requester, account, fast=fast)
        match run.state:
            case "queued" | "running":
                if fast and await self.store.hasten(submission_id, run):
                    return run.id
                raise _already_running()
            case "completed":
                result = await self.store.latest_result(submission_id)
                if result is not None and result.judge_version == judge.judge_version:
                    raise _already_judged()
                return await self.store.add_run(submission_id, requester, account, fast=fast)
            case "failed" if run.reason == "verdicts_unknown":  # nobody has asked for it yet
                return await self.store.add_run(submission_id, requester, account, fast=fast)
            case "paused" if run.reason == "administrator" and requester == "owner":
                raise _paused_by_administrator()
            case "paused" if run.reason == "needs_operator" and requester == "owner":
                raise _needs_operator()
        if not await self.store.requeue(submission_id, run, requester, fast=fast):
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

    async def pause(self, submission_id: UUID, caller: Caller, action: AdminAction) -> StoredRun:
        """Pause the run; raises Conflict when there is none to pause."""
        run = await self._run(submission_id, caller)
        if not await self.store.pause(submission_id, run, "paused by an administrator.", action):
            raise Conflict(
                f"the run is {run.state}, so there is nothing to pause.",
                fix="Look at the submission's status.",
                code="not_running",
            )
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
            raise Conflict(
                f"the run is {run.state}, so there is nothing to resume.",
                fix="Look at the submission's status.",
                code="not_paused",
            )
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

    async def status(self, connection: Connection, submission_id: UUID) -> JudgingSummary:
        """Return the newest run and result of a submission at a moment."""
        run = await self.store.latest_run(submission_id, connection)
        result = await self.store.latest_result(submission_id, connection)
        series = await self.store.series(submission_id, connection)
        if run is None or run.state != "running":
            return JudgingSummary(run, result, series=series)
        rate = await self.store.items_per_second(submission_id, run.id, connection)
        return JudgingSummary(run, result, rate, series)

    async def verdicts(
        self, submission_id: UUID, caller: Caller, query: VerdictQuery
    ) -> FoundVerdicts:
        """Return a page of the newest run's verdicts; raises NotFound, NotAllowed."""
        submission, role = await self.access.check(submission_id, caller)
        if submission.evaluate_only and role != "administrator":
            raise _verdicts_hidden()
        run = await self.store.latest_run(submission_id)
        if run is None:
            raise _no_run()
        shown = await self.store.shown_sources(submission_id, run)
        rows, total = await self.store.verdicts(run, query, shown)
        return FoundVerdicts(run, rows, total, shown)

    async def explained(
        self, submission_id: UUID, caller: Caller, query: VerdictQuery
    ) -> tuple[FoundVerdicts, Rationales]:
        """Return the same with the judge's reasons, to administrators alone.

        Raises NotFound, NotAllowed.
        """
        self.access.rules.require_administrator(caller)
        found = await self.verdicts(submission_id, caller, query)
        return found, await self.store.rationales(found.run, found.rows)


def _check_judgeable(submission: StoredSubmission, judge: JudgeInForce) -> None:
    if submission.state == "accepted":
        raise Conflict(
            "the submission is not scored yet.", fix="Wait for its scores.", code="not_scored_yet"
        )
    entry = submission.entry
    if submission.state == "failed" or entry is None or entry.removed:
        raise Conflict(
            "the submission has no entry that could be judged.",
            fix="Only what is on a board is judged: submit the model again.",
            code="no_entry",
        )
    if judge.judge_version is None:
        why = off(judge.off)
        raise Unavailable(why.says, fix=why.for_others, code="judge_not_configured")
    if judge.stub and entry.board == "official":
        raise Conflict(
            "a stub judge's scores never reach the official board.",
            fix=f"Ask {the_maintainers()}: another judge is set up by them.",
            code="stub_not_official",
        )


def _not_over_budget(run: StoredRun) -> StoredRun:
    if run.state == "failed" and run.reason == "over_budget":
        raise Conflict(
            run.detail or "judging would cost too much.",
            fix=f"Ask {the_maintainers()}, or try again when the budget is renewed.",
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
    return Conflict(
        "this judge has judged the submission already.",
        fix="Its judged values are in its status; the verdicts say how each caption did.",
        code="already_judged",
    )


def _paused_by_administrator() -> Conflict:
    return Conflict(
        "an administrator paused the run.",
        fix=f"Ask {the_maintainers()}.",
        code="paused_by_administrator",
    )


def _needs_operator() -> Conflict:
    return Conflict(
        "the run was stopped, as its calls were billed and gave no verdicts.",
        fix=f"Ask {the_maintainers()}: they set the judge right and resume it.",
        code="needs_operator",
    )


def _verdicts_hidden() -> NotAllowed:
    return NotAllowed(
        "verdicts of evaluate-only submissions are not shown, as their mean is the exact value.",
        fix="Submit it for the board; its verdicts are shown to you.",
        code="verdicts_hidden",
    )


def _no_run() -> NotFound:
    return NotFound(
        "the submission was never judged.",
        fix="Ask for it with POST .../judge.",
        code="run_not_found",
    )
