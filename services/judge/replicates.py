"""Replicates of judged values: verdicts counted as often as their videos were drawn."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import structlog

from medvid.benchmark.caption_pairs import JudgingPlan
from medvid.benchmark.ground_truth import Sample, load_ground_truth
from medvid.benchmark.statistics.bootstrap import Resampling, resample
from medvid.benchmark.tasks import SCORINGS
from medvid.judging.panel_results import Rounds, panel_replicates
from medvid.judging.panels import Panel
from medvid.judging.results import replicates
from shared.storage.replicates import StoredReplicates

_log = structlog.get_logger(__name__)


def judged_replicates(
    plan: JudgingPlan, panel: Panel, rounds: Sequence[Rounds], packed_truth: bytes
) -> list[StoredReplicates]:
    """Return the replicates of a run's values, the same in both scorings.

    `rounds` are those of each member of the panel. Nothing for a plan of another ground truth
    (gzip) than this: the values are published without.
    """
    try:
        drawn = _drawn(packed_truth)
        found = panel_replicates(panel, [replicates(plan, each, *drawn) for each in rounds])
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
