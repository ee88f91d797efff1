"""Versions of the ground truth in Postgres; one of them is active. Its content is never served."""

from __future__ import annotations

import gzip
from contextlib import suppress
from functools import partial
from typing import Final

from shared.runtime.errors import Transient, Unavailable
from shared.runtime.truth_workers import TruthWorkers
from shared.runtime.workers import WorkerPool
from shared.storage.database import Database, Transaction, transient_errors
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__)


async def activate_ground_truth(
    transaction: Transaction, *, version: str, content: bytes, samples: int
) -> bool:
    """Store a version (unpacked `content`) and make it the active one; returns whether it is new.

    Loading the active version again changes nothing.
    """
    packed = gzip.compress(content, compresslevel=6, mtime=0)
    new = await add_ground_truth(transaction, version=version, packed=packed, samples=samples)
    await choose_ground_truth(transaction, version)
    return new


async def add_ground_truth(
    transaction: Transaction, *, version: str, packed: bytes, samples: int
) -> bool:
    """Store a version (gzip) without making it the active one; returns whether it is new."""
    status = await transaction.connection.execute(
        _SQL["ground_truth_add"], version, packed, samples
    )
    return status == "INSERT 0 1"


async def choose_ground_truth(transaction: Transaction, version: str) -> bool:
    """Make a stored version the active one; False where it is that already, or is not there."""
    await transaction.connection.execute(_SQL["ground_truth_deactivate_others"], version)
    status = await transaction.connection.execute(_SQL["ground_truth_activate"], version)
    return status == "UPDATE 1"


async def active_ground_truth_version(database: Database) -> str | None:
    """Return the active version, or None where no ground truth was ever loaded."""
    version: str | None = await database.pool.fetchval(_SQL["ground_truth_active_version"])
    return version


async def ground_truth_content(database: Database, version: str) -> bytes:
    """Return the gzip file of a version; raises KeyError for a version that is not there."""
    content: bytes | None = await database.pool.fetchval(_SQL["ground_truth_content"], version)
    if content is None:
        raise KeyError(version)
    return content


def truth_workers(database: Database, pool: WorkerPool) -> TruthWorkers:
    """Return a pool's workers, which fetch each ground truth that they lack from the database."""
    return TruthWorkers(pool, partial(ground_truth_content, database))


async def prepare_workers(database: Database, workers: TruthWorkers, count: int) -> None:
    """Give `count` workers the active ground truth, so that their first job is done at once."""
    with suppress(Transient, Unavailable):  # then the first job brings it
        async with transient_errors():
            version = await active_ground_truth_version(database)
            if version is not None:
                await workers.prepare(version, count)
