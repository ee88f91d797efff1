"""Replicates of values in Postgres, with their intervals. They are never served."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import numpy as np
import orjson

from medvid.benchmark.statistics.bootstrap import Estimates
from medvid.benchmark.statistics.intervals import interval
from medvid.benchmark.sums import Array
from medvid.benchmark.tasks import Scoring
from medvid.benchmark.versions import STATISTICS_VERSION
from shared.storage.database import Connection
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__, "replicates.sql")
_STORED: Final = np.dtype("<f8")


@dataclass(frozen=True, slots=True)
class StoredReplicates:
    """A value's replicates as they are stored; `interval` and `by_source` are JSON."""

    metric: str
    scoring: Scoring
    replicates: bytes
    interval: str
    by_source: str
    statistics_version: str = STATISTICS_VERSION

    @classmethod
    def of(cls, metric: str, scoring: Scoring, found: Estimates) -> StoredReplicates:
        """Return a value's replicates, with its interval and those of its sources."""
        by_source = {source: interval(each) for source, each in found.by_source.items()}
        return cls(
            metric,
            scoring,
            found.whole.replicates.astype(_STORED).tobytes(),
            orjson.dumps(interval(found.whole)).decode(),
            orjson.dumps(by_source).decode(),
        )

    @property
    def columns(self) -> tuple[object, ...]:
        """The values of its columns, in the order of the table."""
        return (
            self.metric,
            self.scoring,
            self.statistics_version,
            self.replicates,
            self.interval,
            self.by_source,
        )


def replicates_from(stored: bytes) -> Array:
    """Return replicates as numbers; NaN where one is undefined."""
    return np.frombuffer(stored, _STORED)


async def save_replicates(
    connection: Connection,
    entry_id: UUID,
    found: Iterable[StoredReplicates],
    *,
    ground_truth_version: str,
    metric_version: str,
    judge_version: str | None = None,
) -> None:
    """Store the replicates of an entry's scores beside them; the versions are the scores'."""
    versions = (ground_truth_version, metric_version, judge_version)
    await connection.executemany(
        _SQL["replicates_put"], [(entry_id, *each.columns, *versions) for each in found]
    )
