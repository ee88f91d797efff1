"""Rows that tests need in the database, made the shortest valid way."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
import orjson

from medvid.benchmark.ground_truth import load_ground_truth
from medvid.benchmark.names import name_key
from medvid.benchmark.statistics.bootstrap import Estimate
from medvid.benchmark.statistics.intervals import interval
from medvid.benchmark.tasks import SCORINGS, Scoring
from medvid.benchmark.versions import STATISTICS_VERSION
from shared.contracts.messages import SubmissionAccepted
from shared.storage.database import Database
from shared.storage.ground_truths import activate_ground_truth

DEMO = Path(__file__).parent.parent / "demo"
_VERSIONS: dict[str, tuple[str, int]] = {}


@dataclass(frozen=True, slots=True)
class Stored:
    """A submission and its entry."""

    submission_id: UUID
    entry_id: UUID
    message_id: UUID


async def load_demo_ground_truth(database: Database) -> str:
    """Make the demo's ground truth active; returns its version."""
    content = gzip.decompress((DEMO / "ground_truth.json.gz").read_bytes())
    if "demo" not in _VERSIONS:
        truth = load_ground_truth(content)
        _VERSIONS["demo"] = (truth.version, len(truth))
    version, samples = _VERSIONS["demo"]
    async with database.transaction() as transaction:
        await activate_ground_truth(transaction, version=version, content=content, samples=samples)
    return version


async def accept_submission(
    database: Database, model_name: str = "A model", payload: bytes | None = None
) -> Stored:
    """Store a submission of the demo's predictions as the gateway would."""
    version = await load_demo_ground_truth(database)
    packed = (DEMO / "predictions.json.gz").read_bytes() if payload is None else payload
    submission_id, entry_id = uuid4(), uuid4()
    async with database.transaction() as transaction:
        connection = transaction.connection
        await connection.execute(
            "INSERT INTO submissions (id, ground_truth_version, file_sha256, file_bytes, report,"
            " owner_token_sha256) VALUES ($1, $2, $3, 1, '{}', $4)",
            submission_id, version, hashlib.sha256(packed).hexdigest(), bytes(32),
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO payloads (submission_id, content) VALUES ($1, $2)", submission_id, packed
        )
        await connection.execute(
            "INSERT INTO entries (id, board, model_name, name_key, organization, submission_id,"
            " submitted_on, listed) VALUES ($1, 'community', $2, $3, 'Us', $4, now(), false)",
            entry_id, model_name, name_key(model_name), submission_id,
        )  # fmt: skip
        message_id = await transaction.emit(SubmissionAccepted(submission_id=submission_id))
    return Stored(submission_id, entry_id, message_id)


async def add_listed_entry(
    database: Database, model_name: str, values: Mapping[str, float], board: str = "community"
) -> UUID:
    """Add an entry with given compat scores, as an import would."""
    entry_id = uuid4()
    async with database.transaction() as transaction:
        connection = transaction.connection
        await connection.execute(
            "INSERT INTO entries (id, board, model_name, name_key, organization, submitted_on,"
            " listed) VALUES ($1, $2, $3, $4, 'Us', '2026-01-02', true)",
            entry_id, board, model_name, name_key(model_name),
        )  # fmt: skip
        await connection.executemany(
            "INSERT INTO scores (entry_id, metric, compat) VALUES ($1, $2, $3)",
            [(entry_id, metric, value) for metric, value in values.items()],
        )
        await connection.execute(
            "UPDATE boards SET revision = revision + 1 WHERE board = $1", board
        )
    return entry_id


async def add_replicates(
    database: Database,
    entry_id: UUID,
    metric: str,
    draws: Sequence[float],
    *,
    scorings: Sequence[Scoring] = SCORINGS,
    clusters: int = 40,
    by_source: Mapping[str, Mapping[str, object]] | None = None,
) -> None:
    """Give a score, whose provenance is known, replicates and the intervals that follow."""
    found = interval(Estimate(np.array(draws), clusters))
    for scoring in scorings:
        await database.pool.execute(
            "INSERT INTO replicates (entry_id, metric, scoring, statistics_version, replicates,"
            " interval, by_source, ground_truth_version, metric_version, judge_version)"
            " SELECT entry_id, metric, $3, $4, $5, $6::text::jsonb, $7::text::jsonb,"
            " ground_truth_version, metric_version, judge_version"
            " FROM scores WHERE entry_id = $1 AND metric = $2",
            entry_id,
            metric,
            scoring,
            STATISTICS_VERSION,
            np.array(draws, "<f8").tobytes(),
            orjson.dumps(found).decode(),
            orjson.dumps(by_source or {}).decode(),
        )
