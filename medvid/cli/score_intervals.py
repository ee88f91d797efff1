"""Intervals beside the values of `medvid score`, for scripts and for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from medvid.benchmark.statistics.intervals import Interval, interval
from medvid.benchmark.tasks import SCORINGS
from medvid.cli.scored_files import EstimatesByScoring

Intervals = Mapping[str, Mapping[str, Interval | None]]
"""By metric and scoring; None where there is no value."""
WHAT_THEY_COVER = (
    "The 95 % intervals cover which videos were drawn; not the judge's mood, the choice of sources "
    "or a changed prompt."
)
FEW = "*"
WHAT_FEW_MEANS = f"{FEW} from fewer than 15 videos: covers less than 95 %."


def intervals(found: EstimatesByScoring, values: Mapping[str, Any]) -> Intervals:
    """Return the intervals of scores by metric; a scoring that a score lacks is left out."""
    return {
        metric: {
            scoring: interval(found[metric, scoring].whole)
            if (metric, scoring) in found and getattr(score, scoring) is not None
            else None
            for scoring in SCORINGS
            if hasattr(score, scoring)
        }
        for metric, score in values.items()
    }


def as_document(found: Mapping[str, Interval | None]) -> dict[str, object]:
    """Return one metric's intervals for JSON."""
    return {scoring: each and asdict(each) for scoring, each in found.items()}


def shown(found: Interval | None) -> str:
    """Return an interval as a table shows it, marked where it is of few videos."""
    if found is None or found.low is None or found.high is None:
        return ""
    return f"{found.low:.3f} to {found.high:.3f}{FEW if found.few_videos else ''}"


def explained(found: Intervals) -> list[str]:
    """Return what people need to know of the intervals shown."""
    few = any(each["compat"] and each["compat"].few_videos for each in found.values())
    return [WHAT_THEY_COVER, WHAT_FEW_MEANS] if few else [WHAT_THEY_COVER]
