"""Which queues there are and which messages each receives; the same for both buses.

One queue per consumer and kind of work. A queue receives every message whose type it is bound to.
Hints (see `HINTS`) additionally go to every listening process, at most once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from shared.contracts.messages import (
    BoardChanged,
    BoardRanked,
    JudgingBatch,
    JudgingCompleted,
    JudgingProgressed,
    JudgingRequested,
    RescoringCompleted,
    RescoringRequested,
    ScoringCompleted,
    ScoringFailed,
    SimilarityRequested,
    StatisticsComputed,
    SubmissionAccepted,
)

RETRY_DELAYS: Final = (1.0, 5.0, 30.0, 120.0, 300.0)


@dataclass(frozen=True, slots=True)
class Queue:
    """A durable queue; `types` are the messages it is bound to.

    `delivery_limit`: deliveries within one attempt (crashes included) before a delayed retry.
    `retry_delays`: seconds to wait before the 2nd, 3rd, ... attempt; their number caps attempts.
    """

    name: str
    types: tuple[str, ...]
    delivery_limit: int = 5
    retry_delays: tuple[float, ...] = RETRY_DELAYS

    @property
    def owner(self) -> str:
        """The service that consumes it."""
        return self.name.partition(".")[0]

    @property
    def max_attempts(self) -> int:
        """How often a message is tried before it goes to the dead letters."""
        return len(self.retry_delays) + 1


SCORER_SUBMISSIONS: Final = Queue("scorer.submissions", (SubmissionAccepted.type,))
SCORER_SIMILARITIES: Final = Queue("scorer.similarities", (SimilarityRequested.type,))
SCORER_RESCORES: Final = Queue("scorer.rescores", (RescoringRequested.type,))
RANKER_RESCORES: Final = Queue("ranker.rescores", (RescoringCompleted.type,))
RANKER_BOARDS: Final = Queue(
    "ranker.boards", (ScoringCompleted.type, JudgingCompleted.type, BoardChanged.type)
)
RANKER_STATISTICS: Final = Queue("ranker.statistics", (BoardRanked.type,))
JUDGE_REQUESTS: Final = Queue("judge.requests", (JudgingRequested.type, ScoringCompleted.type))
JUDGE_BATCHES: Final = Queue("judge.batches", (JudgingBatch.type,))

QUEUES: Final = (
    SCORER_SUBMISSIONS,
    SCORER_SIMILARITIES,
    SCORER_RESCORES,
    RANKER_BOARDS,
    RANKER_RESCORES,
    RANKER_STATISTICS,
    JUDGE_REQUESTS,
    JUDGE_BATCHES,
)
HINTS: Final = (
    BoardRanked.type,
    StatisticsComputed.type,
    ScoringFailed.type,
    JudgingProgressed.type,
)
