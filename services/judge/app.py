"""Builds the judge out of its parts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Final, TypeAlias

import structlog

from medvid.judging.batch_api import BatchApi
from medvid.judging.ends import earlier
from medvid.judging.off import off
from medvid.judging.versions import JudgeVersion
from services.judge.batch_answers import AnswerSettler
from services.judge.batch_files import FilePlanner, LineWriter
from services.judge.batch_steps import BatchSteps, Pace
from services.judge.batches import JudgeBatch
from services.judge.consume import build_batches_consumer, build_requests_consumer
from services.judge.ends import LOOK_SECONDS, EndWatch
from services.judge.fleet import ANNOUNCE_SECONDS, announce_limits
from services.judge.judges import Judges, PanelJudge
from services.judge.members import Member, members_of
from services.judge.open_judge import BatchProvider, Judge, call_figures, open_judge
from services.judge.own_families import OwnFamilies
from services.judge.planning import StartRun, planner, remaining_budget
from services.judge.provider_batches import ProviderBatches
from services.judge.rereading import ReplyReader
from services.judge.runs import RunPolicy
from services.judge.settings import JudgeSettings
from services.judge.sizing import Places
from services.judge.store import Runs, announce_judge, announce_panel
from services.judge.stray_batches import StrayBatches
from services.judge.succession import Successions
from services.judge.upkeep import OVERDUE, Ages, Upkeep
from services.judge.verdict_cache import VerdictCache
from shared.messaging.topology import JUDGE_BATCHES, JUDGE_REQUESTS
from shared.runtime.errors import Misconfigured
from shared.runtime.infrastructure import Infrastructure
from shared.runtime.workers import WorkerPool
from shared.storage.ground_truths import prepare_workers, truth_workers

_PROBE_MARGIN_SECONDS: Final = 5.0
_REQUESTS_AT_A_TIME: Final = 2
_PLACES_SECONDS: Final = 0.25
_log = structlog.get_logger(__name__)

MonthLeft: TypeAlias = Callable[[], Awaitable[int | None]]
OpenJudge: TypeAlias = Callable[
    [Infrastructure, JudgeSettings], AbstractAsyncContextManager[Judge | None]
]


@asynccontextmanager
async def run(
    base: Infrastructure, settings: JudgeSettings, *, opener: OpenJudge = open_judge
) -> AsyncIterator[None]:
    """Judge until the context is left; calls under way are finished first."""
    async with AsyncExitStack() as stack:
        opened = await _open(stack, base, settings, opener)
        judges = _judges(settings, opened) if opened else None
        if judges is None:
            why = settings.why_off
            await announce_judge(base.database, None, settings.judge_repeats, off=why)
        else:
            await announce_panel(base.database, judges, settings.judge_repeats)
            await announce_limits(base.database, settings)
        # Also where judging is off: nobody is asked.
        reader = ReplyReader(base.database)
        base.repeat("judge_rereading", reader.look, settings.judge_patrol_seconds)
        if judges is None:
            words = off(settings.why_off)
            _log.info("judge_disabled", reason=settings.why_off, detail=words.says, fix=words.fix)
            await _consume_requests(stack, base, settings, None)
            yield
            return
        watch = _end_watch(base, judges, opened)
        await watch.say()
        base.repeat("judge_end", watch.look, LOOK_SECONDS)
        runs = Runs(base.database, _policy(settings), _families(settings, opened))
        verdicts = VerdictCache(base.database, claim_seconds=settings.judge_claim_seconds)
        base.background("judge_claims", verdicts.keep_claims)
        month_left = _least([judge.month_left for _, judge in opened])
        work = JudgeBatch(runs, verdicts, judges, runs.policy)
        await _join_fleet(stack, base, runs, work.places)
        start = await _start_run(stack, base, settings, judges, month_left, runs)
        await _consume_requests(stack, base, settings, start)
        await _consume_batches(stack, base, settings, work)
        _look_after_runs(base, settings, judges, runs, verdicts)
        _look_after_batches(base, settings, judges, [judge for _, judge in opened], runs)
        yield


async def _open(
    stack: AsyncExitStack, base: Infrastructure, settings: JudgeSettings, opener: OpenJudge
) -> list[tuple[Member, Judge]]:
    opened = []
    for member in members_of(settings).judges:
        judge = await stack.enter_async_context(opener(base, member.settings))
        if judge is not None:
            opened.append((member, judge))
    return opened


def _judges(settings: JudgeSettings, opened: Sequence[tuple[Member, Judge]]) -> Judges:
    members = members_of(settings)
    judges = [
        PanelJudge(judge.grader, call_figures(member.settings), member.weight)
        for member, judge in opened
    ]
    try:
        return Judges.of(judges, members.combine, members.wait_seconds)
    except ValueError as error:
        raise Misconfigured(f"MEDVID_JUDGES: {error}.", fix="Change the file.") from error


def _families(settings: JudgeSettings, opened: Sequence[tuple[Member, Judge]]) -> dict[str, str]:
    own = {judge.grader.version.model: each.family for each, judge in opened if each.family}
    return {**own, **settings.judge_families}


def _least(each_left: Sequence[MonthLeft]) -> MonthLeft:
    """Return what says the least of what these say is left; a free judge knows no cap."""

    async def least() -> int | None:
        found = [await left() for left in each_left]
        return min((left for left in found if left is not None), default=None)

    return least


def _look_after_runs(
    base: Infrastructure,
    settings: JudgeSettings,
    judges: Judges,
    runs: Runs,
    verdicts: VerdictCache,
) -> None:
    longest_probe = settings.judge_timeout_seconds + _PROBE_MARGIN_SECONDS
    ages = Ages(settings.judge_still_seconds, settings.judge_breaker_seconds, longest_probe)
    upkeep = Upkeep(base.database, runs, verdicts, judges, ages)
    base.repeat("judge_due_batches", upkeep.send_due_batches, settings.judge_due_seconds)
    base.repeat("judge_upkeep", upkeep.look, settings.judge_patrol_seconds)
    own_families = OwnFamilies(base.database, runs.families)
    base.repeat("judge_own_families", own_families.look, settings.judge_patrol_seconds)
    successions = Successions(base.database)
    base.repeat("judge_successions", successions.look, settings.judge_patrol_seconds)
    base.reap(
        "judge_reaper",
        OVERDUE,
        every=settings.judge_patrol_seconds,
        idle=min(settings.judge_lost_seconds, settings.judge_still_seconds),
        busy=settings.judge_still_seconds,
    )


def _look_after_batches(
    base: Infrastructure,
    settings: JudgeSettings,
    judges: Judges,
    opened: Sequence[Judge],
    runs: Runs,
) -> None:
    """Take batches to the provider and back.

    Also without MEDVID_JUDGE_BATCH_API, and where a pool or a panel judges: what was sent before
    comes back.
    """
    steps = [
        batch_steps(settings, provider, judge.grader.version, runs, judges.by_version)
        for judge in opened
        for provider in judge.batches
    ]
    if not steps:
        return
    stray = StrayBatches(steps[0].rows, steps[0].settler, [each.rows.endpoint for each in steps])

    async def look() -> None:
        for each in steps:
            await each.look()
        await stray.look()

    seconds = min(settings.judge_patrol_seconds, settings.judge_batch_poll_seconds)
    base.repeat("judge_provider_batches", look, seconds)


def batch_steps(
    settings: JudgeSettings,
    provider: BatchProvider,
    version: JudgeVersion,
    runs: Runs,
    versions: Collection[str] = (),
) -> BatchSteps:
    """Return what takes batches to the provider and back; `versions`: of all that judge here."""
    others = [each for each in versions if each != version.hash]
    rows = ProviderBatches(runs.database, provider.name, settings.judge_claim_seconds, others)
    writer = LineWriter(provider.endpoint, version, provider.rubric, provider.price.by_batch)
    planner = FilePlanner(
        runs,
        writer,
        provider.money,
        provider.name,
        provider.known_form,
        settings.judge_batch_lines,
        settings.by_batch,
    )
    prefix = None if version.provider == "stub" else settings.judge_model_prefix
    settler = AnswerSettler(rows, runs, provider.money, version.hash, prefix)
    # Twice the time of a call: for so long it may take a provider to list what it created.
    call = settings.judge_timeout_seconds
    pace = Pace(settings.judge_batch_poll_seconds, lost=2 * call, create=call)
    return BatchSteps(rows, runs, planner, settler, BatchApi(provider.endpoint), pace)


def _end_watch(
    base: Infrastructure, judges: Judges, opened: Sequence[tuple[Member, Judge]]
) -> EndWatch:
    lists = [
        (judge.grader.version.model, judge.models)
        for _, judge in opened
        if judge.models is not None
    ]
    ends = earlier(member.settings.judge_ends for member, _ in opened)
    return EndWatch(base.database, judges.version, ends, lists)


async def _start_run(
    stack: AsyncExitStack,
    base: Infrastructure,
    settings: JudgeSettings,
    judges: Judges,
    month_left: MonthLeft,
    runs: Runs,
) -> StartRun:
    pool = WorkerPool(1, name="planner")
    stack.push_async_callback(pool.close)
    workers = truth_workers(base.database, pool)
    base.background("judge_planner_warm_up", lambda: prepare_workers(base.database, workers, 1))
    make_plan = planner(workers, settings.judge_planning_seconds)
    remaining = remaining_budget(base.database, month_left, settings.run_cap)
    return StartRun(base.database, runs, make_plan, judges, remaining)


async def _join_fleet(
    stack: AsyncExitStack, base: Infrastructure, runs: Runs, places: Places
) -> None:
    """Announce this replica, before it plans or takes anything, until it ends."""

    async def announce() -> None:
        await runs.fleet.announce(base.database, places.now)

    await announce()
    stack.push_async_callback(runs.fleet.leave, base.database)
    base.repeat("judge_fleet", announce, ANNOUNCE_SECONDS)


async def _consume_batches(
    stack: AsyncExitStack, base: Infrastructure, settings: JudgeSettings, work: JudgeBatch
) -> None:
    """Take as many batches as calls may be open, and no more."""
    subscription = await stack.enter_async_context(
        base.consuming(
            JUDGE_BATCHES,
            build_batches_consumer(base.database, work).handle,
            concurrency=work.places.now,
            drain_seconds=settings.drain_seconds,
        )
    )

    async def follow() -> None:
        before = work.places.now
        allowed = {each.version.hash: each.allowed_calls for each in work.judges.graders}
        if work.places.follow(allowed) != before:
            await subscription.resize(work.places.now)

    base.repeat("judge_places", follow, _PLACES_SECONDS)


async def _consume_requests(
    stack: AsyncExitStack, base: Infrastructure, settings: JudgeSettings, start: StartRun | None
) -> None:
    repeats = settings.judge_repeats if settings.judge_automatic else None
    consumer = build_requests_consumer(base.database, start, automatic_repeats=repeats)
    await stack.enter_async_context(
        base.consuming(
            JUDGE_REQUESTS,
            consumer.handle,
            concurrency=_REQUESTS_AT_A_TIME,
            drain_seconds=settings.drain_seconds,
        )
    )


def _policy(settings: JudgeSettings) -> RunPolicy:
    return RunPolicy(
        batch_items=settings.judge_batch_pairs,
        window_batches=settings.judge_window_batches,
        tries=settings.judge_tries,
        waste_share=settings.judge_waste_share,
        waste_calls=settings.judge_waste_calls,
    )
