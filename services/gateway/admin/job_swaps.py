"""How the values of a job are put in force, by the kind of job: the step that differs.

Each runs within the transaction that applies the job, the boards locked and unchanged since the
difference that was looked at, and returns what the audit log keeps of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final
from uuid import UUID

import asyncpg

from medvid.benchmark.versions import JUDGED_VERSION, SIMILARITY_VERSION, STATISTICS_VERSION
from medvid.judging.badges import OF_JUDGE
from medvid.models.jobs import JobKind
from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.admin.ground_truths import make_current
from services.gateway.admin.rescore_models import Wanted
from shared.contracts.messages import JudgingRequested
from shared.runtime.errors import Conflict
from shared.storage.database import Transaction
from shared.storage.queries import load_queries

_RESCORE: Final = load_queries(__package__, "rescoring.sql")
_REREAD: Final = load_queries(__package__, "rereading.sql")
_SUCCESSION: Final = load_queries(__package__, "succession.sql")
_MOST_NAMES: Final = 10
Facts = Mapping[str, object]
Swap = Callable[[Transaction, UUID, asyncpg.Record, AdminAction, Wanted], Awaitable[Facts]]
"""Of a job, its row of `rescore_lock`, who does it, and how."""


async def _swap_scores(
    transaction: Transaction, job_id: UUID, job: asyncpg.Record, action: AdminAction, wanted: Wanted
) -> Facts:
    connection = transaction.connection
    truth, code = job["ground_truth_version"], job["metric_version"]
    await connection.execute(_RESCORE["scores_swap"], job_id, truth, code)
    await connection.execute(_RESCORE["replicates_swap"], job_id, truth, code)
    rows = await connection.fetch(_RESCORE["submissions_move"], job_id, truth)
    moved = [row["id"] for row in rows]
    await connection.execute(_RESCORE["similarities_due"], moved, truth, SIMILARITY_VERSION)
    runs: list[asyncpg.Record] = []
    if wanted.judge_again:
        runs = await connection.fetch(
            _RESCORE["judging_ask"], moved, truth, JUDGED_VERSION, STATISTICS_VERSION
        )
    for run in runs:
        await transaction.emit(
            JudgingRequested(submission_id=run["submission_id"], run_id=run["id"])
        )
    if wanted.make_current:
        await make_current(transaction, truth, action)
    return {
        "ground_truth_version": truth,
        "metric_version": code,
        "entries": len(moved),
        "judge_runs": len(runs),
    }


async def _swap_reread(
    transaction: Transaction, job_id: UUID, job: asyncpg.Record, _: AdminAction, __: Wanted
) -> Facts:
    """Take over values, replicates, runs and results, of entries that have the old version's."""
    connection = transaction.connection
    new, old = job["judge_version"], job["from_judge_version"]
    runs = await connection.fetch(_REREAD["runs_add"], job_id, new, old)
    for run in runs:
        await connection.execute(_REREAD["run_pairs_add"], run["id"], run["run_id"])
        await connection.execute(_REREAD["result_add"], run["id"], run["facts"])
    entries = [run["entry_id"] for run in runs]
    await connection.execute(
        _REREAD["scores_swap"], job_id, new, old, job["metric_version"], entries
    )
    await connection.execute(_REREAD["replicates_swap"], job_id, new, entries)
    await connection.execute(_REREAD["boards_go_over"], new, old)
    return {"judge_version": new, "from_judge_version": old, "entries": len(entries)}


async def _swap_succession(
    transaction: Transaction, job_id: UUID, job: asyncpg.Record, _: AdminAction, wanted: Wanted
) -> Facts:
    """Take over values, replicates, results and badges; the boards go over to the judge."""
    connection, version = transaction.connection, job["judge_version"]
    rows = await connection.fetch(_SUCCESSION["entries_swapped"], job_id, version)
    entries = [row["entry_id"] for row in rows]
    unranked = await connection.fetch(_SUCCESSION["entries_unranked"], version, entries)
    if unranked and not wanted.leave_unranked:
        raise _unranked([row["model_name"] for row in unranked])
    await connection.execute(_SUCCESSION["scores_swap"], job_id, version, entries)
    await connection.execute(_REREAD["replicates_swap"], job_id, version, entries)
    await connection.execute(_SUCCESSION["results_add"], job_id, version, entries)
    await connection.execute(_SUCCESSION["badges_set"], job_id, version, entries, OF_JUDGE)
    boards = await connection.fetch(_SUCCESSION["boards_go_over"], version, entries)
    return {
        "judge_version": version,
        "entries": len(entries),
        "boards": [row["board"] for row in boards],
        "unranked": [str(row["entry_id"]) for row in unranked],
    }


def _unranked(names: Sequence[str]) -> Conflict:
    shown = ", ".join(names[:_MOST_NAMES])
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return Conflict(
        f"the boards go over to the new judge, by which {shown}{more} were not judged: they rank "
        "today and would count as missing in the judged columns.",
        fix="Have them judged too (drop this job and start one of the whole board), or allow it "
        "with 'leave_unranked'.",
        code="entries_unranked",
    )


SWAPS: Final[Mapping[JobKind, Swap]] = {
    "rescore": _swap_scores,
    "reread": _swap_reread,
    "succession": _swap_succession,
}
