"""How a run ends: its scores go to the board, once; or it fails and keeps its verdicts.

Where too many pairs are left without a verdict the run is first retried: a model that answers
nonsense for a minute must not cost a run its result. Not where those are too many that no second
call changes, as they are refused for their captions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

import asyncpg
import orjson
import structlog

from medvid.benchmark.caption_pairs import JudgingPlan
from medvid.benchmark.tasks import ASPECTS
from medvid.benchmark.versions import JUDGED_VERSION
from medvid.judging.plans import unpack
from medvid.judging.results import RunOutcome, outcome
from medvid.judging.verdicts import Verdict
from services.judge.replicates import judged_replicates
from services.judge.succession import keep_beside, settle_failed
from services.judge.verdict import FINAL, BadReplies
from shared.contracts.messages import JudgingCompleted, JudgingProgressed
from shared.storage.database import Connection, Transaction
from shared.storage.queries import load_queries
from shared.storage.replicates import StoredReplicates, save_replicates

_SQL: Final = load_queries(__package__)
_RETRIES: Final = 3
_log = structlog.get_logger(__name__)


async def close_run(transaction: Transaction, run_id: UUID, run: asyncpg.Record) -> None:
    """Publish the result of a run whose items are all terminal, or pause or fail the run.

    Its row is locked.
    """
    connection = transaction.connection
    rows = await connection.fetch(_SQL["run_verdicts"], run_id, run["judge_version"])
    plan, rounds = await asyncio.to_thread(verdicts_by_repeat, run["plan"], run["repeats"], rows)
    result = await asyncio.to_thread(outcome, plan, rounds)
    unscored = run["items"] - len(rows)
    submission_id: UUID = run["submission_id"]
    entry = await connection.fetchrow(_SQL["run_entry"], submission_id, run["judge_version"])
    confirmed = await connection.fetchval(_SQL["run_is_confirmed"], run_id, run["judge_version"])
    refusal = _refusal(result, entry, is_confirmed=confirmed)
    if not result.publishable and await _may_retry(connection, run_id, run, plan, rounds):
        await connection.execute(_SQL["run_pause"], run_id, BadReplies.code, result.problem)
        _log.warning("judge_run_paused", run_id=str(run_id), reason=BadReplies.code)
    elif refusal is not None:
        await connection.execute(_SQL["run_fail"], run_id, *refusal, unscored)
        _log.warning("judge_run_failed", run_id=str(run_id), reason=refusal[0])
        if run["job_id"] is not None:
            await settle_failed(transaction, run["job_id"])
    else:
        assert entry is not None  # noqa: S101 - refused otherwise
        found = await asyncio.to_thread(judged_replicates, plan, rounds, entry["ground_truth"])
        valued = {metric.metric for metric in result.metrics if metric.value is not None}
        drawn = [each for each in found if each.metric in valued]
        end = _publish if run["job_id"] is None else keep_beside
        await end(transaction, run_id, run, entry, result, drawn, is_confirmed=confirmed)
        await connection.execute(_SQL["run_complete"], run_id, unscored)
        _log.info("judge_run_completed", run_id=str(run_id), unscored=unscored)
    await transaction.emit(JudgingProgressed(submission_id=submission_id, run_id=run_id))


def verdicts_by_repeat(
    packed: bytes, repeats: int, rows: Sequence[asyncpg.Record]
) -> tuple[JudgingPlan, list[dict[int, Verdict]]]:
    """Return a run's plan, and its verdicts by repeat and text."""
    rounds: list[dict[int, Verdict]] = [{} for _ in range(repeats)]
    for row in rows:
        rounds[row["repeat"]][row["ordinal"]] = dict(zip(ASPECTS, row["scores"], strict=True))
    return unpack(packed), rounds


def _refusal(
    result: RunOutcome, entry: asyncpg.Record | None, *, is_confirmed: bool
) -> tuple[str, str] | None:
    if not result.publishable:
        return "too_many_unscored", result.problem
    if entry is None:
        return "no_entry", "the submission has no entry any more."
    if entry["is_stub"] and entry["board"] == "official":
        return "stub_not_official", "a stub judge's scores never reach the official board."
    if entry["board"] == "official" and not is_confirmed:
        return (
            "unconfirmed_not_official",
            "verdicts came from an endpoint that names another model than the judge's; they never "
            "reach the official board.",
        )
    return None


async def _may_retry(
    connection: Connection,
    run_id: UUID,
    run: asyncpg.Record,
    plan: JudgingPlan,
    rounds: Sequence[Mapping[int, Verdict]],
) -> bool:
    """Tell whether the result could be published if all that may still get a verdict got one."""
    if await connection.fetchval(_SQL["run_bad_pauses"], run_id) >= _RETRIES:
        return False
    rows = await connection.fetch(_SQL["run_final"], run_id, run["judge_version"], FINAL)
    if not rows:
        return True
    final = {(row["ordinal"], row["repeat"]) for row in rows}
    any_verdict = dict.fromkeys(ASPECTS, 1)
    hoped = [
        {
            ordinal: verdicts.get(ordinal, any_verdict)
            for ordinal in range(len(plan.texts))
            if (ordinal, repeat) not in final
        }
        for repeat, verdicts in enumerate(rounds)
    ]
    return (await asyncio.to_thread(outcome, plan, hoped)).publishable


async def _publish(
    transaction: Transaction,
    run_id: UUID,
    run: asyncpg.Record,
    entry: asyncpg.Record,
    result: RunOutcome,
    drawn: Sequence[StoredReplicates],
    *,
    is_confirmed: bool,
) -> None:
    connection = transaction.connection
    await connection.execute(_SQL["entries_lock"], run["submission_id"])
    await connection.execute(
        _SQL["result_add"],
        run_id,
        run["submission_id"],
        run["judge_version"],
        orjson.dumps(result.facts).decode(),
    )
    await connection.executemany(
        _SQL["score_put"],
        [
            (
                entry["id"],
                metric.metric,
                metric.value,
                metric.answered,
                metric.expected,
                orjson.dumps(metric.by_source).decode(),
                entry["ground_truth_version"],
                JUDGED_VERSION,
                entry["file_sha256"],
                run["judge_version"],
            )
            for metric in result.metrics
        ],
    )
    await save_replicates(
        connection,
        entry["id"],
        drawn,
        ground_truth_version=entry["ground_truth_version"],
        metric_version=JUDGED_VERSION,
        judge_version=run["judge_version"],
    )
    await connection.execute(_SQL["badge_set"], entry["id"], entry["is_stub"], is_confirmed)
    # Before the run's own state: the ranker, too, locks the board before it notifies watchers.
    await connection.execute(_SQL["board_changed"], entry["board"])
    await transaction.emit(
        JudgingCompleted(
            submission_id=run["submission_id"],
            run_id=run_id,
            entry_id=entry["id"],
            board=entry["board"],
            judge_version=run["judge_version"],
        )
    )
