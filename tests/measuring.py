"""Entries with replicates, ranked and measured by the real ranker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import numpy as np

from medvid.evidence.signatures import Signer
from services.ranker.consume import build_consumer, build_statistics_consumer
from shared.contracts.messages import BoardChanged, BoardRanked, Envelope
from shared.messaging.bus import Delivery, Done
from shared.messaging.topology import RANKER_BOARDS, RANKER_STATISTICS
from shared.storage.database import Database
from tests.rows import add_listed_entry, add_replicates, load_demo_ground_truth

METRIC: Final = "cvs_acc"


async def entry(database: Database, name: str, draws: Sequence[float]) -> UUID:
    """A listed entry with one scored value: the mean of its replicates."""
    version = await load_demo_ground_truth(database)
    entry_id = await add_listed_entry(database, name, {})
    await database.pool.execute(
        "INSERT INTO scores (entry_id, metric, compat, strict, answered, expected,"
        " ground_truth_version, metric_version, file_sha256)"
        " VALUES ($1, $2, $3, $3, 40, 40, $4, '1', repeat('a', 64))",
        entry_id, METRIC, float(np.mean(draws)), version,
    )  # fmt: skip
    await add_replicates(database, entry_id, METRIC, draws)
    return entry_id


async def rank(database: Database, signer: Signer | None = None) -> None:
    envelope = Envelope.wrap(BoardChanged(board="community"))
    delivery = Delivery(RANKER_BOARDS, envelope.to_bytes(), attempt=1)
    assert await build_consumer(database, signer).handle(delivery) == Done()


async def measure(database: Database, signer: Signer | None = None) -> None:
    envelope = Envelope.wrap(BoardRanked(board="community", revision=1))
    delivery = Delivery(RANKER_STATISTICS, envelope.to_bytes(), attempt=1)
    assert await build_statistics_consumer(database, signer).handle(delivery) == Done()


def noisy(mean: float, seed: int) -> list[float]:
    found: list[float] = np.random.default_rng(seed).normal(mean, 0.05, 1000).clip(0, 1).tolist()
    return found
