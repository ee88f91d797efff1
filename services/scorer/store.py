"""The scorer's SQL: submissions, entries of re-score jobs, similarities, and what is overdue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from uuid import UUID

import orjson
import structlog

from medvid.benchmark.results import SourceScore
from medvid.benchmark.similarity import METRICS, Similarity, SourceSimilarity
from medvid.benchmark.versions import METRIC_VERSION, SIMILARITY_VERSION
from services.scorer.work import Scores, SimilarityWork, Work
from shared.contracts.messages import (
    Envelope,
    RescoringCompleted,
    RescoringRequested,
    ScoringFailed,
    SimilarityRequested,
    SubmissionAccepted,
)
from shared.messaging.reaper import Overdue
from shared.messaging.topology import SCORER_RESCORES, SCORER_SIMILARITIES, SCORER_SUBMISSIONS
from shared.runtime.errors import Permanent
from shared.storage.database import Database, Transaction
from shared.storage.queries import load_queries
from shared.storage.replicates import save_replicates

CONSUMER: Final = "scorer"
_SQL: Final = load_queries(__package__)
_RESCORES: Final = load_queries(__package__, "rescores.sql")
_SIMILARITIES: Final = load_queries(__package__, "similarities.sql")
_log = structlog.get_logger(__name__)


# ------------------------------------------------------------------ submissions
async def waiting_submission(
    database: Database, envelope: Envelope, submission_id: UUID
) -> Work | None:
    """Return the submission if it still waits for scores and this message is new.

    Raises Permanent where its upload was pruned: it was finished before, and revived.
    """
    if await database.has_seen(CONSUMER, envelope):
        return None
    row = await database.pool.fetchrow(_SQL["waiting_submission"], submission_id)
    if row is not None and row["payload"] is None:
        raise Permanent("the upload is not kept any more.", code="upload_gone")
    return Work(**row) if row else None


async def save_scores(transaction: Transaction, work: Work, scores: Scores) -> bool:
    """Store scores and list the entry; False where the submission waits for none any more."""
    connection = transaction.connection
    if await connection.execute(_SQL["submission_scored"], work.submission_id) != "UPDATE 1":
        return False
    provenance = (work.ground_truth_version, scores.metric_version, work.file_sha256)
    await connection.executemany(
        _SQL["add_score"],
        [(work.entry_id, *values, *provenance) for values in _values(scores)],
    )
    await save_replicates(
        connection,
        work.entry_id,
        scores.replicates,
        ground_truth_version=work.ground_truth_version,
        metric_version=scores.metric_version,
    )
    await connection.execute(_SQL["list_entry"], work.entry_id)
    await connection.execute(_SQL["board_changed"], work.board)
    return True


async def fail_submission(
    transaction: Transaction, message: SubmissionAccepted, code: str, reason: str
) -> None:
    """Mark a waiting submission as failed, free its name and announce that."""
    connection, submission_id = transaction.connection, message.submission_id
    moved = await connection.execute(_SQL["submission_failed"], submission_id, code, reason)
    if moved == "UPDATE 1":
        await connection.execute(_SQL["remove_entry"], submission_id)
        await transaction.emit(ScoringFailed(submission_id=submission_id, reason=reason))


# ------------------------------------------------------------------ re-scoring
async def waiting_rescore(
    database: Database, envelope: Envelope, job_id: UUID, entry_id: UUID
) -> Work | None:
    """Return the entry's file if the job still waits for its scores and the message is new.

    Raises Permanent where the file was pruned.
    """
    if await database.has_seen(CONSUMER, envelope):
        return None
    row = await database.pool.fetchrow(_RESCORES["rescore_waiting"], job_id, entry_id)
    if row is not None and row["payload"] is None:
        raise Permanent("the submission's file is not kept any more.", code="file_gone")
    return Work(**row) if row else None


async def save_shadow_scores(
    transaction: Transaction, job_id: UUID, work: Work, scores: Scores
) -> bool:
    """Store scores beside those in force; False where the job waits for none any more."""
    connection = transaction.connection
    await connection.execute(_RESCORES["rescore_job_lock"], job_id)
    moved = await connection.execute(
        _RESCORES["rescore_item_scored"], job_id, work.entry_id, scores.metric_version
    )
    if moved != "UPDATE 1":
        return False
    await connection.executemany(
        _RESCORES["shadow_score_put"],
        [(job_id, work.entry_id, *values) for values in _values(scores)],
    )
    await connection.executemany(
        _RESCORES["shadow_replicates_put"],
        [(job_id, work.entry_id, *each.columns) for each in scores.replicates],
    )
    await _finish_rescore(transaction, job_id)
    return True


async def fail_rescore(
    transaction: Transaction, message: RescoringRequested, code: str, reason: str
) -> None:
    """Note that an entry cannot be scored again; its scores in force stay."""
    connection, job_id = transaction.connection, message.job_id
    await connection.execute(_RESCORES["rescore_job_lock"], job_id)
    await connection.execute(
        _RESCORES["rescore_item_failed"], job_id, message.entry_id, code, reason
    )
    await _finish_rescore(transaction, job_id)


async def _finish_rescore(transaction: Transaction, job_id: UUID) -> None:
    """Announce a job whose last entry was settled; the job is locked."""
    if await transaction.connection.execute(_RESCORES["rescore_finish"], job_id) == "UPDATE 1":
        await transaction.emit(RescoringCompleted(job_id=job_id))


async def _finish_rescores(transaction: Transaction) -> None:
    """Finish jobs without open entries; open entries again that another version has scored."""
    connection = transaction.connection
    for job in await connection.fetch(_RESCORES["rescores_unfinished"]):
        await connection.execute(_RESCORES["rescore_job_lock"], job["id"])
        await _finish_rescore(transaction, job["id"])
    await connection.execute(_RESCORES["rescores_of_other_code"], METRIC_VERSION)


# ------------------------------------------------------------------ similarities
async def request_similarities(transaction: Transaction, submission_id: UUID) -> None:
    """Have a scored submission's similarities measured once this transaction is committed."""
    await transaction.connection.execute(_SIMILARITIES["similarities_wanted"], submission_id)
    await transaction.emit(SimilarityRequested(submission_id=submission_id))


async def waiting_similarities(database: Database, submission_id: UUID) -> SimilarityWork | None:
    """Return what is still to be measured, or None where nothing is."""
    row = await database.pool.fetchrow(
        _SIMILARITIES["waiting_similarities"], submission_id, list(METRICS), SIMILARITY_VERSION
    )
    return SimilarityWork(**{**row, "metrics": tuple(row["metrics"])}) if row else None


async def save_similarity(
    database: Database, work: SimilarityWork, metric: str, found: Similarity
) -> None:
    """Store one similarity, which replaces one of another test set or version."""
    await database.pool.execute(
        _SIMILARITIES["save_similarity"],
        work.entry_id,
        metric,
        found.value,
        found.pairs,
        found.distinct_pairs,
        _json(found.by_source),
        work.ground_truth_version,
        SIMILARITY_VERSION,
        work.file_sha256,
    )


async def finish_similarities(database: Database, submission_id: UUID) -> None:
    """Note that nothing is left to be measured."""
    await database.pool.execute(_SIMILARITIES["similarities_done"], submission_id)


async def fail_similarities(
    transaction: Transaction, message: SimilarityRequested, code: str, _: str
) -> None:
    """Note that similarities cannot be measured, and why; the submission keeps its scores."""
    await transaction.connection.execute(
        _SIMILARITIES["similarities_failed"], message.submission_id, code
    )


def _values(scores: Scores) -> list[tuple[object, ...]]:
    return [
        (key, score.compat, score.strict, score.answered, score.expected, _json(score.by_source))
        for key, score in scores.metrics.items()
    ]


def _json(by_source: Mapping[str, SourceScore] | Mapping[str, SourceSimilarity]) -> str:
    return orjson.dumps(by_source).decode()  # which knows dataclasses


# ------------------------------------------------------------------ what is overdue
OVERDUE: Final = (
    Overdue(
        _SQL["announce_again"],
        SubmissionAccepted,
        lambda message: _log.warning(
            "submission_announced_again", submission_id=str(message.submission_id)
        ),
        SCORER_SUBMISSIONS,
    ),
    Overdue(
        _RESCORES["rescores_announce_again"],
        RescoringRequested,
        lambda message: _log.warning("rescore_announced_again", entry_id=str(message.entry_id)),
        SCORER_RESCORES,
        prepare=_finish_rescores,
    ),
    Overdue(
        _SIMILARITIES["announce_similarities_again"],
        SimilarityRequested,
        lambda message: _log.warning(
            "similarities_announced_again", submission_id=str(message.submission_id)
        ),
        SCORER_SIMILARITIES,
    ),
)
