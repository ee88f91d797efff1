"""Replicates of judged values: verdicts counted as often as their videos were drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import structlog

from medvid.benchmark.caption_pairs import JudgingPlan
from medvid.benchmark.ground_truth import Sample, load_ground_truth
from medvid.benchmark.statistics.bootstrap import Resampling, resample
from medvid.benchmark.tasks import SCORINGS
from medvid.judging.results import replicates
from medvid.judging.verdicts import Verdict
from shared.storage.replicates import StoredReplicates

_log = structlog.get_logger(__name__)


def judged_replicates(
    plan: JudgingPlan, rounds: Sequence[Mapping[int, Verdict]], packed_truth: bytes
) -> list[StoredReplicates]:
    """Return the replicates of a run's values, the same in both scorings.

    Nothing for a plan of another ground truth (gzip) than this: the values are published without.
    """
    try:
        found = replicates(plan, rounds, *_drawn(packed_truth))
    except (KeyError, IndexError) as error:
        _log.warning("judge_replicates_left_out", error=repr(error))
        return []
    return [
        StoredReplicates.of(metric, scoring, each)
        for metric, each in found.items()
        for scoring in SCORINGS
    ]


@lru_cache(maxsize=1)
def _drawn(packed_truth: bytes) -> tuple[Sequence[Sample], Resampling]:
    """Return a ground truth's samples and draws; the last are kept for the next run."""
    truth = load_ground_truth(packed_truth)
    return truth.samples, resample(truth.samples, truth.version)
